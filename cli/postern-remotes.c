/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * postern remotes
 *
 * The smarthosts, whether they are reachable and since when; and with --test, a conversation with one of them, as far
 * as it can go without sending mail.
 */

#include "postern-remotes.h"

#include <string.h>

#include "check-report.h"
#include "output/output.h"
#include "postern-command.h"
#include "postern-json.h"
#include "postern-properties.h"
#include "postern-table.h"
#include "postern-text.h"

static const TableColumn columns[] = {
    {"NAME", FALSE, 6}, {"STATE", FALSE, 0},   {"SINCE", TRUE, 0},  {"HOST", FALSE, 12},
    {"SENT", TRUE, 0},  {"DEFERRED", TRUE, 0}, {"FAILED", TRUE, 0},
};

static void
remote_free (Remote *remote)
{
    g_variant_unref (remote->properties);
    g_free (remote);
}

static Remote *
remote_new (GVariant *properties)
{
    Remote *remote = g_new0 (Remote, 1);

    remote->properties = g_variant_ref (properties);
    remote->name = properties_text (properties, "Name");
    remote->host = properties_text (properties, "Host");
    remote->port = (guint16) properties_number (properties, "Port");
    remote->state = properties_text (properties, "State");
    remote->error = properties_text (properties, "Error");
    remote->since = properties_number (properties, "Since");
    remote->next_probe = properties_number (properties, "NextProbe");
    remote->connections = properties_number (properties, "Connections");
    remote->sessions = properties_number (properties, "Sessions");
    remote->delivered = properties_number (properties, "Delivered");
    remote->deferred = properties_number (properties, "Deferred");
    remote->failed = properties_number (properties, "Failed");
    return remote;
}

GPtrArray *
remotes_load (const Client *client, GError **error)
{
    g_autoptr (GVariant) reply = client_call_manager (client, "ListRemotes", NULL, "(a(sosqss))", error);
    g_autoptr (GPtrArray) remotes = g_ptr_array_new_with_free_func ((GDestroyNotify) remote_free);
    g_autoptr (GVariantIter) rows = NULL;
    const gchar *path;

    if (reply == NULL)
        return NULL;

    g_variant_get (reply, "(a(sosqss))", &rows);
    while (g_variant_iter_next (rows, "(&s&o&sq&s&s)", NULL, &path, NULL, NULL, NULL, NULL)) {
        g_autoptr (GVariant) properties = client_get_properties (client, path, RELAY_REMOTE_INTERFACE, error);

        if (properties == NULL)
            return NULL;
        g_ptr_array_add (remotes, remote_new (properties));
    }
    return g_steal_pointer (&remotes);
}

gchar *
remote_place (const Remote *remote)
{
    g_autofree gchar *host = text_escape (remote->host);
    gboolean is_ipv6 = strchr (host, ':') != NULL;

    return g_strdup_printf (is_ipv6 ? "[%s]:%u" : "%s:%u", host, remote->port);
}

void
remotes_add_json (JsonBuilder *builder, GPtrArray *remotes)
{
    json_builder_begin_array (builder);
    for (guint i = 0; i < remotes->len; i++) {
        const Remote *remote = g_ptr_array_index (remotes, i);

        json_builder_begin_object (builder);
        json_add_text (builder, "name", remote->name);
        json_add_text (builder, "host", remote->host);
        json_add_number (builder, "port", remote->port);
        json_add_text (builder, "state", remote->state);
        json_add_text (builder, "error", remote->error);
        json_add_time (builder, "since", remote->since);
        json_add_time (builder, "next-probe", remote->next_probe);
        json_add_number (builder, "connections", remote->connections);
        json_add_number (builder, "sessions", remote->sessions);
        json_add_number (builder, "delivered", remote->delivered);
        json_add_number (builder, "deferred", remote->deferred);
        json_add_number (builder, "failed", remote->failed);
        json_builder_end_object (builder);
    }
    json_builder_end_array (builder);
}

static void
print_remotes (GPtrArray *remotes)
{
    g_autoptr (Table) table = table_new (columns, G_N_ELEMENTS (columns), output_columns ());
    gint64 now_usec = g_get_real_time ();

    for (guint i = 0; i < remotes->len; i++) {
        const Remote *remote = g_ptr_array_index (remotes, i);
        g_autofree gchar *name = text_escape (remote->name);
        g_autofree gchar *since = remote->since == 0 ? g_strdup ("-") : text_span (now_usec - (gint64) remote->since);
        g_autofree gchar *place = remote_place (remote);
        g_autofree gchar *delivered = g_strdup_printf ("%" G_GUINT64_FORMAT, remote->delivered);
        g_autofree gchar *deferred = g_strdup_printf ("%" G_GUINT64_FORMAT, remote->deferred);
        g_autofree gchar *failed = g_strdup_printf ("%" G_GUINT64_FORMAT, remote->failed);
        g_autofree gchar *error = text_escape (remote->error);
        const gchar *const cells[] = {name, remote->state, since, place, delivered, deferred, failed};

        table_add (table, cells, 1, style_of_state (remote->state), error);
    }
    table_print (table);
}

static ExitCode
list_remotes (const CommandLine *line)
{
    g_autoptr (GError) error = NULL;
    g_autoptr (GPtrArray) remotes = remotes_load (line->client, &error);

    if (remotes == NULL)
        return client_explain (line->client, error);

    if (line->json) {
        g_autoptr (JsonBuilder) builder = json_builder_new ();

        remotes_add_json (builder, remotes);
        json_print (builder);
    } else if (remotes->len == 0) {
        g_print ("There is no smarthost: " REMOTES_NONE_ADVICE ".\n");
    } else {
        print_remotes (remotes);
    }
    return EXIT_OK;
}

/* @complaint: (nullable): what is told anyhow, and not twice */
static void
print_transcript (const gchar *transcript, const gchar *complaint)
{
    g_auto (GStrv) lines = g_strsplit (transcript, "\n", -1);

    for (guint i = 0; lines[i] != NULL; i++) {
        g_autofree gchar *escaped = text_escape (g_strchomp (lines[i]));

        if (*escaped != '\0' && !check_transcript_repeats (lines[i], complaint))
            g_print ("%s\n", escaped);
    }
}

static ExitCode
tell_test (const CommandLine *line, const gchar *name, gboolean success, const gchar *transcript,
           const gchar *complaint)
{
    if (line->json) {
        g_autoptr (JsonBuilder) builder = json_builder_new ();

        json_builder_begin_object (builder);
        json_add_text (builder, "name", name);
        json_add_boolean (builder, "success", success);
        json_add_text (builder, "transcript", transcript);
        json_add_text (builder, "error", complaint);
        json_builder_end_object (builder);
        json_print (builder);
        return success ? EXIT_OK : EXIT_FAILED;
    }

    print_transcript (transcript, complaint);
    if (success) {
        g_print ("%sThe smarthost “%s” takes mail.%s\n", style_begin (STYLE_GOOD), name, style_end ());
    } else {
        g_autofree gchar *escaped = text_escape (complaint);

        g_printerr ("postern: the smarthost “%s” takes no mail: %s\n", name, escaped);
    }
    return success ? EXIT_OK : EXIT_FAILED;
}

static ExitCode
test_remote (const CommandLine *line, const gchar *name, const gchar *sender)
{
    g_autoptr (GError) error = NULL;
    g_autoptr (GVariant) found =
        client_call_manager (line->client, "GetRemote", g_variant_new ("(s)", name), "(o)", &error);
    g_autoptr (GVariant) reply = NULL;
    const gchar *path, *transcript, *complaint;
    gboolean success;

    if (found == NULL)
        return client_explain (line->client, error);

    g_variant_get (found, "(&o)", &path);
    reply = client_call (line->client, path, RELAY_REMOTE_INTERFACE, "Test",
                         g_variant_new ("(s)", sender == NULL ? "" : sender), "(bss)", &error);
    if (reply == NULL)
        return client_explain (line->client, error);

    g_variant_get (reply, "(b&s&s)", &success, &transcript, &complaint);
    return tell_test (line, name, success, transcript, complaint);
}

ExitCode
command_remotes (int argc, char **argv, const gchar *bus)
{
    g_autoptr (CommandLine) line =
        command_line_new ("remotes", NULL, "Lists the smarthosts and how they are, or tries one.", bus);
    g_autofree gchar *test = NULL;
    g_autofree gchar *sender = NULL;
    const GOptionEntry entries[] = {
        {"test", 0, 0, G_OPTION_ARG_STRING, &test, "Connect to this one, log in, and offer a sender", "NAME"},
        {"sender", 'f', 0, G_OPTION_ARG_STRING, &sender, "The sender to offer it; else the null one", "ADDRESS"},
        {NULL},
    };
    ExitCode code;

    command_line_add (line, entries, TRUE);
    if (!command_line_parse (line, argc, argv) || !command_line_has_no_words (line))
        return EXIT_USAGE;
    if (sender != NULL && test == NULL)
        return command_line_complain (line, "--sender goes with --test only");

    code = command_line_connect (line);
    if (code != EXIT_OK)
        return code;
    return test == NULL ? list_remotes (line) : test_remote (line, test, sender);
}
