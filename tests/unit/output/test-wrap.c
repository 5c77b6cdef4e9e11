/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "output/wrap.h"

#include <string.h>

#include "output/width.h"

/* What a terminal of @columns shows of texts that are printed one after the other. */
static gchar *
wrap (guint columns, const gchar *const *texts)
{
    GString *out = g_string_new (NULL);
    WrapLine line = {0};

    for (guint i = 0; texts[i] != NULL; i++)
        wrap_append (&line, columns, texts[i], out);
    return g_string_free (out, FALSE);
}

static void
assert_wrapped (guint columns, const gchar *text, const gchar *expected)
{
    const gchar *const texts[] = {text, NULL};
    g_autofree gchar *wrapped = wrap (columns, texts);

    g_assert_cmpstr (wrapped, ==, expected);
}

static void
test_lines_that_fit_stay (void)
{
    assert_wrapped (20, "", "");
    assert_wrapped (20, "\n\n", "\n\n");
    assert_wrapped (20, "one two\n  three\n", "one two\n  three\n");
    assert_wrapped (7, "one two\n", "one two\n");
}

static void
test_lines_are_broken_between_words (void)
{
    assert_wrapped (7, "one two three\n", "one two\nthree\n");
    assert_wrapped (6, "one two three\n", "one\ntwo\nthree\n");
    assert_wrapped (10, "Why is it? [y/N] ", "Why is it?\n[y/N] ");
}

static void
test_a_line_goes_on_below_its_text (void)
{
    assert_wrapped (20, "  one two three four five\n", "  one two three four\n  five\n");
    assert_wrapped (24, "Trouble:   the disk is full; see it\n", "Trouble:   the disk is\n           full; see it\n");
    assert_wrapped (30, "  12:00:01  deferred by a host.example\n",
                    "  12:00:01  deferred by a\n            host.example\n");
}

static void
test_an_indent_never_takes_more_than_half (void)
{
    assert_wrapped (20, "a name that is long  and words\n", "a name that is long\nand words\n");
}

static void
test_a_long_word_stays_in_one_piece (void)
{
    assert_wrapped (10, "see /a/path/that/is/long now\n", "see\n/a/path/that/is/long\nnow\n");
    assert_wrapped (10, "/a/path/that/is/long\n", "/a/path/that/is/long\n");
}

static void
test_a_line_may_come_in_parts (void)
{
    const gchar *const parts[] = {"one ", "two", " three", " four\nfive", "\n", NULL};
    g_autofree gchar *wrapped = wrap (9, parts);

    g_assert_cmpstr (wrapped, ==, "one two\nthree\nfour\nfive\n");
}

static void
test_colours_take_no_room (void)
{
    assert_wrapped (7, "\033[31mone\033[0m \033[1mtwo\033[0m three\n",
                    "\033[31mone\033[0m \033[1mtwo\033[0m\nthree\n");
    assert_wrapped (7, "one \033[", "one \033[");
}

static void
test_widths_are_those_that_appear (void)
{
    assert_wrapped (9, "例え 例え x\n", "例え 例え\nx\n");
    assert_wrapped (9, "jo\314\210rg jo\314\210rg x\n", "jo\314\210rg jo\314\210rg\nx\n");
}

static void
test_nothing_but_spaces_is_ever_changed (void)
{
    const gchar text[] =
        "Smarthost default (smtp.example.org, port 587, TLS=starttls, as me@example.org): takes no mail.\n"
        "  name      a description of more words than have room in one line of a terminal like this\n";
    g_auto (GStrv) words = g_strsplit_set (text, " \n", -1);

    for (guint columns = 1; columns < 100; columns++) {
        const gchar *const texts[] = {text, NULL};
        g_autofree gchar *wrapped = wrap (columns, texts);
        const gchar *at = wrapped;

        for (guint i = 0; words[i] != NULL; i++) {
            at += strspn (at, " \n");
            g_assert_true (g_str_has_prefix (at, words[i]));
            at += strlen (words[i]);
        }
    }
}

static void
test_no_line_of_short_words_is_wider_than_the_terminal (void)
{
    for (guint columns = 20; columns < 100; columns++) {
        const gchar *const texts[] = {
            "  -s, --state=STATE  in this state and no other one than this, as it is said here\n", NULL};
        g_autofree gchar *wrapped = wrap (columns, texts);
        g_auto (GStrv) lines = g_strsplit (wrapped, "\n", -1);

        for (guint i = 0; lines[i] != NULL; i++)
            g_assert_cmpuint (width_of_text (lines[i]), <=, columns);
    }
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/output/wrap/lines-that-fit-stay", test_lines_that_fit_stay);
    g_test_add_func ("/output/wrap/lines-are-broken-between-words", test_lines_are_broken_between_words);
    g_test_add_func ("/output/wrap/a-line-goes-on-below-its-text", test_a_line_goes_on_below_its_text);
    g_test_add_func ("/output/wrap/an-indent-never-takes-more-than-half", test_an_indent_never_takes_more_than_half);
    g_test_add_func ("/output/wrap/a-long-word-stays-in-one-piece", test_a_long_word_stays_in_one_piece);
    g_test_add_func ("/output/wrap/a-line-may-come-in-parts", test_a_line_may_come_in_parts);
    g_test_add_func ("/output/wrap/colours-take-no-room", test_colours_take_no_room);
    g_test_add_func ("/output/wrap/widths-are-those-that-appear", test_widths_are_those_that_appear);
    g_test_add_func ("/output/wrap/nothing-but-spaces-is-ever-changed", test_nothing_but_spaces_is_ever_changed);
    g_test_add_func ("/output/wrap/no-line-of-short-words-is-wider-than-the-terminal",
                     test_no_line_of_short_words_is_wider_than_the_terminal);
    return g_test_run ();
}
