/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "postern-style.h"

/*
 * A table on standard output, as wide as the terminal allows.
 */

typedef struct _Table Table;

typedef struct {
    const gchar *title;
    gboolean is_number; /* aligned to the right */
    guint least;        /* columns that it keeps when the terminal is narrow; 0: it is never cut */
} TableColumn;

/* @columns: must outlive the table. @width: of the terminal; 0: as wide as it gets. */
Table *table_new (const TableColumn *columns, guint n_columns, guint width);
void table_free (Table *table);

/**
 * table_add:
 * @cells: one for each column, escaped
 * @styled: the column that @style is for
 * @note: (nullable): escaped; a line below the row, set in
 */
void table_add (Table *table, const gchar *const *cells, guint styled, Style style, const gchar *note);

/* Prints the rows that were added, and forgets them. The first time it decides the widths and prints the titles; rows
 * that are added later keep to them, so that a long table can be printed in parts. */
void table_print (Table *table);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Table, table_free)
