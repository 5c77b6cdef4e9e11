/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Files and their directory
 *
 * Called on the store's threads only, except while the queue is opened and closed: each of these can wait for the disk.
 */

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "queue/disk.h"
#include "queue/queue.h"

#define STAT_BLOCK_BYTES 512 /* of st_blocks, whatever the file system's own blocks are */

void
queue_disk_set_error (GError **error, const gchar *what, const gchar *path)
{
    gint saved_errno = errno;
    gboolean full = saved_errno == ENOSPC || saved_errno == EDQUOT || saved_errno == EFBIG;

    g_set_error (error, QUEUE_ERROR, full ? QUEUE_ERROR_FULL : QUEUE_ERROR_IO, "cannot %s %s: %s", what, path,
                 g_strerror (saved_errno));
}

gboolean
queue_disk_sync_directory (const gchar *directory, GError **error)
{
    gint fd = open (directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    gboolean synced = fd >= 0 && fsync (fd) == 0;

    if (!synced)
        queue_disk_set_error (error, "sync", directory);
    if (fd >= 0)
        close (fd);

    return synced;
}

gboolean
queue_disk_remove (const gchar *path, GError **error)
{
    if (unlink (path) == 0 || errno == ENOENT)
        return TRUE;
    queue_disk_set_error (error, "remove", path);

    return FALSE;
}

guint64
queue_disk_free_bytes (const gchar *directory)
{
    struct statvfs status;

    if (statvfs (directory, &status) != 0)
        return G_MAXUINT64;

    return (guint64) status.f_bavail * status.f_frsize;
}

guint64
queue_disk_used_bytes (const gchar *path)
{
    struct stat status;

    return stat (path, &status) == 0 ? (guint64) status.st_blocks * STAT_BLOCK_BYTES : 0;
}
