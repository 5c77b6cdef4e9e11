/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "delivery/retry.h"

#define MIDDLE 0.5 /* the random number that shifts nothing */

static void
test_doubles (void)
{
    g_assert_cmpuint (delivery_retry_seconds (1, 60, 3600, MIDDLE), ==, 60);
    g_assert_cmpuint (delivery_retry_seconds (2, 60, 3600, MIDDLE), ==, 120);
    g_assert_cmpuint (delivery_retry_seconds (5, 60, 3600, MIDDLE), ==, 960);
}

static void
test_bounded (void)
{
    g_assert_cmpuint (delivery_retry_seconds (7, 60, 3600, MIDDLE), ==, 3600);
    g_assert_cmpuint (delivery_retry_seconds (G_MAXUINT, 60, 3600, MIDDLE), ==, 3600);
    g_assert_cmpuint (delivery_retry_seconds (1, 600, 60, MIDDLE), ==, 60);
}

static void
test_spread (void)
{
    g_assert_cmpuint (delivery_retry_seconds (3, 100, 3600, 0.0), ==, 320);
    g_assert_cmpuint (delivery_retry_seconds (3, 100, 3600, 0.9999999), ==, 479);
}

static void
test_never_at_once (void)
{
    g_assert_cmpuint (delivery_retry_seconds (1, 0, 0, 0.0), ==, 1);
    g_assert_cmpuint (delivery_retry_seconds (1, 1, 1, 0.0), ==, 1);
}

static void
test_no_overflow (void)
{
    g_assert_cmpuint (delivery_retry_seconds (100, 1, G_MAXUINT, 0.99), ==, G_MAXINT);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/delivery/retry/delay-doubles-with-each-failure", test_doubles);
    g_test_add_func ("/delivery/retry/delay-grows-no-further-than-the-longest", test_bounded);
    g_test_add_func ("/delivery/retry/chance-shifts-by-a-fifth-either-way", test_spread);
    g_test_add_func ("/delivery/retry/never-at-once", test_never_at_once);
    g_test_add_func ("/delivery/retry/large-delays-do-not-overflow", test_no_overflow);
    return g_test_run ();
}
