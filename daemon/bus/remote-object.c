/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Objects of remotes
 *
 * Like those of messages, they are made on demand from what the delivery knows. There are few, and they are no
 * secret: which smarthosts a machine has, and whether they are reachable, is what every user needs to know to
 * understand a delay. Testing one makes a connection and logs in, so that needs authorization.
 */

#include "bus/remote-object.h"

#include <string.h>

#include "bus/call.h"
#include "bus/gate.h"
#include "bus/variant.h"
#include "dbus/relay-interface.h"
#include "message/address.h"

typedef struct {
    gchar *name;
    gchar *sender;
} Test;

gchar *
bus_remote_object_path (const gchar *name)
{
    GString *path = g_string_new (BUS_REMOTE_PATH "/");

    if (*name == '\0')
        g_string_append_c (path, '_'); /* a path has no empty element */
    for (const gchar *c = name; *c != '\0'; c++) {
        if (g_ascii_isalnum (*c))
            g_string_append_c (path, *c);
        else
            g_string_append_printf (path, "_%02x", (guchar) *c);
    }
    return g_string_free (path, FALSE);
}

gboolean
bus_remote_find (Bus *bus, const gchar *name, DeliveryRemoteInfo *remote)
{
    g_autoptr (GArray) remotes = delivery_remotes (bus->delivery);

    for (guint i = 0; i < remotes->len; i++) {
        *remote = g_array_index (remotes, DeliveryRemoteInfo, i);
        if (g_str_equal (remote->name, name))
            return TRUE;
    }
    return FALSE;
}

static gboolean
find_by_path (Bus *bus, const gchar *path, DeliveryRemoteInfo *remote)
{
    g_autoptr (GArray) remotes = delivery_remotes (bus->delivery);

    for (guint i = 0; i < remotes->len; i++) {
        g_autofree gchar *own = NULL;

        *remote = g_array_index (remotes, DeliveryRemoteInfo, i);
        own = bus_remote_object_path (remote->name);
        if (g_str_equal (own, path))
            return TRUE;
    }
    return FALSE;
}

static GVariant *
get_name (const DeliveryRemoteInfo *remote)
{
    return bus_variant_text (remote->name);
}

static GVariant *
get_host (const DeliveryRemoteInfo *remote)
{
    return bus_variant_text (remote->host);
}

static GVariant *
get_port (const DeliveryRemoteInfo *remote)
{
    return g_variant_new_uint16 (remote->port);
}

static GVariant *
get_state (const DeliveryRemoteInfo *remote)
{
    return g_variant_new_string (delivery_remote_state_name (remote->state));
}

static GVariant *
get_error (const DeliveryRemoteInfo *remote)
{
    return bus_variant_text (remote->error);
}

static GVariant *
get_since (const DeliveryRemoteInfo *remote)
{
    return bus_variant_time (remote->since_usec);
}

static GVariant *
get_next_probe (const DeliveryRemoteInfo *remote)
{
    return bus_variant_time (remote->next_probe_usec);
}

static GVariant *
get_connections (const DeliveryRemoteInfo *remote)
{
    return g_variant_new_uint32 (remote->connections);
}

static GVariant *
get_sessions (const DeliveryRemoteInfo *remote)
{
    return g_variant_new_uint64 (remote->sessions);
}

static GVariant *
get_delivered (const DeliveryRemoteInfo *remote)
{
    return g_variant_new_uint64 (remote->delivered);
}

static GVariant *
get_deferred (const DeliveryRemoteInfo *remote)
{
    return g_variant_new_uint64 (remote->deferred);
}

static GVariant *
get_failed (const DeliveryRemoteInfo *remote)
{
    return g_variant_new_uint64 (remote->failed);
}

static const struct {
    const gchar *name;
    GVariant *(*get) (const DeliveryRemoteInfo *remote);
    gboolean is_told; /* in PropertiesChanged */
} properties[] = {
    {"Name", get_name, FALSE},
    {"Host", get_host, TRUE},
    {"Port", get_port, TRUE},
    {"State", get_state, TRUE},
    {"Error", get_error, TRUE},
    {"Since", get_since, TRUE},
    {"NextProbe", get_next_probe, TRUE},
    {"Connections", get_connections, FALSE},
    {"Sessions", get_sessions, FALSE},
    {"Delivered", get_delivered, FALSE},
    {"Deferred", get_deferred, FALSE},
    {"Failed", get_failed, FALSE},
};

static GVariant *
on_get (GDBusConnection *connection, const gchar *sender, const gchar *path, const gchar *interface,
        const gchar *name, GError **error, gpointer user_data)
{
    Bus *bus = user_data;
    DeliveryRemoteInfo remote;

    bus_touch (bus);
    if (!find_by_path (bus, path, &remote)) {
        g_set_error_literal (error, BUS_ERROR, BUS_ERROR_NO_SUCH_REMOTE, "the remote is not configured any more");
        return NULL;
    }

    for (guint i = 0; i < G_N_ELEMENTS (properties); i++) {
        if (g_str_equal (properties[i].name, name))
            return properties[i].get (&remote);
    }
    g_return_val_if_reached (NULL); /* GDBus lets only properties of the XML through */
}

static void
test_free (gpointer data)
{
    Test *test = data;

    g_free (test->name);
    g_free (test->sender);
    g_free (test);
}

static void
on_tested (const gchar *transcript, const GError *error, gpointer user_data)
{
    GVariant *fields[] = {
        g_variant_new_boolean (error == NULL),
        bus_variant_text (transcript),
        bus_variant_text (error == NULL ? NULL : error->message),
    };

    bus_call_return (user_data, g_variant_new_tuple (fields, G_N_ELEMENTS (fields)));
}

static void
run_test (BusCall *call)
{
    const Test *test = call->data;

    if (!delivery_test (call->bus->delivery, test->name, test->sender, on_tested, call))
        bus_call_refuse (call, BUS_ERROR_NO_SUCH_REMOTE, "there is no remote “%s”", test->name);
}

static void
on_test_caller (BusCall *call)
{
    bus_call_require (call, BUS_ACTION_MANAGE, run_test);
}

/* A BusAnswer. Test is the only method. */
static void
answer (Bus *bus, GDBusMethodInvocation *invocation)
{
    DeliveryRemoteInfo remote;
    g_autofree gchar *text = NULL;
    g_autoptr (GError) error = NULL;
    Test *test;
    BusCall *call;

    test = g_new0 (Test, 1);
    call = bus_call_new (bus, invocation, test, test_free);

    if (!find_by_path (bus, g_dbus_method_invocation_get_object_path (invocation), &remote)) {
        bus_call_refuse (call, BUS_ERROR_NO_SUCH_REMOTE, "the remote is not configured any more");
        return;
    }

    g_variant_get (g_dbus_method_invocation_get_parameters (invocation), "(s)", &text);
    test->name = g_strdup (remote.name);
    test->sender = *text == '\0' ? g_strdup ("") : message_address_parse (text, MESSAGE_PATH_UTF8, &error);
    if (test->sender == NULL)
        bus_call_refuse (call, BUS_ERROR_INVALID_ARGUMENT, "the sender is no address: %s", error->message);
    else
        on_test_caller (call);
}

static void
on_call (GDBusConnection *connection, const gchar *sender, const gchar *path, const gchar *interface,
         const gchar *method, GVariant *parameters, GDBusMethodInvocation *invocation, gpointer user_data)
{
    bus_gate_admit (user_data, invocation, FALSE, answer);
}

static const GDBusInterfaceVTable remote_vtable = {.method_call = on_call, .get_property = on_get};

static gchar **
on_enumerate (GDBusConnection *connection, const gchar *sender, const gchar *path, gpointer user_data)
{
    Bus *bus = user_data;
    g_autoptr (GArray) remotes = delivery_remotes (bus->delivery);
    gchar **nodes = g_new0 (gchar *, remotes->len + 1);

    for (guint i = 0; i < remotes->len; i++) {
        g_autofree gchar *own = bus_remote_object_path (g_array_index (remotes, DeliveryRemoteInfo, i).name);

        nodes[i] = g_strdup (own + strlen (BUS_REMOTE_PATH "/"));
    }
    return nodes;
}

static GDBusInterfaceInfo **
on_introspect (GDBusConnection *connection, const gchar *sender, const gchar *path, const gchar *node,
               gpointer user_data)
{
    GDBusInterfaceInfo **interfaces;

    if (node == NULL)
        return NULL;

    interfaces = g_new0 (GDBusInterfaceInfo *, 2);
    interfaces[0] = (GDBusInterfaceInfo *) &org_postern_relay1_remote_interface;
    return interfaces;
}

static const GDBusInterfaceVTable *
on_dispatch (GDBusConnection *connection, const gchar *sender, const gchar *path, const gchar *interface,
             const gchar *node, gpointer *out_user_data, gpointer user_data)
{
    if (node == NULL)
        return NULL;

    *out_user_data = user_data;
    return &remote_vtable;
}

guint
bus_remote_objects_register (Bus *bus, GError **error)
{
    static const GDBusSubtreeVTable vtable = {on_enumerate, on_introspect, on_dispatch};

    return g_dbus_connection_register_subtree (bus->connection, BUS_REMOTE_PATH, &vtable, G_DBUS_SUBTREE_FLAGS_NONE,
                                               bus, NULL, error);
}

void
bus_remote_object_changed (Bus *bus, const DeliveryRemoteInfo *remote)
{
    g_autofree gchar *path = bus_remote_object_path (remote->name);
    GVariantBuilder changed;

    g_variant_builder_init (&changed, G_VARIANT_TYPE_VARDICT);
    for (guint i = 0; i < G_N_ELEMENTS (properties); i++) {
        if (properties[i].is_told)
            g_variant_builder_add (&changed, "{sv}", properties[i].name, properties[i].get (remote));
    }
    g_dbus_connection_emit_signal (bus->connection, NULL, path, BUS_PROPERTIES_INTERFACE, "PropertiesChanged",
                                   g_variant_new ("(sa{sv}as)", BUS_REMOTE_INTERFACE, &changed, NULL), NULL);
}
