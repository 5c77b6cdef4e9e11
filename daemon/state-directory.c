/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The state directory
 *
 * systemd makes it, and gives it to the relay's user. By hand it goes wrong in one way again and again: somebody ran posternd as
 * root once, or restored a backup as root, and the relay's own user may not use the files that came of it. "Permission
 * denied" does not say that, so it is looked for before the queue is opened.
 */

#include "state-directory.h"

#include <errno.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>

static gboolean
refuse (const gchar *path, const struct stat *status, GError **error)
{
    g_set_error (
        error, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED,
        "%s is not for this process to use: it belongs to user %u with mode %04o, and posternd runs as user %u "
        "(%s); give it away with “chown -R %u %s”, or choose another folder with --state-directory=",
        path, status->st_uid, status->st_mode & 07777, geteuid (), g_get_user_name (), geteuid (), path);
    return FALSE;
}

/* What is in a folder that is missing or can be used. */
static gboolean
check_files (const gchar *path, GError **error)
{
    g_autoptr (GDir) folder = g_dir_open (path, 0, NULL);
    const gchar *name;

    while (folder != NULL && (name = g_dir_read_name (folder)) != NULL) {
        g_autofree gchar *file = g_build_filename (path, name, NULL);
        struct stat status;

        if (g_stat (file, &status) == 0 && g_access (file, R_OK | W_OK) < 0 && errno == EACCES)
            return refuse (file, &status, error);
    }

    return TRUE;
}

static gboolean
check_folder (const gchar *path, GError **error)
{
    struct stat status;

    if (g_stat (path, &status) == 0 && g_access (path, R_OK | W_OK | X_OK) < 0 && errno == EACCES)
        return refuse (path, &status, error);

    return TRUE;
}

gboolean
state_directory_prepare (const gchar *path, GError **error)
{
    g_autofree gchar *queue = state_directory_queue (path);

    if (g_mkdir_with_parents (path, 0700) < 0) {
        g_set_error (
            error, G_IO_ERROR, g_io_error_from_errno (errno),
            "the state directory %s cannot be made by user %s: %s; make it and give it to that user, or choose "
            "another one with --state-directory=",
            path, g_get_user_name (), g_strerror (errno));
        return FALSE;
    }

    return check_folder (path, error) && check_folder (queue, error) && check_files (queue, error);
}

gchar *
state_directory_queue (const gchar *path)
{
    return g_build_filename (path, "queue", NULL);
}
