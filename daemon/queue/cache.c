/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The cache
 *
 * The least recently used goes first. A message that left the queue is dropped by whoever removed it, so that what is
 * in here is mostly what is just being delivered.
 */

#include "queue/cache.h"
#include "queue/snapshot.h"

typedef struct {
    QueueId id;
    QueueMessage *message;
    GBytes *content; /* (nullable) */
    gsize bytes;
    GList link; /* in the order of use, the latest first */
} Cached;

struct _QueueCache {
    gsize most_bytes;
    gsize bytes;
    GHashTable *table; /* of Cached by id */
    GQueue order;
};

static void
cached_free (gpointer data)
{
    Cached *cached = data;

    queue_message_unref (cached->message);
    g_clear_pointer (&cached->content, g_bytes_unref);
    g_free (cached);
}

QueueCache *
queue_cache_new (gsize most_bytes)
{
    QueueCache *cache = g_new0 (QueueCache, 1);

    cache->most_bytes = most_bytes;
    cache->table = g_hash_table_new_full (g_int64_hash, g_int64_equal, NULL, cached_free);
    g_queue_init (&cache->order);

    return cache;
}

void
queue_cache_free (QueueCache *cache)
{
    g_hash_table_unref (cache->table);
    g_free (cache);
}

static void
drop (QueueCache *cache, Cached *cached)
{
    cache->bytes -= cached->bytes;
    g_queue_unlink (&cache->order, &cached->link);
    g_hash_table_remove (cache->table, &cached->id);
}

static Cached *
use (QueueCache *cache, QueueId id)
{
    Cached *cached = g_hash_table_lookup (cache->table, &id);

    if (cached == NULL)
        return NULL;
    g_queue_unlink (&cache->order, &cached->link);
    g_queue_push_head_link (&cache->order, &cached->link);

    return cached;
}

void
queue_cache_put (QueueCache *cache, QueueMessage *message, GBytes *content)
{
    Cached *cached = use (cache, message->id);

    if (cached == NULL) {
        cached = g_new0 (Cached, 1);
        cached->id = message->id;
        cached->link.data = cached;
        g_hash_table_insert (cache->table, &cached->id, cached);
        g_queue_push_head_link (&cache->order, &cached->link);
    } else {
        queue_message_unref (cached->message);
    }
    cached->message = queue_message_ref (message);
    if (content != NULL && cached->content == NULL)
        cached->content = g_bytes_ref (content);

    cache->bytes -= cached->bytes;
    cached->bytes = queue_snapshot_bytes (message) + sizeof *cached;
    if (cached->content != NULL)
        cached->bytes += g_bytes_get_size (cached->content);
    cache->bytes += cached->bytes;
    while (cache->bytes > cache->most_bytes)
        drop (cache, g_queue_peek_tail (&cache->order));
}

QueueMessage *
queue_cache_message (QueueCache *cache, QueueId id)
{
    Cached *cached = use (cache, id);

    return cached == NULL ? NULL : cached->message;
}

GBytes *
queue_cache_content (QueueCache *cache, QueueId id)
{
    Cached *cached = use (cache, id);

    return cached == NULL ? NULL : cached->content;
}

void
queue_cache_drop (QueueCache *cache, QueueId id)
{
    Cached *cached = g_hash_table_lookup (cache->table, &id);

    if (cached != NULL)
        drop (cache, cached);
}

void
queue_cache_clear (QueueCache *cache)
{
    g_queue_init (&cache->order);
    g_hash_table_remove_all (cache->table);
    cache->bytes = 0;
}
