/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * What the client understands of a server's replies, however they arrive.
 */

#include "smtp/reply-parser.h"

#include <string.h>

/* Writes each reply as "code|status|text", and "fault" where the stream is malformed; feeds @step bytes at a time. */
static gchar *
parse (const gchar *data, gsize length, gsize step)
{
    g_autoptr (SmtpReplyParser) parser = smtp_reply_parser_new ();
    GString *told = g_string_new (NULL);

    for (gsize start = 0; start < length; start += step) {
        gsize position = start;
        gsize end = MIN (start + step, length);

        while (position < end) {
            g_autoptr (SmtpReply) reply = NULL;
            gsize consumed;
            SmtpReplyParserResult result =
                smtp_reply_parser_feed (parser, data + position, end - position, &consumed, &reply);

            if (result == SMTP_REPLY_PARSER_MALFORMED) {
                g_assert_nonnull (smtp_reply_parser_fault (parser));
                g_string_append (told, "fault");
                return g_string_free (told, FALSE);
            }
            g_assert_cmpuint (consumed, >, 0);
            position += consumed;
            g_assert_true ((result == SMTP_REPLY_PARSER_REPLY) == (reply != NULL));
            if (reply != NULL)
                g_string_append_printf (told, "%u|%s|%s;", reply->code, reply->status, reply->text);
            else
                g_assert_cmpuint (position, ==, end);
        }
    }

    return g_string_free (told, FALSE);
}

typedef struct {
    const gchar *path;
    const gchar *input;
    const gchar *expected;
} Case;

static const Case cases[] = {
    {"one-line", "250 Ok\r\n", "250||Ok;"},
    {"code-alone", "250\r\n", "250||;"},
    {"code-and-space", "250 \r\n", "250||;"},
    {"many-lines", "250-a.example.org hello\r\n250-SIZE 1000\r\n250 DSN\r\n",
     "250||a.example.org hello\nSIZE 1000\nDSN;"},
    {"last-line-without-text", "250-a\r\n250\r\n", "250||a\n;"},
    {"several-replies", "250 2.1.0 Ok\r\n550-5.1.1 No\r\n550 5.1.1 such\r\n354 Go\r\n",
     "250|2.1.0|Ok;550|5.1.1|No\nsuch;354||Go;"},
    {"bare-lf-ends-a-line", "250-a\n250 b\n", "250||a\nb;"},
    {"status-alone", "250 2.0.0\r\n", "250|2.0.0|;"},
    {"status-in-the-first-line-only", "550-5.7.1 See\r\n550 https://example.org\r\n",
     "550|5.7.1|See\nhttps://example.org;"},
    {"another-status-in-a-later-line-stays", "550-5.7.1 See\r\n550 5.7.26 why\r\n", "550|5.7.1|See\n5.7.26 why;"},
    {"status-in-a-later-line-only-stays", "550-See\r\n550 5.7.26 why\r\n", "550||See\n5.7.26 why;"},
    {"status-of-another-class-is-text", "550 4.1.1 odd\r\n", "550||4.1.1 odd;"},
    {"no-status-after-354", "354 3.0.0 odd\r\n", "354||3.0.0 odd;"},
    {"status-of-three-digits", "550 5.123.456 x\r\n", "550|5.123.456|x;"},
    {"status-of-four-digits-is-text", "550 5.1234.1 x\r\n", "550||5.1234.1 x;"},
    {"status-of-two-parts-is-text", "220 2.1 x\r\n", "220||2.1 x;"},
    {"status-of-four-parts-is-text", "250 2.0.0.1 x\r\n", "250||2.0.0.1 x;"},
    {"host-name-is-no-status", "220 2.example.org ESMTP\r\n", "220||2.example.org ESMTP;"},
    {"control-characters-are-spelled-out", "250 a\tb\x1b[0m\r\n", "250||a b\\x1B[0m;"},
    {"different-codes", "250-a\r\n251 b\r\n", "fault"},
    {"no-code", "hello\r\n", "fault"},
    {"empty-line", "\r\n", "fault"},
    {"code-of-two-digits", "25 x\r\n", "fault"},
    {"code-of-four-digits", "2500 x\r\n", "fault"},
    {"code-below-200", "199 x\r\n", "fault"},
    {"code-above-599", "600 x\r\n", "fault"},
    {"another-protocol", "HTTP/1.1 400 Bad Request\r\n", "fault"},
    {"fault-after-a-reply", "250 Ok\r\nx\r\n", "250||Ok;fault"},
};

static void
test_case (gconstpointer data)
{
    const Case *c = data;
    gsize length = strlen (c->input);

    for (gsize step = 1; step <= length; step++) {
        g_autofree gchar *told = parse (c->input, length, step);

        g_assert_cmpstr (told, ==, c->expected);
    }
}

static void
test_longest_line (void)
{
    g_autofree gchar *text = g_strnfill (SMTP_REPLY_PARSER_LINE_LONGEST_BYTES - 6, 'x');
    g_autofree gchar *fits = g_strdup_printf ("250 %s\r\n", text);
    g_autofree gchar *exceeds = g_strdup_printf ("250 %sx\r\n", text);
    g_autofree gchar *expected = g_strdup_printf ("250||%s;", text);
    g_autofree gchar *told = parse (fits, strlen (fits), 1000);

    g_assert_cmpstr (told, ==, expected);
    for (gsize step = 1; step <= strlen (exceeds); step += 500) {
        g_autofree gchar *fault = parse (exceeds, strlen (exceeds), step);

        g_assert_cmpstr (fault, ==, "fault");
    }
}

static void
test_endless_line_is_malformed_early (void)
{
    g_autoptr (SmtpReplyParser) parser = smtp_reply_parser_new ();
    g_autofree gchar *data = g_strnfill (SMTP_REPLY_PARSER_LINE_LONGEST_BYTES + 1, '2');
    g_autoptr (SmtpReply) reply = NULL;
    gsize consumed;

    g_assert_cmpint (smtp_reply_parser_feed (parser, data, strlen (data), &consumed, &reply), ==,
                     SMTP_REPLY_PARSER_MALFORMED);
}

static gchar *
reply_of_lines (guint lines)
{
    GString *text = g_string_new (NULL);

    for (guint i = 1; i < lines; i++)
        g_string_append (text, "250-x\r\n");
    g_string_append (text, "250 y\r\n");

    return g_string_free (text, FALSE);
}

static void
test_most_lines (void)
{
    g_autofree gchar *fits = reply_of_lines (SMTP_REPLY_PARSER_LINES_MOST);
    g_autofree gchar *exceeds = reply_of_lines (SMTP_REPLY_PARSER_LINES_MOST + 1);
    g_autofree gchar *told = parse (fits, strlen (fits), 100);
    g_autofree gchar *fault = parse (exceeds, strlen (exceeds), 100);

    g_assert_true (g_str_has_suffix (told, "\ny;"));
    g_assert_cmpstr (fault, ==, "fault");
}

static void
test_nul_does_not_cut_the_text (void)
{
    static const gchar data[] = "250 a\0b\r\n";
    g_autofree gchar *told = parse (data, sizeof data - 1, sizeof data);

    g_assert_cmpstr (told, ==, "250||a\\x00b;");
}

static void
test_text_is_valid_utf8 (void)
{
    g_autofree gchar *told = parse ("250 m\xc3\xbcller\r\n250 m\xfcller\r\n", 26, 26);

    g_assert_cmpstr (told, ==, "250||m\xc3\xbcller;250||m\\xFCller;");
}

static void
test_fault_quotes_the_line (void)
{
    g_autoptr (SmtpReplyParser) parser = smtp_reply_parser_new ();
    const gchar *data = "HTTP/1.1 400 Bad Request\r\n";
    g_autoptr (SmtpReply) reply = NULL;
    gsize consumed;

    g_assert_null (smtp_reply_parser_fault (parser));
    smtp_reply_parser_feed (parser, data, strlen (data), &consumed, &reply);
    g_assert_cmpstr (smtp_reply_parser_fault (parser), ==, "the line is no reply: HTTP/1.1 400 Bad Request");
}

static void
test_nothing_is_read_after_a_fault (void)
{
    g_autoptr (SmtpReplyParser) parser = smtp_reply_parser_new ();
    g_autoptr (SmtpReply) reply = NULL;
    gsize consumed;

    smtp_reply_parser_feed (parser, "x\r\n", 3, &consumed, &reply);
    g_assert_cmpint (smtp_reply_parser_feed (parser, "250 Ok\r\n", 8, &consumed, &reply), ==,
                     SMTP_REPLY_PARSER_MALFORMED);
    g_assert_null (reply);
    g_assert_cmpuint (consumed, ==, 0);
}

static void
test_reset_forgets_half_a_reply (void)
{
    g_autoptr (SmtpReplyParser) parser = smtp_reply_parser_new ();
    g_autoptr (SmtpReply) reply = NULL;
    gsize consumed;

    g_assert_cmpint (smtp_reply_parser_feed (parser, "220-5.5.5 a\r\n22", 15, &consumed, &reply), ==,
                     SMTP_REPLY_PARSER_MORE);
    smtp_reply_parser_reset (parser);
    g_assert_cmpint (smtp_reply_parser_feed (parser, "250 b\r\n", 7, &consumed, &reply), ==, SMTP_REPLY_PARSER_REPLY);
    g_assert_cmpuint (reply->code, ==, 250);
    g_assert_cmpstr (reply->text, ==, "b");
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);

    for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
        g_autofree gchar *path = g_strdup_printf ("/smtp/reply-parser/%s", cases[i].path);

        g_test_add_data_func (path, &cases[i], test_case);
    }
    g_test_add_func ("/smtp/reply-parser/longest-line", test_longest_line);
    g_test_add_func ("/smtp/reply-parser/endless-line-is-malformed-early", test_endless_line_is_malformed_early);
    g_test_add_func ("/smtp/reply-parser/most-lines", test_most_lines);
    g_test_add_func ("/smtp/reply-parser/nul-does-not-cut-the-text", test_nul_does_not_cut_the_text);
    g_test_add_func ("/smtp/reply-parser/text-is-valid-utf8", test_text_is_valid_utf8);
    g_test_add_func ("/smtp/reply-parser/fault-quotes-the-line", test_fault_quotes_the_line);
    g_test_add_func ("/smtp/reply-parser/nothing-is-read-after-a-fault", test_nothing_is_read_after_a_fault);
    g_test_add_func ("/smtp/reply-parser/reset-forgets-half-a-reply", test_reset_forgets_half_a_reply);

    return g_test_run ();
}
