/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Who belongs to a set of networks. */

#include "networks.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

static gboolean
contains (const Networks *networks, const gchar *text)
{
    struct sockaddr_in ipv4 = {.sin_family = AF_INET};
    struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6};

    if (inet_pton (AF_INET, text, &ipv4.sin_addr) == 1)
        return networks_contain (networks, (const struct sockaddr *) &ipv4);

    g_assert_cmpint (inet_pton (AF_INET6, text, &ipv6.sin6_addr), ==, 1);
    return networks_contain (networks, (const struct sockaddr *) &ipv6);
}

static void
test_a_network_holds_its_addresses_and_no_others (void)
{
    g_autoptr (Networks) networks = networks_new ("10.1.0.0/16 192.0.2.128/25 2001:db8::/33", NULL);

    g_assert_nonnull (networks);
    g_assert_true (contains (networks, "10.1.0.0"));
    g_assert_true (contains (networks, "10.1.255.255"));
    g_assert_false (contains (networks, "10.2.0.0"));
    g_assert_false (contains (networks, "10.0.255.255"));
    g_assert_true (contains (networks, "192.0.2.128"));
    g_assert_false (contains (networks, "192.0.2.127"));
    g_assert_true (contains (networks, "2001:db8:7fff::1"));
    g_assert_false (contains (networks, "2001:db8:8000::1"));
    g_assert_false (contains (networks, "::"));
}

static void
test_a_lone_address_is_a_network_of_one (void)
{
    g_autoptr (Networks) networks = networks_new ("192.0.2.1,::1", NULL);

    g_assert_true (contains (networks, "192.0.2.1"));
    g_assert_false (contains (networks, "192.0.2.0"));
    g_assert_true (contains (networks, "::1"));
    g_assert_false (contains (networks, "::2"));
}

static void
test_an_ipv4_address_in_ipv6_form_is_the_same (void)
{
    g_autoptr (Networks) networks = networks_new ("127.0.0.0/8", NULL);

    g_assert_true (contains (networks, "::ffff:127.0.0.1"));
    g_assert_false (contains (networks, "::127.0.0.1"));
    g_assert_false (contains (networks, "::ffff:128.0.0.1"));
}

static void
test_an_ipv6_network_holds_no_ipv4 (void)
{
    g_autoptr (Networks) networks = networks_new ("2000::/3", NULL);

    g_assert_false (contains (networks, "32.0.0.1"));
}

static void
test_all_addresses_may_be_meant (void)
{
    g_autoptr (Networks) networks = networks_new ("0.0.0.0/0", NULL);
    g_autoptr (Networks) both = networks_new ("::/0", NULL);

    g_assert_true (contains (networks, "203.0.113.7"));
    g_assert_false (contains (networks, "2001:db8::1"));
    g_assert_true (contains (both, "203.0.113.7"));
}

static void
test_an_empty_set_holds_nobody (void)
{
    g_autoptr (Networks) networks = networks_new ("", NULL);
    struct sockaddr_un local = {.sun_family = AF_UNIX};

    g_assert_nonnull (networks);
    g_assert_false (contains (networks, "127.0.0.1"));
    g_assert_false (networks_contain (networks, (const struct sockaddr *) &local));
}

static void
test_what_is_no_network_is_named (void)
{
    static const gchar *const bad[] = {"localhost",    "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1",
                                       "10.0.0.0/8/8", "10.0.0/24",   "::1/129",   "1.2.3.4/24",
                                       "fe80::1/64",   "10.0.0.0/+8", "[::1]"};

    for (guint i = 0; i < G_N_ELEMENTS (bad); i++) {
        g_autofree gchar *text = g_strdup_printf ("127.0.0.1 %s ::1", bad[i]);
        g_autofree gchar *named = NULL;

        g_assert_null (networks_new (text, &named));
        g_assert_cmpstr (named, ==, bad[i]);
    }
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);

    g_test_add_func ("/daemon/networks/a-network-holds-its-addresses-and-no-others",
                     test_a_network_holds_its_addresses_and_no_others);
    g_test_add_func ("/daemon/networks/a-lone-address-is-a-network-of-one", test_a_lone_address_is_a_network_of_one);
    g_test_add_func ("/daemon/networks/an-ipv4-address-in-ipv6-form-is-the-same",
                     test_an_ipv4_address_in_ipv6_form_is_the_same);
    g_test_add_func ("/daemon/networks/an-ipv6-network-holds-no-ipv4", test_an_ipv6_network_holds_no_ipv4);
    g_test_add_func ("/daemon/networks/all-addresses-may-be-meant", test_all_addresses_may_be_meant);
    g_test_add_func ("/daemon/networks/an-empty-set-holds-nobody", test_an_empty_set_holds_nobody);
    g_test_add_func ("/daemon/networks/what-is-no-network-is-named", test_what_is_no_network_is_named);

    return g_test_run ();
}
