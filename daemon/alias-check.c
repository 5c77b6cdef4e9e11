/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Checking the aliases
 *
 * `newaliases` has no database to build here, but whoever calls it wants to know whether the edit was good. That is
 * answered by the code that the daemon reads the file with, and with the file that its configuration names, so that the
 * two cannot differ. Secrets and certificates are not looked at: they are not the caller's to read.
 */

#include "alias-check.h"

#include "config-schema.h"

#include <stdio.h>
#include <sysexits.h>

static void
print_lines (const GPtrArray *lines)
{
    for (guint i = 0; i < lines->len; i++)
        printf ("%s\n", (const gchar *) g_ptr_array_index (lines, i));
}

int
alias_check_file (const gchar *path)
{
    g_autoptr (GPtrArray) remarks = g_ptr_array_new_with_free_func (g_free);
    gboolean may_be_missing = g_str_equal (path, CONFIG_ALIASES_FILE);
    gboolean is_good;
    g_autoptr (AliasTable) table = alias_table_read (path, may_be_missing, remarks, &is_good);
    guint count = alias_table_count (table);

    print_lines (remarks);
    if (!is_good) {
        printf ("%s has faults; posternd goes on with the aliases that it has until they are put right\n", path);
        return EX_DATAERR;
    }

    if (count == 0 && !g_file_test (path, G_FILE_TEST_EXISTS))
        printf ("%s: there is no such file, and none is needed\n", path);
    else
        printf ("%s: %u alias%s; posternd uses them from the next message on\n", path, count, count == 1 ? "" : "es");
    return EX_OK;
}

int
alias_check (const ConfigSources *sources)
{
    g_autoptr (GPtrArray) problems = g_ptr_array_new_with_free_func (g_free);
    g_autoptr (ConfigFile) file = config_file_read (sources->path, sources->may_be_missing, problems);
    const ConfigGroup *group = config_file_group (file, "Aliases");
    const ConfigEntry *entry = group != NULL ? config_schema_entry (group, "File") : NULL;
    const gchar *path = entry != NULL ? entry->value : CONFIG_ALIASES_FILE;

    if (problems->len > 0) {
        print_lines (problems);
        return EX_CONFIG;
    }

    if (g_ascii_strcasecmp (path, CONFIG_NO_FILE) != 0)
        return alias_check_file (path);

    printf ("no aliases are used: %s says File=%s in the group [Aliases]\n", entry->place, CONFIG_NO_FILE);
    return EX_OK;
}
