/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * postern list
 *
 * The queue, oldest first: rows are printed while the next come, so that a million messages take no memory here
 * either.
 */

#include <stdio.h>

#include "output/output.h"
#include "postern-command.h"
#include "postern-filter.h"
#include "postern-id.h"
#include "postern-json.h"
#include "postern-rows.h"
#include "postern-table.h"
#include "postern-text.h"

/* As many rows are printed at a time; the widths of the table are those of the first of these pages. */
#define PAGE_ROWS 1000

typedef struct {
    CommandLine *line;
    FilterOptions filter;
    gint limit; /* 0: no */
    gboolean ids_only;

    Table *table;
    GString *out; /* of the page that is being printed, beside the table */
    gint64 now_usec;
    guint64 count;
    guint64 bytes;
} List;

static const TableColumn columns[] = {
    {"ID", FALSE, 0},   {"STATE", FALSE, 0}, {"AGE", TRUE, 0}, {"SIZE", TRUE, 0},
    {"NEXT", FALSE, 0}, {"FROM", FALSE, 6},  {"TO", FALSE, 6},
};

static gchar *
next_text (const Row *row, gint64 now_usec)
{
    if (g_str_equal (row->state, "held"))
        return g_strdup ("-");
    if (g_str_equal (row->state, "delivering") || row->next <= (guint64) now_usec)
        return g_strdup ("now");
    return text_relative ((gint64) row->next, now_usec);
}

static gchar *
recipient_text (const Row *row)
{
    g_autofree gchar *escaped = text_escape (row->recipient);

    if (row->pending <= 1)
        return g_steal_pointer (&escaped);
    return g_strdup_printf ("%s +%u", escaped, row->pending - 1);
}

static void
add_to_table (List *list, const Row *row)
{
    g_autofree gchar *age = text_span (list->now_usec - (gint64) row->arrived);
    g_autofree gchar *size = text_size (row->size);
    g_autofree gchar *next = next_text (row, list->now_usec);
    g_autofree gchar *sender = *row->sender == '\0' ? g_strdup ("<>") : text_escape (row->sender);
    g_autofree gchar *recipient = recipient_text (row);
    g_autofree gchar *reason = text_escape (row->reason);
    const gchar *const cells[] = {row->id, row->state, age, size, next, sender, recipient};

    table_add (list->table, cells, 1, style_of_state (row->state), reason);
}

static void
print_json_row (const Row *row)
{
    g_autoptr (JsonBuilder) builder = json_builder_new ();

    json_builder_begin_object (builder);
    json_add_text (builder, "id", row->id);
    json_add_text (builder, "state", row->state);
    json_add_user (builder, "user", row->user);
    json_builder_set_member_name (builder, "sender"); /* "" is an address, the null one */
    json_builder_add_string_value (builder, row->sender);
    json_add_text (builder, "recipient", row->recipient);
    json_add_number (builder, "recipients", row->recipients);
    json_add_number (builder, "pending", row->pending);
    json_add_number (builder, "size", row->size);
    json_add_time (builder, "arrived", row->arrived);
    json_add_time (builder, "next", row->next);
    json_add_number (builder, "attempts", row->attempts);
    json_add_text (builder, "reason", row->reason);
    json_builder_end_object (builder);
    json_print_flat (builder);
}

static void
print_row (List *list, const Row *row)
{
    list->bytes += row->size;
    list->count++;
    if (list->line->json) {
        fputs (list->count == 1 ? "[\n" : ",\n", stdout);
        print_json_row (row);
    } else if (list->ids_only) {
        g_string_append (list->out, row->id);
        g_string_append_c (list->out, '\n');
    } else {
        add_to_table (list, row);
    }
}

static void
print_page (List *list)
{
    if (list->count > 0 && !list->line->json && !list->ids_only)
        table_print (list->table);
    g_print ("%s", list->out->str);
    g_string_truncate (list->out, 0);
}

/* Prints all rows. Returns: FALSE with an error */
static gboolean
print_rows (List *list, Rows *rows, GError **error)
{
    GError *broken = NULL;
    Row row;

    while ((list->limit == 0 || list->count < (guint64) list->limit) && rows_next (rows, &row, &broken)) {
        print_row (list, &row);
        if (list->count % PAGE_ROWS == 0)
            print_page (list);
    }
    print_page (list);

    if (broken != NULL)
        g_propagate_error (error, broken);
    return broken == NULL;
}

static guint64
queue_length (const Client *client)
{
    g_autoptr (GVariant) properties =
        client_get_properties (client, RELAY_MANAGER_PATH, RELAY_MANAGER_INTERFACE, NULL);
    guint64 length = 0;

    if (properties != NULL)
        g_variant_lookup (properties, "QueueLength", "t", &length);
    return length;
}

/* The rows are the caller's own where polkit does not give more; then an empty list is not an empty queue. */
static ExitCode
tell_none (const List *list)
{
    guint64 others;

    if (filter_options_choose (&list->filter, list->line)) {
        g_print ("No message in the queue matches.\n");
        return EXIT_NOT_FOUND;
    }

    others = queue_length (list->line->client);
    if (others == 0)
        g_print ("The queue is empty.\n");
    else
        g_print ("None of your mail is in the queue; %" G_GUINT64_FORMAT " of other users (see --everyone).\n",
                 others);
    return EXIT_OK;
}

static ExitCode
finish (const List *list)
{
    g_autofree gchar *size = text_size (list->bytes);

    if (list->line->json) {
        fputs (list->count == 0 ? "[]\n" : "\n]\n", stdout);
        return list->count == 0 && filter_options_choose (&list->filter, list->line) ? EXIT_NOT_FOUND : EXIT_OK;
    }
    if (list->ids_only)
        return list->count == 0 && filter_options_choose (&list->filter, list->line) ? EXIT_NOT_FOUND : EXIT_OK;
    if (list->count == 0)
        return tell_none (list);

    g_print ("%s%" G_GUINT64_FORMAT " message%s, %s%s\n", style_begin (STYLE_FAINT), list->count,
             list->count == 1 ? "" : "s", size, style_end ());
    return EXIT_OK;
}

static ExitCode
run_list (List *list)
{
    g_autoptr (GError) error = NULL;
    g_autoptr (Rows) rows = NULL;
    ExitCode code = ids_complete (list->line, list->filter.everyone);

    if (code != EXIT_OK)
        return code;

    rows = rows_open (list->line->client, filter_options_build (&list->filter, list->line), &error);

    if (rows == NULL || !print_rows (list, rows, &error))
        return client_explain (list->line->client, error);

    return finish (list);
}

static ExitCode
parse_and_run (List *list, int argc, char **argv)
{
    ExitCode code;

    if (!command_line_parse (list->line, argc, argv))
        return EXIT_USAGE;
    if (list->limit < 0)
        return command_line_complain (list->line, "--limit must not be negative");

    if (!filter_options_read (&list->filter, list->line))
        return EXIT_USAGE;

    code = command_line_connect (list->line);
    return code == EXIT_OK ? run_list (list) : code;
}

ExitCode
command_list (int argc, char **argv, const gchar *bus)
{
    g_autoptr (CommandLine) line = command_line_new (
        "list", "[ID…]", "Lists the messages that wait in the queue, oldest first, and why they wait.", bus);
    g_autoptr (Table) table = table_new (columns, G_N_ELEMENTS (columns), output_columns ());
    g_autoptr (GString) out = g_string_new (NULL);
    List list = {.line = line, .table = table, .out = out, .now_usec = g_get_real_time ()};
    const GOptionEntry entries[] = {
        {"limit", 'n', 0, G_OPTION_ARG_INT, &list.limit, "Not more than this many", "COUNT"},
        {"ids", 'q', 0, G_OPTION_ARG_NONE, &list.ids_only, "Print the ids only, one a line", NULL},
        {NULL},
    };
    ExitCode code;

    filter_options_add (&list.filter, line);
    command_line_add (line, entries, TRUE);
    code = parse_and_run (&list, argc, argv);
    filter_options_clear (&list.filter);
    return code;
}
