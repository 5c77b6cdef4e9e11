/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Redirecting
 *
 * Gives pending recipients another address. The envelope as it arrived stays as it is on the disk; the new address is part
 * of the recipient's state, so that the change is one small record that is durable or not there. Whoever asked for notices
 * hears of the address that was meant: it becomes ORCPT (RFC 3461 4.2) if there was none.
 *
 * A recipient that a delivery has just now is tried at the old address once more; if that delivers nothing, the new one
 * counts.
 */

#include "message/address.h"
#include "queue/queue-private.h"
#include "queue/snapshot.h"

typedef struct {
    Queue *queue;
    gchar *address;
    QueueActed acted;
    gpointer user_data;
    guint count;
    guint commands; /* under way */
    gboolean swept;
    GError *error;
} Redirect;

/* The change of one message. */
typedef struct {
    Redirect *redirect;
    QueueWork *work;
    QueueMessage *core; /* after it */
    QueueHead head;     /* after it */
    guint first;        /* of the recipients that got the new address */
    GArray *segments;   /* of guint: what was written, in the order of the command's records */
} Change;

static void
finish_if_over (Redirect *redirect)
{
    if (!redirect->swept || redirect->commands > 0)
        return;
    if (redirect->acted != NULL)
        redirect->acted (redirect->count, redirect->error, redirect->user_data);
    g_clear_error (&redirect->error);
    g_free (redirect->address);
    g_free (redirect);
}

static void
change_free (Change *change)
{
    queue_message_unref (change->core);
    g_array_unref (change->segments);
    g_free (change);
}

static void
redirected (Change *change, const QueueCommand *command)
{
    Queue *queue = change->redirect->queue;
    QueueEntry *entry = change->work->entry;
    g_autoptr (QueueMessage) view = NULL;

    queue_tally (queue, entry, -1);
    queue_catalog_lock (queue->catalog);
    for (guint i = 0; i < change->segments->len; i++)
        queue_catalog_place (queue->catalog, queue_entry_state (entry, g_array_index (change->segments, guint, i)),
                             queue_command_place (command, i));
    queue_catalog_set_head (queue->catalog, entry, &change->head, queue_command_place (command, 0)->generation);
    queue_catalog_unlock (queue->catalog);
    queue_tally (queue, entry, 1);
    queue_cache_put (queue->cache, change->core, NULL);

    queue_unsort_message (queue, entry);
    queue_sort_message (queue, entry, change->work->core, 0);
    view = queue_view (entry, change->core);
    queue_emit (queue, QUEUE_EVENT_REDIRECTED, view, change->first, TRUE);
}

static void
change_done (QueueCommand *command, const GError *error, gpointer user_data)
{
    Change *change = user_data;
    Redirect *redirect = change->redirect;

    /* A settle that was on its way may have removed it. */
    if (error == NULL && change->work->entry != NULL)
        redirected (change, command);
    if (error != NULL && redirect->error == NULL)
        redirect->error = g_error_copy (error);
    queue_work_put (redirect->queue, change->work);
    change_free (change);
    redirect->commands--;
    finish_if_over (redirect);
}

static void
write_change (Change *change)
{
    QueueCommand *command = queue_command_new (QUEUE_COMMAND_DURABLE | QUEUE_COMMAND_RETAIN, change_done, change);

    for (guint i = 0; i < change->segments->len; i++) {
        guint segment = g_array_index (change->segments, guint, i);

        queue_command_add (command, QUEUE_PART_STATE, change->core->id, segment,
                           queue_record_state (change->core, segment, &change->head));
    }
    change->redirect->commands++;
    queue_push (change->redirect->queue, command);
}

static GArray *
pending_recipients (const QueueMessage *core)
{
    GArray *pending = g_array_new (FALSE, FALSE, sizeof (guint));

    for (guint i = 0; i < core->recipients->len; i++)
        if (queue_message_recipient (core, i)->state == QUEUE_RECIPIENT_PENDING)
            g_array_append_val (pending, i);

    return pending;
}

static GArray *
segments_of (const GArray *recipients)
{
    GArray *segments = g_array_new (FALSE, FALSE, sizeof (guint));

    for (guint i = 0; i < recipients->len; i++) {
        guint segment = g_array_index (recipients, guint, i) / QUEUE_SEGMENT_RECIPIENTS;

        if (segments->len == 0 || g_array_index (segments, guint, segments->len - 1) != segment)
            g_array_append_val (segments, segment);
    }

    return segments;
}

static void
change_message (Redirect *redirect, QueueWork *work, const QueueMessage *core)
{
    g_autoptr (GArray) pending = pending_recipients (core);
    g_autofree gchar *text = g_strdup_printf ("redirected to %s", redirect->address);
    Change *change;

    if (pending->len == 0)
        return;

    change = g_new0 (Change, 1);
    change->redirect = redirect;
    change->work = work;
    change->first = g_array_index (pending, guint, 0);
    change->segments = segments_of (pending);
    change->core = queue_snapshot_copy (core);
    queue_snapshot_redirect (change->core, (const guint *) (gpointer) pending->data, pending->len, redirect->address);
    queue_snapshot_note (change->core, g_get_real_time (), text);
    change->head = work->head;
    change->head.next_usec = 0;
    queue_record_fill_head (change->core, &change->head);

    work->references++;
    work->head = change->head;
    g_clear_pointer (&work->core, queue_message_unref);
    work->core = queue_message_ref (change->core);
    redirect->count++;
    write_change (change);
}

static gboolean
visit (QueueEntry *entry, QueueMessage *core, gpointer user_data)
{
    Redirect *redirect = user_data;
    QueueWork *work = queue_work_get (redirect->queue, entry);

    if (entry->flags & QUEUE_ENTRY_DAMAGED || work->removing || work->head.flags & QUEUE_HEAD_DOOMED)
        ;
    else if (core != NULL)
        change_message (redirect, work, work->core != NULL ? work->core : core);
    else if (redirect->error == NULL)
        redirect->error =
            g_error_new_literal (QUEUE_ERROR, QUEUE_ERROR_IO, "some messages cannot be read: the disk is in trouble");
    queue_work_put (redirect->queue, work);

    return TRUE;
}

static void
swept (QueueId next, gpointer user_data)
{
    Redirect *redirect = user_data;

    redirect->swept = TRUE;
    finish_if_over (redirect);
}

void
queue_redirect (Queue *queue, const QueueFilter *filter, const gchar *address, QueueActed acted, gpointer user_data)
{
    const QueueSweepFuncs funcs = {.load = TRUE, .visit = visit, .done = swept};
    Redirect *redirect = g_new0 (Redirect, 1);

    redirect->queue = queue;
    redirect->address = g_strdup (address);
    redirect->acted = acted;
    redirect->user_data = user_data;
    queue_sweep_start (queue, filter, 0, &funcs, redirect);
}
