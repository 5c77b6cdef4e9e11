/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * What programs write becomes lines of mail, however it is cut into pieces on the way.
 */

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "cli/sendmail-content.h"
#include "cli/sendmail-error.h"

/* Reads @input through a pipe that carries @step bytes at a time. */
static gchar *
convert (const gchar *input, gsize length, gboolean dot_ends, gsize step, guint64 *nul_bytes)
{
    g_autoptr (SendmailContent) content = NULL;
    GString *out = g_string_new (NULL);
    gboolean open_end = TRUE;
    gint ends[2];
    gsize at = 0;

    g_assert_cmpint (pipe (ends), ==, 0);
    content = sendmail_content_new (ends[0], dot_ends);
    while (!sendmail_content_is_finished (content)) {
        gsize piece = MIN (step, length - at);

        if (piece > 0) {
            g_assert_cmpint (write (ends[1], input + at, piece), ==, (gssize) piece);
        } else if (open_end) {
            close (ends[1]);
            open_end = FALSE;
        }
        at += piece;
        g_assert_true (sendmail_content_read (content, out, NULL));
    }

    *nul_bytes = sendmail_content_nul_bytes (content);
    if (open_end)
        close (ends[1]);
    close (ends[0]);
    return g_string_free (out, FALSE);
}

static void
expect_bytes (const gchar *input, gsize length, gboolean dot_ends, const gchar *expected)
{
    for (gsize step = 1; step <= length + 1; step++) {
        guint64 nul_bytes;
        g_autofree gchar *converted = convert (input, length, dot_ends, step, &nul_bytes);

        g_assert_cmpstr (converted, ==, expected);
    }
}

static void
expect_lines (const gchar *input, const gchar *expected)
{
    expect_bytes (input, strlen (input), FALSE, expected);
}

static void
expect_lines_to_dot (const gchar *input, const gchar *expected)
{
    expect_bytes (input, strlen (input), TRUE, expected);
}

static void
lines_end_in_crlf (void)
{
    expect_lines ("a\nb\n", "a\r\nb\r\n");
    expect_lines ("a\r\nb\r\n", "a\r\nb\r\n");
    expect_lines ("a\n\n\nb\r\n\r\n", "a\r\n\r\n\r\nb\r\n\r\n");
}

static void
last_line_gets_its_end (void)
{
    expect_lines ("a\nb", "a\r\nb\r\n");
    expect_lines ("a\r", "a\r\n");
    expect_lines ("", "");
}

static void
carriage_return_alone_ends_a_line (void)
{
    expect_lines ("10%\r20%\rdone\n", "10%\r\n20%\r\ndone\r\n");
    expect_lines ("a\r\rb\n", "a\r\n\r\nb\r\n");
}

static void
doubled_carriage_return_ends_one_line (void)
{
    expect_lines ("a\r\r\nb\r\r\r\n", "a\r\nb\r\n");
}

static void
nul_bytes_are_left_out_and_counted (void)
{
    guint64 nul_bytes;
    g_autofree gchar *converted = convert ("a\0\0b\n\0c", 7, TRUE, 3, &nul_bytes);

    g_assert_cmpstr (converted, ==,
                     "a"
                     "b\r\nc\r\n");
    g_assert_cmpuint (nul_bytes, ==, 3);
    expect_bytes ("a\0b\0\r\0\n", 7, FALSE, "ab\r\n");
}

static void
lone_dot_ends_the_message (void)
{
    expect_lines_to_dot ("a\n.\nb\n", "a\r\n");
    expect_lines_to_dot ("a\r\n.\r\nb\r\n", "a\r\n");
    expect_lines_to_dot (".\n", "");
    expect_lines_to_dot ("a\n.", "a\r\n");
    expect_lines_to_dot ("a\n.\rb", "a\r\n");
}

static void
other_dots_are_content (void)
{
    expect_lines_to_dot ("..\n.a\na.\n", "..\r\n.a\r\na.\r\n");
    expect_lines_to_dot ("...", "...\r\n");
}

static void
lone_dot_is_content_if_asked (void)
{
    expect_lines ("a\n.\nb\n", "a\r\n.\r\nb\r\n");
    expect_lines (".", ".\r\n");
}

static void
endless_carriage_returns_do_not_pile_up (void)
{
    g_autofree gchar *returns = g_strnfill (32768, '\r');
    guint64 nul_bytes;
    g_autofree gchar *converted = convert (returns, 32768, FALSE, 4096, &nul_bytes);

    g_assert_cmpuint (strlen (converted), ==, 65536);
}

static void
reading_error_is_told (void)
{
    g_autoptr (SendmailContent) content = NULL;
    g_autoptr (GString) out = g_string_new (NULL);
    g_autoptr (GError) error = NULL;
    gint folder = open ("/", O_RDONLY | O_DIRECTORY);

    content = sendmail_content_new (folder, FALSE);
    g_assert_false (sendmail_content_read (content, out, &error));
    g_assert_error (error, SENDMAIL_ERROR, EX_IOERR);
    close (folder);
}

static void
a_byte_order_mark_is_left_out (void)
{
    expect_lines ("\xEF\xBB\xBFSubject: x\r\n\r\n\xEF\xBB\xBFhello\r\n", "Subject: x\r\n\r\n\xEF\xBB\xBFhello\r\n");
    expect_lines ("\xEF\xBB\xBF", "");
    expect_lines ("\xEF\xBB", "\xEF\xBB\r\n");
    expect_lines ("\xEF", "\xEF\r\n");
    expect_bytes ("\xEF\xBB\xBF.\nmore", 9, TRUE, "");
}

static void
another_encoding_is_refused (void)
{
    g_autoptr (SendmailContent) content = NULL;
    g_autoptr (GString) out = g_string_new (NULL);
    g_autoptr (GError) error = NULL;
    gint ends[2];

    g_assert_cmpint (pipe (ends), ==, 0);
    g_assert_cmpint (write (ends[1], "\xFF\xFES\0u\0", 6), ==, 6);
    content = sendmail_content_new (ends[0], FALSE);
    g_assert_false (sendmail_content_read (content, out, &error));
    g_assert_error (error, SENDMAIL_ERROR, EX_DATAERR);
    g_assert_nonnull (strstr (error->message, "UTF-16"));
    close (ends[0]);
    close (ends[1]);
}

gint
main (gint argc, gchar **argv)
{
    g_test_init (&argc, &argv, NULL);

    g_test_add_func ("/cli/sendmail-content/lines-end-in-crlf", lines_end_in_crlf);
    g_test_add_func ("/cli/sendmail-content/last-line-gets-its-end", last_line_gets_its_end);
    g_test_add_func ("/cli/sendmail-content/carriage-return-alone-ends-a-line", carriage_return_alone_ends_a_line);
    g_test_add_func ("/cli/sendmail-content/doubled-carriage-return-ends-one-line",
                     doubled_carriage_return_ends_one_line);
    g_test_add_func ("/cli/sendmail-content/nul-bytes-are-left-out-and-counted", nul_bytes_are_left_out_and_counted);
    g_test_add_func ("/cli/sendmail-content/lone-dot-ends-the-message", lone_dot_ends_the_message);
    g_test_add_func ("/cli/sendmail-content/other-dots-are-content", other_dots_are_content);
    g_test_add_func ("/cli/sendmail-content/lone-dot-is-content-if-asked", lone_dot_is_content_if_asked);
    g_test_add_func ("/cli/sendmail-content/endless-carriage-returns-do-not-pile-up",
                     endless_carriage_returns_do_not_pile_up);
    g_test_add_func ("/cli/sendmail-content/reading-error-is-told", reading_error_is_told);

    g_test_add_func ("/cli/sendmail-content/a-byte-order-mark-is-left-out", a_byte_order_mark_is_left_out);
    g_test_add_func ("/cli/sendmail-content/another-encoding-is-refused", another_encoding_is_refused);
    return g_test_run ();
}
