/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "queue/queue-private.h"

/*
 * The store's parts put together: what the queue does to its threads, and hears from them.
 */

/* @last_generation: no number up to this may be given again */
void queue_store_start (Queue *queue, guint32 last_generation);

/* All that lies there is known: what rested until then may begin. */
void queue_store_indexed (Queue *queue);

/* @error: (nullable): the end of it */
void queue_set_index_trouble (Queue *queue, const GError *error);

/* Writes out what is under way, seals, ends the threads. All callbacks were called afterwards. */
void queue_store_stop (Queue *queue);

/* ---- inspect.c ---- */

/* Ends what queue_verify () began; its last call waits in the mailbox. */
void queue_inspection_stop (Queue *queue);

/* Makes sure that no daemon has the directory open. *@fd: to be closed, -1 if it cannot be written to */
gboolean queue_lock_for_reading (const gchar *directory, gint *fd, GError **error);
