/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The lock of a queue's directory
 *
 * One process at a time has a queue open. The kernel lets go of the lock when that process ends, however it does.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "queue/lock.h"
#include "queue/queue.h"

#define LOCK_NAME "lock"

/* What the process that has the lock wrote into it. Returns: 0 if nothing */
static gint
read_owner (gint fd)
{
    gchar text[32] = "";
    gssize n = pread (fd, text, sizeof text - 1, 0);

    return n <= 0 ? 0 : atoi (text);
}

static void
write_owner (gint fd)
{
    g_autofree gchar *text = g_strdup_printf ("%d\n", (gint) getpid ());

    /* For people only: the lock itself does not depend on it. */
    if (ftruncate (fd, 0) != 0 || pwrite (fd, text, strlen (text), 0) < 0)
        g_info ("cannot write the process id into the queue's lock: %s", g_strerror (errno));
}

gint
queue_lock_directory (const gchar *directory, GError **error)
{
    g_autofree gchar *path = g_build_filename (directory, LOCK_NAME, NULL);
    gint fd = open (path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    gint saved_errno = errno, owner;

    if (fd < 0) {
        g_set_error (error, QUEUE_ERROR, QUEUE_ERROR_IO, "cannot open %s: %s. It must belong to the user %s runs as.",
                     path, g_strerror (saved_errno), g_get_prgname () == NULL ? "the relay" : g_get_prgname ());
        return -1;
    }
    if (flock (fd, LOCK_EX | LOCK_NB) == 0) {
        write_owner (fd);
        return fd;
    }
    saved_errno = errno;
    owner = read_owner (fd);
    close (fd);
    if (saved_errno != EWOULDBLOCK)
        g_set_error (error, QUEUE_ERROR, QUEUE_ERROR_IO, "cannot lock %s: %s", path, g_strerror (saved_errno));
    else if (owner > 0)
        g_set_error (error, QUEUE_ERROR, QUEUE_ERROR_BUSY,
                     "the queue in %s is in use by process %d: stop that one first, or use another directory",
                     directory, owner);
    else
        g_set_error (error, QUEUE_ERROR, QUEUE_ERROR_BUSY,
                     "the queue in %s is in use by another process: stop that one first, or use another directory",
                     directory);

    return -1;
}
