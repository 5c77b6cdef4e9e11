/* SPDX-License-Identifier: GPL-3.0-or-later */

/* How long a client may take: the clock is the test's own. */

#include "pace.h"

#define PATIENCE 300
#define BEGIN    (G_GINT64_CONSTANT (5) * G_USEC_PER_SEC)

static guint
left (const Pace *pace, guint seconds_later)
{
    return pace_left (pace, PATIENCE, BEGIN + (gint64) seconds_later * G_USEC_PER_SEC);
}

static void
test_a_command_has_its_time_and_no_more (void)
{
    Pace pace;

    pace_begin (&pace, BEGIN);
    g_assert_cmpuint (left (&pace, 0), ==, PATIENCE);
    g_assert_cmpuint (left (&pace, PATIENCE - 1), ==, 1);
    g_assert_cmpuint (left (&pace, PATIENCE), ==, 0);
    g_assert_cmpuint (left (&pace, 100 * PATIENCE), ==, 0);
}

static void
test_what_is_over_begins_the_time_anew (void)
{
    Pace pace;

    pace_begin (&pace, BEGIN);
    pace_begin (&pace, BEGIN + (gint64) (PATIENCE - 1) * G_USEC_PER_SEC);
    g_assert_cmpuint (left (&pace, PATIENCE - 1), ==, PATIENCE);
    g_assert_cmpuint (left (&pace, 2 * PATIENCE - 1), ==, 0);
}

/* A modem of 300 baud, for an hour. */
static void
test_a_slow_line_has_all_the_time_that_it_needs (void)
{
    Pace pace;

    pace_begin (&pace, BEGIN);
    for (guint second = 1; second <= 3600; second++) {
        pace_add (&pace, 30);
        g_assert_cmpuint (left (&pace, second), ==, PATIENCE);
    }
}

static void
test_an_octet_now_and_then_is_not_enough (void)
{
    Pace pace;
    guint seconds = 0;

    pace_begin (&pace, BEGIN);
    while (left (&pace, seconds) > 0) {
        pace_add (&pace, 1);
        seconds += PATIENCE / 10;
    }
    g_assert_cmpuint (seconds, <=, PATIENCE + PATIENCE / 10);
}

/* A program that has written a quarter of a megabyte, and then a line every minute for an hour. */
static void
test_what_came_fast_is_to_the_clients_credit (void)
{
    Pace pace;

    pace_begin (&pace, BEGIN);
    pace_add (&pace, 256 * 1024);
    for (guint minute = 1; minute <= 60; minute++) {
        pace_add (&pace, 10);
        g_assert_cmpuint (left (&pace, 60 * minute), ==, PATIENCE);
    }
}

static void
test_time_that_others_took_does_not_count (void)
{
    Pace pace;

    pace_begin (&pace, BEGIN);
    pace_forgive (&pace, (gint64) PATIENCE * G_USEC_PER_SEC);
    g_assert_cmpuint (left (&pace, PATIENCE), ==, PATIENCE);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/daemon/pace/a-command-has-its-time-and-no-more", test_a_command_has_its_time_and_no_more);
    g_test_add_func ("/daemon/pace/what-is-over-begins-the-time-anew", test_what_is_over_begins_the_time_anew);
    g_test_add_func ("/daemon/pace/a-slow-line-has-all-the-time-that-it-needs",
                     test_a_slow_line_has_all_the_time_that_it_needs);
    g_test_add_func ("/daemon/pace/an-octet-now-and-then-is-not-enough", test_an_octet_now_and_then_is_not_enough);
    g_test_add_func ("/daemon/pace/what-came-fast-is-to-the-clients-credit",
                     test_what_came_fast_is_to_the_clients_credit);
    g_test_add_func ("/daemon/pace/time-that-others-took-does-not-count", test_time_that_others_took_does_not_count);

    return g_test_run ();
}
