/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The client's side of an SMTP session
 *
 * A state machine that is fed the server's bytes and says what to send. It is driven by one list: the replies that
 * are owed, in their order (RFC 2920 3.1: the n-th reply answers the n-th command, pipelined or not). Each entry says
 * what the reply answers, and the table below what to do with it and how long to wait for it. The opening of a
 * session is in client-opening.c, a transaction in client-transaction.c.
 *
 * What the owner is to do (start TLS, give content, take the session for its next message, forget it) is told when
 * the outermost call into the client ends. So an owner that answers at once does not recurse, and may free the
 * client wherever it likes.
 *
 * A server may say 421 at any time and close (RFC 5321 3.8). It ends the session, never a recipient's fate: whoever
 * has no result yet is tried again. A reply that nobody asked for, or that is none, means that the two sides no
 * longer agree on what answers what; going on could put one recipient's refusal to another's account, so the session
 * ends.
 *
 * Lines of a session can be traced. What they carry of secrets is replaced before; the content of messages is left
 * out.
 */

#include "smtp/client-private.h"

#include <string.h>

static void take_probe (SmtpClient *client, const SmtpReply *reply);
static void take_rset (SmtpClient *client, const SmtpReply *reply);
static void take_quit (SmtpClient *client, const SmtpReply *reply);

static const struct {
    void (*take) (SmtpClient *client, const SmtpReply *reply);
    SmtpClientWait wait;
    const gchar *what; /* is waited for */
} expectations[] = {
    [CLIENT_EXPECTS_GREETING] = {client_take_greeting, SMTP_CLIENT_WAIT_GREETING, "the greeting"},
    [CLIENT_EXPECTS_EHLO] = {client_take_ehlo, SMTP_CLIENT_WAIT_COMMAND, "the reply to EHLO"},
    [CLIENT_EXPECTS_HELO] = {client_take_helo, SMTP_CLIENT_WAIT_COMMAND, "the reply to HELO"},
    [CLIENT_EXPECTS_STARTTLS] = {client_take_starttls, SMTP_CLIENT_WAIT_COMMAND, "the reply to STARTTLS"},
    [CLIENT_EXPECTS_AUTH] = {client_take_auth, SMTP_CLIENT_WAIT_COMMAND, "the reply to AUTH"},
    [CLIENT_EXPECTS_AUTH_CANCEL] = {client_take_auth_cancel, SMTP_CLIENT_WAIT_COMMAND, "the reply to AUTH"},
    [CLIENT_EXPECTS_MAIL] = {client_take_mail, SMTP_CLIENT_WAIT_COMMAND, "the reply to MAIL"},
    [CLIENT_EXPECTS_RCPT] = {client_take_rcpt, SMTP_CLIENT_WAIT_COMMAND, "the reply to RCPT"},
    [CLIENT_EXPECTS_DATA] = {client_take_data, SMTP_CLIENT_WAIT_DATA, "the reply to DATA"},
    [CLIENT_EXPECTS_CHUNK] = {client_take_chunk, SMTP_CLIENT_WAIT_BLOCK, "the reply to BDAT"},
    [CLIENT_EXPECTS_LAST_CHUNK] = {client_take_last_chunk, SMTP_CLIENT_WAIT_END, "the reply to the last BDAT"},
    [CLIENT_EXPECTS_END] = {client_take_end, SMTP_CLIENT_WAIT_END, "the reply to the end of the message"},
    [CLIENT_EXPECTS_END_OF_NOTHING] = {client_take_end_of_nothing, SMTP_CLIENT_WAIT_END, "the reply to the lone dot"},
    [CLIENT_EXPECTS_PROBE] = {take_probe, SMTP_CLIENT_WAIT_COMMAND, "the reply to MAIL"},
    [CLIENT_EXPECTS_RSET] = {take_rset, SMTP_CLIENT_WAIT_COMMAND, "the reply to RSET"},
    [CLIENT_EXPECTS_QUIT] = {take_quit, SMTP_CLIENT_WAIT_COMMAND, "the reply to QUIT"},
};

/* ---- What others hear of it ---- */

static void
client_flush (SmtpClient *client)
{
    GBytes *bytes;

    if (client->output->len > 0) {
        bytes = g_bytes_new (client->output->str, client->output->len);
        g_queue_push_tail (&client->outbox, bytes);
        g_string_truncate (client->output, 0);
    }

    while (!client->freed && (bytes = g_queue_pop_head (&client->outbox))) {
        client->handlers->send (bytes, client->user_data);
        g_bytes_unref (bytes);
    }
}

/* Returns: whether there was something to tell */
static gboolean
client_tell_next (SmtpClient *client)
{
    const SmtpClientHandlers *handlers = client->handlers;

    if (client->tell_start_tls) {
        client->tell_start_tls = FALSE;
        handlers->start_tls (client->user_data);
    } else if (client->tell_want_content) {
        client->tell_want_content = FALSE;
        handlers->want_content (client->user_data);
    } else if (client->tell_done) {
        client->tell_done = FALSE;
        handlers->done (client->user_data);
    } else if (client->tell_ready) {
        client->tell_ready = FALSE;
        handlers->ready (client->user_data);
    } else if (client->tell_failed) {
        client->tell_failed = FALSE;
        handlers->failed (client->failure, client->failure_reason, client->failure_reply, client->user_data);
    } else {
        return FALSE;
    }

    return TRUE;
}

static void
client_destroy (SmtpClient *client)
{
    if (client->password)
        explicit_bzero (client->password, strlen (client->password));
    if (client->initial_response)
        explicit_bzero (client->initial_response, strlen (client->initial_response));
    explicit_bzero (client->output->str, client->output->allocated_len);

    g_free (client->host_name);
    g_free (client->user);
    g_free (client->password);
    g_free (client->mechanisms);
    g_free (client->initial_response);
    g_free (client->auth_fault);
    g_free (client->auth_in_plain);
    smtp_reply_free (client->ehlo_refusal);
    g_free (client->failure_reason);
    smtp_reply_free (client->failure_reply);
    smtp_reply_parser_free (client->parser);
    smtp_capabilities_clear (&client->capabilities);
    smtp_sasl_free (client->sasl);
    client_transaction_free (client->transaction);
    g_array_unref (client->expected);
    g_string_free (client->tried, TRUE);
    g_string_free (client->output, TRUE);
    g_queue_clear_full (&client->outbox, (GDestroyNotify) g_bytes_unref);
    g_free (client);
}

static void
client_enter (SmtpClient *client)
{
    client->depth++;
    client->references++;
}

static void
client_leave (SmtpClient *client)
{
    if (client->depth == 1) {
        do
            client_flush (client);
        while (!client->freed && client_tell_next (client));
        if (client->state == CLIENT_OVER)
            g_clear_pointer (&client->transaction, client_transaction_free);
    }

    client->depth--;
    if (--client->references == 0)
        client_destroy (client);
}

static void
client_trace (SmtpClient *client, gboolean sent, const gchar *line)
{
    if (client->handlers->trace && !client->freed)
        client->handlers->trace (sent, line, client->user_data);
}

static void
client_trace_reply (SmtpClient *client, const SmtpReply *reply)
{
    g_auto (GStrv) lines = NULL;

    if (!client->handlers->trace)
        return;

    lines = g_strsplit (reply->text, "\n", -1);
    for (guint i = 0; i == 0 || lines[i]; i++) {
        const gchar *text = lines[i] ? lines[i] : "";
        gboolean last = !lines[i] || !lines[i + 1];
        g_autofree gchar *line = g_strdup_printf ("%03u%c%s%s%s", reply->code, last ? ' ' : '-', reply->status,
                                                  reply->status[0] != '\0' ? " " : "", text);

        client_trace (client, FALSE, g_strchomp (line));
        if (last)
            break;
    }
}

/* ---- For the client's other files ---- */

void
client_expect (SmtpClient *client, ClientExpectation expectation)
{
    g_array_append_val (client->expected, expectation);
}

void
client_secret_command (SmtpClient *client, ClientExpectation expectation, const gchar *line, const gchar *shown)
{
    g_string_append (client->output, line);
    g_string_append (client->output, "\r\n");
    client_expect (client, expectation);
    client_trace (client, TRUE, shown);
}

void
client_command (SmtpClient *client, ClientExpectation expectation, const gchar *format, ...)
{
    g_autofree gchar *line = NULL;
    va_list arguments;

    va_start (arguments, format);
    line = g_strdup_vprintf (format, arguments);
    va_end (arguments);

    client_secret_command (client, expectation, line, line);
}

void
client_send_bytes (SmtpClient *client, GBytes *bytes)
{
    if (g_bytes_get_size (bytes) == 0)
        return;

    if (client->output->len > 0)
        g_queue_push_tail (&client->outbox, g_bytes_new (client->output->str, client->output->len));
    g_string_truncate (client->output, 0);
    g_queue_push_tail (&client->outbox, g_bytes_ref (bytes));
}

static gboolean
client_awaits (const SmtpClient *client, ClientExpectation first, ClientExpectation last)
{
    ClientExpectation next;

    if (client->answered == client->expected->len)
        return FALSE;

    next = g_array_index (client->expected, ClientExpectation, client->answered);
    return next >= first && next <= last;
}

/* Content may have been sent ahead, by BDAT. Whoever says 421 in reply to a command before it reads no further; if the
 * connection just ended, how far the server had come is not known. */
static gboolean
client_ends_before_content (const SmtpClient *client, const SmtpReply *reply)
{
    return client->transaction && client_awaits (client, CLIENT_EXPECTS_MAIL, CLIENT_EXPECTS_DATA) &&
           (reply || client->transaction->n_chunks == 0);
}

void
client_fail (SmtpClient *client, SmtpClientFailure failure, const SmtpReply *reply, const gchar *format, ...)
{
    va_list arguments;

    if (client->state == CLIENT_OVER)
        return;

    va_start (arguments, format);
    client->failure_reason = g_strdup_vprintf (format, arguments);
    va_end (arguments);

    client->state = CLIENT_OVER;
    client->failure = failure;
    client->failure_reply = reply ? smtp_reply_copy (reply) : NULL;
    client->kept_content = client_ends_before_content (client, reply);
    client_learn_recipients (client);
    client->tell_failed = TRUE;
    client->tell_start_tls = FALSE;
    client->tell_want_content = FALSE;
    client->tell_ready = FALSE;
}

void
client_become_ready (SmtpClient *client)
{
    client->state = CLIENT_READY;
    client->tell_ready = TRUE;
}

void
client_send_reset (SmtpClient *client)
{
    client->state = CLIENT_RESETTING;
    client_command (client, CLIENT_EXPECTS_RSET, "RSET");
}

/* ---- Replies ---- */

static void
take_probe (SmtpClient *client, const SmtpReply *reply)
{
    if (client_reply_is_success (reply))
        client_send_reset (client);
    else
        client_fail (client, SMTP_CLIENT_FAILED_REPLY, reply, "the server takes no mail from this sender");
}

static void
take_rset (SmtpClient *client, const SmtpReply *reply)
{
    if (client_reply_is_success (reply))
        client_become_ready (client);
    else
        client_fail (client, SMTP_CLIENT_FAILED_PROTOCOL, reply, "the server refuses RSET");
}

static void
take_quit (SmtpClient *client, const SmtpReply *reply)
{
    client_fail (client, SMTP_CLIENT_FAILED_CLOSED, reply, "the session was ended");
}

static void
take_unexpected (SmtpClient *client, const SmtpReply *reply)
{
    if (client->transaction && client->transaction->data)
        client_take_interruption (client, reply);
    else
        client_fail (client, SMTP_CLIENT_FAILED_PROTOCOL, reply, "the server sent a reply that nothing asked for");
}

/* Takes the next entry off the list of replies that are owed. Returns: FALSE if there is none */
static gboolean
client_next_expectation (SmtpClient *client, ClientExpectation *expectation)
{
    if (client->answered == client->expected->len)
        return FALSE;

    *expectation = g_array_index (client->expected, ClientExpectation, client->answered++);
    if (client->answered == client->expected->len) {
        g_array_set_size (client->expected, 0);
        client->answered = 0;
    }

    return TRUE;
}

static void
client_take_reply (SmtpClient *client, const SmtpReply *reply)
{
    ClientExpectation expectation;

    client_trace_reply (client, reply);
    if (reply->code == 421 && client_awaits (client, CLIENT_EXPECTS_HELO, CLIENT_EXPECTS_HELO) &&
        client_fail_for_ehlo (client, NULL))
        return;
    if (reply->code == 421)
        client_fail (client, SMTP_CLIENT_FAILED_CLOSED, reply, "the server closes the session");
    else if (client_next_expectation (client, &expectation))
        expectations[expectation].take (client, reply);
    else
        take_unexpected (client, reply);
}

/* Whether bytes that come now can only come from somebody between the two sides. */
static gboolean
client_must_be_silent (const SmtpClient *client)
{
    return client->state == CLIENT_SHAKING || (client->security == SMTP_SECURITY_IMPLICIT && !client->secure);
}

static void
client_parse (SmtpClient *client, const gchar *data, gsize length)
{
    while (length > 0 && client->state != CLIENT_OVER && !client->freed) {
        g_autoptr (SmtpReply) reply = NULL;
        SmtpReplyParserResult result;
        gsize consumed;

        if (client_must_be_silent (client)) {
            client_fail (client, SMTP_CLIENT_FAILED_TLS, NULL, "bytes came in plain where TLS should have begun");
            return;
        }

        result = smtp_reply_parser_feed (client->parser, data, length, &consumed, &reply);
        data += consumed;
        length -= consumed;
        if (result == SMTP_REPLY_PARSER_MALFORMED)
            client_fail (client, SMTP_CLIENT_FAILED_PROTOCOL, NULL, "the server does not speak SMTP: %s",
                         smtp_reply_parser_fault (client->parser));
        else if (result == SMTP_REPLY_PARSER_REPLY)
            client_take_reply (client, reply);
    }
}

/* ---- For the owner ---- */

SmtpClient *
smtp_client_new (const SmtpClientParameters *parameters, const SmtpClientHandlers *handlers, gpointer user_data)
{
    SmtpClient *client = g_new0 (SmtpClient, 1);

    client->references = 1;
    client->host_name = g_strdup (parameters->host_name);
    client->security = parameters->security;
    client->user = g_strdup (parameters->user);
    client->password = g_strdup (parameters->password);
    client->mechanisms = g_strdup (parameters->mechanisms);
    client->auth_without_tls = parameters->auth_without_tls;
    client->handlers = handlers;
    client->user_data = user_data;

    client->state = CLIENT_OPENING;
    client->parser = smtp_reply_parser_new ();
    client->expected = g_array_new (FALSE, FALSE, sizeof (ClientExpectation));
    client->output = g_string_new (NULL);
    client->tried = g_string_new (NULL);
    client_expect (client, CLIENT_EXPECTS_GREETING);

    return client;
}

void
smtp_client_free (SmtpClient *client)
{
    if (!client || client->freed)
        return;

    client->freed = TRUE;
    if (--client->references == 0)
        client_destroy (client);
}

void
smtp_client_feed (SmtpClient *client, const gchar *data, gsize length)
{
    client_enter (client);
    client_parse (client, data, length);
    client_leave (client);
}

void
smtp_client_secured (SmtpClient *client)
{
    g_return_if_fail (!client->secure);

    client_enter (client);
    if (client->state != CLIENT_OVER)
        client_take_secured (client);
    client_leave (client);
}

void
smtp_client_eof (SmtpClient *client, const gchar *reason)
{
    client_enter (client);
    if (client_awaits (client, CLIENT_EXPECTS_HELO, CLIENT_EXPECTS_HELO) && client_fail_for_ehlo (client, NULL)) {
        client_leave (client);
        return;
    }

    if (client->answered < client->expected->len) {
        ClientExpectation next = g_array_index (client->expected, ClientExpectation, client->answered);

        client_fail (client, SMTP_CLIENT_FAILED_CLOSED, NULL, "%s while %s was awaited", reason,
                     expectations[next].what);
    } else {
        client_fail (client, SMTP_CLIENT_FAILED_CLOSED, NULL, "%s", reason);
    }
    client_leave (client);
}

void
smtp_client_begin (SmtpClient *client, const SmtpTransaction *transaction)
{
    g_return_if_fail (client->state == CLIENT_READY && !client->tell_ready);

    client_enter (client);
    client->state = CLIENT_BUSY;
    client_transaction_start (client, transaction);
    client_leave (client);
}

void
smtp_client_content (SmtpClient *client, GBytes *piece, gboolean last)
{
    client_enter (client);
    if (client->state == CLIENT_BUSY)
        client_take_content (client, piece, last);
    client_leave (client);
}

void
smtp_client_abandon (SmtpClient *client)
{
    client_enter (client);
    client_fail (client, SMTP_CLIENT_FAILED_CLOSED, NULL, "the message could not be sent to its end");
    client_leave (client);
}

void
smtp_client_quit (SmtpClient *client)
{
    g_return_if_fail (client->state == CLIENT_READY && !client->tell_ready);

    client_enter (client);
    client->state = CLIENT_QUITTING;
    client_command (client, CLIENT_EXPECTS_QUIT, "QUIT");
    client_leave (client);
}

void
smtp_client_reset (SmtpClient *client)
{
    g_return_if_fail (client->state == CLIENT_READY && !client->tell_ready);

    client_enter (client);
    client_send_reset (client);
    client_leave (client);
}

void
smtp_client_probe (SmtpClient *client, const gchar *sender)
{
    g_return_if_fail (client->state == CLIENT_READY && !client->tell_ready);

    client_enter (client);
    client_send_probe (client, sender);
    client_leave (client);
}

SmtpClientWait
smtp_client_wait (const SmtpClient *client)
{
    if (client->state == CLIENT_OVER)
        return SMTP_CLIENT_WAIT_NONE;
    if (client->answered < client->expected->len)
        return expectations[g_array_index (client->expected, ClientExpectation, client->answered)].wait;

    return client->state == CLIENT_BUSY ? SMTP_CLIENT_WAIT_BLOCK : SMTP_CLIENT_WAIT_NONE;
}

gboolean
smtp_client_offers_dsn (const SmtpClient *client)
{
    return client->capabilities.dsn;
}

gboolean
smtp_client_offers_8bitmime (const SmtpClient *client)
{
    return client->capabilities.eightbitmime;
}

gboolean
smtp_client_offers_smtputf8 (const SmtpClient *client)
{
    return client->capabilities.smtputf8;
}

guint64
smtp_client_size_most (const SmtpClient *client)
{
    return client->capabilities.size_most_bytes;
}

gboolean
smtp_client_kept_content (const SmtpClient *client)
{
    return client->kept_content;
}

gboolean
smtp_client_is_authenticated (const SmtpClient *client)
{
    return client->authenticated;
}

guint
smtp_client_recipients_most (const SmtpClient *client)
{
    guint announced = client->capabilities.recipients_most;
    guint shown = client->recipients_shown;

    if (announced == 0 || shown == 0)
        return MAX (announced, shown);

    return MIN (announced, shown);
}
