/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * A sink
 *
 * Where mail ends that goes to no remote: that of a route that discards or holds, and what somebody wants to be given up.
 * It takes jobs out of the queue as a lane does, but answers them itself and at once, so that what became of the mail is
 * recorded, logged, notified and shown in the ways of all other mail.
 *
 * What is discarded counts as delivered: nobody is told of a failure, and nobody that it was relayed. What is
 * held has its reason; a message is held as a whole, for that is how people release it.
 */

#include "delivery/sink.h"

#include "delivery/retry.h"

/* So many at a time: recording results is work too, and the loop has others to serve. */
#define TAKEN_AT_ONCE 100

/* After this the next ones. */
#define PAUSE_USEC (G_USEC_PER_SEC / 100)

struct _DeliverySink {
    Queue *queue;
    gchar *name;
    DeliverySinkVerdict verdict;
    gchar *reason;
    const DeliveryLaneEvents *events;
    gpointer user_data;
    guint taking;   /* jobs that the queue has promised */
    gboolean freed; /* by the owner; goes with the last job that was promised */
};

DeliverySink *
delivery_sink_new (Queue *queue, const gchar *name, DeliverySinkVerdict verdict, const gchar *reason,
                   const DeliveryLaneEvents *events, gpointer user_data)
{
    DeliverySink *self = g_new0 (DeliverySink, 1);

    self->queue = queue;
    self->name = g_strdup (name);
    self->verdict = verdict;
    self->reason = g_strdup (reason);
    self->events = events;
    self->user_data = user_data;
    return self;
}

static void
sink_clear (DeliverySink *self)
{
    g_free (self->name);
    g_free (self->reason);
    g_free (self);
}

void
delivery_sink_free (DeliverySink *self)
{
    self->freed = TRUE;
    if (self->taking == 0)
        sink_clear (self);
}

/* The people who gave it up may have said more. The words are quoted, so that nobody takes them for ours. */
static void
fail (const DeliverySink *self, DeliveryAttempt *attempt)
{
    const gchar *verdict = attempt->job->message->verdict;
    g_autofree gchar *reason =
        verdict != NULL ? g_strdup_printf ("%s, and wrote: \"%s\"", self->reason, verdict) : NULL;

    delivery_attempt_fail (attempt, reason != NULL ? reason : self->reason);
}

static void
swallow (DeliverySink *self, DeliveryAttempt *attempt)
{
    switch (self->verdict) {
    case DELIVERY_SINK_DISCARD:
        delivery_attempt_discard (attempt, self->reason);
        break;
    case DELIVERY_SINK_HOLD:
        delivery_attempt_hold (attempt, self->reason);
        break;
    case DELIVERY_SINK_FAIL:
        fail (self, attempt);
        break;
    }
    self->events->finished (attempt, self->user_data);
}

/* @job: (nullable): a message that cannot be read is promised and not given */
static void
on_taken (QueueJob *job, gpointer user_data)
{
    DeliverySink *self = user_data;

    self->taking--;
    if (!self->freed) {
        if (job)
            swallow (self, delivery_attempt_new (job));
        return;
    }

    delivery_attempt_put_back (job, self->queue);
    if (self->taking == 0)
        sink_clear (self);
}

void
delivery_sink_pump (DeliverySink *self)
{
    for (guint i = self->taking; i < TAKEN_AT_ONCE; i++) {
        self->taking++;
        if (queue_take (self->queue, self->name, g_get_real_time (), on_taken, self))
            continue;

        self->taking--;
        return;
    }
}

guint
delivery_sink_in_hand (const DeliverySink *self)
{
    return self->taking;
}

gint64
delivery_sink_wakes (const DeliverySink *self)
{
    gint64 due_usec = queue_lane_due (self->queue, self->name);

    if (due_usec == G_MAXINT64)
        return G_MAXINT64;

    return g_get_monotonic_time () + MAX (due_usec - g_get_real_time (), PAUSE_USEC);
}
