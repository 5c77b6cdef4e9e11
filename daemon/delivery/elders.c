/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Old mail
 *
 * Mail that is found to be older than its lifetime is tried a last time where its lane is open, and has expired where
 * the lane has been closed for long; mail that is late is told of there too. Not so shortly after the lane closed: a
 * machine that was off for a week must not bounce its mail only because it starts faster than its network.
 */

#include "delivery/elders.h"

#include "delivery/age-watch.h"
#include "delivery/retry.h"

/* A lane must have been closed for so long (or for the age that counts, if that is shorter) before mail in it expires
 * or is called late. */
#define CLOSED_LONG_SECONDS (60 * 60)

/* How often expired mail is looked for, and how often late mail, which takes longer because it stays. */
#define EXPIRED_EVERY_SECONDS 60
#define LATE_EVERY_SECONDS    (60 * 60)

struct _DeliveryElders {
    DeliveryLanes *lanes;
    const DeliverySettings *settings;
    const DeliveryEldersEvents *events;
    gpointer user_data;
    DeliveryAgeWatch *expired;
    DeliveryAgeWatch *late;
    gboolean running;
};

/* When mail of that age has been behind a lane for long that is closed since then. */
static gint64
closed_long_usec (gint64 since_usec, guint age_seconds)
{
    if (since_usec == G_MAXINT64)
        return G_MAXINT64;

    return since_usec + delivery_usec (MIN (CLOSED_LONG_SECONDS, age_seconds));
}

static void
on_aged (DeliveryElders *self, DeliveryAttempt *attempt, guint age_seconds, gboolean last_attempt)
{
    DeliveryLane *lane;
    gint64 closed_usec;

    self->events->looked (self->user_data);
    if (!attempt)
        return;

    lane = delivery_lanes_find (self->lanes, attempt->job->lane);
    closed_usec = lane ? delivery_lane_closed_since (lane) : G_MAXINT64;
    if (self->running && lane && last_attempt && closed_usec == G_MAXINT64) {
        delivery_lane_add (lane, attempt);
        return;
    }

    if (self->running && g_get_monotonic_time () >= closed_long_usec (closed_usec, age_seconds))
        delivery_lane_pass_over (lane, attempt);
    self->events->finished (attempt, self->user_data);
}

static void
on_expired (DeliveryAttempt *attempt, gpointer user_data)
{
    DeliveryElders *self = user_data;

    on_aged (self, attempt, self->settings->expire_seconds, TRUE);
}

static void
on_late (DeliveryAttempt *attempt, gpointer user_data)
{
    DeliveryElders *self = user_data;

    on_aged (self, attempt, self->settings->delay_notice_seconds, FALSE);
}

DeliveryElders *
delivery_elders_new (Queue *queue, DeliveryLanes *lanes, const DeliverySettings *settings,
                     const DeliveryEldersEvents *events, gpointer user_data)
{
    DeliveryElders *self = g_new0 (DeliveryElders, 1);

    self->lanes = lanes;
    self->settings = settings;
    self->events = events;
    self->user_data = user_data;
    self->running = TRUE;
    self->expired = delivery_age_watch_new (queue, EXPIRED_EVERY_SECONDS, on_expired, self);
    self->late = delivery_age_watch_new (queue, LATE_EVERY_SECONDS, on_late, self);
    return self;
}

void
delivery_elders_free (DeliveryElders *self)
{
    delivery_age_watch_free (self->expired);
    delivery_age_watch_free (self->late);
    g_free (self);
}

void
delivery_elders_set (DeliveryElders *self, const DeliverySettings *settings)
{
    self->settings = settings;
}

void
delivery_elders_run (DeliveryElders *self, gboolean running)
{
    self->running = running;
}

static gint64
expired_wakes (const DeliveryElders *self)
{
    guint age_seconds = self->settings->expire_seconds;
    gint64 wakes_usec = delivery_age_watch_wakes (self->expired, age_seconds);

    if (!delivery_lanes_are_closed (self->lanes))
        return wakes_usec;

    return MAX (wakes_usec, closed_long_usec (delivery_lanes_closed_since (self->lanes), age_seconds));
}

static gint64
late_wakes (const DeliveryElders *self)
{
    guint age_seconds = self->settings->delay_notice_seconds;

    if (age_seconds == 0)
        return G_MAXINT64;

    return MAX (delivery_age_watch_wakes (self->late, age_seconds),
                closed_long_usec (delivery_lanes_closed_since (self->lanes), age_seconds));
}

void
delivery_elders_look (DeliveryElders *self)
{
    gint64 now_usec = g_get_monotonic_time ();

    if (now_usec >= expired_wakes (self))
        delivery_age_watch_look (self->expired, self->settings->expire_seconds);
    if (now_usec >= late_wakes (self))
        delivery_age_watch_look (self->late, self->settings->delay_notice_seconds);
}

gint64
delivery_elders_wakes (const DeliveryElders *self)
{
    return MIN (expired_wakes (self), late_wakes (self));
}

guint
delivery_elders_pending (const DeliveryElders *self)
{
    return delivery_age_watch_pending (self->expired) + delivery_age_watch_pending (self->late);
}
