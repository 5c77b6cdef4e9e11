/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * How a message shows
 *
 * What is stored of a message is what happened to it; what is shown follows from that and from what goes on: that a
 * delivery has it, or that the lane where it waits is closed. A lane with a hundred thousand messages closes and opens
 * without any of them being touched: those that were never tried are counted apart, for each lane, and show as their
 * first lane does.
 */

#include "queue/queue-private.h"
#include "queue/snapshot.h"

static const QueueLane *
closed_lane (const QueueEntry *entry)
{
    if (entry->waiting == NULL || !entry->waiting->lane->closed)
        return NULL;

    return entry->waiting->lane;
}

QueueState
queue_entry_shown_state (const QueueEntry *entry)
{
    if (entry->flags & QUEUE_ENTRY_TAKEN)
        return QUEUE_STATE_DELIVERING;
    if (entry->head.flags & QUEUE_HEAD_HELD || entry->flags & QUEUE_ENTRY_DAMAGED)
        return QUEUE_STATE_HELD;
    if (entry->head.flags & QUEUE_HEAD_DEFERRED || closed_lane (entry) != NULL)
        return QUEUE_STATE_DEFERRED;

    return QUEUE_STATE_QUEUED;
}

static void
tally_state (QueueTally *tally, const QueueEntry *entry, gint by)
{
    guint64 change = (guint64) (gint64) by;

    if (entry->flags & QUEUE_ENTRY_TAKEN) {
        tally->taken += change;
    } else if (entry->head.flags & QUEUE_HEAD_HELD || entry->flags & QUEUE_ENTRY_DAMAGED) {
        tally->held += change;
    } else if (entry->head.flags & QUEUE_HEAD_DEFERRED) {
        tally->deferred += change;
    } else {
        tally->fresh += change;
        if (entry->waiting != NULL)
            entry->waiting->lane->n_fresh += change;
    }
}

void
queue_tally (Queue *queue, const QueueEntry *entry, gint by)
{
    tally_state (&queue->tally, entry, by);
}

/* The last failure of a recipient that is still pending. (nullable) (transfer full) */
static gchar *
last_failure (const QueueMessage *message, gint64 *usec)
{
    const QueueRecipient *last = NULL;

    for (guint i = 0; i < message->recipients->len; i++) {
        const QueueRecipient *recipient = queue_message_recipient (message, i);

        if (recipient != last && recipient->state == QUEUE_RECIPIENT_PENDING && recipient->reply != NULL &&
            (last == NULL || recipient->last_usec > last->last_usec))
            last = recipient;
    }
    if (last == NULL)
        return NULL;
    *usec = last->last_usec;

    /* What was told of the connection names the remote already; a reply does not. */
    if (last->remote == NULL || strstr (last->reply, last->remote) != NULL)
        return g_strdup (last->reply);

    return g_strdup_printf ("%s: %s", last->remote, last->reply);
}

QueueMessage *
queue_view (const QueueEntry *entry, const QueueMessage *core)
{
    QueueMessage *view = queue_snapshot_copy (core);
    const QueueLane *closed = closed_lane (entry);
    gint64 failed_usec = 0;
    g_autofree gchar *failure = last_failure (core, &failed_usec);

    view->state = queue_entry_shown_state (entry);
    view->attempts = entry->head.attempts;
    view->next_usec = view->state == QUEUE_STATE_HELD ? 0 : entry->head.next_usec;
    if (view->state == QUEUE_STATE_DEFERRED && closed != NULL) {
        view->next_usec = MAX (view->next_usec, closed->until_usec);
        queue_snapshot_set_reason (view,
                                   failure == NULL || closed->closed_usec >= failed_usec ? closed->reason : failure);
    } else {
        queue_snapshot_set_reason (view, failure);
    }

    return view;
}

QueueMessage *
queue_view_unreadable (const QueueEntry *entry)
{
    const QueueOrigin origin = {.uid = queue_entry_uid (entry)};
    QueueMessage *view = queue_snapshot_take (entry->id, &origin, message_envelope_new (""));

    view->state = queue_entry_shown_state (entry);
    view->size = entry->size;
    view->arrival_usec = entry->arrival_usec;
    view->attempts = entry->head.attempts;
    queue_snapshot_set_reason (view, entry->flags & QUEUE_ENTRY_DAMAGED
                                         ? "the disk damaged its record: it can only be deleted"
                                         : "its record cannot be read: the disk is in trouble");

    return view;
}

QueueId
queue_next_id (Queue *queue)
{
    gint64 now = g_get_real_time ();

    queue->last_id = MAX (queue->last_id + 1, (QueueId) MAX (now, 1));
    if (queue->first_id == 0)
        queue->first_id = queue->last_id;

    return queue->last_id;
}

void
queue_enter (Queue *queue, QueueEntry *entry)
{
    queue_catalog_lock (queue->catalog);
    queue_index_insert (queue->index, entry);
    queue_catalog_unlock (queue->catalog);
    queue_count (&queue->tally, queue->shares, entry);
}

void
queue_count (QueueTally *tally, QueueShares *shares, const QueueEntry *entry)
{
    tally->bytes += entry->size;
    queue_shares_count (shares, queue_entry_owner (entry), entry->size, 1);
    tally_state (tally, entry, 1);
}

void
queue_forget (Queue *queue, QueueEntry *entry, guint32 removal_generation)
{
    queue_unsort_message (queue, entry);
    queue_tally (queue, entry, -1);
    queue->tally.bytes -= entry->size;
    queue_shares_count (queue->shares, queue_entry_owner (entry), entry->size, -1);
    queue_cache_drop (queue->cache, entry->id);
    queue_catalog_lock (queue->catalog);
    queue_catalog_remove (queue->catalog, entry, removal_generation);
    queue_catalog_unlock (queue->catalog);
}
