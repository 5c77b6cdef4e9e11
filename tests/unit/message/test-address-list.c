/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Address lists are read as their authors meant them, whatever the authors were.
 */

#include <string.h>

#include "message/address-list.h"

/* Each expected entry is an address, "(bare) name", or "?" and the text that cannot be understood. */
static void
expect_entries (const gchar *text, const gchar *const *expected)
{
    g_autoptr (GArray) entries = message_address_list_parse (text);

    for (guint i = 0; i < entries->len; i++) {
        const MessageListEntry *entry = &g_array_index (entries, MessageListEntry, i);
        g_autofree gchar *there = g_strndup (text + entry->start, entry->end - entry->start);
        g_autofree gchar *found = entry->address == NULL ? g_strconcat ("?", there, NULL)
                                  : entry->bare          ? g_strconcat ("(bare) ", entry->address, NULL)
                                                         : g_strdup (entry->address);

        g_assert_cmpstr (found, ==, expected[i]);
        g_assert_cmpuint (entry->end, <=, strlen (text));
    }

    g_assert_null (expected[entries->len]);
}

#define EXPECT(text, ...) expect_entries (text, (const gchar *const[]){__VA_ARGS__, NULL})
#define EXPECT_NONE(text) expect_entries (text, (const gchar *const[]){NULL})

static void
plain_addresses (void)
{
    EXPECT ("a@b.example", "a@b.example");
    EXPECT (" a@b.example,\tc@d.example ", "a@b.example", "c@d.example");
    EXPECT ("root", "(bare) root");
    EXPECT ("first.last", "(bare) first.last");
    EXPECT ("<a@b.example>", "a@b.example");
    EXPECT ("<root>", "(bare) root");
    EXPECT ("a@[192.0.2.1]", "a@[192.0.2.1]");
}

static void
display_names (void)
{
    EXPECT ("Jane Doe <jane@example.org>", "jane@example.org");
    EXPECT ("Jane Q. Doe <jane@example.org>", "jane@example.org");
    EXPECT ("\"Doe, Jane\" <jane@example.org>, root", "jane@example.org", "(bare) root");
    EXPECT ("\"a \\\" , <b\" <jane@example.org>", "jane@example.org");
    EXPECT ("=?utf-8?q?J=C3=BCrgen?= <j@example.org>", "j@example.org");
    EXPECT ("J\xc3\xbcrgen <j@example.org>, J\xfcrgen <k@example.org>", "j@example.org", "k@example.org");
    EXPECT ("jane@example.org <jane@example.org>", "jane@example.org");
    EXPECT ("<jane@example.org> (Jane)", "jane@example.org");
}

static void
comments (void)
{
    EXPECT ("root (Cron Daemon)", "(bare) root");
    EXPECT ("(a) jane (b, (c) \\) d) @ (e) example.org (f)", "jane@example.org");
    EXPECT ("Jane (J, <x@y>) <(z)jane@example.org(w)>", "jane@example.org");
    EXPECT_NONE ("(nobody)");
    EXPECT_NONE ("(a), (b)");
}

static void
groups (void)
{
    EXPECT_NONE ("undisclosed-recipients:;");
    EXPECT ("A Group: a@b.example, Jane <c@d.example>;, e@f.example", "a@b.example", "c@d.example", "e@f.example");
    EXPECT ("\"x:y\": root;", "(bare) root");
    EXPECT ("Never closed: a@b.example", "a@b.example");
}

static void
folding (void)
{
    EXPECT ("\r\n a@b.example,\r\n\tJane\r\n Doe\r\n <jane@example.org>", "a@b.example", "jane@example.org");
    EXPECT ("\"two\r\n words\"@example.org", "\"two words\"@example.org");
}

static void
obsolete_forms (void)
{
    EXPECT (",a@b.example,, ,c@d.example,", "a@b.example", "c@d.example");
    EXPECT ("jane . doe @ example . org", "jane.doe@example.org");
    EXPECT ("<@relay.example,@other.example:jane@example.org>", "jane@example.org");
    EXPECT ("a@b.example; c@d.example", "a@b.example", "c@d.example");
}

static void
empty_text_has_no_entries (void)
{
    EXPECT_NONE ("");
    EXPECT_NONE (" \r\n\t ");
    EXPECT_NONE (",;,");
}

static void
what_is_no_address_is_shown (void)
{
    EXPECT ("Jane Doe", "?Jane Doe");
    EXPECT ("a@b.example, Jane Doe, c@d.example", "a@b.example", "?Jane Doe", "c@d.example");
    EXPECT ("<>", "?<>");
    EXPECT ("Jane <>", "?Jane <>");
    EXPECT ("a@b@c", "?a@b@c");
    EXPECT ("a@", "?a@");
    EXPECT ("<a@b.example> Jane", "?<a@b.example> Jane");
    EXPECT ("<<a@b.example>>", "?<<a@b.example>>");
    EXPECT ("a>b", "?a>b");
    EXPECT ("a)b", "?a)b");
    EXPECT ("a\\b", "?a\\b");
    EXPECT ("[192.0.2.1]", "?[192.0.2.1]");
    EXPECT ("=?utf-8?q?Jane?=", "?=?utf-8?q?Jane?=");
    EXPECT ("=?=", "(bare) =?=");
    EXPECT ("\"a\" b", "?\"a\" b");
}

static void
what_is_not_closed_takes_the_rest (void)
{
    EXPECT ("root, \"Jane <a@b.example>, c@d", "(bare) root", "?\"Jane <a@b.example>, c@d");
    EXPECT ("root, jane (Jane, c@d", "(bare) root", "?jane (Jane, c@d");
    EXPECT ("root, Jane <a@b.example, c@d", "(bare) root", "?Jane <a@b.example, c@d");
    EXPECT ("root, a@[192.0.2.1, c@d", "(bare) root", "?a@[192.0.2.1, c@d");
    EXPECT ("\"\\", "?\"\\");
    EXPECT ("(\\", "?(\\");
    EXPECT ("\"", "?\"");
}

static void
position_is_behind_the_address (void)
{
    static const gchar text[] = "Jane <jane (J)>, root (R)";
    g_autoptr (GArray) entries = message_address_list_parse (text);

    g_assert_cmpstr (text + g_array_index (entries, MessageListEntry, 0).address_end, ==, " (J)>, root (R)");
    g_assert_cmpstr (text + g_array_index (entries, MessageListEntry, 1).address_end, ==, " (R)");
}

static void
parse_enormous (const gchar *start, const gchar *unit, const gchar *end)
{
    g_autoptr (GString) text = g_string_new (start);
    g_autoptr (GArray) entries = NULL;

    for (guint i = 0; i < 200000; i++)
        g_string_append (text, unit);
    g_string_append (text, end);

    /* Takes milliseconds; were it quadratic or recursive, it would run out of the test's time or of the stack. */
    entries = message_address_list_parse (text->str);
    g_assert_nonnull (entries);
}

static void
enormous_lists_take_no_time (void)
{
    parse_enormous ("", "a@b.example, ", "");
    parse_enormous ("", "(", "");
    parse_enormous ("", "()", "");
    parse_enormous ("a", " (x)", "");
    parse_enormous ("\"", "\\\"", "\"@example.org");
    parse_enormous ("", "word ", "");
    parse_enormous ("", "<", "");
    parse_enormous ("<", "@r,", ":a@b>");
    parse_enormous ("", "g: ", "");
    parse_enormous ("", ".", "");
}

gint
main (gint argc, gchar **argv)
{
    g_test_init (&argc, &argv, NULL);

    g_test_add_func ("/message/address-list/plain-addresses", plain_addresses);
    g_test_add_func ("/message/address-list/display-names", display_names);
    g_test_add_func ("/message/address-list/comments", comments);
    g_test_add_func ("/message/address-list/groups", groups);
    g_test_add_func ("/message/address-list/folding", folding);
    g_test_add_func ("/message/address-list/obsolete-forms", obsolete_forms);
    g_test_add_func ("/message/address-list/empty-text-has-no-entries", empty_text_has_no_entries);
    g_test_add_func ("/message/address-list/what-is-no-address-is-shown", what_is_no_address_is_shown);
    g_test_add_func ("/message/address-list/what-is-not-closed-takes-the-rest", what_is_not_closed_takes_the_rest);
    g_test_add_func ("/message/address-list/position-is-behind-the-address", position_is_behind_the_address);
    g_test_add_func ("/message/address-list/enormous-lists-take-no-time", enormous_lists_take_no_time);

    return g_test_run ();
}
