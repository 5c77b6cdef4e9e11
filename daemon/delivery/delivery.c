/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The delivery
 *
 * Ties the room together: it owns the settings, the roster of remotes, the lanes, the notices and the trials, passes
 * between them what the one says and the other must hear, and keeps the clock.
 *
 *   queue → lane → remote → connection      a job on its way out
 *   connection → remote → notices → queue   what became of it
 *
 * Mail goes the default lane, by all remotes, unless a route of the configuration is for it: each route is a lane with
 * its own list out of the same remotes. When a reload changes the routes the queue sorts what waits anew; what is in a
 * session by then goes the way that it began.
 *
 * There is one clock for all: a source that is set to the earliest moment at which something is to be done that no
 * session will tell of. So ten thousand deferred messages cost no timer of their own.
 */

#include "delivery/delivery.h"

#include "delivery/elders.h"
#include "delivery/lanes.h"
#include "delivery/notices.h"
#include "delivery/retry.h"
#include "delivery/roster.h"
#include "delivery/sink.h"
#include "delivery/trial.h"
#include "message/alias-text.h"

#include <gio/gio.h>

/* The queue's clock may be set, and a suspended machine's monotonic clock stands still: look again after this. */
#define WAKE_LONGEST_SECONDS 60

/* The clock is not set anew for less than this. */
#define WAKE_SLACK_USEC (G_USEC_PER_SEC / 20)

/* Attempts that wait for their notices; beyond this no new jobs are taken. Each may hold an original of
 * notice_content_bytes. */
#define NOTICES_MOST 64

/* The lane of mail that somebody wants to be given up, and what its senders are told. */
#define LANE_GIVEN_UP   "given up"
#define REASON_GIVEN_UP "the people who run the mail relay decided not to deliver it"

/* The lane of mail that an alias throws away. */
#define LANE_THROWN_AWAY   "thrown away"
#define REASON_THROWN_AWAY "thrown away by an alias to " MESSAGE_ALIAS_NULL_FILE

struct _Delivery {
    Queue *queue;
    SmtpPoller *poller;
    DeliverySettings *settings;
    DeliveryListener listener;
    gpointer user_data;
    DeliveryRoster *roster;
    DeliveryLanes *lanes;
    DeliverySink *given_up;
    DeliverySink *thrown_away;
    DeliveryNotices *notices;
    DeliveryElders *elders;
    GPtrArray *trials; /* of DeliveryTrial */
    GSource *clock;
    GNetworkMonitor *monitor;
    gulong monitoring;
    gboolean online;
    gboolean paused;
    gboolean restrained;

    gboolean stopping;
    void (*stopped) (gpointer user_data); /* (nullable) told already */
    gpointer stopped_data;
    guint deadline; /* source id, 0: none */
    guint telling;  /* source id of the call of stopped */
};

static void advance_stop (Delivery *self);

static gboolean
is_running (const Delivery *self)
{
    return !self->paused && !self->stopping;
}

/* ---- The clock ---- */

static void
set_clock (Delivery *self)
{
    gint64 set_usec = g_source_get_ready_time (self->clock);
    gint64 wakes_usec = -1;

    /* Somebody asked to be called at once. */
    if (set_usec == 0)
        return;

    if (!self->stopping)
        wakes_usec = MIN (delivery_sink_wakes (self->given_up), delivery_sink_wakes (self->thrown_away));
    if (is_running (self))
        wakes_usec = MIN (wakes_usec, MIN (delivery_lanes_wakes (self->lanes), delivery_elders_wakes (self->elders)));
    if (wakes_usec == G_MAXINT64)
        wakes_usec = -1;
    if (wakes_usec != -1)
        wakes_usec = MIN (wakes_usec, g_get_monotonic_time () + delivery_usec (WAKE_LONGEST_SECONDS));

    if (set_usec == -1 || wakes_usec == -1 || ABS (wakes_usec - set_usec) > WAKE_SLACK_USEC)
        g_source_set_ready_time (self->clock, wakes_usec);
}

/* As soon as whoever calls has returned. */
static void
wake_up (Delivery *self)
{
    g_source_set_ready_time (self->clock, 0);
}

static gboolean
may_take (const Delivery *self)
{
    return !self->stopping && delivery_notices_pending (self->notices) < NOTICES_MOST;
}

static void
pump (Delivery *self)
{
    /* That sends nothing, so it is done while deliveries are paused too. */
    if (may_take (self))
        delivery_sink_pump (self->given_up);
    if (may_take (self))
        delivery_sink_pump (self->thrown_away);
    if (may_take (self) && !self->paused)
        delivery_lanes_pump (self->lanes);
}

static gboolean
on_clock (gpointer user_data)
{
    Delivery *self = user_data;

    g_source_set_ready_time (self->clock, -1);
    delivery_roster_tidy (self->roster);
    if (is_running (self))
        delivery_elders_look (self->elders);
    pump (self);
    set_clock (self);
    advance_stop (self);
    return G_SOURCE_CONTINUE;
}

static gboolean
dispatch_clock (GSource *source, GSourceFunc callback, gpointer user_data)
{
    return callback (user_data);
}

static GSourceFuncs clock_functions = {.dispatch = dispatch_clock};

static void
start_clock (Delivery *self)
{
    self->clock = g_source_new (&clock_functions, sizeof (GSource));
    g_source_set_name (self->clock, "delivery");
    g_source_set_callback (self->clock, on_clock, self, NULL);
    g_source_attach (self->clock, NULL);
}

/* ---- From one part to the other ---- */

static void
finish (Delivery *self, DeliveryRemote *remote, DeliveryAttempt *attempt)
{
    gint64 now_usec = g_get_real_time ();
    const gchar *remark = delivery_attempt_get_remark (attempt);

    if (remark)
        self->listener.remark (attempt->job->message, attempt->address, remark, self->user_data);
    delivery_attempt_judge (attempt, self->settings, now_usec, g_random_double ());
    if (remote)
        delivery_remote_count (remote, attempt);
    delivery_notices_settle (self->notices, attempt, now_usec);
}

static void
on_settled (DeliveryAttempt *attempt, gpointer user_data)
{
    Delivery *self = user_data;

    delivery_attempt_free (attempt);
    if (self->stopping || delivery_notices_pending (self->notices) + 1 == NOTICES_MOST)
        wake_up (self);
}

static gboolean
on_available (DeliveryRemote *remote, gpointer user_data)
{
    Delivery *self = user_data;
    gboolean more = FALSE;

    /* A former remote may have to go, and a stop may be at its end: not within this event. */
    if (self->stopping || !delivery_lanes_use (self->lanes, remote)) {
        wake_up (self);
        return FALSE;
    }

    if (may_take (self) && !self->paused)
        more = delivery_lanes_serve (self->lanes, remote);
    set_clock (self);
    return more;
}

static void
on_finished (DeliveryRemote *remote, DeliveryAttempt *attempt, gpointer user_data)
{
    finish (user_data, remote, attempt);
}

static void
on_returned (DeliveryRemote *remote, DeliveryAttempt *attempt, gpointer user_data)
{
    Delivery *self = user_data;
    DeliveryLane *lane = delivery_lanes_find (self->lanes, attempt->job->lane);

    if (lane)
        delivery_lane_add (lane, attempt);
    else
        finish (self, NULL, attempt);
}

static void
on_changed (DeliveryRemote *remote, gboolean state, gpointer user_data)
{
    Delivery *self = user_data;
    DeliveryRemoteInfo info;

    if (!delivery_lanes_use (self->lanes, remote))
        return;

    delivery_remote_describe (remote, &info);
    if (state)
        self->listener.remote (&info, self->user_data);
    else if (self->listener.asked && info.state == DELIVERY_REMOTE_DOWN)
        self->listener.asked (&info, self->user_data);
}

static const DeliveryRemoteEvents remote_events = {
    .available = on_available, .finished = on_finished, .returned = on_returned, .changed = on_changed};

static void
on_lane_finished (DeliveryAttempt *attempt, gpointer user_data)
{
    finish (user_data, NULL, attempt);
}

static const DeliveryLaneEvents lane_events = {.finished = on_lane_finished};

static void
on_elders_looked (gpointer user_data)
{
    wake_up (user_data);
}

static const DeliveryEldersEvents elders_events = {.finished = on_lane_finished, .looked = on_elders_looked};

/* A QueueRoute */
static const gchar *
choose_lane (const QueueMessage *message, guint recipient, QueueHints hints, gpointer user_data)
{
    const Delivery *self = user_data;
    const gchar *address = message_envelope_recipient (message->envelope, recipient)->address;
    const DeliveryRoute *route;

    if (hints & QUEUE_HINT_BOUNCED)
        return LANE_GIVEN_UP;
    if (g_str_equal (address, MESSAGE_ALIAS_NULL_FILE))
        return LANE_THROWN_AWAY;

    /* The many relays without routes pay nothing for them. */
    if (self->settings->routes->len == 0)
        return DELIVERY_LANE_DEFAULT;

    route = delivery_routes_find (self->settings->routes, message->envelope->sender, address, message->origin.uid);
    return route ? delivery_route_lane (route, (hints & QUEUE_HINT_RELEASED) != 0) : DELIVERY_LANE_DEFAULT;
}

/* ---- The network ---- */

static void
hurry (Delivery *self, gboolean login)
{
    GPtrArray *remotes = delivery_roster_remotes (self->roster);

    for (guint i = 0; i < remotes->len; i++)
        delivery_remote_hurry (g_ptr_array_index (remotes, i), login, g_get_monotonic_time ());

    wake_up (self);
}

/* What is reachable can change with every change of the network, and a monitor that sees no network may be wrong:
 * its word starts probes, and stops nothing. */
static void
on_network_changed (GNetworkMonitor *monitor, gboolean available, gpointer user_data)
{
    Delivery *self = user_data;
    gboolean was_online = self->online;

    self->online = available;
    if (available)
        hurry (self, FALSE);
    if (was_online != available)
        self->listener.changed (self->user_data);
}

static void
watch_network (Delivery *self)
{
    self->monitor = g_object_ref (g_network_monitor_get_default ());
    self->online = g_network_monitor_get_network_available (self->monitor);
    self->monitoring = g_signal_connect (self->monitor, "network-changed", G_CALLBACK (on_network_changed), self);
}

/* ---- Settings ---- */

static gboolean
adopt (Delivery *self, DeliverySettings *settings, GError **error)
{
    g_autoptr (DeliverySettings) given = settings;
    g_autoptr (DeliverySettings) old = NULL;
    const gchar *none = settings->no_smarthost;

    if (!delivery_roster_set (self->roster, settings, error))
        return FALSE;

    old = g_steal_pointer (&self->settings);
    self->settings = g_steal_pointer (&given);
    if (!none)
        none =
            "no smarthost is configured: set Host= in the group [Smarthost] of " POSTERN_SYSCONFDIR "/postern.conf";
    delivery_lanes_set (self->lanes, settings, delivery_roster_remotes (self->roster), none);
    delivery_notices_set (self->notices, settings);
    delivery_elders_set (self->elders, settings);
    if (!old || !delivery_routes_lead_alike (old->routes, settings->routes))
        queue_set_route (self->queue, choose_lane, self);
    wake_up (self);
    return TRUE;
}

gboolean
delivery_set_settings (Delivery *self, DeliverySettings *settings, GError **error)
{
    return adopt (self, settings, error);
}

/* ---- Life ---- */

Delivery *
delivery_new (Queue *queue, SmtpPoller *poller, DeliverySettings *settings, const DeliveryListener *listener,
              gpointer user_data, GError **error)
{
    Delivery *self = g_new0 (Delivery, 1);

    self->queue = queue;
    self->poller = smtp_poller_ref (poller);
    self->listener = *listener;
    self->user_data = user_data;
    self->trials = g_ptr_array_new ();
    self->roster = delivery_roster_new (queue, poller, &remote_events, self);
    self->lanes = delivery_lanes_new (queue, &lane_events, self);
    self->given_up =
        delivery_sink_new (queue, LANE_GIVEN_UP, DELIVERY_SINK_FAIL, REASON_GIVEN_UP, &lane_events, self);
    self->thrown_away =
        delivery_sink_new (queue, LANE_THROWN_AWAY, DELIVERY_SINK_DISCARD, REASON_THROWN_AWAY, &lane_events, self);
    self->notices = delivery_notices_new (queue, settings, on_settled, self);
    self->elders = delivery_elders_new (queue, self->lanes, settings, &elders_events, self);
    start_clock (self);
    watch_network (self);
    if (!adopt (self, settings, error)) {
        delivery_free (self);
        return NULL;
    }

    return self;
}

static gboolean
is_idle (const Delivery *self)
{
    return delivery_roster_sessions (self->roster) == 0 && delivery_lanes_in_hand (self->lanes) == 0 &&
           delivery_sink_in_hand (self->given_up) == 0 && delivery_sink_in_hand (self->thrown_away) == 0 &&
           delivery_notices_pending (self->notices) == 0 && delivery_elders_pending (self->elders) == 0;
}

static gboolean
tell_stopped (gpointer user_data)
{
    Delivery *self = user_data;
    void (*stopped) (gpointer) = g_steal_pointer (&self->stopped);

    self->telling = 0;
    g_clear_handle_id (&self->deadline, g_source_remove);
    stopped (self->stopped_data);
    return G_SOURCE_REMOVE;
}

static void
advance_stop (Delivery *self)
{
    if (self->stopped && !self->telling && is_idle (self))
        self->telling = g_idle_add_full (G_PRIORITY_DEFAULT, tell_stopped, self, NULL);
}

static void
break_off (Delivery *self)
{
    delivery_roster_break (self->roster);
    delivery_notices_break (self->notices);
}

static gboolean
on_deadline (gpointer user_data)
{
    Delivery *self = user_data;

    self->deadline = 0;
    break_off (self);
    if (!self->telling)
        self->telling = g_idle_add_full (G_PRIORITY_DEFAULT, tell_stopped, self, NULL);
    return G_SOURCE_REMOVE;
}

static void
end_trials (Delivery *self)
{
    while (self->trials->len > 0)
        delivery_trial_free (g_ptr_array_steal_index (self->trials, 0));
}

void
delivery_stop (Delivery *self, guint deadline_seconds, void (*stopped) (gpointer user_data), gpointer user_data)
{
    g_return_if_fail (!self->stopping);

    self->stopping = TRUE;
    delivery_elders_run (self->elders, FALSE);
    self->stopped = stopped;
    self->stopped_data = user_data;
    self->deadline = g_timeout_add_seconds (deadline_seconds, on_deadline, self);
    end_trials (self);
    delivery_lanes_stop (self->lanes);
    delivery_roster_retire (self->roster);
    advance_stop (self);
}

void
delivery_free (Delivery *self)
{
    self->stopping = TRUE;
    delivery_elders_run (self->elders, FALSE);
    queue_set_route (self->queue, NULL, NULL);
    g_clear_signal_handler (&self->monitoring, self->monitor);
    g_object_unref (self->monitor);
    g_clear_handle_id (&self->deadline, g_source_remove);
    g_clear_handle_id (&self->telling, g_source_remove);

    end_trials (self);
    delivery_lanes_stop (self->lanes);
    break_off (self);
    g_source_destroy (self->clock);
    g_source_unref (self->clock);

    delivery_roster_free (self->roster);
    delivery_lanes_free (self->lanes);
    delivery_sink_free (self->given_up);
    delivery_sink_free (self->thrown_away);
    delivery_elders_free (self->elders);
    delivery_notices_free (self->notices);
    g_ptr_array_unref (self->trials);
    g_clear_pointer (&self->settings, delivery_settings_free);
    smtp_poller_unref (self->poller);
    g_free (self);
}

/* ---- Looking and steering ---- */

void
delivery_due (Delivery *self, const gchar *lane)
{
    wake_up (self);
}

void
delivery_pause (Delivery *self)
{
    if (self->paused)
        return;

    self->paused = TRUE;
    delivery_elders_run (self->elders, FALSE);
    delivery_lanes_stop (self->lanes);
    self->listener.changed (self->user_data);
}

void
delivery_resume (Delivery *self)
{
    if (!self->paused)
        return;

    self->paused = FALSE;
    delivery_elders_run (self->elders, !self->stopping);
    delivery_lanes_go (self->lanes);
    wake_up (self);
    self->listener.changed (self->user_data);
}

gboolean
delivery_is_paused (const Delivery *self)
{
    return self->paused;
}

void
delivery_restrain (Delivery *self, const gchar *reason)
{
    gboolean was_restrained = self->restrained;

    self->restrained = reason != NULL;
    delivery_lanes_restrain (self->lanes, reason);
    wake_up (self);
    if (self->restrained != was_restrained)
        self->listener.changed (self->user_data);
}

gboolean
delivery_is_restrained (const Delivery *self)
{
    return self->restrained;
}

gboolean
delivery_is_online (const Delivery *self)
{
    return self->online;
}

void
delivery_hurry (Delivery *self)
{
    hurry (self, TRUE);
}

void
delivery_wake (Delivery *self)
{
    GPtrArray *remotes = delivery_roster_remotes (self->roster);

    for (guint i = 0; i < remotes->len && !self->stopping; i++)
        delivery_remote_wake (g_ptr_array_index (remotes, i));

    hurry (self, FALSE);
}

GArray *
delivery_remotes (Delivery *self)
{
    GPtrArray *remotes = delivery_roster_remotes (self->roster);
    GArray *list = g_array_new (FALSE, TRUE, sizeof (DeliveryRemoteInfo));

    g_array_set_size (list, remotes->len);
    for (guint i = 0; i < remotes->len; i++)
        delivery_remote_describe (g_ptr_array_index (remotes, i), &g_array_index (list, DeliveryRemoteInfo, i));

    return list;
}

static void
on_trial_over (DeliveryTrial *trial, gpointer user_data)
{
    Delivery *self = user_data;

    g_ptr_array_remove_fast (self->trials, trial);
}

gboolean
delivery_test (Delivery *self, const gchar *name, const gchar *sender, DeliveryTested tested, gpointer user_data)
{
    for (guint i = 0; i < self->settings->smarthosts->len && !self->stopping; i++) {
        const DeliverySmarthost *smarthost = g_ptr_array_index (self->settings->smarthosts, i);
        SmtpTls *tls = delivery_roster_tls (self->roster, i);

        if (!g_str_equal (smarthost->name, name))
            continue;

        g_ptr_array_add (self->trials, delivery_trial_new (self->poller, tls, smarthost, self->settings, sender,
                                                           tested, user_data, on_trial_over, self));
        return TRUE;
    }

    return FALSE;
}
