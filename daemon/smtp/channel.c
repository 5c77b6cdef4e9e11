/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The channel
 *
 * A connected socket that carries the bytes of one session. It owns the descriptor, its watch, what waits to be sent
 * and the TLS session, and promises to the session above:
 *
 *  - What is sent during one turn of the loop leaves together: sending only queues, and the poller wakes the channel
 *    once before the loop waits. With TCP_NODELAY nothing waits for an acknowledgement; and while the peer is in the
 *    middle of something, ours are sent at once, so that a peer with Nagle's algorithm does not wait for them either
 *    (40 ms a message otherwise).
 *  - Events come from the poller only, never from inside a call. After a call of smtp_channel_free () or
 *    smtp_channel_finish (), inside an event or not, none follows.
 *  - One read serves a channel in each turn, so that endless input of one starves none of the others.
 *  - An idle channel holds no buffer. In plain it costs about 450 bytes (channel, watch) beside the kernel's socket;
 *    a TLS session of GnuTLS adds about 11 KiB.
 *  - When sending fails because the peer is gone, what it said last is still read first: a server that says 421 and
 *    closes while commands are on their way to it has told why.
 *
 * Closing a socket that has unread input makes the kernel reset the connection, and then the peer may lose the reply
 * that was sent last. So smtp_channel_finish () closes only the sending side, and waits a little for the peer to
 * close its own. What the peer still sends meanwhile is read and forgotten, as far as it can have been on its way; a peer
 * that goes on is cut off.
 */

#include "smtp/channel.h"

#include "smtp/output.h"
#include "smtp/tls-stream.h"

#include <errno.h>
#include <gio/gio.h>
#include <glib-unix.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* Long enough for the last reply over a slow link; short, because the peer has no further claim. */
#define FINISH_SECONDS 5

/* What a peer sent before it could know of the end: as much as sockets hold, not what a flood brings in seconds. */
#define FINISH_DISCARD_BYTES (1024 * 1024)

/* Pieces in one system call; a message's chunks are few, and more than this fill any socket. */
#define SEND_VECTORS 64

/* Reads after a failed send: more than fits a socket's buffer is not there. */
#define LAST_WORDS_READS 16

/* Reads to discard what came in plain before TLS. */
#define DISCARD_READS 16

struct _SmtpChannel {
    guint references;
    SmtpPoller *poller;
    SmtpPollerWatch *watch; /* NULL: freed */
    int fd;
    const SmtpChannelEvents *events; /* NULL: freed, finishing, or closed was told */
    gpointer user_data;

    SmtpOutput wire;    /* as it goes into the socket */
    SmtpOutput plain;   /* to be encrypted into wire; only with TLS */
    SmtpTlsStream *tls; /* (nullable) */
    GError *failure;    /* to be told as closed */

    gsize discarded; /* bytes, since it is finishing */

    guint tcp : 1;
    guint secured : 1;     /* the handshake is complete */
    guint paused : 1;      /* the owner wants no input */
    guint deaf : 1;        /* input that nobody wants is there: the poller is not to report it */
    guint undrained : 1;   /* something was queued since drained was told */
    guint send_failed : 1; /* the failure is of sending */
    guint peer_ended : 1;  /* the peer sends nothing more */
    guint finishing : 1;
    guint shut : 1; /* our side is closed */
};

/* The kernel's own words for a peer that is gone speak of pipes and software. */
static const gchar *
connection_error_words (int code)
{
    switch (code) {
    case EPIPE:
    case ECONNRESET:
    case ECONNABORTED:
        return "connection reset by peer";
    case ETIMEDOUT:
        return "connection timed out: the peer does not answer";
    default:
        return g_strerror (code);
    }
}

static GError *
connection_error (int code)
{
    return g_error_new_literal (G_IO_ERROR, (gint) g_io_error_from_errno (code), connection_error_words (code));
}

static void
channel_unref (SmtpChannel *channel)
{
    if (--channel->references > 0)
        return;

    smtp_tls_stream_free (channel->tls);
    smtp_output_clear (&channel->plain);
    smtp_output_clear (&channel->wire);
    g_clear_error (&channel->failure);
    smtp_poller_unref (channel->poller);
    g_free (channel);
}

void
smtp_channel_free (SmtpChannel *channel)
{
    if (!channel->watch)
        return;

    channel->events = NULL;
    g_clear_pointer (&channel->watch, smtp_poller_watch_remove);
    close (channel->fd);
    channel_unref (channel);
}

static gboolean
channel_is_handshaking (const SmtpChannel *channel)
{
    return channel->tls && !channel->secured;
}

static gboolean
channel_wants_input (const SmtpChannel *channel)
{
    return channel->events && !channel->peer_ended && (!channel->paused || channel_is_handshaking (channel));
}

static void
channel_update_watch (SmtpChannel *channel)
{
    smtp_poller_watch_set_events (channel->watch,
                                  (channel->deaf ? 0 : EPOLLIN) | (channel->wire.length > 0 ? EPOLLOUT : 0));
}

static void
channel_fail (SmtpChannel *channel, GError *error)
{
    if (channel->failure)
        g_error_free (error);
    else
        channel->failure = error;
    smtp_poller_watch_wake (channel->watch);
}

/* After a failure nothing more can be sent; after the peer's end, what is queued still can. */
static void
channel_tell_closed (SmtpChannel *channel, const GError *error)
{
    const SmtpChannelEvents *events = g_steal_pointer (&channel->events);

    if (error) {
        smtp_output_clear (&channel->plain);
        smtp_output_clear (&channel->wire);
    }
    channel->deaf = TRUE;
    channel_update_watch (channel);
    smtp_poller_watch_set_deadline (channel->watch, 0);
    if (events)
        events->closed (error, channel->user_data);
}

/* Gives the kernel what it takes. */
static void
channel_flush_wire (SmtpChannel *channel)
{
    while (channel->wire.length > 0) {
        struct iovec vectors[SEND_VECTORS];
        struct msghdr message = {.msg_iov = vectors};
        gssize sent;

        message.msg_iovlen = smtp_output_peek (&channel->wire, vectors, SEND_VECTORS);
        sent = sendmsg (channel->fd, &message, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && errno == EAGAIN)
            return;
        if (sent < 0) {
            channel->send_failed = TRUE;
            channel_fail (channel, connection_error (errno));
            return;
        }
        smtp_output_skip (&channel->wire, (gsize) sent);
    }
}

static void
channel_flush (SmtpChannel *channel)
{
    GError *error = NULL;

    if (channel->send_failed)
        return;

    channel_flush_wire (channel);
    while (channel->secured && channel->plain.length > 0 && channel->wire.length == 0 && !channel->failure) {
        if (!smtp_tls_stream_write (channel->tls, &channel->plain, &error))
            channel_fail (channel, error);
        channel_flush_wire (channel);
    }
    channel_update_watch (channel);
}

static void
channel_tell_drained (SmtpChannel *channel)
{
    if (!channel->undrained || smtp_channel_backlog (channel) > 0 || channel->failure)
        return;

    channel->undrained = FALSE;
    if (channel->events && channel->events->drained)
        channel->events->drained (channel->user_data);
}

/* The owner wants more, so the peer has not finished what it is sending: let nothing hold it up. */
static void
channel_acknowledge (SmtpChannel *channel)
{
    const int on = 1;

    if (channel->tcp && channel->events && !channel->paused && smtp_channel_backlog (channel) == 0)
        setsockopt (channel->fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
}

static void
channel_shake_hands (SmtpChannel *channel)
{
    GError *error = NULL;

    switch (smtp_tls_stream_handshake (channel->tls, &error)) {
    case SMTP_TLS_STREAM_DONE:
        channel->secured = TRUE;
        if (channel->events && channel->events->secured)
            channel->events->secured (channel->user_data);
        return;
    case SMTP_TLS_STREAM_FAILED:
        channel_fail (channel, error);
        return;
    case SMTP_TLS_STREAM_MORE:
    case SMTP_TLS_STREAM_CLOSED:
        return;
    }
}

/* Returns: whether there may be another record */
static gboolean
channel_read_record (SmtpChannel *channel)
{
    gnutls_packet_t packet;
    gnutls_datum_t data;
    GError *error = NULL;

    switch (smtp_tls_stream_read (channel->tls, &packet, &error)) {
    case SMTP_TLS_STREAM_DONE:
        gnutls_packet_get (packet, &data, NULL);
        channel->events->input ((const gchar *) data.data, data.size, channel->user_data);
        gnutls_packet_deinit (packet);
        return TRUE;
    case SMTP_TLS_STREAM_FAILED:
        channel_fail (channel, error);
        return FALSE;
    case SMTP_TLS_STREAM_CLOSED:
        channel->peer_ended = TRUE;
        return FALSE;
    case SMTP_TLS_STREAM_MORE:
    default:
        return FALSE;
    }
}

/* Goes on with what TLS has been fed. */
static void
channel_run_tls (SmtpChannel *channel)
{
    gboolean more = TRUE;

    if (channel_is_handshaking (channel))
        channel_shake_hands (channel);
    while (more && channel->secured && channel->events && !channel->paused && !channel->failure)
        more = channel_read_record (channel);
    smtp_tls_stream_settle (channel->tls);
}

static void
channel_take (SmtpChannel *channel, const gchar *data, gsize length)
{
    if (channel->tls) {
        smtp_tls_stream_feed (channel->tls, data, length);
        channel_run_tls (channel);
    } else {
        channel->events->input (data, length, channel->user_data);
    }
}

static void
channel_take_end (SmtpChannel *channel)
{
    if (channel->tls) {
        smtp_tls_stream_feed_end (channel->tls);
        channel_run_tls (channel);
    } else {
        channel->peer_ended = TRUE;
    }
}

/* Returns: whether bytes were read */
static gboolean
channel_receive (SmtpChannel *channel)
{
    gsize size;
    gchar *buffer = smtp_poller_buffer (channel->poller, &size);
    gssize received = recv (channel->fd, buffer, size, 0);

    if (received > 0) {
        channel_take (channel, buffer, (gsize) received);
        channel_acknowledge (channel);
        return TRUE;
    }

    if (received == 0)
        channel_take_end (channel);
    else if (errno != EAGAIN && errno != EINTR)
        channel_fail (channel, connection_error (errno));

    return FALSE;
}

/* Sending failed: whether the peer has said why. */
static void
channel_hear_last_words (SmtpChannel *channel)
{
    gboolean more = TRUE;

    for (guint i = 0; i < LAST_WORDS_READS && more && channel_wants_input (channel); i++)
        more = channel_receive (channel);
}

/* Tells what ended, after everything that came before the end was told and answered. */
static void
channel_tell_end (SmtpChannel *channel)
{
    if (channel->send_failed && channel->events)
        channel_hear_last_words (channel);
    if (!channel->events)
        return;

    if (channel->failure)
        channel_tell_closed (channel, channel->failure);
    else if (channel->peer_ended && !channel->paused)
        channel_tell_closed (channel, NULL);
}

static void
channel_serve (SmtpChannel *channel, guint32 events)
{
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
        if (channel_wants_input (channel))
            channel_receive (channel);
        else
            channel->deaf = TRUE;
    } else if (channel->tls && (channel_is_handshaking (channel) || smtp_tls_stream_has_input (channel->tls))) {
        channel_run_tls (channel);
    }
    if (channel->watch && !channel->finishing)
        channel_flush (channel);
    if (channel->events)
        channel_tell_drained (channel);
    if (channel->events && (channel->failure || channel->peer_ended))
        channel_tell_end (channel);
}

/* Reads and forgets, so that the connection is not reset before the peer has read the last reply. Returns: whether there may
 * be more to wait for */
static gboolean
channel_discard (SmtpChannel *channel)
{
    gsize size;
    gchar *buffer = smtp_poller_buffer (channel->poller, &size);
    gssize received = recv (channel->fd, buffer, size, 0);

    if (received > 0)
        channel->discarded += (gsize) received;

    return channel->discarded < FINISH_DISCARD_BYTES &&
           (received > 0 || (received < 0 && (errno == EAGAIN || errno == EINTR)));
}

/* Sends the rest and closes our side. Returns: whether the peer's side is to be waited for */
static gboolean
channel_finish_output (SmtpChannel *channel)
{
    channel_flush (channel);
    if (channel->failure)
        return FALSE;
    if (smtp_channel_backlog (channel) > 0)
        return TRUE;

    if (!channel->shut) {
        channel->shut = TRUE;
        if (channel->secured) {
            smtp_tls_stream_bye (channel->tls);
            channel_flush (channel);
        }
        shutdown (channel->fd, SHUT_WR);
    }

    return !channel->peer_ended;
}

static void
channel_serve_finishing (SmtpChannel *channel, guint32 events)
{
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) && !channel_discard (channel))
        channel->peer_ended = TRUE;
    if (channel->peer_ended) {
        channel->deaf = TRUE;
        channel_update_watch (channel);
    }
    if (!channel_finish_output (channel))
        smtp_channel_free (channel);
}

static void
channel_ready (guint32 events, gpointer user_data)
{
    SmtpChannel *channel = user_data;

    channel->references++;
    if (!channel->finishing) {
        channel_serve (channel, events);
        events = 0;
    }
    if (channel->finishing && channel->watch)
        channel_serve_finishing (channel, events);
    channel_unref (channel);
}

static void
channel_expired (gpointer user_data)
{
    SmtpChannel *channel = user_data;

    if (channel->finishing)
        smtp_channel_free (channel);
    else if (channel->events && channel->events->expired)
        channel->events->expired (channel->user_data);
}

SmtpChannel *
smtp_channel_new (SmtpPoller *poller, int fd, const SmtpChannelEvents *events, gpointer user_data, GError **error)
{
    SmtpChannel *channel = g_new0 (SmtpChannel, 1);
    const int on = 1;

    channel->references = 1;
    channel->poller = smtp_poller_ref (poller);
    channel->fd = fd;
    channel->events = events;
    channel->user_data = user_data;
    channel->tcp =
        setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0; /* a UNIX socket has no such thing */

    if (g_unix_set_fd_nonblocking (fd, TRUE, error))
        channel->watch = smtp_poller_add (poller, fd, EPOLLIN, channel_ready, channel_expired, channel, error);
    if (!channel->watch) {
        close (fd);
        channel_unref (channel);
        return NULL;
    }

    return channel;
}

static SmtpOutput *
channel_output (SmtpChannel *channel)
{
    channel->undrained = TRUE;
    smtp_poller_watch_wake (channel->watch);

    return channel->tls ? &channel->plain : &channel->wire;
}

void
smtp_channel_send (SmtpChannel *channel, const gchar *data, gsize length)
{
    if (length > 0 && !channel->failure)
        smtp_output_append (channel_output (channel), data, length);
}

void
smtp_channel_send_bytes (SmtpChannel *channel, GBytes *bytes)
{
    if (g_bytes_get_size (bytes) > 0 && !channel->failure)
        smtp_output_append_bytes (channel_output (channel), bytes);
}

gsize
smtp_channel_backlog (const SmtpChannel *channel)
{
    return channel->plain.length + channel->wire.length;
}

void
smtp_channel_pause_input (SmtpChannel *channel, gboolean pause)
{
    if (channel->paused == !!pause)
        return;

    channel->paused = !!pause;
    if (pause || !channel->events)
        return;

    /* The watch is left alone where nothing was taken from it: what waits to be sent goes with the wake-up. */
    if (channel->deaf) {
        channel->deaf = FALSE;
        channel_update_watch (channel);
    }
    if (channel->tls || channel->peer_ended)
        smtp_poller_watch_wake (channel->watch);
}

/* The peer cannot know yet that TLS begins, so what it has sent is not TLS, and nobody may act on it. */
static void
channel_discard_plain (SmtpChannel *channel)
{
    gchar buffer[4096];

    for (guint i = 0; i < DISCARD_READS; i++) {
        if (recv (channel->fd, buffer, sizeof buffer, 0) <= 0)
            return;
    }
}

void
smtp_channel_start_tls (SmtpChannel *channel, SmtpTls *tls, const gchar *server_name)
{
    GError *error = NULL;

    g_return_if_fail (!channel->tls);

    /* Only a server has something queued: the 220 that the client waits for. */
    if (channel->wire.length > 0)
        channel_discard_plain (channel);

    channel->tls = smtp_tls_stream_new (tls, server_name, &channel->wire, &error);
    if (!channel->tls) {
        channel_fail (channel, error);
        return;
    }

    channel->deaf = FALSE;
    channel_update_watch (channel);
    smtp_poller_watch_wake (channel->watch);
}

const gchar *
smtp_channel_tls (const SmtpChannel *channel)
{
    return channel->secured ? smtp_tls_stream_description (channel->tls) : NULL;
}

void
smtp_channel_set_deadline (SmtpChannel *channel, guint seconds)
{
    if (channel->events)
        smtp_poller_watch_set_deadline (channel->watch, seconds);
}

void
smtp_channel_finish (SmtpChannel *channel)
{
    channel->events = NULL;
    channel->finishing = TRUE;

    /* Without a complete handshake what waits behind it can never leave. */
    if (!channel->secured)
        smtp_output_clear (&channel->plain);
    if (!channel_finish_output (channel)) {
        smtp_channel_free (channel);
        return;
    }

    channel->deaf = channel->peer_ended;
    channel_update_watch (channel);
    smtp_poller_watch_set_deadline (channel->watch, FINISH_SECONDS);
}
