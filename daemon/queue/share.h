/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "queue/queue.h"

/*
 * What each user has of the queue, and how much of it a user may have.
 */
typedef struct _QueueShares QueueShares;

QueueShares *queue_shares_new (void);
void queue_shares_free (QueueShares *shares);

/* Messages and bytes that came (@by 1) or went (@by -1). @uid: or one of those in record.h; what is the relay's own is not
 * counted */
void queue_shares_count (QueueShares *shares, gint64 uid, guint64 bytes, gint by);

/* Adds what users have in @more, of which no rate is known. */
void queue_shares_add (QueueShares *shares, const QueueShares *more);

/**
 * queue_shares_allow:
 * @bytes: of the message that a user wants to hand in, as far as it is known
 * @now_usec: monotonic
 *
 * Returns: %FALSE with QUEUE_ERROR_LIMIT or QUEUE_ERROR_RATE if it is too much
 */
gboolean queue_shares_allow (QueueShares *shares, const QueueLimits *limits, gint64 uid, guint64 bytes,
                             gint64 now_usec, GError **error);

/* A message was handed in, for the rate. */
void queue_shares_spend (QueueShares *shares, const QueueLimits *limits, gint64 uid, gint64 now_usec);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (QueueShares, queue_shares_free)
