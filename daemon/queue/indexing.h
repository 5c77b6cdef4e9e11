/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "queue/glance.h"
#include "queue/queue-private.h"
#include "queue/recovery.h"

/*
 * What lay in the directory when the queue was opened, on its way into the queue.
 */

/* All of it, read, and not yet anybody's. */
typedef struct {
    QueueCatalog *catalog;
    QueueTally tally;
    QueueShares *shares;
    GArray *doomed; /* of QueueId: messages that were to be removed as soon as possible */
    QueueRecovered recovered;
} QueueStaged;

/**
 * queue_stage:
 *
 * Returns: (transfer full): what is in the directory; or %NULL with an error of queue_recover ()
 */
QueueStaged *queue_stage (const QueueRecovery *recovery, GError **error);
void queue_staged_free (QueueStaged *staged);

/* Makes it the queue's, and has it seen to as if it had just come. @staged: (transfer full) */
void queue_adopt (Queue *queue, QueueStaged *staged);

/**
 * queue_indexing_start:
 *
 * Has a thread read what the glance saw. Until that is adopted, queue->indexing is set.
 */
void queue_indexing_start (Queue *queue, const QueueGlance *glance, const QueueStart *start);

/* Gives up. A last call may wait in the mailbox; queue->indexing is NULL after that. */
void queue_indexing_stop (Queue *queue);

guint queue_indexing_percent (const QueueIndexing *indexing);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (QueueStaged, queue_staged_free)
