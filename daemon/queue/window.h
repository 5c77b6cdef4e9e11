/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/*
 * A piece of a file in memory, so that searching the file from its beginning to its end makes few reads.
 */
typedef struct {
    gint fd;
    gboolean tolerant; /* blocks that cannot be read are zeroes, and counted, instead of an error */
    guint64 unreadable_bytes;

    /* Its own. */
    guint8 *data;
    gsize room;
    gsize length;
    guint64 offset;
    guint64 counted; /* unreadable blocks before this offset are counted */
} QueueWindow;

/* What a disk loses at once. */
#define QUEUE_WINDOW_BLOCK_BYTES 4096

/* Returns: @length bytes of the file from @offset on, valid until the next call; %NULL if the file is shorter, or with
 * @error if it cannot be read. */
const guint8 *queue_window_at (QueueWindow *window, guint64 offset, gsize length, GError **error);

/* How much lies in memory from @offset on, which queue_window_at () just gave. */
gsize queue_window_left (const QueueWindow *window, guint64 offset);

void queue_window_clear (QueueWindow *window);

/* Reads all of it, or up to the end of the file. Returns: bytes, -1 with errno. */
gssize queue_window_read (gint fd, gpointer data, gsize length, guint64 offset);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (QueueWindow, queue_window_clear)
