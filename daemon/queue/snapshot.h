/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "queue/message.h"

/*
 * How the queue makes and changes the snapshots that message.h shows. What never changes after the arrival (origin and
 * envelope) and what a settle leaves alone (recipients, history) is shared between the snapshots of a message, so that
 * a new one costs little even with ten thousand recipients. Recipients to whom the same happened may be one too.
 */

/**
 * queue_snapshot_new:
 * @origin: copied
 * @envelope: copied; at least one recipient
 *
 * Returns: (transfer full): a message as it is when it arrives, with all recipients pending; the caller fills in the
 *     other fields before anybody else sees it
 */
QueueMessage *queue_snapshot_new (QueueId id, const QueueOrigin *origin, const MessageEnvelope *envelope);

/* The same, with the strings of @origin and with @envelope taken over. */
QueueMessage *queue_snapshot_take (QueueId id, const QueueOrigin *origin, MessageEnvelope *envelope);

/**
 * queue_snapshot_copy:
 *
 * Returns: (transfer full): a snapshot with the same content, to be changed by the caller with the functions below
 *     before anybody else sees it
 */
QueueMessage *queue_snapshot_copy (const QueueMessage *message);

/* Replaces the recipient @index by a copy that nobody else has, and returns it. */
QueueRecipient *queue_snapshot_change (QueueMessage *message, guint index);

/* Lets the recipient @index be the same as @model, which is one of @message. */
void queue_snapshot_share (QueueMessage *message, guint index, guint model);

/* Gives the recipients, @n indexes, another address, here and in the envelope. */
void queue_snapshot_redirect (QueueMessage *message, const guint *recipients, guint n, const gchar *address);

/* Adds an entry to the history, which is in the order of time, and drops the oldest beyond QUEUE_HISTORY_MOST. @text is
 * copied. */
void queue_snapshot_note (QueueMessage *message, gint64 usec, const gchar *text);

/* Why somebody gave the message up. @verdict: (nullable): copied */
void queue_snapshot_set_verdict (QueueMessage *message, const gchar *verdict);

/* @reason: (nullable): copied */
void queue_snapshot_set_reason (QueueMessage *message, const gchar *reason);

/* Roughly what the snapshot takes in memory, bytes: for caches. */
gsize queue_snapshot_bytes (const QueueMessage *message);
