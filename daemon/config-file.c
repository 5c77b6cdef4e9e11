/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Configuration files
 *
 * An administrator's postern.conf is left alone by packages and tools; they, and the administrator's own scripts, put drop-ins
 * beside it. What counts is the last value of a key, in the order of the files' names. So that a complaint about a value
 * can name the one line out of several files that it stands in, each value remembers its place.
 *
 * Groups and keys keep the order in which they first came: for smarthosts it is their order of preference.
 *
 * What was read can be written down as one text (see config-memory.h), together with the tables that it names: they
 * are as much a part of the configuration as what stands in its own files.
 */

#include "config-file.h"

#include "config-text.h"

#include <string.h>

/* In the text of a configuration, a group for each file that it names and that was read with it: "[Copy KEY]". */
#define COPY_GROUP "Copy "
#define COPY_KEY   "Text"

static void
entry_free (ConfigEntry *entry)
{
    g_free (entry->key);
    g_free (entry->value);
    g_free (entry->place);
    g_free (entry);
}

static void
group_free (ConfigGroup *group)
{
    g_free (group->name);
    g_free (group->place);
    g_ptr_array_unref (group->entries);
    g_free (group);
}

void
config_file_free (ConfigFile *file)
{
    g_ptr_array_unref (file->groups);
    g_hash_table_unref (file->copies);
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

/* Takes @place over. */
static ConfigGroup *
need_group (ConfigFile *file, const gchar *name, gchar *place)
{
    ConfigGroup *group = find_group (file, name);

    if (group == NULL) {
        group = g_new0 (ConfigGroup, 1);
        group->name = g_strdup (name);
        group->place = g_steal_pointer (&place);
        group->entries = g_ptr_array_new_with_free_func ((GDestroyNotify) entry_free);
        g_ptr_array_add (file->groups, group);
    }

    g_free (place);
    return group;
}

/* Takes @value and @place over. */
static void
set_entry (ConfigGroup *group, const gchar *key, gchar *value, gchar *place)
{
    ConfigEntry *entry = find_entry (group, key);

    if (entry == NULL) {
        entry = g_new0 (ConfigEntry, 1);
        entry->key = g_strdup (key);
        g_ptr_array_add (group->entries, entry);
    }

    g_free (entry->value);
    entry->value = value;
    g_free (entry->place);
    entry->place = place;
}

/* ---- Reading ---- */

/* A file that is being read. */
typedef struct {
    ConfigFile *file;
    const gchar *path;
    GPtrArray *problems;
} Merge;

static gchar *
place_of (const Merge *merge, guint line)
{
    return g_strdup_printf ("%s:%u", merge->path, line);
}

static void
merge_group (const gchar *name, guint line, gpointer user_data)
{
    Merge *merge = user_data;

    need_group (merge->file, name, place_of (merge, line));
}

static void
merge_entry (const gchar *group, const gchar *key, gchar *value, guint line, gpointer user_data)
{
    Merge *merge = user_data;

    set_entry (find_group (merge->file, group), key, value, place_of (merge, line));
}

static void
merge_wrong (guint line, const gchar *problem, gpointer user_data)
{
    Merge *merge = user_data;
    g_autofree gchar *place = line > 0 ? place_of (merge, line) : g_strdup (merge->path);

    g_ptr_array_add (merge->problems, g_strdup_printf ("%s: %s", place, problem));
}

static const ConfigTextReader merge_reader = {.group = merge_group, .entry = merge_entry, .wrong = merge_wrong};

static void
merge_file (ConfigFile *file, const gchar *path, gboolean may_be_missing, GPtrArray *problems)
{
    Merge merge = {.file = file, .path = path, .problems = problems};
    g_autoptr (GError) error = NULL;
    g_autofree gchar *text = NULL;
    gsize length;

    /* A drop-in may be masked by a link to /dev/null. */
    if (g_file_get_contents (path, &text, &length, &error))
        config_text_read (text, length, &merge_reader, &merge);
    else if (!may_be_missing || !g_error_matches (error, G_FILE_ERROR, G_FILE_ERROR_NOENT))
        g_ptr_array_add (problems, g_strdup_printf ("%s: cannot be read: %s", path, error->message));
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

static ConfigFile *
config_file_new (void)
{
    ConfigFile *file = g_new0 (ConfigFile, 1);

    file->groups = g_ptr_array_new_with_free_func ((GDestroyNotify) group_free);
    file->copies = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
    return file;
}

ConfigFile *
config_file_read (const gchar *path, gboolean may_be_missing, GPtrArray *problems)
{
    ConfigFile *file = config_file_new ();
    g_autofree gchar *folder = g_strconcat (path, ".d", NULL);
    g_autoptr (GPtrArray) drop_ins = list_drop_ins (folder, problems);

    merge_file (file, path, may_be_missing, problems);
    for (guint i = 0; i < drop_ins->len; i++) {
        g_autofree gchar *drop_in = g_build_filename (folder, g_ptr_array_index (drop_ins, i), NULL);

        merge_file (file, drop_in, FALSE, problems);
    }

    return file;
}

/* ---- The configuration as one text ---- */

gchar *
config_file_write (const ConfigFile *file)
{
    g_autoptr (GString) text = g_string_new (NULL);
    GHashTableIter copies;
    gpointer key, copy;

    for (guint i = 0; i < file->groups->len; i++) {
        const ConfigGroup *group = g_ptr_array_index (file->groups, i);

        g_string_append_printf (text, "\n[%s]\n", group->name);
        for (guint j = 0; j < group->entries->len; j++) {
            const ConfigEntry *entry = g_ptr_array_index (group->entries, j);

            config_text_append (text, entry->key, entry->value);
        }
    }

    g_hash_table_iter_init (&copies, file->copies);
    while (g_hash_table_iter_next (&copies, &key, &copy)) {
        g_string_append_printf (text, "\n[" COPY_GROUP "%s]\n", (const gchar *) key);
        config_text_append (text, COPY_KEY, copy);
    }

    return g_string_free (g_steal_pointer (&text), FALSE);
}

/* Makes the groups that hold copies into what they are copies of. */
static void
take_copies (ConfigFile *file)
{
    for (guint i = file->groups->len; i > 0; i--) {
        const ConfigGroup *group = g_ptr_array_index (file->groups, i - 1);
        const ConfigEntry *entry = find_entry (group, COPY_KEY);

        if (entry == NULL || !g_str_has_prefix (group->name, COPY_GROUP))
            continue;
        config_file_keep_copy (file, group->name + strlen (COPY_GROUP), entry->value);
        g_ptr_array_remove_index (file->groups, i - 1);
    }
}

ConfigFile *
config_file_read_written (const gchar *path, GPtrArray *problems)
{
    ConfigFile *file = config_file_new ();

    file->is_written = TRUE;
    merge_file (file, path, FALSE, problems);
    take_copies (file);
    return file;
}

void
config_file_keep_copy (ConfigFile *file, const gchar *key, const gchar *text)
{
    g_hash_table_insert (file->copies, g_strdup (key), g_strdup (text));
}

const gchar *
config_file_copy (const ConfigFile *file, const gchar *key)
{
    return g_hash_table_lookup (file->copies, key);
}
