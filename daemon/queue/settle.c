/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * What became of a job
 *
 * The results go into a new snapshot of the message, the segments of its state that changed go to the writer, and when
 * they are durable the index follows, the events are told and what is still pending goes back into its lane. A settle is
 * never refused: if the disk does not work, the job stays in the delivery's hands as far as everybody else can see, and
 * so is not delivered a second time meanwhile.
 *
 * When nothing is pending any more, the removal is all that is written.
 */

#include "message/words.h"
#include "queue/hand.h"
#include "queue/snapshot.h"

/* A settle under way. */
typedef struct {
    Queue *queue;
    QueueHand *hand;
    QueueMessage *core; /* after it */
    QueueHead head;     /* after it */
    guint *recipients;  /* as the job's */
    guint n_recipients;
    QueueOutcome *outcomes; /* of them */
    GArray *segments;       /* of guint: what was written, in the order of the command's records */
    gint64 next_usec;       /* of what is still pending, but for the untried if others are deferred: */
    gint64 untried_usec;    /* when they were due */
    GArray *untried;        /* (nullable) of guint: these */
    gboolean held;          /* it was held by this */
    gboolean removed;
} Settle;

static void
settle_free (Settle *settle)
{
    queue_message_unref (settle->core);
    g_array_unref (settle->segments);
    g_clear_pointer (&settle->untried, g_array_unref);
    g_free (settle->recipients);
    g_free (settle->outcomes);
    g_free (settle);
}

/* ---- Into the snapshot ---- */

static QueueRecipientState
recipient_state (QueueOutcome outcome)
{
    switch (outcome) {
    case QUEUE_OUTCOME_UNTRIED:
    case QUEUE_OUTCOME_DEFERRED:
        return QUEUE_RECIPIENT_PENDING;
    case QUEUE_OUTCOME_DELIVERED:
        return QUEUE_RECIPIENT_DELIVERED;
    case QUEUE_OUTCOME_FAILED:
        return QUEUE_RECIPIENT_FAILED;
    case QUEUE_OUTCOME_EXPIRED:
        return QUEUE_RECIPIENT_EXPIRED;
    }
    g_return_val_if_reached (QUEUE_RECIPIENT_PENDING);
}

static gboolean
same_text (const gchar *a, const gchar *b)
{
    return a == b || g_strcmp0 (a, b) == 0;
}

static gboolean
same_result (const QueueResult *a, const QueueResult *b)
{
    return a->outcome == b->outcome && same_text (a->remote, b->remote) && same_text (a->reply, b->reply);
}

/* Whether the same becomes of both, to all that is known of a recipient. */
static gboolean
equal_result (const QueueResult *a, const QueueResult *b)
{
    return same_result (a, b) && same_text (a->status, b->status) && a->delay_notified == b->delay_notified &&
           a->is_ours == b->is_ours;
}

static void
apply_result (QueueMessage *core, guint index, const QueueResult *result, gint64 now_usec)
{
    QueueRecipient *recipient;

    if (result->outcome == QUEUE_OUTCOME_UNTRIED && !result->delay_notified)
        return;
    recipient = queue_snapshot_change (core, index);
    recipient->delay_notified |= result->delay_notified;
    if (result->outcome == QUEUE_OUTCOME_UNTRIED)
        return;
    recipient->state = recipient_state (result->outcome);
    recipient->attempts++;
    recipient->last_usec = now_usec;
    g_free (recipient->remote);
    recipient->remote = g_strdup (result->remote);
    g_free (recipient->status);
    recipient->status = g_strdup (result->status);
    g_free (recipient->reply);
    recipient->reply = g_strdup (result->reply);
    recipient->is_ours = result->is_ours;
}

/* Neighbours who were the same, and to whom the same happened, are the same again: thousands cost little more than one. */
static void
apply_results (QueueMessage *core, const QueueMessage *before, const QueueJob *job, const QueueResult *results,
               gint64 now_usec)
{
    const guint *recipients = job->recipients;

    for (guint i = 0; i < job->n_recipients; i++)
        if (i > 0 && equal_result (&results[i - 1], &results[i]) &&
            queue_message_recipient (before, recipients[i - 1]) == queue_message_recipient (before, recipients[i]))
            queue_snapshot_share (core, recipients[i], recipients[i - 1]);
        else
            apply_result (core, recipients[i], &results[i], now_usec);
}

static const gchar *
outcome_words (QueueOutcome outcome)
{
    switch (outcome) {
    case QUEUE_OUTCOME_DELIVERED:
        return "delivered";
    case QUEUE_OUTCOME_DEFERRED:
        return "deferred";
    case QUEUE_OUTCOME_FAILED:
        return "failed";
    case QUEUE_OUTCOME_EXPIRED:
        return "expired";
    case QUEUE_OUTCOME_UNTRIED:
        break;
    }
    g_return_val_if_reached (NULL);
}

/* "deferred by mx.example.org:25: 451 4.7.1 …", with the recipients if it is not all of the message. What the relay says
 * itself names the remote where it has to do with it. */
static gchar *
history_text (const QueueMessage *core, const QueueJob *job, const QueueResult *result, guint first, guint n)
{
    GString *text = g_string_new (outcome_words (result->outcome));
    const gchar *remote = result->is_ours ? NULL : result->remote;

    if (core->recipients->len > 1 && n == 1)
        g_string_append_printf (text, " for %s",
                                message_envelope_recipient (core->envelope, job->recipients[first])->address);
    else if (core->recipients->len > 1)
        g_string_append_printf (text, " for %u recipients", n);
    if (remote != NULL)
        g_string_append_printf (text, " by %s", remote);
    if (result->reply != NULL)
        g_string_append_printf (text, ": %s", message_words_behind (remote, result->reply));

    return g_string_free (text, FALSE);
}

/* One entry for all recipients with the same result, as far as the history goes. */
static void
note_results (QueueMessage *core, const QueueJob *job, const QueueResult *results, gint64 now_usec)
{
    g_autofree guint8 *noted = g_new0 (guint8, job->n_recipients);
    guint n_noted = 0;

    for (guint i = 0; i < job->n_recipients && n_noted < QUEUE_HISTORY_MOST; i++) {
        g_autofree gchar *text = NULL;
        guint n = 0;

        if (noted[i] || results[i].outcome == QUEUE_OUTCOME_UNTRIED)
            continue;
        for (guint j = i; j < job->n_recipients; j++) {
            if (!noted[j] && same_result (&results[i], &results[j])) {
                noted[j] = TRUE;
                n++;
            }
        }
        text = history_text (core, job, &results[i], i, n);
        queue_snapshot_note (core, now_usec, text);
        n_noted++;
    }
}

/* ---- When it is durable ---- */

static QueueEventType
event_type (QueueOutcome outcome)
{
    switch (outcome) {
    case QUEUE_OUTCOME_DELIVERED:
        return QUEUE_EVENT_DELIVERED;
    case QUEUE_OUTCOME_FAILED:
        return QUEUE_EVENT_BOUNCED;
    case QUEUE_OUTCOME_EXPIRED:
        return QUEUE_EVENT_EXPIRED;
    case QUEUE_OUTCOME_DEFERRED:
    case QUEUE_OUTCOME_UNTRIED:
        break;
    }

    return QUEUE_EVENT_DEFERRED;
}

static gboolean
is_alike (const Settle *settle, const QueueMessage *view, guint i, guint j)
{
    const QueueRecipient *a = queue_message_recipient (view, settle->recipients[i]);
    const QueueRecipient *b = queue_message_recipient (view, settle->recipients[j]);

    return settle->outcomes[i] == settle->outcomes[j] &&
           (a == b ||
            (same_text (a->remote, b->remote) && same_text (a->status, b->status) && same_text (a->reply, b->reply)));
}

/* What is held has no next attempt that it could wait for: what deferred it is told as why it is held. */
static gboolean
is_told (const Settle *settle, guint i)
{
    return settle->outcomes[i] != QUEUE_OUTCOME_UNTRIED &&
           (settle->outcomes[i] != QUEUE_OUTCOME_DEFERRED || !settle->held || settle->removed);
}

/* Neighbours with the same result are told of together: one look at each, however many results there are. */
static void
tell_results (Settle *settle, const QueueMessage *view)
{
    guint n;

    for (guint i = 0; i < settle->n_recipients; i += n) {
        for (n = 1; i + n < settle->n_recipients && is_alike (settle, view, i, i + n);)
            n++;
        if (is_told (settle, i))
            queue_emit_alike (settle->queue, event_type (settle->outcomes[i]), view, settle->recipients + i, n, NULL);
    }
}

static void
tell_held (Settle *settle, const QueueMessage *view)
{
    for (guint i = 0; i < settle->n_recipients; i++)
        if (settle->outcomes[i] == QUEUE_OUTCOME_DEFERRED) {
            queue_emit (settle->queue, QUEUE_EVENT_HELD, view, settle->recipients[i], TRUE);
            return;
        }

    queue_emit (settle->queue, QUEUE_EVENT_HELD, view, 0, FALSE);
}

static void
tell (Settle *settle, const QueueMessage *view)
{
    queue_tell_in_slices (settle->queue, settle->n_recipients);
    tell_results (settle, view);
    if (settle->held && !settle->removed)
        tell_held (settle, view);
    if (settle->removed && queue_message_pending (view) > 0)
        queue_emit (settle->queue, QUEUE_EVENT_DELETED, view, 0, FALSE);
    if (settle->removed)
        queue_emit (settle->queue, QUEUE_EVENT_REMOVED, view, 0, FALSE);
}

static void
settle_removed (Settle *settle, const QueueCommand *command)
{
    Queue *queue = settle->queue;
    QueueWork *work = settle->hand->work;
    QueueEntry *entry = work->entry;
    g_autoptr (QueueMessage) view = NULL;

    queue_tally (queue, entry, -1);
    queue_catalog_lock (queue->catalog);
    entry->head = settle->head;
    queue_catalog_unlock (queue->catalog);
    queue_tally (queue, entry, 1);
    view = queue_view (entry, settle->core);
    g_hash_table_remove (queue->works, &entry->id);
    work->entry = NULL;
    queue_forget (queue, entry, queue_command_place (command, 0)->generation);
    queue_hand_end (queue, settle->hand);
    tell (settle, view);
}

static void
settle_kept (Settle *settle, const QueueCommand *command)
{
    Queue *queue = settle->queue;
    QueueWork *work = settle->hand->work;
    QueueEntry *entry = work->entry;
    g_autoptr (QueueMessage) view = NULL;

    queue_tally (queue, entry, -1);
    queue_catalog_lock (queue->catalog);
    for (guint i = 0; i < settle->segments->len; i++)
        queue_catalog_place (queue->catalog, queue_entry_state (entry, g_array_index (settle->segments, guint, i)),
                             queue_command_place (command, i));
    queue_catalog_set_head (queue->catalog, entry, &settle->head, queue_command_place (command, 0)->generation);
    queue_catalog_unlock (queue->catalog);
    queue_tally (queue, entry, 1);
    queue_cache_put (queue->cache, settle->core, NULL);

    work->references++;
    queue_hand_end (queue, settle->hand);
    if (settle->held)
        queue_unsort_message (queue, entry);
    if (settle->untried != NULL)
        queue_sort_recipients (queue, entry, work->core, (const guint *) (gpointer) settle->untried->data,
                               settle->untried->len, settle->untried_usec);
    queue_sort_message (queue, entry, work->core, settle->next_usec);
    view = queue_view (entry, settle->core);
    tell (settle, view);
    queue_work_put (queue, work);
}

static void
settled (QueueCommand *command, const GError *error, gpointer user_data)
{
    Settle *settle = user_data;

    settle->queue->n_settling--;
    if (error != NULL)
        queue_hand_end (settle->queue, settle->hand);
    else if (settle->removed)
        settle_removed (settle, command);
    else
        settle_kept (settle, command);
    settle_free (settle);
}

/* ---- When it is asked for ---- */

/* Whether another delivery has recipients of this message and has not said yet what became of them. */
static gboolean
others_in_hand (const QueueWork *work, const QueueHand *hand)
{
    for (guint i = 0; i < work->hands->len; i++) {
        const QueueHand *other = g_ptr_array_index (work->hands, i);

        if (other != hand && !other->settling)
            return TRUE;
    }

    return FALSE;
}

/* When the message as a whole is tried next: with the first of its jobs. */
static gint64
earliest (const QueueWork *work, const QueueHand *hand, gint64 next_usec)
{
    for (const QueueWaiting *waiting = work->entry->waiting; waiting != NULL; waiting = waiting->next)
        next_usec = MIN (next_usec, waiting->item.key);
    for (guint i = 0; i < work->hands->len; i++) {
        const QueueHand *other = g_ptr_array_index (work->hands, i);

        if (other != hand)
            next_usec = MIN (next_usec, other->due_usec);
    }

    /* What somebody asked for is due before the epoch: now, for others. */
    return MAX (next_usec, 0);
}

static gboolean
is_change (const QueueResult *result)
{
    return result->outcome != QUEUE_OUTCOME_UNTRIED || result->delay_notified;
}

/* The segments of the recipients whose state changes. */
static GArray *
changed_segments (const QueueJob *job, const QueueResult *results)
{
    GArray *segments = g_array_new (FALSE, FALSE, sizeof (guint));

    for (guint i = 0; i < job->n_recipients; i++) {
        guint segment = job->recipients[i] / QUEUE_SEGMENT_RECIPIENTS;

        /* Recipients come in the order of their indexes. */
        if (is_change (&results[i]) &&
            (segments->len == 0 || g_array_index (segments, guint, segments->len - 1) != segment))
            g_array_append_val (segments, segment);
    }

    return segments;
}

/* Some recipients have to wait, and others were not tried: these do not wait with them. */
static void
set_untried_apart (Settle *settle, const QueueResult *results)
{
    settle->untried_usec = settle->hand->due_usec;
    settle->untried = g_array_new (FALSE, FALSE, sizeof (guint));
    for (guint i = 0; i < settle->n_recipients; i++)
        if (results[i].outcome == QUEUE_OUTCOME_UNTRIED)
            g_array_append_val (settle->untried, settle->recipients[i]);
}

static void
fill_head (Settle *settle, const QueueResult *results, gint64 next_usec, gboolean hold)
{
    QueueWork *work = settle->hand->work;
    gboolean tried = FALSE, untried = FALSE, deferred = FALSE;
    gint64 soonest_usec;

    for (guint i = 0; i < settle->n_recipients; i++) {
        tried |= results[i].outcome != QUEUE_OUTCOME_UNTRIED;
        untried |= results[i].outcome == QUEUE_OUTCOME_UNTRIED;
        deferred |= results[i].outcome == QUEUE_OUTCOME_DEFERRED;
    }
    settle->next_usec = settle->hand->due_usec;
    if (deferred)
        settle->next_usec = next_usec == QUEUE_NEXT_WITH_LANE ? 0 : next_usec;
    if (deferred && untried)
        set_untried_apart (settle, results);

    /* Somebody asked meanwhile to give it up, which need not wait. */
    if (work->head.flags & ~settle->hand->flags & QUEUE_HEAD_BOUNCED)
        settle->next_usec = 0;

    soonest_usec = settle->untried != NULL ? MIN (settle->next_usec, settle->untried_usec) : settle->next_usec;
    settle->head = work->head;
    queue_record_fill_head (settle->core, &settle->head);
    if (tried) {
        settle->head.attempts++;
        settle->head.flags |= QUEUE_HEAD_DEFERRED;
        settle->head.next_usec = earliest (work, settle->hand, soonest_usec);
    }
    if (hold)
        settle->head.flags |= QUEUE_HEAD_HELD;
}

static void
add_records (Settle *settle, QueueCommand *command)
{
    QueueId id = settle->core->id;

    if (settle->removed) {
        queue_command_add (command, QUEUE_PART_REMOVAL, id, 0, queue_record_removal (id));
        return;
    }
    for (guint i = 0; i < settle->segments->len; i++) {
        guint segment = g_array_index (settle->segments, guint, i);

        queue_command_add (command, QUEUE_PART_STATE, id, segment,
                           queue_record_state (settle->core, segment, &settle->head));
    }
    if (settle->segments->len == 0)
        queue_command_add (command, QUEUE_PART_HEADS, id, 0, queue_record_one_head (id, &settle->head));
}

/* Nothing happened, nothing is written. */
static void
put_back (Settle *settle)
{
    Queue *queue = settle->queue;
    QueueWork *work = settle->hand->work;

    work->references++;
    queue_hand_end (queue, settle->hand);
    queue_sort_message (queue, work->entry, work->core, settle->next_usec);
    queue_work_put (queue, work);
    settle_free (settle);
}

void
queue_settle (Queue *queue, QueueJob *job, const QueueResult *results, gint64 next_usec, gboolean hold)
{
    QueueHand *hand = (QueueHand *) job;
    QueueWork *work = hand->work;
    Settle *settle = g_new0 (Settle, 1);
    gint64 now_usec = g_get_real_time ();
    QueueCommand *command;
    gboolean doomed;

    hand->settling = TRUE;
    settle->queue = queue;
    settle->hand = hand;
    settle->core = queue_snapshot_copy (work->core);
    settle->n_recipients = job->n_recipients;
    settle->recipients = g_memdup2 (job->recipients, job->n_recipients * sizeof *job->recipients);
    settle->outcomes = g_new (QueueOutcome, job->n_recipients);
    settle->segments = changed_segments (job, results);
    settle->held = hold;
    for (guint i = 0; i < job->n_recipients; i++)
        settle->outcomes[i] = results[i].outcome;
    apply_results (settle->core, work->core, job, results, now_usec);
    note_results (settle->core, job, results, now_usec);
    if (hold)
        queue_snapshot_note (settle->core, now_usec, "held");
    fill_head (settle, results, next_usec, hold);
    doomed = (settle->head.flags & QUEUE_HEAD_DOOMED) != 0 && !others_in_hand (work, hand);
    settle->removed = settle->head.pending == 0 || doomed;

    if (settle->segments->len == 0 && !hold && !settle->removed) {
        put_back (settle);
        return;
    }
    queue_message_unref (work->core);
    work->core = queue_message_ref (settle->core);
    work->head = settle->head;
    work->removing |= settle->removed;
    command = queue_command_new (QUEUE_COMMAND_DURABLE | QUEUE_COMMAND_RETAIN, settled, settle);
    add_records (settle, command);
    queue->n_settling++;
    queue_push (queue, command);
}
