/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * A session with the relay
 *
 * Every call of sendmail is one session of one message, and most of what it costs is waiting for the other process.
 * So it waits twice only: for what EHLO offers, and for the message to be durable. EHLO goes out before the greeting
 * is there, which a client on the network should not do (RFC 5321 4.3.1): here no other server than the machine's own
 * is asked, and one that will not serve says so in its greeting all the same. MAIL, RCPT and the content go out
 * together, in one chunk (RFC 3030) that needs neither dot-stuffing nor a 354 to wait for.
 *
 * A message with several recipients is sent to all of them or to none. If one is refused, the caller is told which
 * and why, and exit status 0 never means "to some". That costs one more wait, before the chunk that makes the message
 * valid, as does a relay without CHUNKING, where DATA has to be answered first. A message that is begun and not
 * completed is forgotten by the relay when the connection ends (RFC 5321 4.1.1.5), so giving up means to hang up.
 *
 * Postern offers every extension that is used here. What another server behind $POSTERN_SOCKET does not offer is
 * left out where the message survives it (SIZE, DSN, BODY), and is an error where it does not (SMTPUTF8).
 */

#include <string.h>

#include "cli/sendmail-connection.h"
#include "cli/sendmail-error.h"
#include "cli/sendmail-session.h"
#include "message/address.h"

/* RFC 5321 4.5.3.2: the greeting and any command but the end of the content; then that. */
#define REPLY_TIMEOUT_SECONDS 300
#define END_TIMEOUT_SECONDS   600

/* Well under the relay's idle timeout. */
#define KEEPALIVE_SECONDS 60

/* What is in line is sent when it is this much; smaller writes cost more than they save in memory. */
#define SEND_WORTHWHILE_BYTES 65536

/* More refusals than this say nothing new to anybody. */
#define REFUSALS_SHOWN_MOST 5

typedef enum {
    COMMAND_NONE = SENDMAIL_COMMAND_NONE,
    COMMAND_GREETING,
    COMMAND_EHLO,
    COMMAND_MAIL,
    COMMAND_RCPT,
    COMMAND_DATA,
    COMMAND_CHUNK,
    COMMAND_END
} Command;

struct _SendmailSession {
    SendmailConnection *connection;
    const MessageEnvelope *envelope;
    gboolean *stopping; /* the caller's */
    gboolean pipelining;
    gboolean chunking;
    gboolean size;
    gboolean eight_bit;
    gboolean smtputf8;
    gboolean dsn;
    gboolean return_path;
    gboolean data_begun;    /* DATA was answered with 354 */
    gboolean at_line_start; /* of the content that was sent by DATA */
    gboolean accepted;      /* the relay has the message */
    guint refusals;         /* recipients that were refused */
    GString *refused;       /* what was said about the first of them */
    gint refused_status;
};

static gint
exit_status (const SendmailReply *reply, gint permanent)
{
    return reply->code >= 500 ? permanent : EX_TEMPFAIL;
}

static gboolean
fail_with_reply (GError **error, gint status, const gchar *what, const SendmailReply *reply)
{
    g_autofree gchar *line = sendmail_reply_line (reply);

    g_set_error (error, SENDMAIL_ERROR, status, "%s: %s; the message was not sent", what, line);
    return FALSE;
}

static gboolean
fail_refused (const SendmailSession *session, GError **error)
{
    g_autofree gchar *more = session->refusals > REFUSALS_SHOWN_MOST
                                 ? g_strdup_printf ("; and %u more", session->refusals - REFUSALS_SHOWN_MOST)
                                 : g_strdup ("");

    g_set_error (error, SENDMAIL_ERROR, session->refused_status, "%s%s; the message was not sent%s",
                 session->refused->str, more, session->envelope->recipients->len > 1 ? ", to nobody" : "");
    return FALSE;
}

static void
learn_extensions (SendmailSession *session, const SendmailReply *reply)
{
    session->pipelining = sendmail_reply_has_keyword (reply, "PIPELINING");
    session->chunking = sendmail_reply_has_keyword (reply, "CHUNKING");
    session->size = sendmail_reply_has_keyword (reply, "SIZE");
    session->eight_bit = sendmail_reply_has_keyword (reply, "8BITMIME");
    session->smtputf8 = sendmail_reply_has_keyword (reply, "SMTPUTF8");
    session->dsn = sendmail_reply_has_keyword (reply, "DSN");
    session->return_path = sendmail_reply_has_keyword (reply, MESSAGE_RETURN_PATH_KEYWORD);
}

/* A permanent refusal outweighs a temporary one: trying again would not help. */
static void
note_refused (SendmailSession *session, guint index, const SendmailReply *reply)
{
    g_autofree gchar *line = sendmail_reply_line (reply);
    gint status = exit_status (reply, EX_NOUSER);

    if (session->refusals == 0 || status != EX_TEMPFAIL)
        session->refused_status = status;
    if (++session->refusals > REFUSALS_SHOWN_MOST)
        return;

    g_string_append_printf (session->refused, "%sthe relay refused the recipient <%s>: %s",
                            session->refusals > 1 ? "; " : "",
                            message_envelope_recipient (session->envelope, index)->address, line);
}

static gboolean
judge_mail (const SendmailSession *session, const SendmailReply *reply, GError **error)
{
    g_autofree gchar *what = NULL;

    if (reply->code < 300)
        return TRUE;

    what = g_strdup_printf ("the relay refused the sender <%s>", session->envelope->sender);
    return fail_with_reply (error, exit_status (reply, EX_UNAVAILABLE), what, reply);
}

static gboolean
judge (guint wanted_class, const gchar *what, const SendmailReply *reply, GError **error)
{
    return reply->code / 100 == wanted_class ||
           fail_with_reply (error, exit_status (reply, EX_UNAVAILABLE), what, reply);
}

static gboolean
handle_reply (SendmailAwaited awaited, const SendmailReply *reply, gpointer user_data, GError **error)
{
    SendmailSession *session = user_data;

    /* RFC 3463 3.4: the system does not accept messages; here, because it is shut down or restarted. */
    *session->stopping |= reply->code == 421 && g_str_has_prefix (reply->text, "4.3.2");

    /* What comes behind a refused recipient only follows from it. */
    if (awaited.command != COMMAND_RCPT && session->refusals > 0)
        return fail_refused (session, error);

    switch ((Command) awaited.command) {
    case COMMAND_NONE:
        return session->accepted ||
               fail_with_reply (error, exit_status (reply, EX_UNAVAILABLE), "the relay broke off", reply);
    case COMMAND_GREETING:
        return judge (2, "the relay takes no mail", reply, error);
    case COMMAND_EHLO:
        learn_extensions (session, reply);
        return judge (2, "the relay takes no mail from here", reply, error);
    case COMMAND_MAIL:
        return judge_mail (session, reply, error);
    case COMMAND_RCPT:
        if (reply->code >= 300)
            note_refused (session, awaited.index, reply);
        return TRUE;
    case COMMAND_DATA:
        session->data_begun = reply->code == 354;
        return judge (3, "the relay refused the message", reply, error);
    case COMMAND_CHUNK:
        return judge (2, "the relay refused the message", reply, error);
    case COMMAND_END:
        session->accepted = reply->code < 300;
        return judge (2, "the relay refused the message", reply, error);
    }

    g_return_val_if_reached (FALSE);
}

static gboolean
greet (SendmailSession *session, GError **error)
{
    sendmail_connection_await (session->connection, COMMAND_GREETING, 0);
    sendmail_connection_command (session->connection, COMMAND_EHLO, 0, "EHLO localhost");
    return sendmail_connection_finish (session->connection, REPLY_TIMEOUT_SECONDS, error);
}

SendmailSession *
sendmail_session_open (const gchar *path, gboolean verbose, gboolean *stopping, GError **error)
{
    g_autoptr (SendmailSession) session = g_new0 (SendmailSession, 1);

    session->stopping = stopping;
    *stopping = FALSE;
    session->refused = g_string_new (NULL);
    session->at_line_start = TRUE;
    session->connection = sendmail_connection_open (path, verbose, handle_reply, session, error);
    if (session->connection == NULL || !greet (session, error))
        return NULL;

    return g_steal_pointer (&session);
}

void
sendmail_session_free (SendmailSession *session)
{
    if (session == NULL)
        return;

    sendmail_connection_free (session->connection);
    g_string_free (session->refused, TRUE);
    g_free (session);
}

gboolean
sendmail_session_wants_return_path (const SendmailSession *session)
{
    return session->return_path;
}

/* Takes in all replies that are awaited; none of them has refused anything if it returns %TRUE. */
static gboolean
settle (SendmailSession *session, guint timeout_seconds, GError **error)
{
    if (!sendmail_connection_finish (session->connection, timeout_seconds, error))
        return FALSE;

    return session->refusals == 0 || fail_refused (session, error);
}

static gboolean
command (SendmailSession *session, Command which, guint index, const gchar *line, GError **error)
{
    sendmail_connection_command (session->connection, which, index, line);

    return session->pipelining || sendmail_connection_finish (session->connection, REPLY_TIMEOUT_SECONDS, error);
}

/* printf's code and tables are six pages, and to touch one for the first time costs a short-lived process more than to do
 * without. */
static void
append_number (GString *line, guint64 number)
{
    gchar digits[24];
    gchar *start = digits + sizeof digits - 1;

    *start = '\0';
    do
        *--start = (gchar) ('0' + number % 10);
    while ((number /= 10) > 0);
    g_string_append (line, start);
}

static gchar *
mail_command (const SendmailSession *session, guint64 size_bytes)
{
    const MessageEnvelope *envelope = session->envelope;
    GString *line = g_string_new ("MAIL FROM:<");

    g_string_append (line, envelope->sender);
    g_string_append_c (line, '>');
    if (session->size && size_bytes > 0) {
        g_string_append (line, " SIZE=");
        append_number (line, size_bytes);
    }
    if (session->eight_bit && envelope->body == MESSAGE_BODY_8BITMIME)
        g_string_append (line, " BODY=8BITMIME");
    if (envelope->smtputf8)
        g_string_append (line, " SMTPUTF8");
    if (session->dsn && envelope->ret != MESSAGE_RETURN_UNSET)
        g_string_append (line, envelope->ret == MESSAGE_RETURN_FULL ? " RET=FULL" : " RET=HDRS");
    if (session->dsn && envelope->envid != NULL)
        g_string_append_printf (line, " ENVID=%s", envelope->envid);

    return g_string_free (line, FALSE);
}

static gchar *
notify_words (MessageNotify notify)
{
    static const gchar *const words[] = {"NEVER", "SUCCESS", "FAILURE", "DELAY"};
    GString *list = g_string_new (NULL);

    for (guint i = 0; i < G_N_ELEMENTS (words); i++)
        if ((notify & 1u << i) != 0)
            g_string_append_printf (list, "%s%s", list->len > 0 ? "," : "", words[i]);

    return g_string_free (list, FALSE);
}

static gchar *
recipient_command (const SendmailSession *session, const MessageRecipient *recipient)
{
    g_autofree gchar *notify = NULL;

    if (!session->dsn || recipient->notify == 0)
        return g_strconcat ("RCPT TO:<", recipient->address, ">", NULL);

    notify = notify_words (recipient->notify);
    return g_strconcat ("RCPT TO:<", recipient->address, "> NOTIFY=", notify, NULL);
}

gboolean
sendmail_session_begin (SendmailSession *session, const MessageEnvelope *envelope, guint64 size_bytes, GError **error)
{
    g_autofree gchar *mail = NULL;

    session->envelope = envelope;
    if (envelope->smtputf8 && !session->smtputf8) {
        g_set_error (error, SENDMAIL_ERROR, EX_UNAVAILABLE,
                     "an address has letters beyond ASCII, which the relay does not take; the message was not sent");
        return FALSE;
    }

    mail = mail_command (session, size_bytes);
    if (!command (session, COMMAND_MAIL, 0, mail, error))
        return FALSE;

    for (guint i = 0; i < envelope->recipients->len; i++) {
        g_autofree gchar *line = recipient_command (session, message_envelope_recipient (envelope, i));

        if (!command (session, COMMAND_RCPT, i, line, error))
            return FALSE;
        if (sendmail_connection_pending (session->connection) >= SEND_WORTHWHILE_BYTES &&
            !sendmail_connection_send (session->connection, error))
            return FALSE;
    }

    return TRUE;
}

static void
append_chunk (SendmailSession *session, Command which, const gchar *data, gsize length)
{
    g_autoptr (GString) line = g_string_new ("BDAT ");

    append_number (line, length);
    if (which == COMMAND_END)
        g_string_append (line, " LAST");

    sendmail_connection_command (session->connection, which, 0, line->str);
    sendmail_connection_append (session->connection, data, length);
}

/* Lines that begin with a dot get another (RFC 5321 4.5.2). */
static void
append_stuffed (SendmailSession *session, const gchar *data, gsize length)
{
    const gchar *end = data + length;

    while (data < end) {
        const gchar *newline = memchr (data, '\n', (gsize) (end - data));
        const gchar *next = newline != NULL ? newline + 1 : end;

        if (session->at_line_start && *data == '.')
            sendmail_connection_append (session->connection, ".", 1);
        sendmail_connection_append (session->connection, data, (gsize) (next - data));
        session->at_line_start = newline != NULL;
        data = next;
    }
}

/* DATA, once. A refused recipient shows here, before there is any content that could be delivered to the others. */
static gboolean
begin_data (SendmailSession *session, GError **error)
{
    if (session->data_begun)
        return TRUE;

    sendmail_connection_command (session->connection, COMMAND_DATA, 0, "DATA");
    return settle (session, REPLY_TIMEOUT_SECONDS, error);
}

gboolean
sendmail_session_content (SendmailSession *session, const gchar *data, gsize length, GError **error)
{
    if (length == 0)
        return TRUE;

    if (session->chunking) {
        append_chunk (session, COMMAND_CHUNK, data, length);
        if (!session->pipelining)
            return settle (session, REPLY_TIMEOUT_SECONDS, error);
    } else {
        if (!begin_data (session, error))
            return FALSE;
        append_stuffed (session, data, length);
    }

    return sendmail_connection_pending (session->connection) < SEND_WORTHWHILE_BYTES ||
           sendmail_connection_send (session->connection, error);
}

gboolean
sendmail_session_wait (SendmailSession *session, gint input, GError **error)
{
    gboolean ready = FALSE;

    while (!ready) {
        if (!sendmail_connection_wait (session->connection, input, KEEPALIVE_SECONDS, &ready, error))
            return FALSE;

        /* An empty chunk is the one thing that can be said in the middle of a message. */
        if (!ready && session->chunking)
            append_chunk (session, COMMAND_CHUNK, "", 0);
    }

    return TRUE;
}

static gboolean
end_chunks (SendmailSession *session, const gchar *data, gsize length, GError **error)
{
    if (session->envelope->recipients->len > 1 && !settle (session, REPLY_TIMEOUT_SECONDS, error))
        return FALSE;

    append_chunk (session, COMMAND_END, data, length);
    return TRUE;
}

static gboolean
end_data (SendmailSession *session, const gchar *data, gsize length, GError **error)
{
    if (!begin_data (session, error))
        return FALSE;

    append_stuffed (session, data, length);
    sendmail_connection_command (session->connection, COMMAND_END, 0, ".");
    return TRUE;
}

gboolean
sendmail_session_end (SendmailSession *session, const gchar *data, gsize length, GError **error)
{
    if (!(session->chunking ? end_chunks : end_data) (session, data, length, error))
        return FALSE;

    /* The relay's goodbye usually comes together with its word on the message; whether it does, matters to nobody. */
    if (session->pipelining)
        sendmail_connection_command_unawaited (session->connection, "QUIT");

    return settle (session, END_TIMEOUT_SECONDS, error);
}
