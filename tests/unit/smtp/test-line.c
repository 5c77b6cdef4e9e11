/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Which bytes are a command line, however they are cut into pieces.
 */

#include "smtp/line.h"

#include <string.h>

typedef struct {
    const gchar *path;
    gboolean lenient;
    const gchar *input;
    const gchar *expected; /* each line with "|" behind it; TOO-LONG, BARE, NUL; what remains */
} Case;

static const Case cases[] = {
    {"crlf-ends-a-line", FALSE, "NOOP\r\nQUIT\r\n", "NOOP|QUIT|"},
    {"empty-line", FALSE, "\r\n\r\n", "||"},
    {"incomplete", FALSE, "NOOP\r\nQU", "NOOP|QU"},
    {"cr-alone-ends-nothing", FALSE, "NOOP\r", "NOOP\r"},
    {"bare-lf-is-told-at-once", FALSE, "NOOP\n", "BARE|"},
    {"bare-lf-hides-no-command", FALSE, "NOOP\nDATA\r\nQUIT\r\n", "BARE|QUIT|"},
    {"bare-lf-is-told-once-a-line", FALSE, "a\nb\nc\n\nd\r\nQUIT\r\n", "BARE|QUIT|"},
    {"bare-lf-alone", FALSE, "\n\r\nQUIT\r\n", "BARE|QUIT|"},
    {"bare-cr-hides-no-command", FALSE, "NOOP\rDATA\r\nQUIT\r\n", "BARE|QUIT|"},
    {"cr-cr-lf", FALSE, "NOOP\r\r\nQUIT\r\n", "BARE|QUIT|"},
    {"lf-cr-ends-nothing", FALSE, "NOOP\n\rDATA\r\nQUIT\r\n", "BARE|QUIT|"},
    {"local-lf-ends-a-line", TRUE, "NOOP\nQUIT\r\n\n", "NOOP|QUIT||"},
    {"local-bare-cr-hides-no-command", TRUE, "NOOP\rDATA\nQUIT\n", "BARE|QUIT|"},
};

static const gchar *
result_name (SmtpLineResult result)
{
    switch (result) {
    case SMTP_LINE_TOO_LONG:
        return "TOO-LONG";
    case SMTP_LINE_BARE:
        return "BARE";
    case SMTP_LINE_NUL:
        return "NUL";
    case SMTP_LINE_MORE:
    case SMTP_LINE_COMPLETE:
        break;
    }
    g_assert_not_reached ();
}

/* Reads all lines of @buffer and takes them out of it. */
static void
read_lines (SmtpLineReader *reader, GString *buffer, GString *told)
{
    SmtpLineResult result = SMTP_LINE_COMPLETE;

    while (result != SMTP_LINE_MORE) {
        g_autofree gchar *copy = g_memdup2 (buffer->str, buffer->len);
        const gchar *line = NULL;
        gsize line_length;
        gsize consumed;

        result = smtp_line_read (reader, copy, buffer->len, &consumed, &line, &line_length);
        if (result == SMTP_LINE_COMPLETE)
            g_string_append_len (told, line, (gssize) line_length);
        else if (result != SMTP_LINE_MORE)
            g_string_append (told, result_name (result));
        if (result != SMTP_LINE_MORE)
            g_string_append_c (told, '|');
        g_string_erase (buffer, 0, (gssize) consumed);
    }
}

/* Gives the bytes in pieces of @step. */
static gchar *
read_all (gboolean lenient, const gchar *input, gsize length, gsize step)
{
    SmtpLineReader reader = {.lenient = lenient};
    g_autoptr (GString) buffer = g_string_new (NULL);
    GString *told = g_string_new (NULL);

    for (gsize position = 0; position < length; position += step) {
        g_string_append_len (buffer, input + position, (gssize) MIN (step, length - position));
        read_lines (&reader, buffer, told);
    }
    g_string_append_len (told, buffer->str, (gssize) buffer->len);

    return g_string_free (told, FALSE);
}

static void
assert_read (gboolean lenient, const gchar *input, gsize length, const gchar *expected)
{
    for (gsize step = 1; step <= length; step += length < 100 ? 1 : 97) {
        g_autofree gchar *told = read_all (lenient, input, length, step);

        g_assert_cmpstr (told, ==, expected);
    }
}

static void
test_case (gconstpointer data)
{
    const Case *c = data;

    assert_read (c->lenient, c->input, strlen (c->input), c->expected);
}

static void
test_longest_line (void)
{
    g_autofree gchar *text = g_strnfill (SMTP_LINE_LONGEST_BYTES - 2, 'x');
    g_autofree gchar *input = g_strconcat (text, "\r\nQUIT\r\n", NULL);
    g_autofree gchar *expected = g_strconcat (text, "|QUIT|", NULL);

    assert_read (FALSE, input, strlen (input), expected);
}

static void
test_too_long_line_is_told_once_and_skipped (void)
{
    for (gsize more = SMTP_LINE_LONGEST_BYTES - 1; more < 3 * SMTP_LINE_LONGEST_BYTES; more += 1021) {
        g_autofree gchar *text = g_strnfill (more, 'x');
        g_autofree gchar *input = g_strconcat (text, "\r\nQUIT\r\n", NULL);

        assert_read (FALSE, input, strlen (input), "TOO-LONG|QUIT|");
        assert_read (TRUE, input, strlen (input), "TOO-LONG|QUIT|");
    }
}

static void
test_too_long_line_hides_no_command (void)
{
    g_autofree gchar *text = g_strnfill (SMTP_LINE_LONGEST_BYTES, 'x');
    g_autofree gchar *input = g_strconcat (text, "\nDATA\n\rDATA\r\nQUIT\r\n", NULL);

    assert_read (FALSE, input, strlen (input), "TOO-LONG|QUIT|");
}

static void
test_too_long_line_without_end_is_not_kept (void)
{
    g_autofree gchar *input = g_strnfill (SMTP_LINE_LONGEST_BYTES * 10, 'x');

    assert_read (FALSE, input, strlen (input), "TOO-LONG|");
}

static void
test_nul_is_told (void)
{
    static const gchar input[] = "NO\0OP\r\nQUIT\r\n";

    assert_read (FALSE, input, sizeof input - 1, "NUL|QUIT|");
    assert_read (TRUE, input, sizeof input - 1, "NUL|QUIT|");
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);

    for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
        g_autofree gchar *path = g_strdup_printf ("/smtp/line/%s", cases[i].path);

        g_test_add_data_func (path, &cases[i], test_case);
    }
    g_test_add_func ("/smtp/line/longest-line", test_longest_line);
    g_test_add_func ("/smtp/line/too-long-line-is-told-once-and-skipped",
                     test_too_long_line_is_told_once_and_skipped);
    g_test_add_func ("/smtp/line/too-long-line-hides-no-command", test_too_long_line_hides_no_command);
    g_test_add_func ("/smtp/line/too-long-line-without-end-is-not-kept", test_too_long_line_without_end_is_not_kept);
    g_test_add_func ("/smtp/line/nul-is-told", test_nul_is_told);

    return g_test_run ();
}
