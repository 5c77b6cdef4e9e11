/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * A lane
 *
 * Brings the jobs of one lane of the queue to the remotes that serve it. The first remote in order of preference
 * that is not known to be down gets everything. If all of it is busy and nothing has moved for a while (a server that
 * greets nobody, or hangs in every session), what waits goes to the next one: a slow remote must not hold up mail that
 * can go another way. Where the remotes share the lane, all that work get mail, by their weights as long as each keeps
 * up with its share. When all are down the lane is closed, which gives all its messages their reason in one
 * stroke, and what is in hand goes back.
 *
 * A job is taken from the queue when there is a session for it, or when one is being opened for it. So a message
 * that has an attempt was really tried, and a remote that is down costs the messages behind it nothing: it is probed
 * by opening a session, with no message at stake. Probes are made only while something is due; nobody wants to see
 * a login every five minutes on an idle day.
 *
 * After each message a session asks for the next one, so that a lane with enough mail keeps all its sessions busy and
 * never waits for the clock.
 *
 * A lane may be restrained, because sending costs money just now: it shows as closed, and takes only what somebody asked for.
 * What is in hand by then goes out: a connection is open for it.
 */

#include "delivery/lane.h"

#include "delivery/retry.h"
#include "delivery/share.h"

/* How long a remote whose sessions are all in use may show no progress before the next one gets what waits. Longer
 * than a good server takes for a message, shorter than people's patience. */
#define STALLED_SECONDS 10

/* What became due at this moment is looked at after this, and never in a busy loop. */
#define WAKE_SOON_USEC (G_USEC_PER_SEC / 100)

struct _DeliveryLane {
    gchar *name;
    Queue *queue;
    const DeliveryLaneEvents *events;
    gpointer user_data;
    GPtrArray *remotes;   /* of DeliveryRemote, not owned */
    DeliveryShare *share; /* (nullable) they share the lane; else in order of preference */
    gchar *none;
    gchar *restraint; /* (nullable) why it takes only what somebody asked for */
    gboolean running;
    gboolean pumping; /* pump () is under way: */
    gboolean again;   /* and has to look again */
    gboolean down;    /* all remotes are */
    gboolean closed;
    gint64 closed_usec;       /* since when, monotonic */
    gchar *told;              /* (nullable) the reason given to the queue */
    gint64 told_until_usec;   /* and until when, since the epoch */
    DeliveryFailure *failure; /* (nullable) why it is closed */
    GQueue waiting;           /* of DeliveryAttempt */
    guint taking;             /* jobs that the queue has promised */
    gboolean freed;           /* by the owner; goes with the last job that was promised */
};

DeliveryLane *
delivery_lane_new (Queue *queue, const gchar *name, const DeliveryLaneEvents *events, gpointer user_data)
{
    DeliveryLane *self = g_new0 (DeliveryLane, 1);

    self->name = g_strdup (name);
    self->queue = queue;
    self->events = events;
    self->user_data = user_data;
    self->remotes = g_ptr_array_new ();
    self->running = TRUE;
    g_queue_init (&self->waiting);
    return self;
}

static void
lane_clear (DeliveryLane *self)
{
    g_clear_pointer (&self->failure, delivery_failure_free);
    g_clear_pointer (&self->share, delivery_share_free);
    g_ptr_array_unref (self->remotes);
    g_free (self->told);
    g_free (self->none);
    g_free (self->restraint);
    g_free (self->name);
    g_free (self);
}

void
delivery_lane_free (DeliveryLane *self)
{
    g_return_if_fail (self->waiting.length == 0);

    self->freed = TRUE;
    if (self->taking == 0)
        lane_clear (self);
}

const gchar *
delivery_lane_name (const DeliveryLane *self)
{
    return self->name;
}

static DeliveryShare *
make_share (GPtrArray *remotes)
{
    g_autoptr (GArray) weights = g_array_new (FALSE, FALSE, sizeof (guint));

    for (guint i = 0; i < remotes->len; i++) {
        guint weight = delivery_remote_weight (g_ptr_array_index (remotes, i));

        g_array_append_val (weights, weight);
    }

    return delivery_share_new (weights);
}

void
delivery_lane_set_remotes (DeliveryLane *self, GPtrArray *remotes, gboolean share, const gchar *none)
{
    g_ptr_array_set_size (self->remotes, 0);
    for (guint i = 0; i < remotes->len; i++)
        g_ptr_array_add (self->remotes, g_ptr_array_index (remotes, i));

    g_clear_pointer (&self->share, delivery_share_free);
    if (share)
        self->share = make_share (self->remotes);
    g_free (self->none);
    self->none = g_strdup (none);
}

void
delivery_lane_restrain (DeliveryLane *self, const gchar *reason)
{
    g_free (self->restraint);
    self->restraint = g_strdup (reason);
}

gboolean
delivery_lane_uses (const DeliveryLane *self, const DeliveryRemote *remote)
{
    return g_ptr_array_find (self->remotes, remote, NULL);
}

guint
delivery_lane_in_hand (const DeliveryLane *self)
{
    return self->waiting.length + self->taking;
}

static DeliveryRemote *
remote_at (const DeliveryLane *self, guint index)
{
    return g_ptr_array_index (self->remotes, index);
}

/* ---- Open and closed ---- */

static DeliveryFailure *
describe_closure (const DeliveryLane *self)
{
    const DeliveryFailure *first = NULL;
    g_autoptr (GString) reason = g_string_new (NULL);
    DeliveryFailure *closure;

    if (!self->down)
        return delivery_failure_new (DELIVERY_FAILURE_CONNECT, NULL, g_strdup (self->restraint));
    if (self->remotes->len == 0)
        return delivery_failure_new (DELIVERY_FAILURE_CONNECT, NULL, g_strdup (self->none));

    for (guint i = 0; i < self->remotes->len; i++) {
        const DeliveryFailure *failure = delivery_remote_failure (remote_at (self, i));

        g_string_append_printf (reason, "%s%s", i > 0 ? "; then " : "", failure->reason);
        first = first ? first : failure;
    }

    closure = delivery_failure_copy (first);
    g_free (closure->reason);
    closure->reason = g_string_free (g_steal_pointer (&reason), FALSE);
    return closure;
}

/* When the next remote will be probed, in the time of the wall, which people read. 0: none ever will. */
static gint64
next_probe_usec (const DeliveryLane *self)
{
    gint64 soonest = 0;

    for (guint i = 0; i < self->remotes->len; i++) {
        DeliveryRemoteInfo info;

        delivery_remote_describe (remote_at (self, i), &info);
        if (soonest == 0 || info.next_probe_usec < soonest)
            soonest = info.next_probe_usec;
    }

    return soonest;
}

static void
close_lane (DeliveryLane *self, gint64 now_usec)
{
    const gchar *address = NULL;
    const gchar *reason;
    gint64 until_usec = self->restraint ? 0 : next_probe_usec (self);

    g_clear_pointer (&self->failure, delivery_failure_free);
    self->failure = describe_closure (self);
    reason = self->restraint ? self->restraint : self->failure->reason;
    if (!self->closed)
        self->closed_usec = now_usec;

    /* Nothing new: it costs the queue something to tell all its messages. A second more or less is the clock's. */
    if (self->closed && g_strcmp0 (self->told, reason) == 0 &&
        ABS (until_usec - self->told_until_usec) < G_USEC_PER_SEC)
        return;

    self->closed = TRUE;
    self->told_until_usec = until_usec;
    g_free (self->told);
    self->told = g_strdup (reason);
    if (self->remotes->len > 0)
        address = delivery_remote_address (remote_at (self, 0));
    queue_lane_close (self->queue, self->name, address, self->failure->status, reason, until_usec);
}

static void
open_lane (DeliveryLane *self)
{
    if (!self->closed)
        return;

    self->closed = FALSE;
    g_clear_pointer (&self->failure, delivery_failure_free);
    queue_lane_open (self->queue, self->name);
}

gint64
delivery_lane_closed_since (const DeliveryLane *self)
{
    return self->closed ? self->closed_usec : G_MAXINT64;
}

void
delivery_lane_pass_over (DeliveryLane *self, DeliveryAttempt *attempt)
{
    attempt->passed_over = TRUE;
    delivery_attempt_break (attempt, self->failure, DELIVERY_WAIT_LANE);
}

/* All remotes were tried for it; the first is the one that people know. */
static void
refuse (DeliveryLane *self, DeliveryAttempt *attempt)
{
    if (self->remotes->len > 0)
        delivery_attempt_start (attempt, delivery_remote_host (remote_at (self, 0)),
                                delivery_remote_address (remote_at (self, 0)), FALSE);
    delivery_attempt_break (attempt, self->failure, DELIVERY_WAIT_LANE);
}

static void
give_back_waiting (DeliveryLane *self)
{
    DeliveryAttempt *attempt;

    while ((attempt = g_queue_pop_head (&self->waiting))) {
        if (self->down)
            refuse (self, attempt);
        self->events->finished (attempt, self->user_data);
    }
}

/* ---- Choosing a remote ---- */

static gboolean
is_stalled (DeliveryRemote *remote, gint64 now_usec)
{
    gint64 since = delivery_remote_stalled_since (remote, now_usec);

    return since != G_MAXINT64 && now_usec - since >= delivery_usec (STALLED_SECONDS);
}

/* The remote that gets what is due now; NULL: all are down. */
static DeliveryRemote *
choose_remote (const DeliveryLane *self, gint64 now_usec)
{
    DeliveryRemote *stalled = NULL;

    for (guint i = 0; i < self->remotes->len; i++) {
        DeliveryRemote *remote = remote_at (self, i);

        if (delivery_remote_is_down (remote))
            continue;
        if (!is_stalled (remote, now_usec))
            return remote;
        stalled = stalled ? stalled : remote;
    }

    return stalled;
}

/* What is due by then is to be taken, in the queue's time. */
static gint64
horizon_usec (const DeliveryLane *self)
{
    return self->restraint ? QUEUE_ONLY_ASKED_FOR : g_get_real_time ();
}

static gboolean
has_work (const DeliveryLane *self)
{
    return delivery_lane_in_hand (self) > 0 || queue_lane_due (self->queue, self->name) <= horizon_usec (self);
}

/* A remote that is down and preferred to the one in use, or one of several that share, is probed too, so that it gets its
 * mail back. */
static void
probe (DeliveryLane *self, const DeliveryRemote *in_use, gint64 now_usec)
{
    for (guint i = 0; i < self->remotes->len && (self->share || remote_at (self, i) != in_use); i++)
        if (delivery_remote_is_down (remote_at (self, i)) &&
            delivery_remote_wakes (remote_at (self, i), now_usec) <= now_usec && has_work (self))
            delivery_remote_open (remote_at (self, i), now_usec);
}

/* ---- Jobs ---- */

/* @job: (nullable): a message that cannot be read is promised and not given */
static void
on_taken (QueueJob *job, gpointer user_data)
{
    DeliveryLane *self = user_data;

    self->taking--;
    if (self->freed) {
        delivery_attempt_put_back (job, self->queue);
        if (self->taking == 0)
            lane_clear (self);
        return;
    }

    if (job)
        g_queue_push_tail (&self->waiting, delivery_attempt_new (job));
    if (!self->running)
        give_back_waiting (self);
    else
        delivery_lane_pump (self);
}

static void
start_waiting (DeliveryLane *self, DeliveryRemote *remote)
{
    DeliveryAttempt *attempt;

    while ((attempt = g_queue_peek_head (&self->waiting)) && delivery_remote_start (remote, attempt))
        g_queue_pop_head (&self->waiting);
}

static gboolean
take (DeliveryLane *self)
{
    self->taking++;
    if (queue_take (self->queue, self->name, horizon_usec (self), on_taken, self))
        return TRUE;

    self->taking--;
    return FALSE;
}

static void
serve (DeliveryLane *self, DeliveryRemote *remote, gint64 now_usec)
{
    start_waiting (self, remote);
    while (delivery_lane_in_hand (self) < delivery_remote_room (remote, now_usec) && take (self))
        start_waiting (self, remote);

    while (delivery_remote_opening (remote) < self->waiting.length && delivery_remote_open (remote, now_usec))
        ;
}

/* ---- Sharing ---- */

/* What each remote could be given now; the sum of that. */
static guint
measure_room (const DeliveryLane *self, guint *room, gint64 now_usec)
{
    const DeliveryRemote *last_resort = choose_remote (self, now_usec);
    guint sum = 0;

    for (guint i = 0; i < self->remotes->len; i++) {
        DeliveryRemote *remote = remote_at (self, i);

        /* The one that is chosen although it stalls, if all do. */
        room[i] =
            remote != last_resort && is_stalled (remote, now_usec) ? 0 : delivery_remote_room (remote, now_usec);
        sum += room[i];
    }

    return sum;
}

static guint
total_room (const DeliveryLane *self, gint64 now_usec)
{
    g_autofree guint *room = g_new0 (guint, self->remotes->len);

    return measure_room (self, room, now_usec);
}

/* Gives each attempt to the remote whose turn it is; where that has only a session that is being opened, or may open
 * one, the attempt waits for it. */
static void
deal_out (DeliveryLane *self, gint64 now_usec)
{
    g_autofree guint *room = g_new0 (guint, self->remotes->len);
    g_autofree guint *wanted = g_new0 (guint, self->remotes->len);
    GList *next;
    gint turn;

    measure_room (self, room, now_usec);
    delivery_share_plan (self->share);
    for (GList *link = self->waiting.head; link && (turn = delivery_share_next (self->share, room)) >= 0;
         link = next) {
        next = link->next;
        if (delivery_remote_start (remote_at (self, (guint) turn), link->data)) {
            delivery_share_count (self->share, (guint) turn);
            g_queue_delete_link (&self->waiting, link);
        } else {
            wanted[turn]++;
        }
    }

    for (guint i = 0; i < self->remotes->len; i++)
        while (delivery_remote_opening (remote_at (self, i)) < wanted[i] &&
               delivery_remote_open (remote_at (self, i), now_usec))
            ;
}

static void
serve_shared (DeliveryLane *self, gint64 now_usec)
{
    deal_out (self, now_usec);
    while (delivery_lane_in_hand (self) < total_room (self, now_usec) && take (self))
        deal_out (self, now_usec);
}

static void
pump_once (DeliveryLane *self)
{
    gint64 now_usec = g_get_monotonic_time ();
    DeliveryRemote *remote = choose_remote (self, now_usec);

    probe (self, remote, now_usec);
    self->down = !remote;
    if (self->down || self->restraint)
        close_lane (self, now_usec);
    else
        open_lane (self);

    if (self->down) {
        give_back_waiting (self);
        return;
    }
    if (self->share)
        serve_shared (self, now_usec);
    else
        serve (self, remote, now_usec);
}

void
delivery_lane_pump (DeliveryLane *self)
{
    self->again = TRUE;
    if (self->pumping)
        return;

    self->pumping = TRUE;
    while (self->again && self->running) {
        self->again = FALSE;
        pump_once (self);
    }
    self->pumping = FALSE;
}

void
delivery_lane_add (DeliveryLane *self, DeliveryAttempt *attempt)
{
    g_queue_push_head (&self->waiting, attempt);
    if (!self->running)
        give_back_waiting (self);
}

void
delivery_lane_stop (DeliveryLane *self)
{
    self->running = FALSE;
    give_back_waiting (self);
}

void
delivery_lane_go (DeliveryLane *self)
{
    self->running = TRUE;
    delivery_lane_pump (self);
}

/* ---- The clock ---- */

/* Times of the queue are the wall's; the loop's are monotonic. */
static gint64
due_monotonic (const DeliveryLane *self)
{
    gint64 due_usec = queue_lane_due (self->queue, self->name);

    if (due_usec == G_MAXINT64 || (self->restraint && due_usec > QUEUE_ONLY_ASKED_FOR))
        return G_MAXINT64;

    return g_get_monotonic_time () + MAX (due_usec - g_get_real_time (), 0);
}

static gint64
remote_wakes (DeliveryRemote *remote, gboolean last, gint64 now_usec)
{
    gint64 stalled = delivery_remote_stalled_since (remote, now_usec);
    gint64 wakes = delivery_remote_wakes (remote, now_usec);

    if (!last && stalled != G_MAXINT64 && !is_stalled (remote, now_usec))
        wakes = MIN (wakes, stalled + delivery_usec (STALLED_SECONDS));

    return wakes;
}

static gboolean
could_go (const DeliveryLane *self, gint64 now_usec)
{
    DeliveryRemote *remote = choose_remote (self, now_usec);

    if (self->share)
        return total_room (self, now_usec) > delivery_lane_in_hand (self);

    return remote && delivery_remote_room (remote, now_usec) > delivery_lane_in_hand (self);
}

gint64
delivery_lane_wakes (DeliveryLane *self)
{
    gint64 now_usec = g_get_monotonic_time ();
    gint64 due_usec = delivery_lane_in_hand (self) > 0 ? now_usec : due_monotonic (self);
    gint64 wakes = G_MAXINT64;

    if (!self->running || due_usec == G_MAXINT64)
        return G_MAXINT64;

    if (due_usec > now_usec)
        return due_usec;

    /* It became due since the last look; else it waits for one of the remotes. */
    if (could_go (self, now_usec))
        return now_usec + WAKE_SOON_USEC;

    for (guint i = 0; i < self->remotes->len; i++)
        wakes =
            MIN (wakes, remote_wakes (remote_at (self, i), !self->share && i + 1 == self->remotes->len, now_usec));

    return MAX (wakes, now_usec + WAKE_SOON_USEC);
}
