/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * A remote
 *
 * Keeps the sessions of one smarthost and learns from each what the smarthost's health is. It decides how many sessions
 * there may be and which one takes a message, never which message: that is the lane's business. What the sessions tell is
 * heard in remote-session.c.
 *
 * A session is kept after a message, for the next one: logging in anew for each message is slow and gets accounts
 * blocked. The one used last is used first, so that those beyond the need grow old and quit. When there is another one is
 * decided in ramp.c.
 */

#include "delivery/remote-private.h"

static void
quit_idle (DeliveryRemote *self)
{
    DeliveryRemoteSession *session;

    while ((session = g_queue_peek_head (&self->idle)))
        delivery_remote_session_quit (session);
}

static void
press (DeliveryRemote *self)
{
    if (self->idle.length == 0)
        delivery_ramp_press (&self->ramp, g_get_monotonic_time ());
}

DeliveryRemote *
delivery_remote_new (Queue *queue, SmtpPoller *poller, SmtpTls *tls, const DeliverySmarthost *smarthost,
                     const DeliverySettings *settings, const DeliveryRemoteEvents *events, gpointer user_data)
{
    DeliveryRemote *self = g_new0 (DeliveryRemote, 1);

    self->name = g_strdup (smarthost->name);
    self->host = g_strdup (smarthost->host);
    self->port = smarthost->port;
    self->user = g_strdup (smarthost->user);
    self->address = g_strdup_printf ("%s:%u", smarthost->host, smarthost->port);
    self->smarthost = smarthost;
    self->settings = settings;
    self->tls = tls ? smtp_tls_ref (tls) : NULL;
    self->queue = queue;
    self->poller = poller;
    self->events = events;
    self->user_data = user_data;
    self->since_usec = g_get_real_time ();
    self->sessions = g_ptr_array_new ();
    g_queue_init (&self->idle);
    delivery_health_init (&self->health, smarthost->connections_most);
    return self;
}

void
delivery_remote_free (DeliveryRemote *self)
{
    g_return_if_fail (self->sessions->len == 0);

    delivery_health_clear (&self->health);
    g_clear_pointer (&self->tls, smtp_tls_unref);
    g_ptr_array_unref (self->sessions);
    g_free (self->name);
    g_free (self->host);
    g_free (self->user);
    g_free (self->address);
    g_free (self);
}

gboolean
delivery_remote_is_same (const DeliveryRemote *self, const DeliverySmarthost *smarthost)
{
    return g_str_equal (self->name, smarthost->name) && g_str_equal (self->host, smarthost->host) &&
           self->port == smarthost->port && g_strcmp0 (self->user, smarthost->user) == 0;
}

static void
outdate_sessions (DeliveryRemote *self)
{
    for (guint i = 0; i < self->sessions->len; i++)
        ((DeliveryRemoteSession *) g_ptr_array_index (self->sessions, i))->outdated = TRUE;

    quit_idle (self);
}

void
delivery_remote_set (DeliveryRemote *self, SmtpTls *tls, const DeliverySmarthost *smarthost,
                     const DeliverySettings *settings)
{
    self->smarthost = smarthost;
    self->settings = settings;
    g_clear_pointer (&self->tls, smtp_tls_unref);
    self->tls = tls ? smtp_tls_ref (tls) : NULL;
    delivery_health_set_most (&self->health, smarthost->connections_most);
    delivery_health_hurry (&self->health, TRUE, g_get_monotonic_time ());
    outdate_sessions (self);
}

static void
drop_opening (DeliveryRemote *self)
{
    for (guint i = self->sessions->len; i > 0; i--) {
        DeliveryRemoteSession *session = g_ptr_array_index (self->sessions, i - 1);

        if (!session->opened)
            delivery_remote_session_free (g_ptr_array_steal_index_fast (self->sessions, i - 1));
    }

    self->opening = 0;
}

void
delivery_remote_retire (DeliveryRemote *self)
{
    self->retired = TRUE;
    drop_opening (self);
    outdate_sessions (self);
}

void
delivery_remote_break (DeliveryRemote *self)
{
    g_autoptr (GPtrArray) sessions = g_steal_pointer (&self->sessions);

    self->retired = TRUE;
    self->sessions = g_ptr_array_new ();
    g_queue_clear (&self->idle);
    self->opening = 0;
    self->quitting = 0;

    for (guint i = 0; i < sessions->len; i++) {
        DeliveryRemoteSession *session = g_ptr_array_index (sessions, i);
        DeliveryAttempt *attempt = g_steal_pointer (&session->attempt);

        delivery_remote_session_free (session);
        if (attempt)
            self->events->finished (self, attempt, self->user_data);
    }
}

const gchar *
delivery_remote_host (const DeliveryRemote *self)
{
    return self->host;
}

const gchar *
delivery_remote_address (const DeliveryRemote *self)
{
    return self->address;
}

guint
delivery_remote_weight (const DeliveryRemote *self)
{
    return self->smarthost->weight;
}

guint
delivery_remote_sessions (const DeliveryRemote *self)
{
    return self->sessions->len;
}

gboolean
delivery_remote_is_down (const DeliveryRemote *self)
{
    return self->health.state == DELIVERY_REMOTE_DOWN;
}

static guint
used (const DeliveryRemote *self)
{
    return self->sessions->len - self->quitting;
}

/* When another session is called for, apart from the limit. */
static gint64
ramp_usec (const DeliveryRemote *self)
{
    return delivery_ramp_usec (&self->ramp, used (self), self->opening);
}

static gboolean
may_open (DeliveryRemote *self, gint64 now_usec)
{
    if (self->retired || used (self) >= delivery_health_limit (&self->health, now_usec))
        return FALSE;
    if (delivery_remote_is_down (self))
        return self->opening == 0 && now_usec >= self->health.probe_usec;

    return now_usec >= ramp_usec (self);
}

guint
delivery_remote_room (DeliveryRemote *self, gint64 now_usec)
{
    if (delivery_remote_is_down (self))
        return 0;

    return self->idle.length + self->opening + (may_open (self, now_usec) ? 1 : 0);
}

guint
delivery_remote_opening (const DeliveryRemote *self)
{
    return self->opening;
}

gboolean
delivery_remote_open (DeliveryRemote *self, gint64 now_usec)
{
    DeliveryRemoteSession *session;

    if (!may_open (self, now_usec))
        return FALSE;

    session = g_new0 (DeliveryRemoteSession, 1);
    session->remote = self;
    session->connection = delivery_connection_new (self->poller, self->tls, self->smarthost, self->settings,
                                                   &delivery_remote_session_events, session);
    g_ptr_array_add (self->sessions, session);
    if (self->sessions->len == 1)
        self->moved_usec = now_usec;
    delivery_ramp_open (&self->ramp, now_usec);
    self->opening++;
    press (self);
    return TRUE;
}

gboolean
delivery_remote_start (DeliveryRemote *self, DeliveryAttempt *attempt)
{
    DeliveryRemoteSession *session = g_queue_pop_head (&self->idle);
    const guint *recipients;
    guint n_recipients;
    guint most;

    if (!session)
        return FALSE;

    session->attempt = attempt;
    self->moved_usec = g_get_monotonic_time ();
    press (self);
    delivery_attempt_start (attempt, self->host, self->address, delivery_connection_offers_dsn (session->connection));
    attempt->size_most_bytes = delivery_connection_size_most (session->connection);
    most = delivery_portion_most (&self->portion, self->smarthost->recipients_most, session->recipients_most,
                                  g_get_monotonic_time ());
    recipients = delivery_attempt_recipients (attempt, most, &n_recipients);
    delivery_connection_begin (session->connection, self->queue, attempt->job->message, recipients, n_recipients);
    return TRUE;
}

gint64
delivery_remote_stalled_since (DeliveryRemote *self, gint64 now_usec)
{
    if (self->sessions->len == 0 || self->idle.length > 0 || may_open (self, now_usec))
        return G_MAXINT64;

    return self->moved_usec;
}

gint64
delivery_remote_wakes (const DeliveryRemote *self, gint64 now_usec)
{
    gint64 wakes_usec = G_MAXINT64;

    if (self->retired)
        return G_MAXINT64;
    if (delivery_remote_is_down (self))
        return self->opening == 0 ? MAX (self->health.probe_usec, now_usec) : G_MAXINT64;

    if (used (self) < self->health.limit)
        wakes_usec = ramp_usec (self);
    wakes_usec = MIN (wakes_usec, self->health.raise_usec);
    return wakes_usec > now_usec ? wakes_usec : G_MAXINT64;
}

void
delivery_remote_hurry (DeliveryRemote *self, gboolean login, gint64 now_usec)
{
    delivery_health_hurry (&self->health, login, now_usec);
}

/* A message that was sent whole may have been taken: it waits for the answer, or it would be sent twice. */
static void
give_up_busy (DeliveryRemote *self)
{
    for (guint i = self->sessions->len; i > 0; i--) {
        DeliveryRemoteSession *session = g_ptr_array_index (self->sessions, i - 1);
        DeliveryAttempt *attempt = session->attempt;

        if (!attempt || delivery_connection_awaits_end (session->connection))
            continue;

        g_ptr_array_remove_index_fast (self->sessions, i - 1);
        delivery_remote_session_free (session);
        delivery_attempt_start (attempt, self->host, self->address, FALSE);
        self->events->returned (self, attempt, self->user_data);
    }
}

void
delivery_remote_wake (DeliveryRemote *self)
{
    drop_opening (self);
    give_up_busy (self);
    outdate_sessions (self);
}

const DeliveryFailure *
delivery_remote_failure (const DeliveryRemote *self)
{
    return self->health.failure;
}

void
delivery_remote_count (DeliveryRemote *self, const DeliveryAttempt *attempt)
{
    self->delivered += delivery_attempt_count (attempt, QUEUE_OUTCOME_DELIVERED);
    self->deferred += delivery_attempt_count (attempt, QUEUE_OUTCOME_DEFERRED);
    self->failed += delivery_attempt_count (attempt, QUEUE_OUTCOME_FAILED) +
                    delivery_attempt_count (attempt, QUEUE_OUTCOME_EXPIRED);
}

void
delivery_remote_describe (const DeliveryRemote *self, DeliveryRemoteInfo *info)
{
    gboolean down = delivery_remote_is_down (self);

    *info = (DeliveryRemoteInfo){
        .name = self->name,
        .host = self->host,
        .port = self->port,
        .state = self->health.state,
        .error = down && self->health.failure ? self->health.failure->reason : NULL,
        .since_usec = self->since_usec,
        .next_probe_usec = down ? g_get_real_time () + self->health.probe_usec - g_get_monotonic_time () : 0,
        .connections = delivery_remote_established (self),
        .delivered = self->delivered,
        .deferred = self->deferred,
        .failed = self->failed,
        .sessions = self->opened};
}
