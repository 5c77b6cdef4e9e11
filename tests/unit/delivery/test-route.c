/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Which mail a route is for. */

#include "delivery/route.h"

static gboolean
matches (const gchar *text, const gchar *address)
{
    g_autofree gchar *bad = NULL;
    g_autoptr (DeliveryPatterns) patterns = delivery_patterns_new (text, &bad);

    g_assert_cmpstr (bad, ==, NULL);
    return delivery_patterns_match (patterns, address);
}

static void
test_address (void)
{
    g_assert_true (matches ("me@example.org", "me@example.org"));
    g_assert_true (matches ("Me@Example.ORG", "mE@example.org"));
    g_assert_false (matches ("me@example.org", "you@example.org"));
    g_assert_false (matches ("me@example.org", "me@mail.example.org"));
}

static void
test_domain (void)
{
    g_assert_true (matches ("example.org", "me@example.org"));
    g_assert_true (matches ("@example.org", "me@example.org"));
    g_assert_true (matches ("*@example.org", "me@example.org"));
    g_assert_false (matches ("example.org", "me@mail.example.org"));
    g_assert_false (matches ("example.org", "me@badexample.org"));
    g_assert_true (matches ("[192.0.2.1]", "me@[192.0.2.1]"));
}

static void
test_sub_domains (void)
{
    g_assert_true (matches ("*.example.org", "me@mail.example.org"));
    g_assert_true (matches ("*.example.org", "me@a.b.example.org"));
    g_assert_false (matches ("*.example.org", "me@example.org"));
    g_assert_false (matches ("*.example.org", "me@mail.badexample.org"));
}

static void
test_local_part (void)
{
    g_assert_true (matches ("root@", "root@anything.example"));
    g_assert_true (matches ("root@*", "ROOT@anything.example"));
    g_assert_true (matches ("root@", "root"));
    g_assert_false (matches ("root@", "toor@anything.example"));
}

static void
test_null (void)
{
    g_assert_true (matches ("<>", ""));
    g_assert_false (matches ("<>", "me@example.org"));
    g_assert_false (matches ("example.org me@", ""));
    g_assert_true (matches ("*", ""));
    g_assert_true (matches ("*", "me@example.org"));
}

static void
test_international (void)
{
    g_assert_true (matches ("bücher.example", "me@xn--bcher-kva.example"));
    g_assert_true (matches ("xn--bcher-kva.example", "me@bücher.example"));
    g_assert_true (matches ("Ä@example.org", "ä@example.org"));
}

static void
test_several (void)
{
    const gchar *text = "a@example.org \t example.net *.example.com";

    g_assert_true (matches (text, "a@example.org"));
    g_assert_true (matches (text, "b@example.net"));
    g_assert_true (matches (text, "c@x.example.com"));
    g_assert_false (matches (text, "b@example.org"));
}

static void
test_bad (gconstpointer word)
{
    g_autofree gchar *text = g_strdup_printf ("good.example %s", (const gchar *) word);
    g_autofree gchar *bad = NULL;

    g_assert_null (delivery_patterns_new (text, &bad));
    g_assert_cmpstr (bad, ==, word);
}

/* ---- Routes ---- */

static DeliveryRoute *
add_route (GPtrArray *routes, const gchar *name, const gchar *recipients, const gchar *senders)
{
    DeliveryRoute *route = delivery_route_new (name);
    g_autofree gchar *bad = NULL;

    route->recipients = recipients ? delivery_patterns_new (recipients, &bad) : NULL;
    route->senders = senders ? delivery_patterns_new (senders, &bad) : NULL;
    g_ptr_array_add (routes, route);
    return route;
}

static const gchar *
find (const GPtrArray *routes, const gchar *sender, const gchar *recipient, gint64 uid)
{
    const DeliveryRoute *route = delivery_routes_find (routes, sender, recipient, uid);

    return route ? route->name : NULL;
}

static GPtrArray *
new_routes (void)
{
    return g_ptr_array_new_with_free_func ((GDestroyNotify) delivery_route_free);
}

static void
test_first (void)
{
    g_autoptr (GPtrArray) routes = new_routes ();

    add_route (routes, "one", "example.net", NULL);
    add_route (routes, "two", NULL, "me@example.org");
    add_route (routes, "three", "other@example.net", NULL);
    g_assert_cmpstr (find (routes, "me@example.org", "x@example.net", -1), ==, "one");
    g_assert_cmpstr (find (routes, "me@example.org", "x@example.com", -1), ==, "two");
    g_assert_cmpstr (find (routes, "you@example.org", "other@example.net", -1), ==, "one");
    g_assert_cmpstr (find (routes, "you@example.org", "x@example.com", -1), ==, NULL);
}

static void
test_all_conditions (void)
{
    g_autoptr (GPtrArray) routes = new_routes ();
    const gint64 uid = 1000;
    DeliveryRoute *route = add_route (routes, "narrow", "example.net", "me@example.org");

    route->users = g_array_new (FALSE, FALSE, sizeof (gint64));
    g_array_append_val (route->users, uid);
    g_assert_cmpstr (find (routes, "me@example.org", "x@example.net", 1000), ==, "narrow");
    g_assert_cmpstr (find (routes, "me@example.org", "x@example.net", 1001), ==, NULL);
    g_assert_cmpstr (find (routes, "me@example.org", "x@example.net", -1), ==, NULL);
    g_assert_cmpstr (find (routes, "me@example.org", "x@example.com", 1000), ==, NULL);
    g_assert_cmpstr (find (routes, "", "x@example.net", 1000), ==, NULL);
}

static void
test_no_conditions (void)
{
    g_autoptr (GPtrArray) routes = new_routes ();

    add_route (routes, "rest", NULL, NULL);
    g_assert_cmpstr (find (routes, "", "x@example.net", -1), ==, "rest");
}

static void
test_no_known_user (void)
{
    g_autoptr (GPtrArray) routes = new_routes ();
    DeliveryRoute *route = add_route (routes, "gone", NULL, NULL);

    route->users = g_array_new (FALSE, FALSE, sizeof (gint64));
    g_assert_cmpstr (find (routes, "", "x@example.net", -1), ==, NULL);
}

static void
test_lead_alike (void)
{
    g_autoptr (GPtrArray) a = new_routes ();
    g_autoptr (GPtrArray) b = new_routes ();

    add_route (a, "one", "example.net", NULL);
    g_assert_false (delivery_routes_lead_alike (a, b));
    add_route (b, "one", "example.net", NULL);
    g_assert_true (delivery_routes_lead_alike (a, b));

    /* By whom a lane goes is the lane's business. */
    ((DeliveryRoute *) g_ptr_array_index (b, 0))->share = TRUE;
    g_assert_true (delivery_routes_lead_alike (a, b));
    ((DeliveryRoute *) g_ptr_array_index (b, 0))->action = DELIVERY_ROUTE_HOLD;
    g_assert_false (delivery_routes_lead_alike (a, b));
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/delivery/route/an-address-is-matched-without-regard-to-case", test_address);
    g_test_add_func ("/delivery/route/a-domain-is-matched-alone", test_domain);
    g_test_add_func ("/delivery/route/sub-domains-are-matched-at-any-depth", test_sub_domains);
    g_test_add_func ("/delivery/route/a-local-part-is-matched-in-any-domain", test_local_part);
    g_test_add_func ("/delivery/route/the-null-sender-has-a-pattern-of-its-own", test_null);
    g_test_add_func ("/delivery/route/international-domains-match-in-either-form", test_international);
    g_test_add_func ("/delivery/route/any-of-several-patterns-will-do", test_several);
    g_test_add_data_func ("/delivery/route/a-star-within-a-name-is-no-pattern", "ex*mple.org", test_bad);
    g_test_add_data_func ("/delivery/route/a-star-within-a-local-part-is-no-pattern", "m*@example.org", test_bad);
    g_test_add_data_func ("/delivery/route/an-empty-label-is-no-pattern", "example..org", test_bad);
    g_test_add_data_func ("/delivery/route/a-leading-dot-is-no-pattern", ".example.org", test_bad);
    g_test_add_data_func ("/delivery/route/a-comma-is-no-pattern", "a@example.org,b@example.org", test_bad);
    g_test_add_data_func ("/delivery/route/a-lone-at-is-no-pattern", "@", test_bad);
    g_test_add_data_func ("/delivery/route/bytes-that-are-no-text-are-no-pattern", "\xff@example.org", test_bad);
    g_test_add_func ("/delivery/route/the-first-that-matches-decides", test_first);
    g_test_add_func ("/delivery/route/all-conditions-must-be-met", test_all_conditions);
    g_test_add_func ("/delivery/route/no-conditions-match-everything", test_no_conditions);
    g_test_add_func ("/delivery/route/users-that-do-not-exist-match-nobody", test_no_known_user);
    g_test_add_func ("/delivery/route/only-what-leads-elsewhere-sorts-mail-anew", test_lead_alike);
    return g_test_run ();
}
