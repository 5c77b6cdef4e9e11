/* SPDX-License-Identifier: GPL-3.0-or-later */

/* When it is noticed that nothing happens. */

#include "idle.h"

#define AFTER_MSEC 20

/* So long that a busy machine does not make the one time look like twice that. */
#define LONGER_MSEC     1000
#define USED_AFTER_MSEC 50

typedef struct {
    GMainLoop *loop;
    Idle *idle;
    gint64 began_usec;
    gint64 used_usec;
    guint busy_for; /* how often it says that it is busy */
    guint asked;
    guint fallen;
} Fixture;

static gint64
used_usec (gpointer user_data)
{
    return ((Fixture *) user_data)->used_usec;
}

static gboolean
is_busy (gpointer user_data)
{
    Fixture *fixture = user_data;

    return fixture->asked++ < fixture->busy_for;
}

static void
fell_idle (gpointer user_data)
{
    Fixture *fixture = user_data;

    fixture->fallen++;
    g_main_loop_quit (fixture->loop);
}

static const IdleListener listener = {.used_usec = used_usec, .is_busy = is_busy, .fell_idle = fell_idle};

static void
set_up (Fixture *fixture, gconstpointer after_msec)
{
    fixture->loop = g_main_loop_new (NULL, FALSE);
    fixture->began_usec = g_get_monotonic_time ();
    fixture->idle = idle_new (GPOINTER_TO_UINT (after_msec), &listener, fixture);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
    idle_free (fixture->idle);
    g_main_loop_unref (fixture->loop);
}

static gint64
run (Fixture *fixture)
{
    g_main_loop_run (fixture->loop);
    return (g_get_monotonic_time () - fixture->began_usec) / 1000;
}

static void
test_nothing_happens_for_a_while (Fixture *fixture, gconstpointer data)
{
    g_assert_cmpint (run (fixture), >=, AFTER_MSEC);
    g_assert_cmpuint (fixture->fallen, ==, 1);
    g_assert_false (g_main_context_pending (NULL));
}

static gboolean
touch (gpointer user_data)
{
    Fixture *fixture = user_data;

    idle_touch (fixture->idle);
    return G_SOURCE_REMOVE;
}

static void
test_a_touch_begins_the_time_anew (Fixture *fixture, gconstpointer data)
{
    g_timeout_add (AFTER_MSEC / 2, touch, fixture);
    g_assert_cmpint (run (fixture), >=, AFTER_MSEC / 2 + AFTER_MSEC);
    g_assert_cmpuint (fixture->asked, ==, 1);
}

/* The time is not begun anew when it is noticed, but counts from then. */
static gboolean
use (gpointer user_data)
{
    Fixture *fixture = user_data;

    fixture->used_usec = fixture->began_usec = g_get_monotonic_time ();
    return G_SOURCE_REMOVE;
}

static void
test_the_time_counts_from_the_last_use (Fixture *fixture, gconstpointer data)
{
    gint64 passed;

    g_timeout_add (USED_AFTER_MSEC, use, fixture);
    passed = run (fixture);
    g_assert_cmpint (passed, >=, LONGER_MSEC);
    g_assert_cmpint (passed, <, 2 * LONGER_MSEC - USED_AFTER_MSEC);
    g_assert_cmpuint (fixture->asked, ==, 1);
}

static void
test_what_is_busy_is_not_idle (Fixture *fixture, gconstpointer data)
{
    fixture->busy_for = 3;
    g_assert_cmpint (run (fixture), >=, 4 * AFTER_MSEC);
    g_assert_cmpuint (fixture->asked, ==, 4);
    g_assert_cmpuint (fixture->fallen, ==, 1);
}

/* A timer that there is not cannot fire. */
static void
test_zero_is_never (Fixture *fixture, gconstpointer data)
{
    gint timeout = 0;
    GPollFD fd;

    g_assert_false (g_main_context_prepare (g_main_context_default (), NULL));
    g_main_context_query (g_main_context_default (), G_PRIORITY_LOW, &timeout, &fd, 1);
    g_assert_cmpint (timeout, ==, -1);
}

static void
test_another_time_counts_at_once (Fixture *fixture, gconstpointer data)
{
    idle_set_after (fixture->idle, AFTER_MSEC);
    g_assert_cmpint (run (fixture), <, 60000);
    g_assert_cmpuint (fixture->fallen, ==, 1);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
#define ADD(name, after_msec, test)                                                                                  \
    g_test_add ("/daemon/idle/" name, Fixture, GUINT_TO_POINTER (after_msec), set_up, test, tear_down)
    ADD ("nothing-happens-for-a-while", AFTER_MSEC, test_nothing_happens_for_a_while);
    ADD ("a-touch-begins-the-time-anew", AFTER_MSEC, test_a_touch_begins_the_time_anew);
    ADD ("the-time-counts-from-the-last-use", LONGER_MSEC, test_the_time_counts_from_the_last_use);
    ADD ("what-is-busy-is-not-idle", AFTER_MSEC, test_what_is_busy_is_not_idle);
    ADD ("zero-is-never", 0, test_zero_is_never);
    ADD ("another-time-counts-at-once", 3600 * 1000, test_another_time_counts_at_once);
    return g_test_run ();
}
