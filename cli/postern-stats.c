/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * postern stats
 *
 * The relay's counters, since it started. A number that this command has no words for, from a newer relay, is still
 * printed, by its name.
 */

#include <string.h>

#include "postern-command.h"
#include "postern-json.h"
#include "postern-style.h"
#include "postern-text.h"

typedef enum { NUMBER, BYTES, TIME } Kind;

static const struct {
    const gchar *key;
    const gchar *words;
    Kind kind;
} known[] = {
    {"started", "started", TIME},
    {"accepted", "messages accepted", NUMBER},
    {"removed", "messages done with", NUMBER},
    {"deleted", "messages deleted", NUMBER},
    {"delivered", "recipients delivered", NUMBER},
    {"bounced", "recipients bounced", NUMBER},
    {"expired", "recipients expired", NUMBER},
    {"attempts-deferred", "attempts put off", NUMBER},
    {"sessions", "connections made to smarthosts", NUMBER},
    {"connections", "connections open now", NUMBER},
    {"messages", "messages in the queue", NUMBER},
    {"queued", "of them not tried yet", NUMBER},
    {"delivering", "of them being delivered", NUMBER},
    {"deferred", "of them deferred", NUMBER},
    {"held", "of them held", NUMBER},
    {"bytes", "size of their content", BYTES},
    {"oldest", "oldest of them arrived", TIME},
    {"disk-bytes", "size of the queue on disk", BYTES},
    {"subscribers", "watchers of events", NUMBER},
};

static gboolean
read_number (GVariant *value, guint64 *number)
{
    if (g_variant_is_of_type (value, G_VARIANT_TYPE_UINT64))
        *number = g_variant_get_uint64 (value);
    else if (g_variant_is_of_type (value, G_VARIANT_TYPE_UINT32))
        *number = g_variant_get_uint32 (value);
    else
        return FALSE;
    return TRUE;
}

static gchar *
format_number (guint64 number, Kind kind)
{
    switch (kind) {
    case NUMBER:
        return g_strdup_printf ("%" G_GUINT64_FORMAT, number);
    case BYTES:
        return text_size (number);
    case TIME:
        return number == 0 ? g_strdup ("none") : text_relative ((gint64) number, g_get_real_time ());
    }
    g_return_val_if_reached (NULL);
}

static void
print_line (const gchar *words, guint64 number, Kind kind)
{
    g_autofree gchar *value = format_number (number, kind);

    g_print ("%12s  %s\n", value, words);
}

static gboolean
is_known (const gchar *key)
{
    for (guint i = 0; i < G_N_ELEMENTS (known); i++) {
        if (g_str_equal (known[i].key, key))
            return TRUE;
    }
    return FALSE;
}

static void
print_statistics (GVariant *statistics)
{
    GVariantIter iter;
    const gchar *key;
    GVariant *value;
    guint64 number;

    for (guint i = 0; i < G_N_ELEMENTS (known); i++) {
        g_autoptr (GVariant) found = g_variant_lookup_value (statistics, known[i].key, NULL);

        if (found != NULL && read_number (found, &number))
            print_line (known[i].words, number, known[i].kind);
    }

    g_variant_iter_init (&iter, statistics);
    while (g_variant_iter_loop (&iter, "{&sv}", &key, &value)) {
        if (!is_known (key) && read_number (value, &number))
            print_line (key, number, NUMBER);
    }
}

static gboolean
is_time (const gchar *key)
{
    for (guint i = 0; i < G_N_ELEMENTS (known); i++) {
        if (g_str_equal (known[i].key, key))
            return known[i].kind == TIME;
    }
    return FALSE;
}

static void
print_json (GVariant *statistics)
{
    g_autoptr (JsonBuilder) builder = json_builder_new ();
    GVariantIter iter;
    const gchar *key;
    GVariant *value;
    guint64 number;

    json_builder_begin_object (builder);
    g_variant_iter_init (&iter, statistics);
    while (g_variant_iter_loop (&iter, "{&sv}", &key, &value)) {
        if (!read_number (value, &number))
            continue;
        if (is_time (key))
            json_add_time (builder, key, number);
        else
            json_add_number (builder, key, number);
    }
    json_builder_end_object (builder);
    json_print (builder);
}

ExitCode
command_stats (int argc, char **argv, const gchar *bus)
{
    g_autoptr (CommandLine) line =
        command_line_new ("stats", NULL, "Prints the relay's counters since it started.", bus);
    g_autoptr (GVariant) reply = NULL;
    g_autoptr (GVariant) statistics = NULL;
    g_autoptr (GError) error = NULL;
    ExitCode code;

    command_line_add (line, NULL, TRUE);
    if (!command_line_parse (line, argc, argv) || !command_line_has_no_words (line))
        return EXIT_USAGE;

    code = command_line_connect (line);
    if (code != EXIT_OK)
        return code;

    reply = client_call_manager (line->client, "GetStatistics", NULL, "(a{sv})", &error);
    if (reply == NULL)
        return client_explain (line->client, error);

    statistics = g_variant_get_child_value (reply, 0);
    if (line->json)
        print_json (statistics);
    else
        print_statistics (statistics);
    return EXIT_OK;
}
