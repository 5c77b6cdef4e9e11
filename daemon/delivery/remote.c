/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * A remote
 *
 * Keeps the sessions of one smarthost and learns from each what the smarthost's health is. It decides how many sessions
 * there may be and which one takes a message, never which message: that is the lane's business.
 *
 * A session is kept after a message, for the next one: logging in anew for each message is slow and gets accounts
 * blocked. The one used last is used first, so that those beyond the need grow old and quit. When there is another one is
 * decided in ramp.c.
 *
 * The server may close a kept session at any time, also at the moment when a message is sent over it. If a session
 * that has carried messages before ends without a word about this one, the message goes back as if nothing had
 * happened, and takes another session. So it does if the session ended because there were too many recipients; it is sent to
 * fewer at a time then.
 *
 * Servers also count over a session: errors, recipients, commands. The message that meets the end of such a count pays for
 * those before it. So it goes back too if a session that has carried messages is ended before its content had its turn, but
 * once only: it may be the one that the server does not like.
 *
 * A server that answers a message with 530 wants a login that the configuration does not give. That is the
 * configuration's fault: the remote goes down, the message is unharmed.
 */

#include "delivery/remote.h"

#include "delivery/connection.h"
#include "delivery/portion.h"
#include "delivery/ramp.h"
#include "delivery/retry.h"

/* A message that met this many dead sessions one after the other is deferred after all; there are never so many kept
 * sessions unless something kills them. */
#define RETURNS_MOST 16

/* RFC 4954 6 and, obsolete but in use, RFC 2554: authentication, or encryption, is required first. */
#define CODE_LOGIN_REQUIRED      530
#define CODE_ENCRYPTION_REQUIRED 538

struct _DeliveryRemote {
    gchar *name;
    gchar *host;
    guint16 port;
    gchar *user; /* (nullable) */
    gchar *address;
    const DeliverySmarthost *smarthost;
    const DeliverySettings *settings;
    SmtpTls *tls; /* (nullable) */
    Queue *queue;
    SmtpPoller *poller;
    const DeliveryRemoteEvents *events;
    gpointer user_data;

    DeliveryHealth health;
    DeliveryPortion portion;
    gint64 since_usec; /* of the state, since the epoch */
    gboolean retired;
    GPtrArray *sessions; /* of Session */
    GQueue idle;         /* of Session, the one used last in front */
    guint opening;
    guint quitting;
    gint64 moved_usec; /* when a session last opened, took or completed something; monotonic */
    DeliveryRamp ramp;
    guint64 delivered;
    guint64 deferred;
    guint64 failed;
    guint64 opened;
};

typedef struct {
    DeliveryRemote *remote;
    DeliveryConnection *connection;
    DeliveryAttempt *attempt; /* (nullable) in hand */
    gboolean opened;
    gboolean quitting;
    gboolean outdated;       /* quit as soon as nothing is in hand */
    guint completed;         /* messages carried */
    guint recipients_most;   /* of one transaction, as far as it is known; 0: it is not */
    DeliveryFailure *locked; /* (nullable) it wants a login that we do not have */
} Session;

static void
session_free (gpointer data)
{
    Session *session = data;

    g_clear_pointer (&session->connection, delivery_connection_free);
    g_clear_pointer (&session->locked, delivery_failure_free);
    g_free (session);
}

static gint64
now (void)
{
    return g_get_monotonic_time ();
}

static void
changed (DeliveryRemote *self, gboolean state)
{
    if (state)
        self->since_usec = g_get_real_time ();
    self->events->changed (self, state, self->user_data);
}

static guint
established (const DeliveryRemote *self)
{
    return self->sessions->len - self->opening - self->quitting;
}

static void
session_quit (Session *session)
{
    g_queue_remove (&session->remote->idle, session);
    session->quitting = TRUE;
    session->remote->quitting++;
    delivery_connection_quit (session->connection);
}

static void
quit_idle (DeliveryRemote *self)
{
    Session *session;

    while ((session = g_queue_peek_head (&self->idle)))
        session_quit (session);
}

static void
press (DeliveryRemote *self)
{
    if (self->idle.length == 0)
        delivery_ramp_press (&self->ramp, now ());
}

/* ---- What the connections say ---- */

static void
on_ready (gpointer user_data)
{
    Session *session = user_data;
    DeliveryRemote *self = session->remote;
    gboolean more;

    self->moved_usec = now ();
    if (!session->opened) {
        session->opened = TRUE;
        delivery_ramp_open (&self->ramp, self->moved_usec);
        self->opening--;
        self->opened++;
        session->recipients_most = delivery_connection_recipients_most (session->connection);
        if (delivery_health_opened (&self->health))
            changed (self, TRUE);
    }

    g_queue_push_head (&self->idle, session);
    if (self->retired || session->outdated || session->locked)
        session_quit (session);

    more = self->events->available (self, self->user_data);
    if (self->idle.length > 0 && !more)
        delivery_ramp_relax (&self->ramp);
}

static void
on_result (guint recipient, const SmtpReply *reply, gpointer user_data)
{
    Session *session = user_data;

    if (reply->code == CODE_LOGIN_REQUIRED || reply->code == CODE_ENCRYPTION_REQUIRED) {
        g_autofree gchar *quote = smtp_reply_line (reply);

        g_clear_pointer (&session->locked, delivery_failure_free);
        session->locked = delivery_failure_new (
            DELIVERY_FAILURE_LOGIN, reply,
            g_strdup_printf (
                "%s: it takes mail only after a login or with TLS: %s; check User=, the password and TLS=",
                session->remote->address, quote));
        return;
    }

    delivery_attempt_answer (session->attempt, recipient, reply);
}

/* The session may have shown how many recipients there may be. Returns: whether that is news, and fewer than it had before */
static gboolean
learn_portion (Session *session)
{
    DeliveryRemote *self = session->remote;
    guint most = delivery_connection_recipients_most (session->connection);

    if (most == session->recipients_most)
        return FALSE;

    session->recipients_most = most;
    delivery_portion_learn (&self->portion, most, now ());
    if (most > 0)
        g_info ("%s takes %u recipients of a message at a time; the others follow", self->address, most);

    return most > 0;
}

static void
on_remark (const gchar *remark, gpointer user_data)
{
    const Session *session = user_data;

    delivery_attempt_remark (session->attempt, remark);
}

static gboolean
is_untried (const DeliveryAttempt *attempt)
{
    return delivery_attempt_count (attempt, QUEUE_OUTCOME_UNTRIED) == attempt->job->n_recipients;
}

/* What has no answer is tried again at once. */
static void
give_back (DeliveryRemote *self, DeliveryAttempt *attempt)
{
    if (is_untried (attempt))
        self->events->returned (self, attempt, self->user_data);
    else
        self->events->finished (self, attempt, self->user_data);
}

static void
on_done (gpointer user_data)
{
    Session *session = user_data;
    DeliveryRemote *self = session->remote;
    DeliveryAttempt *attempt = g_steal_pointer (&session->attempt);

    self->moved_usec = now ();
    delivery_ramp_count (&self->ramp);
    session->completed++;

    if (session->locked) {
        changed (self, delivery_health_refused (&self->health, session->locked, 0, now (), g_random_double ()));
        if (!is_untried (attempt))
            delivery_attempt_break (attempt, session->locked, DELIVERY_WAIT_SHORT);
        give_back (self, attempt);
        return;
    }

    learn_portion (session);
    delivery_attempt_end_part (attempt);
    if (delivery_health_completed (&self->health))
        changed (self, TRUE);
    self->events->finished (self, attempt, self->user_data);
}

static void
on_bored (gpointer user_data)
{
    session_quit (user_data);
}

/* Whether the end of the session is for what it has carried before, and not for the message at hand. */
static gboolean
is_for_others (const Session *session, DeliveryAttempt *attempt, const DeliveryFailure *failure)
{
    if (session->completed == 0 || failure->kind != DELIVERY_FAILURE_CLOSED)
        return FALSE;
    if (delivery_connection_is_silent (session->connection))
        return TRUE;
    if (attempt->was_cut_off || !delivery_connection_kept_content (session->connection))
        return FALSE;

    attempt->was_cut_off = TRUE;
    return TRUE;
}

/* The session ended in the middle of a message. */
static void
on_dropped (Session *session, DeliveryAttempt *attempt, const DeliveryFailure *failure)
{
    DeliveryRemote *self = session->remote;
    gboolean for_others = is_for_others (session, attempt, failure);
    gboolean was_full = learn_portion (session);

    if ((for_others || was_full) && attempt->returns < RETURNS_MOST) {
        attempt->returns++;
        give_back (self, attempt);
        return;
    }

    if (delivery_health_dropped (&self->health, failure, attempt->job->message->id, established (self), now (),
                                 g_random_double ()))
        changed (self, TRUE);
    delivery_attempt_break (attempt, failure, DELIVERY_WAIT_SHORT);
    self->events->finished (self, attempt, self->user_data);
}

static void
on_ended (const DeliveryFailure *failure, gpointer user_data)
{
    Session *session = user_data;
    DeliveryRemote *self = session->remote;
    DeliveryAttempt *attempt = g_steal_pointer (&session->attempt);

    g_queue_remove (&self->idle, session);
    self->opening -= !session->opened;
    self->quitting -= session->quitting;
    g_ptr_array_remove_fast (self->sessions, session);

    if (!session->opened)
        changed (self,
                 delivery_health_refused (&self->health, failure, established (self), now (), g_random_double ()));
    else if (attempt)
        on_dropped (session, attempt, failure);

    session_free (session);
    self->events->available (self, self->user_data);
}

static const DeliveryConnectionEvents connection_events = {.ready = on_ready,
                                                           .result = on_result,
                                                           .remark = on_remark,
                                                           .done = on_done,
                                                           .bored = on_bored,
                                                           .ended = on_ended};

/* ---- What the owner asks ---- */

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
        ((Session *) g_ptr_array_index (self->sessions, i))->outdated = TRUE;

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
    delivery_health_hurry (&self->health, TRUE, now ());
    outdate_sessions (self);
}

static void
drop_opening (DeliveryRemote *self)
{
    for (guint i = self->sessions->len; i > 0; i--) {
        Session *session = g_ptr_array_index (self->sessions, i - 1);

        if (!session->opened)
            session_free (g_ptr_array_steal_index_fast (self->sessions, i - 1));
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
        Session *session = g_ptr_array_index (sessions, i);
        DeliveryAttempt *attempt = g_steal_pointer (&session->attempt);

        session_free (session);
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
    Session *session;

    if (!may_open (self, now_usec))
        return FALSE;

    session = g_new0 (Session, 1);
    session->remote = self;
    session->connection = delivery_connection_new (self->poller, self->tls, self->smarthost, self->settings,
                                                   &connection_events, session);
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
    Session *session = g_queue_pop_head (&self->idle);
    const guint *recipients;
    guint n_recipients;
    guint most;

    if (!session)
        return FALSE;

    session->attempt = attempt;
    self->moved_usec = now ();
    press (self);
    delivery_attempt_start (attempt, self->host, self->address, delivery_connection_offers_dsn (session->connection));
    attempt->size_most_bytes = delivery_connection_size_most (session->connection);
    most = delivery_portion_most (&self->portion, self->smarthost->recipients_most, session->recipients_most, now ());
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
        Session *session = g_ptr_array_index (self->sessions, i - 1);
        DeliveryAttempt *attempt = session->attempt;

        if (!attempt || delivery_connection_awaits_end (session->connection))
            continue;

        g_ptr_array_remove_index_fast (self->sessions, i - 1);
        session_free (session);
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

    *info = (DeliveryRemoteInfo){.name = self->name,
                                 .host = self->host,
                                 .port = self->port,
                                 .state = self->health.state,
                                 .error = down && self->health.failure ? self->health.failure->reason : NULL,
                                 .since_usec = self->since_usec,
                                 .next_probe_usec = down ? g_get_real_time () + self->health.probe_usec - now () : 0,
                                 .connections = established (self),
                                 .delivered = self->delivered,
                                 .deferred = self->deferred,
                                 .failed = self->failed,
                                 .sessions = self->opened};
}
