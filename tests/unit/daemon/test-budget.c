/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Who may have how much of what runs out. */

#include "budget.h"

#include <arpa/inet.h>
#include <netinet/in.h>

/* Of 100 one may have 50; the last 20 are for those who have at most 2, the last 5 for root. */
static const BudgetLimits limits = {.most = 100, .each = 50, .root = 5, .others = 20, .few = 2};

typedef struct {
    Budget *budget;
    GPtrArray *shares; /* of what was taken, one by one */
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
    fixture->budget = budget_new (&limits);
    fixture->shares = g_ptr_array_new ();
}

static void
give_all_back (Fixture *fixture)
{
    while (fixture->shares->len > 0)
        budget_give_back (g_ptr_array_steal_index (fixture->shares, 0), 1);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
    give_all_back (fixture);
    g_assert_cmpuint (budget_taken (fixture->budget), ==, 0);
    budget_free (fixture->budget);
    g_ptr_array_unref (fixture->shares);
}

static BudgetAnswer
take_one (Fixture *fixture, BudgetOwner owner)
{
    BudgetShare *share = NULL;
    BudgetAnswer answer = budget_take (fixture->budget, &owner, 1, &share);

    if (answer == BUDGET_TAKEN)
        g_ptr_array_add (fixture->shares, share);
    return answer;
}

/* Takes as long as it is allowed, and tells how much that was. */
static guint
take_all (Fixture *fixture, BudgetOwner owner, BudgetAnswer *last)
{
    guint count = 0;

    while ((*last = take_one (fixture, owner)) == BUDGET_TAKEN)
        count++;
    return count;
}

static BudgetOwner
address (const gchar *text)
{
    struct sockaddr_in ipv4 = {.sin_family = AF_INET};
    struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6};

    if (inet_pton (AF_INET, text, &ipv4.sin_addr) == 1)
        return budget_address ((struct sockaddr *) &ipv4);
    g_assert_cmpint (inet_pton (AF_INET6, text, &ipv6.sin6_addr), ==, 1);
    return budget_address ((struct sockaddr *) &ipv6);
}

static void
test_one_owner_gets_no_more_than_each (Fixture *fixture, gconstpointer data)
{
    BudgetAnswer last;

    g_assert_cmpuint (take_all (fixture, budget_user (1000), &last), ==, 50);
    g_assert_cmpint (last, ==, BUDGET_OWNER_HAS_MOST);
}

static void
test_the_greedy_leave_some_for_others (Fixture *fixture, gconstpointer data)
{
    BudgetAnswer last;

    g_assert_cmpuint (take_all (fixture, budget_user (1000), &last), ==, 50);
    g_assert_cmpuint (take_all (fixture, budget_user (1001), &last), ==, 30);
    g_assert_cmpint (last, ==, BUDGET_ALL_TAKEN);
    g_assert_cmpuint (take_all (fixture, budget_user (1002), &last), ==, 2);
    g_assert_cmpuint (take_all (fixture, address ("192.0.2.1"), &last), ==, 2);
    g_assert_cmpuint (take_all (fixture, budget_user (-1), &last), ==, 2);
}

static void
test_what_is_kept_for_root_is_roots_alone (Fixture *fixture, gconstpointer data)
{
    BudgetAnswer last;

    for (gint uid = 1000; uid < 1100; uid++)
        take_all (fixture, budget_user (uid), &last);
    g_assert_cmpuint (budget_taken (fixture->budget), ==, 95);
    g_assert_cmpint (take_one (fixture, budget_user (2000)), ==, BUDGET_ALL_TAKEN);
    g_assert_cmpint (take_one (fixture, budget_user (0)), ==, BUDGET_TAKEN);
}

/* A program of root's that runs wild takes no less than one of a user's. */
static void
test_root_leaves_others_their_part (Fixture *fixture, gconstpointer data)
{
    BudgetAnswer last;

    g_assert_cmpuint (take_all (fixture, budget_user (0), &last), ==, 80);
    g_assert_cmpuint (take_all (fixture, budget_user (1000), &last), ==, 2);
}

static void
test_what_is_given_back_can_be_taken_again (Fixture *fixture, gconstpointer data)
{
    BudgetAnswer last;

    take_all (fixture, budget_user (1000), &last);
    budget_give_back (g_ptr_array_steal_index (fixture->shares, 0), 1);
    g_assert_cmpuint (take_all (fixture, budget_user (1000), &last), ==, 1);
    give_all_back (fixture);
    g_assert_cmpuint (take_all (fixture, budget_user (1000), &last), ==, 50);
}

static void
test_owners_of_different_kinds_do_not_mix (Fixture *fixture, gconstpointer data)
{
    const BudgetOwner owners[] = {budget_user (-1),     budget_user (0),     budget_user (1),
                                  address ("0.0.0.1"),  address ("1.0.0.0"), address ("2001:db8::"),
                                  budget_name (":1.1"), budget_name ("")};

    for (guint i = 0; i < G_N_ELEMENTS (owners); i++) {
        g_assert_cmpuint (budget_taken_by (fixture->budget, &owners[i]), ==, 0);
        g_assert_cmpint (take_one (fixture, owners[i]), ==, BUDGET_TAKEN);
        g_assert_cmpuint (budget_taken_by (fixture->budget, &owners[i]), ==, 1);
    }
}

static void
test_one_hosts_addresses_are_one (Fixture *fixture, gconstpointer data)
{
    const BudgetOwner other = address ("2001:db8:0:2::1");
    const BudgetOwner ipv4 = address ("192.0.2.7");

    take_one (fixture, address ("2001:db8:0:1::1"));
    take_one (fixture, address ("2001:db8:0:1:ffff::"));
    take_one (fixture, address ("::ffff:192.0.2.7"));
    g_assert_cmpuint (budget_taken_by (fixture->budget, &other), ==, 0);
    g_assert_cmpuint (budget_taken_by (fixture->budget, &ipv4), ==, 1);
    g_assert_cmpuint (budget_taken (fixture->budget), ==, 3);
}

/* A name need not outlive the taking. */
static void
test_a_name_is_copied (Fixture *fixture, gconstpointer data)
{
    gchar name[] = ":1.10";
    const BudgetOwner owner = budget_name (":1.10");

    take_one (fixture, budget_name (name));
    name[3] = '2';
    g_assert_cmpuint (budget_taken_by (fixture->budget, &owner), ==, 1);
}

static void
test_amounts_are_whole_or_not_at_all (Fixture *fixture, gconstpointer data)
{
    const BudgetOwner owner = budget_user (1000);
    BudgetShare *share = NULL;

    g_assert_cmpint (budget_take (fixture->budget, &owner, 51, &share), ==, BUDGET_OWNER_HAS_MOST);
    g_assert_cmpint (budget_take (fixture->budget, &owner, G_MAXUINT64, &share), ==, BUDGET_OWNER_HAS_MOST);
    g_assert_cmpuint (budget_taken (fixture->budget), ==, 0);
    g_assert_cmpint (budget_take (fixture->budget, &owner, 50, &share), ==, BUDGET_TAKEN);
    g_assert_cmpint (budget_take (fixture->budget, &owner, G_MAXUINT64, &share), ==, BUDGET_OWNER_HAS_MOST);
    budget_give_back (share, 20);
    g_assert_cmpuint (budget_taken_by (fixture->budget, &owner), ==, 30);
    budget_give_back (share, 30);
}

static void
test_lower_limits_take_nothing_away (Fixture *fixture, gconstpointer data)
{
    const BudgetLimits lower = {.most = 10, .each = 5};
    BudgetAnswer last;

    take_all (fixture, budget_user (1000), &last);
    budget_set_limits (fixture->budget, &lower);
    g_assert_cmpuint (budget_taken (fixture->budget), ==, 50);
    g_assert_cmpint (take_one (fixture, budget_user (1000)), ==, BUDGET_OWNER_HAS_MOST);
    g_assert_cmpint (take_one (fixture, budget_user (1001)), ==, BUDGET_ALL_TAKEN);
}

/* Whatever the whole is, somebody gets something, and one never gets what is kept for others. */
static void
test_parts_of_any_whole_make_sense (void)
{
    for (guint64 most = 1; most < 5000; most++) {
        BudgetLimits parts = budget_limits_share (most);

        g_assert_cmpuint (parts.most, ==, most);
        g_assert_cmpuint (parts.each, >=, 1);
        g_assert_cmpuint (parts.each, <=, MAX (1, most - parts.others));
        g_assert_cmpuint (parts.few, <=, parts.each);
        g_assert_cmpuint (parts.root, <=, parts.others);
        g_assert_cmpuint (parts.root, <, most);
    }
}

#define ADD(name, function) g_test_add ("/budget/" name, Fixture, NULL, set_up, function, tear_down)

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);

    ADD ("one-owner-gets-no-more-than-each", test_one_owner_gets_no_more_than_each);
    ADD ("the-greedy-leave-some-for-others", test_the_greedy_leave_some_for_others);
    ADD ("what-is-kept-for-root-is-roots-alone", test_what_is_kept_for_root_is_roots_alone);
    ADD ("root-leaves-others-their-part", test_root_leaves_others_their_part);
    ADD ("what-is-given-back-can-be-taken-again", test_what_is_given_back_can_be_taken_again);
    ADD ("owners-of-different-kinds-do-not-mix", test_owners_of_different_kinds_do_not_mix);
    ADD ("one-hosts-addresses-are-one", test_one_hosts_addresses_are_one);
    ADD ("a-name-is-copied", test_a_name_is_copied);
    ADD ("amounts-are-whole-or-not-at-all", test_amounts_are_whole_or_not_at_all);
    ADD ("lower-limits-take-nothing-away", test_lower_limits_take_nothing_away);
    g_test_add_func ("/budget/parts-of-any-whole-make-sense", test_parts_of_any_whole_make_sense);

    return g_test_run ();
}
