/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Messages that something is being done with
 *
 * The index holds what is durable. While records of a message are on their way to the disk, or a delivery has some of
 * its recipients, there is a QueueWork beside the entry with the message as it will be: the next change starts from
 * that one, so that two deliveries of one message, or a person who holds it meanwhile, do not undo each other's work.
 * When nothing refers to the work any more it is dropped.
 */

#include "queue/hand.h"

typedef struct {
    QueueWorkLoaded loaded;
    gpointer user_data;
} Load;

QueueWork *
queue_work_find (Queue *queue, const QueueEntry *entry)
{
    if ((entry->flags & QUEUE_ENTRY_BUSY) == 0)
        return NULL;

    return g_hash_table_lookup (queue->works, &entry->id);
}

QueueWork *
queue_work_get (Queue *queue, QueueEntry *entry)
{
    QueueWork *work = queue_work_find (queue, entry);

    if (work == NULL) {
        work = g_new0 (QueueWork, 1);
        work->entry = entry;
        work->head = entry->head;
        work->hands = g_ptr_array_new ();
        work->loads = g_array_new (FALSE, FALSE, sizeof (Load));
        entry->flags |= QUEUE_ENTRY_BUSY;
        g_hash_table_insert (queue->works, &entry->id, work);
    }
    work->references++;

    return work;
}

static void
work_free (QueueWork *work)
{
    g_clear_pointer (&work->core, queue_message_unref);
    g_ptr_array_unref (work->hands);
    g_array_unref (work->loads);
    g_free (work);
}

void
queue_work_abandon (QueueWork *work)
{
    for (guint i = 0; i < work->hands->len; i++)
        queue_hand_free (g_ptr_array_index (work->hands, i));
    work_free (work);
}

void
queue_work_put (Queue *queue, QueueWork *work)
{
    if (--work->references > 0)
        return;
    if (work->entry != NULL) {
        g_hash_table_remove (queue->works, &work->entry->id);
        work->entry->flags &= (guint16) ~QUEUE_ENTRY_BUSY;
    }
    work_free (work);
}

/* One load of a work, with the queue that it belongs to. */
typedef struct {
    Queue *queue;
    QueueWork *work;
} Loading;

static void
core_loaded (GArray *loaded, gpointer user_data)
{
    g_autofree Loading *loading = user_data;
    QueueWork *work = loading->work;
    QueueLoaded *first = &g_array_index (loaded, QueueLoaded, 0);
    g_autoptr (GArray) loads = g_steal_pointer (&work->loads);

    work->loads = g_array_new (FALSE, FALSE, sizeof (Load));
    if (first->message != NULL) {
        work->core = queue_message_ref (first->message);
        queue_cache_put (loading->queue->cache, work->core, NULL);
    }
    for (guint i = 0; i < loads->len; i++) {
        const Load *load = &g_array_index (loads, Load, i);

        load->loaded (work, first->error, load->user_data);
    }
    queue_work_put (loading->queue, work);
}

void
queue_work_load (Queue *queue, QueueWork *work, QueueWorkLoaded loaded, gpointer user_data)
{
    const Load load = {.loaded = loaded, .user_data = user_data};
    QueueMessage *cached;

    if (work->core == NULL && (cached = queue_cache_message (queue->cache, work->entry->id)) != NULL)
        work->core = queue_message_ref (cached);
    if (work->core != NULL) {
        loaded (work, NULL, user_data);
        return;
    }

    g_array_append_val (work->loads, load);
    if (work->loads->len == 1) {
        g_autoptr (GPtrArray) entries = g_ptr_array_new ();
        Loading *loading = g_new0 (Loading, 1);

        loading->queue = queue;
        loading->work = work;
        work->references++;
        g_ptr_array_add (entries, work->entry);
        queue_loader_messages (queue->loader, entries, core_loaded, loading);
    }
}

void
queue_set_damaged (Queue *queue, QueueEntry *entry, const GError *error)
{
    gchar id[QUEUE_ID_TEXT_BYTES];

    if (entry->flags & QUEUE_ENTRY_DAMAGED || queue->closing)
        return;
    queue_id_write (entry->id, id);
    g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_WARNING, "POSTERN_QUEUE_ID", id, "MESSAGE",
                      "message %s is damaged on the disk and will not be delivered: %s", id, error->message);
    queue_unsort_message (queue, entry);
    queue_tally (queue, entry, -1);
    entry->flags |= QUEUE_ENTRY_DAMAGED;
    queue_tally (queue, entry, 1);
}
