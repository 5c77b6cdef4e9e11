/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "queue/catalog.h"
#include "queue/item.h"

/*
 * What is read from the generations, put together into messages again. The catalog is locked, or the caller's alone.
 */
typedef struct {
    QueueCatalog *catalog;
    guint64 stored_bytes; /* all that the generations hold: set by the caller */
    guint32 generation;   /* that is being read: set by the caller, from the oldest to the newest */
    QueueId last_id;      /* the highest that was met */
    guint64 n_unreadable; /* records with a good checksum that make no sense */
    GHashTable *orphans;  /* of GArray of parts that wait for their message, by id */
} QueueReplay;

void queue_replay_init (QueueReplay *replay, QueueCatalog *catalog);
void queue_replay_clear (QueueReplay *replay);

/* What a sealed generation's index says. */
void queue_replay_item (QueueReplay *replay, const QueueItem *item);

/* A page of removals, or a journal's record of some. */
void queue_replay_removals (QueueReplay *replay, GBytes *payload);

/* A part itself, of a journal, or salvaged. @item: where it is, with its id and number; the rest is filled in */
void queue_replay_part (QueueReplay *replay, QueuePart part, QueueItem *item, GBytes *payload);

/* Of a salvaged page of an index, the heads: those that stand there alone, of messages that lie in another generation. */
void queue_replay_lone_heads (QueueReplay *replay, GBytes *page);

/**
 * queue_replay_find_damaged:
 * @has_damage: something could not be read
 *
 * Looks for messages that lost a part, marks them, and names them in the log; if there was damage, names also the messages
 * that parts were left of.
 *
 * Returns: how many messages lost a part
 */
guint64 queue_replay_find_damaged (QueueReplay *replay, gboolean has_damage);
