/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * What the SMTP server does beyond question and answer: what it announces, limits that need much input, answers that
 * come late, TLS, and the ends that a session can have.
 */

#include "dialogue.h"
#include "smtp/line.h"

#include <string.h>

#define EHLO "EHLO client.example.org\r\n"
#define OPEN EHLO "MAIL FROM:<a@x.org>\r\nRCPT TO:<b@y.org>\r\n"

#define OPENED   "220 250 250/2.1.0 250/2.1.5"
#define ENVELOPE "(mail <a@x.org>)(rcpt <b@y.org>)"

static void
say_many (Dialogue *dialogue, const gchar *text, guint count)
{
    for (guint i = 0; i < count; i++)
        dialogue_say (dialogue, text);
}

static void
test_greeting_and_ehlo (void)
{
    g_autoptr (Dialogue) dialogue = dialogue_new (DIALOGUE_TRUSTED, DIALOGUE_FINISH_AT_ONCE);

    dialogue_say (dialogue, EHLO);
    g_assert_cmpstr (dialogue->output->str, ==,
                     "220 relay.example.org ESMTP Postern\r\n"
                     "250-relay.example.org\r\n"
                     "250-PIPELINING\r\n"
                     "250-SIZE 1000\r\n"
                     "250-8BITMIME\r\n"
                     "250-SMTPUTF8\r\n"
                     "250-ENHANCEDSTATUSCODES\r\n"
                     "250-CHUNKING\r\n"
                     "250 DSN\r\n");
}

static void
test_helo_announces_nothing (void)
{
    g_autoptr (Dialogue) dialogue = dialogue_new (DIALOGUE_TLS, DIALOGUE_FINISH_AT_ONCE);

    dialogue_say (dialogue, "HELO c\r\n");
    g_assert_cmpstr (dialogue->output->str, ==, "220 relay.example.org ESMTP Postern\r\n250 relay.example.org\r\n");
}

static void
test_relay_refusal_says_what_to_do (void)
{
    g_autoptr (Dialogue) dialogue = dialogue_new (DIALOGUE_STRANGER, DIALOGUE_FINISH_AT_ONCE);

    dialogue_say (dialogue, OPEN);
    g_assert_nonnull (strstr (dialogue->output->str, "550 5.7.1 Relaying is for this machine and trusted networks"));
}

static void
test_address_error_quotes_the_address (void)
{
    g_autoptr (Dialogue) dialogue = dialogue_new (DIALOGUE_TRUSTED, DIALOGUE_FINISH_AT_ONCE);

    dialogue_say (dialogue, EHLO "MAIL FROM:<a..b@x.org> SIZE=1\r\n");
    g_assert_nonnull (strstr (dialogue->output->str, "501 5.1.7 \"<a..b@x.org>\" is not an address"));
}

static void
test_names_of_the_protocol (void)
{
    static const struct {
        DialogueKind kind;
        gboolean secure;
        const gchar *hello;
        const gchar *parameter;
        const gchar *expected;
    } cases[] = {
        {DIALOGUE_TRUSTED, FALSE, "HELO c\r\n", "", "SMTP"},
        {DIALOGUE_TRUSTED, FALSE, "EHLO c\r\n", "", "ESMTP"},
        {DIALOGUE_TRUSTED, FALSE, "EHLO c\r\nHELO c\r\n", "", "SMTP"},
        {DIALOGUE_TRUSTED, FALSE, "EHLO c\r\n", " SMTPUTF8", "UTF8SMTP"},
        {DIALOGUE_TLS, TRUE, "EHLO c\r\n", "", "ESMTPS"},
        {DIALOGUE_TLS, TRUE, "EHLO c\r\n", " SMTPUTF8", "UTF8SMTPS"},
    };

    for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
        g_autoptr (Dialogue) dialogue = dialogue_new (cases[i].kind, DIALOGUE_FINISH_AT_ONCE);
        g_autofree gchar *mail = g_strdup_printf ("MAIL FROM:<a@x.org>%s\r\n", cases[i].parameter);

        if (cases[i].secure) {
            dialogue_say (dialogue, EHLO "STARTTLS\r\n");
            smtp_server_secured (dialogue->server);
        }
        dialogue_say (dialogue, cases[i].hello);
        dialogue_say (dialogue, mail);
        g_assert_true (smtp_server_in_transaction (dialogue->server));
        g_assert_cmpstr (smtp_server_protocol (dialogue->server), ==, cases[i].expected);
    }
}

static void
test_client_name_is_one_printable_word (void)
{
    g_autoptr (Dialogue) dialogue = dialogue_new (DIALOGUE_TRUSTED, DIALOGUE_FINISH_AT_ONCE);
    g_autofree gchar *longest = g_strnfill (255, 'n');
    g_autofree gchar *ehlo = g_strdup_printf ("EHLO %s\r\n", longest);
    g_autofree gchar *too_long = g_strdup_printf ("EHLO %sn\r\n", longest);

    g_assert_null (smtp_server_helo (dialogue->server));
    dialogue_say (dialogue, "EHLO mail\x1b[2J.example.org (a comment)\r\n");
    g_assert_cmpstr (smtp_server_helo (dialogue->server), ==, "mail\\x1B[2J.example.org");
    dialogue_say (dialogue, ehlo);
    g_assert_cmpstr (smtp_server_helo (dialogue->server), ==, longest);
    dialogue_say (dialogue, too_long);
    g_assert_cmpstr (smtp_server_helo (dialogue->server), ==, longest);
    dialogue_assert_replies (dialogue, "220 250 250 501/5.5.4");
}

static void
test_nul_in_a_command_is_refused (void)
{
    static const gchar input[] = "NOOP\0\r\nNOOP\r\n";
    g_autoptr (Dialogue) dialogue = dialogue_new (DIALOGUE_LOCAL, DIALOGUE_FINISH_AT_ONCE);

    dialogue_feed (dialogue, input, sizeof input - 1);
    dialogue_assert_replies (dialogue, "220 500/5.5.2 250/2.0.0");
}

static void
test_long_line_is_refused_once_and_skipped (void)
{
    g_autofree gchar *filler = g_strnfill (SMTP_LINE_LONGEST_BYTES * 5, 'x');
    g_autofree gchar *line = g_strdup_printf ("NOOP %s\nQUIT\r\nNOOP\r\n", filler);

    for (gsize step = 1; step < SMTP_LINE_LONGEST_BYTES * 6; step = step * 3 + 1) {
        g_autoptr (Dialogue) dialogue = dialogue_new (DIALOGUE_STRICT, DIALOGUE_FINISH_AT_ONCE);

        for (gsize position = 0; position < strlen (line); position += step)
            dialogue_feed (dialogue, line + position, MIN (step, strlen (line) - position));
        dialogue_assert_replies (dialogue, "220 500/5.5.2 250/2.0.0");
    }
}

static void
test_path_with_all_parameters_fits_a_line (void)
{
    g_autoptr (Dialogue) dialogue = dialogue_new (DIALOGUE_TRUSTED, DIALOGUE_FINISH_AT_ONCE);
    g_autofree gchar *local = g_strnfill (64, 'l');
    g_autofree gchar *domain = g_strnfill (60, 'd');
    g_autofree gchar *original = g_strnfill (493, 'o');
    g_autofree gchar *rcpt =
        g_strdup_printf ("RCPT TO:<%s@%s.%s.%s> NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;%s\r\n", local, domain,
                         domain, domain, original);

    dialogue_say (dialogue, EHLO "MAIL FROM:<a@x.org>\r\n");
    dialogue_say (dialogue, rcpt);
    dialogue_assert_replies (dialogue, OPENED);
}

static void
test_parameters_have_limits (void)
{
    g_autoptr (Dialogue) dialogue = dialogue_new (DIALOGUE_TRUSTED, DIALOGUE_FINISH_AT_ONCE);
    g_autofree gchar *hundred = g_strnfill (100, 'e');
    g_autofree gchar *original = g_strnfill (493, 'o');
    g_autofree gchar *long_mail = g_strdup_printf ("MAIL FROM:<a@x.org> ENVID=%se\r\n", hundred);
    g_autofree gchar *mail = g_strdup_printf ("MAIL FROM:<a@x.org> ENVID=%s\r\n", hundred);
    g_autofree gchar *long_rcpt = g_strdup_printf ("RCPT TO:<b@y.org> ORCPT=rfc822;%so\r\n", original);
    g_autofree gchar *rcpt = g_strdup_printf ("RCPT TO:<b@y.org> ORCPT=rfc822;%s\r\n", original);

    dialogue_say (dialogue, EHLO);
    dialogue_say (dialogue, long_mail);
    dialogue_say (dialogue, mail);
    dialogue_say (dialogue, long_rcpt);
    dialogue_say (dialogue, rcpt);
    dialogue_assert_replies (dialogue, "220 250 501/5.5.4 250/2.1.0 501/5.5.4 250/2.1.5");
}

/* Sends a message of @size bytes as DATA, or cut into chunks; the line ends count. */
static void
send_message (Dialogue *dialogue, guint size, gboolean chunks)
{
    g_autofree gchar *line = g_strnfill (size - 2, 'x');
    g_autofree gchar *data = g_strdup_printf ("DATA\r\n%s\r\n.\r\n", line);
    g_autofree gchar *bdat =
        g_strdup_printf ("BDAT 500\r\n%.500sBDAT %u LAST\r\n%s\r\n", line, size - 500, line + 500);

    dialogue_say (dialogue, chunks ? bdat : data);
}

static void
test_message_of_the_longest_size_is_taken (void)
{
    for (guint chunks = 0; chunks < 2; chunks++) {
        g_autoptr (Dialogue) dialogue = dialogue_new (DIALOGUE_TRUSTED, DIALOGUE_FINISH_AT_ONCE);

        dialogue_say (dialogue, OPEN);
        send_message (dialogue, DIALOGUE_MESSAGE_LONGEST_BYTES, chunks == 1);
        dialogue_assert_replies (dialogue, chunks == 1 ? OPENED " 250/2.0.0 250/2.6.0" : OPENED " 354 250/2.6.0");
        g_assert_cmpuint (dialogue->content->len, ==, DIALOGUE_MESSAGE_LONGEST_BYTES);
    }
}

static void
test_message_over_the_longest_size_is_read_and_refused (void)
{
    for (guint chunks = 0; chunks < 2; chunks++) {
        g_autoptr (Dialogue) dialogue = dialogue_new (DIALOGUE_TRUSTED, DIALOGUE_FINISH_AT_ONCE);

        dialogue_say (dialogue, OPEN);
        send_message (dialogue, DIALOGUE_MESSAGE_LONGEST_BYTES + 1, chunks == 1);
        dialogue_say (dialogue, "NOOP\r\n");
        dialogue_assert_replies (dialogue, chunks == 1 ? OPENED " 250/2.0.0 552/5.3.4 250/2.0.0"
                                                       : OPENED " 354 552/5.3.4 250/2.0.0");
        dialogue_assert_events (dialogue, chunks == 1 ? ENVELOPE "begin {552/5.3.4 BDAT 501 LAST}abort "
                                                      : ENVELOPE "begin {552/5.3.4 DATA}abort ");
    }
}

static void
test_stuffed_dots_do_not_count_as_size (void)
{
    g_autoptr (Dialogue) dialogue = dialogue_new (DIALOGUE_TRUSTED, DIALOGUE_FINISH_AT_ONCE);

    dialogue_say (dialogue, OPEN "DATA\r\n");
    say_many (dialogue, "..3456789\r\n", DIALOGUE_MESSAGE_LONGEST_BYTES / 10);
    dialogue_say (dialogue, ".\r\n");
    dialogue_assert_replies (dialogue, OPENED " 354 250/2.6.0");
    g_assert_cmpuint (dialogue->content->len, ==, DIALOGUE_MESSAGE_LONGEST_BYTES);
}

static void
test_rest_of_a_large_message_is_not_kept (void)
{
    g_autoptr (Dialogue) dialogue = dialogue_new (DIALOGUE_TRUSTED, DIALOGUE_FINISH_AT_ONCE);

    dialogue_say (dialogue, OPEN "DATA\r\n");
    say_many (dialogue, "0123456789abcdef\r\n", 100000);
    g_assert_cmpuint (dialogue->content->len, <=, DIALOGUE_MESSAGE_LONGEST_BYTES);
    dialogue_say (dialogue, ".\r\n");
    dialogue_assert_replies (dialogue, OPENED " 354 552/5.3.4");
}

/* Ends of lines that are none, and the one that is. */
static const gchar *const line_ends[] = {"\r\n", "\n",   "\r",    "\r\r\n", "\n\r",
                                         "\n\n", "\r\r", "\r \n", "\v",     "\xc2\x85"};

static gboolean
has_bare (const gchar *text)
{
    g_auto (GStrv) pieces = g_strsplit (text, "\r\n", -1);
    g_autofree gchar *rest = g_strjoinv ("", pieces);

    return strpbrk (rest, "\r\n") != NULL;
}

/* Sends a message with another one hidden behind @end, which is none. */
static void
assert_nothing_hides_behind (DialogueKind kind, const gchar *end)
{
    static const gchar hidden[] = "MAIL FROM:<hidden@x.org>\r\nRCPT TO:<b@y.org>\r\nDATA\r\nhidden\r\n.\r\nNOOP\r\n";
    g_autoptr (Dialogue) dialogue = dialogue_new (kind, DIALOGUE_FINISH_AT_ONCE);
    g_autofree gchar *input = g_strconcat (OPEN "DATA\r\nx", end, hidden, NULL);

    dialogue_say (dialogue, input);
    g_assert_null (strstr (dialogue->events->str, "(mail <hidden@x.org>"));
    if (kind == DIALOGUE_STRICT && has_bare (end)) {
        dialogue_assert_replies (dialogue, OPENED " 354 550/5.6.11 250/2.0.0");
    } else {
        dialogue_assert_replies (dialogue, OPENED " 354 250/2.6.0 250/2.0.0");
        g_assert_nonnull (strstr (dialogue->events->str, "MAIL FROM:<hidden@x.org>\r\n"));
    }
}

static void
test_nothing_hides_in_a_message (void)
{
    static const DialogueKind doors[] = {DIALOGUE_LOCAL, DIALOGUE_TRUSTED, DIALOGUE_TLS, DIALOGUE_STRICT};

    for (guint i = 0; i < G_N_ELEMENTS (line_ends); i++)
        for (guint j = 0; j < G_N_ELEMENTS (line_ends); j++)
            for (guint door = 0; door < G_N_ELEMENTS (doors); door++) {
                g_autofree gchar *end = g_strconcat (line_ends[i], ".", line_ends[j], NULL);

                if (strstr (end, "\r\n.\r\n") == NULL)
                    assert_nothing_hides_behind (doors[door], end);
            }
}

static void
test_help_lists_what_is_offered (void)
{
    static const struct {
        DialogueKind kind;
        gboolean secure;
        gboolean listed;
    } cases[] = {{DIALOGUE_TRUSTED, FALSE, FALSE}, {DIALOGUE_TLS, FALSE, TRUE}, {DIALOGUE_TLS, TRUE, FALSE}};

    for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
        g_autoptr (Dialogue) dialogue = dialogue_new (cases[i].kind, DIALOGUE_FINISH_AT_ONCE);

        if (cases[i].secure) {
            dialogue_say (dialogue, EHLO "STARTTLS\r\n");
            smtp_server_secured (dialogue->server);
        }
        g_string_truncate (dialogue->output, 0);
        dialogue_say (dialogue, "HELP\r\n");
        g_assert_nonnull (strstr (dialogue->output->str, "HELP"));
        g_assert_true ((strstr (dialogue->output->str, "STARTTLS") != NULL) == cases[i].listed);
    }
}

static SmtpServer *
new_without_limits (const Dialogue *dialogue, const SmtpServerHandlers *handlers)
{
    SmtpServerParameters parameters = {.host_name = "h", .trusted = TRUE};

    return smtp_server_new (&parameters, handlers, (gpointer) dialogue);
}

static SmtpReply *
accept_mail (MessageEnvelope *envelope, guint64 declared_bytes, gpointer user_data)
{
    return NULL;
}

static SmtpReply *
accept_recipient (MessageRecipient *recipient, gpointer user_data)
{
    g_free (recipient->address);
    recipient->address = g_strdup ("completed@example.org");

    return NULL;
}

static void
test_zero_is_no_limit (void)
{
    static const SmtpServerHandlers handlers = {.mail = accept_mail, .recipient = accept_recipient};
    g_autoptr (SmtpServer) server = new_without_limits (NULL, &handlers);
    const gchar *mail = EHLO "MAIL FROM:<a@x.org> SIZE=99999999999999999999\r\n";

    for (guint i = 0; i < 1000; i++)
        smtp_server_feed (server, "FOO\r\n", 5);
    smtp_server_feed (server, mail, strlen (mail));
    g_assert_true (smtp_server_in_transaction (server));
}

static void
test_handler_may_complete_an_address (void)
{
    static const SmtpServerHandlers handlers = {.mail = accept_mail, .recipient = accept_recipient};
    g_autoptr (SmtpServer) server = new_without_limits (NULL, &handlers);

    smtp_server_feed (server, OPEN, strlen (OPEN));
    g_assert_cmpuint (smtp_server_envelope (server)->recipients->len, ==, 1);
    g_assert_cmpstr (message_envelope_recipient (smtp_server_envelope (server), 0)->address, ==,
                     "completed@example.org");
}

static SmtpReply *
accept_any_recipient (MessageRecipient *recipient, gpointer user_data)
{
    return NULL;
}

static void
test_ten_thousand_recipients (void)
{
    static const SmtpServerHandlers handlers = {.mail = accept_mail, .recipient = accept_any_recipient};
    g_autoptr (SmtpServer) server = new_without_limits (NULL, &handlers);
    g_autoptr (GString) pipeline = g_string_new (EHLO "MAIL FROM:<a@x.org>\r\n");

    for (guint i = 0; i < 10000; i++)
        g_string_append_printf (pipeline, "RCPT TO:<user%u@example.org> NOTIFY=NEVER\r\n", i);
    smtp_server_feed (server, pipeline->str, pipeline->len);

    g_assert_cmpuint (smtp_server_envelope (server)->recipients->len, ==, 10000);
    g_assert_cmpuint (message_envelope_recipient (smtp_server_envelope (server), 9999)->notify, ==,
                      MESSAGE_NOTIFY_NEVER);
}

static void
test_nothing_is_acted_on_while_a_message_is_committed (void)
{
    g_autoptr (Dialogue) dialogue = dialogue_new (DIALOGUE_TRUSTED, DIALOGUE_FINISH_BY_HAND);

    dialogue_say (dialogue, OPEN "DATA\r\nx\r\n.\r\nNOOP\r\n");
    g_assert_true (smtp_server_is_busy (dialogue->server));
    g_assert_true (smtp_server_in_transaction (dialogue->server));
    dialogue_say (dialogue, "QUIT\r\n");
    dialogue_assert_replies (dialogue, OPENED " 354");

    dialogue_finish (dialogue);
    dialogue_assert_replies (dialogue, OPENED " 354 250/2.6.0 250/2.0.0 221/2.0.0");
    g_assert_false (smtp_server_in_transaction (dialogue->server));
}

static void
test_pipelined_messages_are_committed_one_by_one (void)
{
    g_autoptr (Dialogue) dialogue = dialogue_new (DIALOGUE_TRUSTED, DIALOGUE_FINISH_BY_HAND);

    dialogue_say (dialogue, OPEN "BDAT 3 LAST\r\n1\r\n"
                                 "MAIL FROM:<a@x.org>\r\nRCPT TO:<b@y.org>\r\nBDAT 3 LAST\r\n2\r\n");
    dialogue_assert_events (dialogue, ENVELOPE "begin [1\r\n] ");
    dialogue_finish (dialogue);
    dialogue_assert_events (dialogue, ENVELOPE "begin [1\r\n] " ENVELOPE "begin [2\r\n] ");
    dialogue_assert_replies (dialogue, OPENED " 250/2.6.0 250/2.1.0 250/2.1.5");
    dialogue_finish (dialogue);
    dialogue_assert_replies (dialogue, OPENED " 250/2.6.0 250/2.1.0 250/2.1.5 250/2.6.0");
}

static void
test_421_for_a_message_ends_the_session (void)
{
    g_autoptr (Dialogue) dialogue = dialogue_new (DIALOGUE_TRUSTED, DIALOGUE_FINISH_BY_HAND);
    g_autoptr (SmtpReply) reply = smtp_reply_new (421, "4.3.2", "Stopping");

    dialogue_say (dialogue, OPEN "DATA\r\n.\r\nNOOP\r\n");
    dialogue->begun = FALSE;
    smtp_server_finish (dialogue->server, reply);
    dialogue_assert_replies (dialogue, OPENED " 354 421/4.3.2");
    g_assert_true (smtp_server_is_over (dialogue->server));
}

static void
test_everything_starts_anew_under_tls (void)
{
    g_autoptr (Dialogue) dialogue = dialogue_new (DIALOGUE_TLS, DIALOGUE_FINISH_AT_ONCE);

    dialogue_say (dialogue, EHLO);
    g_assert_nonnull (strstr (dialogue->output->str, "250-STARTTLS\r\n"));
    dialogue_say (dialogue, "STARTTLS\r\n");
    g_assert_true (smtp_server_is_busy (dialogue->server));
    g_assert_null (smtp_server_helo (dialogue->server));

    smtp_server_secured (dialogue->server);
    g_assert_false (smtp_server_is_busy (dialogue->server));
    g_string_truncate (dialogue->output, 0);
    dialogue_say (dialogue, "MAIL FROM:<a@x.org>\r\nSTARTTLS\r\n" EHLO "STARTTLS\r\n");
    g_assert_null (strstr (dialogue->output->str, "STARTTLS\r\n"));
    dialogue_assert_replies (dialogue, "220 250 220/2.0.0 503/5.5.1 503/5.5.1 250 503/5.5.1");
}

static void
test_plain_bytes_behind_starttls_are_never_executed (void)
{
    g_autoptr (Dialogue) dialogue = dialogue_new (DIALOGUE_TLS, DIALOGUE_FINISH_AT_ONCE);

    dialogue_say (dialogue, EHLO "STARTTLS\r\nNOOP\r\nEHLO ev");
    dialogue_say (dialogue, "il\r\nNOOP\r\nNO");
    smtp_server_secured (dialogue->server);
    dialogue_say (dialogue, "OP\r\n");
    dialogue_assert_replies (dialogue, "220 250 220/2.0.0 500/5.5.2");
}

static void
test_close_says_goodbye (void)
{
    g_autoptr (Dialogue) dialogue = dialogue_new (DIALOGUE_TRUSTED, DIALOGUE_FINISH_AT_ONCE);
    g_autoptr (SmtpReply) reply = smtp_reply_new (421, "4.4.2", "Idle for too long");

    dialogue_say (dialogue, EHLO "NO");
    smtp_server_close (dialogue->server, reply);
    smtp_server_close (dialogue->server, reply);
    dialogue_say (dialogue, "OP\r\n");
    dialogue_assert_replies (dialogue, "220 250 421/4.4.2");
    g_assert_true (smtp_server_is_over (dialogue->server));
    g_assert_true (smtp_server_is_busy (dialogue->server));
}

static void
test_close_aborts_a_message (void)
{
    g_autoptr (Dialogue) dialogue = dialogue_new (DIALOGUE_TRUSTED, DIALOGUE_FINISH_AT_ONCE);
    g_autoptr (SmtpReply) reply = smtp_reply_new (421, "4.3.2", "Stopping");

    dialogue_say (dialogue, OPEN "DATA\r\nx\r\n");
    smtp_server_close (dialogue->server, reply);
    dialogue_assert_events (dialogue, ENVELOPE "begin abort ");
    dialogue_assert_replies (dialogue, OPENED " 354 421/4.3.2");
}

static void
test_close_answers_a_message_that_is_committed_first (void)
{
    g_autoptr (Dialogue) dialogue = dialogue_new (DIALOGUE_TRUSTED, DIALOGUE_FINISH_BY_HAND);
    g_autoptr (SmtpReply) reply = smtp_reply_new (421, "4.3.2", "Stopping");

    dialogue_say (dialogue, OPEN "DATA\r\nx\r\n.\r\nNOOP\r\n");
    smtp_server_close (dialogue->server, reply);
    g_assert_false (smtp_server_is_over (dialogue->server));
    dialogue_assert_replies (dialogue, OPENED " 354");

    dialogue_finish (dialogue);
    g_assert_true (smtp_server_is_over (dialogue->server));
    dialogue_assert_replies (dialogue, OPENED " 354 250/2.6.0 421/4.3.2");
}

static void
test_close_within_a_handler (void)
{
    g_autoptr (Dialogue) dialogue = dialogue_new (DIALOGUE_TRUSTED, DIALOGUE_FINISH_AT_ONCE);
    g_autoptr (SmtpReply) reply = smtp_reply_new (421, "4.3.0", "The disk is gone");

    dialogue->close_in_content = reply;
    dialogue_say (dialogue, OPEN "DATA\r\nx\r\n.y\r\nz\r\n.\r\nNOOP\r\n");
    g_assert_cmpstr (dialogue->content->str, ==, "x\r\n");
    dialogue_assert_events (dialogue, ENVELOPE "begin abort ");
    dialogue_assert_replies (dialogue, OPENED " 354 421/4.3.0");
}

static void
test_close_while_tls_starts_says_nothing (void)
{
    g_autoptr (Dialogue) dialogue = dialogue_new (DIALOGUE_TLS, DIALOGUE_FINISH_AT_ONCE);
    g_autoptr (SmtpReply) reply = smtp_reply_new (421, "4.3.2", "Stopping");

    dialogue_say (dialogue, EHLO "STARTTLS\r\n");
    smtp_server_close (dialogue->server, reply);
    dialogue_assert_replies (dialogue, "220 250 220/2.0.0");
    g_assert_true (smtp_server_is_over (dialogue->server));
}

static void
test_end_of_the_connection_aborts_a_message (void)
{
    g_autoptr (Dialogue) dialogue = dialogue_new (DIALOGUE_TRUSTED, DIALOGUE_FINISH_AT_ONCE);

    dialogue_say (dialogue, OPEN "DATA\r\nx\r\n.\r");
    smtp_server_eof (dialogue->server);
    dialogue_assert_events (dialogue, ENVELOPE "begin abort ");
    g_assert_true (smtp_server_is_over (dialogue->server));
}

static void
test_end_of_the_connection_aborts_a_commit (void)
{
    g_autoptr (Dialogue) dialogue = dialogue_new (DIALOGUE_TRUSTED, DIALOGUE_FINISH_BY_HAND);
    g_autoptr (SmtpReply) late = smtp_reply_new (250, "2.0.0", "Kept");

    dialogue_say (dialogue, OPEN "DATA\r\nx\r\n.\r\n");
    smtp_server_eof (dialogue->server);
    dialogue_assert_events (dialogue, ENVELOPE "begin [x\r\n] abort ");

    smtp_server_finish (dialogue->server, late);
    dialogue_assert_replies (dialogue, OPENED " 354");
}

static void
test_free_aborts_a_message (void)
{
    Dialogue *dialogue = dialogue_new (DIALOGUE_TRUSTED, DIALOGUE_FINISH_AT_ONCE);

    dialogue_say (dialogue, OPEN "DATA\r\nx\r\n");
    g_assert_true (dialogue->begun);
    dialogue_free (dialogue); /* asserts that nothing is begun any more */
}

static void
test_nothing_is_taken_after_the_end (void)
{
    g_autoptr (Dialogue) dialogue = dialogue_new (DIALOGUE_TRUSTED, DIALOGUE_FINISH_AT_ONCE);

    dialogue_say (dialogue, EHLO "QUIT\r\n");
    dialogue_say (dialogue, OPEN);
    g_assert_true (smtp_server_is_over (dialogue->server));
    dialogue_assert_events (dialogue, "");
    dialogue_assert_replies (dialogue, "220 250 221/2.0.0");
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);

#define TEST(path, function) g_test_add_func ("/smtp/server-session/" path, function)
    TEST ("nothing-hides-in-a-message", test_nothing_hides_in_a_message);
    TEST ("help-lists-what-is-offered", test_help_lists_what_is_offered);
    TEST ("greeting-and-ehlo", test_greeting_and_ehlo);
    TEST ("helo-announces-nothing", test_helo_announces_nothing);
    TEST ("relay-refusal-says-what-to-do", test_relay_refusal_says_what_to_do);
    TEST ("address-error-quotes-the-address", test_address_error_quotes_the_address);
    TEST ("names-of-the-protocol", test_names_of_the_protocol);
    TEST ("client-name-is-one-printable-word", test_client_name_is_one_printable_word);
    TEST ("nul-in-a-command-is-refused", test_nul_in_a_command_is_refused);
    TEST ("long-line-is-refused-once-and-skipped", test_long_line_is_refused_once_and_skipped);
    TEST ("path-with-all-parameters-fits-a-line", test_path_with_all_parameters_fits_a_line);
    TEST ("parameters-have-limits", test_parameters_have_limits);
    TEST ("message-of-the-longest-size-is-taken", test_message_of_the_longest_size_is_taken);
    TEST ("message-over-the-longest-size-is-read-and-refused",
          test_message_over_the_longest_size_is_read_and_refused);
    TEST ("stuffed-dots-do-not-count-as-size", test_stuffed_dots_do_not_count_as_size);
    TEST ("rest-of-a-large-message-is-not-kept", test_rest_of_a_large_message_is_not_kept);
    TEST ("zero-is-no-limit", test_zero_is_no_limit);
    TEST ("handler-may-complete-an-address", test_handler_may_complete_an_address);
    TEST ("ten-thousand-recipients", test_ten_thousand_recipients);
    TEST ("nothing-is-acted-on-while-a-message-is-committed", test_nothing_is_acted_on_while_a_message_is_committed);
    TEST ("pipelined-messages-are-committed-one-by-one", test_pipelined_messages_are_committed_one_by_one);
    TEST ("421-for-a-message-ends-the-session", test_421_for_a_message_ends_the_session);
    TEST ("everything-starts-anew-under-tls", test_everything_starts_anew_under_tls);
    TEST ("plain-bytes-behind-starttls-are-never-executed", test_plain_bytes_behind_starttls_are_never_executed);
    TEST ("close-says-goodbye", test_close_says_goodbye);
    TEST ("close-aborts-a-message", test_close_aborts_a_message);
    TEST ("close-answers-a-message-that-is-committed-first", test_close_answers_a_message_that_is_committed_first);
    TEST ("close-within-a-handler", test_close_within_a_handler);
    TEST ("close-while-tls-starts-says-nothing", test_close_while_tls_starts_says_nothing);
    TEST ("end-of-the-connection-aborts-a-message", test_end_of_the_connection_aborts_a_message);
    TEST ("end-of-the-connection-aborts-a-commit", test_end_of_the_connection_aborts_a_commit);
    TEST ("free-aborts-a-message", test_free_aborts_a_message);
    TEST ("nothing-is-taken-after-the-end", test_nothing_is_taken_after_the_end);
#undef TEST

    return g_test_run ();
}
