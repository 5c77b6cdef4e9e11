/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Configuration files
 *
 * An administrator's postern.conf is left alone by packages and tools; they, and the administrator's own scripts, put drop-ins
 * beside it. What counts is the last value of a key, in the order of the files' names. So that a complaint about a value
 * can name the one file out of several that it stands in, each value remembers its file.
 *
 * GKeyFile reads the syntax. Groups and keys keep the order in which they first came: for smarthosts it is their order
 * of preference.
 */

#include "config-file.h"

#include <string.h>

static void
entry_free (ConfigEntry *entry)
{
    g_free (entry->key);
    g_free (entry->value);
    g_free (entry->file);
    g_free (entry);
}

static void
group_free (ConfigGroup *group)
{
    g_free (group->name);
    g_free (group->file);
    g_ptr_array_unref (group->entries);
    g_free (group);
}

void
config_file_free (ConfigFile *file)
{
    g_ptr_array_unref (file->groups);
    g_free (file);
}

static ConfigGroup *
find_group (const ConfigFile *file, const gchar *name)
{
    for (guint i = 0; i < file->groups->len; i++) {
        ConfigGroup *group = g_ptr_array_index (file->groups, i);

        if (g_str_equal (group->name, name))
            return group;
    }

    return NULL;
}

static ConfigEntry *
find_entry (const ConfigGroup *group, const gchar *key)
{
    for (guint i = 0; i < group->entries->len; i++) {
        ConfigEntry *entry = g_ptr_array_index (group->entries, i);

        if (g_str_equal (entry->key, key))
            return entry;
    }

    return NULL;
}

const ConfigGroup *
config_file_group (const ConfigFile *file, const gchar *name)
{
    return find_group (file, name);
}

const ConfigEntry *
config_group_entry (const ConfigGroup *group, const gchar *key)
{
    return find_entry (group, key);
}

static ConfigGroup *
need_group (ConfigFile *file, const gchar *name, const gchar *path)
{
    ConfigGroup *group = find_group (file, name);

    if (group != NULL)
        return group;

    group = g_new0 (ConfigGroup, 1);
    group->name = g_strdup (name);
    group->file = g_strdup (path);
    group->entries = g_ptr_array_new_with_free_func ((GDestroyNotify) entry_free);
    g_ptr_array_add (file->groups, group);
    return group;
}

/* Takes @value over. */
static void
set_entry (ConfigGroup *group, const gchar *key, gchar *value, const gchar *path)
{
    ConfigEntry *entry = find_entry (group, key);

    if (entry == NULL) {
        entry = g_new0 (ConfigEntry, 1);
        entry->key = g_strdup (key);
        g_ptr_array_add (group->entries, entry);
    }

    g_free (entry->value);
    entry->value = g_strstrip (value);
    g_free (entry->file);
    entry->file = g_strdup (path);
}

static void
merge_group (ConfigFile *file, GKeyFile *keys, const gchar *name, const gchar *path, GPtrArray *problems)
{
    ConfigGroup *group = need_group (file, name, path);
    g_auto (GStrv) names = g_key_file_get_keys (keys, name, NULL, NULL);

    for (guint i = 0; names != NULL && names[i] != NULL; i++) {
        g_autoptr (GError) error = NULL;
        g_autofree gchar *value = g_key_file_get_string (keys, name, names[i], &error);

        /* A bad escape is an error beside a value. */
        if (error == NULL)
            set_entry (group, names[i], g_steal_pointer (&value), path);
        else
            g_ptr_array_add (problems, g_strdup_printf ("%s: [%s] %s=: expected UTF-8 text, in which a backslash is "
                                                        "written as two",
                                                        path, name, names[i]));
    }
}

static void
merge_file (ConfigFile *file, const gchar *path, gboolean may_be_missing, GPtrArray *problems)
{
    g_autoptr (GKeyFile) keys = g_key_file_new ();
    g_autoptr (GError) error = NULL;
    g_autofree gchar *text = NULL;
    g_auto (GStrv) groups = NULL;
    gsize length;

    if (!g_file_get_contents (path, &text, &length, &error)) {
        if (!may_be_missing || !g_error_matches (error, G_FILE_ERROR, G_FILE_ERROR_NOENT))
            g_ptr_array_add (problems, g_strdup_printf ("%s: cannot be read: %s", path, error->message));
        return;
    }

    /* An empty file is no key file to GKeyFile; a drop-in that is masked by a link to /dev/null is one. */
    if (length == 0)
        return;

    if (!g_key_file_load_from_data (keys, text, length, G_KEY_FILE_NONE, &error)) {
        g_ptr_array_add (problems, g_strdup_printf ("%s: %s", path, error->message));
        return;
    }

    groups = g_key_file_get_groups (keys, NULL);
    for (guint i = 0; groups[i] != NULL; i++)
        merge_group (file, keys, groups[i], path, problems);
}

static gint
compare_names (gconstpointer a, gconstpointer b)
{
    return strcmp (*(const gchar *const *) a, *(const gchar *const *) b);
}

/* The drop-ins in @folder by name, without its path. */
static GPtrArray *
list_drop_ins (const gchar *folder, GPtrArray *problems)
{
    g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
    g_autoptr (GError) error = NULL;
    g_autoptr (GDir) dir = g_dir_open (folder, 0, &error);
    const gchar *name;

    if (dir == NULL) {
        if (!g_error_matches (error, G_FILE_ERROR, G_FILE_ERROR_NOENT))
            g_ptr_array_add (problems, g_strdup_printf ("%s: cannot be read: %s", folder, error->message));
        return g_steal_pointer (&names);
    }

    while ((name = g_dir_read_name (dir)) != NULL)
        if (name[0] != '.' && g_str_has_suffix (name, ".conf"))
            g_ptr_array_add (names, g_strdup (name));

    g_ptr_array_sort (names, compare_names);
    return g_steal_pointer (&names);
}

ConfigFile *
config_file_read (const gchar *path, gboolean may_be_missing, GPtrArray *problems)
{
    ConfigFile *file = g_new0 (ConfigFile, 1);
    g_autofree gchar *folder = g_strconcat (path, ".d", NULL);
    g_autoptr (GPtrArray) drop_ins = list_drop_ins (folder, problems);

    file->groups = g_ptr_array_new_with_free_func ((GDestroyNotify) group_free);
    merge_file (file, path, may_be_missing, problems);
    for (guint i = 0; i < drop_ins->len; i++) {
        g_autofree gchar *drop_in = g_build_filename (folder, g_ptr_array_index (drop_ins, i), NULL);

        merge_file (file, drop_in, FALSE, problems);
    }

    return file;
}
