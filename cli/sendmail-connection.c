/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The connection to the relay
 *
 * Commands are pipelined (RFC 2920): they go out in few full writes, and their replies come when they come. So the
 * connection keeps a line of what is awaited, and hands each reply to the one handler together with the command that
 * it answers. Whenever it waits for room to send, it also listens: a relay that refuses a message in the middle says
 * so at once, and a relay that stops reading because nobody reads its replies does not hang with us.
 *
 * A relay that closes the connection while we send has usually said why. So a broken pipe is no error yet: what it
 * said before is read first.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/sendmail-connection.h"
#include "cli/sendmail-error.h"
#include "message/printable.h"

/* How long the relay may take to accept a connection or to read on (RFC 5321 4.5.3.2.5 has 3 minutes for the latter). */
#define SEND_TIMEOUT_SECONDS 180

/* Somebody who sits there wonders after this. */
#define TELL_AFTER_SECONDS 5

#define RECEIVE_BYTES       4096
#define SHOWN_LONGEST_BYTES 1000
#define NO_DESCRIPTOR       (-1)

/* Until when to exchange. */
typedef enum { UNTIL_SENT, UNTIL_ANSWERED, UNTIL_INPUT } Until;

struct _SendmailConnection {
    gint fd;
    gchar *path;
    gboolean told; /* what is waited for */
    gboolean verbose;
    SendmailReplyHandler handler;
    gpointer user_data;
    GString *output;
    gsize sent; /* of @output */
    GString *received;
    GArray *awaited; /* of SendmailAwaited */
    guint answered;  /* of @awaited */
    gboolean broken; /* the relay takes no more */
};

static gboolean
fail (GError **error, gint status, const gchar *what, const gchar *why)
{
    g_set_error (error, SENDMAIL_ERROR, status, "%s: %s", what, why);
    return FALSE;
}

static const gchar *
advice (gint code)
{
    switch (code) {
    case ENOENT:
    case ECONNREFUSED:
        return "is the relay running? Try: systemctl start postern.socket (another socket can be named by "
               "$POSTERN_SOCKET)";
    case EACCES:
    case EPERM:
        return "this user may not use that socket; look at its permissions and those of its folder";
    default:
        return "look at: systemctl status postern.socket postern.service";
    }
}

static void
set_connect_error (const gchar *path, gint code, GError **error)
{
    g_set_error (error, SENDMAIL_ERROR, code == EACCES || code == EPERM ? EX_NOPERM : EX_TEMPFAIL,
                 "the relay cannot be reached on the socket %s: %s; nothing was sent; %s", path, g_strerror (code),
                 advice (code));
}

/* Tells a person at a terminal, and nobody else: cron would mail it. */
static void
tell_waiting (const gchar *path)
{
    fprintf (stderr,
             "sendmail: the relay has not answered on the socket %s for %d seconds; still waiting for it. "
             "“systemctl status postern.service” tells what it does.\n",
             path, TELL_AFTER_SECONDS);
}

static void
set_patience (gint fd, guint seconds)
{
    const struct timeval patience = {.tv_sec = seconds};

    setsockopt (fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof (patience));
}

/* Connecting waits while the relay's backlog is full; a descriptor that does not block would give up at once. */
static gboolean
connect_patiently (gint fd, const struct sockaddr_un *address)
{
    gboolean told = !isatty (STDERR_FILENO);

    set_patience (fd, told ? SEND_TIMEOUT_SECONDS : TELL_AFTER_SECONDS);
    while (connect (fd, (const struct sockaddr *) address, sizeof (*address)) != 0) {
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN || told)
            return FALSE;

        tell_waiting (address->sun_path);
        told = TRUE;
        set_patience (fd, SEND_TIMEOUT_SECONDS - TELL_AFTER_SECONDS);
    }

    return TRUE;
}

gint
sendmail_connection_dial (const gchar *path, GError **error)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    gint fd;

    if (strlen (path) >= sizeof (address.sun_path)) {
        g_set_error (error, SENDMAIL_ERROR, EX_CONFIG, "the relay's socket cannot be %s: the path is too long", path);
        return NO_DESCRIPTOR;
    }

    strcpy (address.sun_path, path);
    fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        set_connect_error (path, errno, error);
        return NO_DESCRIPTOR;
    }

    if (!connect_patiently (fd, &address)) {
        set_connect_error (path, errno, error);
        close (fd);
        return NO_DESCRIPTOR;
    }

    set_patience (fd, SEND_TIMEOUT_SECONDS);
    return fd;
}

SendmailConnection *
sendmail_connection_open (const gchar *path, gboolean verbose, SendmailReplyHandler handler, gpointer user_data,
                          GError **error)
{
    gint fd = sendmail_connection_dial (path, error);
    SendmailConnection *connection;

    if (fd < 0)
        return NULL;

    fcntl (fd, F_SETFL, O_NONBLOCK);
    connection = g_new0 (SendmailConnection, 1);
    connection->fd = fd;
    connection->path = g_strdup (path);
    connection->told = !isatty (STDERR_FILENO);
    connection->verbose = verbose;
    connection->handler = handler;
    connection->user_data = user_data;
    connection->output = g_string_new (NULL);
    connection->received = g_string_new (NULL);
    connection->awaited = g_array_new (FALSE, FALSE, sizeof (SendmailAwaited));

    return connection;
}

void
sendmail_connection_free (SendmailConnection *connection)
{
    if (connection == NULL)
        return;

    close (connection->fd);
    g_free (connection->path);
    g_string_free (connection->output, TRUE);
    g_string_free (connection->received, TRUE);
    g_array_unref (connection->awaited);
    g_free (connection);
}

static void
show (const SendmailConnection *connection, const gchar *arrow, const gchar *line)
{
    g_autofree gchar *printable = NULL;

    if (!connection->verbose)
        return;

    printable = message_printable (line, strlen (line), SHOWN_LONGEST_BYTES, TRUE);
    fprintf (stderr, "%s %s\n", arrow, printable);
}

static void
show_reply (const SendmailConnection *connection, const SendmailReply *reply)
{
    g_auto (GStrv) lines = NULL;

    if (!connection->verbose)
        return;

    lines = g_strsplit (reply->text, "\n", -1);
    for (guint i = 0; lines[i] != NULL; i++) {
        g_autofree gchar *line = g_strdup_printf ("%u%c%s", reply->code, lines[i + 1] != NULL ? '-' : ' ', lines[i]);

        show (connection, "<<<", line);
    }
}

void
sendmail_connection_await (SendmailConnection *connection, guint command, guint index)
{
    const SendmailAwaited awaited = {command, index};

    g_array_append_val (connection->awaited, awaited);
}

void
sendmail_connection_command_unawaited (SendmailConnection *connection, const gchar *line)
{
    show (connection, ">>>", line);
    g_string_append (connection->output, line);
    g_string_append_len (connection->output, "\r\n", 2);
}

void
sendmail_connection_command (SendmailConnection *connection, guint command, guint index, const gchar *line)
{
    sendmail_connection_command_unawaited (connection, line);
    sendmail_connection_await (connection, command, index);
}

void
sendmail_connection_append (SendmailConnection *connection, const gchar *data, gsize length)
{
    g_string_append_len (connection->output, data, (gssize) length);
}

gsize
sendmail_connection_pending (const SendmailConnection *connection)
{
    return connection->output->len - connection->sent;
}

static gboolean
is_answered (const SendmailConnection *connection)
{
    return connection->answered == connection->awaited->len;
}

static void
forget_output (SendmailConnection *connection)
{
    g_string_truncate (connection->output, 0);
    connection->sent = 0;
}

/* Sends what the socket takes. */
static gboolean
send_some (SendmailConnection *connection, GError **error)
{
    while (sendmail_connection_pending (connection) > 0) {
        gssize done = send (connection->fd, connection->output->str + connection->sent,
                            sendmail_connection_pending (connection), MSG_NOSIGNAL);

        if (done >= 0) {
            connection->sent += (gsize) done;
        } else if (errno == EAGAIN) {
            return TRUE;
        } else if (errno == EPIPE || errno == ECONNRESET) {
            connection->broken = TRUE;
            break;
        } else if (errno != EINTR) {
            return fail (error, EX_TEMPFAIL, "the message could not be sent to the relay", g_strerror (errno));
        }
    }

    forget_output (connection);
    return TRUE;
}

static SendmailAwaited
next_awaited (SendmailConnection *connection)
{
    if (is_answered (connection))
        return (SendmailAwaited){SENDMAIL_COMMAND_NONE, 0};

    return g_array_index (connection->awaited, SendmailAwaited, connection->answered++);
}

static gboolean
hand_over_replies (SendmailConnection *connection, GError **error)
{
    for (;;) {
        g_autoptr (SendmailReply) reply = NULL;

        switch (sendmail_reply_take (connection->received, &reply)) {
        case SENDMAIL_REPLY_MORE:
            return TRUE;
        case SENDMAIL_REPLY_MALFORMED:
            return fail (error, EX_PROTOCOL, "the relay did not answer in SMTP",
                         "is $POSTERN_SOCKET the socket of a mail relay?");
        case SENDMAIL_REPLY_COMPLETE:
            show_reply (connection, reply);
            if (!connection->handler (next_awaited (connection), reply, connection->user_data, error))
                return FALSE;
        }
    }
}

static gboolean
receive_some (SendmailConnection *connection, GError **error)
{
    gchar buffer[RECEIVE_BYTES];
    gssize got = recv (connection->fd, buffer, sizeof (buffer), 0);

    if (got > 0) {
        g_string_append_len (connection->received, buffer, got);
        return hand_over_replies (connection, error);
    }

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return TRUE;

    return fail (error, EX_TEMPFAIL, "the relay ended the connection before it confirmed the message",
                 got == 0 ? "whether it took the message is in its log" : g_strerror (errno));
}

static gboolean
is_reached (const SendmailConnection *connection, Until until)
{
    switch (until) {
    case UNTIL_SENT:
        return sendmail_connection_pending (connection) == 0 && !connection->broken;
    case UNTIL_ANSWERED:
        return sendmail_connection_pending (connection) == 0 && is_answered (connection);
    case UNTIL_INPUT:
        return FALSE;
    }

    g_return_val_if_reached (TRUE);
}

static gint
poll_both (struct pollfd *events, guint timeout_seconds)
{
    gint happened;

    do
        happened = poll (events, 2, (gint) timeout_seconds * 1000);
    while (happened < 0 && errno == EINTR);

    return happened;
}

/* Waits for the relay or, once all is sent, for @input; returns what poll () does. */
static gint
wait_for_event (SendmailConnection *connection, gint input, guint timeout_seconds, struct pollfd *events)
{
    gboolean sending = sendmail_connection_pending (connection) > 0;
    gint happened;

    events[0] = (struct pollfd){.fd = connection->fd, .events = sending ? POLLIN | POLLOUT : POLLIN};
    events[1] = (struct pollfd){.fd = sending || connection->broken ? NO_DESCRIPTOR : input, .events = POLLIN};

    /* Whoever types the message is waited for, and knows it. */
    if (connection->told || events[1].fd != NO_DESCRIPTOR || timeout_seconds <= TELL_AFTER_SECONDS)
        return poll_both (events, timeout_seconds);

    happened = poll_both (events, TELL_AFTER_SECONDS);
    if (happened != 0)
        return happened;

    tell_waiting (connection->path);
    connection->told = TRUE;
    return poll_both (events, timeout_seconds - TELL_AFTER_SECONDS);
}

/* Sends and receives until @until; returns %FALSE with an error, which EX_TEMPFAIL is if nothing happens for long. */
static gboolean
exchange (SendmailConnection *connection, Until until, gint input, guint timeout_seconds, gboolean *ready,
          GError **error)
{
    *ready = FALSE;

    if (!send_some (connection, error))
        return FALSE;

    while (!is_reached (connection, until)) {
        struct pollfd events[2];
        gint happened = wait_for_event (connection, input, timeout_seconds, events);

        if (happened < 0)
            return fail (error, EX_OSERR, "the relay's answer could not be waited for", g_strerror (errno));
        if (happened == 0 && until == UNTIL_INPUT && sendmail_connection_pending (connection) == 0)
            return TRUE;
        if (happened == 0)
            return fail (error, EX_TEMPFAIL, "the relay did not answer in time",
                         "look at: systemctl status postern.service");

        if ((events[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0 && !receive_some (connection, error))
            return FALSE;
        if ((events[0].revents & POLLOUT) != 0 && !send_some (connection, error))
            return FALSE;
        if (events[1].revents != 0) {
            *ready = TRUE;
            return TRUE;
        }
    }

    return TRUE;
}

gboolean
sendmail_connection_send (SendmailConnection *connection, GError **error)
{
    gboolean ready;

    return exchange (connection, UNTIL_SENT, NO_DESCRIPTOR, SEND_TIMEOUT_SECONDS, &ready, error);
}

gboolean
sendmail_connection_finish (SendmailConnection *connection, guint timeout_seconds, GError **error)
{
    gboolean ready;

    return exchange (connection, UNTIL_ANSWERED, NO_DESCRIPTOR, timeout_seconds, &ready, error);
}

gboolean
sendmail_connection_wait (SendmailConnection *connection, gint input, guint timeout_seconds, gboolean *ready,
                          GError **error)
{
    return exchange (connection, UNTIL_INPUT, input, timeout_seconds, ready, error);
}
