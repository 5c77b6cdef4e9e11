/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "queue/record.h"

/*
 * What can still be found in a sealed generation's file without GDBM's help.
 */

typedef struct _QueueSalvage QueueSalvage;

/* A part that was found and is good; @payload is valid during the call. */
typedef void (*QueueSalvaged) (QueuePart part, QueueId id, guint32 number, GBytes *payload, gpointer user_data);

/**
 * queue_salvage_new:
 * @tolerant: blocks that the disk does not give are passed over
 *
 * Searches the whole file.
 *
 * Returns: (transfer full): what was found, maybe nothing; or %NULL with QUEUE_ERROR_IO
 */
QueueSalvage *queue_salvage_new (const gchar *path, gboolean tolerant, GError **error);

/* Returns: (transfer full): the part; or %NULL with QUEUE_ERROR_IO, or with QUEUE_ERROR_DAMAGED if it was not found */
GBytes *queue_salvage_read (const QueueSalvage *salvage, QueuePart part, QueueId id, guint32 number, GError **error);

/* Calls @found for each part, in the order of the file. FALSE with QUEUE_ERROR_IO. */
gboolean queue_salvage_each (const QueueSalvage *salvage, QueueSalvaged found, gpointer user_data, GError **error);

guint queue_salvage_parts (const QueueSalvage *salvage); /* how many were found */

/* Bytes of the file that the disk does not give. */
guint64 queue_salvage_unreadable_bytes (const QueueSalvage *salvage);

void queue_salvage_free (QueueSalvage *salvage);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (QueueSalvage, queue_salvage_free)
