/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * posternd --reload
 *
 * What the unit's ExecReload= runs, so that `systemctl reload` fails where the configuration is bad. A signal has no answer, a call
 * on the bus has one. It runs as the relay's own user, to whom the relay listens without asking polkit.
 *
 * The relay is never started for it: the service manager would wait for the reload to end before it started anything. Where
 * the relay is not on the bus it gets the signal, and the journal has the outcome.
 */

#include "reload-command.h"

#include "config-value.h"

#include <gio/gio.h>
#include <signal.h>
#include <stdlib.h>
#include <sysexits.h>

#define RELAY_NAME      "org.postern.Relay1"
#define RELAY_PATH      "/org/postern/Relay1"
#define RELAY_INTERFACE "org.postern.Relay1.Manager"
#define BAD_ERROR       "org.postern.Relay1.Error.BadConfiguration"

/* A directory server that has to be asked for a user may take its time. */
#define RELOAD_MSEC (60 * 1000)

static GDBusConnection *
connect_to (const gchar *bus, GError **error)
{
    if (g_str_equal (bus, "system"))
        return g_bus_get_sync (G_BUS_TYPE_SYSTEM, NULL, error);
    if (g_str_equal (bus, "session"))
        return g_bus_get_sync (G_BUS_TYPE_SESSION, NULL, error);

    return g_dbus_connection_new_for_address_sync (
        bus, G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT | G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION, NULL,
        NULL, error);
}

static gboolean
ask (const gchar *bus, GError **error)
{
    g_autoptr (GDBusConnection) connection = connect_to (bus, error);
    g_autoptr (GVariant) reply = NULL;

    if (connection != NULL)
        reply = g_dbus_connection_call_sync (connection, RELAY_NAME, RELAY_PATH, RELAY_INTERFACE, "Reload", NULL,
                                             NULL, G_DBUS_CALL_FLAGS_NO_AUTO_START, RELOAD_MSEC, NULL, error);
    return reply != NULL;
}

/* systemd tells the relay's process to what ExecReload= runs. */
static gboolean
send_signal (void)
{
    const gchar *text = g_getenv ("MAINPID");
    guint64 pid;

    return text != NULL && config_value_number (text, &pid) && pid > 0 && pid < G_MAXINT &&
           kill ((pid_t) pid, SIGHUP) == 0;
}

static void
print_lines (const gchar *text)
{
    g_auto (GStrv) lines = g_strsplit (text, "\n", -1);

    for (guint i = 0; lines[i] != NULL; i++)
        g_printerr ("posternd: %s\n", lines[i]);
}

int
reload_command (const char *bus)
{
    g_autoptr (GError) error = NULL;
    g_autofree gchar *name = NULL;

    if (ask (bus, &error))
        return EXIT_SUCCESS;

    name = g_dbus_error_get_remote_error (error);
    g_dbus_error_strip_remote_error (error);
    if (g_strcmp0 (name, BAD_ERROR) == 0) {
        print_lines (error->message);
        return EX_CONFIG;
    }
    if (send_signal ()) {
        g_printerr ("posternd: the relay cannot be asked over the bus (%s); it reads its configuration anew, and the "
                    "journal tells whether it is good\n",
                    error->message);
        return EXIT_SUCCESS;
    }

    g_printerr ("posternd: the relay cannot be asked to read its configuration anew: %s\n", error->message);
    return EX_UNAVAILABLE;
}
