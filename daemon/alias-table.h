/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "message/alias-text.h"

/*
 * An alias file as it was at one moment, with all that it includes. Never changes.
 */

typedef struct _AliasTable AliasTable;

/**
 * alias_table_read:
 * @path: the file
 * @may_be_missing: whether no file is an empty one
 * @remarks: (element-type utf8): a line "FILE:LINE: …" is added for each thing that is wrong or not done
 * @is_good: (out): whether all could be read and understood
 *
 * Reads regular files of some size only, so it does not take long.
 *
 * Returns: (transfer full): what could be read
 */
AliasTable *alias_table_read (const gchar *path, gboolean may_be_missing, GPtrArray *remarks, gboolean *is_good);
void alias_table_free (AliasTable *table);

/* Whether the files are, by their size and times, those that were read. */
gboolean alias_table_is_current (const AliasTable *table);

guint alias_table_count (const AliasTable *table);

/**
 * alias_table_find:
 * @name: a local part, in any case, or "*"
 *
 * Returns: (nullable) (transfer none) (element-type MessageAliasTarget): what it stands for, at least one thing, none of them
 *   MESSAGE_ALIAS_INCLUDE; %NULL if there is no such alias
 */
const GPtrArray *alias_table_find (const AliasTable *table, const gchar *name);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AliasTable, alias_table_free)
