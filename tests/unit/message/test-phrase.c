/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * A name becomes a display name in the plainest form that can hold it.
 */

#include <string.h>

#include "message/phrase.h"

static void
expect_phrase (const gchar *name, const gchar *expected)
{
    g_autofree gchar *phrase = message_phrase_format (name);

    g_assert_cmpstr (phrase, ==, expected);
}

static void
plain_name_stays (void)
{
    expect_phrase ("Jane Doe", "Jane Doe");
    expect_phrase ("  root ", "root");
    expect_phrase ("O'Neill", "O'Neill");
}

static void
specials_are_quoted (void)
{
    expect_phrase ("Jane Q. Doe", "\"Jane Q. Doe\"");
    expect_phrase ("Doe, Jane", "\"Doe, Jane\"");
    expect_phrase ("a\"b\\c", "\"a\\\"b\\\\c\"");
    expect_phrase ("Jane <root@localhost>", "\"Jane <root@localhost>\"");
    expect_phrase ("=?utf-8?q?Jane?=", "\"=?utf-8?q?Jane?=\"");
}

static void
other_scripts_are_encoded (void)
{
    expect_phrase ("Jürgen Groß", "=?UTF-8?Q?J=C3=BCrgen_Gro=C3=9F?=");
    expect_phrase ("Ü (x), \"y\"?", "=?UTF-8?Q?=C3=9C_=28x=29=2C_=22y=22=3F?=");
}

static void
encoded_words_are_short (void)
{
    g_autoptr (GString) name = g_string_new (NULL);
    g_autofree gchar *phrase = NULL;
    g_auto (GStrv) words = NULL;

    for (guint i = 0; i < 100; i++)
        g_string_append (name, "日");
    phrase = message_phrase_format (name->str);
    words = g_strsplit (phrase, "\r\n ", -1);

    g_assert_cmpuint (g_strv_length (words), >, 10);
    for (guint i = 0; words[i] != NULL; i++) {
        g_assert_cmpuint (strlen (words[i]), <=, 75);
        g_assert_true (g_str_has_prefix (words[i], "=?UTF-8?Q?=E6=97=A5"));
        g_assert_true (g_str_has_suffix (words[i], "=E6=97=A5?="));
    }
}

static void
line_end_cannot_be_smuggled_in (void)
{
    expect_phrase ("Jane\r\nBcc: x", "\"Jane  Bcc: x\"");
}

static void
nothing_usable_is_no_phrase (void)
{
    expect_phrase ("", NULL);
    expect_phrase (" \t ", NULL);
    expect_phrase ("J\xfcrgen", NULL);
}

gint
main (gint argc, gchar **argv)
{
    g_test_init (&argc, &argv, NULL);

    g_test_add_func ("/message/phrase/plain-name-stays", plain_name_stays);
    g_test_add_func ("/message/phrase/specials-are-quoted", specials_are_quoted);
    g_test_add_func ("/message/phrase/other-scripts-are-encoded", other_scripts_are_encoded);
    g_test_add_func ("/message/phrase/encoded-words-are-short", encoded_words_are_short);
    g_test_add_func ("/message/phrase/line-end-cannot-be-smuggled-in", line_end_cannot_be_smuggled_in);
    g_test_add_func ("/message/phrase/nothing-usable-is-no-phrase", nothing_usable_is_no_phrase);

    return g_test_run ();
}
