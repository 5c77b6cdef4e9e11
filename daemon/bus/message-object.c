/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Objects of messages
 *
 * A message's object is made when somebody calls it and kept by nobody: the path holds the id, and everything is
 * asked of the queue. So a million messages cost the bus nothing. They are not enumerated in introspection either:
 * that would be a reply of many megabytes, and would tell everyone what is in the queue.
 *
 * Properties are guarded like methods: reading them needs the caller's user, and maybe polkit, so they are answered
 * later. GDBus hands property calls to method_call where there is no get_property.
 */

#include "bus/message-object.h"

#include <string.h>

#include "bus/act.h"
#include "bus/call.h"
#include "bus/content.h"
#include "bus/gate.h"
#include "bus/variant.h"
#include "dbus/relay-interface.h"

/* A call on one message. */
typedef struct {
    QueueId id;
    gchar *property; /* (nullable) the one that is asked for; NULL: all, or not about properties */
} MessageCall;

/* Properties of a message that are to be told. */
typedef struct {
    QueueMessage *message;
    gchar *property; /* (nullable) all of them */
} Telling;

/* The properties of a message that has no more are told at once: a millisecond at most. */
#define AT_ONCE_RECIPIENTS 100

gchar *
bus_message_object_path (QueueId id)
{
    gchar text[QUEUE_ID_TEXT_BYTES];

    queue_id_write (id, text);
    return g_strconcat (BUS_MESSAGE_PATH "/", text, NULL);
}

static QueueId
id_of_path (const gchar *path)
{
    return queue_id_read (strrchr (path, '/') + 1);
}

static void
message_call_free (gpointer data)
{
    MessageCall *message_call = data;

    g_free (message_call->property);
    g_free (message_call);
}

static void
refuse_gone (BusCall *call, QueueId id)
{
    gchar text[QUEUE_ID_TEXT_BYTES];

    queue_id_write (id, text);
    bus_call_refuse (call, BUS_ERROR_NO_SUCH_MESSAGE, "there is no message %s in the queue", text);
}

/* Goes on with @step if the message exists and the caller may do @action with it. */
static void
require (BusCall *call, const gchar *action, BusCallStep step)
{
    const MessageCall *message_call = call->data;
    gint64 owner;

    if (!queue_owner (call->bus->queue, message_call->id, &owner))
        refuse_gone (call, message_call->id);
    else if (owner == call->uid)
        step (call);
    else
        bus_call_require (call, action, step);
}

/* A BusCallMake: a message as it was seen never changes. */
static GVariant *
tell (gpointer data)
{
    const Telling *telling = data;

    if (telling->property == NULL)
        return g_variant_new ("(@a{sv})", bus_variant_properties (telling->message));

    return g_variant_new ("(v)", bus_variant_property (telling->message, telling->property));
}

static void
telling_free (gpointer data)
{
    Telling *telling = data;

    queue_message_unref (telling->message);
    g_free (telling->property);
    g_free (telling);
}

static void
on_listed (GPtrArray *messages, QueueId next, gpointer user_data)
{
    BusCall *call = user_data;
    const MessageCall *message_call = call->data;
    Telling *telling;

    if (messages->len == 0) {
        refuse_gone (call, message_call->id);
        return;
    }

    telling = g_new0 (Telling, 1);
    telling->message = queue_message_ref (g_ptr_array_index (messages, 0));
    telling->property = g_strdup (message_call->property);
    if (telling->message->recipients->len > AT_ONCE_RECIPIENTS) {
        bus_call_return_made (call, tell, telling, telling_free);
        return;
    }

    bus_call_return (call, tell (telling));
    telling_free (telling);
}

static void
tell_properties (BusCall *call)
{
    const MessageCall *message_call = call->data;
    QueueFilter filter = QUEUE_FILTER_ALL;

    filter.ids = &message_call->id;
    filter.n_ids = 1;
    queue_list (call->bus->queue, &filter, 0, 1, on_listed, call);
}

static void
on_properties_caller (BusCall *call)
{
    require (call, BUS_ACTION_INSPECT, tell_properties);
}

static void
open_content (BusCall *call)
{
    const MessageCall *message_call = call->data;
    g_autoptr (GError) error = NULL;
    int fd = bus_content_open (call->bus, message_call->id, call->uid, &error);

    if (fd < 0)
        bus_call_fail (call, error);
    else
        bus_call_return_fd (call, fd);
}

static void
on_content_caller (BusCall *call)
{
    require (call, BUS_ACTION_READ_CONTENT, open_content);
}

static const struct {
    const gchar *method;
    QueueAction action;
} actions[] = {
    {"Retry", QUEUE_ACTION_RETRY},   {"Hold", QUEUE_ACTION_HOLD},     {"Release", QUEUE_ACTION_RELEASE},
    {"Delete", QUEUE_ACTION_DELETE}, {"Bounce", QUEUE_ACTION_BOUNCE},
};

/* Of a method with one argument. */
static const gchar *
only_text (GVariant *parameters)
{
    const gchar *text;

    g_variant_get (parameters, "(&s)", &text);
    return text;
}

static void
act (Bus *bus, GDBusMethodInvocation *invocation, QueueId id, const gchar *method, GVariant *parameters)
{
    BusCall *call = bus_call_new (bus, invocation, NULL, NULL);
    gint64 owner;

    if (!queue_owner (bus->queue, id, &owner)) {
        refuse_gone (call, id);
        return;
    }

    if (g_str_equal (method, "Redirect")) {
        bus_redirect (call, only_text (parameters), bus_filter_new_id (id), FALSE);
        return;
    }
    if (g_str_equal (method, "BounceWithReason")) {
        bus_give_up (call, only_text (parameters), bus_filter_new_id (id), FALSE);
        return;
    }

    for (guint i = 0; i < G_N_ELEMENTS (actions); i++) {
        if (g_str_equal (actions[i].method, method)) {
            bus_act (call, actions[i].action, bus_filter_new_id (id), FALSE);
            return;
        }
    }
    g_assert_not_reached (); /* GDBus lets only methods of the XML through */
}

/* A BusAnswer */
static void
answer (Bus *bus, GDBusMethodInvocation *invocation)
{
    const gchar *interface = g_dbus_method_invocation_get_interface_name (invocation);
    const gchar *method = g_dbus_method_invocation_get_method_name (invocation);
    GVariant *parameters = g_dbus_method_invocation_get_parameters (invocation);
    QueueId id = id_of_path (g_dbus_method_invocation_get_object_path (invocation));
    MessageCall *message_call;
    BusCallStep step;

    if (g_str_equal (interface, BUS_MESSAGE_INTERFACE) && !g_str_equal (method, "OpenContent")) {
        act (bus, invocation, id, method, parameters);
        return;
    }

    message_call = g_new0 (MessageCall, 1);
    message_call->id = id;
    step = on_content_caller;
    if (g_str_equal (interface, BUS_PROPERTIES_INTERFACE)) {
        step = on_properties_caller;
        if (g_str_equal (method, "Get"))
            g_variant_get (parameters, "(&ss)", NULL, &message_call->property);
    }
    step (bus_call_new (bus, invocation, message_call, message_call_free));
}

static void
on_call (GDBusConnection *connection, const gchar *sender, const gchar *path, const gchar *interface,
         const gchar *method, GVariant *parameters, GDBusMethodInvocation *invocation, gpointer user_data)
{
    bus_gate_admit (user_data, invocation, TRUE, answer);
}

static gchar **
on_enumerate (GDBusConnection *connection, const gchar *sender, const gchar *path, gpointer user_data)
{
    return g_new0 (gchar *, 1);
}

static GDBusInterfaceInfo **
on_introspect (GDBusConnection *connection, const gchar *sender, const gchar *path, const gchar *node,
               gpointer user_data)
{
    GDBusInterfaceInfo **interfaces;

    if (node == NULL || queue_id_read (node) == 0)
        return NULL;

    interfaces = g_new0 (GDBusInterfaceInfo *, 2);
    interfaces[0] = (GDBusInterfaceInfo *) &org_postern_relay1_message_interface;
    return interfaces;
}

static const GDBusInterfaceVTable *
on_dispatch (GDBusConnection *connection, const gchar *sender, const gchar *path, const gchar *interface,
             const gchar *node, gpointer *out_user_data, gpointer user_data)
{
    static const GDBusInterfaceVTable message_vtable = {.method_call = on_call};

    if (node == NULL)
        return NULL;

    *out_user_data = user_data;
    return &message_vtable;
}

guint
bus_message_objects_register (Bus *bus, GError **error)
{
    static const GDBusSubtreeVTable vtable = {on_enumerate, on_introspect, on_dispatch};

    return g_dbus_connection_register_subtree (bus->connection, BUS_MESSAGE_PATH, &vtable,
                                               G_DBUS_SUBTREE_FLAGS_DISPATCH_TO_UNENUMERATED_NODES, bus, NULL, error);
}
