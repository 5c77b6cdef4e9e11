/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * What a caller writes in lines that end with LF or CRLF reaches the relay as SMTP, and nothing else is changed.
 */

#include <string.h>

#include "cli/sendmail-dialogue.h"

/* A talk: what the caller says and what the relay answers, in turns, each in pieces of @piece bytes. */
static GString *
talk (const gchar *const *turns, gsize piece)
{
    g_autoptr (SendmailDialogue) dialogue = sendmail_dialogue_new ();
    GString *out = g_string_new (NULL);

    for (guint turn = 0; turns[turn] != NULL; turn++)
        for (gsize at = 0; at < strlen (turns[turn]); at += piece) {
            gsize length = MIN (piece, strlen (turns[turn]) - at);

            if (turn % 2 == 0)
                sendmail_dialogue_say (dialogue, turns[turn] + at, length, out);
            else
                sendmail_dialogue_hear (dialogue, turns[turn] + at, length, out);
        }
    sendmail_dialogue_end (dialogue, out);

    return out;
}

static void
expect (const gchar *const *turns, const gchar *expected)
{
    for (gsize piece = 1; piece < 200; piece++) {
        g_autoptr (GString) out = talk (turns, piece);

        g_assert_cmpstr (out->str, ==, expected);
    }
}

static void
commands_end_with_crlf (void)
{
    const gchar *const turns[] = {"EHLO x\nMAIL FROM:<>\r\nQUIT\n", NULL};

    expect (turns, "EHLO x\r\nMAIL FROM:<>\r\nQUIT\r\n");
}

static void
content_ends_with_crlf_dot_crlf (void)
{
    const gchar *const turns[] = {
        "", "220 hello\r\n", "DATA\n", "354-go\r\n354 on\r\n", "a\n\nb\r\n..\n. \n.\nQUIT\n", NULL};

    expect (turns, "DATA\r\na\r\n\r\nb\r\n..\r\n. \r\n.\r\nQUIT\r\n");
}

static void
content_waits_for_the_reply_to_data (void)
{
    const gchar *const turns[] = {"HELO x\nDATA \ndata\n.\n", "220 hello\r\n", NULL};
    const gchar *const answered[] = {"HELO x\nDATA \ndata\n.\n", "220 hello\r\n250 x\r\n354 go on\r\n", NULL};

    expect (turns, "HELO x\r\nDATA \r\n");
    expect (answered, "HELO x\r\nDATA \r\ndata\r\n.\r\n");
}

static void
refused_data_is_followed_by_commands (void)
{
    const gchar *const turns[] = {"DATA\n", "220 hello\r\n503 5.5.1 no\r\n", "BDAT 4 LAST\n\n\r\n\nQUIT\n", NULL};

    expect (turns, "DATA\r\nBDAT 4 LAST\r\n\n\r\n\nQUIT\r\n");
}

static void
chunks_are_not_lines (void)
{
    const gchar *const turns[] = {"bdat 6\n\na\r\n\nbBDAT 0 LAST\nbdat 3 last\r\n.\n.\nNOOP\n", NULL};

    expect (turns, "bdat 6\r\n\na\r\n\nbBDAT 0 LAST\r\nbdat 3 last\r\n.\n.\r\nNOOP\r\n");
}

static void
content_is_not_taken_for_commands (void)
{
    const gchar *const turns[] = {"DATA\n", "220 hello\r\n354 go on\r\n", "BDAT 100\nDATA\nx\n.\nQUIT\n", NULL};

    expect (turns, "DATA\r\nBDAT 100\r\nDATA\r\nx\r\n.\r\nQUIT\r\n");
}

static void
long_lines_pass (void)
{
    g_autofree gchar *text = g_strnfill (10000, 'x');
    g_autofree gchar *said = g_strconcat (text, ".\n.\n", NULL);
    g_autofree gchar *expected = g_strconcat ("DATA\r\n", text, ".\r\n.\r\n", NULL);
    const gchar *const turns[] = {"DATA\n", "220 hello\r\n354 go on\r\n", said, NULL};

    expect (turns, expected);
}

static void
last_line_without_its_end_is_passed_on (void)
{
    const gchar *const turns[] = {"NOOP\nQUIT", NULL};
    const gchar *const held[] = {"DATA\nx", "220 hello\r\n354 go on\r\n", "y", NULL};

    expect (turns, "NOOP\r\nQUIT");
    expect (held, "DATA\r\nxy");
}

gint
main (gint argc, gchar **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/cli/sendmail-dialogue/commands-end-with-crlf", commands_end_with_crlf);
    g_test_add_func ("/cli/sendmail-dialogue/content-ends-with-crlf-dot-crlf", content_ends_with_crlf_dot_crlf);
    g_test_add_func ("/cli/sendmail-dialogue/content-waits-for-the-reply-to-data",
                     content_waits_for_the_reply_to_data);
    g_test_add_func ("/cli/sendmail-dialogue/refused-data-is-followed-by-commands",
                     refused_data_is_followed_by_commands);
    g_test_add_func ("/cli/sendmail-dialogue/chunks-are-not-lines", chunks_are_not_lines);
    g_test_add_func ("/cli/sendmail-dialogue/content-is-not-taken-for-commands", content_is_not_taken_for_commands);
    g_test_add_func ("/cli/sendmail-dialogue/long-lines-pass", long_lines_pass);
    g_test_add_func ("/cli/sendmail-dialogue/last-line-without-its-end-is-passed-on",
                     last_line_without_its_end_is_passed_on);
    return g_test_run ();
}
