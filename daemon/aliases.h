/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "alias-table.h"

/*
 * The alias file, as it is now: it is read again when it has changed.
 */

typedef struct _Aliases Aliases;

Aliases *aliases_new (void);
Aliases *aliases_ref (Aliases *aliases);
void aliases_unref (Aliases *aliases);

/**
 * aliases_set_file:
 * @path: (nullable): the file; %NULL is none
 * @may_be_missing: whether no file is an empty one
 *
 * Reads the file. What is wrong with it goes to the log. If it is bad and was read before, the aliases that it had stay in
 * force, else what is right in it counts.
 */
void aliases_set_file (Aliases *aliases, const gchar *path, gboolean may_be_missing);

/* What @name stands for now, see alias_table_find (); valid until the main loop runs. */
const GPtrArray *aliases_find (Aliases *aliases, const gchar *name);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Aliases, aliases_unref)
