/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Telling
 *
 * What happened to a message is told to the listener, who writes it into the log, counts it and sends it over the bus. That is
 * little for one recipient and seconds for a hundred thousand. So what is about very many is put down, and told in slices
 * between which the main loop serves everybody else. As long as something is put down, all that happens is put down behind it:
 * the listener hears everything in the order in which it happened, and as it was then, for snapshots do not change.
 *
 * What is told is durable already. What a crash leaves untold is missing from the log, as it was when a crash came between the
 * disk and the log; a queue that is closed tells it all.
 */

#include "queue/queue-private.h"

/* So many events at once, a few milliseconds. Whole groups of those that are announced together. */
#define SLICE_EVENTS (5 * QUEUE_EVENT_ALIKE_MOST)

/* Events that were put down. */
typedef struct {
    QueueEvent event; /* its texts belong to @message, or are below */
    QueueMessage *message;
    gchar *message_id;      /* (nullable) */
    QueueRecipient *result; /* (nullable) of all of them; else each has its own */
    guint *recipients;      /* (nullable) */
    guint n_recipients;
    guint next; /* of @recipients */
} Telling;

static QueueRecipient *
result_copy (const QueueRecipient *result)
{
    QueueRecipient *copy = g_new (QueueRecipient, 1);

    *copy = *result;
    copy->redirect = g_strdup (result->redirect);
    copy->remote = g_strdup (result->remote);
    copy->status = g_strdup (result->status);
    copy->reply = g_strdup (result->reply);

    return copy;
}

static void
result_free (QueueRecipient *result)
{
    g_free (result->redirect);
    g_free (result->remote);
    g_free (result->status);
    g_free (result->reply);
    g_free (result);
}

static void
telling_free (Telling *telling)
{
    queue_message_unref (telling->message);
    g_free (telling->message_id);
    g_clear_pointer (&telling->result, result_free);
    g_free (telling->recipients);
    g_free (telling);
}

/* ---- To the listener ---- */

/* Tells the events of the recipients from @first to before @end. */
static void
tell_alike (Queue *queue, QueueEvent event, const guint *recipients, guint n_recipients, const QueueRecipient *result,
            guint first, guint end)
{
    guint most = n_recipients >= QUEUE_EVENT_ALIKE_LEAST ? QUEUE_EVENT_ALIKE_MOST : 1;

    for (guint i = first; i < end; i++) {
        event.recipient = message_envelope_recipient (event.message->envelope, recipients[i])->address;
        event.result = result != NULL ? result : queue_message_recipient (event.message, recipients[i]);
        event.is_announced = i % most > 0;
        event.alike = recipients + i + 1;
        event.n_alike = event.is_announced ? 0 : MIN (n_recipients - i, most) - 1;
        queue->listener.event (&event, queue->listener_data);
    }
}

/* Tells at most @most events of it. Returns: how many */
static guint
tell_some (Queue *queue, Telling *telling, guint most)
{
    guint end = telling->next + MIN (most, telling->n_recipients - telling->next);
    guint n = end - telling->next;

    if (telling->recipients == NULL) {
        queue->listener.event (&telling->event, queue->listener_data);
        return 1;
    }

    tell_alike (queue, telling->event, telling->recipients, telling->n_recipients, telling->result, telling->next,
                end);
    telling->next = end;

    return n;
}

static void
tell_slice (Queue *queue, guint most)
{
    Telling *telling;

    while (most > 0 && (telling = g_queue_peek_head (&queue->tellings)) != NULL) {
        most -= tell_some (queue, telling, most);
        if (telling->next == telling->n_recipients)
            telling_free (g_queue_pop_head (&queue->tellings));
    }
}

void
queue_tell_all (Queue *queue)
{
    if (queue->telling == NULL)
        return;

    while (!g_queue_is_empty (&queue->tellings))
        tell_slice (queue, SLICE_EVENTS);
    g_source_destroy (queue->telling);
    g_clear_pointer (&queue->telling, g_source_unref);
}

static gboolean
on_slice (gpointer user_data)
{
    Queue *queue = user_data;

    tell_slice (queue, SLICE_EVENTS);
    if (!g_queue_is_empty (&queue->tellings))
        return G_SOURCE_CONTINUE;

    g_clear_pointer (&queue->telling, g_source_unref);
    return G_SOURCE_REMOVE;
}

/* ---- What happens ---- */

void
queue_tell_in_slices (Queue *queue, guint n_events)
{
    if (n_events <= SLICE_EVENTS || queue->telling != NULL || queue->listener.event == NULL || queue->closing)
        return;

    /* As important as what happens meanwhile, which waits behind it. */
    queue->telling = g_idle_source_new ();
    g_source_set_priority (queue->telling, G_PRIORITY_DEFAULT);
    g_source_set_callback (queue->telling, on_slice, queue, NULL);
    g_source_attach (queue->telling, queue->context);
}

static Telling *
put_down (Queue *queue, const QueueEvent *event)
{
    Telling *telling = g_new0 (Telling, 1);

    telling->message = queue_message_ref ((QueueMessage *) event->message);
    telling->message_id = g_strdup (event->message_id);
    telling->event = *event;
    telling->event.message_id = telling->message_id;
    telling->event.is_of_many = TRUE;
    g_queue_push_tail (&queue->tellings, telling);

    return telling;
}

static void
emit (Queue *queue, const QueueEvent *event)
{
    if (queue->listener.event == NULL)
        return;
    if (queue->telling != NULL)
        put_down (queue, event);
    else
        queue->listener.event (event, queue->listener_data);
}

void
queue_emit (Queue *queue, QueueEventType type, const QueueMessage *message, guint recipient, gboolean with_recipient)
{
    QueueEvent event = {.type = type, .message = message, .now_usec = g_get_real_time ()};

    if (with_recipient && recipient < message->recipients->len) {
        event.recipient = message_envelope_recipient (message->envelope, recipient)->address;
        event.result = queue_message_recipient (message, recipient);
    }
    emit (queue, &event);
}

void
queue_emit_alike (Queue *queue, QueueEventType type, const QueueMessage *message, const guint *recipients,
                  guint n_recipients, const QueueRecipient *result)
{
    const QueueEvent event = {.type = type, .message = message, .now_usec = g_get_real_time ()};
    Telling *telling;

    if (queue->listener.event == NULL || n_recipients == 0)
        return;

    queue_tell_in_slices (queue, n_recipients);
    if (queue->telling == NULL) {
        tell_alike (queue, event, recipients, n_recipients, result, 0, n_recipients);
        return;
    }

    telling = put_down (queue, &event);
    telling->result = result != NULL ? result_copy (result) : NULL;
    telling->recipients = g_memdup2 (recipients, n_recipients * sizeof *recipients);
    telling->n_recipients = n_recipients;
}

void
queue_emit_queued (Queue *queue, const QueueMessage *message, const gchar *message_id)
{
    const QueueEvent event = {.type = QUEUE_EVENT_QUEUED,
                              .message = message,
                              .recipient = message_envelope_recipient (message->envelope, 0)->address,
                              .result = queue_message_recipient (message, 0),
                              .message_id = message_id,
                              .now_usec = g_get_real_time ()};

    emit (queue, &event);
}
