/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * A lane
 *
 * Each user's jobs wait in a heap of their own, the first due on top. The users whose first job is due stand in a queue
 * and are served in turn, one job each; the others stand in a heap by when they will have one. So ten thousand jobs
 * of one user are passed by another's single job, and nothing costs more than the logarithm of anything.
 *
 * Users are the local users who submitted; everything that came over TCP, and the relay's own notices, is one user.
 */

#include "queue/lane.h"

typedef struct {
    QueueHeapItem item; /* in the lane's heap of users; key: as that of its first job */
    guint32 uid;
    GPtrArray *jobs; /* heap of QueueWaiting */
    GList *ready;    /* (nullable) where it stands in the queue; NULL: it is in the heap of users */
} LaneUser;

struct _QueueLanes {
    GHashTable *lanes; /* of QueueLane by name */
};

static void
user_free (gpointer data)
{
    LaneUser *user = data;

    g_ptr_array_unref (user->jobs);
    g_free (user);
}

static void
lane_free (gpointer data)
{
    QueueLane *lane = data;

    g_queue_clear (&lane->ready);
    g_ptr_array_unref (lane->later);
    g_hash_table_unref (lane->users);
    g_free (lane->name);
    g_free (lane->remote);
    g_free (lane->status);
    g_free (lane->reason);
    g_free (lane);
}

QueueLanes *
queue_lanes_new (void)
{
    QueueLanes *lanes = g_new0 (QueueLanes, 1);

    lanes->lanes = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, lane_free);

    return lanes;
}

void
queue_lanes_free (QueueLanes *lanes)
{
    g_hash_table_unref (lanes->lanes);
    g_free (lanes);
}

QueueLane *
queue_lanes_find (QueueLanes *lanes, const gchar *name)
{
    return g_hash_table_lookup (lanes->lanes, name);
}

QueueLane *
queue_lanes_get (QueueLanes *lanes, const gchar *name)
{
    QueueLane *lane = queue_lanes_find (lanes, name);

    if (lane != NULL)
        return lane;

    lane = g_new0 (QueueLane, 1);
    lane->name = g_strdup (name);
    lane->users = g_hash_table_new_full (NULL, NULL, NULL, user_free);
    lane->later = g_ptr_array_new ();
    g_queue_init (&lane->ready);
    g_hash_table_insert (lanes->lanes, lane->name, lane);

    return lane;
}

GStrv
queue_lanes_names (QueueLanes *lanes)
{
    GPtrArray *names = g_ptr_array_new ();
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init (&iter, lanes->lanes);
    while (g_hash_table_iter_next (&iter, NULL, &value)) {
        const QueueLane *lane = value;

        if (lane->n_waiting > 0)
            g_ptr_array_add (names, g_strdup (lane->name));
    }
    g_ptr_array_add (names, NULL);

    return (GStrv) g_ptr_array_free (names, FALSE);
}

guint64
queue_lanes_fresh_closed (QueueLanes *lanes)
{
    guint64 n = 0;
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init (&iter, lanes->lanes);
    while (g_hash_table_iter_next (&iter, NULL, &value)) {
        const QueueLane *lane = value;

        if (lane->closed)
            n += lane->n_fresh;
    }

    return n;
}

static void
drop_if_unused (QueueLanes *lanes, QueueLane *lane)
{
    if (lane->n_waiting == 0 && !lane->closed)
        g_hash_table_remove (lanes->lanes, lane->name);
}

static LaneUser *
get_user (QueueLane *lane, guint32 uid)
{
    LaneUser *user = g_hash_table_lookup (lane->users, GUINT_TO_POINTER (uid));

    if (user == NULL) {
        user = g_new0 (LaneUser, 1);
        user->uid = uid;
        user->jobs = g_ptr_array_new ();
        g_hash_table_insert (lane->users, GUINT_TO_POINTER (uid), user);
    }

    return user;
}

/* Takes a user out of the queue or the heap that it stands in. */
static void
user_leave (QueueLane *lane, LaneUser *user)
{
    if (user->ready != NULL)
        g_queue_delete_link (&lane->ready, user->ready);
    else
        queue_heap_remove (lane->later, &user->item);
    user->ready = NULL;
}

/* Puts a user who stands nowhere into the heap, or forgets one without jobs. */
static void
user_wait (QueueLane *lane, LaneUser *user)
{
    const QueueHeapItem *first = queue_heap_peek (user->jobs);

    if (first == NULL) {
        g_hash_table_remove (lane->users, GUINT_TO_POINTER (user->uid));
        return;
    }
    user->item.key = first->key;
    queue_heap_push (lane->later, &user->item);
}

gint64
queue_lane_first_due (QueueLane *lane)
{
    const LaneUser *ready = g_queue_peek_head (&lane->ready);
    const QueueHeapItem *later = queue_heap_peek (lane->later);
    gint64 due = G_MAXINT64;

    if (ready != NULL)
        due = queue_heap_peek (ready->jobs)->key;

    return later == NULL ? due : MIN (due, later->key);
}

static void
insert_job (QueueLane *lane, QueueWaiting *waiting)
{
    LaneUser *user = get_user (lane, waiting->entry->uid);

    if (user->ready != NULL) {
        queue_heap_push (user->jobs, &waiting->item);
        return;
    }
    if (user->jobs->len > 0)
        user_leave (lane, user);
    queue_heap_push (user->jobs, &waiting->item);
    user_wait (lane, user);
}

static void
extract_job (QueueLane *lane, QueueWaiting *waiting)
{
    LaneUser *user = get_user (lane, waiting->entry->uid);

    /* Also out of the queue: whether the next job is due is seen when the user's turn comes again. */
    user_leave (lane, user);
    queue_heap_remove (user->jobs, &waiting->item);
    user_wait (lane, user);
}

gboolean
queue_lane_add (QueueLane *lane, QueueEntry *entry, gint64 due_usec, guint *recipients, guint n_recipients)
{
    gint64 before = queue_lane_first_due (lane);
    QueueWaiting *waiting = g_slice_new0 (QueueWaiting);
    QueueWaiting **last = &entry->waiting;

    waiting->item.key = due_usec;
    waiting->entry = entry;
    waiting->lane = lane;
    waiting->recipients = recipients;
    waiting->n_recipients = n_recipients;
    while (*last != NULL)
        last = &(*last)->next;
    *last = waiting;
    insert_job (lane, waiting);
    lane->n_waiting++;

    return queue_lane_first_due (lane) < before;
}

void
queue_lane_remove (QueueLanes *lanes, QueueWaiting *waiting)
{
    QueueLane *lane = waiting->lane;
    QueueWaiting **link = &waiting->entry->waiting;

    extract_job (lane, waiting);
    lane->n_waiting--;
    while (*link != waiting)
        link = &(*link)->next;
    *link = waiting->next;
    waiting->next = NULL;
    waiting->lane = NULL;
    drop_if_unused (lanes, lane);
}

void
queue_waiting_free (QueueWaiting *waiting)
{
    g_free (waiting->recipients);
    g_slice_free (QueueWaiting, waiting);
}

gboolean
queue_lane_move (QueueWaiting *waiting, gint64 due_usec)
{
    QueueLane *lane = waiting->lane;
    gint64 before = queue_lane_first_due (lane);

    extract_job (lane, waiting);
    waiting->item.key = due_usec;
    insert_job (lane, waiting);

    return queue_lane_first_due (lane) < before;
}

QueueWaiting *
queue_lane_next (QueueLane *lane, gint64 now_usec)
{
    LaneUser *user;
    QueueHeapItem *item;

    while ((item = queue_heap_peek (lane->later)) != NULL && item->key <= now_usec) {
        user = (LaneUser *) item;
        user_leave (lane, user);
        g_queue_push_tail (&lane->ready, user);
        user->ready = g_queue_peek_tail_link (&lane->ready);
    }
    while ((user = g_queue_peek_head (&lane->ready)) != NULL) {
        QueueWaiting *waiting = (QueueWaiting *) queue_heap_peek (user->jobs);

        if (waiting->item.key <= now_usec)
            return waiting;
        user_leave (lane, user);
        user_wait (lane, user);
    }

    return NULL;
}

void
queue_lane_set_closed (QueueLane *lane, const gchar *remote, const gchar *status, const gchar *reason,
                       gint64 now_usec, gint64 until_usec)
{
    lane->closed = TRUE;
    g_free (lane->remote);
    lane->remote = g_strdup (remote);
    g_free (lane->status);
    lane->status = g_strdup (status);
    g_free (lane->reason);
    lane->reason = g_strdup (reason);
    lane->closed_usec = now_usec;
    lane->until_usec = until_usec;
}

void
queue_lane_set_open (QueueLanes *lanes, QueueLane *lane)
{
    lane->closed = FALSE;
    g_clear_pointer (&lane->remote, g_free);
    g_clear_pointer (&lane->status, g_free);
    g_clear_pointer (&lane->reason, g_free);
    drop_if_unused (lanes, lane);
}
