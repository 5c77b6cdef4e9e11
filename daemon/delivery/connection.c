/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * A connection to a smarthost
 *
 * Ties what makes up one session together: a descriptor from delivery_connect (), a channel with TLS on it, the
 * protocol engine, the parcel that it carries. It owns all of them, and turns whatever ends the session into one
 * DeliveryFailure whose reason names the host and says what can be done.
 *
 * The engine calls back while it is being fed. To spare everybody above the question what may be called from where,
 * its callbacks only set flags here (results excepted, which only store); settle_down () turns the flags into events
 * once the outermost call into the engine has returned.
 *
 * Content is given to the channel only when that has little left to send, so memory is bounded however large the
 * message and however slow the remote.
 *
 * Every wait for the remote has the time of RFC 5321 4.5.3.2. Only whole lines, or content that leaves, start it
 * anew: a remote that sends a byte now and then does not keep a session for ever.
 */

#include "delivery/connection.h"

#include "delivery/connect.h"
#include "delivery/parcel.h"
#include "smtp/channel.h"

#include <string.h>

/* The next piece of content is asked for when less than this is left to send: enough to keep the kernel's buffer
 * filled while the disk is read. */
#define BACKLOG_LOW_BYTES (64 * 1024)

/* For the reply to QUIT: the mail is through, nobody waits for it (RFC 5321 4.1.1.10). */
#define QUIT_SECONDS 5

typedef enum {
    STAGE_CONNECTING,
    STAGE_OPENING, /* greeting, TLS, EHLO, AUTH */
    STAGE_IDLE,
    STAGE_BUSY,
    STAGE_QUITTING,
    STAGE_OVER
} Stage;

struct _DeliveryConnection {
    guint references;
    gboolean freed; /* by the owner: no more events */
    Stage stage;
    SmtpPoller *poller;
    gchar *host;
    gchar *address; /* "host:port" */
    gchar *user;    /* (nullable) */
    SmtpSecurity security;
    SmtpTls *tls;                          /* (nullable) */
    guint waits[SMTP_CLIENT_WAIT_END + 1]; /* seconds, by SmtpClientWait; NONE: how long it is kept idle */
    const DeliveryConnectionEvents *events;
    gpointer user_data;

    GCancellable *connecting; /* (nullable) */
    SmtpChannel *channel;     /* (nullable) */
    gboolean broken;          /* nothing more can be sent on the channel */
    SmtpClient *client;
    DeliveryFailure *failure; /* (nullable) why it is over */

    /* What the engine said and nobody was told yet. */
    guint depth; /* calls into the engine, or into settle_down (), that have not returned */
    gboolean is_ready;
    gboolean is_done;
    gboolean progressed;
    guint later; /* source id of settle_later (), 0: none */

    DeliveryParcel parcel; /* the message under way */
    guint lines;           /* that came in since its begin */
};

static void settle_down (DeliveryConnection *self);

static DeliveryConnection *
hold (DeliveryConnection *self)
{
    self->references++;
    return self;
}

static void
release (DeliveryConnection *self)
{
    if (--self->references > 0)
        return;

    g_clear_pointer (&self->channel, smtp_channel_free);
    g_clear_pointer (&self->client, smtp_client_free);
    g_clear_pointer (&self->failure, delivery_failure_free);
    g_clear_pointer (&self->tls, smtp_tls_unref);
    smtp_poller_unref (self->poller);
    g_free (self->host);
    g_free (self->address);
    g_free (self->user);
    g_free (self);
}

static void
note (DeliveryConnection *self, const gchar *line)
{
    if (self->events->trace && !self->freed)
        self->events->trace (DELIVERY_TRACE_NOTE, line, self->user_data);
}

/* The first reason holds: what follows is its consequence. */
static void
fail (DeliveryConnection *self, DeliveryFailure *failure)
{
    if (self->failure)
        delivery_failure_free (failure);
    else
        self->failure = failure;
}

/* ---- What the engine says ---- */

static void
on_send (GBytes *bytes, gpointer user_data)
{
    DeliveryConnection *self = user_data;

    self->progressed = TRUE;
    smtp_channel_send_bytes (self->channel, bytes);
}

static void
on_start_tls (gpointer user_data)
{
    DeliveryConnection *self = user_data;

    self->progressed = TRUE;
    smtp_channel_start_tls (self->channel, self->tls, self->host);
}

static void
on_ready (gpointer user_data)
{
    DeliveryConnection *self = user_data;

    self->progressed = TRUE;
    self->is_ready = TRUE;
}

static void
on_want_content (gpointer user_data)
{
    DeliveryConnection *self = user_data;

    self->progressed = TRUE;
    self->parcel.wanted = TRUE;
}

static void
on_result (guint recipient, const SmtpReply *reply, gpointer user_data)
{
    DeliveryConnection *self = user_data;

    if (!self->freed)
        self->events->result (recipient, reply, self->user_data);
}

static void
on_done (gpointer user_data)
{
    DeliveryConnection *self = user_data;

    self->progressed = TRUE;
    self->is_done = TRUE;
    self->parcel.wanted = FALSE;
}

static void
on_trace (gboolean sent, const gchar *line, gpointer user_data)
{
    DeliveryConnection *self = user_data;

    if (!self->freed)
        self->events->trace (sent ? DELIVERY_TRACE_SENT : DELIVERY_TRACE_RECEIVED, line, self->user_data);
}

static void
on_failed (SmtpClientFailure failure, const gchar *reason, const SmtpReply *reply, gpointer user_data)
{
    DeliveryConnection *self = user_data;
    guint reply_lines = 0;

    /* The reply that ends a session is no answer to the message: see delivery_connection_is_silent (). */
    for (const gchar *at = reply ? reply->text : NULL; at; at = strchr (at + 1, '\n'))
        reply_lines++;
    self->lines -= MIN (self->lines, reply_lines);

    if (self->stage == STAGE_QUITTING)
        fail (self, delivery_failure_new (DELIVERY_FAILURE_NONE, reply, g_strdup (reason)));
    else
        fail (self, delivery_failure_of_session (self->address, self->user, failure, reason, reply));
    self->stage = STAGE_OVER;
}

static const SmtpClientHandlers handlers = {.send = on_send,
                                            .start_tls = on_start_tls,
                                            .ready = on_ready,
                                            .want_content = on_want_content,
                                            .result = on_result,
                                            .done = on_done,
                                            .failed = on_failed};

static const SmtpClientHandlers tracing_handlers = {.send = on_send,
                                                    .start_tls = on_start_tls,
                                                    .ready = on_ready,
                                                    .want_content = on_want_content,
                                                    .result = on_result,
                                                    .done = on_done,
                                                    .trace = on_trace,
                                                    .failed = on_failed};

/* ---- Content ---- */

static void
on_content (gpointer user_data)
{
    DeliveryConnection *self = user_data;

    if (self->depth == 0)
        settle_down (self);
}

static void
abandon (DeliveryConnection *self)
{
    const gchar *why = delivery_content_fault (self->parcel.content);

    fail (self, delivery_failure_new (DELIVERY_FAILURE_LOCAL, NULL,
                                      g_strdup_printf ("the message cannot be read from the queue: %s", why)));
    self->broken = TRUE;
    smtp_client_abandon (self->client);
}

/* The message cannot go to this server: every recipient hears why, and nothing is sent. */
static void
refuse_content (DeliveryConnection *self)
{
    g_autoptr (SmtpReply) reply = delivery_content_refusal (self->parcel.content);

    for (guint i = 0; i < self->parcel.n_recipients; i++)
        on_result (self->parcel.recipients[i], reply, self);
    g_clear_pointer (&self->parcel.recipients, g_free);
    self->is_done = TRUE;
    self->is_ready = TRUE;
}

/* Returns: whether to go on */
static gboolean
heed (DeliveryConnection *self, DeliveryParcelStep step)
{
    switch (step) {
    case DELIVERY_PARCEL_MOVES:
        return TRUE;
    case DELIVERY_PARCEL_WAITS:
        return FALSE;
    case DELIVERY_PARCEL_REFUSED:
        refuse_content (self);
        return FALSE;
    case DELIVERY_PARCEL_LOST:
        abandon (self);
        return FALSE;
    }

    g_return_val_if_reached (FALSE);
}

static void
tell_remark (DeliveryConnection *self)
{
    g_autofree gchar *remark = delivery_content_remark (self->parcel.content);

    if (remark && self->events->remark && !self->freed)
        self->events->remark (remark, self->user_data);
}

static void
pump_content (DeliveryConnection *self)
{
    if (delivery_parcel_is_closed (&self->parcel)) {
        self->progressed = TRUE; /* by its own work, which the remote is not to pay for */
        if (!heed (self, delivery_parcel_begin (&self->parcel, self->client)))
            return;
        tell_remark (self);
    }

    while (self->stage == STAGE_BUSY && smtp_channel_backlog (self->channel) < BACKLOG_LOW_BYTES &&
           heed (self, delivery_parcel_pour (&self->parcel, self->client)))
        ;
}

/* ---- Events ---- */

static guint
wait_seconds (const DeliveryConnection *self)
{
    SmtpClientWait wait = smtp_client_wait (self->client);

    if (self->stage == STAGE_QUITTING)
        return QUIT_SECONDS;
    if (self->stage != STAGE_IDLE && wait == SMTP_CLIENT_WAIT_NONE)
        wait = SMTP_CLIENT_WAIT_COMMAND;

    return self->waits[wait];
}

static void
end (DeliveryConnection *self)
{
    g_autoptr (DeliveryFailure) failure = delivery_failure_copy (self->failure);

    /* Who sends what is no SMTP may send it for ever, and is owed no leave. */
    self->broken |= failure->kind == DELIVERY_FAILURE_PROTOCOL;
    delivery_parcel_drop (&self->parcel);
    if (self->channel && !self->broken)
        smtp_channel_finish (g_steal_pointer (&self->channel));
    g_clear_pointer (&self->channel, smtp_channel_free);

    if (!self->freed)
        self->events->ended (failure, self->user_data);
}

static void
tell_done (DeliveryConnection *self)
{
    self->is_done = FALSE;
    delivery_parcel_drop (&self->parcel);
    self->events->done (self->user_data);
}

static void
tell_ready (DeliveryConnection *self)
{
    self->is_ready = FALSE;
    self->stage = STAGE_IDLE;
    self->events->ready (self->user_data);
}

static void
settle_down (DeliveryConnection *self)
{
    hold (self);
    self->depth++;

    while (!self->freed) {
        if (self->stage == STAGE_BUSY)
            pump_content (self);

        if (self->is_done)
            tell_done (self);
        else if (self->stage == STAGE_OVER)
            break;
        else if (self->is_ready)
            tell_ready (self);
        else
            break;
    }

    self->depth--;

    if (self->stage == STAGE_OVER)
        end (self);
    else if (self->progressed && !self->freed)
        smtp_channel_set_deadline (self->channel, wait_seconds (self));

    self->progressed = FALSE;
    release (self);
}

static gboolean
settle_later (gpointer user_data)
{
    DeliveryConnection *self = user_data;

    self->later = 0;
    settle_down (self);
    return G_SOURCE_REMOVE;
}

/* The end of a function that the owner called: what there is to tell must wait until the owner has returned. */
static void
leave (DeliveryConnection *self)
{
    if (--self->depth > 0)
        return;

    if ((self->is_done || self->is_ready || self->stage == STAGE_OVER) && !self->later)
        self->later = g_idle_add_full (G_PRIORITY_DEFAULT, settle_later, self, NULL);
    else
        smtp_channel_set_deadline (self->channel, wait_seconds (self));
}

/* ---- What the channel says ---- */

static void
count_lines (DeliveryConnection *self, const gchar *data, gsize length)
{
    const gchar *line_end;

    while ((line_end = memchr (data, '\n', length))) {
        self->lines++;
        self->progressed = TRUE;
        length -= (gsize) (line_end + 1 - data);
        data = line_end + 1;
    }
}

static void
on_input (const gchar *data, gsize length, gpointer user_data)
{
    DeliveryConnection *self = user_data;

    count_lines (self, data, length);
    self->depth++;
    smtp_client_feed (self->client, data, length);
    self->depth--;
    settle_down (self);
}

static void
on_drained (gpointer user_data)
{
    DeliveryConnection *self = user_data;

    self->progressed = TRUE;
    settle_down (self);
}

static void
on_secured (gpointer user_data)
{
    DeliveryConnection *self = user_data;
    const gchar *tls = smtp_channel_tls (self->channel);

    note (self, tls ? tls : "TLS");
    self->progressed = TRUE;
    self->depth++;
    smtp_client_secured (self->client);
    self->depth--;
    settle_down (self);
}

static void
break_off (DeliveryConnection *self, const gchar *why)
{
    self->broken = TRUE;
    self->depth++;
    smtp_client_eof (self->client, why);
    self->depth--;
    settle_down (self);
}

static void
on_closed (const GError *error, gpointer user_data)
{
    DeliveryConnection *self = user_data;

    if (error && error->domain == SMTP_TLS_ERROR)
        fail (self, delivery_failure_of_tls (self->address, error));

    break_off (self, error ? error->message : "the server closed the connection");
}

static void
on_expired (gpointer user_data)
{
    DeliveryConnection *self = user_data;

    if (self->stage == STAGE_IDLE) {
        self->events->bored (self->user_data);
        return;
    }

    if (self->stage == STAGE_QUITTING)
        fail (self, delivery_failure_new (DELIVERY_FAILURE_NONE, NULL, g_strdup ("QUIT was not answered")));
    else
        fail (self, delivery_failure_of_wait (self->address, smtp_client_wait (self->client), wait_seconds (self)));

    break_off (self, "time is over");
}

static const SmtpChannelEvents channel_events = {
    .input = on_input, .drained = on_drained, .secured = on_secured, .closed = on_closed, .expired = on_expired};

static void
on_connected (int fd, const gchar *peer, DeliveryFailure *failure, gpointer user_data)
{
    DeliveryConnection *self = user_data;
    g_autoptr (GError) error = NULL;
    g_autofree gchar *line = NULL;

    if (fd >= 0) {
        self->channel = smtp_channel_new (self->poller, fd, &channel_events, self, &error);
        if (!self->channel)
            failure = delivery_failure_new (DELIVERY_FAILURE_LOCAL, NULL,
                                            g_strdup_printf ("%s: %s", self->address, error->message));
    }

    if (failure) {
        note (self, failure->reason);
        fail (self, failure);
        self->stage = STAGE_OVER;
        settle_down (self);
        return;
    }

    line = g_strdup_printf ("connected to %s", peer);
    note (self, line);
    self->stage = STAGE_OPENING;
    self->progressed = TRUE;
    if (self->security == SMTP_SECURITY_IMPLICIT)
        smtp_channel_start_tls (self->channel, self->tls, self->host);
    settle_down (self);
}

/* ---- What the owner asks ---- */

static void
copy_waits (DeliveryConnection *self, const DeliverySettings *settings)
{
    self->waits[SMTP_CLIENT_WAIT_NONE] = settings->idle_seconds;
    self->waits[SMTP_CLIENT_WAIT_GREETING] = settings->greeting_seconds;
    self->waits[SMTP_CLIENT_WAIT_COMMAND] = settings->command_seconds;
    self->waits[SMTP_CLIENT_WAIT_DATA] = settings->data_seconds;
    self->waits[SMTP_CLIENT_WAIT_BLOCK] = settings->block_seconds;
    self->waits[SMTP_CLIENT_WAIT_END] = settings->end_seconds;
}

static SmtpClient *
make_client (DeliveryConnection *self, const DeliverySmarthost *smarthost, const DeliverySettings *settings)
{
    const SmtpClientParameters parameters = {.host_name = settings->host_name,
                                             .security = smarthost->security,
                                             .user = smarthost->user,
                                             .password = smarthost->password,
                                             .mechanisms = smarthost->mechanisms,
                                             .auth_without_tls = smarthost->auth_without_tls};

    /* Without a listener the engine need not make its lines up. */
    return smtp_client_new (&parameters, self->events->trace ? &tracing_handlers : &handlers, self);
}

DeliveryConnection *
delivery_connection_new (SmtpPoller *poller, SmtpTls *tls, const DeliverySmarthost *smarthost,
                         const DeliverySettings *settings, const DeliveryConnectionEvents *events, gpointer user_data)
{
    DeliveryConnection *self = g_new0 (DeliveryConnection, 1);

    g_return_val_if_fail (tls || smarthost->security == SMTP_SECURITY_NONE, NULL);

    self->references = 1;
    self->stage = STAGE_CONNECTING;
    self->poller = smtp_poller_ref (poller);
    self->host = g_strdup (smarthost->host);
    self->address = g_strdup_printf ("%s:%u", smarthost->host, smarthost->port);
    self->user = g_strdup (smarthost->user);
    self->security = smarthost->security;
    self->tls = tls ? smtp_tls_ref (tls) : NULL;
    copy_waits (self, settings);
    self->events = events;
    self->user_data = user_data;
    self->client = make_client (self, smarthost, settings);
    self->connecting = g_cancellable_new ();
    delivery_connect (smarthost->host, smarthost->port, settings->connect_seconds, self->connecting, on_connected,
                      self);
    return self;
}

void
delivery_connection_free (DeliveryConnection *self)
{
    self->freed = TRUE;
    g_clear_handle_id (&self->later, g_source_remove);
    g_cancellable_cancel (self->connecting);
    g_clear_object (&self->connecting);
    delivery_parcel_drop (&self->parcel);
    if (self->channel && self->stage != STAGE_OVER)
        g_clear_pointer (&self->channel, smtp_channel_free);
    release (self);
}

void
delivery_connection_begin (DeliveryConnection *self, Queue *queue, QueueMessage *message, const guint *recipients,
                           guint n_recipients)
{
    g_return_if_fail (self->stage == STAGE_IDLE);

    self->stage = STAGE_BUSY;
    self->lines = 0;

    self->depth++;
    delivery_parcel_take (&self->parcel, queue, message, recipients, n_recipients, self->client, on_content, self);
    pump_content (self);
    leave (self);
}

void
delivery_connection_probe (DeliveryConnection *self, const gchar *sender)
{
    g_return_if_fail (self->stage == STAGE_IDLE);

    self->stage = STAGE_BUSY;
    self->depth++;
    smtp_client_probe (self->client, sender);
    leave (self);
}

void
delivery_connection_quit (DeliveryConnection *self)
{
    g_return_if_fail (self->stage == STAGE_IDLE);

    self->stage = STAGE_QUITTING;
    self->depth++;
    smtp_client_quit (self->client);
    leave (self);
}

guint64
delivery_connection_size_most (const DeliveryConnection *self)
{
    return smtp_client_size_most (self->client);
}

gboolean
delivery_connection_offers_dsn (const DeliveryConnection *self)
{
    return smtp_client_offers_dsn (self->client);
}

guint
delivery_connection_recipients_most (const DeliveryConnection *self)
{
    return smtp_client_recipients_most (self->client);
}

gboolean
delivery_connection_awaits_end (const DeliveryConnection *self)
{
    return self->stage == STAGE_BUSY && self->parcel.is_whole;
}

gboolean
delivery_connection_is_silent (const DeliveryConnection *self)
{
    return self->lines == 0;
}

gboolean
delivery_connection_kept_content (const DeliveryConnection *self)
{
    return smtp_client_kept_content (self->client);
}
