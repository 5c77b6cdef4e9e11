/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Watching for an age
 *
 * A message's own attempts notice that it is late or has expired. But while its lane is closed nothing tries it. So
 * when the oldest message of the queue is older than an age, the old ones are taken out and shown to the owner, who
 * decides what that means for each. A batch at a time, and not all the time: those that stay are old for ever.
 */

#include "delivery/age-watch.h"

#include "delivery/retry.h"

#define LOOK_AT_ONCE 100

struct _DeliveryAgeWatch {
    Queue *queue;
    guint every_seconds;
    DeliveryAged aged;
    gpointer user_data;
    gint64 looked_usec; /* when it was last looked, monotonic; 0: there may be more of them */
    guint pending;
    gboolean freed; /* by the owner; goes with the last job that was promised */
};

DeliveryAgeWatch *
delivery_age_watch_new (Queue *queue, guint every_seconds, DeliveryAged aged, gpointer user_data)
{
    DeliveryAgeWatch *self = g_new0 (DeliveryAgeWatch, 1);

    self->queue = queue;
    self->every_seconds = every_seconds;
    self->aged = aged;
    self->user_data = user_data;
    return self;
}

void
delivery_age_watch_free (DeliveryAgeWatch *self)
{
    self->freed = TRUE;
    if (self->pending == 0)
        g_free (self);
}

gint64
delivery_age_watch_wakes (const DeliveryAgeWatch *self, guint age_seconds)
{
    guint every_seconds = CLAMP (age_seconds / 4, 1, self->every_seconds);
    gint64 soonest_usec = self->looked_usec ? self->looked_usec + delivery_usec (every_seconds) : 0;
    QueueStatistics statistics;

    queue_statistics (self->queue, &statistics);
    if (statistics.messages == 0 || self->pending > 0)
        return G_MAXINT64;

    return MAX (soonest_usec,
                g_get_monotonic_time () - g_get_real_time () + statistics.oldest_usec + delivery_usec (age_seconds));
}

/* @job: (nullable): a message that cannot be read is promised and not given */
static void
on_taken (QueueJob *job, gpointer user_data)
{
    DeliveryAgeWatch *self = user_data;

    self->pending--;
    if (!self->freed) {
        self->aged (job ? delivery_attempt_new (job) : NULL, self->user_data);
        return;
    }

    delivery_attempt_put_back (job, self->queue);
    if (self->pending == 0)
        g_free (self);
}

void
delivery_age_watch_look (DeliveryAgeWatch *self, guint age_seconds)
{
    gint64 arrival_usec = g_get_real_time () - delivery_usec (age_seconds);
    guint taken;

    self->pending += LOOK_AT_ONCE;
    taken = queue_take_old (self->queue, arrival_usec, LOOK_AT_ONCE, on_taken, self);
    self->pending -= LOOK_AT_ONCE - taken;
    self->looked_usec = taken == LOOK_AT_ONCE ? 0 : g_get_monotonic_time ();
}

guint
delivery_age_watch_pending (const DeliveryAgeWatch *self)
{
    return self->pending;
}
