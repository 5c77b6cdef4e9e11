/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * postern monitor
 *
 * Events as they happen, a line each. The relay sends its signals to those only who subscribed, so this command does;
 * and it does so again when the relay comes back after a restart or a rest, since a new relay knows of no
 * subscribers.
 *
 * What a signal means is written in a table: the words for it, and which of its arguments are shown how. --json
 * prints all arguments by their names.
 */

#include <glib-unix.h>
#include <stdio.h>
#include <unistd.h>

#include "message/words.h"
#include "postern-command.h"
#include "postern-json.h"
#include "postern-style.h"
#include "postern-text.h"

typedef struct {
    CommandLine *line;
    gboolean everyone;
    GMainLoop *loop;
    ExitCode code;
    gboolean is_away; /* the relay left the bus */
} Monitor;

typedef struct {
    const gchar *signal;
    const gchar *type;
    const gchar *word; /* what is shown, and the "event" of JSON */
    Style style;
    const gchar *names[8]; /* of the arguments; those of time, next, next-probe are times */
} Event;

static const Event events[] = {
    {"MessageQueued",
     "(stxssut)",
     "queued",
     STYLE_PLAIN,
     {"id", "time", "user", "sender", "recipient", "recipients", "size"}},
    {"MessageDelivered",
     "(stssss)",
     "delivered",
     STYLE_GOOD,
     {"id", "time", "recipient", "remote", "status", "reply"}},
    {"MessageDeferred",
     "(stsssst)",
     "deferred",
     STYLE_WAITING,
     {"id", "time", "recipient", "remote", "status", "reply", "next"}},
    {"MessageBounced", "(stssss)", "bounced", STYLE_BAD, {"id", "time", "recipient", "remote", "status", "reply"}},
    {"MessageExpired", "(stssss)", "expired", STYLE_BAD, {"id", "time", "recipient", "remote", "status", "reply"}},
    {"MessageHeld", "(st)", "held", STYLE_BAD, {"id", "time"}},
    {"MessageReleased", "(st)", "released", STYLE_PLAIN, {"id", "time"}},
    {"MessageRedirected", "(sts)", "redirected", STYLE_PLAIN, {"id", "time", "recipient"}},
    {"MessageDeleted", "(st)", "deleted", STYLE_BAD, {"id", "time"}},
    {"MessageRemoved", "(st)", "removed", STYLE_FAINT, {"id", "time"}},
    {"RemoteChanged", "(sosst)", "remote", STYLE_PLAIN, {"name", "object", "state", "error", "next-probe"}},
    {"EventsLost", "(t)", "lost", STYLE_BAD, {"count"}},
};

static const Event *
find_event (const gchar *signal, GVariant *arguments)
{
    for (guint i = 0; i < G_N_ELEMENTS (events); i++) {
        if (g_str_equal (events[i].signal, signal) &&
            g_variant_is_of_type (arguments, G_VARIANT_TYPE (events[i].type)))
            return &events[i];
    }
    return NULL;
}

static GVariant *
get_argument (const Event *event, GVariant *arguments, const gchar *name)
{
    for (guint i = 0; event->names[i] != NULL; i++) {
        if (g_str_equal (event->names[i], name))
            return g_variant_get_child_value (arguments, i);
    }
    return NULL;
}

/* Returns: (transfer full): escaped; "" if the event has no such argument */
static gchar *
get_text (const Event *event, GVariant *arguments, const gchar *name)
{
    g_autoptr (GVariant) value = get_argument (event, arguments, name);

    return text_escape (value == NULL ? "" : g_variant_get_string (value, NULL));
}

static guint64
get_number (const Event *event, GVariant *arguments, const gchar *name)
{
    g_autoptr (GVariant) value = get_argument (event, arguments, name);

    if (value == NULL)
        return 0;
    return g_variant_is_of_type (value, G_VARIANT_TYPE_UINT32) ? g_variant_get_uint32 (value)
                                                               : g_variant_get_uint64 (value);
}

static gboolean
is_time (const gchar *name)
{
    return g_str_equal (name, "time") || g_str_equal (name, "next") || g_str_equal (name, "next-probe");
}

static void
add_json_argument (JsonBuilder *builder, const gchar *name, GVariant *value)
{
    if (g_str_equal (name, "object"))
        return; /* a path on the bus is of no use elsewhere */
    if (g_variant_is_of_type (value, G_VARIANT_TYPE_STRING))
        json_add_text (builder, name, g_variant_get_string (value, NULL));
    else if (g_variant_is_of_type (value, G_VARIANT_TYPE_INT64))
        json_add_user (builder, name, g_variant_get_int64 (value));
    else if (g_variant_is_of_type (value, G_VARIANT_TYPE_UINT32))
        json_add_number (builder, name, g_variant_get_uint32 (value));
    else if (is_time (name))
        json_add_time (builder, name, g_variant_get_uint64 (value));
    else
        json_add_number (builder, name, g_variant_get_uint64 (value));
}

static void
print_json (const Event *event, GVariant *arguments)
{
    g_autoptr (JsonBuilder) builder = json_builder_new ();

    json_builder_begin_object (builder);
    json_add_text (builder, "event", event->word);
    for (guint i = 0; event->names[i] != NULL; i++) {
        g_autoptr (GVariant) value = g_variant_get_child_value (arguments, i);

        add_json_argument (builder, event->names[i], value);
    }
    json_builder_end_object (builder);
    json_print_flat (builder);
    fputc ('\n', stdout);
}

static void
append_queued (GString *line, const Event *event, GVariant *arguments)
{
    g_autofree gchar *sender = get_text (event, arguments, "sender");
    g_autofree gchar *recipient = get_text (event, arguments, "recipient");
    g_autofree gchar *size = text_size (get_number (event, arguments, "size"));
    guint64 recipients = get_number (event, arguments, "recipients");

    g_string_append_printf (line, " from %s to %s", *sender == '\0' ? "<>" : sender, recipient);
    if (recipients > 1)
        g_string_append_printf (line, " +%" G_GUINT64_FORMAT, recipients - 1);
    g_string_append_printf (line, ", %s", size);
}

static void
append_result (GString *line, const Event *event, GVariant *arguments)
{
    g_autofree gchar *recipient = get_text (event, arguments, "recipient");
    g_autofree gchar *remote = get_text (event, arguments, "remote");
    g_autofree gchar *reply = get_text (event, arguments, "reply");
    guint64 next = get_number (event, arguments, "next");

    if (*recipient != '\0')
        g_string_append_printf (line, " %s", recipient);
    if (*remote != '\0')
        g_string_append_printf (line, " by %s", remote);
    if (*reply != '\0')
        g_string_append_printf (line, ": %s", message_words_behind (remote, reply));
    if (next != 0) {
        g_autofree gchar *relative = text_relative ((gint64) next, g_get_real_time ());

        g_string_append_printf (line, " (again %s)", relative);
    }
}

static void
append_remote (GString *line, const Event *event, GVariant *arguments)
{
    g_autofree gchar *name = get_text (event, arguments, "name");
    g_autofree gchar *state = get_text (event, arguments, "state");
    g_autofree gchar *error = get_text (event, arguments, "error");

    g_string_append_printf (line, " %s is %s%s%s", name, style_begin (style_of_state (state)), state, style_end ());
    if (*error != '\0')
        g_string_append_printf (line, ": %s", error);
}

static void
append_lost (GString *line, const Event *event, GVariant *arguments)
{
    g_string_append_printf (line, " %" G_GUINT64_FORMAT " events: the bus was too slow for them",
                            get_number (event, arguments, "count"));
}

static void
append_details (GString *line, const Event *event, GVariant *arguments)
{
    if (g_str_equal (event->word, "queued"))
        append_queued (line, event, arguments);
    else if (g_str_equal (event->word, "remote"))
        append_remote (line, event, arguments);
    else if (g_str_equal (event->word, "lost"))
        append_lost (line, event, arguments);
    else
        append_result (line, event, arguments);
}

/* The word of JSON is that of the bus. */
static const gchar *
word_for_people (const Event *event)
{
    return g_str_equal (event->word, "remote") ? "smarthost" : event->word;
}

static void
print_text (const Event *event, GVariant *arguments)
{
    g_autoptr (GString) line = g_string_new (NULL);
    gint64 now_usec = g_get_real_time ();
    guint64 event_usec = get_number (event, arguments, "time");
    g_autofree gchar *time = text_time (event_usec == 0 ? now_usec : (gint64) event_usec, now_usec);
    g_autofree gchar *id = get_text (event, arguments, "id");

    g_string_append_printf (line, "%s  %-13s  %s%s%s", time, id, style_begin (event->style), word_for_people (event),
                            style_end ());
    append_details (line, event, arguments);
    g_print ("%s\n", line->str);
}

static void
on_signal (GDBusConnection *connection, const gchar *sender, const gchar *path, const gchar *interface,
           const gchar *signal, GVariant *arguments, gpointer user_data)
{
    const Monitor *monitor = user_data;
    const Event *event = find_event (signal, arguments);

    if (event == NULL) /* of a newer relay */
        return;
    if (monitor->line->json)
        print_json (event, arguments);
    else
        print_text (event, arguments);
    fflush (stdout); /* whoever reads a pipe waits for the line */
}

static void
stop (Monitor *monitor, ExitCode code)
{
    monitor->code = code;
    g_main_loop_quit (monitor->loop);
}

static void
on_closed (GDBusConnection *connection, gboolean remote_peer_vanished, GError *error, gpointer user_data)
{
    g_printerr ("postern: the message bus went away\n");
    stop (user_data, EXIT_NOT_REACHABLE);
}

static GVariant *
subscribe_options (const Monitor *monitor)
{
    g_auto (GVariantBuilder) builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE_VARDICT);

    if (monitor->everyone)
        g_variant_builder_add (&builder, "{sv}", "everyone", g_variant_new_boolean (TRUE));
    return g_variant_new ("(@a{sv})", g_variant_builder_end (&builder));
}

static ExitCode
subscribe (const Monitor *monitor)
{
    g_autoptr (GError) error = NULL;
    g_autoptr (GVariant) reply =
        client_call_manager (monitor->line->client, "Subscribe", subscribe_options (monitor), "(b)", &error);
    gboolean everyone;

    if (reply == NULL)
        return client_explain (monitor->line->client, error);

    g_variant_get (reply, "(b)", &everyone);
    if (isatty (STDERR_FILENO))
        g_printerr ("Watching %s mail; Ctrl+C ends.\n", everyone ? "everyone's" : "your own");
    return EXIT_OK;
}

static void
on_appeared (GDBusConnection *connection, const gchar *name, const gchar *owner, gpointer user_data)
{
    Monitor *monitor = user_data;
    ExitCode code;

    if (!monitor->is_away)
        return;

    monitor->is_away = FALSE;
    g_printerr ("postern: the relay is back\n");
    code = subscribe (monitor);
    if (code != EXIT_OK)
        stop (monitor, code);
}

static void
on_vanished (GDBusConnection *connection, const gchar *name, gpointer user_data)
{
    Monitor *monitor = user_data;

    monitor->is_away = TRUE;
    g_printerr ("postern: the relay left the message bus; waiting for it\n");
}

static gboolean
on_interrupt (gpointer user_data)
{
    stop (user_data, EXIT_OK);
    return G_SOURCE_CONTINUE;
}

static ExitCode
run_monitor (Monitor *monitor)
{
    GDBusConnection *connection = monitor->line->client->connection;
    g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
    guint subscription =
        g_dbus_connection_signal_subscribe (connection, RELAY_NAME, RELAY_MANAGER_INTERFACE, NULL, RELAY_MANAGER_PATH,
                                            NULL, G_DBUS_SIGNAL_FLAGS_NONE, on_signal, monitor, NULL);
    guint watch;

    monitor->loop = loop;
    monitor->code = subscribe (monitor);
    if (monitor->code != EXIT_OK)
        return monitor->code;

    g_signal_connect (connection, "closed", G_CALLBACK (on_closed), monitor);
    watch = g_bus_watch_name_on_connection (connection, RELAY_NAME, G_BUS_NAME_WATCHER_FLAGS_NONE, on_appeared,
                                            on_vanished, monitor, NULL);
    g_unix_signal_add (SIGINT, on_interrupt, monitor);
    g_unix_signal_add (SIGTERM, on_interrupt, monitor);
    g_main_loop_run (loop);

    g_bus_unwatch_name (watch);
    g_dbus_connection_signal_unsubscribe (connection, subscription);
    return monitor->code;
}

ExitCode
command_monitor (int argc, char **argv, const gchar *bus)
{
    g_autoptr (CommandLine) line = command_line_new (
        "monitor", NULL, "Prints what happens to mail, as it happens, until it is interrupted.", bus);
    Monitor monitor = {.line = line};
    const GOptionEntry entries[] = {
        {"everyone", 0, 0, G_OPTION_ARG_NONE, &monitor.everyone, "Other users' mail too; may ask for a password",
         NULL},
        {NULL},
    };
    ExitCode code;

    command_line_add (line, entries, TRUE);
    if (!command_line_parse (line, argc, argv) || !command_line_has_no_words (line))
        return EXIT_USAGE;

    code = command_line_connect (line);
    return code == EXIT_OK ? run_monitor (&monitor) : code;
}
