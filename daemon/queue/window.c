/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * A window on a file
 *
 * What is asked for rises mostly, a little at a time, and may overlap. A dying disk loses blocks: who wants everything
 * else of the file nevertheless sees zeroes in their place, which no checksum takes for anything.
 */

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "queue/queue.h"
#include "queue/window.h"

/* Reads of this size make a rotating disk work in sequence. */
#define WINDOW_BYTES (1024 * 1024)

gssize
queue_window_read (gint fd, gpointer data, gsize length, guint64 offset)
{
    gsize done = 0;

    while (done < length) {
        gssize n = pread (fd, (guint8 *) data + done, length - done, (off_t) (offset + done));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        done += (gsize) n;
    }

    return (gssize) done;
}

static void
lose_block (QueueWindow *window, guint8 *data, guint64 offset, gsize length)
{
    memset (data, 0, length);
    if (offset < window->counted)
        return;
    window->unreadable_bytes += length;
    window->counted = offset + length;
}

/* Block by block, so that nothing is lost but what cannot be read. */
static gssize
read_blocks (QueueWindow *window, guint64 offset)
{
    struct stat status;
    gsize done = 0;

    if (fstat (window->fd, &status) != 0)
        return -1;
    while (done < window->room && offset + done < (guint64) status.st_size) {
        guint64 at = offset + done;
        gsize length = QUEUE_WINDOW_BLOCK_BYTES - at % QUEUE_WINDOW_BLOCK_BYTES;

        length = MIN (length, MIN (window->room - done, (guint64) status.st_size - at));
        if (queue_window_read (window->fd, window->data + done, length, at) != (gssize) length)
            lose_block (window, window->data + done, at, length);
        done += length;
    }

    return (gssize) done;
}

const guint8 *
queue_window_at (QueueWindow *window, guint64 offset, gsize length, GError **error)
{
    gssize n;

    if (offset >= window->offset && offset + length <= window->offset + window->length)
        return window->data + (offset - window->offset);

    if (length > window->room || window->data == NULL) {
        window->room = MAX (length, WINDOW_BYTES);
        window->data = g_realloc (window->data, window->room);
    }
    n = queue_window_read (window->fd, window->data, window->room, offset);
    if (n < 0 && window->tolerant)
        n = read_blocks (window, offset);
    window->offset = offset;
    window->length = n < 0 ? 0 : (gsize) n;
    if (n < 0)
        g_set_error (error, QUEUE_ERROR, QUEUE_ERROR_IO, "it cannot be read: %s", g_strerror (errno));

    return n < 0 || (gsize) n < length ? NULL : window->data;
}

gsize
queue_window_left (const QueueWindow *window, guint64 offset)
{
    return window->length - (gsize) (offset - window->offset);
}

void
queue_window_clear (QueueWindow *window)
{
    g_clear_pointer (&window->data, g_free);
}
