/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Watching for the end of sleep
 *
 * A machine that wakes has a clock that has jumped, connections whose other ends have long gone, and often another
 * network than before. logind tells of it by PrepareForSleep (false) on the system bus.
 *
 * The watch has a connection of its own: what people steer the relay by may be another bus, and a relay that lives in
 * somebody's session wants to know of sleep too. All is done in the background. A bus that is not there is looked
 * for again now and then, because the relay may start before it, and nobody is told: it is a convenience.
 */

#include "sleep-watch.h"

#include <gio/gio.h>

/* Between two looks for the bus. */
#define RETRY_SECONDS 60

struct _SleepWatch {
    gchar *bus;
    void (*woke) (void *user_data);
    void *user_data;
    GCancellable *connecting;
    GDBusConnection *connection; /* (nullable) */
    gulong closed;
    guint subscription;
    guint retry; /* source id, 0: none */
};

static void connect_bus (SleepWatch *self);

static gboolean
on_retry (gpointer user_data)
{
    SleepWatch *self = user_data;

    self->retry = 0;
    connect_bus (self);
    return G_SOURCE_REMOVE;
}

static void
try_later (SleepWatch *self)
{
    if (self->retry == 0)
        self->retry = g_timeout_add_seconds (RETRY_SECONDS, on_retry, self);
}

static void
disconnect_bus (SleepWatch *self)
{
    if (self->connection == NULL)
        return;

    g_dbus_connection_signal_unsubscribe (self->connection, self->subscription);
    g_clear_signal_handler (&self->closed, self->connection);
    g_clear_object (&self->connection);
}

static void
on_closed (GDBusConnection *connection, gboolean vanished, GError *error, gpointer user_data)
{
    SleepWatch *self = user_data;

    disconnect_bus (self);
    try_later (self);
}

static void
on_prepare_for_sleep (GDBusConnection *connection, const gchar *sender, const gchar *path, const gchar *interface,
                      const gchar *signal, GVariant *parameters, gpointer user_data)
{
    SleepWatch *self = user_data;
    gboolean goes_to_sleep;

    if (!g_variant_is_of_type (parameters, G_VARIANT_TYPE ("(b)")))
        return;

    g_variant_get (parameters, "(b)", &goes_to_sleep);
    if (!goes_to_sleep)
        self->woke (self->user_data);
}

static void
on_connected (GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr (GError) error = NULL;
    GDBusConnection *connection = g_dbus_connection_new_for_address_finish (result, &error);
    SleepWatch *self = user_data;

    /* Then the watch is no more. */
    if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        return;
    if (connection == NULL) {
        try_later (self);
        return;
    }

    self->connection = connection;
    self->closed = g_signal_connect (connection, "closed", G_CALLBACK (on_closed), self);
    self->subscription = g_dbus_connection_signal_subscribe (
        connection, "org.freedesktop.login1", "org.freedesktop.login1.Manager", "PrepareForSleep",
        "/org/freedesktop/login1", NULL, G_DBUS_SIGNAL_FLAGS_NONE, on_prepare_for_sleep, self, NULL);
}

static void
connect_bus (SleepWatch *self)
{
    gboolean named = g_str_equal (self->bus, "system") || g_str_equal (self->bus, "session");
    g_autofree gchar *address =
        named ? g_dbus_address_get_for_bus_sync (G_BUS_TYPE_SYSTEM, NULL, NULL) : g_strdup (self->bus);

    if (address == NULL) {
        try_later (self);
        return;
    }

    g_dbus_connection_new_for_address (
        address, G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT | G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION, NULL,
        self->connecting, on_connected, self);
}

SleepWatch *
sleep_watch_new (const char *bus, void (*woke) (void *user_data), void *user_data)
{
    SleepWatch *self = g_new0 (SleepWatch, 1);

    self->bus = g_strdup (bus);
    self->woke = woke;
    self->user_data = user_data;
    self->connecting = g_cancellable_new ();
    connect_bus (self);
    return self;
}

void
sleep_watch_free (SleepWatch *self)
{
    g_cancellable_cancel (self->connecting);
    g_object_unref (self->connecting);
    g_clear_handle_id (&self->retry, g_source_remove);
    disconnect_bus (self);
    g_free (self->bus);
    g_free (self);
}
