/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Indexing
 *
 * Mail is taken from the first moment on, however much lies in the directory. What lies there is read by a thread of its
 * own into a catalog of its own, from the oldest generation to the newest; when all of it is read, and only then, the
 * queue takes that catalog over in one step, which costs next to nothing (queue_catalog_adopt ()).
 *
 * So there is no half-known message: what a younger generation says of an older one's message is known before anybody
 * sees the message. Until then nobody can deliver, change or remove it, and no generation that is written meanwhile says
 * a word about it. The two catalogs have nothing in common: new messages have higher ids than all old ones, and new
 * generations higher numbers, both known from a glance before the first message is taken (glance.c). What recovery does
 * to the directory, it does to generations up to the last one that the glance saw; what a crash meanwhile leaves is
 * that and some younger journals, which read as they always do. The sealer rests meanwhile: it merges and drops by what the
 * catalog says, which has to be all.
 *
 * A queue of a usual size is not worth that: it is read before anything else, in a moment, and nobody ever sees it
 * unfinished. So is one with a damaged file, since damage may hide which ids were given.
 *
 * If the disk fails while it is read, that is a trouble like any other: it is tried again, from the beginning.
 */

#include "queue/indexing.h"
#include "queue/store.h"

/* A file system that failed may be back soon, or late: doubled each time up to this. */
#define RETRY_LONGEST_SECONDS 320

/* Bytes read are counted in these, for an atomic integer. */
#define UNIT_BYTES 4096

struct _QueueIndexing {
    Queue *queue;
    QueueGlance glance;
    QueueStart start;
    guint retry_seconds;
    GSource *retry;  /* (nullable) */
    GThread *thread; /* (nullable) */
    gint cancel;     /* atomic */
    gint units;      /* atomic: read so far, of UNIT_BYTES */

    /* What the thread made. */
    QueueStaged *staged; /* (nullable): with the error */
    GError *error;
};

/* ---- Reading ---- */

static void
count_staged (QueueStaged *staged)
{
    const QueueIndex *index = queue_catalog_index (staged->catalog);
    QueueEntry *entry = NULL;

    while ((entry = queue_index_after (index, entry == NULL ? 0 : entry->id)) != NULL) {
        if (entry->head.flags & QUEUE_HEAD_DOOMED)
            g_array_append_val (staged->doomed, entry->id);
        entry->head.flags &= ~(guint32) QUEUE_HEAD_DOOMED;
        queue_count (&staged->tally, staged->shares, entry);
    }
}

QueueStaged *
queue_stage (const QueueRecovery *recovery, GError **error)
{
    g_autoptr (QueueStaged) staged = g_new0 (QueueStaged, 1);

    staged->catalog = queue_catalog_new ();
    staged->shares = queue_shares_new ();
    staged->doomed = g_array_new (FALSE, FALSE, sizeof (QueueId));
    if (!queue_recover (recovery, staged->catalog, &staged->recovered, error))
        return NULL;
    count_staged (staged);

    return g_steal_pointer (&staged);
}

void
queue_staged_free (QueueStaged *staged)
{
    g_clear_pointer (&staged->catalog, queue_catalog_free);
    queue_shares_free (staged->shares);
    g_array_unref (staged->doomed);
    g_free (staged);
}

static gboolean
go_on (guint64 bytes, gpointer user_data)
{
    QueueIndexing *indexing = user_data;

    g_atomic_int_add (&indexing->units, (gint) (bytes / UNIT_BYTES));
    if (indexing->start.gate != NULL)
        indexing->start.gate (&indexing->cancel, indexing->start.gate_data);

    return !g_atomic_int_get (&indexing->cancel);
}

static void hear_staged (gpointer data, gpointer user_data);

static gpointer
indexing_thread (gpointer data)
{
    QueueIndexing *indexing = data;
    const QueueRecovery recovery = {.directory = indexing->queue->directory,
                                    .newest = indexing->glance.last_generation,
                                    .go_on = go_on,
                                    .user_data = indexing};

    g_atomic_int_set (&indexing->units, 0);
    indexing->staged = queue_stage (&recovery, &indexing->error);
    queue_mailbox_post (indexing->queue->mailbox, hear_staged, indexing, NULL);

    return NULL;
}

/* ---- Into the queue ---- */

void
queue_adopt (Queue *queue, QueueStaged *staged)
{
    const QueueFilter doomed = {
        .ids = (QueueId *) (gpointer) staged->doomed->data, .n_ids = staged->doomed->len, .state = -1, .uid = -1};

    queue_catalog_lock (queue->catalog);
    queue_catalog_adopt (queue->catalog, g_steal_pointer (&staged->catalog));
    queue_catalog_unlock (queue->catalog);
    queue->tally.taken += staged->tally.taken;
    queue->tally.held += staged->tally.held;
    queue->tally.deferred += staged->tally.deferred;
    queue->tally.fresh += staged->tally.fresh;
    queue->tally.bytes += staged->tally.bytes;
    queue_shares_add (queue->shares, staged->shares);
    queue->last_id = MAX (queue->last_id, staged->recovered.last_id);
    if (queue->route != NULL)
        queue_sort_all (queue);
    if (staged->doomed->len > 0)
        queue_act (queue, QUEUE_ACTION_DELETE, &doomed, NULL, NULL);
    queue_staged_free (staged);
}

static void
indexing_free (QueueIndexing *indexing)
{
    indexing->queue->indexing = NULL;
    if (indexing->retry != NULL)
        g_source_destroy (indexing->retry);
    g_clear_pointer (&indexing->retry, g_source_unref);
    g_clear_pointer (&indexing->staged, queue_staged_free);
    g_clear_error (&indexing->error);
    g_free (indexing);
}

static gboolean
read_again (gpointer user_data)
{
    QueueIndexing *indexing = user_data;

    g_clear_pointer (&indexing->retry, g_source_unref);
    indexing->thread = g_thread_new ("queue-indexing", indexing_thread, indexing);

    return G_SOURCE_REMOVE;
}

static void
put_off (QueueIndexing *indexing)
{
    g_prefix_error (&indexing->error, "the mail of before the start cannot be read: ");
    queue_set_index_trouble (indexing->queue, indexing->error);
    g_clear_error (&indexing->error);
    indexing->retry = g_timeout_source_new_seconds (indexing->retry_seconds);
    g_source_set_callback (indexing->retry, read_again, indexing, NULL);
    g_source_attach (indexing->retry, indexing->queue->context);
    indexing->retry_seconds = MIN (indexing->retry_seconds * 2, RETRY_LONGEST_SECONDS);
}

/* New messages were given ids on the glance's word: if that was wrong, the two do not make one queue. */
static void
check_ids (QueueIndexing *indexing)
{
    QueueId first = indexing->queue->first_id;

    if (indexing->staged == NULL || first == 0 || indexing->staged->recovered.last_id < first)
        return;
    g_clear_pointer (&indexing->staged, queue_staged_free);
    g_set_error_literal (&indexing->error, QUEUE_ERROR, QUEUE_ERROR_DAMAGED,
                         "there are ids in it that have been given anew");
}

static void
hear_staged (gpointer data, gpointer user_data)
{
    QueueIndexing *indexing = data;
    Queue *queue = indexing->queue;
    QueueStaged *staged;

    if (indexing->thread != NULL)
        g_thread_join (g_steal_pointer (&indexing->thread));
    check_ids (indexing);
    if (!queue->closing && indexing->staged == NULL) {
        put_off (indexing);
        return;
    }
    staged = queue->closing ? NULL : g_steal_pointer (&indexing->staged);
    indexing_free (indexing);
    if (staged == NULL)
        return;
    queue_adopt (queue, staged);
    queue_store_indexed (queue);
    queue_set_index_trouble (queue, NULL);
    if (queue->listener.indexed != NULL)
        queue->listener.indexed (queue->listener_data);
}

/* ---- Starting and stopping ---- */

void
queue_indexing_start (Queue *queue, const QueueGlance *glance, const QueueStart *start)
{
    QueueIndexing *indexing = g_new0 (QueueIndexing, 1);

    indexing->queue = queue;
    indexing->glance = *glance;
    indexing->start = *start;
    indexing->retry_seconds = start->retry_seconds;
    queue->indexing = indexing;
    indexing->thread = g_thread_new ("queue-indexing", indexing_thread, indexing);
}

void
queue_indexing_stop (Queue *queue)
{
    QueueIndexing *indexing = queue->indexing;

    if (indexing == NULL)
        return;
    g_atomic_int_set (&indexing->cancel, TRUE);
    if (indexing->thread != NULL)
        g_thread_join (g_steal_pointer (&indexing->thread));
    else
        indexing_free (indexing);
}

guint
queue_indexing_percent (const QueueIndexing *indexing)
{
    guint64 bytes = (guint64) g_atomic_int_get (&indexing->units) * UNIT_BYTES;

    /* What is read is counted as it comes, what there is by the files: the two do not agree to the byte. */
    return (guint) MIN (bytes * 100 / MAX (indexing->glance.bytes, 1), 99);
}
