/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * A session with the SMTP server, for tests
 *
 * It also holds the server to what every session must keep, and so serves the fuzzer: handlers are called in order,
 * content has only CRLF line ends, a finish is owed exactly where end was called, replies are replies.
 */

#include "dialogue.h"

#include <string.h>

static SmtpReply *
refuse_by_name (const gchar *address, const gchar *prefix)
{
    if (g_str_has_prefix (address, prefix))
        return smtp_reply_new (550, "5.1.1", "Refused");
    if (g_str_has_prefix (address, "stop"))
        return smtp_reply_new (421, "4.3.2", "Stopping");

    return NULL;
}

static SmtpReply *
on_mail (MessageEnvelope *envelope, guint64 declared_bytes, gpointer user_data)
{
    Dialogue *dialogue = user_data;

    g_assert_false (dialogue->begun);
    g_string_append_printf (dialogue->events, "(mail <%s>", envelope->sender);
    if (declared_bytes > 0)
        g_string_append_printf (dialogue->events, " %" G_GUINT64_FORMAT, declared_bytes);
    if (envelope->body == MESSAGE_BODY_8BITMIME)
        g_string_append (dialogue->events, " 8bit");
    if (envelope->smtputf8)
        g_string_append (dialogue->events, " utf8");
    if (envelope->ret != MESSAGE_RETURN_UNSET)
        g_string_append (dialogue->events, envelope->ret == MESSAGE_RETURN_FULL ? " full" : " headers");
    if (envelope->envid != NULL)
        g_string_append_printf (dialogue->events, " envid=%s", envelope->envid);
    g_string_append_c (dialogue->events, ')');

    return refuse_by_name (envelope->sender, "refused");
}

static SmtpReply *
on_recipient (MessageRecipient *recipient, gpointer user_data)
{
    Dialogue *dialogue = user_data;

    g_assert_false (dialogue->begun);
    g_string_append_printf (dialogue->events, "(rcpt <%s>", recipient->address);
    if (recipient->notify != 0)
        g_string_append_printf (dialogue->events, " notify=%u", recipient->notify);
    if (recipient->orcpt != NULL)
        g_string_append_printf (dialogue->events, " orcpt=%s", recipient->orcpt);
    g_string_append_c (dialogue->events, ')');

    return refuse_by_name (recipient->address, "refused");
}

static SmtpReply *
on_begin (const MessageEnvelope *envelope, gpointer user_data)
{
    Dialogue *dialogue = user_data;
    SmtpReply *refusal = refuse_by_name (envelope->sender, "full");

    g_assert_false (dialogue->begun);
    g_assert_cmpuint (envelope->recipients->len, >, 0);
    g_assert_true (envelope == smtp_server_envelope (dialogue->server));
    g_string_append (dialogue->events, refusal == NULL ? "begin " : "full ");
    g_string_truncate (dialogue->content, 0);
    dialogue->begun = refusal == NULL;

    return refusal;
}

static void
on_content (const gchar *data, gsize length, gpointer user_data)
{
    Dialogue *dialogue = user_data;

    g_assert_true (dialogue->begun);
    g_assert_false (dialogue->ending);
    g_assert_cmpuint (length, >, 0);
    g_string_append_len (dialogue->content, data, (gssize) length);
    if (dialogue->close_in_content != NULL)
        smtp_server_close (dialogue->server, dialogue->close_in_content);
}

static void
assert_canonical (const GString *content)
{
    gchar before = '\n';

    for (gsize i = 0; i < content->len; i++) {
        g_assert_true ((content->str[i] == '\n') == (before == '\r'));
        before = content->str[i];
    }
    g_assert_cmpint (before, ==, '\n');
}

static void
on_end (gpointer user_data)
{
    Dialogue *dialogue = user_data;

    g_assert_true (dialogue->begun);
    g_assert_false (dialogue->ending);
    assert_canonical (dialogue->content);
    g_string_append_c (dialogue->events, '[');
    g_string_append_len (dialogue->events, dialogue->content->str, (gssize) dialogue->content->len);
    g_string_append (dialogue->events, "] ");
    dialogue->messages++;
    dialogue->ending = TRUE;
    if (dialogue->finish == DIALOGUE_FINISH_AT_ONCE)
        dialogue_finish (dialogue);
}

static void
on_abort (gpointer user_data)
{
    Dialogue *dialogue = user_data;

    g_assert_true (dialogue->begun);
    g_string_append (dialogue->events, "abort ");
    dialogue->begun = FALSE;
    dialogue->ending = FALSE;
}

static void
on_start_tls (gpointer user_data)
{
    Dialogue *dialogue = user_data;

    g_assert_false (dialogue->begun);
    g_string_append (dialogue->events, "tls ");
}

static void
on_refused (const SmtpReply *reply, const gchar *what, gpointer user_data)
{
    Dialogue *dialogue = user_data;

    g_string_append_printf (dialogue->events, "{%u/%s %s}", reply->code, reply->status, what);
}

static const SmtpServerHandlers handlers = {
    .mail = on_mail,
    .recipient = on_recipient,
    .begin = on_begin,
    .content = on_content,
    .end = on_end,
    .abort = on_abort,
    .start_tls = on_start_tls,
    .refused = on_refused,
};

Dialogue *
dialogue_new_with_limits (DialogueKind kind, DialogueFinish finish, guint64 message_longest_bytes,
                          guint recipients_most, guint errors_most)
{
    SmtpServerParameters parameters = {
        .host_name = "relay.example.org",
        .trusted = kind != DIALOGUE_STRANGER,
        .lenient = kind != DIALOGUE_STRANGER && kind != DIALOGUE_STRICT,
        .tls_offered = kind == DIALOGUE_TLS,
        .message_longest_bytes = message_longest_bytes,
        .recipients_most = recipients_most,
        .errors_most = errors_most,
    };
    Dialogue *dialogue = g_new0 (Dialogue, 1);

    dialogue->finish = finish;
    dialogue->replies = g_string_new (NULL);
    dialogue->output = g_string_new (NULL);
    dialogue->events = g_string_new (NULL);
    dialogue->content = g_string_new (NULL);
    dialogue->server = smtp_server_new (&parameters, &handlers, dialogue);

    return dialogue;
}

Dialogue *
dialogue_new (DialogueKind kind, DialogueFinish finish)
{
    return dialogue_new_with_limits (kind, finish, DIALOGUE_MESSAGE_LONGEST_BYTES, DIALOGUE_RECIPIENTS_MOST,
                                     DIALOGUE_ERRORS_MOST);
}

void
dialogue_free (Dialogue *dialogue)
{
    smtp_server_free (dialogue->server);
    g_assert_false (dialogue->begun);
    g_string_free (dialogue->replies, TRUE);
    g_string_free (dialogue->output, TRUE);
    g_string_free (dialogue->events, TRUE);
    g_string_free (dialogue->content, TRUE);
    g_free (dialogue);
}

void
dialogue_finish (Dialogue *dialogue)
{
    const MessageEnvelope *envelope = smtp_server_envelope (dialogue->server);
    g_autoptr (SmtpReply) reply = refuse_by_name (envelope->sender, "lost");

    g_assert_true (dialogue->ending);
    g_assert_true (smtp_server_is_busy (dialogue->server));
    if (reply == NULL)
        reply = smtp_reply_new (250, "2.6.0", "Kept");
    dialogue->begun = FALSE;
    dialogue->ending = FALSE;
    smtp_server_finish (dialogue->server, reply);
}

static void
assert_reply_line (const gchar *line)
{
    g_assert_cmpuint (strlen (line), <=, SMTP_REPLY_LINE_LONGEST_BYTES - 2);
    g_assert_cmpuint (strlen (line), >=, 3);
    g_assert_true (g_ascii_isdigit (line[0]) && g_ascii_isdigit (line[1]) && g_ascii_isdigit (line[2]));
    g_assert_true (line[3] == ' ' || line[3] == '-' || line[3] == '\0');
    for (const gchar *c = line; *c != '\0'; c++)
        g_assert_true (*c >= ' ' && *c <= '~');
}

/* Notes the code of each reply that was written in full. */
static void
note_replies (Dialogue *dialogue, gsize start)
{
    g_auto (GStrv) lines = g_strsplit (dialogue->output->str + start, "\r\n", -1);

    for (guint i = 0; lines[i] != NULL && *lines[i] != '\0'; i++) {
        const gchar *line = lines[i];
        gsize status = strlen (line) > 4 ? strcspn (line + 4, " ") : 0;

        assert_reply_line (line);
        if (line[3] == '-')
            continue;
        g_string_append_printf (dialogue->replies, "%s%.3s", dialogue->replies->len > 0 ? " " : "", line);
        if (g_ascii_isdigit (line[4]) && line[5] == '.')
            g_string_append_printf (dialogue->replies, "/%.*s", (gint) status, line + 4);
    }
}

static void
take_output (Dialogue *dialogue)
{
    gsize start = dialogue->output->len;

    g_assert_cmpuint (smtp_server_take_output (dialogue->server, dialogue->output), ==,
                      dialogue->output->len - start);
    note_replies (dialogue, start);
}

void
dialogue_feed (Dialogue *dialogue, const gchar *data, gsize length)
{
    g_autofree gchar *copy = g_memdup2 (data, length); /* so that the sanitizer sees a byte too far */

    smtp_server_feed (dialogue->server, copy, length);
    while (dialogue->ending && dialogue->finish == DIALOGUE_FINISH_LATER)
        dialogue_finish (dialogue);
    take_output (dialogue);
}

void
dialogue_say (Dialogue *dialogue, const gchar *text)
{
    dialogue_feed (dialogue, text, strlen (text));
}

void
dialogue_assert_replies (Dialogue *dialogue, const gchar *expected)
{
    take_output (dialogue);
    g_assert_cmpstr (dialogue->replies->str, ==, expected);
}

void
dialogue_assert_events (const Dialogue *dialogue, const gchar *expected)
{
    g_assert_cmpstr (dialogue->events->str, ==, expected);
}
