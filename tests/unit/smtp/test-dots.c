/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Dot-stuffing, with the content cut at every place.
 */

#include "smtp/dots.h"

#include <string.h>

static void
add (SmtpDots *dots, GString *out, const gchar *data, gsize length)
{
    g_autoptr (GBytes) piece = g_bytes_new (data, length);
    g_autoptr (GBytes) stuffed = smtp_dots_stuff (dots, piece);
    gsize stuffed_length;
    const gchar *stuffed_data = g_bytes_get_data (stuffed, &stuffed_length);

    g_string_append_len (out, stuffed_data, (gssize) stuffed_length);
}

static void
assert_stuffed (const gchar *content, const gchar *expected)
{
    gsize length = strlen (content);

    for (gsize split = 0; split <= length; split++) {
        SmtpDots dots = {0};
        g_autoptr (GString) out = g_string_new (NULL);

        add (&dots, out, content, split);
        add (&dots, out, content + split, length - split);
        g_string_append (out, smtp_dots_end (&dots));
        g_assert_cmpstr (out->str, ==, expected);
    }
}

static void
test_an_ordinary_text_stays_what_it_is (void)
{
    assert_stuffed ("Subject: x\r\n\r\none. two.\r\n", "Subject: x\r\n\r\none. two.\r\n.\r\n");
}

static void
test_dots_at_the_start_of_lines_are_doubled (void)
{
    assert_stuffed (".\r\n", "..\r\n.\r\n");
    assert_stuffed ("..\r\n", "...\r\n.\r\n");
    assert_stuffed (".a\r\n.b\r\nc.\r\n.\r\n", "..a\r\n..b\r\nc.\r\n..\r\n.\r\n");
    assert_stuffed ("a\r\n\r\n.\r\n\r\n", "a\r\n\r\n..\r\n\r\n.\r\n");
}

static void
test_the_last_line_gets_its_end (void)
{
    assert_stuffed ("a", "a\r\n.\r\n");
    assert_stuffed ("a\r\n.", "a\r\n..\r\n.\r\n");
}

static void
test_nothing_is_a_lone_dot (void)
{
    assert_stuffed ("", ".\r\n");
}

/* Some servers end the content at LF.LF. */
static void
test_a_bare_lf_cannot_smuggle_an_end (void)
{
    assert_stuffed ("a\n.\nMAIL\r\n", "a\n..\nMAIL\r\n.\r\n");
    assert_stuffed ("a\n.\r\nMAIL\r\n", "a\n..\r\nMAIL\r\n.\r\n");
}

static void
test_a_piece_without_dots_is_not_copied (void)
{
    SmtpDots dots = {0};
    g_autoptr (GBytes) piece = g_bytes_new_static ("one\r\ntwo.\r\n", 11);
    g_autoptr (GBytes) stuffed = smtp_dots_stuff (&dots, piece);

    g_assert_true (stuffed == piece);
}

int
main (int argc, char *argv[])
{
    g_test_init (&argc, &argv, NULL);

    g_test_add_func ("/smtp/dots/an-ordinary-text-stays-what-it-is", test_an_ordinary_text_stays_what_it_is);
    g_test_add_func ("/smtp/dots/dots-at-the-start-of-lines-are-doubled",
                     test_dots_at_the_start_of_lines_are_doubled);
    g_test_add_func ("/smtp/dots/the-last-line-gets-its-end", test_the_last_line_gets_its_end);
    g_test_add_func ("/smtp/dots/nothing-is-a-lone-dot", test_nothing_is_a_lone_dot);
    g_test_add_func ("/smtp/dots/a-bare-lf-cannot-smuggle-an-end", test_a_bare_lf_cannot_smuggle_an_end);
    g_test_add_func ("/smtp/dots/a-piece-without-dots-is-not-copied", test_a_piece_without_dots_is_not_copied);

    return g_test_run ();
}
