/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The SMTP server: the stream
 *
 * The server's half of a session as a machine without I/O: bytes go in, bytes come out, and what has to be decided or
 * done by others is asked of handlers. This file deals with the stream: which bytes are commands, which are content,
 * which are neither, and what is said in which order. What the commands mean is in server-commands.c.
 *
 * The state says what the next byte is, and only one place, step (), looks at it. A client that pipelines (RFC 2920) may
 * have sent much that cannot be acted on yet, because the message before is being made durable; that waits in a buffer.
 * What a client sent behind STARTTLS in plain is never acted on (RFC 3207 4.2). Otherwise bytes are worked on where they
 * lie and only an incomplete line is copied.
 *
 * Content that cannot be taken (too large, bare newlines, a chunk without a transaction) has to be read nevertheless,
 * or its lines would be taken for commands. Its answer, the verdict, is kept until its end.
 *
 * A handler may close the session while a command is executed. That is remembered and done when the command is
 * finished, so that no command has to ask after each handler whether its session is still there.
 */

#include "smtp/server-private.h"
#include "message/printable.h"

/* Most replies fit; the one to EHLO is the longest. */
#define OUTPUT_SIZED_BYTES 512

/* An idle session keeps no larger buffer: there may be thousands of them. A command line fits. */
#define INPUT_KEPT_BYTES 4096

static void
greet (SmtpServer *server)
{
    g_string_append_printf (server->output, "220 %s ESMTP Postern\r\n", server->parameters.host_name);
}

SmtpServer *
smtp_server_new (const SmtpServerParameters *parameters, const SmtpServerHandlers *handlers, gpointer user_data)
{
    SmtpServer *server = g_new0 (SmtpServer, 1);

    server->parameters = *parameters;
    server->parameters.host_name = g_strdup (parameters->host_name);
    server->handlers = handlers;
    server->user_data = user_data;
    server->input = g_string_new (NULL);
    server->output = g_string_sized_new (OUTPUT_SIZED_BYTES);
    server->lines.lenient = parameters->lenient;
    greet (server);

    return server;
}

void
smtp_server_free (SmtpServer *server)
{
    if (server == NULL)
        return;

    smtp_server_end_session (server);
    smtp_reply_free (server->verdict);
    smtp_reply_free (server->goodbye);
    g_string_free (server->input, TRUE);
    g_string_free (server->output, TRUE);
    g_free ((gchar *) server->parameters.host_name);
    g_free (server->helo);
    g_free (server);
}

void
smtp_server_accept (SmtpServer *server, const gchar *line)
{
    g_string_append (server->output, line);
    g_string_append (server->output, "\r\n");
}

/* The line that is to blame, as the log may show it: what is no command could be a password. */
static gchar *
describe_cause (const SmtpServer *server)
{
    if (server->command == NULL)
        return g_strdup (server->content.form == SMTP_CONTENT_DATA ? "DATA" : "BDAT");
    if (server->command->verb == SMTP_VERB_UNKNOWN)
        return g_strdup ("an unknown command");

    return message_printable (server->line, server->line_length, server->line_length, TRUE);
}

static void
tell (SmtpServer *server, const SmtpReply *reply)
{
    g_autofree gchar *cause = describe_cause (server);

    server->handlers->refused (reply, cause, server->user_data);
}

static gboolean
is_one_error_too_many (SmtpServer *server)
{
    server->errors++;

    return server->parameters.errors_most > 0 && server->errors > server->parameters.errors_most;
}

static void
write_reply (SmtpServer *server, const SmtpReply *reply)
{
    smtp_reply_write (reply, server->output);
    if (reply->code == 421)
        smtp_server_end_session (server);
}

void
smtp_server_refuse (SmtpServer *server, SmtpReply *reply, SmtpBlame blame)
{
    g_autoptr (SmtpReply) refusal = reply;

    if ((blame & SMTP_BLAME_CLIENT) != 0 && is_one_error_too_many (server)) {
        smtp_reply_free (refusal);
        refusal = smtp_reply_new (421, "4.7.0", "Too many errors");
        blame |= SMTP_BLAME_TOLD;
    }

    if ((blame & SMTP_BLAME_TOLD) != 0)
        tell (server, refusal);
    write_reply (server, refusal);
}

void
smtp_server_end_transaction (SmtpServer *server)
{
    gboolean begun = server->begun;

    server->begun = FALSE;
    server->recipients_refused = FALSE;
    server->recipients_told = FALSE;
    if (begun)
        server->handlers->abort (server->user_data);
    g_clear_pointer (&server->envelope, message_envelope_free);
}

void
smtp_server_end_session (SmtpServer *server)
{
    server->state = SMTP_SERVER_OVER;
    smtp_server_end_transaction (server);
}

void
smtp_server_refuse_content (SmtpServer *server, SmtpReply *reply, SmtpBlame blame)
{
    server->verdict = reply;
    server->verdict_blame = blame & ~SMTP_BLAME_TOLD;
    if ((blame & SMTP_BLAME_TOLD) != 0)
        tell (server, reply);
    smtp_server_end_transaction (server);
}

static void
give_verdict (SmtpServer *server)
{
    server->state = SMTP_SERVER_COMMAND;
    smtp_server_refuse (server, g_steal_pointer (&server->verdict), server->verdict_blame);
}

/* A session that was closed while its content came takes no message: a part of it may be missing. */
static void
commit (SmtpServer *server)
{
    if (server->goodbye != NULL)
        return;

    server->state = SMTP_SERVER_COMMITTING;
    server->handlers->end (server->user_data);
}

static gboolean
exceeds_size (const SmtpServer *server, guint64 more)
{
    guint64 longest = server->parameters.message_longest_bytes;

    return longest > 0 && more > longest - server->content_bytes;
}

static SmtpReply *
refuse_size (const SmtpServer *server)
{
    return smtp_reply_new (552, "5.3.4", "The message is larger than %" G_GUINT64_FORMAT " bytes",
                           server->parameters.message_longest_bytes);
}

/* An SmtpContentSink */
static void
take_content (const gchar *data, gsize length, gpointer user_data)
{
    SmtpServer *server = user_data;

    if (server->verdict != NULL || server->goodbye != NULL)
        return;

    if (exceeds_size (server, length)) {
        smtp_server_refuse_content (server, refuse_size (server), SMTP_BLAME_TOLD);
        return;
    }

    server->content_bytes += length;
    server->handlers->content (data, length, server->user_data);
}

/* From a stranger: they are what SMTP smuggling is made of. */
static void
check_for_bare (SmtpServer *server)
{
    if (!server->content.bare || server->content.normalise || server->verdict != NULL)
        return;

    smtp_server_refuse_content (server,
                                smtp_reply_new (550, "5.6.11", "The message has a CR without LF or a LF without CR"),
                                SMTP_BLAME_CLIENT | SMTP_BLAME_TOLD);
}

SmtpReply *
smtp_server_begin (SmtpServer *server, SmtpContentForm form)
{
    SmtpReply *refusal = server->handlers->begin (server->envelope, server->user_data);

    if (refusal != NULL)
        return refusal;

    smtp_content_init (&server->content, form, server->parameters.lenient);
    server->content_bytes = 0;
    server->begun = TRUE;

    return NULL;
}

void
smtp_server_expect_data (SmtpServer *server)
{
    server->state = SMTP_SERVER_DATA;
}

static gsize
step_data (SmtpServer *server, const gchar *data, gsize length)
{
    gsize taken = smtp_content_decode (&server->content, data, length, take_content, server);

    check_for_bare (server);
    if (!server->content.ended)
        return taken;
    server->turns++;

    if (server->verdict != NULL)
        give_verdict (server);
    else
        commit (server);

    return taken;
}

static void
end_chunk (SmtpServer *server)
{
    server->turns++;
    if (server->verdict == NULL && server->chunk_last) {
        smtp_content_finish (&server->content, take_content, server);
        check_for_bare (server);
    }

    if (server->verdict != NULL) {
        give_verdict (server);
    } else if (server->chunk_last) {
        commit (server);
    } else {
        server->state = SMTP_SERVER_COMMAND;
        g_string_append_printf (server->output, "250 2.0.0 %" G_GUINT64_FORMAT " bytes received\r\n",
                                server->chunk_bytes);
    }
}

void
smtp_server_expect_chunk (SmtpServer *server, guint64 bytes, gboolean last)
{
    server->content.form = SMTP_CONTENT_CHUNKS;
    if (server->verdict == NULL && exceeds_size (server, bytes))
        smtp_server_refuse_content (server, refuse_size (server), SMTP_BLAME_TOLD);

    server->chunk_bytes = bytes;
    server->chunk_left = bytes;
    server->chunk_last = last;
    server->state = SMTP_SERVER_CHUNK;
    if (bytes == 0)
        end_chunk (server);
}

static gsize
step_chunk (SmtpServer *server, const gchar *data, gsize length)
{
    gsize share = (gsize) MIN (length, server->chunk_left);

    if (server->verdict == NULL) {
        smtp_content_decode (&server->content, data, share, take_content, server);
        check_for_bare (server);
    }
    server->chunk_left -= share;
    if (server->chunk_left == 0)
        end_chunk (server);

    return share;
}

static void
execute_line (SmtpServer *server, const gchar *line, gsize length)
{
    SmtpCommand command = smtp_command_parse (line, length);

    server->command = &command;
    server->line = line;
    server->line_length = length;
    smtp_server_execute (server, &command);
    server->command = NULL;
}

static void
refuse_line (SmtpServer *server, const gchar *why)
{
    static const SmtpCommand none = {.verb = SMTP_VERB_UNKNOWN};

    server->command = &none;
    smtp_server_refuse (server, smtp_reply_new (500, "5.5.2", "%s", why), SMTP_BLAME_CLIENT);
    server->command = NULL;
}

static gsize
step_command (SmtpServer *server, const gchar *data, gsize length)
{
    const gchar *line;
    gsize line_length;
    gsize consumed;
    SmtpLineResult result = smtp_line_read (&server->lines, data, length, &consumed, &line, &line_length);

    server->turns += result != SMTP_LINE_MORE;
    switch (result) {
    case SMTP_LINE_MORE:
        break;
    case SMTP_LINE_COMPLETE:
        execute_line (server, line, line_length);
        break;
    case SMTP_LINE_TOO_LONG:
        refuse_line (server, "The line is too long");
        break;
    case SMTP_LINE_BARE:
        refuse_line (server, "A line ends with CR and LF, and has neither of them alone");
        break;
    case SMTP_LINE_NUL:
        refuse_line (server, "The line has a NUL");
        break;
    }

    return consumed;
}

/* Acts on the next piece of input. Returns how many bytes that took; 0 if nothing can be done now. */
static gsize
step (SmtpServer *server, const gchar *data, gsize length)
{
    switch (server->state) {
    case SMTP_SERVER_COMMAND:
        return step_command (server, data, length);
    case SMTP_SERVER_DATA:
        return step_data (server, data, length);
    case SMTP_SERVER_CHUNK:
        return step_chunk (server, data, length);
    case SMTP_SERVER_COMMITTING:
        return 0;
    case SMTP_SERVER_STARTING_TLS:
    case SMTP_SERVER_OVER:
        return length;
    }
    g_assert_not_reached ();
}

/* Carries out a smtp_server_close () that came at a bad time. */
static void
say_goodbye (SmtpServer *server)
{
    if (server->goodbye == NULL || server->state == SMTP_SERVER_COMMITTING || server->state == SMTP_SERVER_OVER)
        return;

    if (server->state != SMTP_SERVER_STARTING_TLS)
        smtp_reply_write (server->goodbye, server->output);
    smtp_server_end_session (server);
}

/* Acts on what can be acted on; returns how many bytes are done with. */
static gsize
run (SmtpServer *server, const gchar *data, gsize length)
{
    gsize position = 0;
    gsize taken;

    server->running = TRUE;
    do {
        taken = step (server, data + position, length - position);
        position += taken;
        say_goodbye (server);
    } while (taken > 0 && position < length);
    server->running = FALSE;

    return position;
}

static void
run_input (SmtpServer *server)
{
    gsize consumed = run (server, server->input->str, server->input->len);

    g_string_erase (server->input, 0, (gssize) consumed);
    if (server->input->len == 0 && server->input->allocated_len > INPUT_KEPT_BYTES) {
        g_string_free (server->input, TRUE);
        server->input = g_string_new (NULL);
    }
}

void
smtp_server_feed (SmtpServer *server, const gchar *data, gsize length)
{
    gsize consumed;

    g_return_if_fail (!server->running);

    if (length == 0)
        return;

    if (server->input->len > 0) {
        g_string_append_len (server->input, data, (gssize) length);
        run_input (server);
        return;
    }

    consumed = run (server, data, length);
    g_string_append_len (server->input, data + consumed, (gssize) (length - consumed));
}

void
smtp_server_finish (SmtpServer *server, const SmtpReply *reply)
{
    if (server->state == SMTP_SERVER_OVER)
        return;
    g_return_if_fail (server->state == SMTP_SERVER_COMMITTING);

    server->begun = FALSE; /* nothing is left to abort */
    server->state = SMTP_SERVER_COMMAND;
    smtp_server_end_transaction (server);
    write_reply (server, reply);
    if (server->running)
        return;

    say_goodbye (server);
    run_input (server);
}

void
smtp_server_secured (SmtpServer *server)
{
    g_return_if_fail (server->state == SMTP_SERVER_STARTING_TLS && !server->running);

    server->parameters.tls_active = TRUE;
    server->state = SMTP_SERVER_COMMAND;
}

void
smtp_server_close (SmtpServer *server, const SmtpReply *reply)
{
    if (server->state == SMTP_SERVER_OVER)
        return;

    smtp_reply_free (server->goodbye);
    server->goodbye = smtp_reply_copy (reply);
    if (!server->running)
        say_goodbye (server);
}

void
smtp_server_eof (SmtpServer *server)
{
    g_return_if_fail (!server->running);

    smtp_server_end_session (server);
}

gsize
smtp_server_take_output (SmtpServer *server, GString *out)
{
    gsize length = server->output->len;

    g_string_append_len (out, server->output->str, (gssize) length);
    g_string_truncate (server->output, 0);

    return length;
}

gboolean
smtp_server_is_busy (const SmtpServer *server)
{
    switch (server->state) {
    case SMTP_SERVER_COMMAND:
    case SMTP_SERVER_DATA:
    case SMTP_SERVER_CHUNK:
        return FALSE;
    case SMTP_SERVER_COMMITTING:
    case SMTP_SERVER_STARTING_TLS:
    case SMTP_SERVER_OVER:
        return TRUE;
    }
    g_assert_not_reached ();
}

guint64
smtp_server_turns (const SmtpServer *server)
{
    return server->turns;
}

gboolean
smtp_server_in_content (const SmtpServer *server)
{
    return server->state == SMTP_SERVER_DATA || server->state == SMTP_SERVER_CHUNK;
}

gboolean
smtp_server_is_over (const SmtpServer *server)
{
    return server->state == SMTP_SERVER_OVER;
}

const gchar *
smtp_server_helo (const SmtpServer *server)
{
    return server->helo;
}

const gchar *
smtp_server_protocol (const SmtpServer *server)
{
    gboolean tls = server->parameters.tls_active;

    if (server->envelope != NULL && server->envelope->smtputf8)
        return tls ? "UTF8SMTPS" : "UTF8SMTP";
    if (server->extended)
        return tls ? "ESMTPS" : "ESMTP";

    return "SMTP";
}

gboolean
smtp_server_in_transaction (const SmtpServer *server)
{
    return server->envelope != NULL;
}

gboolean
smtp_server_awaits_dot (const SmtpServer *server)
{
    return server->state == SMTP_SERVER_DATA;
}

const MessageEnvelope *
smtp_server_envelope (const SmtpServer *server)
{
    return server->envelope;
}
