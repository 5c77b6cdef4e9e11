/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The sessions of a remote
 *
 * Hears what the connections to a smarthost tell, and decides what it means: for the remote's health, and for the message
 * that a session had in hand.
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

#include "delivery/remote-private.h"

/* A message that met this many dead sessions one after the other is deferred after all; there are never so many kept
 * sessions unless something kills them. */
#define RETURNS_MOST 16

/* RFC 4954 6 and, obsolete but in use, RFC 2554: authentication, or encryption, is required first. */
#define CODE_LOGIN_REQUIRED      530
#define CODE_ENCRYPTION_REQUIRED 538

void
delivery_remote_session_free (DeliveryRemoteSession *session)
{
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

guint
delivery_remote_established (const DeliveryRemote *self)
{
    return self->sessions->len - self->opening - self->quitting;
}

void
delivery_remote_session_quit (DeliveryRemoteSession *session)
{
    g_queue_remove (&session->remote->idle, session);
    session->quitting = TRUE;
    session->remote->quitting++;
    delivery_connection_quit (session->connection);
}

static void
on_ready (gpointer user_data)
{
    DeliveryRemoteSession *session = user_data;
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
        delivery_remote_session_quit (session);

    more = self->events->available (self, self->user_data);
    if (self->idle.length > 0 && !more)
        delivery_ramp_relax (&self->ramp);
}

static void
on_result (guint recipient, const SmtpReply *reply, gpointer user_data)
{
    DeliveryRemoteSession *session = user_data;

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
learn_portion (DeliveryRemoteSession *session)
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
    const DeliveryRemoteSession *session = user_data;

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
    DeliveryRemoteSession *session = user_data;
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
    delivery_remote_session_quit (user_data);
}

/* Whether the end of the session is for what it has carried before, and not for the message at hand. */
static gboolean
is_for_others (const DeliveryRemoteSession *session, DeliveryAttempt *attempt, const DeliveryFailure *failure)
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
on_dropped (DeliveryRemoteSession *session, DeliveryAttempt *attempt, const DeliveryFailure *failure)
{
    DeliveryRemote *self = session->remote;
    gboolean for_others = is_for_others (session, attempt, failure);
    gboolean was_full = learn_portion (session);

    if ((for_others || was_full) && attempt->returns < RETURNS_MOST) {
        attempt->returns++;
        give_back (self, attempt);
        return;
    }

    if (delivery_health_dropped (&self->health, failure, attempt->job->message->id,
                                 delivery_remote_established (self), now (), g_random_double ()))
        changed (self, TRUE);
    delivery_attempt_break (attempt, failure, DELIVERY_WAIT_SHORT);
    self->events->finished (self, attempt, self->user_data);
}

static void
on_ended (const DeliveryFailure *failure, gpointer user_data)
{
    DeliveryRemoteSession *session = user_data;
    DeliveryRemote *self = session->remote;
    DeliveryAttempt *attempt = g_steal_pointer (&session->attempt);

    g_queue_remove (&self->idle, session);
    self->opening -= !session->opened;
    self->quitting -= session->quitting;
    g_ptr_array_remove_fast (self->sessions, session);

    if (!session->opened)
        changed (self, delivery_health_refused (&self->health, failure, delivery_remote_established (self), now (),
                                                g_random_double ()));
    else if (attempt)
        on_dropped (session, attempt, failure);

    delivery_remote_session_free (session);
    self->events->available (self, self->user_data);
}

const DeliveryConnectionEvents delivery_remote_session_events = {.ready = on_ready,
                                                                 .result = on_result,
                                                                 .remark = on_remark,
                                                                 .done = on_done,
                                                                 .bored = on_bored,
                                                                 .ended = on_ended};
