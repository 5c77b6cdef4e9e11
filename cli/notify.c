/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * postern-notify
 *
 * Runs in a desktop's session and tells its user when mail that the user sent fails or is stuck. It watches two
 * relays, the machine's and the user's own, either of which may be missing. On a machine without a desktop its unit is not
 * started.
 */

#include <glib-unix.h>
#include <locale.h>
#include <stdlib.h>

#include "notify-popup.h"
#include "notify-relay.h"
#include "output/output.h"
#include "postern-text.h"

/* Long enough for a network to come back, or a greylisting to end, without anybody being called. */
#define STUCK_SECONDS (30 * 60)

static void
on_told (NotifyKind kind, const gchar *recipient, const gchar *reason, gpointer user_data)
{
    notify_popup_add (user_data, kind, recipient, reason);
}

static gboolean
on_signal (gpointer user_data)
{
    g_main_loop_quit (user_data);
    return G_SOURCE_CONTINUE;
}

static void
on_closed (GDBusConnection *connection, gboolean remote_peer_vanished, GError *error, gpointer user_data)
{
    g_main_loop_quit (user_data);
}

/* @system: (nullable) */
static void
watch (GDBusConnection *session, GDBusConnection *system, gint64 stuck_usec)
{
    g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
    g_autoptr (NotifyPopup) popup = notify_popup_new (session);
    g_autoptr (NotifyRelay) own = notify_relay_new (session, stuck_usec, on_told, popup);
    g_autoptr (NotifyRelay) machine = system == NULL ? NULL : notify_relay_new (system, stuck_usec, on_told, popup);

    g_unix_signal_add (SIGTERM, on_signal, loop);
    g_unix_signal_add (SIGINT, on_signal, loop);
    g_signal_connect (session, "closed", G_CALLBACK (on_closed), loop);
    g_main_loop_run (loop);
    g_signal_handlers_disconnect_by_data (session, loop);
}

/* Returns: whether it could; else it was told */
static gboolean
parse_arguments (int argc, char **argv, gint64 *stuck_usec)
{
    g_autofree gchar *stuck = NULL;
    const GOptionEntry entries[] = {
        {"stuck", 0, 0, G_OPTION_ARG_STRING, &stuck, "When a message that waits is stuck (default: 30min)", "SPAN"},
        G_OPTION_ENTRY_NULL};
    g_autoptr (GOptionContext) context = g_option_context_new (NULL);
    g_autoptr (GError) error = NULL;

    g_option_context_add_main_entries (context, entries, NULL);
    g_option_context_set_summary (context, "Shows a notification when your mail fails or is stuck.");
    if (!g_option_context_parse (context, &argc, &argv, &error)) {
        g_printerr ("postern-notify: %s\n", error->message);
        return FALSE;
    }
    if (stuck != NULL && !text_parse_span (stuck, stuck_usec)) {
        g_printerr ("postern-notify: “%s” is not a span of time, as 30min, 4h, 2d\n", stuck);
        return FALSE;
    }
    return TRUE;
}

int
main (int argc, char **argv)
{
    gint64 stuck_usec = STUCK_SECONDS * G_USEC_PER_SEC;
    g_autoptr (GDBusConnection) session = NULL;
    g_autoptr (GDBusConnection) system = NULL;
    g_autoptr (GError) error = NULL;

    setlocale (LC_ALL, "");
    output_install ();
    if (!parse_arguments (argc, argv, &stuck_usec))
        return 64; /* EX_USAGE */

    session = g_bus_get_sync (G_BUS_TYPE_SESSION, NULL, &error);
    if (session == NULL) {
        g_printerr ("postern-notify: there is no desktop: %s\n", error->message);
        return EXIT_FAILURE;
    }

    g_dbus_connection_set_exit_on_close (session, FALSE);
    system = g_bus_get_sync (G_BUS_TYPE_SYSTEM, NULL, NULL); /* there may be the user's own relay only */
    if (system != NULL)
        g_dbus_connection_set_exit_on_close (system, FALSE);
    watch (session, system, stuck_usec);
    return EXIT_SUCCESS;
}
