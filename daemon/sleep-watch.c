/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Watching for the end of sleep
 *
 * A machine that wakes has a clock that has jumped, connections whose other ends have long gone, and often another
 * network than before. logind tells of it by PrepareForSleep (false) on the system bus.
 */

#include "sleep-watch.h"

#include "system-bus.h"

struct _SleepWatch {
    void (*woke) (void *user_data);
    void *user_data;
    SystemBus *bus;
    GDBusConnection *connection; /* (nullable) */
    guint subscription;
};

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
on_connected (GDBusConnection *connection, gpointer user_data)
{
    SleepWatch *self = user_data;

    self->connection = g_object_ref (connection);
    self->subscription = g_dbus_connection_signal_subscribe (
        connection, "org.freedesktop.login1", "org.freedesktop.login1.Manager", "PrepareForSleep",
        "/org/freedesktop/login1", NULL, G_DBUS_SIGNAL_FLAGS_NONE, on_prepare_for_sleep, self, NULL);
}

static void
unsubscribe (SleepWatch *self)
{
    if (self->connection == NULL)
        return;

    g_dbus_connection_signal_unsubscribe (self->connection, self->subscription);
    g_clear_object (&self->connection);
}

static void
on_missing (GDBusConnection *connection, gpointer user_data)
{
    unsubscribe (user_data);
}

SleepWatch *
sleep_watch_new (const char *bus, void (*woke) (void *user_data), void *user_data)
{
    const SystemBusListener listener = {.connected = on_connected, .missing = on_missing};
    SleepWatch *self = g_new0 (SleepWatch, 1);

    self->woke = woke;
    self->user_data = user_data;
    self->bus = system_bus_new (bus, &listener, self);
    return self;
}

void
sleep_watch_free (SleepWatch *self)
{
    unsubscribe (self);
    system_bus_free (self->bus);
    g_free (self);
}
