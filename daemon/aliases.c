/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Aliases
 *
 * Who edits /etc/aliases expects the next message to go by it, with no command to run: so whenever a name is looked
 * up, the times of the files are looked at first, and what has changed is read again. A look costs a system call for each
 * file, for mail to local names only; no watch is kept that could miss a file that is renamed into place.
 *
 * An editor may leave half a file behind. A file with faults does not replace one that had none; it is told in the log, once for
 * each change.
 */

#include "aliases.h"

#include "log-event.h"

struct _Aliases {
    grefcount references;
    gchar *path; /* (nullable) */
    gboolean may_be_missing;
    AliasTable *table;  /* (nullable) in force */
    AliasTable *faulty; /* (nullable) what the files say now, if it is not in force */
};

Aliases *
aliases_new (void)
{
    Aliases *aliases = g_new0 (Aliases, 1);

    g_ref_count_init (&aliases->references);
    return aliases;
}

Aliases *
aliases_ref (Aliases *aliases)
{
    g_ref_count_inc (&aliases->references);
    return aliases;
}

static void
forget (Aliases *aliases)
{
    g_clear_pointer (&aliases->path, g_free);
    g_clear_pointer (&aliases->table, alias_table_free);
    g_clear_pointer (&aliases->faulty, alias_table_free);
}

void
aliases_unref (Aliases *aliases)
{
    if (!g_ref_count_dec (&aliases->references))
        return;

    forget (aliases);
    g_free (aliases);
}

static void
read_again (Aliases *aliases)
{
    g_autoptr (GPtrArray) remarks = g_ptr_array_new_with_free_func (g_free);
    gboolean is_good;
    AliasTable *read = alias_table_read (aliases->path, aliases->may_be_missing, remarks, &is_good);

    for (guint i = 0; i < remarks->len; i++)
        log_event_configuration_warning (g_ptr_array_index (remarks, i));

    g_clear_pointer (&aliases->faulty, alias_table_free);
    if (is_good || aliases->table == NULL) {
        g_clear_pointer (&aliases->table, alias_table_free);
        aliases->table = read;
    } else {
        g_autofree gchar *kept =
            g_strdup_printf ("%s has faults, so the aliases that were read before stay in force", aliases->path);

        log_event_configuration_warning (kept);
        aliases->faulty = read;
    }
}

static gboolean
is_current (const Aliases *aliases)
{
    return alias_table_is_current (aliases->faulty != NULL ? aliases->faulty : aliases->table);
}

void
aliases_set_file (Aliases *aliases, const gchar *path, gboolean may_be_missing)
{
    if (g_strcmp0 (path, aliases->path) != 0)
        forget (aliases);

    g_free (aliases->path);
    aliases->path = g_strdup (path);
    aliases->may_be_missing = may_be_missing;
    if (path != NULL)
        read_again (aliases);
}

const GPtrArray *
aliases_find (Aliases *aliases, const gchar *name)
{
    if (aliases->path == NULL)
        return NULL;

    if (!is_current (aliases))
        read_again (aliases);
    return alias_table_find (aliases->table, name);
}
