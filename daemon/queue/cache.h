/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "queue/message.h"

/*
 * Messages that were here a moment ago: nearly all mail leaves within a second, and is then never read from the disk.
 */

typedef struct _QueueCache QueueCache;

/* @most_bytes: of snapshots and content together */
QueueCache *queue_cache_new (gsize most_bytes);
void queue_cache_free (QueueCache *cache);

/* Remembers a message. @content: (nullable): the whole of it, if that is known; an older content is kept. */
void queue_cache_put (QueueCache *cache, QueueMessage *message, GBytes *content);

QueueMessage *queue_cache_message (QueueCache *cache, QueueId id); /* (nullable) (transfer none) */
GBytes *queue_cache_content (QueueCache *cache, QueueId id);       /* (nullable) (transfer none) */
void queue_cache_drop (QueueCache *cache, QueueId id);
void queue_cache_clear (QueueCache *cache);
