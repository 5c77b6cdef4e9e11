/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The syntax of a configuration file: each test says what is read, and what is said of the rest. */

#include "config-text.h"

#include <string.h>

#define BYTES(literal) (literal), sizeof (literal) - 1

static void
on_group (const gchar *name, guint line, gpointer user_data)
{
    g_string_append_printf (user_data, "%u [%s]\n", line, name);
}

static void
on_entry (const gchar *group, const gchar *key, gchar *value, guint line, gpointer user_data)
{
    g_string_append_printf (user_data, "%u %s/%s=<%s>\n", line, group, key, value);
    g_free (value);
}

static void
on_wrong (guint line, const gchar *problem, gpointer user_data)
{
    g_string_append_printf (user_data, "%u wrong: %s\n", line, problem);
}

static const ConfigTextReader reader = {.group = on_group, .entry = on_entry, .wrong = on_wrong};

static void
assert_read (const gchar *text, gsize length, const gchar *expected)
{
    g_autoptr (GString) got = g_string_new (NULL);

    config_text_read (text, length, &reader, got);
    g_assert_cmpstr (got->str, ==, expected);
}

/* The one problem of @text has @words in it, and is on @line. */
static void
assert_wrong (const gchar *text, guint line, const gchar *words)
{
    g_autoptr (GString) got = g_string_new (NULL);
    g_autofree gchar *start = g_strdup_printf ("%u wrong: ", line);
    const gchar *problem;

    config_text_read (text, strlen (text), &reader, got);
    problem = strstr (got->str, "wrong: ");
    if (problem == NULL || strstr (got->str, start) == NULL || strstr (problem, words) == NULL)
        g_error ("“%s” was expected in line %u of:\n%s", words, line, got->str);
    g_assert_null (strstr (problem + 1, "wrong: "));
}

static void
test_groups_and_keys_have_lines (void)
{
    assert_read (BYTES ("# a comment\n\n[Relay]\n  HostName = a b \n#\n[Smarthost x y]\nUser="),
                 "3 [Relay]\n4 Relay/HostName=<a b>\n6 [Smarthost x y]\n7 Smarthost x y/User=<>\n");
    assert_read (BYTES (""), "");
}

static void
test_other_systems_editors_are_understood (void)
{
    assert_read (BYTES ("\xEF\xBB\xBF[Relay]\r\nHostName=a\r\n"), "1 [Relay]\n2 Relay/HostName=<a>\n");
    assert_wrong ("\xFF\xFE[", 0, "UTF-16");
}

static void
test_a_text_is_no_binary_file (void)
{
    assert_read (BYTES ("[Relay]\nHostName=a\0b\n"), "0 wrong: it is no UTF-8 text: it holds a zero byte\n");
}

static void
test_escapes_stand_for_blanks (void)
{
    assert_read (BYTES ("[A]\nb=\\sc\\td\\\\e\\n\n"), "1 [A]\n2 A/b=<c\td\\e>\n");
    assert_wrong ("[A]\nb=c\\d\n", 2, "[A] b=: expected UTF-8 text, in which a backslash is written as two");
    assert_wrong ("[A]\nb=c\\\n", 2, "backslash");
    assert_wrong ("[A]\nb=\xFF\n", 2, "UTF-8");
}

static void
test_a_line_that_is_none_is_told_what_was_expected (void)
{
    assert_wrong ("[A]\n\n; a comment\n", 3, "expected “#” at the beginning of a comment, not “;”");
    assert_wrong ("[A]\nHost: a\n", 2, "KEY=VALUE");
    assert_wrong ("[A]\n=a\n", 2, "KEY=VALUE");
    assert_wrong ("Host=a\n[A]\n", 1, "expected a group, such as [Relay], before the first key");
    assert_wrong ("[A\n", 1, "expected “]”");
    assert_wrong ("[]\n", 1, "expected the name of a group");
    assert_wrong ("[A] # mine\nb=c\n", 1, "a comment has a line of its own");
}

static void
test_a_line_that_is_none_is_not_shown (void)
{
    g_autoptr (GString) got = g_string_new (NULL);

    config_text_read (BYTES ("[A]\nhunter2\n"), &reader, got);
    g_assert_null (strstr (got->str, "hunter2"));
}

static void
test_everything_that_is_wrong_is_told (void)
{
    assert_read (BYTES ("[A]\n;\n;\n"), "1 [A]\n2 wrong: expected “#” at the beginning of a comment, not “;”\n"
                                        "3 wrong: expected “#” at the beginning of a comment, not “;”\n");
}

static void
test_what_is_written_is_read_as_it_was (void)
{
    static const gchar *const values[] = {"",   "a",   "a b",        "#",   ";",     "[x]",
                                          "\\", "\\s", "a\nb\tc\rd", "ü=ß", "a\\\\n"};

    for (guint i = 0; i < G_N_ELEMENTS (values); i++) {
        g_autoptr (GString) text = g_string_new ("[A]\n");
        g_autofree gchar *expected = g_strdup_printf ("1 [A]\n2 A/b=<%s>\n", values[i]);

        config_text_append (text, "b", values[i]);
        assert_read (text->str, text->len, expected);
    }
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/daemon/config-text/groups-and-keys-have-lines", test_groups_and_keys_have_lines);
    g_test_add_func ("/daemon/config-text/other-systems-editors-are-understood",
                     test_other_systems_editors_are_understood);
    g_test_add_func ("/daemon/config-text/a-text-is-no-binary-file", test_a_text_is_no_binary_file);
    g_test_add_func ("/daemon/config-text/escapes-stand-for-blanks", test_escapes_stand_for_blanks);
    g_test_add_func ("/daemon/config-text/a-line-that-is-none-is-told-what-was-expected",
                     test_a_line_that_is_none_is_told_what_was_expected);
    g_test_add_func ("/daemon/config-text/a-line-that-is-none-is-not-shown", test_a_line_that_is_none_is_not_shown);
    g_test_add_func ("/daemon/config-text/everything-that-is-wrong-is-told", test_everything_that_is_wrong_is_told);
    g_test_add_func ("/daemon/config-text/what-is-written-is-read-as-it-was", test_what_is_written_is_read_as_it_was);
    return g_test_run ();
}
