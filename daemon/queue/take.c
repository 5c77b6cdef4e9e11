/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Jobs out of the lanes
 *
 * A job that is taken is in nobody's lane and in no other delivery's hands until it is settled; the message's
 * content of the index is read if it is not in memory, which is when the taker is called later instead of now.
 */

#include "queue/hand.h"

/* A call of queue_take_old () looks at so many messages at most: it is made again and again. */
#define OLD_LOOKED_AT_MOST 10000

/* A message that could not be read because the disk was away. */
#define READ_AGAIN_SECONDS 60

void
queue_hand_free (QueueHand *hand)
{
    g_free (hand->job.recipients);
    g_free (hand->job.lane);
    g_free (hand->recipients);
    g_clear_pointer (&hand->job.message, queue_message_unref);
    g_free (hand);
}

void
queue_hand_end (Queue *queue, QueueHand *hand)
{
    QueueWork *work = hand->work;

    g_ptr_array_remove_fast (work->hands, hand);
    queue_hand_free (hand);
    if (work->entry != NULL && work->hands->len == 0) {
        queue_tally (queue, work->entry, -1);
        work->entry->flags &= (guint16) ~QUEUE_ENTRY_TAKEN;
        queue_tally (queue, work->entry, 1);
    }
    queue_work_put (queue, work);
}

/* Which of the job's recipients are pending. */
static void
fill_recipients (QueueHand *hand)
{
    const QueueMessage *core = hand->work->core;
    guint n = hand->recipients == NULL ? core->recipients->len : hand->n_recipients;

    hand->job.recipients = g_new (guint, n);
    for (guint i = 0; i < n; i++) {
        guint index = hand->recipients == NULL ? i : hand->recipients[i];

        if (index < core->recipients->len && queue_message_recipient (core, index)->state == QUEUE_RECIPIENT_PENDING)
            hand->job.recipients[hand->job.n_recipients++] = index;
    }
}

/* A hand with the queue that it is taken from, while the message is read. */
typedef struct {
    Queue *queue;
    QueueHand *hand;
} Taking;

/* The message could not be read. If that is for good, nobody gets it; if the disk was away, it waits for a while. */
static void
give_up (Queue *queue, QueueHand *hand, const GError *error)
{
    QueueWork *work = hand->work;
    QueueEntry *entry = work->entry;
    g_autofree gchar *lane = g_strdup (hand->job.lane);
    g_autofree guint *recipients = g_steal_pointer (&hand->recipients);
    guint n_recipients = hand->n_recipients;
    gboolean damaged = g_error_matches (error, QUEUE_ERROR, QUEUE_ERROR_DAMAGED);

    if (damaged)
        queue_set_damaged (queue, entry, error);
    work->references++;
    queue_hand_end (queue, hand);
    if (work->head.flags & QUEUE_HEAD_DOOMED && work->hands->len == 0) {
        queue_remove (queue, work, NULL);
    } else if (!damaged && (work->head.flags & QUEUE_HEAD_HELD) == 0) {
        queue_tally (queue, entry, -1);
        queue_lane_add (queue_lanes_get (queue->lanes, lane), entry,
                        g_get_real_time () + READ_AGAIN_SECONDS * G_USEC_PER_SEC, g_steal_pointer (&recipients),
                        n_recipients);
        queue_tally (queue, entry, 1);
    }
    queue_work_put (queue, work);
}

static void
core_there (QueueWork *work, const GError *error, gpointer user_data)
{
    g_autofree Taking *taking = user_data;
    Queue *queue = taking->queue;
    QueueHand *hand = taking->hand;
    QueueTaken taken = hand->taken;
    gpointer taken_data = hand->user_data;

    if (queue->closing) {
        queue_hand_end (queue, hand);
        taken (NULL, taken_data);
    } else if (error != NULL) {
        give_up (queue, hand, error);
        taken (NULL, taken_data);
    } else {
        fill_recipients (hand);
        hand->job.message = queue_view (work->entry, work->core);
        taken (&hand->job, taken_data);
    }
}

static void
take_waiting (Queue *queue, QueueWaiting *waiting, QueueTaken taken, gpointer user_data)
{
    QueueHand *hand = g_new0 (QueueHand, 1);
    QueueEntry *entry = waiting->entry;
    Taking *taking = g_new0 (Taking, 1);

    hand->work = queue_work_get (queue, entry);
    hand->job.lane = g_strdup (waiting->lane->name);
    hand->due_usec = waiting->item.key;
    hand->flags = hand->work->head.flags;
    hand->recipients = g_steal_pointer (&waiting->recipients);
    hand->n_recipients = waiting->n_recipients;
    hand->taken = taken;
    hand->user_data = user_data;
    g_ptr_array_add (hand->work->hands, hand);

    queue_tally (queue, entry, -1);
    queue_lane_remove (queue->lanes, waiting);
    entry->flags |= QUEUE_ENTRY_TAKEN;
    queue_tally (queue, entry, 1);
    queue_waiting_free (waiting);

    taking->queue = queue;
    taking->hand = hand;
    queue_work_load (queue, hand->work, core_there, taking);
}

gboolean
queue_take (Queue *queue, const gchar *name, gint64 now_usec, QueueTaken taken, gpointer user_data)
{
    QueueLane *lane = queue_lanes_find (queue->lanes, name);
    QueueWaiting *waiting = lane == NULL ? NULL : queue_lane_next (lane, now_usec);

    if (waiting == NULL || !queue_may_take (queue))
        return FALSE;
    take_waiting (queue, waiting, taken, user_data);

    return TRUE;
}

guint
queue_take_old (Queue *queue, gint64 arrival_usec, guint most, QueueTaken taken, gpointer user_data)
{
    guint n_taken = 0;

    for (guint i = 0; i < OLD_LOOKED_AT_MOST && n_taken < most && queue_may_take (queue); i++) {
        QueueEntry *entry = queue_index_after (queue->index, queue->old_cursor);

        /* Ids are times of arrival too, but never later ones than the message's. */
        if (entry == NULL || ((gint64) entry->id >= arrival_usec && entry->arrival_usec >= arrival_usec)) {
            queue->old_cursor = 0;
            break;
        }
        queue->old_cursor = entry->id;
        while (entry->arrival_usec < arrival_usec && entry->waiting != NULL && n_taken < most) {
            take_waiting (queue, entry->waiting, taken, user_data);
            n_taken++;
        }
    }

    return n_taken;
}
