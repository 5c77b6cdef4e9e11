/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "queue/catalog.h"

/*
 * The newest generation's journal, from the side that writes it. Belongs to the writer's thread.
 */

typedef struct {
    QueuePart part;
    guint32 number;
    QueueId id;
    GBytes *payload;  /* (transfer full) */
    QueuePlace place; /* (out): where it was written */
} QueueRecord;

typedef struct _QueueAppender QueueAppender;

/**
 * queue_appender_new:
 * @directory: of the queue
 * @catalog: gets the generations that are begun
 * @last: the highest number that any generation ever had
 *
 * Returns: (transfer full): an appender without a journal; see queue_appender_begin ()
 */
QueueAppender *queue_appender_new (const gchar *directory, QueueCatalog *catalog, guint32 last);
void queue_appender_free (QueueAppender *appender);

/**
 * queue_appender_begin:
 * @next_id: greater than all ids that were given
 *
 * Begins the next generation's journal. The one before is synced first, and stays as it is if anything fails.
 *
 * Returns: %FALSE with QUEUE_ERROR_FULL or QUEUE_ERROR_IO
 */
gboolean queue_appender_begin (QueueAppender *appender, QueueId next_id, GError **error);

/* The generation that records go to; 0: none, one must be begun. A failed sync ends a generation. */
guint32 queue_appender_generation (const QueueAppender *appender);

/* Puts a record behind those that are to be written, and sets its place. It must stay until it was written. */
void queue_appender_add (QueueAppender *appender, QueueRecord *record);

/**
 * queue_appender_write:
 *
 * Gives what was added to the kernel. If that fails, nothing of it counts.
 *
 * Returns: %FALSE with QUEUE_ERROR_FULL or QUEUE_ERROR_IO
 */
gboolean queue_appender_write (QueueAppender *appender, GError **error);

/**
 * queue_appender_sync:
 *
 * Makes durable all that was written. If that fails, the generation takes no more records, and what was written since
 * the last sync is lost.
 *
 * Returns: %FALSE with QUEUE_ERROR_FULL or QUEUE_ERROR_IO
 */
gboolean queue_appender_sync (QueueAppender *appender, GError **error);

/* Bytes of records in the journal. */
guint64 queue_appender_bytes (const QueueAppender *appender);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (QueueAppender, queue_appender_free)
