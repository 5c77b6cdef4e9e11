/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What the limit of descriptors is divided into. */

#include "descriptors.h"

static void
test_a_limit_that_is_high_enough_gives_what_is_wanted (void)
{
    const Descriptors parts = descriptors_share (16384, 2048);

    g_assert_cmpuint (parts.sessions, ==, 2048);
    g_assert_cmpuint (parts.submissions, ==, 512);
    g_assert_cmpuint (parts.baggage, ==, 1024);
    g_assert_cmpuint (parts.streams, ==, 128);
}

static void
test_the_parts_are_below_any_limit (void)
{
    for (guint limit = 64; limit < 70000; limit += 7) {
        for (guint wanted = 1; wanted < 100000; wanted = wanted * 3 + 1) {
            const Descriptors parts = descriptors_share (limit, wanted);

            g_assert_cmpuint (parts.sessions, >=, 1);
            g_assert_cmpuint (parts.sessions, <=, wanted);
            g_assert_cmpuint (parts.submissions, >=, 1);
            g_assert_cmpuint (parts.baggage, >=, 1);
            g_assert_cmpuint (parts.streams, >=, 1);
            g_assert_cmpuint (parts.sessions + parts.submissions + parts.baggage + parts.streams, <=,
                              limit - MIN (1024, limit / 4));
        }
    }
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);

    g_test_add_func ("/daemon/descriptors/a-limit-that-is-high-enough-gives-what-is-wanted",
                     test_a_limit_that_is_high_enough_gives_what_is_wanted);
    g_test_add_func ("/daemon/descriptors/the-parts-are-below-any-limit", test_the_parts_are_below_any_limit);

    return g_test_run ();
}
