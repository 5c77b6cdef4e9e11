/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "cli/import.h"

/* Postfix's main.cf, and the tables that it names. */

typedef struct {
    gchar *name;
    gchar *value; /* as it is written, with its continuation lines */
    const ImportLine *line;
    gboolean replaced; /* the name comes again below */
} PostfixParameter;

typedef struct {
    Import *import;
    gchar *folder;         /* of main.cf */
    GPtrArray *lines;      /* of ImportLine */
    GPtrArray *parameters; /* of PostfixParameter, in their order */
} PostfixMain;

/* One entry of a table. */
typedef struct {
    gchar *key;
    gchar *value;
    ImportLine line; /* with the key as its text: values may be secret */
} PostfixEntry;

PostfixMain *postfix_main_new (Import *import, const gchar *file);
void postfix_main_free (PostfixMain *postfix);

/* Returns: (nullable) (transfer none): the one that counts */
const PostfixParameter *postfix_main_find (const PostfixMain *postfix, const gchar *name);

/* The same's line; %NULL if it is not set. */
const ImportLine *postfix_main_line (const PostfixMain *postfix, const gchar *name);

/* Returns: (transfer full): its value with all $names replaced; Postfix's default, or "", if it is not set */
gchar *postfix_main_get (const PostfixMain *postfix, const gchar *name);
gboolean postfix_main_is_yes (const PostfixMain *postfix, const gchar *name);

/* Returns: (transfer full): its value as a list, which commas and spaces separate; braces keep together */
gchar **postfix_main_list (const PostfixMain *postfix, const gchar *name);

/**
 * postfix_table_read:
 * @map: as in main.cf, "hash:/etc/postfix/generic"
 * @line: where it is named
 *
 * Returns: (transfer full) (element-type PostfixEntry): the entries of its source; none, and a note, if it has none that
 *   can be read
 */
GPtrArray *postfix_table_read (const PostfixMain *postfix, const ImportLine *line, const gchar *map);

/* All tables of a parameter together. */
GPtrArray *postfix_table_read_all (const PostfixMain *postfix, const gchar *name);

/* Returns: (nullable) (transfer none): the value of @key */
const gchar *postfix_table_find (GPtrArray *entries, const gchar *key);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (PostfixMain, postfix_main_free)
