/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Tables
 *
 * Columns are as wide as what is in them. If the sum is more than the terminal has, the widest of those that may be
 * cut gives way, column by column, down to its least width: so two addresses share the room fairly, and an id is
 * never cut, since a cut one is of no use. Widths are those that appear: a wide character takes two columns, a
 * combining one none.
 */

#include "postern-table.h"

#include <string.h>

#include "output/width.h"
#include "postern-text.h"

#define GAP         2 /* columns between two cells */
#define NOTE_INDENT 4

typedef struct {
    GStrv cells;
    guint styled;
    Style style;
    gchar *note;
} Row;

struct _Table {
    const TableColumn *columns;
    guint n_columns;
    guint width;
    guint *widths; /* (nullable) once they are decided */
    GPtrArray *rows;
};

static void
row_free (Row *row)
{
    g_strfreev (row->cells);
    g_free (row->note);
    g_free (row);
}

Table *
table_new (const TableColumn *columns, guint n_columns, guint width)
{
    Table *table = g_new0 (Table, 1);

    table->columns = columns;
    table->n_columns = n_columns;
    table->width = width;
    table->rows = g_ptr_array_new_with_free_func ((GDestroyNotify) row_free);
    return table;
}

void
table_free (Table *table)
{
    if (table == NULL)
        return;

    g_ptr_array_unref (table->rows);
    g_free (table->widths);
    g_free (table);
}

void
table_add (Table *table, const gchar *const *cells, guint styled, Style style, const gchar *note)
{
    Row *row = g_new0 (Row, 1);

    row->cells = g_new0 (gchar *, table->n_columns + 1);
    for (guint i = 0; i < table->n_columns; i++)
        row->cells[i] = g_strdup (cells[i]);
    row->styled = styled;
    row->style = style;
    row->note = g_strdup (note);
    g_ptr_array_add (table->rows, row);
}

static void
measure (Table *table)
{
    table->widths = g_new0 (guint, table->n_columns);
    for (guint i = 0; i < table->n_columns; i++)
        table->widths[i] = width_of_text (table->columns[i].title);

    for (guint r = 0; r < table->rows->len; r++) {
        const Row *row = g_ptr_array_index (table->rows, r);

        for (guint i = 0; i < table->n_columns; i++)
            table->widths[i] = MAX (table->widths[i], width_of_text (row->cells[i]));
    }
}

static guint
sum_of_widths (const Table *table)
{
    guint sum = GAP * (table->n_columns - 1);

    for (guint i = 0; i < table->n_columns; i++)
        sum += table->widths[i];
    return sum;
}

/* Returns: the widest column that may still give way, n_columns if none may */
static guint
widest_to_cut (const Table *table)
{
    guint widest = table->n_columns;

    for (guint i = 0; i < table->n_columns; i++) {
        if (table->columns[i].least == 0 || table->widths[i] <= table->columns[i].least)
            continue;
        if (widest == table->n_columns || table->widths[i] > table->widths[widest])
            widest = i;
    }
    return widest;
}

static void
shrink (Table *table)
{
    if (table->width == 0)
        return;

    for (guint sum = sum_of_widths (table); sum > table->width; sum--) {
        guint column = widest_to_cut (table);

        if (column == table->n_columns)
            return;
        table->widths[column]--;
    }
}

static void
append_spaces (GString *out, guint count)
{
    for (guint i = 0; i < count; i++)
        g_string_append_c (out, ' ');
}

static void
append_styled (GString *out, const gchar *text, Style style)
{
    if (style != STYLE_PLAIN)
        g_string_append (out, style_begin (style));
    g_string_append (out, text);
    if (style != STYLE_PLAIN)
        g_string_append (out, style_end ());
}

static void
append_cell (const Table *table, GString *out, guint column, const gchar *text, Style style)
{
    gboolean may_cut = table->width > 0 && table->columns[column].least > 0;
    g_autofree gchar *cut = may_cut ? text_fit (text, table->widths[column]) : NULL;
    const gchar *cell = may_cut ? cut : text;
    guint width = width_of_text (cell);
    guint padding = width < table->widths[column] ? table->widths[column] - width : 0;

    if (column > 0)
        append_spaces (out, GAP);
    if (table->columns[column].is_number)
        append_spaces (out, padding);
    append_styled (out, cell, style);
    if (!table->columns[column].is_number && column + 1 < table->n_columns)
        append_spaces (out, padding);
}

static void
append_titles (const Table *table, GString *out)
{
    for (guint i = 0; i < table->n_columns; i++)
        append_cell (table, out, i, table->columns[i].title, STYLE_HEADING);
    g_string_append_c (out, '\n');
}

static void
append_note (const Table *table, GString *out, const gchar *note)
{
    gboolean may_cut = table->width > NOTE_INDENT;
    g_autofree gchar *text = may_cut ? text_fit (note, table->width - NOTE_INDENT) : g_strdup (note);

    append_spaces (out, NOTE_INDENT);
    append_styled (out, text, STYLE_FAINT);
    g_string_append_c (out, '\n');
}

static void
append_row (const Table *table, GString *out, const Row *row)
{
    for (guint i = 0; i < table->n_columns; i++)
        append_cell (table, out, i, row->cells[i], i == row->styled ? row->style : STYLE_PLAIN);
    g_string_append_c (out, '\n');
    if (row->note != NULL && *row->note != '\0')
        append_note (table, out, row->note);
}

void
table_print (Table *table)
{
    g_autoptr (GString) out = g_string_new (NULL);

    if (table->widths == NULL) {
        measure (table);
        shrink (table);
        append_titles (table, out);
    }

    for (guint i = 0; i < table->rows->len; i++)
        append_row (table, out, g_ptr_array_index (table->rows, i));
    g_ptr_array_set_size (table->rows, 0);

    /* At once: each call flushes. */
    g_print ("%s", out->str);
}
