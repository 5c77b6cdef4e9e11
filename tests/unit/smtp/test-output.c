/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Gathered output: whatever the pieces are and however they are taken out, the bytes come in order.
 */

#include "smtp/output.h"

#include <string.h>

static void
assert_equals (const SmtpOutput *output, const gchar *data, gsize length)
{
    struct iovec vectors[64];
    guint n = smtp_output_peek (output, vectors, G_N_ELEMENTS (vectors));
    gsize position = 0;

    g_assert_cmpuint (output->length, ==, length);
    for (guint i = 0; i < n; i++) {
        g_assert_cmpuint (position + vectors[i].iov_len, <=, length);
        g_assert_true (memcmp (vectors[i].iov_base, data + position, vectors[i].iov_len) == 0);
        position += vectors[i].iov_len;
    }
    g_assert_cmpuint (position, ==, length);
}

static void
append_large (SmtpOutput *output, GString *expected, gchar character, gsize length)
{
    g_autofree gchar *data = g_malloc (length);
    g_autoptr (GBytes) bytes = NULL;

    memset (data, character, length);
    g_string_append_len (expected, data, (gssize) length);
    bytes = g_bytes_new (data, length);
    smtp_output_append_bytes (output, bytes);
}

static void
append_small (SmtpOutput *output, GString *expected, const gchar *text)
{
    g_string_append (expected, text);
    smtp_output_append (output, text, strlen (text));
}

static GString *
fill (SmtpOutput *output)
{
    GString *expected = g_string_new (NULL);

    append_small (output, expected, "MAIL\r\n");
    append_small (output, expected, "RCPT\r\n");
    append_large (output, expected, 'a', 10000);
    append_large (output, expected, 'b', 5);
    append_small (output, expected, "more");
    append_large (output, expected, 'c', 40000);
    append_large (output, expected, 'd', 3000);
    append_small (output, expected, "end\r\n");

    return expected;
}

static void
test_keeps_the_order (void)
{
    SmtpOutput output = {0};
    g_autoptr (GString) expected = fill (&output);

    assert_equals (&output, expected->str, expected->len);
    smtp_output_clear (&output);
}

static void
test_small_pieces_are_one (void)
{
    SmtpOutput output = {0};
    struct iovec vectors[4];

    smtp_output_append (&output, "MAIL\r\n", 6);
    smtp_output_append (&output, "RCPT\r\n", 6);
    g_assert_cmpuint (smtp_output_peek (&output, vectors, 4), ==, 1);
    smtp_output_clear (&output);
}

static void
test_large_pieces_are_not_copied (void)
{
    SmtpOutput output = {0};
    g_autoptr (GBytes) bytes = g_bytes_new_take (g_malloc0 (100000), 100000);
    struct iovec vectors[4];

    smtp_output_append_bytes (&output, bytes);
    smtp_output_peek (&output, vectors, 4);
    g_assert_true (vectors[0].iov_base == g_bytes_get_data (bytes, NULL));
    smtp_output_clear (&output);
}

static void
test_can_be_taken_in_any_steps (void)
{
    static const gsize steps[] = {1, 2, 7, 12, 13, 999, 10007, 50000};

    for (guint i = 0; i < G_N_ELEMENTS (steps); i++) {
        SmtpOutput output = {0};
        g_autoptr (GString) expected = fill (&output);
        gsize position = 0;

        while (position < expected->len) {
            gsize step = MIN (steps[i], expected->len - position);

            smtp_output_skip (&output, step);
            position += step;
            assert_equals (&output, expected->str + position, expected->len - position);
        }
        g_assert_null (output.tail);
        g_assert_cmpuint (output.pieces.length, ==, 0);
    }
}

static void
test_can_grow_while_it_is_taken (void)
{
    SmtpOutput output = {0};
    g_autoptr (GString) expected = g_string_new (NULL);

    append_small (&output, expected, "hello");
    smtp_output_skip (&output, 3);
    append_small (&output, expected, "world");
    append_large (&output, expected, 'x', 4000);
    append_small (&output, expected, "end");
    assert_equals (&output, expected->str + 3, expected->len - 3);
    smtp_output_skip (&output, 9);
    assert_equals (&output, expected->str + 12, expected->len - 12);
    smtp_output_clear (&output);
}

static void
test_shows_no_more_than_fits (void)
{
    SmtpOutput output = {0};
    g_autoptr (GString) expected = fill (&output);
    struct iovec vectors[2];

    g_assert_cmpuint (smtp_output_peek (&output, vectors, 2), ==, 2);
    g_assert_cmpuint (vectors[0].iov_len, ==, 12);
    g_assert_true (memcmp (vectors[0].iov_base, "MAIL\r\nRCPT\r\n", 12) == 0);
    g_assert_cmpuint (vectors[1].iov_len, ==, 10000);
    smtp_output_clear (&output);
}

static void
test_much_that_is_small_is_not_copied_over_and_over (void)
{
    SmtpOutput output = {0};
    g_autoptr (GString) expected = g_string_new (NULL);

    for (guint i = 0; i < 50000; i++)
        append_small (&output, expected, "250 2.1.5 ok\r\n");
    g_assert_cmpuint (output.pieces.length, >, 10);
    g_assert_cmpuint (output.tail->allocated_len, <=, 128 * 1024);
    g_assert_cmpuint (output.length, ==, expected->len);
    smtp_output_clear (&output);
}

int
main (int argc, char *argv[])
{
    g_test_init (&argc, &argv, NULL);

    g_test_add_func ("/smtp/output/keeps-the-order", test_keeps_the_order);
    g_test_add_func ("/smtp/output/small-pieces-are-one", test_small_pieces_are_one);
    g_test_add_func ("/smtp/output/large-pieces-are-not-copied", test_large_pieces_are_not_copied);
    g_test_add_func ("/smtp/output/can-be-taken-in-any-steps", test_can_be_taken_in_any_steps);
    g_test_add_func ("/smtp/output/can-grow-while-it-is-taken", test_can_grow_while_it_is_taken);
    g_test_add_func ("/smtp/output/shows-no-more-than-fits", test_shows_no_more_than_fits);
    g_test_add_func ("/smtp/output/much-that-is-small-is-not-copied-over-and-over",
                     test_much_that_is_small_is_not_copied_over_and_over);

    return g_test_run ();
}
