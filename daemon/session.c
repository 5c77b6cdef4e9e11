/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Sessions
 *
 * A session joins three things that know nothing of each other: the channel, which carries bytes; the protocol engine, which
 * knows what they mean; and the submission, which takes a message into the queue. It is told who the client is, as far as
 * that is known, and asks for the name. Whom it trusts is another question: everybody on the local socket, and on TCP whoever
 * connects from a network that the configuration trusts.
 *
 * Nothing here waits. Instead the input is paused: while the user is being looked up, while a message is being
 * committed, while the queue has more in hand than the disk has taken, and while the client does not read its replies.
 * A client that is faster than the disk is slowed down by TCP, and costs no memory.
 *
 * Every wait ends: a client that says nothing for too long, or too little, is told so (RFC 5321 4.5.3.2.7). The time that the
 * queue takes to store and to commit does not count, it is not the client's.
 */

#include "session.h"

#include "log-event.h"
#include "pace.h"
#include "peer.h"
#include "smtp/channel.h"
#include "smtp/server.h"
#include "submission.h"

/* Beyond this much unread output the client is left alone until it has read it. Replies are short: it has pipelined
 * hundreds of commands. */
#define OUTPUT_BACKLOG_BYTES (64 * 1024)

/* A directory server that is down must not keep mail away: without a name the message goes by the user's id. */
#define USER_WAIT_SECONDS 5

/* RFC 5321 4.5.3.2 has no time for TLS; a handshake is a few packets. */
#define TLS_SECONDS 60

typedef enum {
    SESSION_WAITING,  /* for the user's name, before the greeting */
    SESSION_SECURING, /* TLS is being started */
    SESSION_OPEN
} SessionState;

struct _Session {
    const SessionHost *host;
    Config *config;
    ListenKind kind;
    SessionState state;
    SmtpChannel *channel;
    SmtpServer *server;
    gboolean starts_tls; /* the engine has accepted STARTTLS */
    gboolean is_paused;  /* the channel's input is */
    Pace pace;
    gint64 paused_usec; /* monotonic; 0: not paused, or by the client's own doing */

    gint64 uid;
    gchar *user;      /* (nullable) */
    gchar *full_name; /* (nullable) */
    gchar *peer;      /* (nullable) */
    UsersLookup *lookup;
    BudgetShare *share; /* what the session was taken from */

    SubmissionOrigin origin; /* of the message under way */
    guint64 declared_bytes;  /* its SIZE= */
    Submission *submission;  /* (nullable) no message is under way */
    gboolean is_committing;

    GList link;
};

static void
session_end (Session *self)
{
    self->host->ended (self, self->host->user_data);
}

GList *
session_link (Session *self)
{
    return &self->link;
}

void
session_free (Session *self)
{
    g_clear_pointer (&self->lookup, users_lookup_cancel);
    g_clear_pointer (&self->server, smtp_server_free);
    g_clear_pointer (&self->submission, submission_free);
    g_clear_pointer (&self->channel, smtp_channel_free);
    config_unref (self->config);
    g_free (self->user);
    g_free (self->full_name);
    g_free (self->peer);
    budget_give_back (self->share, 1);
    g_free (self);
}

/* ---- Between the channel and the engine ---- */

/* Replies that come before a commit in the same turn wait for it: a client that has sent its commands and its message
 * in one write (RFC 2920, RFC 3030) wants the last reply, and is not to be woken for the others. */
static void
send_output (Session *self)
{
    GString *scratch = self->host->scratch;

    if (self->is_committing)
        return;
    if (smtp_server_take_output (self->server, scratch) > 0)
        smtp_channel_send (self->channel, scratch->str, scratch->len);
    g_string_truncate (scratch, 0);
}

/* Whether it is us whom the client waits for. */
static gboolean
is_our_turn (const Session *self)
{
    return self->is_committing ||
           (self->submission != NULL && submission_backlog (self->submission) >= QUEUE_INTAKE_BACKLOG_BYTES);
}

static gboolean
should_pause (const Session *self)
{
    return self->state != SESSION_OPEN || smtp_server_is_busy (self->server) || is_our_turn (self) ||
           smtp_channel_backlog (self->channel) > OUTPUT_BACKLOG_BYTES;
}

static void
set_deadline (Session *self)
{
    guint left = pace_left (&self->pace, self->config->idle_seconds, g_get_monotonic_time ());

    smtp_channel_set_deadline (self->channel, MAX (1, left));
}

static void
set_pause (Session *self)
{
    gboolean pause = should_pause (self);

    if (pause == self->is_paused)
        return;

    self->is_paused = pause;
    smtp_channel_pause_input (self->channel, pause);
    if (pause) {
        self->paused_usec = is_our_turn (self) ? g_get_monotonic_time () : 0;
    } else if (self->paused_usec > 0) {
        pace_forgive (&self->pace, g_get_monotonic_time () - self->paused_usec);
        self->paused_usec = 0;
        set_deadline (self);
    }
}

static void
start_tls (Session *self)
{
    self->starts_tls = FALSE;
    self->state = SESSION_SECURING;
    smtp_channel_start_tls (self->channel, self->config->tls, NULL);
    smtp_channel_set_deadline (self->channel, TLS_SECONDS);
}

/* Sees to what the engine wants after anything that has happened to it. The session may be gone afterwards. */
static void
serve (Session *self)
{
    send_output (self);
    if (smtp_server_is_over (self->server)) {
        smtp_channel_finish (g_steal_pointer (&self->channel));
        session_end (self);
        return;
    }

    if (self->starts_tls)
        start_tls (self);
    set_pause (self);
}

static void
close_with (Session *self, const gchar *status, const gchar *text)
{
    g_autoptr (SmtpReply) reply = smtp_reply_new (421, status, "%s %s", self->config->host_name, text);

    smtp_server_close (self->server, reply);
    serve (self);
}

static void
open_session (Session *self)
{
    self->state = SESSION_OPEN;
    pace_begin (&self->pace, g_get_monotonic_time ());
    set_deadline (self);
    serve (self);
}

/* The first that happens to a client of whom all is known: a greeting, or TLS. */
static void
welcome (Session *self)
{
    if (self->kind == LISTEN_SUBMISSIONS)
        start_tls (self);
    else
        open_session (self);
}

/* ---- Events of the channel ---- */

/* Gives the client its time, by what has come of what it is saying. Returns: whether it has any left */
static gboolean
keep_pace (Session *self, guint64 turns_before, gsize length)
{
    gint64 now = g_get_monotonic_time ();

    if (smtp_server_turns (self->server) != turns_before)
        pace_begin (&self->pace, now);
    else if (smtp_server_in_content (self->server))
        pace_add (&self->pace, length);
    set_deadline (self);

    return is_our_turn (self) || smtp_server_is_busy (self->server) ||
           pace_left (&self->pace, self->config->idle_seconds, now) > 0;
}

static void
channel_input (const gchar *data, gsize length, gpointer user_data)
{
    Session *self = user_data;
    guint64 turns_before = smtp_server_turns (self->server);

    smtp_server_feed (self->server, data, length);
    if (keep_pace (self, turns_before, length))
        serve (self);
    else if (smtp_server_in_content (self->server))
        close_with (self, "4.4.2", "The message comes too slowly, closing");
    else
        close_with (self, "4.4.2", "The command does not come to its end, closing");
}

static void
channel_drained (gpointer user_data)
{
    set_pause (user_data);
}

static void
channel_secured (gpointer user_data)
{
    Session *self = user_data;

    if (self->kind != LISTEN_SUBMISSIONS)
        smtp_server_secured (self->server);
    open_session (self);
}

static void
channel_closed (const GError *error, gpointer user_data)
{
    Session *self = user_data;

    if (error != NULL && error->domain == SMTP_TLS_ERROR)
        g_info ("%s broke off: %s", self->peer, error->message);
    smtp_server_eof (self->server);

    /* A client that has said all it had to say may still be listening. */
    if (error == NULL)
        smtp_channel_finish (g_steal_pointer (&self->channel));
    session_end (self);
}

static void
channel_expired (gpointer user_data)
{
    Session *self = user_data;

    switch (self->state) {
    case SESSION_WAITING:
        g_clear_pointer (&self->lookup, users_lookup_cancel);
        welcome (self);
        return;
    case SESSION_SECURING:
        session_end (self);
        return;
    case SESSION_OPEN:
        if (is_our_turn (self))
            smtp_channel_set_deadline (self->channel, self->config->idle_seconds);
        else if (smtp_server_awaits_dot (self->server))
            close_with (self, "4.4.2", "The message did not end: CRLF, a dot and CRLF do that, not LF; closing");
        else
            close_with (self, "4.4.2", "Nothing was said for too long, closing");
        return;
    }
}

static const SmtpChannelEvents channel_events = {.input = channel_input,
                                                 .drained = channel_drained,
                                                 .secured = channel_secured,
                                                 .closed = channel_closed,
                                                 .expired = channel_expired};

/* ---- What the engine asks for ---- */

static SmtpReply *
server_mail (MessageEnvelope *envelope, guint64 declared_bytes, gpointer user_data)
{
    Session *self = user_data;

    self->declared_bytes = declared_bytes;
    return NULL;
}

/* Who a recipient really is may change until the message comes, so it is not asked before. */
static SmtpReply *
server_recipient (MessageRecipient *recipient, gpointer user_data)
{
    return NULL;
}

/* Whether it is the whole queue that has as many messages as it may, and not only this user. */
static gboolean
is_queue_full (const Session *self)
{
    guint64 most = self->config->queue.messages_most;
    QueueStatistics statistics;

    queue_statistics (self->host->queue, &statistics);
    return most > 0 && statistics.messages >= most;
}

/* What the client is told of a message that cannot be taken. */
static SmtpReply *
refusal (const Session *self, const GError *error)
{
    if (g_error_matches (error, SUBMISSION_ERROR, SUBMISSION_ERROR_LOOP))
        return smtp_reply_new (554, "5.4.6", "Not queued: %s", error->message);
    if (g_error_matches (error, SUBMISSION_ERROR, SUBMISSION_ERROR_TEXT))
        return smtp_reply_new (554, "5.6.0", "Not queued: %s", error->message);
    if (g_error_matches (error, SUBMISSION_ERROR, SUBMISSION_ERROR_RECIPIENTS))
        return smtp_reply_new (452, "4.5.3", "Not queued: %s", error->message);
    if (error->domain == SUBMISSION_ERROR)
        return smtp_reply_new (552, "5.3.4", "Not queued: %s", error->message);
    if (g_error_matches (error, QUEUE_ERROR, QUEUE_ERROR_FULL))
        return smtp_reply_new (452, "4.3.1", "Not queued: the disk is full; make room or try again later");
    if (g_error_matches (error, QUEUE_ERROR, QUEUE_ERROR_RATE))
        return smtp_reply_new (450, "4.7.1", "Not queued: %s", error->message);
    if (g_error_matches (error, QUEUE_ERROR, QUEUE_ERROR_LIMIT))
        return smtp_reply_new (452, is_queue_full (self) ? "4.3.1" : "4.2.2", "Not queued: %s; try again later",
                               error->message);

    return smtp_reply_new (451, "4.3.0",
                           "Not queued: the queue cannot be written; the relay's log says why, try again later");
}

static void
tell_refusal (Session *self, const SmtpReply *reply, const gchar *what)
{
    LogRefusal told = {
        .peer = self->peer, .uid = self->uid, .helo = smtp_server_helo (self->server), .what = what, .reply = reply};

    refusals_tell (self->host->refusals, &told);
}

/* A QueueDrained */
static void
queue_drained (gpointer user_data)
{
    set_pause (user_data);
}

static SmtpReply *
server_begin (const MessageEnvelope *envelope, gpointer user_data)
{
    Session *self = user_data;
    g_autoptr (GError) error = NULL;
    SmtpReply *reply;

    self->origin =
        (SubmissionOrigin){.uid = self->uid,
                           .user = self->user,
                           .full_name = self->full_name,
                           .peer = self->peer,
                           .helo = smtp_server_helo (self->server),
                           .protocol = self->kind == LISTEN_LOCAL ? "local" : smtp_server_protocol (self->server),
                           .tls = smtp_channel_tls (self->channel)};
    self->submission = submission_new (self->host->queue, self->config, &self->origin, envelope, self->declared_bytes,
                                       queue_drained, self, &error);
    if (self->submission != NULL)
        return NULL;

    reply = refusal (self, error);
    tell_refusal (self, reply, "DATA");
    return reply;
}

static void
server_content (const gchar *data, gsize length, gpointer user_data)
{
    Session *self = user_data;

    submission_write (self->submission, data, length);
}

static void
server_abort (gpointer user_data)
{
    Session *self = user_data;

    self->is_committing = FALSE;
    g_clear_pointer (&self->submission, submission_free);
}

/* A QueueCommitted: answers the client. */
static void
message_committed (QueueId id, const GError *error, gpointer user_data)
{
    Session *self = user_data;
    g_autoptr (SmtpReply) reply = NULL;
    gboolean is_late = self->is_committing;
    gchar text[QUEUE_ID_TEXT_BYTES];

    g_clear_pointer (&self->submission, submission_free);
    if (error != NULL) {
        reply = refusal (self, error);
        tell_refusal (self, reply, "DATA");
    } else {
        queue_id_write (id, text);
        reply = smtp_reply_new (250, "2.0.0", "queued as %s", text);
    }

    self->is_committing = FALSE;
    smtp_server_finish (self->server, reply);

    /* When the submission was refused at once, the engine is still at work, and is served behind it. */
    if (is_late) {
        pace_begin (&self->pace, g_get_monotonic_time ());
        set_deadline (self);
        serve (self);
    }
}

static void
server_end (gpointer user_data)
{
    Session *self = user_data;

    submission_commit (self->submission, message_committed, self);
    self->is_committing = self->submission != NULL;
}

static void
server_start_tls (gpointer user_data)
{
    Session *self = user_data;

    self->starts_tls = TRUE;
}

static void
server_refused (const SmtpReply *reply, const gchar *what, gpointer user_data)
{
    tell_refusal (user_data, reply, what);
}

static const SmtpServerHandlers server_handlers = {.mail = server_mail,
                                                   .recipient = server_recipient,
                                                   .begin = server_begin,
                                                   .content = server_content,
                                                   .end = server_end,
                                                   .abort = server_abort,
                                                   .start_tls = server_start_tls,
                                                   .refused = server_refused};

/* ---- The beginning ---- */

/* A UsersFound: at once, or when the session waits for it */
static void
user_found (const User *user, gpointer user_data)
{
    Session *self = user_data;
    gboolean is_late = self->lookup != NULL;

    self->lookup = NULL;
    self->user = g_strdup (user->name);
    self->full_name = g_strdup (user->full_name);
    if (is_late)
        welcome (self);
}

static SmtpServer *
make_server (Session *self, const struct sockaddr *peer)
{
    const Config *config = self->config;
    gboolean is_local = self->kind == LISTEN_LOCAL;
    gboolean is_trusted = networks_contain (config->trusted, peer);
    SmtpServerParameters parameters = {.host_name = config->host_name,
                                       .trusted = is_local || is_trusted,
                                       .lenient = is_local || (is_trusted && !config->strict_line_ends),
                                       .return_path = is_local && config->sender_from_return_path,
                                       .tls_offered = config->tls != NULL && self->kind != LISTEN_LOCAL &&
                                                      self->kind != LISTEN_SUBMISSIONS,
                                       .tls_active = self->kind == LISTEN_SUBMISSIONS,
                                       .message_longest_bytes = config->message_longest_bytes,
                                       .recipients_most = config->recipients_most,
                                       .errors_most = config->errors_most};

    return smtp_server_new (&parameters, &server_handlers, self);
}

/* Takes the first step: who is it, or is it secure, or what is it greeted with. */
static void
begin (Session *self)
{
    self->is_paused = TRUE;
    smtp_channel_pause_input (self->channel, TRUE);

    if (self->uid >= 0)
        self->lookup = users_look_up (self->host->users, (uid_t) self->uid, user_found, self);

    if (self->lookup != NULL)
        smtp_channel_set_deadline (self->channel, USER_WAIT_SECONDS);
    else
        welcome (self);
}

Session *
session_new (const SessionHost *host, Config *config, const SessionClient *client, GError **error)
{
    g_autoptr (Session) self = g_new0 (Session, 1);

    self->host = host;
    self->config = config_ref (config);
    self->kind = client->kind;
    self->link.data = self;
    self->peer = peer_describe (client->peer);
    self->uid = client->uid;
    self->share = client->share;
    self->channel = smtp_channel_new (host->poller, client->fd, &channel_events, self, error);
    if (self->channel == NULL)
        return NULL;

    self->server = make_server (self, client->peer);
    begin (self);
    return g_steal_pointer (&self);
}

void
session_stop (Session *self)
{
    if (self->state == SESSION_OPEN)
        close_with (self, "4.3.2", "The service is stopping, try again later");
    else
        session_end (self);
}
