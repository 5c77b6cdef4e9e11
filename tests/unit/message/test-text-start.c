/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What editors of other systems put in front of a text. */

#include "message/text-start.h"

#include <string.h>

#define BYTES(literal) (literal), sizeof (literal) - 1

static void
assert_starts (const gchar *text, gsize length, const gchar *rest)
{
    g_autoptr (GError) error = NULL;

    g_assert_true (message_text_start (&text, &length, &error));
    g_assert_no_error (error);
    g_assert_cmpmem (text, (gint) length, rest, (gint) strlen (rest));
}

static void
test_a_mark_is_no_part_of_the_text (void)
{
    assert_starts (BYTES ("\xEF\xBB\xBF[Relay]\r\n"), "[Relay]\r\n");
    assert_starts (BYTES ("\xEF\xBB\xBF"), "");
}

static void
test_other_text_stays_as_it_is (void)
{
    assert_starts (BYTES (""), "");
    assert_starts (BYTES ("a"), "a");
    assert_starts (BYTES ("\xEF\xBB"), "\xEF\xBB");
    assert_starts (BYTES ("a\xEF\xBB\xBF"), "a\xEF\xBB\xBF");
    assert_starts (BYTES ("\xEF\xBB\xBF\xEF\xBB\xBF"), "\xEF\xBB\xBF");
}

static void
assert_refused (const gchar *text, gsize length, const gchar *name)
{
    g_autoptr (GError) error = NULL;

    g_assert_false (message_text_start (&text, &length, &error));
    g_assert_error (error, MESSAGE_ERROR, MESSAGE_ERROR_UTF8);
    g_assert_nonnull (strstr (error->message, name));
    g_assert_nonnull (strstr (error->message, "save it as UTF-8"));
}

static void
test_another_encoding_is_named (void)
{
    assert_refused (BYTES ("\xFF\xFE[\0R\0"), "UTF-16");
    assert_refused (BYTES ("\xFE\xFF\0[\0R"), "UTF-16");
    assert_refused (BYTES ("\xFF\xFE\0\0[\0\0\0"), "UTF-32");
    assert_refused (BYTES ("\0\0\xFE\xFF\0\0\0["), "UTF-32");
}

static void
test_a_mark_is_waited_for_and_nothing_else (void)
{
    g_assert_true (message_text_start_is_open (BYTES ("")));
    g_assert_true (message_text_start_is_open (BYTES ("\xEF\xBB")));
    g_assert_true (message_text_start_is_open (BYTES ("\xFF\xFE\0")));
    g_assert_true (message_text_start_is_open (BYTES ("\0")));
    g_assert_false (message_text_start_is_open (BYTES (".")));
    g_assert_false (message_text_start_is_open (BYTES ("a\n")));
    g_assert_false (message_text_start_is_open (BYTES ("\xEF\xBB\xBF.")));
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/message/text-start/a-mark-is-no-part-of-the-text", test_a_mark_is_no_part_of_the_text);
    g_test_add_func ("/message/text-start/other-text-stays-as-it-is", test_other_text_stays_as_it_is);
    g_test_add_func ("/message/text-start/another-encoding-is-named", test_another_encoding_is_named);
    g_test_add_func ("/message/text-start/a-mark-is-waited-for-and-nothing-else",
                     test_a_mark_is_waited_for_and_nothing_else);
    return g_test_run ();
}
