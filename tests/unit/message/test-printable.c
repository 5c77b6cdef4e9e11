/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Text from outside becomes one line that does nothing; what an error makes of it is in test-error.
 */

#include <string.h>

#include "message/printable.h"

static void
expect_printable (const gchar *text, gsize longest, gboolean utf8, const gchar *expected)
{
    g_autofree gchar *printable = message_printable (text, strlen (text), longest, utf8);

    g_assert_cmpstr (printable, ==, expected);
}

static void
non_ascii_is_spelled_where_ascii_is_wanted (void)
{
    expect_printable ("jürgen 日", 100, TRUE, "jürgen 日");
    expect_printable ("jürgen 日", 100, FALSE, "j\\x{FC}rgen \\x{65E5}");
    expect_printable ("j\xfcrgen", 100, TRUE, "j\\xFCrgen");
}

static void
tab_is_a_space (void)
{
    expect_printable ("a\tb", 100, TRUE, "a b");
}

static void
cut_text_tells_so (void)
{
    expect_printable ("abcdef", 6, TRUE, "abcdef");
    expect_printable ("abcdefg", 6, TRUE, "abcdef…");
    expect_printable ("abcdefg", 6, FALSE, "abcdef...");
    expect_printable ("abcdeü", 6, TRUE, "abcde…");
    expect_printable ("a", 0, TRUE, "…");
}

gint
main (gint argc, gchar **argv)
{
    g_test_init (&argc, &argv, NULL);

    g_test_add_func ("/message/printable/non-ascii-is-spelled-where-ascii-is-wanted",
                     non_ascii_is_spelled_where_ascii_is_wanted);
    g_test_add_func ("/message/printable/tab-is-a-space", tab_is_a_space);
    g_test_add_func ("/message/printable/cut-text-tells-so", cut_text_tells_so);

    return g_test_run ();
}
