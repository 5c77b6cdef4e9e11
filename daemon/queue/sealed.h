/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "queue/salvage.h"

/*
 * A sealed generation: one GDBM file, written once, read for as long as anything in it lives. An object of one thread
 * at a time.
 */

typedef struct _QueueSealed QueueSealed;

/* What a sealed generation says of itself. */
typedef struct {
    guint32 generation;
    guint64 next_id; /* greater than any id given before it was sealed */
    guint32 index_pages;
    guint32 removal_pages;
    guint64 stored_bytes; /* of all parts */
    GArray *replaced;     /* of guint32: generations that are in this one and may be left over from a crash */
} QueueSealedMeta;

/**
 * queue_sealed_create:
 * @path: of a file that is made anew
 *
 * Returns: (transfer full): a file to be filled; or %NULL with QUEUE_ERROR_FULL or _IO
 */
QueueSealed *queue_sealed_create (const gchar *path, GError **error);

gboolean queue_sealed_store (QueueSealed *sealed, QueuePart part, QueueId id, guint32 number, GBytes *payload,
                             GError **error);

/**
 * queue_sealed_finish:
 *
 * Writes what the file is, and brings all of it to the disk. Nothing may be stored afterwards.
 */
gboolean queue_sealed_finish (QueueSealed *sealed, const QueueSealedMeta *meta, GError **error);

/**
 * queue_sealed_open:
 * @meta: (out caller-allocates): to be cleared by queue_sealed_meta_clear ()
 *
 * Returns: (transfer full): a file to be read; or %NULL with QUEUE_ERROR_IO, with QUEUE_ERROR_DAMAGED, or with
 *     QUEUE_ERROR_VERSION if a newer version wrote it
 */
QueueSealed *queue_sealed_open (const gchar *path, QueueSealedMeta *meta, GError **error);

/* Opens a file that does not say what it is: its parts are found without GDBM. %NULL with QUEUE_ERROR_IO, or with
 * QUEUE_ERROR_DAMAGED if there are none */
QueueSealed *queue_sealed_open_damaged (const gchar *path, GError **error);

/**
 * queue_sealed_read:
 *
 * Returns: (transfer full): the part; or %NULL with QUEUE_ERROR_IO, or with QUEUE_ERROR_DAMAGED, also if it is missing
 */
GBytes *queue_sealed_read (QueueSealed *sealed, QueuePart part, QueueId id, guint32 number, GError **error);

/* Whether that many parts can be found in a file that was just written: GDBM does not report each write that failed.
 * FALSE with QUEUE_ERROR_IO */
gboolean queue_sealed_has_parts (QueueSealed *sealed, guint64 n, GError **error);

/* Whether anything was met so far that had to be found without GDBM. */
gboolean queue_sealed_is_damaged (const QueueSealed *sealed);

/* Calls @found for every part that is still readable, for files whose index is damaged. FALSE with QUEUE_ERROR_IO if the
 * disk fails meanwhile. */
gboolean queue_sealed_salvage (QueueSealed *sealed, QueueSalvaged found, gpointer user_data, GError **error);

/* The file has another name now, for what is said of it. */
void queue_sealed_renamed (QueueSealed *sealed, const gchar *path);

void queue_sealed_free (QueueSealed *sealed);

void queue_sealed_meta_clear (QueueSealedMeta *meta);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (QueueSealed, queue_sealed_free)
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (QueueSealedMeta, queue_sealed_meta_clear)
