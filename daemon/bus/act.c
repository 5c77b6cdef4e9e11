/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Steering messages
 *
 * Retry, Hold, Release, Delete, Bounce, BounceWithReason and Redirect, of the Manager by filter and of a Message for
 * itself: one way from the call to the queue.
 *
 * A retry that a person asked for also hurries the delivery, so that a remote that is down is tried now. A remote
 * that sees a log-in every second locks the account; so somebody who may not manage the relay can hurry it only now
 * and then.
 */

#include "bus/act.h"

#include <string.h>

#include "message/address.h"

#define HURRY_SECONDS 30

/* A sentence or two; a notice has to stay readable. */
#define REASON_LONGEST_BYTES 500

typedef struct {
    QueueAction action;
    gchar *address; /* (nullable) not the action but a redirection to here */
    gchar *reason;  /* (nullable) of QUEUE_ACTION_BOUNCE */
    BusFilter *filter;
    gboolean counted;
} Act;

static void
act_free (gpointer data)
{
    Act *act = data;

    bus_filter_free (act->filter);
    g_free (act->address);
    g_free (act->reason);
    g_free (act);
}

static void
hurry (BusCall *call)
{
    Bus *bus = call->bus;
    gint64 now = g_get_monotonic_time ();

    if (bus->closed)
        return;
    if (!call->everyone) {
        if (bus->hurried_usec != 0 && now - bus->hurried_usec < HURRY_SECONDS * G_USEC_PER_SEC)
            return;
        bus->hurried_usec = now;
    }
    delivery_hurry (bus->delivery);
}

static void
answer (BusCall *call, guint count)
{
    const Act *act = call->data;

    bus_call_return (call, act->counted ? g_variant_new ("(u)", count) : NULL);
}

static void
on_acted (guint count, const GError *error, gpointer user_data)
{
    BusCall *call = user_data;
    const Act *act = call->data;

    if (error != NULL) {
        bus_call_fail (call, error);
        return;
    }

    if (act->address == NULL && act->action == QUEUE_ACTION_RETRY && count > 0)
        hurry (call);
    answer (call, count);
}

static void
on_allowed (BusCall *call)
{
    const Act *act = call->data;

    if (act->filter->matches_none)
        answer (call, 0);
    else if (act->address != NULL)
        queue_redirect (call->bus->queue, &act->filter->queue, act->address, on_acted, call);
    else if (act->reason != NULL)
        queue_give_up (call->bus->queue, &act->filter->queue, act->reason, on_acted, call);
    else
        queue_act (call->bus->queue, act->action, &act->filter->queue, on_acted, call);
}

static void
on_identified (BusCall *call)
{
    const Act *act = call->data;

    bus_call_narrow (call, act->filter, FALSE, BUS_ACTION_MANAGE, on_allowed);
}

/* Returns: (transfer none): which belongs to the call */
static Act *
act_new (BusCall *call, QueueAction action, BusFilter *filter, gboolean counted)
{
    Act *act = g_new0 (Act, 1);

    act->action = action;
    act->filter = filter;
    act->counted = counted;
    call->data = act;
    call->data_free = act_free;
    return act;
}

void
bus_act (BusCall *call, QueueAction action, BusFilter *filter, gboolean counted)
{
    act_new (call, action, filter, counted);
    on_identified (call);
}

static gboolean
has_control_characters (const gchar *text)
{
    for (const gchar *c = text; *c != '\0'; c = g_utf8_next_char (c))
        if (g_unichar_iscntrl (g_utf8_get_char (c)))
            return TRUE;

    return FALSE;
}

void
bus_give_up (BusCall *call, const gchar *reason, BusFilter *filter, gboolean counted)
{
    g_autofree gchar *stripped = g_strstrip (g_strdup (reason));
    gsize length = strlen (stripped);

    if (length > 0 && length <= REASON_LONGEST_BYTES && !has_control_characters (stripped)) {
        act_new (call, QUEUE_ACTION_BOUNCE, filter, counted)->reason = g_steal_pointer (&stripped);
        on_identified (call);
        return;
    }

    bus_filter_free (filter);
    if (length > REASON_LONGEST_BYTES)
        bus_call_refuse (call, BUS_ERROR_INVALID_ARGUMENT, "the reason has %" G_GSIZE_FORMAT " bytes, at most %d",
                         length, REASON_LONGEST_BYTES);
    else
        bus_call_refuse (call, BUS_ERROR_INVALID_ARGUMENT, "the reason %s",
                         length == 0 ? "is empty" : "has control characters in it; it is one line of text");
}

void
bus_redirect (BusCall *call, const gchar *address, BusFilter *filter, gboolean counted)
{
    g_autoptr (GError) error = NULL;
    gchar *canonical = message_address_parse (address, MESSAGE_PATH_UTF8, &error);

    if (canonical != NULL) {
        act_new (call, QUEUE_ACTION_RETRY, filter, counted)->address = canonical;
        on_identified (call);
        return;
    }

    bus_filter_free (filter);
    bus_call_refuse (call, BUS_ERROR_INVALID_ARGUMENT, "%s", error->message);
}
