/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Tables of addresses: the most specific pattern counts, wherever it stands. */

#include <string.h>

#include "message/address-map.h"

static const MessageCompletion completion = {.domain = "example.org", .parent = "example.com"};

static MessageAddressMap *
parse (const gchar *text, const gchar *problem)
{
    g_autoptr (GPtrArray) problems = g_ptr_array_new_with_free_func (g_free);
    MessageAddressMap *map = message_address_map_parse (text, strlen (text), &completion, problems);

    g_assert_cmpuint (problems->len, ==, problem != NULL ? 1 : 0);
    if (problem != NULL)
        g_assert_nonnull (strstr (g_ptr_array_index (problems, 0), problem));
    return map;
}

static void
expect (const gchar *table, const gchar *address, MessageMapFlags flags, const gchar *expected)
{
    g_autoptr (MessageAddressMap) map = parse (table, NULL);
    g_autofree gchar *found = message_address_map_find (map, address, flags);

    g_assert_cmpstr (found, ==, expected);
}

static void
expect_problem (const gchar *table, const gchar *problem)
{
    g_autoptr (MessageAddressMap) map = parse (table, problem);
}

#define TABLE                                                                                                        \
    "* all@x.example\n@.example.com @example.com\n@.sub.example.com sub@x.example\n"                                 \
    "@host.example.com one@x.example\nroot user@x.example\nroot@host.example.com exact@x.example\n"

static void
the_most_specific_pattern_counts (void)
{
    expect (TABLE, "root@host.example.com", MESSAGE_MAP_LOCAL, "exact@x.example");
    expect (TABLE, "root@other.example", MESSAGE_MAP_LOCAL, "user@x.example");
    expect (TABLE, "jane@host.example.com", MESSAGE_MAP_LOCAL, "one@x.example");
    expect (TABLE, "jane@a.sub.example.com", MESSAGE_MAP_DEFAULT, "sub@x.example");
    expect (TABLE, "jane@a.b.example.com", MESSAGE_MAP_DEFAULT, "jane@example.com");
    expect (TABLE, "jane@example.com", MESSAGE_MAP_DEFAULT, "all@x.example");
}

static void
a_local_part_alone_is_for_local_addresses (void)
{
    expect (TABLE, "root@other.example", MESSAGE_MAP_DEFAULT, "all@x.example");
}

static void
what_takes_all_can_be_left_out (void)
{
    expect (TABLE, "jane@other.example", MESSAGE_MAP_NAMED, NULL);
    expect (TABLE, "root@other.example", MESSAGE_MAP_NAMED | MESSAGE_MAP_LOCAL, "user@x.example");
}

static void
case_makes_no_difference (void)
{
    expect ("Root@Host.Example Admin@X.example\n", "rOOT@hOST.example", MESSAGE_MAP_DEFAULT, "Admin@x.example");
    expect ("@HOST.example @x.example\n", "Jane@host.example", MESSAGE_MAP_DEFAULT, "Jane@x.example");
}

static void
what_has_no_domain_is_completed (void)
{
    expect ("root@a.example admin\n", "root@a.example", MESSAGE_MAP_DEFAULT, "admin@example.org");
    expect ("root@localhost admin\n", "root@example.org", MESSAGE_MAP_DEFAULT, "admin@example.org");
}

static void
quotes_hold_blanks (void)
{
    expect ("\"a b\"@x.example\t\"c d\"@x.example\n", "\"a b\"@x.example", MESSAGE_MAP_DEFAULT, "\"c d\"@x.example");
    expect ("\"a b\" c@x.example\n", "\"a b\"@x.example", MESSAGE_MAP_LOCAL, "c@x.example");
    expect ("@a.example @b.example\n", "\"x@y\"@a.example", MESSAGE_MAP_DEFAULT, "\"x@y\"@b.example");
}

static void
comments_and_empty_lines_are_nothing (void)
{
    expect ("# all\n\n   # more\r\n  root  a@x.example  \r\n", "root@x.example", MESSAGE_MAP_LOCAL, "a@x.example");
    expect ("", "root@x.example", MESSAGE_MAP_LOCAL, NULL);
}

static void
a_line_that_makes_no_sense_is_told (void)
{
    expect_problem ("root\n", "1: “root…”: expected a pattern and its replacement");
    expect_problem ("\nroot a@x.example b@x.example\n", "2: “root…”");
    expect_problem ("root a@b@c\n", "1: “a@b@c” is not an address");
    expect_problem ("a@b@c root\n", "1: “a@b@c” is not an address");
    expect_problem ("@ root\n", "1: “x@” is not an address");
    expect_problem ("root: a@x.example\n", "1: “root:” is not an address");
    expect_problem ("/^root/ a@x.example b\n", "1: ");
    expect_problem ("\xff x\n", "not UTF-8");
}

static void
the_rest_of_a_bad_table_is_read (void)
{
    g_autoptr (MessageAddressMap) map = parse ("nonsense\nroot a@x.example\n", "1: ");
    g_autofree gchar *found = message_address_map_find (map, "root@x.example", MESSAGE_MAP_LOCAL);

    g_assert_cmpstr (found, ==, "a@x.example");
}

/* An address is complete when it is looked up. */
static void
short_names_of_hosts_get_their_parent (void)
{
    expect ("jane@host a@x.example\n", "jane@host.example.com", MESSAGE_MAP_DEFAULT, "a@x.example");
    expect ("@host a@x.example\n", "jane@host.example.com", MESSAGE_MAP_DEFAULT, "a@x.example");
    expect ("@host a@x.example\n", "jane@host.example", MESSAGE_MAP_DEFAULT, NULL);
    expect ("@x.example @host\n", "jane@x.example", MESSAGE_MAP_DEFAULT, "jane@host.example.com");
    expect ("@x.example a@host\n", "jane@x.example", MESSAGE_MAP_DEFAULT, "a@host.example.com");
}

static void
what_every_domain_is_below_is_no_host (void)
{
    expect ("@.example a@x.test\n", "jane@host.example", MESSAGE_MAP_DEFAULT, "a@x.test");
    expect ("@localhost a@x.test\n", "jane@example.org", MESSAGE_MAP_DEFAULT, NULL);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);

#define TEST(name, function) g_test_add_func ("/message/address-map/" name, function)
    TEST ("the-most-specific-pattern-counts", the_most_specific_pattern_counts);
    TEST ("a-local-part-alone-is-for-local-addresses", a_local_part_alone_is_for_local_addresses);
    TEST ("what-takes-all-can-be-left-out", what_takes_all_can_be_left_out);
    TEST ("case-makes-no-difference", case_makes_no_difference);
    TEST ("what-has-no-domain-is-completed", what_has_no_domain_is_completed);
    TEST ("short-names-of-hosts-get-their-parent", short_names_of_hosts_get_their_parent);
    TEST ("what-every-domain-is-below-is-no-host", what_every_domain_is_below_is_no_host);
    TEST ("quotes-hold-blanks", quotes_hold_blanks);
    TEST ("comments-and-empty-lines-are-nothing", comments_and_empty_lines_are_nothing);
    TEST ("a-line-that-makes-no-sense-is-told", a_line_that_makes_no_sense_is_told);
    TEST ("the-rest-of-a-bad-table-is-read", the_rest_of_a_bad_table_is_read);
#undef TEST

    return g_test_run ();
}
