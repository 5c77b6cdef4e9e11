/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * What becomes of very many recipients at once is told in the order in which it happened, and the main loop is free between.
 */

#include "fixture.h"

#define MANY 3000

/* More than a slice has, and far less than all of it. */
#define TURN_MOST (MANY / 4)

static QueueId
commit_many (Fixture *fixture)
{
    g_autoptr (GString) recipients = g_string_new (NULL);

    for (guint i = 0; i < MANY; i++)
        g_string_append_printf (recipients, "%sr%u@one.example", i > 0 ? " " : "", i);

    return fixture_commit (fixture, 1, recipients->str, "x");
}

/* @alike: the server says the same to all of them */
static void
settle_many (Fixture *fixture, QueueOutcome outcome, gboolean alike)
{
    QueueJob *job = fixture_take (fixture, "one.example");
    g_autofree QueueResult *results = g_new0 (QueueResult, MANY);
    g_autoptr (GPtrArray) replies = g_ptr_array_new_with_free_func (g_free);

    g_assert_cmpuint (job->n_recipients, ==, MANY);
    for (guint i = 0; i < MANY; i++) {
        gchar *reply = alike ? g_strdup ("250 ok") : g_strdup_printf ("250 <r%u@one.example> ok", i);

        g_ptr_array_add (replies, reply);
        results[i] = (QueueResult){.outcome = outcome, .remote = "mx:25", .status = "2.0.0", .reply = reply};
    }
    queue_settle (fixture->queue, job, results, G_MAXINT64, FALSE);
}

static void
wait_for_event (Fixture *fixture, guint position)
{
    while (fixture->events->len <= position) {
        guint before = fixture->events->len;

        g_main_context_iteration (NULL, TRUE);
        g_assert_cmpuint (fixture->events->len - before, <, TURN_MOST);
    }
}

/* The events from @first on are @what for each of the recipients. Returns: where the next one is */
static guint
check_each (Fixture *fixture, guint first, const gchar *what, QueueId id)
{
    gchar text[QUEUE_ID_TEXT_BYTES];

    queue_id_write (id, text);
    for (guint i = 0; i < MANY; i++) {
        g_autofree gchar *expected = g_strdup_printf ("%s %s r%u@one.example", what, text, i);

        g_assert_cmpstr (g_ptr_array_index (fixture->events, first + i), ==, expected);
    }

    return first + MANY;
}

static void
check_one (Fixture *fixture, guint position, const gchar *what, QueueId id)
{
    gchar text[QUEUE_ID_TEXT_BYTES];
    g_autofree gchar *start = NULL;

    queue_id_write (id, text);
    start = g_strdup_printf ("%s %s ", what, text);
    g_assert_true (g_str_has_prefix (g_ptr_array_index (fixture->events, position), start));
}

static void
check_told (Fixture *fixture, gboolean alike)
{
    QueueId id = commit_many (fixture), other;
    guint first = fixture->events->len, next;

    settle_many (fixture, QUEUE_OUTCOME_DELIVERED, alike);
    wait_for_event (fixture, first);
    other = fixture_commit (fixture, 1, "a@two.example", "x"); /* taken before all of it is told */
    wait_for_event (fixture, first + MANY + 1);

    next = check_each (fixture, first, "delivered", id);
    check_one (fixture, next, "removed", id);
    check_one (fixture, next + 1, "queued", other);
    g_assert_cmpuint (fixture->events->len, ==, next + 2);
}

static void
the_same_for_very_many_is_told_in_slices_and_in_order (Fixture *fixture)
{
    check_told (fixture, TRUE);
}

static void
something_else_for_each_is_told_in_slices_and_in_order (Fixture *fixture)
{
    check_told (fixture, FALSE);
}

static void
what_is_deferred_is_told_before_what_is_done_next (Fixture *fixture)
{
    QueueId id = commit_many (fixture);
    guint first = fixture->events->len, next;

    settle_many (fixture, QUEUE_OUTCOME_DEFERRED, FALSE);
    wait_for_event (fixture, first);
    g_assert_cmpuint (fixture_act_on (fixture, QUEUE_ACTION_DELETE, id), ==, 1);
    wait_for_event (fixture, first + MANY + 1);

    next = check_each (fixture, first, "deferred", id);
    check_one (fixture, next, "deleted", id);
    check_one (fixture, next + 1, "removed", id);
}

static void
a_queue_that_is_closed_tells_the_rest (Fixture *fixture)
{
    QueueId id = commit_many (fixture);
    guint first = fixture->events->len;

    settle_many (fixture, QUEUE_OUTCOME_FAILED, FALSE);
    wait_for_event (fixture, first);
    g_assert_cmpuint (fixture->events->len, <, first + MANY);
    fixture_close (fixture);
    check_one (fixture, check_each (fixture, first, "bounced", id), "removed", id);
    fixture_open (fixture);
    g_assert_cmpuint (fixture_count_messages (fixture), ==, 0);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    fixture_add ("/queue/telling/the-same-for-very-many-is-told-in-slices-and-in-order",
                 the_same_for_very_many_is_told_in_slices_and_in_order);
    fixture_add ("/queue/telling/something-else-for-each-is-told-in-slices-and-in-order",
                 something_else_for_each_is_told_in_slices_and_in_order);
    fixture_add ("/queue/telling/what-is-deferred-is-told-before-what-is-done-next",
                 what_is_deferred_is_told_before_what_is_done_next);
    fixture_add ("/queue/telling/a-queue-that-is-closed-tells-the-rest", a_queue_that_is_closed_tells_the_rest);

    return g_test_run ();
}
