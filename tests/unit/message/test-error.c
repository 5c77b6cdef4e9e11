/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Text from outside that an error shows can neither forge a line nor drive a terminal.
 */

#include <string.h>

#include "message/error.h"

static void
expect_quoted (const gchar *text, gsize length, const gchar *expected)
{
    g_autofree gchar *quoted = message_error_quote (text, length);

    g_assert_cmpstr (quoted, ==, expected);
}

static void
plain_text_stays (void)
{
    expect_quoted ("user@example.org", 16, "user@example.org");
    expect_quoted ("jürgen", 7, "jürgen");
    expect_quoted ("", 0, "");
    expect_quoted (NULL, 0, "");
}

static void
control_characters_are_spelled_out (void)
{
    expect_quoted ("a\r\nb", 4, "a\\x0D\\x0Ab");
    expect_quoted ("\x1b[2J", 4, "\\x1B[2J");
    expect_quoted ("a\0b", 3, "a\\x00b");
    expect_quoted ("\xc2\x85", 2, "\\xC2\\x85");
    expect_quoted ("\x7f", 1, "\\x7F");
}

static void
broken_utf8_is_spelled_out (void)
{
    expect_quoted ("j\xfcr", 3, "j\\xFCr");
    expect_quoted ("\xe2\x82", 2, "\\xE2\\x82");
}

static void
long_text_is_cut_between_characters (void)
{
    g_autoptr (GString) text = g_string_new ("x");
    g_autofree gchar *quoted = NULL;

    for (guint i = 0; i < 1000; i++)
        g_string_append (text, "ü");
    quoted = message_error_quote (text->str, text->len);

    g_assert_true (g_str_has_suffix (quoted, "ü…"));
    g_assert_true (g_utf8_validate (quoted, -1, NULL));
    g_assert_cmpuint (strlen (quoted), <, 200);
}

gint
main (gint argc, gchar **argv)
{
    g_test_init (&argc, &argv, NULL);

    g_test_add_func ("/message/error/plain-text-stays", plain_text_stays);
    g_test_add_func ("/message/error/control-characters-are-spelled-out", control_characters_are_spelled_out);
    g_test_add_func ("/message/error/broken-utf8-is-spelled-out", broken_utf8_is_spelled_out);
    g_test_add_func ("/message/error/long-text-is-cut-between-characters", long_text_is_cut_between_characters);

    return g_test_run ();
}
