/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The Manager
 *
 * One function for each method of org.postern.Relay1.Manager: it reads the arguments, says which authorization is
 * needed, and asks the queue or the delivery. What takes longer is in files of its own: steering, submitting,
 * subscribers.
 */

#include "bus/manager.h"

#include "bus/act.h"
#include "bus/call.h"
#include "bus/check.h"
#include "bus/gate.h"
#include "bus/list.h"
#include "bus/message-object.h"
#include "bus/properties.h"
#include "bus/remote-object.h"
#include "bus/submit.h"
#include "bus/subscribers.h"
#include "bus/variant.h"
#include "bus/verify.h"
#include "dbus/relay-interface.h"

/* Some hundred bytes each; a reply of a few hundred kilobytes. */
#define LIST_MOST 1000

typedef void (*Handle) (Bus *bus, GDBusMethodInvocation *invocation, GVariant *parameters);

/* ---- Listing ---- */

typedef struct {
    BusFilter *filter;
    QueueId after;
    guint limit;
} Listing;

static void
listing_free (gpointer data)
{
    Listing *listing = data;

    g_clear_pointer (&listing->filter, bus_filter_free);
    g_free (listing);
}

static void
return_list (BusCall *call, GPtrArray *messages, QueueId next)
{
    GVariantBuilder rows;
    gchar cursor[QUEUE_ID_TEXT_BYTES] = "";

    g_variant_builder_init (&rows, G_VARIANT_TYPE ("a" BUS_ROW_TYPE));
    for (guint i = 0; messages != NULL && i < messages->len; i++)
        g_variant_builder_add_value (&rows, bus_variant_row (g_ptr_array_index (messages, i)));
    if (next != 0)
        queue_id_write (next, cursor);
    bus_call_return (call, g_variant_new ("(a" BUS_ROW_TYPE "s)", &rows, cursor));
}

static void
on_listed (GPtrArray *messages, QueueId next, gpointer user_data)
{
    return_list (user_data, messages, next);
}

static void
list (BusCall *call)
{
    const Listing *listing = call->data;

    if (listing->filter->matches_none)
        return_list (call, NULL, 0);
    else
        queue_list (call->bus->queue, &listing->filter->queue, listing->after, listing->limit, on_listed, call);
}

static void
on_list_caller (BusCall *call)
{
    const Listing *listing = call->data;

    bus_call_narrow (call, listing->filter, FALSE, BUS_ACTION_INSPECT, list);
}

static void
handle_list_messages (Bus *bus, GDBusMethodInvocation *invocation, GVariant *parameters)
{
    Listing *listing = g_new0 (Listing, 1);
    BusCall *call = bus_call_new (bus, invocation, listing, listing_free);
    g_autoptr (GVariant) dictionary = NULL;
    g_autoptr (GError) error = NULL;
    const gchar *cursor;

    g_variant_get (parameters, "(@a{sv}&su)", &dictionary, &cursor, &listing->limit);
    if (listing->limit == 0 || listing->limit > LIST_MOST)
        listing->limit = LIST_MOST;
    listing->after = queue_id_read (cursor);
    listing->filter = bus_filter_new (dictionary, &error);

    if (listing->filter == NULL)
        bus_call_fail (call, error);
    else if (*cursor != '\0' && listing->after == 0)
        bus_call_refuse_value (call, BUS_ERROR_INVALID_ARGUMENT, cursor, "is not a cursor");
    else
        on_list_caller (call);
}

static void
open_list (BusCall *call)
{
    g_autoptr (GError) error = NULL;
    BusFilter *filter = g_steal_pointer (&((Listing *) call->data)->filter);
    int fd = bus_list_open (call->bus, filter, call->uid, &error);

    if (fd < 0)
        bus_call_fail (call, error);
    else
        bus_call_return_fd (call, fd);
}

static void
on_open_list_caller (BusCall *call)
{
    const Listing *listing = call->data;

    bus_call_narrow (call, listing->filter, FALSE, BUS_ACTION_INSPECT, open_list);
}

static void
handle_open_list (Bus *bus, GDBusMethodInvocation *invocation, GVariant *parameters)
{
    Listing *listing = g_new0 (Listing, 1);
    BusCall *call = bus_call_new (bus, invocation, listing, listing_free);
    g_autoptr (GVariant) dictionary = g_variant_get_child_value (parameters, 0);
    g_autoptr (GError) error = NULL;

    listing->filter = bus_filter_new (dictionary, &error);
    if (listing->filter == NULL)
        bus_call_fail (call, error);
    else
        on_open_list_caller (call);
}

/* ---- One message ---- */

static void
return_message (BusCall *call)
{
    g_autofree gchar *path = bus_message_object_path (*(QueueId *) call->data);

    bus_call_return (call, g_variant_new ("(o)", path));
}

static void
on_message_caller (BusCall *call)
{
    QueueId id = *(QueueId *) call->data;
    gint64 owner;

    if (!queue_owner (call->bus->queue, id, &owner)) {
        gchar text[QUEUE_ID_TEXT_BYTES];

        queue_id_write (id, text);
        bus_call_refuse (call, BUS_ERROR_NO_SUCH_MESSAGE, "there is no message %s in the queue", text);
    } else if (owner == call->uid) {
        return_message (call);
    } else {
        bus_call_require (call, BUS_ACTION_INSPECT, return_message);
    }
}

static void
handle_get_message (Bus *bus, GDBusMethodInvocation *invocation, GVariant *parameters)
{
    QueueId *id = g_new (QueueId, 1);
    BusCall *call = bus_call_new (bus, invocation, id, g_free);
    const gchar *text;

    g_variant_get (parameters, "(&s)", &text);
    *id = queue_id_read (text);
    if (*id == 0)
        bus_call_refuse_value (call, BUS_ERROR_INVALID_ARGUMENT, text, "is not a queue id");
    else
        on_message_caller (call);
}

/* ---- Steering ---- */

static void
act (Bus *bus, GDBusMethodInvocation *invocation, GVariant *parameters, QueueAction action)
{
    BusCall *call = bus_call_new (bus, invocation, NULL, NULL);
    g_autoptr (GVariant) dictionary = g_variant_get_child_value (parameters, 0);
    g_autoptr (GError) error = NULL;
    BusFilter *filter = bus_filter_new (dictionary, &error);

    if (filter == NULL)
        bus_call_fail (call, error);
    else
        bus_act (call, action, filter, TRUE);
}

static void
handle_retry (Bus *bus, GDBusMethodInvocation *invocation, GVariant *parameters)
{
    act (bus, invocation, parameters, QUEUE_ACTION_RETRY);
}

static void
handle_hold (Bus *bus, GDBusMethodInvocation *invocation, GVariant *parameters)
{
    act (bus, invocation, parameters, QUEUE_ACTION_HOLD);
}

static void
handle_release (Bus *bus, GDBusMethodInvocation *invocation, GVariant *parameters)
{
    act (bus, invocation, parameters, QUEUE_ACTION_RELEASE);
}

static void
handle_delete (Bus *bus, GDBusMethodInvocation *invocation, GVariant *parameters)
{
    act (bus, invocation, parameters, QUEUE_ACTION_DELETE);
}

static void
handle_bounce (Bus *bus, GDBusMethodInvocation *invocation, GVariant *parameters)
{
    act (bus, invocation, parameters, QUEUE_ACTION_BOUNCE);
}

static void
handle_bounce_with_reason (Bus *bus, GDBusMethodInvocation *invocation, GVariant *parameters)
{
    BusCall *call = bus_call_new (bus, invocation, NULL, NULL);
    g_autoptr (GVariant) dictionary = NULL;
    g_autoptr (GError) error = NULL;
    BusFilter *filter;
    const gchar *reason;

    g_variant_get (parameters, "(@a{sv}&s)", &dictionary, &reason);
    filter = bus_filter_new (dictionary, &error);
    if (filter == NULL)
        bus_call_fail (call, error);
    else
        bus_give_up (call, reason, filter, TRUE);
}

static void
handle_redirect (Bus *bus, GDBusMethodInvocation *invocation, GVariant *parameters)
{
    BusCall *call = bus_call_new (bus, invocation, NULL, NULL);
    g_autoptr (GVariant) dictionary = NULL;
    g_autoptr (GError) error = NULL;
    BusFilter *filter;
    const gchar *address;

    g_variant_get (parameters, "(@a{sv}&s)", &dictionary, &address);
    filter = bus_filter_new (dictionary, &error);
    if (filter == NULL)
        bus_call_fail (call, error);
    else
        bus_redirect (call, address, filter, TRUE);
}

/* ---- The relay as a whole ---- */

static void
pause_delivery (BusCall *call)
{
    delivery_pause (call->bus->delivery);
    bus_call_return (call, NULL);
}

static void
resume_delivery (BusCall *call)
{
    delivery_resume (call->bus->delivery);
    bus_call_return (call, NULL);
}

static void
reload (BusCall *call)
{
    g_autoptr (GError) error = NULL;

    if (call->bus->handlers.reload (&error, call->bus->user_data))
        bus_call_return (call, NULL);
    else
        bus_call_refuse (call, BUS_ERROR_BAD_CONFIGURATION, "%s", error->message);
}

static void
on_pause_caller (BusCall *call)
{
    bus_call_require (call, BUS_ACTION_MANAGE, pause_delivery);
}

static void
on_resume_caller (BusCall *call)
{
    bus_call_require (call, BUS_ACTION_MANAGE, resume_delivery);
}

static void
on_reload_caller (BusCall *call)
{
    bus_call_require (call, BUS_ACTION_CONFIGURE, reload);
}

static void
handle_pause (Bus *bus, GDBusMethodInvocation *invocation, GVariant *parameters)
{
    on_pause_caller (bus_call_new (bus, invocation, NULL, NULL));
}

static void
handle_resume (Bus *bus, GDBusMethodInvocation *invocation, GVariant *parameters)
{
    on_resume_caller (bus_call_new (bus, invocation, NULL, NULL));
}

static void
handle_reload (Bus *bus, GDBusMethodInvocation *invocation, GVariant *parameters)
{
    on_reload_caller (bus_call_new (bus, invocation, NULL, NULL));
}

/* ---- Remotes ---- */

static void
handle_list_remotes (Bus *bus, GDBusMethodInvocation *invocation, GVariant *parameters)
{
    g_autoptr (GArray) remotes = delivery_remotes (bus->delivery);
    GVariantBuilder rows;

    g_variant_builder_init (&rows, G_VARIANT_TYPE ("a(sosqss)"));
    for (guint i = 0; i < remotes->len; i++) {
        const DeliveryRemoteInfo *remote = &g_array_index (remotes, DeliveryRemoteInfo, i);
        g_autofree gchar *path = bus_remote_object_path (remote->name);
        GVariant *fields[] = {
            bus_variant_text (remote->name),
            g_variant_new_object_path (path),
            bus_variant_text (remote->host),
            g_variant_new_uint16 (remote->port),
            g_variant_new_string (delivery_remote_state_name (remote->state)),
            bus_variant_text (remote->error),
        };

        g_variant_builder_add_value (&rows, g_variant_new_tuple (fields, G_N_ELEMENTS (fields)));
    }
    g_dbus_method_invocation_return_value (invocation, g_variant_new ("(a(sosqss))", &rows));
}

static void
handle_get_remote (Bus *bus, GDBusMethodInvocation *invocation, GVariant *parameters)
{
    g_autofree gchar *path = NULL;
    DeliveryRemoteInfo remote;
    const gchar *name;

    g_variant_get (parameters, "(&s)", &name);
    if (!bus_remote_find (bus, name, &remote)) {
        g_autofree gchar *quoted = bus_error_quote (name);

        bus_error_return (invocation, BUS_ERROR_NO_SUCH_REMOTE, "there is no smarthost “%s”", quoted);
        return;
    }

    path = bus_remote_object_path (name);
    g_dbus_method_invocation_return_value (invocation, g_variant_new ("(o)", path));
}

/* ---- Statistics ---- */

static void
add_number (GVariantBuilder *builder, const gchar *name, guint64 number)
{
    g_variant_builder_add (builder, "{sv}", name, g_variant_new_uint64 (number));
}

static void
add_queue (GVariantBuilder *builder, Queue *queue)
{
    QueueStatistics statistics;

    queue_statistics (queue, &statistics);
    add_number (builder, "messages", statistics.messages);
    add_number (builder, "bytes", statistics.bytes);
    for (guint state = 0; state < QUEUE_N_STATES; state++)
        add_number (builder, queue_state_name ((QueueState) state), statistics.by_state[state]);
    g_variant_builder_add (builder, "{sv}", "oldest", bus_variant_time (statistics.oldest_usec));
    add_number (builder, "disk-bytes", statistics.disk_bytes);
}

static void
add_counters (GVariantBuilder *builder, const Bus *bus)
{
    g_variant_builder_add (builder, "{sv}", "started", bus_variant_time (bus->counters->started_usec));
    add_number (builder, "accepted", bus->counters->accepted);
    add_number (builder, "removed", bus->counters->removed);
    add_number (builder, "deleted", bus->counters->deleted);
    add_number (builder, "delivered", bus->counters->delivered);
    add_number (builder, "bounced", bus->counters->bounced);
    add_number (builder, "expired", bus->counters->expired);
    add_number (builder, "attempts-deferred", bus->counters->deferred);
}

static void
add_remotes (GVariantBuilder *builder, Delivery *delivery)
{
    g_autoptr (GArray) remotes = delivery_remotes (delivery);
    guint64 sessions = 0;
    guint64 connections = 0;

    for (guint i = 0; i < remotes->len; i++) {
        const DeliveryRemoteInfo *remote = &g_array_index (remotes, DeliveryRemoteInfo, i);

        sessions += remote->sessions;
        connections += remote->connections;
    }
    add_number (builder, "sessions", sessions);
    add_number (builder, "connections", connections);
}

static void
handle_get_statistics (Bus *bus, GDBusMethodInvocation *invocation, GVariant *parameters)
{
    GVariantBuilder builder;

    g_variant_builder_init (&builder, G_VARIANT_TYPE_VARDICT);
    add_queue (&builder, bus->queue);
    add_counters (&builder, bus);
    add_remotes (&builder, bus->delivery);
    g_variant_builder_add (&builder, "{sv}", "subscribers",
                           g_variant_new_uint32 (bus_subscribers_count (bus->subscribers)));
    g_dbus_method_invocation_return_value (invocation, g_variant_new ("(a{sv})", &builder));
}

/* ---- Subscribing ---- */

static void
subscribe (BusCall *call)
{
    g_autoptr (GError) error = NULL;

    if (bus_subscribers_add (call->bus->subscribers, g_dbus_method_invocation_get_sender (call->invocation),
                             call->uid, call->everyone, &error))
        bus_call_return (call, g_variant_new ("(b)", call->everyone));
    else
        bus_call_fail (call, error);
}

static void
on_subscribe_caller (BusCall *call)
{
    gboolean insist = GPOINTER_TO_INT (call->data);

    bus_call_narrow (call, NULL, insist, BUS_ACTION_INSPECT, subscribe);
}

static gboolean
read_subscribe_options (GVariant *options, gboolean *everyone, GError **error)
{
    GVariantIter iter;
    const gchar *key;
    GVariant *value;

    g_variant_iter_init (&iter, options);
    while (g_variant_iter_loop (&iter, "{&sv}", &key, &value)) {
        if (!g_str_equal (key, "everyone") || !g_variant_is_of_type (value, G_VARIANT_TYPE_BOOLEAN)) {
            g_autofree gchar *quoted = bus_error_quote (key);

            g_set_error (error, BUS_ERROR, BUS_ERROR_INVALID_ARGUMENT,
                         "“%s” of type %s: the only option is “everyone” of type b", quoted,
                         g_variant_get_type_string (value));
            g_variant_unref (value);
            return FALSE;
        }
        *everyone = g_variant_get_boolean (value);
    }
    return TRUE;
}

static void
handle_subscribe (Bus *bus, GDBusMethodInvocation *invocation, GVariant *parameters)
{
    BusCall *call = bus_call_new (bus, invocation, NULL, NULL);
    g_autoptr (GVariant) options = g_variant_get_child_value (parameters, 0);
    g_autoptr (GError) error = NULL;
    gboolean everyone = FALSE;

    if (!read_subscribe_options (options, &everyone, &error)) {
        bus_call_fail (call, error);
        return;
    }

    call->data = GINT_TO_POINTER (everyone);
    on_subscribe_caller (call);
}

static void
handle_unsubscribe (Bus *bus, GDBusMethodInvocation *invocation, GVariant *parameters)
{
    bus_subscribers_remove (bus->subscribers, g_dbus_method_invocation_get_sender (invocation));
    g_dbus_method_invocation_return_value (invocation, NULL);
}

/* ---- The object ---- */

typedef enum {
    NEEDS_NOTHING, /* it is answered at once, whoever calls */
    NEEDS_CALLER,  /* to be known */
    NEEDS_QUEUE    /* and to be answered for the whole queue, or not yet */
} Needs;

static const struct {
    const gchar *method;
    Handle handle;
    Needs needs;
} methods[] = {
    {"ListMessages", handle_list_messages, NEEDS_QUEUE},
    {"OpenList", handle_open_list, NEEDS_QUEUE},
    {"GetMessage", handle_get_message, NEEDS_QUEUE},
    {"SubmitMessage", bus_submit, NEEDS_CALLER},
    {"Retry", handle_retry, NEEDS_QUEUE},
    {"Hold", handle_hold, NEEDS_QUEUE},
    {"Release", handle_release, NEEDS_QUEUE},
    {"Delete", handle_delete, NEEDS_QUEUE},
    {"Bounce", handle_bounce, NEEDS_QUEUE},
    {"BounceWithReason", handle_bounce_with_reason, NEEDS_QUEUE},
    {"Redirect", handle_redirect, NEEDS_QUEUE},
    {"Pause", handle_pause, NEEDS_CALLER},
    {"Resume", handle_resume, NEEDS_CALLER},
    {"Reload", handle_reload, NEEDS_CALLER},
    {"Check", bus_check, NEEDS_CALLER},
    {"Verify", bus_verify, NEEDS_QUEUE},
    {"ListRemotes", handle_list_remotes, NEEDS_NOTHING},
    {"GetRemote", handle_get_remote, NEEDS_NOTHING},
    {"GetStatistics", handle_get_statistics, NEEDS_NOTHING},
    {"Subscribe", handle_subscribe, NEEDS_CALLER},
    {"Unsubscribe", handle_unsubscribe, NEEDS_NOTHING},
};

/* GDBus lets only methods of the XML through. */
static guint
find_method (const gchar *name)
{
    guint i = 0;

    while (!g_str_equal (methods[i].method, name))
        i++;
    return i;
}

/* A BusAnswer */
static void
answer (Bus *bus, GDBusMethodInvocation *invocation)
{
    guint method = find_method (g_dbus_method_invocation_get_method_name (invocation));

    methods[method].handle (bus, invocation, g_dbus_method_invocation_get_parameters (invocation));
}

static void
on_call (GDBusConnection *connection, const gchar *sender, const gchar *path, const gchar *interface,
         const gchar *method, GVariant *parameters, GDBusMethodInvocation *invocation, gpointer user_data)
{
    Needs needs = methods[find_method (method)].needs;

    if (needs == NEEDS_NOTHING)
        answer (user_data, invocation);
    else
        bus_gate_admit (user_data, invocation, needs == NEEDS_QUEUE, answer);
}

static GVariant *
on_get (GDBusConnection *connection, const gchar *sender, const gchar *path, const gchar *interface,
        const gchar *name, GError **error, gpointer user_data)
{
    bus_touch (user_data);
    return bus_properties_get (user_data, name);
}

guint
bus_manager_register (Bus *bus, GError **error)
{
    static const GDBusInterfaceVTable vtable = {.method_call = on_call, .get_property = on_get};

    return g_dbus_connection_register_object (bus->connection, BUS_MANAGER_PATH,
                                              (GDBusInterfaceInfo *) &org_postern_relay1_manager_interface, &vtable,
                                              bus, NULL, error);
}
