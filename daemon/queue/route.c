/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Into the lanes
 *
 * The rooms above say which way each recipient's mail goes; here the pending recipients of a message become jobs, one
 * for each lane, nearly always one. A recipient that waits in a lane, or that a delivery has, is left alone, so that
 * this can be done again whenever something came back.
 *
 * When the routes change, all messages are sorted anew in slices; until its turn comes a message waits where it was.
 */

#include <string.h>

#include "queue/queue-private.h"

/* Recipients of a message that have no job, by the lane that they belong to. */
typedef struct {
    gchar *name;
    GArray *recipients; /* of guint */
} Way;

static void
way_clear (gpointer data)
{
    Way *way = data;

    g_free (way->name);
    g_array_unref (way->recipients);
}

static void
mark (guint8 *covered, const guint *recipients, guint n_recipients)
{
    for (guint i = 0; i < n_recipients; i++)
        covered[recipients[i]] = TRUE;
}

/* Which recipients wait or are in hand. Returns: (transfer full): NULL if none */
static guint8 *
covered_recipients (Queue *queue, QueueEntry *entry)
{
    const QueueWork *work = queue_work_find (queue, entry);
    guint8 *covered;

    if (entry->waiting == NULL && (work == NULL || work->hands->len == 0))
        return NULL;
    covered = g_new0 (guint8, entry->n_recipients);
    for (const QueueWaiting *waiting = entry->waiting; waiting != NULL; waiting = waiting->next) {
        if (waiting->recipients == NULL)
            memset (covered, TRUE, entry->n_recipients);
        else
            mark (covered, waiting->recipients, waiting->n_recipients);
    }
    for (guint i = 0; work != NULL && i < work->hands->len; i++) {
        const QueueHand *hand = g_ptr_array_index (work->hands, i);

        if (hand->job.recipients != NULL)
            mark (covered, hand->job.recipients, hand->job.n_recipients);
        else if (hand->recipients != NULL)
            mark (covered, hand->recipients, hand->n_recipients);
        else
            memset (covered, TRUE, entry->n_recipients);
    }

    return covered;
}

static Way *
way_at (GArray *ways, guint position)
{
    return &g_array_index (ways, Way, position);
}

/* The way with that name, made if need be. One way is what nearly all messages have, and the way of the recipient before
 * what nearly all of the others ask for; only what is beyond that costs a table. */
static Way *
get_way (GArray *ways, GHashTable **positions, const gchar *name)
{
    Way way = {.name = NULL};
    gpointer position;

    if (ways->len > 0 && g_str_equal (way_at (ways, ways->len - 1)->name, name))
        return way_at (ways, ways->len - 1);
    if (ways->len > 0 && *positions == NULL) {
        *positions = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
        g_hash_table_insert (*positions, g_strdup (way_at (ways, 0)->name), GUINT_TO_POINTER (0));
    }
    if (*positions != NULL && g_hash_table_lookup_extended (*positions, name, NULL, &position))
        return way_at (ways, GPOINTER_TO_UINT (position));

    if (*positions != NULL)
        g_hash_table_insert (*positions, g_strdup (name), GUINT_TO_POINTER (ways->len));
    way.name = g_strdup (name);
    way.recipients = g_array_new (FALSE, FALSE, sizeof (guint));
    g_array_append_val (ways, way);

    return way_at (ways, ways->len - 1);
}

static GArray *
find_ways (Queue *queue, const QueueMessage *core, QueueHints hints, const guint8 *covered)
{
    GArray *ways = g_array_new (FALSE, FALSE, sizeof (Way));
    g_autoptr (GHashTable) positions = NULL;

    g_array_set_clear_func (ways, way_clear);
    for (guint i = 0; i < core->recipients->len; i++) {
        const gchar *name;

        if (queue_message_recipient (core, i)->state != QUEUE_RECIPIENT_PENDING || (covered != NULL && covered[i]))
            continue;
        name = queue->route (core, i, hints, queue->route_data);
        g_array_append_val (get_way (ways, &positions, name)->recipients, i);
    }

    return ways;
}

static QueueHints
hints_of (const QueueHead *head)
{
    return ((head->flags & QUEUE_HEAD_RELEASED) != 0 ? QUEUE_HINT_RELEASED : 0) |
           ((head->flags & QUEUE_HEAD_BOUNCED) != 0 ? QUEUE_HINT_BOUNCED : 0);
}

/* Mail that is due at once stands in the order of arrival; what somebody asked for keeps its place before it. */
static gint64
due_key (const QueueEntry *entry, gint64 next_usec)
{
    return next_usec != 0 ? next_usec : entry->arrival_usec;
}

/* Puts those that are not covered into their lanes. @covered: (nullable) */
static void
sort_uncovered (Queue *queue, QueueEntry *entry, const QueueMessage *core, const guint8 *covered, gint64 next_usec)
{
    g_autoptr (GArray) ways = NULL;

    if (queue->route == NULL || entry->head.flags & (QUEUE_HEAD_HELD | QUEUE_HEAD_DOOMED) ||
        entry->flags & QUEUE_ENTRY_DAMAGED)
        return;

    ways = find_ways (queue, core, hints_of (&entry->head), covered);
    queue_tally (queue, entry, -1);
    for (guint i = 0; i < ways->len; i++) {
        const Way *way = way_at (ways, i);
        QueueLane *lane = queue_lanes_get (queue->lanes, way->name);
        gboolean all = ways->len == 1 && covered == NULL;
        guint n = way->recipients->len;
        guint *recipients = all ? NULL : g_memdup2 (way->recipients->data, n * sizeof (guint));

        if (queue_lane_add (lane, entry, due_key (entry, next_usec), recipients, all ? 0 : n))
            queue_tell_due (queue, lane);
    }
    queue_tally (queue, entry, 1);
}

void
queue_sort_message (Queue *queue, QueueEntry *entry, const QueueMessage *core, gint64 next_usec)
{
    g_autofree guint8 *covered = covered_recipients (queue, entry);

    sort_uncovered (queue, entry, core, covered, next_usec);
}

void
queue_sort_recipients (Queue *queue, QueueEntry *entry, const QueueMessage *core, const guint *recipients,
                       guint n_recipients, gint64 next_usec)
{
    g_autofree guint8 *elsewhere = covered_recipients (queue, entry);
    g_autofree guint8 *covered = g_malloc (entry->n_recipients);

    memset (covered, TRUE, entry->n_recipients);
    for (guint i = 0; i < n_recipients; i++)
        covered[recipients[i]] = elsewhere != NULL && elsewhere[recipients[i]];
    sort_uncovered (queue, entry, core, covered, next_usec);
}

void
queue_unsort_message (Queue *queue, QueueEntry *entry)
{
    queue_tally (queue, entry, -1);
    while (entry->waiting != NULL) {
        QueueWaiting *waiting = entry->waiting;

        queue_lane_remove (queue->lanes, waiting);
        queue_waiting_free (waiting);
    }
    queue_tally (queue, entry, 1);
}

/* ---- Telling ---- */

static void
hear_due (gpointer data, gpointer user_data)
{
    Queue *queue = user_data;
    g_autoptr (GHashTable) lanes = g_steal_pointer (&queue->due_lanes);
    GHashTableIter iter;
    gpointer name;

    queue->due_lanes = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
    if (queue->listener.due == NULL || queue->closing)
        return;
    g_hash_table_iter_init (&iter, lanes);
    while (g_hash_table_iter_next (&iter, &name, NULL))
        queue->listener.due (name, queue->listener_data);
}

void
queue_tell_due (Queue *queue, const QueueLane *lane)
{
    if (g_hash_table_contains (queue->due_lanes, lane->name))
        return;
    if (g_hash_table_size (queue->due_lanes) == 0)
        queue_mailbox_post (queue->mailbox, hear_due, NULL, queue);
    g_hash_table_add (queue->due_lanes, g_strdup (lane->name));
}

/* The message as it stands for those of its recipients that wait in a closed lane: with the lane's failure as theirs. */
static void
tell_closed_job (Queue *queue, const QueueMessage *view, const QueueWaiting *waiting)
{
    const QueueLane *lane = waiting->lane;
    const QueueRecipient result = {.state = QUEUE_RECIPIENT_PENDING,
                                   .remote = lane->remote,
                                   .status = lane->status,
                                   .reply = lane->reason,
                                   .is_ours = TRUE};
    guint n = waiting->recipients == NULL ? view->recipients->len : waiting->n_recipients;
    g_autofree guint *pending = g_new (guint, n);
    guint n_pending = 0;

    for (guint i = 0; i < n; i++) {
        guint index = waiting->recipients == NULL ? i : waiting->recipients[i];

        if (queue_message_recipient (view, index)->state == QUEUE_RECIPIENT_PENDING)
            pending[n_pending++] = index;
    }
    queue_emit_alike (queue, QUEUE_EVENT_DEFERRED, view, pending, n_pending, &result);
}

void
queue_tell_closed (Queue *queue, const QueueEntry *entry, const QueueMessage *core)
{
    if (queue->listener.event == NULL)
        return;
    for (const QueueWaiting *waiting = entry->waiting; waiting != NULL; waiting = waiting->next) {
        if (waiting->lane->closed) {
            g_autoptr (QueueMessage) view = queue_view (entry, core);

            tell_closed_job (queue, view, waiting);
        }
    }
}

/* ---- The routes changed ---- */

static gboolean
sort_visit (QueueEntry *entry, QueueMessage *core, gpointer user_data)
{
    Queue *queue = user_data;

    if (core == NULL) {
        queue->sort_again |= (entry->flags & QUEUE_ENTRY_DAMAGED) == 0;
        return TRUE;
    }
    queue_unsort_message (queue, entry);
    queue_sort_message (queue, entry, core, entry->head.next_usec);

    return TRUE;
}

static void
sort_done (QueueId next, gpointer user_data)
{
    Queue *queue = user_data;

    queue->sorting = NULL;
    if (queue->sort_again && !queue->closing)
        queue_start_ticking (queue);
}

void
queue_sort_all (Queue *queue)
{
    const QueueSweepFuncs funcs = {.load = TRUE, .visit = sort_visit, .done = sort_done};
    const QueueFilter all = QUEUE_FILTER_ALL;

    queue->sort_again = FALSE;
    if (queue->sorting != NULL)
        queue_sweep_stop (queue, queue->sorting);
    if (queue->route != NULL)
        queue->sorting = queue_sweep_start (queue, &all, 0, &funcs, queue);
}

void
queue_set_route (Queue *queue, QueueRoute route, gpointer user_data)
{
    queue->route = route;
    queue->route_data = user_data;
    queue_sort_all (queue);
}

/* ---- Lanes as the rooms above see them ---- */

GStrv
queue_lanes (Queue *queue)
{
    return queue_lanes_names (queue->lanes);
}

gint64
queue_lane_due (Queue *queue, const gchar *name)
{
    QueueLane *lane = queue_lanes_find (queue->lanes, name);

    return lane == NULL ? G_MAXINT64 : queue_lane_first_due (lane);
}

void
queue_lane_close (Queue *queue, const gchar *name, const gchar *remote, const gchar *status, const gchar *reason,
                  gint64 until_usec)
{
    queue_lane_set_closed (queue_lanes_get (queue->lanes, name), remote, status, reason, g_get_real_time (),
                           until_usec);
}

void
queue_lane_open (Queue *queue, const gchar *name)
{
    QueueLane *lane = queue_lanes_find (queue->lanes, name);

    if (lane == NULL || !lane->closed)
        return;
    if (lane->n_waiting > 0)
        queue_tell_due (queue, lane);
    queue_lane_set_open (queue->lanes, lane);
}
