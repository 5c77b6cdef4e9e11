/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "cli/postern-table.h"

#include <locale.h>
#include <string.h>

#include "cli/postern-text.h"
#include "output/width.h"

static const TableColumn columns[] = {{"ID", FALSE, 0}, {"SIZE", TRUE, 0}, {"FROM", FALSE, 6}, {"TO", FALSE, 6}};

/* What g_print () said; its handler has no data of its own. */
static GString *printed;

static void
on_print (const gchar *text)
{
    g_string_append (printed, text);
}

static void
add (Table *table, const gchar *id, const gchar *size, const gchar *from, const gchar *to, const gchar *note)
{
    const gchar *const cells[] = {id, size, from, to};

    table_add (table, cells, 0, STYLE_BAD, note);
}

static gchar *
print (Table *table)
{
    GPrintFunc before = g_set_print_handler (on_print);

    printed = g_string_new (NULL);
    table_print (table);
    g_set_print_handler (before);
    return g_string_free (printed, FALSE);
}

static void
test_columns_are_as_wide_as_their_cells (void)
{
    g_autoptr (Table) table = table_new (columns, G_N_ELEMENTS (columns), 0);
    g_autofree gchar *text = NULL;

    add (table, "a1", "1.2 K", "alice@example.org", "bob@example.net", NULL);
    add (table, "b22", "5 B", "<>", "例え@example.net", NULL);
    text = print (table);
    g_assert_cmpstr (text, ==,
                     "ID    SIZE  FROM               TO\n"
                     "a1   1.2 K  alice@example.org  bob@example.net\n"
                     "b22    5 B  <>                 例え@example.net\n");
}

static void
test_widest_cells_are_cut_to_the_terminal (void)
{
    g_autoptr (Table) table = table_new (columns, G_N_ELEMENTS (columns), 30);
    g_autofree gchar *text = NULL;
    g_auto (GStrv) lines = NULL;

    add (table, "a1", "1.2 K", "alice@example.org", "bob@x.net", NULL);
    text = print (table);
    g_assert_cmpstr (text, ==,
                     "ID   SIZE  FROM      TO\n"
                     "a1  1.2 K  alice@e…  bob@x.net\n");
    lines = g_strsplit (text, "\n", -1);
    g_assert_cmpuint (width_of_text (lines[1]), ==, 30);
}

static void
test_no_line_is_wider_than_the_terminal (void)
{
    for (guint width = 26; width < 90; width++) {
        g_autoptr (Table) table = table_new (columns, G_N_ELEMENTS (columns), width);
        g_autofree gchar *text = NULL;
        g_auto (GStrv) lines = NULL;

        add (table, "a1", "1.2 K", "somebody.long@sub.例え.example.org", "another.person@very.long.example.net",
             "a reason that is longer than every terminal is wide, so that it has to be cut somewhere in its words");
        text = print (table);
        lines = g_strsplit (text, "\n", -1);
        for (guint i = 0; lines[i] != NULL; i++)
            g_assert_cmpuint (width_of_text (lines[i]), <=, width);
    }
}

static void
test_columns_of_no_least_width_are_never_cut (void)
{
    g_autoptr (Table) table = table_new (columns, G_N_ELEMENTS (columns), 10);
    g_autofree gchar *text = NULL;

    add (table, "0123456789abc", "1.2 K", "alice@example.org", "bob@example.net", NULL);
    text = print (table);
    g_assert_nonnull (strstr (text, "0123456789abc  1.2 K  alice…  bob@e…\n"));
}

static void
test_note_stands_below_its_row (void)
{
    g_autoptr (Table) table = table_new (columns, G_N_ELEMENTS (columns), 0);
    g_autofree gchar *text = NULL;

    add (table, "a1", "5 B", "x@y.z", "z@y.x", "451 4.7.1 come later");
    add (table, "b2", "5 B", "x@y.z", "z@y.x", "");
    text = print (table);
    g_assert_cmpstr (text, ==,
                     "ID  SIZE  FROM   TO\n"
                     "a1   5 B  x@y.z  z@y.x\n"
                     "    451 4.7.1 come later\n"
                     "b2   5 B  x@y.z  z@y.x\n");
}

static void
test_later_parts_keep_the_widths_and_have_no_titles (void)
{
    g_autoptr (Table) table = table_new (columns, G_N_ELEMENTS (columns), 0);
    g_autofree gchar *first = NULL;
    g_autofree gchar *second = NULL;

    add (table, "a1", "1.2 K", "alice@example.org", "bob@example.net", NULL);
    first = print (table);
    add (table, "b2", "5 B", "<>", "bob@example.net", NULL);
    second = print (table);
    g_assert_cmpstr (second, ==, "b2    5 B  <>                 bob@example.net\n");
}

static void
test_no_escape_sequences_where_nobody_looks (void)
{
    g_autoptr (Table) table = table_new (columns, G_N_ELEMENTS (columns), 0);
    g_autofree gchar *text = NULL;

    add (table, "a1", "5 B", "x@y.z", "z@y.x", "note"); /* standard output of a test is a pipe */
    text = print (table);
    g_assert_null (strchr (text, '\033'));
}

int
main (int argc, char **argv)
{
    setlocale (LC_ALL, "C.UTF-8");
    g_setenv ("NO_COLOR", "1", TRUE);
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/cli/table/columns-are-as-wide-as-their-cells", test_columns_are_as_wide_as_their_cells);
    g_test_add_func ("/cli/table/widest-cells-are-cut-to-the-terminal", test_widest_cells_are_cut_to_the_terminal);
    g_test_add_func ("/cli/table/no-line-is-wider-than-the-terminal", test_no_line_is_wider_than_the_terminal);
    g_test_add_func ("/cli/table/columns-of-no-least-width-are-never-cut",
                     test_columns_of_no_least_width_are_never_cut);
    g_test_add_func ("/cli/table/note-stands-below-its-row", test_note_stands_below_its_row);
    g_test_add_func ("/cli/table/later-parts-keep-the-widths-and-have-no-titles",
                     test_later_parts_keep_the_widths_and_have_no_titles);
    g_test_add_func ("/cli/table/no-escape-sequences-where-nobody-looks",
                     test_no_escape_sequences_where_nobody_looks);
    return g_test_run ();
}
