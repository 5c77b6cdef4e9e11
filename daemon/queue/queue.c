/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The queue
 *
 * Its opening and closing, and what it says of itself.
 */

#include <errno.h>
#include <unistd.h>

#include "queue/indexing.h"
#include "queue/lock.h"
#include "queue/store.h"

G_DEFINE_QUARK (postern - queue - error, queue_error)

/* Content and snapshots of what just arrived. A message is dropped when it leaves, so that this fills up only while mail
 * comes faster than it goes. */
#define CACHE_MOST_BYTES (4 * 1024 * 1024)

/* Journals, and indexes of sealed generations, of some ten thousand messages: a tenth of a second. */
#define AT_ONCE_BYTES (8 * 1024 * 1024)

/* If the disk fails while more than that is read: as soon as after a failed sealing. */
#define RETRY_SECONDS 10

/* ---- Opening ---- */

static Queue *
queue_new (const gchar *directory, gint lock_fd, const QueueLimits *limits)
{
    Queue *queue = g_new0 (Queue, 1);

    queue->directory = g_strdup (directory);
    queue->lock_fd = lock_fd;
    queue->context = g_main_context_ref_thread_default ();
    queue->limits = *limits;
    queue->catalog = queue_catalog_new ();
    queue->index = queue_catalog_index (queue->catalog);
    queue->cache = queue_cache_new (CACHE_MOST_BYTES);
    queue->lanes = queue_lanes_new ();
    queue->works = g_hash_table_new (g_int64_hash, g_int64_equal);
    queue->shares = queue_shares_new ();
    queue->due_lanes = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
    queue->intakes = g_ptr_array_new ();
    queue->sweeps = g_ptr_array_new ();

    return queue;
}

/* What is little, or not to be had otherwise, is read at once. Returns: FALSE with an error; *@staged is %NULL if the rest
 * is to be read later */
static gboolean
look (const gchar *directory, const QueueStart *start, QueueGlance *glance, QueueStaged **staged, GError **error)
{
    *staged = NULL;
    if (!queue_glance (directory, glance, error))
        return FALSE;
    if (glance->bytes <= start->at_once_bytes || glance->damaged) {
        const QueueRecovery recovery = {.directory = directory, .newest = glance->last_generation};

        *staged = queue_stage (&recovery, error);
        return *staged != NULL;
    }

    return queue_glance_ids (directory, glance, error);
}

Queue *
queue_open_as (const gchar *directory, const QueueLimits *limits, const QueueStart *start, GError **error)
{
    QueueStaged *staged;
    QueueGlance glance;
    Queue *queue;
    gint lock_fd;

    if (g_mkdir_with_parents (directory, 0700) != 0) {
        g_set_error (error, QUEUE_ERROR, QUEUE_ERROR_IO, "cannot make the directory %s for the queue: %s", directory,
                     g_strerror (errno));
        return NULL;
    }
    lock_fd = queue_lock_directory (directory, error);
    if (lock_fd < 0)
        return NULL;
    if (!look (directory, start, &glance, &staged, error)) {
        close (lock_fd);
        return NULL;
    }

    queue = queue_new (directory, lock_fd, limits);
    queue->last_id = staged != NULL ? staged->recovered.last_id : glance.last_id;
    queue_store_start (queue, glance.last_generation);
    if (staged != NULL)
        queue_adopt (queue, staged);
    else
        queue_indexing_start (queue, &glance, start);

    return queue;
}

Queue *
queue_open (const gchar *directory, const QueueLimits *limits, GError **error)
{
    const QueueStart start = {.at_once_bytes = AT_ONCE_BYTES, .retry_seconds = RETRY_SECONDS};

    return queue_open_as (directory, limits, &start, error);
}

/* ---- Closing ---- */

static void
free_messages (Queue *queue)
{
    QueueEntry *entry = NULL;
    GHashTableIter iter;
    gpointer value;

    while ((entry = queue_index_after (queue->index, entry == NULL ? 0 : entry->id)) != NULL)
        queue_unsort_message (queue, entry);

    /* What deliveries still have was not settled in time, and is put back by that. */
    g_hash_table_iter_init (&iter, queue->works);
    while (g_hash_table_iter_next (&iter, NULL, &value))
        queue_work_abandon (value);
}

void
queue_close (Queue *queue)
{
    queue->closing = TRUE;
    while (queue->sweeps->len > 0)
        queue_sweep_stop (queue, g_ptr_array_index (queue->sweeps, 0));
    queue_store_stop (queue);
    queue_intakes_orphan (queue);
    queue_tell_all (queue);
    free_messages (queue);

    queue_lanes_free (queue->lanes);
    queue_cache_free (queue->cache);
    queue_catalog_free (queue->catalog);
    g_hash_table_unref (queue->works);
    queue_shares_free (queue->shares);
    g_hash_table_unref (queue->due_lanes);
    g_ptr_array_unref (queue->intakes);
    g_ptr_array_unref (queue->sweeps);
    g_main_context_unref (queue->context);
    close (queue->lock_fd);
    g_free (queue->directory);
    g_free (queue);
}

/* ---- What it says of itself ---- */

gboolean
queue_is_indexed (Queue *queue)
{
    return queue->indexing == NULL;
}

void
queue_set_limits (Queue *queue, const QueueLimits *limits)
{
    queue->limits = *limits;
    queue_writer_set_full (queue->writer, limits->generation_bytes);
}

void
queue_set_listener (Queue *queue, const QueueListener *listener, gpointer user_data)
{
    queue->listener = *listener;
    queue->listener_data = user_data;
}

static guint64
disk_bytes (Queue *queue)
{
    const GPtrArray *generations;
    guint64 bytes = 0;

    queue_catalog_lock (queue->catalog);
    generations = queue_catalog_generations (queue->catalog);
    for (guint i = 0; i < generations->len; i++)
        bytes += ((const QueueGeneration *) g_ptr_array_index (generations, i))->disk_bytes;
    queue_catalog_unlock (queue->catalog);

    return bytes;
}

void
queue_statistics (Queue *queue, QueueStatistics *statistics)
{
    const QueueTally *tally = &queue->tally;
    guint64 fresh_closed = queue_lanes_fresh_closed (queue->lanes);
    const QueueEntry *oldest = queue_index_after (queue->index, 0);

    *statistics = (QueueStatistics){.messages = queue_index_length (queue->index),
                                    .bytes = tally->bytes,
                                    .oldest_usec = oldest == NULL ? 0 : oldest->arrival_usec,
                                    .disk_bytes = disk_bytes (queue),
                                    .indexing = queue->indexing != NULL,
                                    .indexed_percent = 100,
                                    .trouble = queue->trouble};
    if (queue->indexing != NULL)
        statistics->indexed_percent = queue_indexing_percent (queue->indexing);
    statistics->by_state[QUEUE_STATE_QUEUED] = tally->fresh - fresh_closed;
    statistics->by_state[QUEUE_STATE_DELIVERING] = tally->taken;
    statistics->by_state[QUEUE_STATE_DEFERRED] = tally->deferred + fresh_closed;
    statistics->by_state[QUEUE_STATE_HELD] = tally->held;
}

gboolean
queue_owner (Queue *queue, QueueId id, gint64 *uid)
{
    const QueueEntry *entry = queue_index_find (queue->index, id);

    if (entry == NULL)
        return FALSE;
    *uid = queue_entry_uid (entry);

    return TRUE;
}
