/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The system bus
 *
 * What people steer the relay by may be another bus, and a relay that lives in somebody's session wants to know too what goes
 * on with the machine; so this connection is apart from that one. All is done in the background. A bus that is not there is
 * looked for again now and then, because the relay may start before it, and nobody is told: what is heard by it is a
 * convenience.
 */

#include "system-bus.h"

/* Between two looks for the bus. */
#define RETRY_SECONDS 60

struct _SystemBus {
    gchar *bus;
    SystemBusListener listener;
    gpointer user_data;
    GCancellable *connecting;
    GDBusConnection *connection; /* (nullable) */
    gulong closed;
    guint retry; /* source id, 0: none */
};

static void connect_bus (SystemBus *self);

static gboolean
on_retry (gpointer user_data)
{
    SystemBus *self = user_data;

    self->retry = 0;
    connect_bus (self);
    return G_SOURCE_REMOVE;
}

static void
try_later (SystemBus *self)
{
    self->retry = g_timeout_add_seconds (RETRY_SECONDS, on_retry, self);
    self->listener.missing (self->connection, self->user_data);
}

static void
drop_connection (SystemBus *self)
{
    if (self->connection == NULL)
        return;

    g_clear_signal_handler (&self->closed, self->connection);
    g_clear_object (&self->connection);
}

static void
on_closed (GDBusConnection *connection, gboolean vanished, GError *error, gpointer user_data)
{
    SystemBus *self = user_data;

    try_later (self);
    drop_connection (self);
}

static void
on_connected (GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr (GError) error = NULL;
    GDBusConnection *connection = g_dbus_connection_new_for_address_finish (result, &error);
    SystemBus *self = user_data;

    /* Then this is freed. */
    if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        return;
    if (connection == NULL) {
        try_later (self);
        return;
    }

    self->connection = connection;
    self->closed = g_signal_connect (connection, "closed", G_CALLBACK (on_closed), self);
    self->listener.connected (connection, self->user_data);
}

static gchar *
find_address (const SystemBus *self)
{
    if (!g_str_equal (self->bus, "system") && !g_str_equal (self->bus, "session"))
        return g_strdup (self->bus);

    /* Looks at the environment, and nowhere else. */
    return g_dbus_address_get_for_bus_sync (G_BUS_TYPE_SYSTEM, NULL, NULL);
}

static void
connect_bus (SystemBus *self)
{
    g_autofree gchar *address = find_address (self);

    g_dbus_connection_new_for_address (
        address, G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT | G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION, NULL,
        self->connecting, on_connected, self);
}

SystemBus *
system_bus_new (const gchar *bus, const SystemBusListener *listener, gpointer user_data)
{
    SystemBus *self = g_new0 (SystemBus, 1);

    self->bus = g_strdup (bus);
    self->listener = *listener;
    self->user_data = user_data;
    self->connecting = g_cancellable_new ();
    connect_bus (self);
    return self;
}

void
system_bus_free (SystemBus *self)
{
    g_cancellable_cancel (self->connecting);
    g_object_unref (self->connecting);
    g_clear_handle_id (&self->retry, g_source_remove);
    drop_connection (self);
    g_free (self->bus);
    g_free (self);
}
