/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Steering
 *
 * Retry, hold, release, delete and bounce, of one message or of a hundred thousand. Each slice of the sweep writes one record
 * for all heads that it changed and one for all messages that it removed; the caller is told when the last of them is
 * durable. Who asks of a message that was held and released wants to see that, so these write a state with a line of
 * history in it for each message. A message that a delivery has is not torn out of its hands: what is to be done is put into its head, which the
 * settle respects.
 */

#include "queue/bytes.h"
#include "queue/queue-private.h"
#include "queue/snapshot.h"

typedef struct {
    Queue *queue;
    QueueAction action;
    gchar *verdict; /* (nullable) */
    QueueActed acted;
    gpointer user_data;
    guint count;
    guint commands; /* under way */
    gboolean swept;
    GError *error;

    GArray *changes; /* of Change: of this slice */
} Act;

/* What is done to one message. */
typedef struct {
    QueueWork *work;
    QueueHead head;
    QueueMessage *core; /* (nullable) */
    gboolean removal;
    gboolean noted; /* its history has a line more, and so the core is to be written */
} Change;

/* What a command writes of each of its changes. */
typedef enum { WRITES_REMOVALS, WRITES_HEADS, WRITES_STATES, N_WRITES } Writes;

/* The changes that one command writes. */
typedef struct {
    Act *act;
    Writes writes;
    GArray *changes; /* of Change */
} Written;

static void
change_clear (gpointer data)
{
    g_clear_pointer (&((Change *) data)->core, queue_message_unref);
}

static GArray *
changes_new (void)
{
    GArray *changes = g_array_new (FALSE, FALSE, sizeof (Change));

    g_array_set_clear_func (changes, change_clear);

    return changes;
}

static void
finish_if_over (Act *act)
{
    if (!act->swept || act->commands > 0)
        return;
    if (act->acted != NULL)
        act->acted (act->count, act->error, act->user_data);
    g_array_unref (act->changes);
    g_clear_error (&act->error);
    g_free (act->verdict);
    g_free (act);
}

/* ---- When it is durable ---- */

static void removed (Queue *queue, QueueWork *work, QueueMessage *core, guint32 generation);

/* A removal of a single message that was put off. */
typedef struct {
    Queue *queue;
    QueueWork *work;
    QueueMessage *core; /* (nullable) */
} Removal;

static void
removal_done (QueueCommand *command, const GError *error, gpointer user_data)
{
    g_autofree Removal *removal = user_data;

    if (error == NULL && removal->work->entry != NULL)
        removed (removal->queue, removal->work, removal->core, queue_command_place (command, 0)->generation);
    queue_work_put (removal->queue, removal->work);
    g_clear_pointer (&removal->core, queue_message_unref);
}

void
queue_remove (Queue *queue, QueueWork *work, QueueMessage *core)
{
    Removal *removal = g_new0 (Removal, 1);
    QueueCommand *command = queue_command_new (QUEUE_COMMAND_DURABLE | QUEUE_COMMAND_RETAIN, removal_done, removal);

    removal->queue = queue;
    removal->work = work;
    removal->core = core == NULL ? NULL : queue_message_ref (core);
    work->references++;
    work->removing = TRUE;
    queue_unsort_message (queue, work->entry);
    queue_command_add (command, QUEUE_PART_REMOVAL, work->entry->id, 0, queue_record_removal (work->entry->id));
    queue_push (queue, command);
}

static void
tell (Queue *queue, QueueEventType type, const QueueEntry *entry, QueueMessage *core)
{
    g_autoptr (QueueMessage) view = core == NULL ? queue_view_unreadable (entry) : queue_view (entry, core);

    queue_emit (queue, type, view, 0, FALSE);
}

static void
removed (Queue *queue, QueueWork *work, QueueMessage *core, guint32 generation)
{
    QueueEntry *entry = work->entry;
    g_autoptr (QueueMessage) view = core == NULL ? queue_view_unreadable (entry) : queue_view (entry, core);

    g_hash_table_remove (queue->works, &entry->id);
    work->entry = NULL;
    queue_forget (queue, entry, generation);
    queue_emit (queue, QUEUE_EVENT_DELETED, view, 0, FALSE);
    queue_emit (queue, QUEUE_EVENT_REMOVED, view, 0, FALSE);
}

/* Moves the jobs that wait to @due_usec. */
static void
make_due (Queue *queue, QueueEntry *entry, gint64 due_usec)
{
    for (QueueWaiting *waiting = entry->waiting; waiting != NULL; waiting = waiting->next) {
        if (queue_lane_move (waiting, MIN (waiting->item.key, due_usec)))
            queue_tell_due (queue, waiting->lane);
    }
}

/* Enters what is durable at @place. */
static void
enter (Queue *queue, const Change *change, const QueuePlace *place)
{
    QueueEntry *entry = change->work->entry;

    queue_tally (queue, entry, -1);
    queue_catalog_lock (queue->catalog);
    if (change->noted)
        queue_catalog_place (queue->catalog, queue_entry_state (entry, 0), place);
    queue_catalog_set_head (queue->catalog, entry, &change->head, place->generation);
    queue_catalog_unlock (queue->catalog);
    queue_tally (queue, entry, 1);
    if (change->noted)
        queue_cache_put (queue->cache, change->core, NULL);
}

static void
changed (Act *act, const Change *change, const QueuePlace *place)
{
    Queue *queue = act->queue;
    QueueEntry *entry = change->work->entry;

    enter (queue, change, place);

    switch (act->action) {
    case QUEUE_ACTION_RETRY:
        make_due (queue, entry, entry->arrival_usec - QUEUE_ASKED_FOR_EARLIER_USEC);
        break;
    case QUEUE_ACTION_RELEASE:
        /* Beside those that are there, the hold took some away. */
        make_due (queue, entry, entry->arrival_usec);
        queue_sort_message (queue, entry, change->core, 0);
        tell (queue, QUEUE_EVENT_RELEASED, entry, change->core);
        break;
    case QUEUE_ACTION_BOUNCE:
        queue_unsort_message (queue, entry);
        queue_sort_message (queue, entry, change->core, 0);
        break;
    case QUEUE_ACTION_HOLD:
        queue_unsort_message (queue, entry);
        tell (queue, QUEUE_EVENT_HELD, entry, change->core);
        break;
    case QUEUE_ACTION_DELETE:
        /* A delivery had it. If it was just settled, nobody else will look at the head again. */
        queue_unsort_message (queue, entry);
        if (change->work->hands->len == 0 && !queue->closing)
            queue_remove (queue, change->work, change->core);
        break;
    }
}

static void
changes_done (QueueCommand *command, const GError *error, gpointer user_data)
{
    Written *written = user_data;
    Act *act = written->act;

    for (guint i = 0; i < written->changes->len; i++) {
        const Change *change = &g_array_index (written->changes, Change, i);
        const QueuePlace *place = queue_command_place (command, written->writes == WRITES_STATES ? i : 0);

        /* A settle that was on its way may have removed it. */
        if (error != NULL || change->work->entry == NULL)
            ;
        else if (change->removal)
            removed (act->queue, change->work, change->core, place->generation);
        else
            changed (act, change, place);
        queue_work_put (act->queue, change->work);
    }
    if (error != NULL && act->error == NULL)
        act->error = g_error_copy (error);
    g_array_unref (written->changes);
    g_free (written);
    act->commands--;
    finish_if_over (act);
}

/* ---- When it is asked for ---- */

/* Whether the action does anything to a message that is in this state. */
static gboolean
applies (QueueAction action, const QueueEntry *entry, const QueueHead *head)
{
    gboolean held = (head->flags & QUEUE_HEAD_HELD) != 0;

    if (entry->flags & QUEUE_ENTRY_DAMAGED)
        return action == QUEUE_ACTION_DELETE;
    switch (action) {
    case QUEUE_ACTION_RETRY:
    case QUEUE_ACTION_HOLD:
        return !held;
    case QUEUE_ACTION_RELEASE:
        return held;
    case QUEUE_ACTION_DELETE:
    case QUEUE_ACTION_BOUNCE:
        break;
    }

    return TRUE;
}

static void
change_head (QueueAction action, QueueHead *head)
{
    switch (action) {
    case QUEUE_ACTION_RETRY:
        head->next_usec = 0;
        break;
    case QUEUE_ACTION_HOLD:
        head->flags |= QUEUE_HEAD_HELD;
        break;
    case QUEUE_ACTION_RELEASE:
        head->flags &= ~(guint32) QUEUE_HEAD_HELD;
        head->flags |= QUEUE_HEAD_RELEASED;
        head->next_usec = 0;
        break;
    case QUEUE_ACTION_DELETE:
        head->flags |= QUEUE_HEAD_DOOMED;
        break;
    case QUEUE_ACTION_BOUNCE:
        head->flags &= ~(guint32) QUEUE_HEAD_HELD;
        head->flags |= QUEUE_HEAD_BOUNCED;
        head->next_usec = 0;
        break;
    }
}

/* The line of history that an action leaves. Returns: (transfer full) (nullable) */
static gchar *
history_of (const Act *act)
{
    switch (act->action) {
    case QUEUE_ACTION_HOLD:
        return g_strdup ("held by hand");
    case QUEUE_ACTION_RELEASE:
        return g_strdup ("released by hand");
    case QUEUE_ACTION_BOUNCE:
        return g_strdup_printf ("given up by hand%s%s", act->verdict != NULL ? ": " : "",
                                act->verdict != NULL ? act->verdict : "");
    case QUEUE_ACTION_RETRY:
    case QUEUE_ACTION_DELETE:
        break;
    }

    return NULL;
}

/* Gives the change a core of its own, with that line in it. */
static void
note (const Act *act, Change *change)
{
    QueueWork *work = change->work;
    g_autofree gchar *text = history_of (act);
    QueueMessage *core;

    if (text == NULL || change->core == NULL)
        return;

    core = queue_snapshot_copy (work->core != NULL ? work->core : change->core);
    queue_snapshot_note (core, g_get_real_time (), text);
    if (act->verdict != NULL)
        queue_snapshot_set_verdict (core, act->verdict);
    queue_message_unref (change->core);
    change->core = core;
    change->noted = TRUE;
    g_clear_pointer (&work->core, queue_message_unref);
    work->core = queue_message_ref (core);
}

static gboolean
act_visit (QueueEntry *entry, QueueMessage *core, gpointer user_data)
{
    Act *act = user_data;
    Queue *queue = act->queue;
    QueueWork *work = queue_work_get (queue, entry);
    Change change = {.work = work, .head = work->head, .core = core == NULL ? NULL : queue_message_ref (core)};
    gboolean is_lost;

    /* What has to be told or sorted into a lane must be known. */
    if (core == NULL && act->action != QUEUE_ACTION_RETRY && (entry->flags & QUEUE_ENTRY_DAMAGED) == 0) {
        if (act->error == NULL)
            act->error = g_error_new_literal (QUEUE_ERROR, QUEUE_ERROR_IO,
                                              "some messages cannot be read: the disk is in trouble");
        queue_work_put (queue, work);
        return TRUE;
    }
    /* There is nobody to give it back to. */
    is_lost = act->action == QUEUE_ACTION_BOUNCE && core != NULL && core->envelope->sender[0] == '\0';
    change_head (act->action, &change.head);
    if (is_lost || work->removing || work->head.flags & QUEUE_HEAD_DOOMED ||
        !applies (act->action, entry, &work->head)) {
        change_clear (&change);
        queue_work_put (queue, work);
        return TRUE;
    }

    act->count++;
    if (act->action == QUEUE_ACTION_HOLD || act->action == QUEUE_ACTION_DELETE)
        queue_unsort_message (queue, entry);
    change.removal = act->action == QUEUE_ACTION_DELETE && work->hands->len == 0;
    work->removing |= change.removal;
    work->head = change.head;
    note (act, &change);
    g_array_append_val (act->changes, change);

    return TRUE;
}

static void
add_states (QueueCommand *command, const GArray *changes)
{
    for (guint i = 0; i < changes->len; i++) {
        const Change *change = &g_array_index (changes, Change, i);

        queue_command_add (command, QUEUE_PART_STATE, change->core->id, 0,
                           queue_record_state (change->core, 0, &change->head));
    }
}

static void
add_heads_or_removals (QueueCommand *command, const GArray *changes, Writes writes)
{
    GByteArray *payload = g_byte_array_new ();

    for (guint i = 0; i < changes->len; i++) {
        const Change *change = &g_array_index (changes, Change, i);

        queue_bytes_put_u64 (payload, change->work->entry->id);
        if (writes == WRITES_HEADS)
            queue_record_put_head (payload, &change->head);
    }
    queue_command_add (command, writes == WRITES_REMOVALS ? QUEUE_PART_REMOVAL : QUEUE_PART_HEADS, 0, 0,
                       g_byte_array_free_to_bytes (payload));
}

static void
write_changes (Act *act, GArray *changes, Writes writes)
{
    Written *written = g_new0 (Written, 1);
    QueueCommand *command = queue_command_new (QUEUE_COMMAND_DURABLE | QUEUE_COMMAND_RETAIN, changes_done, written);

    written->act = act;
    written->writes = writes;
    written->changes = changes;
    if (writes == WRITES_STATES)
        add_states (command, changes);
    else
        add_heads_or_removals (command, changes, writes);
    act->commands++;
    queue_push (act->queue, command);
}

static Writes
writes_of (const Change *change)
{
    if (change->removal)
        return WRITES_REMOVALS;
    return change->noted ? WRITES_STATES : WRITES_HEADS;
}

static void
act_slice (gpointer user_data)
{
    Act *act = user_data;
    g_autoptr (GArray) changes = g_steal_pointer (&act->changes);
    GArray *sorted[N_WRITES];

    act->changes = changes_new ();
    for (guint i = 0; i < N_WRITES; i++)
        sorted[i] = changes_new ();
    for (guint i = 0; i < changes->len; i++) {
        const Change change = g_array_index (changes, Change, i);

        g_array_append_val (sorted[writes_of (&change)], change);
    }
    g_array_set_clear_func (changes, NULL);

    for (guint i = 0; i < N_WRITES; i++) {
        if (sorted[i]->len > 0)
            write_changes (act, sorted[i], (Writes) i);
        else
            g_array_unref (sorted[i]);
    }
}

static void
act_done (QueueId next, gpointer user_data)
{
    Act *act = user_data;

    act->swept = TRUE;
    finish_if_over (act);
}

static void
start (Queue *queue, QueueAction action, const QueueFilter *filter, const gchar *verdict, QueueActed acted,
       gpointer user_data)
{
    const QueueSweepFuncs funcs = {
        .load = action != QUEUE_ACTION_RETRY, .visit = act_visit, .slice = act_slice, .done = act_done};
    Act *act = g_new0 (Act, 1);

    act->queue = queue;
    act->action = action;
    act->verdict = g_strdup (verdict);
    act->acted = acted;
    act->user_data = user_data;
    act->changes = changes_new ();
    queue_sweep_start (queue, filter, 0, &funcs, act);
}

void
queue_act (Queue *queue, QueueAction action, const QueueFilter *filter, QueueActed acted, gpointer user_data)
{
    start (queue, action, filter, NULL, acted, user_data);
}

void
queue_give_up (Queue *queue, const QueueFilter *filter, const gchar *verdict, QueueActed acted, gpointer user_data)
{
    start (queue, QUEUE_ACTION_BOUNCE, filter, verdict, acted, user_data);
}
