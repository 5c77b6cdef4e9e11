/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * What an SMTP reply looks like on the wire, in a log, and made from a hostile text.
 */

#include "smtp/reply.h"

#include <string.h>

static void
assert_written (const SmtpReply *reply, const gchar *expected)
{
    g_autoptr (GString) out = g_string_new (NULL);

    smtp_reply_write (reply, out);
    g_assert_cmpstr (out->str, ==, expected);
}

static void
test_one_line (void)
{
    g_autoptr (SmtpReply) reply = smtp_reply_new (550, "5.1.1", "No such user: %s", "x@example.org");

    assert_written (reply, "550 5.1.1 No such user: x@example.org\r\n");
}

static void
test_many_lines (void)
{
    g_autoptr (SmtpReply) reply = smtp_reply_new (550, "5.7.1", "%s", "First\nsecond\nthird");

    assert_written (reply, "550-5.7.1 First\r\n550-5.7.1 second\r\n550 5.7.1 third\r\n");
}

static void
test_without_status (void)
{
    g_autoptr (SmtpReply) reply = smtp_reply_new (250, NULL, "%s", "relay.example.org\nPIPELINING");

    assert_written (reply, "250-relay.example.org\r\n250 PIPELINING\r\n");
}

static void
test_without_text (void)
{
    g_autoptr (SmtpReply) bare = smtp_reply_new (250, NULL, "%s", "");
    g_autoptr (SmtpReply) with_status = smtp_reply_new (250, "2.0.0", "%s", "");

    assert_written (bare, "250\r\n");
    assert_written (with_status, "250 2.0.0\r\n");
}

static void
test_empty_lines_stay (void)
{
    g_autoptr (SmtpReply) reply = smtp_reply_new (450, "4.3.0", "%s", "a\n\nb\n");

    assert_written (reply, "450-4.3.0 a\r\n450-4.3.0\r\n450-4.3.0 b\r\n450 4.3.0\r\n");
}

static void
test_no_line_is_too_long (void)
{
    g_autoptr (GString) text = g_string_new (NULL);
    g_autoptr (GString) out = g_string_new (NULL);
    g_autoptr (SmtpReply) reply = NULL;
    g_auto (GStrv) lines = NULL;

    for (guint i = 0; i < 300; i++)
        g_string_append (text, "word ");
    for (guint i = 0; i < 1000; i++)
        g_string_append_c (text, 'x');
    reply = smtp_reply_new (554, "5.100.100", "%s", text->str);
    smtp_reply_write (reply, out);

    lines = g_strsplit (out->str, "\r\n", -1);
    g_assert_cmpuint (g_strv_length (lines), >, 5);
    for (guint i = 0; lines[i + 1] != NULL; i++) {
        g_assert_cmpuint (strlen (lines[i]) + 2, <=, SMTP_REPLY_LINE_LONGEST_BYTES);
        g_assert_true (g_str_has_prefix (lines[i], lines[i + 2] != NULL ? "554-5.100.100 " : "554 5.100.100 "));
    }
    g_assert_cmpstr (lines[g_strv_length (lines) - 1], ==, "");
}

static void
test_long_text_is_split_at_a_space (void)
{
    g_autofree gchar *head = g_strnfill (480, 'h');
    g_autofree gchar *tail = g_strnfill (100, 't');
    g_autofree gchar *expected = g_strdup_printf ("554-5.0.0 %s\r\n554 5.0.0 %s\r\n", head, tail);
    g_autoptr (SmtpReply) reply = smtp_reply_new (554, "5.0.0", "%s %s", head, tail);

    assert_written (reply, expected);
}

static void
test_only_ascii_is_written (void)
{
    g_autoptr (SmtpReply) reply = smtp_reply_new (550, "5.1.1", "No such user: %s", "m\xc3\xbcller");

    g_assert_cmpstr (reply->text, ==, "No such user: m\xc3\xbcller");
    assert_written (reply, "550 5.1.1 No such user: m?ller\r\n");
}

static void
test_typographic_quotes_become_plain (void)
{
    g_autoptr (SmtpReply) reply = smtp_reply_new (501, "5.1.3", "\u201c\u2018a\u2019\u2026\u201d");

    assert_written (reply, "501 5.1.3 \"'a'...\"\r\n");
}

static void
test_long_text_is_split_between_characters (void)
{
    g_autoptr (GString) text = g_string_new ("x");
    g_autoptr (GString) out = g_string_new (NULL);
    g_autoptr (SmtpReply) reply = NULL;
    guint characters = 0;

    for (guint i = 0; i < 600; i++)
        g_string_append (text, "\u00fc");
    reply = smtp_reply_new (554, "5.0.0", "%s", text->str);
    smtp_reply_write (reply, out);

    for (gsize i = 0; i < out->len; i++)
        characters += out->str[i] == '?' ? 1 : 0;
    g_assert_cmpuint (characters, ==, 600);
}

static void
test_text_cannot_forge_a_reply (void)
{
    g_autoptr (SmtpReply) reply = smtp_reply_new (550, "5.1.1", "a\r\n250 b\x1b[2J\xc2\x85\xff");

    g_assert_cmpstr (reply->text, ==, "a\\x0D\n250 b\\x1B[2J\\xC2\\x85\\xFF");
    assert_written (reply, "550-5.1.1 a\\x0D\r\n550 5.1.1 250 b\\x1B[2J\\xC2\\x85\\xFF\r\n");
}

static void
test_line_for_people (void)
{
    g_autoptr (SmtpReply) two_lines = smtp_reply_new (451, "4.7.1", "Greylisted\ncome back later");
    g_autoptr (SmtpReply) greeting = smtp_reply_new (220, NULL, "hello");
    g_autoptr (SmtpReply) empty = smtp_reply_new (250, NULL, "%s", "");
    g_autofree gchar *first = smtp_reply_line (two_lines);
    g_autofree gchar *second = smtp_reply_line (greeting);
    g_autofree gchar *third = smtp_reply_line (empty);

    g_assert_cmpstr (first, ==, "451 4.7.1 Greylisted come back later");
    g_assert_cmpstr (second, ==, "220 hello");
    g_assert_cmpstr (third, ==, "250");
}

static void
test_copy_is_its_own (void)
{
    SmtpReply *reply = smtp_reply_new (451, "4.3.0", "Try again");
    g_autoptr (SmtpReply) copy = smtp_reply_copy (reply);

    smtp_reply_free (reply);
    g_assert_cmpuint (copy->code, ==, 451);
    g_assert_cmpstr (copy->status, ==, "4.3.0");
    g_assert_cmpstr (copy->text, ==, "Try again");
}

static void
test_classes (void)
{
    g_autoptr (SmtpReply) positive = smtp_reply_new (354, NULL, "Go");
    g_autoptr (SmtpReply) temporary = smtp_reply_new (421, "4.3.2", "Stopping");
    g_autoptr (SmtpReply) permanent = smtp_reply_new (500, "5.5.2", "What?");

    g_assert_true (smtp_reply_is_positive (positive));
    g_assert_false (smtp_reply_is_temporary (positive));
    g_assert_true (smtp_reply_is_temporary (temporary));
    g_assert_false (smtp_reply_is_permanent (temporary));
    g_assert_true (smtp_reply_is_permanent (permanent));
    g_assert_false (smtp_reply_is_positive (permanent));
}

static void
test_status_of_another_class_is_refused (void)
{
    g_test_expect_message (G_LOG_DOMAIN, G_LOG_LEVEL_CRITICAL, "*assertion*");
    g_assert_null (smtp_reply_new (550, "4.1.1", "x"));
    g_test_assert_expected_messages ();
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);

    g_test_add_func ("/smtp/reply/one-line", test_one_line);
    g_test_add_func ("/smtp/reply/many-lines", test_many_lines);
    g_test_add_func ("/smtp/reply/without-status", test_without_status);
    g_test_add_func ("/smtp/reply/without-text", test_without_text);
    g_test_add_func ("/smtp/reply/empty-lines-stay", test_empty_lines_stay);
    g_test_add_func ("/smtp/reply/no-line-is-too-long", test_no_line_is_too_long);
    g_test_add_func ("/smtp/reply/long-text-is-split-at-a-space", test_long_text_is_split_at_a_space);
    g_test_add_func ("/smtp/reply/only-ascii-is-written", test_only_ascii_is_written);
    g_test_add_func ("/smtp/reply/typographic-quotes-become-plain", test_typographic_quotes_become_plain);
    g_test_add_func ("/smtp/reply/long-text-is-split-between-characters", test_long_text_is_split_between_characters);
    g_test_add_func ("/smtp/reply/text-cannot-forge-a-reply", test_text_cannot_forge_a_reply);
    g_test_add_func ("/smtp/reply/line-for-people", test_line_for_people);
    g_test_add_func ("/smtp/reply/copy-is-its-own", test_copy_is_its_own);
    g_test_add_func ("/smtp/reply/classes", test_classes);
    g_test_add_func ("/smtp/reply/status-of-another-class-is-refused", test_status_of_another_class_is_refused);

    return g_test_run ();
}
