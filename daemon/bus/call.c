/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Calls
 *
 * Answering a call takes questions to others: polkit (may it?), the queue (what is there?). None of them is waited for; a call goes from step to step, and this object carries what it knows by then.
 *
 * The rule whose mail a call may touch is here, in one place. Own mail is free. For other users' mail it matters what
 * the caller asked for: one who names other users' mail is asked for a password if need be and gets an error without;
 * one who does not say gets everyone's mail if polkit allows that without asking, and else quietly the own.
 *
 * A reply of megabytes takes its time to be made and to be put into the form that it has on the bus. One thread does that for
 * all calls, one after the other, while the main loop goes on.
 *
 * The queue may outlive the bus or the other way round for the time of a call; a call holds the bus, and does not go
 * on to the queue once the bus is closed.
 */

#include "bus/call.h"

#include "bus/gate.h"

BusCall *
bus_call_new (Bus *bus, GDBusMethodInvocation *invocation, gpointer data, GDestroyNotify data_free)
{
    BusCall *call = g_new0 (BusCall, 1);

    call->bus = bus_ref (bus);
    call->invocation = invocation;
    call->uid = bus_gate_uid (invocation);
    call->data = data;
    call->data_free = data_free;
    bus->calls_pending++;
    bus_touch (bus);
    return call;
}

static void
call_free (BusCall *call)
{
    call->bus->calls_pending--;
    bus_call_ended (call->bus);
    if (call->data != NULL && call->data_free != NULL)
        call->data_free (call->data);
    bus_unref (call->bus);
    g_free (call);
}

void
bus_call_return (BusCall *call, GVariant *value)
{
    g_dbus_method_invocation_return_value (call->invocation, value);
    call_free (call);
}

/* A value that is made, and put into the bus's form, by a thread. */
typedef struct {
    BusCall *call;
    BusCallMake make;
    gpointer data;
    GDestroyNotify made;
} Making;

static gboolean
on_made (gpointer user_data)
{
    g_autofree Making *making = user_data;

    /* Not before: what the call took is given back with it. */
    g_object_unref (making->call->invocation);
    making->made (making->data);
    call_free (making->call);
    return G_SOURCE_REMOVE;
}

void
bus_call_make (gpointer data, gpointer unused)
{
    Making *making = data;

    g_dbus_method_invocation_return_value (making->call->invocation, making->make (making->data));
    g_idle_add_full (G_PRIORITY_DEFAULT, on_made, making, NULL);
}

void
bus_call_return_made (BusCall *call, BusCallMake make, gpointer data, GDestroyNotify made)
{
    Making *making = g_new (Making, 1);

    *making = (Making){.call = call, .make = make, .data = data, .made = made};
    g_object_ref (call->invocation);
    g_thread_pool_push (call->bus->makers, making, NULL);
}

void
bus_call_return_fd (BusCall *call, int fd)
{
    g_autoptr (GUnixFDList) fds = g_unix_fd_list_new_from_array (&fd, 1);

    g_dbus_method_invocation_return_value_with_unix_fd_list (call->invocation, g_variant_new ("(h)", 0), fds);
    call_free (call);
}

void
bus_call_fail (BusCall *call, const GError *error)
{
    g_dbus_method_invocation_take_error (call->invocation, bus_error_from (error));
    call_free (call);
}

void
bus_call_refuse (BusCall *call, BusErrorCode code, const gchar *format, ...)
{
    va_list arguments;

    va_start (arguments, format);
    bus_error_return_valist (call->invocation, code, format, arguments);
    va_end (arguments);
    call_free (call);
}

void
bus_call_refuse_value (BusCall *call, BusErrorCode code, const gchar *value, const gchar *why)
{
    g_autofree gchar *quoted = bus_error_quote (value);

    bus_call_refuse (call, code, "“%s” %s", quoted, why);
}

static void
go_on (BusCall *call)
{
    if (call->bus->closed)
        bus_call_refuse (call, BUS_ERROR_FAILED, "the relay is stopping");
    else
        call->step (call);
}

static void
check (BusCall *call, const gchar *action, gboolean may_ask, BusAuthorized authorized)
{
    GDBusMessage *message = g_dbus_method_invocation_get_message (call->invocation);
    gboolean interactive =
        (g_dbus_message_get_flags (message) & G_DBUS_MESSAGE_FLAGS_ALLOW_INTERACTIVE_AUTHORIZATION) != 0;

    bus_authorization_check (call->bus->authorization, g_dbus_method_invocation_get_sender (call->invocation),
                             call->uid, action, may_ask && interactive, authorized, call);
}

static void
on_required (const GError *error, gpointer user_data)
{
    BusCall *call = user_data;

    if (error != NULL) {
        bus_call_fail (call, error);
        return;
    }

    call->everyone = TRUE;
    go_on (call);
}

void
bus_call_require (BusCall *call, const gchar *action, BusCallStep step)
{
    call->step = step;
    check (call, action, TRUE, on_required);
}

static void
on_narrowed (const GError *error, gpointer user_data)
{
    BusCall *call = user_data;

    call->everyone = error == NULL;
    if (!call->everyone && call->narrowing != NULL)
        call->narrowing->queue.uid = call->uid;
    go_on (call);
}

static gboolean
is_about_others (const BusCall *call, const BusFilter *filter)
{
    if (filter->everyone)
        return TRUE;
    if (filter->queue.uid != -1 && filter->queue.uid != call->uid)
        return TRUE;
    return filter->queue.uid == -1 && !bus_filter_ids_belong_to (filter, call->bus->queue, call->uid);
}

/* One's own mail only: nobody needs to be asked. */
static gboolean
is_about_oneself (const BusCall *call, const BusFilter *filter)
{
    return !filter->everyone && (filter->queue.uid == call->uid || filter->ids != NULL);
}

void
bus_call_narrow (BusCall *call, BusFilter *filter, gboolean insist, const gchar *action, BusCallStep step)
{
    call->step = step;
    call->narrowing = filter;

    if (insist || (filter != NULL && is_about_others (call, filter))) {
        bus_call_require (call, action, step);
        return;
    }

    if (filter != NULL && is_about_oneself (call, filter)) {
        call->everyone = bus_authorization_is_master (call->bus->authorization, call->uid);
        if (!call->everyone)
            filter->queue.uid = call->uid;
        go_on (call);
        return;
    }

    check (call, action, FALSE, on_narrowed);
}
