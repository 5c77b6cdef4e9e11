/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Scripted sessions of the client
 *
 * The order of what is sent and what is told depends a little on how the server's bytes are cut, because what is to be
 * told waits for the end of a call. So with cuts, what was sent and what was told are compared each by itself.
 */

#include "talk.h"

#include <string.h>

static const gchar *const failure_names[] = {"reply", "name", "tls", "auth", "protocol", "closed"};

static void G_GNUC_PRINTF (2, 3) talk_log (Talk *talk, const gchar *format, ...)
{
    va_list arguments;

    va_start (arguments, format);
    g_string_append_vprintf (talk->log, format, arguments);
    va_end (arguments);
    g_string_append_c (talk->log, '\n');
}

static void
talk_tell (Talk *talk, const gchar *event)
{
    talk_log (talk, "E: %s", event);
    g_assert_cmpuint (talk->failed, ==, 0);
    if (g_strcmp0 (talk->free_at, event) == 0)
        g_clear_pointer (&talk->client, smtp_client_free);
}

static void
on_send (GBytes *bytes, gpointer user_data)
{
    Talk *talk = user_data;
    gsize length;
    const gchar *data = g_bytes_get_data (bytes, &length);

    g_assert_cmpuint (length, >, 0);
    g_assert_cmpuint (talk->failed, ==, 0);
    g_string_append_len (talk->sent, data, (gssize) length);
    for (gsize i = 0; i < length; i++) {
        if (talk->log->len == 0 || talk->log->str[talk->log->len - 1] == '\n')
            g_string_append (talk->log, "C: ");
        if (data[i] != '\r')
            g_string_append_c (talk->log, data[i]);
    }
}

static void
on_start_tls (gpointer user_data)
{
    Talk *talk = user_data;

    talk->start_tls = TRUE;
    talk_tell (talk, "start_tls");
}

void
talk_act_if_owed (Talk *talk)
{
    gboolean at_once = talk->setup->parameters.security == SMTP_SECURITY_IMPLICIT && talk->log->len == 0;

    if (talk->failed == 0 && (talk->start_tls || (at_once && !talk->secured))) {
        talk->start_tls = FALSE;
        talk->secured = TRUE;
        smtp_client_secured (talk->client);
    }
}

static guint64
content_size (const TalkSetup *setup)
{
    guint64 size = setup->size;

    for (guint i = 0; size == 0 && setup->pieces && setup->pieces[i]; i++)
        size += strlen (setup->pieces[i]);

    return size;
}

static void
talk_begin (Talk *talk)
{
    guint n_recipients = talk->setup->envelope->recipients->len;
    g_autofree guint *recipients = g_new (guint, n_recipients);
    const SmtpTransaction transaction = {.envelope = talk->setup->envelope,
                                         .recipients = recipients,
                                         .n_recipients = n_recipients,
                                         .size = content_size (talk->setup),
                                         .asks_utf8 = talk->setup->asks_utf8,
                                         .is_7bit = talk->setup->is_7bit};

    for (guint i = 0; i < n_recipients; i++)
        recipients[i] = i;
    talk->begun++;
    talk->next_piece = 0;
    talk->wanted = FALSE;
    talk->told = 0;
    talk->n_results = 0;
    smtp_client_begin (talk->client, &transaction);
}

static void
on_ready (gpointer user_data)
{
    Talk *talk = user_data;

    talk_tell (talk, "ready");
    if (talk->client)
        g_assert_cmpint (smtp_client_wait (talk->client), ==, SMTP_CLIENT_WAIT_NONE);
    if (talk->client && !talk->setup->by_hand && talk->setup->envelope &&
        talk->begun < MAX (1, talk->setup->messages))
        talk_begin (talk);
}

static void
talk_give (Talk *talk, const gchar *text, gboolean last)
{
    g_autoptr (GBytes) piece = g_bytes_new (text, strlen (text));

    talk->wanted = FALSE;
    smtp_client_content (talk->client, piece, last);
}

static void
on_want_content (gpointer user_data)
{
    Talk *talk = user_data;
    const gchar *const *pieces = talk->setup->pieces;

    g_assert_false (talk->wanted);
    talk->wanted = TRUE;
    talk_tell (talk, "want");
    if (talk->client && pieces) {
        const gchar *piece = pieces[talk->next_piece];

        g_assert_nonnull (piece);
        talk_give (talk, piece, pieces[++talk->next_piece] == NULL);
    }
}

static void
on_result (guint recipient, const SmtpReply *reply, gpointer user_data)
{
    Talk *talk = user_data;
    g_autofree gchar *line = smtp_reply_line (reply);
    g_autofree gchar *event = reply->is_ours
                                  ? g_strdup_printf ("result %u ours %s: %s", recipient, reply->status, line)
                                  : g_strdup_printf ("result %u %s", recipient, line);

    if (recipient < 64) {
        g_assert_cmpuint (talk->told & (G_GUINT64_CONSTANT (1) << recipient), ==, 0);
        talk->told |= G_GUINT64_CONSTANT (1) << recipient;
    }
    talk->n_results++;
    talk_tell (talk, event);
}

static void
on_done (gpointer user_data)
{
    Talk *talk = user_data;
    guint n_recipients = talk->setup->envelope->recipients->len;
    g_autofree gchar *event = g_strdup_printf ("done but for %u", n_recipients - talk->n_results);

    g_assert_cmpuint (talk->n_results, >, 0);
    g_assert_cmpuint (talk->n_results, <=, n_recipients);
    talk_tell (talk, talk->n_results == n_recipients ? "done" : event);
}

static void
on_trace (gboolean sent, const gchar *line, gpointer user_data)
{
    Talk *talk = user_data;

    g_assert_null (strpbrk (line, "\r\n"));
    g_string_append_printf (talk->trace, "%s: %s\n", sent ? "C" : "S", line);
}

static void
on_failed (SmtpClientFailure failure, const gchar *reason, const SmtpReply *reply, gpointer user_data)
{
    Talk *talk = user_data;
    g_autofree gchar *line = reply ? smtp_reply_line (reply) : NULL;
    g_autofree gchar *event = g_strdup_printf ("failed %s: %s%s%s%s", failure_names[failure], reason,
                                               line ? " (" : "", line ? line : "", line ? ")" : "");

    talk_tell (talk, event);
    talk->failed++;
}

static const SmtpClientHandlers handlers = {.send = on_send,
                                            .start_tls = on_start_tls,
                                            .ready = on_ready,
                                            .want_content = on_want_content,
                                            .result = on_result,
                                            .done = on_done,
                                            .trace = on_trace,
                                            .failed = on_failed};

Talk *
talk_new (const TalkSetup *setup)
{
    Talk *talk = g_new0 (Talk, 1);
    SmtpClientParameters parameters = setup->parameters;

    if (!parameters.host_name)
        parameters.host_name = "relay.example";
    talk->setup = setup;
    talk->log = g_string_new (NULL);
    talk->sent = g_string_new (NULL);
    talk->trace = g_string_new (NULL);
    talk->client = smtp_client_new (&parameters, &handlers, talk);

    return talk;
}

void
talk_free (Talk *talk)
{
    smtp_client_free (talk->client);
    g_string_free (talk->log, TRUE);
    g_string_free (talk->sent, TRUE);
    g_string_free (talk->trace, TRUE);
    g_free (talk);
}

void
talk_feed (Talk *talk, const gchar *data, gsize length)
{
    g_autofree gchar *copy = g_memdup2 (data, length);

    if (talk->client)
        smtp_client_feed (talk->client, copy, length);
}

static void
talk_act (Talk *talk, const gchar *action)
{
    g_autofree gchar *content = NULL;
    const gchar *space = strchr (action, ' ');

    talk_log (talk, "A: %s", action);
    if (g_str_has_prefix (action, "content ") || g_str_has_prefix (action, "last")) {
        g_auto (GStrv) lines = g_strsplit (space ? space + 1 : "", "\\n", -1);

        content = g_strjoinv ("\r\n", lines);
        talk_give (talk, content, g_str_has_prefix (action, "last"));
    } else if (strcmp (action, "secured") == 0) {
        smtp_client_secured (talk->client);
    } else if (strcmp (action, "quit") == 0) {
        smtp_client_quit (talk->client);
    } else if (strcmp (action, "reset") == 0) {
        smtp_client_reset (talk->client);
    } else if (g_str_has_prefix (action, "probe ")) {
        smtp_client_probe (talk->client, space + 1);
    } else if (strcmp (action, "abandon") == 0) {
        smtp_client_abandon (talk->client);
    } else if (strcmp (action, "eof") == 0) {
        smtp_client_eof (talk->client, "the connection ended");
    } else if (strcmp (action, "begin") == 0) {
        talk_begin (talk);
    } else {
        g_error ("no such action: %s", action);
    }
}

/* What the server says, in pieces: @split bytes of the whole session, then the rest; or of one byte each. */
typedef struct {
    gsize split; /* G_MAXSIZE: none */
    gboolean bytewise;
    gsize position;
} Cut;

static void
feed_cut (Talk *talk, Cut *cut, const gchar *data, gsize length)
{
    gsize first = length;

    if (cut->split > cut->position && cut->split < cut->position + length)
        first = cut->split - cut->position;
    cut->position += length;

    for (gsize i = 0; cut->bytewise && i < length; i++)
        talk_feed (talk, data + i, 1);
    if (cut->bytewise)
        return;

    talk_feed (talk, data, first);
    if (first < length)
        talk_feed (talk, data + first, length - first);
}

static Talk *
play (const TalkSetup *setup, const gchar *script, Cut *cut)
{
    Talk *talk = talk_new (setup);
    g_auto (GStrv) lines = g_strsplit (script, "\n", -1);
    g_autoptr (GString) server = g_string_new (NULL);

    for (guint i = 0; lines[i]; i++) {
        gboolean says = g_str_has_prefix (lines[i], "S: ");

        if (!says && server->len > 0) {
            feed_cut (talk, cut, server->str, server->len);
            g_string_truncate (server, 0);
        }
        if (says) {
            talk_log (talk, "%s", lines[i]);
            g_string_append_printf (server, "%s\r\n", lines[i] + strlen ("S: "));
        } else if (g_str_has_prefix (lines[i], "A: ")) {
            talk_act (talk, lines[i] + strlen ("A: "));
        }
    }

    return talk;
}

/* The lines of @log that start with @mark. */
static gchar *
lines_of (const gchar *log, const gchar *mark)
{
    g_auto (GStrv) lines = g_strsplit (log, "\n", -1);
    GString *found = g_string_new (NULL);

    for (guint i = 0; lines[i]; i++) {
        if (g_str_has_prefix (lines[i], mark))
            g_string_append_printf (found, "%s\n", lines[i]);
    }

    return g_string_free (found, FALSE);
}

static void
assert_same_lines (const gchar *log, const gchar *script, const gchar *mark)
{
    g_autofree gchar *actual = lines_of (log, mark);
    g_autofree gchar *expected = lines_of (script, mark);

    g_assert_cmpstr (actual, ==, expected);
}

static void
play_with_cut (const TalkSetup *setup, const gchar *script, Cut cut)
{
    g_autoptr (Talk) talk = play (setup, script, &cut);

    assert_same_lines (talk->log->str, script, "C: ");
    assert_same_lines (talk->log->str, script, "E: ");
}

void
talk_play (const TalkSetup *setup, const gchar *script)
{
    Cut whole = {.split = G_MAXSIZE};
    g_autoptr (Talk) talk = play (setup, script, &whole);

    g_assert_cmpstr (talk->log->str, ==, script);
    for (gsize split = 1; split < whole.position; split++)
        play_with_cut (setup, script, (Cut){.split = split});
    play_with_cut (setup, script, (Cut){.bytewise = TRUE});
}
