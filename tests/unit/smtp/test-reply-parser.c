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

/* Parses @data in pieces of some sizes, and expects each time the same. */
static void
assert_parsed (const gchar *data, const gchar *expected)
{
    gsize length = strlen (data);

    for (gsize step = 1; step < 2 * length; step = step * 7 + 1) {
        g_autofree gchar *told = parse (data, length, step);

        g_assert_cmpstr (told, ==, expected);
    }
}

static void
test_line_that_fits_is_kept_whole (void)
{
    g_autofree gchar *text = g_strnfill (SMTP_REPLY_PARSER_LINE_KEPT_BYTES - 4, 'x');
    g_autofree gchar *data = g_strdup_printf ("250 %s\r\n", text);
    g_autofree gchar *expected = g_strdup_printf ("250||%s;", text);

    assert_parsed (data, expected);
}

static void
test_long_line_keeps_its_beginning (void)
{
    for (gsize more = 1; more < 100000; more = more * 10 + 1) {
        g_autofree gchar *text = g_strnfill (SMTP_REPLY_PARSER_LINE_KEPT_BYTES - 4 - 6, 'x');
        g_autofree gchar *rest = g_strnfill (more, 'y');
        g_autofree gchar *data = g_strdup_printf ("550-5.1.1 %s%s\r\n550 5.1.1 z\r\n250 ok\r\n", text, rest);
        g_autofree gchar *expected = g_strdup_printf ("550|5.1.1|%s…\nz;250||ok;", text);

        assert_parsed (data, expected);
    }
}

static void
test_long_line_is_cut_between_characters (void)
{
    for (gsize before = 0; before < 4; before++) {
        g_autofree gchar *text = g_strnfill (SMTP_REPLY_PARSER_LINE_KEPT_BYTES - 4 - before, 'x');
        g_autofree gchar *data = g_strdup_printf ("550 %s\xf0\x9f\x93\xae\xf0\x9f\x93\xae\r\n", text);
        g_autofree gchar *expected = g_strdup_printf ("550||%s…;", text);

        assert_parsed (data, expected);
    }
}

static gchar *
reply_of_lines (guint lines, const gchar *line)
{
    GString *text = g_string_new (NULL);

    for (guint i = 1; i < lines; i++)
        g_string_append_printf (text, "550-%s\r\n", line);
    g_string_append_printf (text, "550 %s\r\n", line);

    return g_string_free (text, FALSE);
}

static void
test_many_lines_are_kept (void)
{
    g_autofree gchar *data = reply_of_lines (300, "a");
    g_autofree gchar *told = parse (data, strlen (data), 100);

    g_assert_cmpuint (strlen (told), ==, strlen ("550||;") + 2 * 300 - 1);
    g_assert_null (strstr (told, "…"));
}

static void
test_too_many_lines_keep_the_first (void)
{
    g_autofree gchar *data = reply_of_lines (10000, "5.7.1 twenty characters and");
    g_autofree gchar *told = parse (data, strlen (data), 1000);
    g_autofree gchar *again = parse (data, strlen (data), 1);

    g_assert_true (g_str_has_prefix (told, "550|5.7.1|twenty characters and\ntwenty"));
    g_assert_true (g_str_has_suffix (told, "and\n…;"));
    g_assert_cmpuint (strlen (told), <, SMTP_REPLY_PARSER_TEXT_KEPT_BYTES + 100);
    g_assert_cmpstr (told, ==, again);
}

static void
test_lines_that_are_not_kept_have_the_same_code (void)
{
    g_autofree gchar *lines = reply_of_lines (10000, "a");
    g_autofree gchar *data = g_strconcat ("550-", lines, NULL);

    memcpy (data + strlen (data) - strlen ("550 a\r\n"), "250", 3);
    assert_parsed (data, "fault");
}

/* How much of @unit, again and again, is taken before the parser gives up. */
static gsize
taken_of (const gchar *unit)
{
    g_autoptr (SmtpReplyParser) parser = smtp_reply_parser_new ();
    gsize taken = 0;

    while (taken < 8 * SMTP_REPLY_PARSER_LONGEST_BYTES) {
        g_autoptr (SmtpReply) reply = NULL;
        gsize consumed;

        if (smtp_reply_parser_feed (parser, unit, strlen (unit), &consumed, &reply) == SMTP_REPLY_PARSER_MALFORMED)
            break;
        taken += consumed;
    }

    return taken;
}

static void
test_endless_replies_end (void)
{
    g_assert_cmpuint (taken_of ("2"), <, 2 * SMTP_REPLY_PARSER_LINE_KEPT_BYTES);
    g_assert_cmpuint (taken_of ("550-"), <=, SMTP_REPLY_PARSER_LONGEST_BYTES);
    g_assert_cmpuint (taken_of ("550-x\r\n"), <, 2 * SMTP_REPLY_PARSER_LONGEST_BYTES);
    g_assert_cmpuint (taken_of ("550-\n"), <, 2 * SMTP_REPLY_PARSER_LONGEST_BYTES);
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
    g_test_add_func ("/smtp/reply-parser/line-that-fits-is-kept-whole", test_line_that_fits_is_kept_whole);
    g_test_add_func ("/smtp/reply-parser/long-line-keeps-its-beginning", test_long_line_keeps_its_beginning);
    g_test_add_func ("/smtp/reply-parser/long-line-is-cut-between-characters",
                     test_long_line_is_cut_between_characters);
    g_test_add_func ("/smtp/reply-parser/many-lines-are-kept", test_many_lines_are_kept);
    g_test_add_func ("/smtp/reply-parser/too-many-lines-keep-the-first", test_too_many_lines_keep_the_first);
    g_test_add_func ("/smtp/reply-parser/lines-that-are-not-kept-have-the-same-code",
                     test_lines_that_are_not_kept_have_the_same_code);
    g_test_add_func ("/smtp/reply-parser/endless-replies-end", test_endless_replies_end);
    g_test_add_func ("/smtp/reply-parser/nul-does-not-cut-the-text", test_nul_does_not_cut_the_text);
    g_test_add_func ("/smtp/reply-parser/text-is-valid-utf8", test_text_is_valid_utf8);
    g_test_add_func ("/smtp/reply-parser/fault-quotes-the-line", test_fault_quotes_the_line);
    g_test_add_func ("/smtp/reply-parser/nothing-is-read-after-a-fault", test_nothing_is_read_after_a_fault);
    g_test_add_func ("/smtp/reply-parser/reset-forgets-half-a-reply", test_reset_forgets_half_a_reply);

    return g_test_run ();
}
