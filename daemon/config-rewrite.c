/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The tables of the group [Rewrite]
 *
 * They are part of the configuration: read with it, bad as a whole if one line is bad, and read again with it. Mail that
 * left with half a table would leave under the wrong name, and nobody can call it back.
 */

#include "config-rewrite.h"

#include "config-schema.h"
#include "small-file.h"

#include <gio/gio.h>
#include <string.h>

/* Some hundred thousand addresses. */
#define TABLE_LONGEST_BYTES (16 * 1024 * 1024)

static void
complain (const ConfigFile *file, const gchar *key, const gchar *path, const gchar *reason, GPtrArray *problems)
{
    const ConfigGroup *group = config_file_group (file, "Rewrite");
    const ConfigEntry *entry = config_group_entry (group, key);

    config_schema_complain (problems, entry->place, group->name, key, "the table %s cannot be read: %s", path,
                            reason);
}

/* Returns: (transfer full) (nullable): %NULL with a problem */
static gchar *
read_text (const gchar *path, const gchar *key, ConfigFile *file, gsize *length, GPtrArray *problems)
{
    g_autoptr (GError) error = NULL;
    g_autofree gchar *text = NULL;

    if (file->is_written && config_file_copy (file, key) != NULL) {
        text = g_strdup (config_file_copy (file, key));
        *length = strlen (text);
        return g_steal_pointer (&text);
    }

    text = small_file_read (path, TABLE_LONGEST_BYTES, NULL, length, &error);
    if (text == NULL)
        complain (file, key, path, error->message, problems);
    else if (g_utf8_validate (text, (gssize) *length, NULL))
        config_file_keep_copy (file, key, text);
    return g_steal_pointer (&text);
}

/* Returns: (transfer full) (nullable) */
static MessageAddressMap *
read_table (const gchar *path, const gchar *key, const MessageCompletion *completion, ConfigFile *file,
            GPtrArray *problems)
{
    g_autoptr (GPtrArray) lines = g_ptr_array_new_with_free_func (g_free);
    g_autofree gchar *text = NULL;
    MessageAddressMap *map;
    gsize length;

    if (path == NULL)
        return NULL;

    text = read_text (path, key, file, &length, problems);
    if (text == NULL)
        return NULL;

    map = message_address_map_parse (text, length, completion, lines);
    for (guint i = 0; i < lines->len; i++)
        g_ptr_array_add (problems, g_strdup_printf ("%s:%s", path, (const gchar *) g_ptr_array_index (lines, i)));
    return map;
}

void
config_rewrite_read_tables (Config *config, ConfigFile *file, GPtrArray *problems)
{
    config->sender_table = read_table (config->sender_table_file, "SenderTable", &config->completion, file, problems);
    config->recipient_table =
        read_table (config->recipient_table_file, "RecipientTable", &config->completion, file, problems);
}
