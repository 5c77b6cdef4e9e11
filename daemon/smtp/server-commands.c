/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The SMTP server: the commands
 *
 * One function for each command of RFC 5321 4.1.1, of CHUNKING (RFC 3030) and of STARTTLS (RFC 3207), with the order that
 * RFC 5321 4.1.4 demands. A refused command changes nothing, except that a chunk that was refused ends its transaction:
 * a message with a hole in it is no message.
 *
 * Extensions are understood from a client that said HELO, too; there is no harm in it. Addresses beyond ASCII are
 * understood and then refused where SMTPUTF8 was not asked for, because the reply should say that, and not that the
 * address is wrong.
 *
 * Counted as errors is what a careful client never does. Not counted: a limit that was met, what the handlers refuse, and
 * the faulty addresses of a trusted client, which may have a list with some bad lines and should lose no more than these.
 */

#include "message/address.h"
#include "message/error.h"
#include "message/printable.h"
#include "smtp/parameters.h"
#include "smtp/server-private.h"

/* A domain, which RFC 5321 4.5.3.1.2 limits to this, or what a client takes for one. */
#define HELO_LONGEST_BYTES 255

static void
refuse_order (SmtpServer *server, const gchar *why)
{
    smtp_server_refuse (server, smtp_reply_new (503, "5.5.1", "%s", why), SMTP_BLAME_CLIENT);
}

static void
refuse_syntax (SmtpServer *server, const gchar *usage)
{
    smtp_server_refuse (server, smtp_reply_new (501, "5.5.4", "Syntax: %s", usage), SMTP_BLAME_CLIENT);
}

static gboolean
is_trusted (const SmtpServer *server)
{
    return server->parameters.trusted;
}

/* Takes the client's name. It goes into Received: and the log, so it is no more than one printable word. */
static gboolean
open_session (SmtpServer *server, const SmtpCommand *command)
{
    gsize length = 0;

    while (length < command->length && command->argument[length] != ' ' && command->argument[length] != '\t')
        length++;
    if (length == 0 || length > HELO_LONGEST_BYTES)
        return FALSE;

    smtp_server_end_transaction (server);
    g_free (server->helo);
    server->helo = message_printable (command->argument, length, length, TRUE);

    return TRUE;
}

static gboolean
offers_tls (const SmtpServer *server)
{
    return server->parameters.tls_offered && !server->parameters.tls_active;
}

static void
on_ehlo (SmtpServer *server, const SmtpCommand *command)
{
    const SmtpServerParameters *parameters = &server->parameters;

    if (!open_session (server, command)) {
        refuse_syntax (server, "EHLO name");
        return;
    }

    server->extended = TRUE;
    g_string_append_printf (server->output,
                            "250-%s\r\n"
                            "250-PIPELINING\r\n"
                            "250-SIZE %" G_GUINT64_FORMAT "\r\n"
                            "250-8BITMIME\r\n"
                            "250-SMTPUTF8\r\n"
                            "%s%s"
                            "250-ENHANCEDSTATUSCODES\r\n"
                            "250-CHUNKING\r\n"
                            "250 DSN\r\n",
                            parameters->host_name, parameters->message_longest_bytes,
                            offers_tls (server) ? "250-STARTTLS\r\n" : "",
                            parameters->return_path ? "250-" MESSAGE_RETURN_PATH_KEYWORD "\r\n" : "");
}

static void
on_helo (SmtpServer *server, const SmtpCommand *command)
{
    if (!open_session (server, command)) {
        refuse_syntax (server, "HELO name");
        return;
    }

    server->extended = FALSE;
    g_string_append_printf (server->output, "250 %s\r\n", server->parameters.host_name);
}

/* Whether @text is a path but for the domain that it lacks. */
static gboolean
is_bare_path (const gchar *text, gsize length, MessagePathFlags flags)
{
    g_autofree gchar *address = message_path_parse (text, length, flags | MESSAGE_PATH_BARE, NULL, NULL);

    return address != NULL;
}

/*
 * Reads the path at @text. @status is the enhanced status code of a path that is none. Returns the address, or NULL and
 * the refusal.
 */
static gchar *
read_path (const SmtpServer *server, const gchar *text, gsize length, MessagePathFlags flags, const gchar *status,
           gsize *consumed, SmtpReply **refusal)
{
    g_autoptr (GError) error = NULL;
    gchar *address;

    flags |= MESSAGE_PATH_UTF8 | (is_trusted (server) ? MESSAGE_PATH_BARE : 0);
    address = message_path_parse (text, length, flags, consumed, &error);
    if (address != NULL)
        return address;

    if (g_error_matches (error, MESSAGE_ERROR, MESSAGE_ERROR_UTF8))
        *refusal = smtp_reply_new (553, "5.6.7", "%s", error->message);
    else if (is_bare_path (text, length, flags))
        *refusal = smtp_reply_new (553, status, "The address needs a domain: user@example.org");
    else
        *refusal = smtp_reply_new (501, status, "%s", error->message);

    return NULL;
}

static SmtpReply *
check_utf8 (const gchar *address, gboolean smtputf8)
{
    if (smtputf8 || message_address_is_ascii (address))
        return NULL;

    return smtp_reply_new (553, "5.6.7", "An address that is not ASCII needs the parameter SMTPUTF8 of MAIL");
}

static SmtpReply *
check_declared_size (const SmtpServer *server, guint64 declared_bytes)
{
    guint64 longest = server->parameters.message_longest_bytes;

    if (longest == 0 || declared_bytes <= longest)
        return NULL;

    return smtp_reply_new (552, "5.3.4", "The message is larger than %" G_GUINT64_FORMAT " bytes", longest);
}

/* Reads MAIL's reverse-path and parameters. Returns the envelope; NULL when a refusal was sent. */
static MessageEnvelope *
read_mail (SmtpServer *server, const gchar *text, gsize length, guint64 *declared_bytes)
{
    g_autoptr (MessageEnvelope) envelope = NULL;
    SmtpReply *refusal = NULL;
    g_autofree gchar *sender = NULL;
    gsize path;

    sender = read_path (server, text, length, MESSAGE_PATH_NULL, "5.1.7", &path, &refusal);
    if (sender == NULL) {
        smtp_server_refuse (server, refusal, is_trusted (server) ? SMTP_BLAME_NOBODY : SMTP_BLAME_CLIENT);
        return NULL;
    }

    envelope = message_envelope_new (sender);
    refusal = smtp_parameters_read_mail (text + path, length - path, envelope, declared_bytes);
    if (refusal == NULL)
        refusal = check_utf8 (sender, envelope->smtputf8);
    if (refusal != NULL) {
        smtp_server_refuse (server, refusal, SMTP_BLAME_CLIENT);
        return NULL;
    }

    refusal = check_declared_size (server, *declared_bytes);
    if (refusal != NULL) {
        smtp_server_refuse (server, refusal, SMTP_BLAME_TOLD);
        return NULL;
    }

    return g_steal_pointer (&envelope);
}

static void
on_mail (SmtpServer *server, const SmtpCommand *command)
{
    g_autoptr (MessageEnvelope) envelope = NULL;
    const gchar *text;
    gsize length;
    guint64 declared_bytes;
    SmtpReply *refusal;

    if (server->helo == NULL) {
        refuse_order (server, "Say EHLO first");
        return;
    }
    if (server->envelope != NULL) {
        refuse_order (server, "A sender was given already; RSET forgets it");
        return;
    }
    if (!smtp_command_path (command, "FROM:", &text, &length)) {
        refuse_syntax (server, "MAIL FROM:<address> [parameters]");
        return;
    }

    envelope = read_mail (server, text, length, &declared_bytes);
    if (envelope == NULL)
        return;

    refusal = server->handlers->mail (envelope, declared_bytes, server->user_data);
    if (refusal != NULL) {
        smtp_server_refuse (server, refusal, SMTP_BLAME_NOBODY);
        return;
    }

    server->envelope = g_steal_pointer (&envelope);
    smtp_server_accept (server, "250 2.1.0 Sender accepted");
}

static SmtpReply *
check_recipients_most (SmtpServer *server, SmtpBlame *blame)
{
    guint most = server->parameters.recipients_most;

    if (most == 0 || server->envelope->recipients->len < most)
        return NULL;

    *blame = server->recipients_told ? SMTP_BLAME_NOBODY : SMTP_BLAME_TOLD;
    server->recipients_told = TRUE;

    return smtp_reply_new (452, "4.5.3", "A message has at most %u recipients here; send it again to the rest", most);
}

static SmtpReply *
read_recipient (const SmtpServer *server, const gchar *text, gsize length, MessageRecipient *recipient,
                SmtpBlame *blame)
{
    gboolean smtputf8 = server->envelope->smtputf8;
    SmtpReply *refusal = NULL;
    gsize path;

    *blame = is_trusted (server) ? SMTP_BLAME_NOBODY : SMTP_BLAME_CLIENT;
    recipient->address = read_path (server, text, length, MESSAGE_PATH_DEFAULT, "5.1.3", &path, &refusal);
    if (recipient->address == NULL)
        return refusal;

    *blame = SMTP_BLAME_CLIENT;
    refusal = smtp_parameters_read_recipient (text + path, length - path, smtputf8, recipient);

    return refusal != NULL ? refusal : check_utf8 (recipient->address, smtputf8);
}

/* Whether this client may send to @recipient, and this message may have one more. */
static SmtpReply *
check_recipient (SmtpServer *server, MessageRecipient *recipient, SmtpBlame *blame)
{
    SmtpReply *refusal;

    if (!is_trusted (server)) {
        *blame = SMTP_BLAME_CLIENT | SMTP_BLAME_TOLD;
        return smtp_reply_new (550, "5.7.1",
                               "Relaying is for this machine and trusted networks only; "
                               "its administrator may add yours to TrustedNetworks=");
    }

    refusal = check_recipients_most (server, blame);
    if (refusal != NULL)
        return refusal;

    *blame = SMTP_BLAME_NOBODY;

    return server->handlers->recipient (recipient, server->user_data);
}

static void
keep_recipient (MessageEnvelope *envelope, MessageRecipient *recipient)
{
    guint before = envelope->recipients->len;
    MessageRecipient *kept = message_envelope_add (envelope, recipient->address);

    if (envelope->recipients->len == before)
        return; /* it is there already, and the first one's parameters hold */

    kept->notify = recipient->notify;
    kept->orcpt = g_steal_pointer (&recipient->orcpt);
}

static void
on_rcpt (SmtpServer *server, const SmtpCommand *command)
{
    MessageRecipient recipient = {0};
    SmtpReply *refusal;
    SmtpBlame blame;
    const gchar *text;
    gsize length;

    if (server->envelope == NULL || server->begun) {
        refuse_order (server,
                      server->begun ? "The message was begun; it is too late for recipients" : "Send MAIL first");
        return;
    }
    if (!smtp_command_path (command, "TO:", &text, &length)) {
        refuse_syntax (server, "RCPT TO:<address> [parameters]");
        return;
    }

    refusal = read_recipient (server, text, length, &recipient, &blame);
    if (refusal == NULL)
        refusal = check_recipient (server, &recipient, &blame);
    if (refusal == NULL) {
        keep_recipient (server->envelope, &recipient);
        smtp_server_accept (server, "250 2.1.5 Recipient accepted");
    } else {
        server->recipients_refused = TRUE;
        smtp_server_refuse (server, refusal, blame);
    }

    g_free (recipient.address);
    g_free (recipient.orcpt);
}

/* Whether content may come now. */
static SmtpReply *
check_transaction (const SmtpServer *server)
{
    if (server->envelope == NULL)
        return smtp_reply_new (503, "5.5.1", "Send MAIL first");
    if (server->envelope->recipients->len > 0)
        return NULL;
    if (server->recipients_refused)
        return smtp_reply_new (554, "5.5.1", "No recipient was accepted");

    return smtp_reply_new (503, "5.5.1", "Send RCPT first");
}

static void
on_data (SmtpServer *server, const SmtpCommand *command)
{
    SmtpReply *refusal;

    if (command->length > 0) {
        refuse_syntax (server, "DATA");
        return;
    }
    if (server->begun) {
        refuse_order (server, "The message was begun with BDAT; go on with it, or RSET");
        return;
    }

    refusal = check_transaction (server);
    if (refusal != NULL) {
        smtp_server_refuse (server, refusal, SMTP_BLAME_CLIENT);
        return;
    }

    refusal = smtp_server_begin (server, SMTP_CONTENT_DATA);
    if (refusal != NULL) {
        smtp_server_end_transaction (server);
        smtp_server_refuse (server, refusal, SMTP_BLAME_NOBODY);
        return;
    }

    smtp_server_expect_data (server);
    smtp_server_accept (server, "354 End the message with a line that has only a dot");
}

/* Whether the chunk that follows is to be handed over; if not, its octets are read nevertheless, and then refused. */
static void
judge_chunk (SmtpServer *server, SmtpChunkResult result)
{
    SmtpReply *refusal = check_transaction (server);

    if (refusal != NULL) {
        server->verdict = refusal;
        server->verdict_blame = SMTP_BLAME_CLIENT;
        return;
    }

    if (result == SMTP_CHUNK_BAD_WORD) {
        smtp_server_refuse_content (server, smtp_reply_new (501, "5.5.4", "Syntax: BDAT size [LAST]"),
                                    SMTP_BLAME_CLIENT);
        return;
    }

    refusal = server->begun ? NULL : smtp_server_begin (server, SMTP_CONTENT_CHUNKS);
    if (refusal != NULL)
        smtp_server_refuse_content (server, refusal, SMTP_BLAME_NOBODY);
}

static void
on_bdat (SmtpServer *server, const SmtpCommand *command)
{
    guint64 bytes;
    gboolean last;
    SmtpChunkResult result = smtp_command_chunk (command, &bytes, &last);

    if (result == SMTP_CHUNK_BAD_SIZE) {
        /* What follows may be a chunk's octets; they must not be taken for commands. */
        smtp_server_refuse (server, smtp_reply_new (521, "5.5.4", "Syntax: BDAT size [LAST]; cannot go on"),
                            SMTP_BLAME_CLIENT | SMTP_BLAME_TOLD);
        smtp_server_end_session (server);
        return;
    }

    judge_chunk (server, result);
    smtp_server_expect_chunk (server, bytes, last);
}

static void
on_rset (SmtpServer *server, const SmtpCommand *command)
{
    if (command->length > 0) {
        refuse_syntax (server, "RSET");
        return;
    }

    smtp_server_end_transaction (server);
    smtp_server_accept (server, "250 2.0.0 Forgotten");
}

static void
on_vrfy (SmtpServer *server, const SmtpCommand *command)
{
    if (command->length == 0)
        refuse_syntax (server, "VRFY address");
    else
        smtp_server_accept (server, "252 2.0.0 Cannot tell; send the message and see");
}

static void
on_expn (SmtpServer *server, const SmtpCommand *command)
{
    smtp_server_refuse (server, smtp_reply_new (502, "5.5.1", "There are no lists here"), SMTP_BLAME_CLIENT);
}

static void
on_help (SmtpServer *server, const SmtpCommand *command)
{
    smtp_server_accept (server, offers_tls (server)
                                    ? "214-2.0.0 EHLO HELO MAIL RCPT DATA BDAT RSET VRFY NOOP HELP QUIT STARTTLS"
                                    : "214-2.0.0 EHLO HELO MAIL RCPT DATA BDAT RSET VRFY NOOP HELP QUIT");
    smtp_server_accept (server, "214 2.0.0 This is Postern, a relay without mailboxes; see man posternd");
}

static void
on_noop (SmtpServer *server, const SmtpCommand *command)
{
    smtp_server_accept (server, "250 2.0.0 Done");
}

static void
on_quit (SmtpServer *server, const SmtpCommand *command)
{
    if (command->length > 0) {
        refuse_syntax (server, "QUIT");
        return;
    }

    smtp_server_accept (server, "221 2.0.0 Goodbye");
    smtp_server_end_session (server);
}

static void
on_starttls (SmtpServer *server, const SmtpCommand *command)
{
    if (server->parameters.tls_active) {
        refuse_order (server, "TLS is active already");
        return;
    }
    if (!server->parameters.tls_offered) {
        smtp_server_refuse (server, smtp_reply_new (502, "5.5.1", "TLS is not set up here"), SMTP_BLAME_CLIENT);
        return;
    }
    if (!server->extended) {
        refuse_order (server, "Say EHLO first");
        return;
    }
    if (command->length > 0) {
        refuse_syntax (server, "STARTTLS");
        return;
    }

    smtp_server_end_transaction (server);
    g_clear_pointer (&server->helo, g_free);
    server->extended = FALSE;
    server->state = SMTP_SERVER_STARTING_TLS;
    smtp_server_accept (server, "220 2.0.0 Start TLS");
    server->handlers->start_tls (server->user_data);
}

/* A web page can make a browser send a request with a body of its choice to a port of this machine. */
static void
on_http (SmtpServer *server, const SmtpCommand *command)
{
    smtp_server_refuse (server, smtp_reply_new (521, "5.5.1", "This is SMTP, not HTTP"),
                        SMTP_BLAME_CLIENT | SMTP_BLAME_TOLD);
    smtp_server_end_session (server);
}

static void
on_unknown (SmtpServer *server, const SmtpCommand *command)
{
    smtp_server_refuse (server, smtp_reply_new (500, "5.5.2", "The command is not known; HELP lists those that are"),
                        SMTP_BLAME_CLIENT);
}

void
smtp_server_execute (SmtpServer *server, const SmtpCommand *command)
{
    switch (command->verb) {
    case SMTP_VERB_BDAT:
        on_bdat (server, command);
        return;
    case SMTP_VERB_DATA:
        on_data (server, command);
        return;
    case SMTP_VERB_EHLO:
        on_ehlo (server, command);
        return;
    case SMTP_VERB_EXPN:
        on_expn (server, command);
        return;
    case SMTP_VERB_HELO:
        on_helo (server, command);
        return;
    case SMTP_VERB_HELP:
        on_help (server, command);
        return;
    case SMTP_VERB_HTTP:
        on_http (server, command);
        return;
    case SMTP_VERB_MAIL:
        on_mail (server, command);
        return;
    case SMTP_VERB_NOOP:
        on_noop (server, command);
        return;
    case SMTP_VERB_QUIT:
        on_quit (server, command);
        return;
    case SMTP_VERB_RCPT:
        on_rcpt (server, command);
        return;
    case SMTP_VERB_RSET:
        on_rset (server, command);
        return;
    case SMTP_VERB_STARTTLS:
        on_starttls (server, command);
        return;
    case SMTP_VERB_VRFY:
        on_vrfy (server, command);
        return;
    case SMTP_VERB_UNKNOWN:
        on_unknown (server, command);
        return;
    }
    g_assert_not_reached ();
}
