/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Writing a configuration
 *
 * A file is written under another name, made durable, and then takes its place in one step; so neither a crash nor a full
 * disk leaves half of one. A password's file is made with the mode that it keeps, in a folder that only its owner enters.
 *
 * What an administrator wrote is not thrown away: the configuration of before stays beside the new one.
 */

#include "cli/config-write.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONFIG_MODE  0644
#define SECRET_MODE  0600
#define FOLDER_MODE  0755
#define SECRETS_MODE 0700

#define DEFAULT_CONFIG POSTERN_SYSCONFDIR "/postern.conf"

void
config_places_init (ConfigPlaces *places, const gchar *config, const gchar *credentials)
{
    g_autofree gchar *folder = NULL;

    places->config = g_canonicalize_filename (config != NULL ? config : DEFAULT_CONFIG, NULL);
    folder = g_path_get_dirname (places->config);
    places->credentials = credentials != NULL ? g_canonicalize_filename (credentials, NULL)
                                              : g_build_filename (folder, "credentials", NULL);
}

void
config_places_clear (ConfigPlaces *places)
{
    g_free (places->config);
    g_free (places->credentials);
}

gboolean
config_places_are_default (const ConfigPlaces *places)
{
    return g_str_equal (places->config, DEFAULT_CONFIG) &&
           g_str_equal (places->credentials, POSTERN_SYSCONFDIR "/credentials");
}

gchar *
config_places_folder (const ConfigPlaces *places)
{
    return g_path_get_dirname (places->config);
}

static gboolean
has_settings (GKeyFile *keys)
{
    g_auto (GStrv) groups = g_key_file_get_groups (keys, NULL);

    for (guint i = 0; groups[i] != NULL; i++) {
        g_auto (GStrv) names = g_key_file_get_keys (keys, groups[i], NULL, NULL);

        if (names != NULL && names[0] != NULL)
            return TRUE;
    }

    return FALSE;
}

gboolean
config_places_are_taken (const ConfigPlaces *places)
{
    g_autoptr (GKeyFile) keys = g_key_file_new ();
    struct stat status;

    /* GKeyFile takes an empty file for a bad one. */
    if (stat (places->config, &status) < 0 || status.st_size == 0)
        return FALSE;

    /* What cannot be understood is somebody's all the same. */
    return !g_key_file_load_from_file (keys, places->config, G_KEY_FILE_NONE, NULL) || has_settings (keys);
}

static gboolean
fail (GError **error, const gchar *path, const gchar *what)
{
    int saved = errno;

    g_set_error (error, G_IO_ERROR, g_io_error_from_errno (saved), "%s %s: %s", path, what, g_strerror (saved));
    return FALSE;
}

static gboolean
write_all (int fd, const gchar *data, gsize length)
{
    while (length > 0) {
        gssize n = write (fd, data, length);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return FALSE;
        data += n;
        length -= (gsize) n;
    }

    return TRUE;
}

/* Makes the rename that was done in @folder last. */
static void
sync_folder (const gchar *folder)
{
    int fd = open (folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd >= 0) {
        fsync (fd);
        close (fd);
    }
}

static gboolean
fill (int fd, const gchar *data, gsize length, mode_t mode)
{
    gboolean good = fchmod (fd, mode) == 0 && write_all (fd, data, length) && fsync (fd) == 0;
    int saved = errno;

    if (close (fd) < 0 && good)
        return FALSE;
    errno = saved;
    return good;
}

static gboolean
replace_file (const gchar *path, const gchar *data, gsize length, mode_t mode, GError **error)
{
    g_autofree gchar *folder = g_path_get_dirname (path);
    g_autofree gchar *name = g_path_get_basename (path);
    g_autofree gchar *draft = g_strdup_printf ("%s/.%s.XXXXXX", folder, name);
    int fd = g_mkstemp_full (draft, O_WRONLY | O_CLOEXEC, SECRET_MODE);

    if (fd < 0)
        return fail (error, folder, "cannot be written to");

    if (!fill (fd, data, length, mode) || g_rename (draft, path) < 0) {
        fail (error, path, "cannot be written");
        g_unlink (draft);
        return FALSE;
    }

    sync_folder (folder);
    return TRUE;
}

static gboolean
write_files (GPtrArray *files, const gchar *folder, mode_t mode, GError **error)
{
    for (guint i = 0; i < files->len; i++) {
        const ConfigPlanFile *file = g_ptr_array_index (files, i);
        g_autofree gchar *path = g_build_filename (folder, file->name, NULL);

        if (!replace_file (path, file->text->str, file->text->len, mode, error))
            return FALSE;
    }

    return TRUE;
}

/* A folder of secrets that others may enter is not one. */
static gboolean
make_secrets_folder (const gchar *path, GError **error)
{
    struct stat status;

    if (g_mkdir (path, SECRETS_MODE) < 0 && errno != EEXIST)
        return fail (error, path, "cannot be made");
    if (stat (path, &status) < 0)
        return fail (error, path, "cannot be looked at");
    if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0 && chmod (path, SECRETS_MODE) < 0)
        return fail (error, path, "cannot be closed to others");

    return TRUE;
}

/* Returns: (transfer full): a name that no file has yet */
static gchar *
backup_name (const gchar *path)
{
    gchar *name = g_strconcat (path, ".bak", NULL);

    for (guint i = 2; g_file_test (name, G_FILE_TEST_EXISTS); i++) {
        g_free (name);
        name = g_strdup_printf ("%s.bak%u", path, i);
    }

    return name;
}

static gboolean
keep_backup (const gchar *path, gchar **backup, GError **error)
{
    g_autofree gchar *name = backup_name (path);
    struct stat status;

    if (stat (path, &status) < 0)
        return TRUE;
    if (link (path, name) < 0)
        return fail (error, name, "cannot be made, as a backup");

    *backup = g_steal_pointer (&name);
    return TRUE;
}

gboolean
config_write (const ConfigPlan *plan, const ConfigPlaces *places, gchar **backup, GError **error)
{
    g_autofree gchar *folder = config_places_folder (places);
    g_autofree gchar *text = config_plan_text (plan);

    if (g_mkdir_with_parents (folder, FOLDER_MODE) < 0)
        return fail (error, folder, "cannot be made");
    if (config_plan_passwords (plan)->len > 0 &&
        (!make_secrets_folder (places->credentials, error) ||
         !write_files (config_plan_passwords (plan), places->credentials, SECRET_MODE, error)))
        return FALSE;

    return write_files (config_plan_tables (plan), folder, CONFIG_MODE, error) &&
           keep_backup (places->config, backup, error) &&
           replace_file (places->config, text, strlen (text), CONFIG_MODE, error);
}
