/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Whose turn it is: the order of jobs in a lane, fairness between users, what a closed lane means; and the tables that
 * this and all else stands on.
 */

#include "queue/index.h"
#include "queue/lane.h"

#include "fixture.h"

#define HOUR (G_GINT64_CONSTANT (3600) * G_USEC_PER_SEC)

/* ---- The index ---- */

static QueueEntry *
entry_with (QueueId id)
{
    const QueueSummary summary = {.arrival_usec = (gint64) id, .n_recipients = 1, .uid = -1};
    const QueueHead head = {.pending = 1};

    return queue_entry_new (id, &summary, &head);
}

static void
the_index_is_always_in_order (void)
{
    g_autoptr (QueueIndex) index = queue_index_new ();
    g_autofree guint8 *there = g_new0 (guint8, 5001);
    guint n = 0, seen = 0;

    for (guint i = 0; i < 60000; i++) {
        QueueId id = (QueueId) g_test_rand_int_range (1, 5001);
        QueueEntry *entry = queue_index_find (index, id);

        g_assert_cmpint (entry != NULL, ==, there[id]);
        if (entry == NULL) {
            queue_index_insert (index, entry_with (id));
            n++;
        } else if (i % 3 != 0) {
            queue_index_remove (index, entry);
            queue_entry_free (entry);
            n--;
        } else {
            continue;
        }
        there[id] = !there[id];
        g_assert_cmpuint (queue_index_length (index), ==, n);
    }
    for (QueueEntry *entry = queue_index_after (index, 0); entry != NULL;
         entry = queue_index_after (index, entry->id)) {
        g_assert_true (there[entry->id]);
        there[entry->id] = FALSE;
        seen++;
    }
    g_assert_cmpuint (seen, ==, n);
    g_assert_null (queue_index_after (index, G_MAXUINT64));
}

static void
a_message_takes_little_memory (void)
{
    /* With its place in the index (8 bytes), its job (56) and the job's place in a heap (8), and what an allocation
     * costs, that is below 300. */
    g_assert_cmpuint (sizeof (QueueEntry), <=, 144);
    g_assert_cmpuint (sizeof (QueueWaiting), <=, 64);
}

/* ---- The heap ---- */

static gint
compare_keys (gconstpointer a, gconstpointer b)
{
    gint64 left = *(const gint64 *) a, right = *(const gint64 *) b;

    return left < right ? -1 : left > right;
}

static void
a_heap_gives_the_least_first (void)
{
    g_autoptr (GPtrArray) heap = g_ptr_array_new ();
    QueueHeapItem items[500];
    gint64 keys[250];

    for (guint i = 0; i < G_N_ELEMENTS (items); i++) {
        items[i].key = g_test_rand_int_range (0, 300);
        queue_heap_push (heap, &items[i]);
    }
    for (guint i = 0; i < G_N_ELEMENTS (keys); i++) {
        queue_heap_remove (heap, &items[i * 2]);
        keys[i] = items[i * 2 + 1].key;
    }
    qsort (keys, G_N_ELEMENTS (keys), sizeof keys[0], compare_keys);
    for (guint i = 0; i < G_N_ELEMENTS (keys); i++) {
        QueueHeapItem *least = queue_heap_peek (heap);

        g_assert_cmpint (least->key, ==, keys[i]);
        queue_heap_remove (heap, least);
    }
    g_assert_null (queue_heap_peek (heap));
}

/* ---- Lanes ---- */

static QueueId
take_id (Fixture *fixture, const gchar *lane)
{
    QueueJob *job = fixture_take (fixture, lane);

    return job == NULL ? 0 : job->message->id;
}

static void
jobs_come_in_the_order_of_arrival (Fixture *fixture)
{
    QueueId ids[20];

    for (guint i = 0; i < G_N_ELEMENTS (ids); i++)
        ids[i] = fixture_commit (fixture, 1, "a@one.example", "x");
    for (guint i = 0; i < G_N_ELEMENTS (ids); i++)
        g_assert_cmpuint (take_id (fixture, "one.example"), ==, ids[i]);
    g_assert_null (fixture_take (fixture, "one.example"));
}

static void
a_burst_of_one_user_is_passed_by_another (Fixture *fixture)
{
    QueueId first = 0, single, other;

    for (guint i = 0; i < 50; i++) {
        QueueId id = fixture_commit (fixture, 1, "a@one.example", "x");

        first = first == 0 ? id : first;
    }
    single = fixture_commit (fixture, 2, "a@one.example", "x");
    other = fixture_commit (fixture, -1, "a@one.example", "x");
    g_assert_cmpuint (take_id (fixture, "one.example"), ==, first);
    g_assert_cmpuint (take_id (fixture, "one.example"), ==, single);
    g_assert_cmpuint (take_id (fixture, "one.example"), ==, other);
    for (guint i = 0; i < 49; i++)
        g_assert_cmpuint (take_id (fixture, "one.example"), !=, 0);
    g_assert_null (fixture_take (fixture, "one.example"));
}

static void
users_with_many_jobs_take_turns (Fixture *fixture)
{
    gint64 last = -1;

    for (guint i = 0; i < 20; i++)
        fixture_commit (fixture, i < 10 ? 1 : 2, "a@one.example", "x");
    for (guint i = 0; i < 20; i++) {
        QueueJob *job = fixture_take (fixture, "one.example");

        g_assert_cmpint (job->message->origin.uid, !=, last);
        last = job->message->origin.uid;
    }
}

static void
a_job_is_due_when_its_time_has_come (Fixture *fixture)
{
    gint64 now = g_get_real_time ();
    QueueId ids[3];

    for (guint i = 0; i < G_N_ELEMENTS (ids); i++)
        ids[i] = fixture_commit (fixture, (gint64) i % 2, "a@one.example", "x");
    for (guint i = 0; i < G_N_ELEMENTS (ids); i++) {
        QueueJob *job = fixture_take (fixture, "one.example");
        guint hours = job->message->id == ids[0] ? 3 : job->message->id == ids[1] ? 1 : 2;

        fixture_settle (fixture, job, QUEUE_OUTCOME_DEFERRED, "450", now + hours * HOUR);
    }
    g_assert_cmpint (queue_lane_due (fixture->queue, "one.example"), ==, now + HOUR);
    g_assert_false (queue_take (fixture->queue, "one.example", now + HOUR - 1, NULL, NULL));
    g_assert_null (fixture_take (fixture, "one.example"));
    g_assert_cmpint (queue_lane_due (fixture->queue, "elsewhere.example"), ==, G_MAXINT64);
}

/* Settles a job of three recipients with an outcome each. */
static void
settle_apart (Fixture *fixture, QueueJob *job, const QueueOutcome outcomes[3], gint64 next_usec)
{
    QueueResult results[3] = {{0}};
    guint events = fixture->events->len;

    g_assert_cmpuint (job->n_recipients, ==, 3);
    for (guint i = 0; i < 3; i++)
        results[i] = (QueueResult){.outcome = outcomes[i], .remote = "mx.example.org:25", .reply = "words"};
    queue_settle (fixture->queue, job, results, next_usec, FALSE);
    while (fixture->events->len == events)
        g_main_context_iteration (NULL, TRUE);
}

static void
untried_recipients_do_not_wait_with_the_deferred (Fixture *fixture)
{
    const QueueOutcome outcomes[] = {QUEUE_OUTCOME_DELIVERED, QUEUE_OUTCOME_DEFERRED, QUEUE_OUTCOME_UNTRIED};
    gint64 later = g_get_real_time () + HOUR;
    QueueId id = fixture_commit (fixture, 1, "a@one.example b@one.example c@one.example", "x");
    g_autoptr (QueueMessage) message = NULL;
    QueueJob *job;

    settle_apart (fixture, fixture_take (fixture, "one.example"), outcomes, later);
    message = fixture_get (fixture, id);
    g_assert_cmpint (message->next_usec, <, later);

    job = fixture_take (fixture, "one.example");
    g_assert_cmpuint (job->n_recipients, ==, 1);
    g_assert_cmpuint (job->recipients[0], ==, 2);
    g_assert_null (fixture_take (fixture, "one.example"));
    fixture_settle (fixture, job, QUEUE_OUTCOME_DELIVERED, "250", 0);
    g_assert_cmpint (queue_lane_due (fixture->queue, "one.example"), ==, later);
}

static void
untried_recipients_are_due_at_once_if_none_is_deferred (Fixture *fixture)
{
    const QueueOutcome outcomes[] = {QUEUE_OUTCOME_DELIVERED, QUEUE_OUTCOME_UNTRIED, QUEUE_OUTCOME_UNTRIED};
    QueueJob *job;

    fixture_commit (fixture, 1, "a@one.example b@one.example c@one.example", "x");
    settle_apart (fixture, fixture_take (fixture, "one.example"), outcomes, g_get_real_time () + HOUR);
    job = fixture_take (fixture, "one.example");
    g_assert_cmpuint (job->n_recipients, ==, 2);
    fixture_settle (fixture, job, QUEUE_OUTCOME_DELIVERED, "250", 0);
    g_assert_cmpuint (fixture_count_messages (fixture), ==, 0);
}

static void
the_listener_is_told_when_something_is_due_sooner (Fixture *fixture)
{
    QueueJob *job;

    fixture_commit (fixture, 1, "a@one.example", "x");
    fixture_settle_down ();
    g_assert_cmpuint (fixture->due->len, ==, 1);
    g_assert_cmpstr (g_ptr_array_index (fixture->due, 0), ==, "one.example");

    /* A job that is due later than the first is no news. */
    fixture_commit (fixture, 1, "a@one.example", "x");
    fixture_settle_down ();
    g_assert_cmpuint (fixture->due->len, ==, 1);

    job = fixture_take (fixture, "one.example");
    fixture_settle (fixture, job, QUEUE_OUTCOME_UNTRIED, NULL, 0);
    fixture_settle_down ();
    g_assert_cmpuint (fixture->due->len, ==, 2);
}

/* ---- Closed lanes ---- */

static void
close_lane (Fixture *fixture, gint64 until_usec)
{
    queue_lane_close (fixture->queue, "one.example", "mx.one.example:25", "4.4.1", "mx.one.example does not answer",
                      until_usec);
}

static void
mail_in_a_closed_lane_shows_as_deferred (Fixture *fixture)
{
    QueueId id = fixture_commit (fixture, 1, "a@one.example", "x");
    QueueId elsewhere = fixture_commit (fixture, 1, "a@two.example", "x");
    gint64 until = g_get_real_time () + HOUR;
    g_autoptr (QueueMessage) message = NULL, other = NULL;
    QueueStatistics statistics;
    const QueueFilter deferred = {.state = QUEUE_STATE_DEFERRED, .uid = -1};
    g_autoptr (GPtrArray) listed = NULL;

    close_lane (fixture, until);
    message = fixture_get (fixture, id);
    other = fixture_get (fixture, elsewhere);
    g_assert_cmpint (message->state, ==, QUEUE_STATE_DEFERRED);
    g_assert_cmpstr (message->reason, ==, "mx.one.example does not answer");
    g_assert_cmpint (message->next_usec, ==, until);
    g_assert_cmpint (other->state, ==, QUEUE_STATE_QUEUED);
    queue_statistics (fixture->queue, &statistics);
    g_assert_cmpuint (statistics.by_state[QUEUE_STATE_DEFERRED], ==, 1);
    g_assert_cmpuint (statistics.by_state[QUEUE_STATE_QUEUED], ==, 1);
    listed = fixture_list (fixture, &deferred, 0, 10, NULL);
    g_assert_cmpuint (listed->len, ==, 1);

    fixture_settle_down ();
    g_ptr_array_set_size (fixture->due, 0);
    queue_lane_open (fixture->queue, "one.example");
    fixture_settle_down ();
    g_assert_cmpuint (fixture->due->len, ==, 1);
    queue_statistics (fixture->queue, &statistics);
    g_assert_cmpuint (statistics.by_state[QUEUE_STATE_QUEUED], ==, 2);
    g_clear_pointer (&message, queue_message_unref);
    message = fixture_get (fixture, id);
    g_assert_cmpint (message->state, ==, QUEUE_STATE_QUEUED);
    g_assert_null (message->reason);
}

static void
arriving_in_a_closed_lane_is_told_once (Fixture *fixture)
{
    close_lane (fixture, g_get_real_time () + HOUR);
    fixture_commit (fixture, 1, "a@one.example b@one.example c@two.example", "x");
    g_assert_cmpuint (fixture_count_events (fixture, "queued"), ==, 1);
    g_assert_cmpuint (fixture_count_events (fixture, "deferred"), ==, 2);
    close_lane (fixture, g_get_real_time () + 2 * HOUR);
    fixture_settle_down ();
    g_assert_cmpuint (fixture_count_events (fixture, "deferred"), ==, 2);
}

static void
a_closed_lane_gives_jobs_to_who_asks (Fixture *fixture)
{
    QueueId id = fixture_commit (fixture, 1, "a@one.example", "x");

    close_lane (fixture, g_get_real_time () + HOUR);
    g_assert_cmpuint (take_id (fixture, "one.example"), ==, id);
}

static void
what_waits_for_its_lane_is_due_when_that_opens (Fixture *fixture)
{
    QueueId id = fixture_commit (fixture, 1, "a@one.example", "x");
    QueueJob *job = fixture_take (fixture, "one.example");
    gint64 until = g_get_real_time () + HOUR;
    g_autoptr (QueueMessage) message = NULL;

    close_lane (fixture, until);
    fixture_settle (fixture, job, QUEUE_OUTCOME_DEFERRED, "450", QUEUE_NEXT_WITH_LANE);
    message = fixture_get (fixture, id);
    g_assert_cmpint (message->next_usec, ==, until);
    g_assert_cmpint (queue_lane_due (fixture->queue, "one.example"), !=, G_MAXINT64);
    fixture_settle_down ();
    g_ptr_array_set_size (fixture->due, 0);
    queue_lane_open (fixture->queue, "one.example");
    fixture_settle_down ();
    g_assert_cmpuint (fixture->due->len, ==, 1);
    g_assert_cmpuint (take_id (fixture, "one.example"), ==, id);

    /* After a restart it is due at once. */
    fixture_reopen (fixture);
    g_assert_cmpuint (take_id (fixture, "one.example"), ==, id);
}

static void
an_own_time_outlasts_the_lane (Fixture *fixture)
{
    QueueId id = fixture_commit (fixture, 1, "a@one.example", "x");
    gint64 own = g_get_real_time () + 5 * HOUR;
    g_autoptr (QueueMessage) message = NULL;

    fixture_settle (fixture, fixture_take (fixture, "one.example"), QUEUE_OUTCOME_DEFERRED, "450 later", own);
    close_lane (fixture, g_get_real_time () + HOUR);
    queue_lane_open (fixture->queue, "one.example");
    g_assert_null (fixture_take (fixture, "one.example"));
    message = fixture_get (fixture, id);
    g_assert_cmpint (message->next_usec, ==, own);
    g_assert_cmpstr (message->reason, ==, "mx.example.org:25: 450 later");
}

static const gchar *
one_way (const QueueMessage *message, guint recipient, QueueHints hints, gpointer user_data)
{
    return user_data;
}

static void
new_routes_sort_everything_anew (Fixture *fixture)
{
    QueueJob *in_hand, *job;

    for (guint i = 0; i < 200; i++)
        fixture_commit (fixture, 1, "a@one.example b@two.example", "x");
    in_hand = fixture_take (fixture, "one.example");
    queue_set_route (fixture->queue, one_way, (gpointer) "smarthost");
    while (queue_lane_due (fixture->queue, "two.example") != G_MAXINT64)
        g_main_context_iteration (NULL, TRUE);
    g_assert_cmpint (queue_lane_due (fixture->queue, "one.example"), ==, G_MAXINT64);

    /* What was in hand goes the new way when it comes back. */
    fixture_settle (fixture, in_hand, QUEUE_OUTCOME_UNTRIED, NULL, 0);
    for (guint i = 0; i < 201; i++) {
        job = fixture_take (fixture, "smarthost");
        g_assert_nonnull (job);
    }
    g_assert_null (fixture_take (fixture, "smarthost"));
}

static const gchar *
held_way (const QueueMessage *message, guint recipient, QueueHints hints, gpointer user_data)
{
    return hints & QUEUE_HINT_RELEASED ? "after" : "before";
}

static void
the_route_is_told_of_a_release (Fixture *fixture)
{
    QueueId id = fixture_commit (fixture, 1, "a@one.example", "x");

    queue_set_route (fixture->queue, held_way, NULL);
    g_assert_cmpint (queue_lane_due (fixture->queue, "before"), !=, G_MAXINT64);
    fixture_act_on (fixture, QUEUE_ACTION_HOLD, id);
    fixture_act_on (fixture, QUEUE_ACTION_RELEASE, id);
    g_assert_cmpint (queue_lane_due (fixture->queue, "before"), ==, G_MAXINT64);
    g_assert_cmpint (queue_lane_due (fixture->queue, "after"), !=, G_MAXINT64);

    /* That lasts. */
    fixture_close (fixture);
    fixture_open (fixture);
    queue_set_route (fixture->queue, held_way, NULL);
    while (queue_lane_due (fixture->queue, "after") == G_MAXINT64)
        g_main_context_iteration (NULL, TRUE);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/queue/index/is-always-in-order", the_index_is_always_in_order);
    g_test_add_func ("/queue/index/a-message-takes-little-memory", a_message_takes_little_memory);
    g_test_add_func ("/queue/heap/gives-the-least-first", a_heap_gives_the_least_first);
    fixture_add ("/queue/lane/jobs-come-in-the-order-of-arrival", jobs_come_in_the_order_of_arrival);
    fixture_add ("/queue/lane/a-burst-of-one-user-is-passed-by-another", a_burst_of_one_user_is_passed_by_another);
    fixture_add ("/queue/lane/users-with-many-jobs-take-turns", users_with_many_jobs_take_turns);
    fixture_add ("/queue/lane/untried-recipients-do-not-wait-with-the-deferred",
                 untried_recipients_do_not_wait_with_the_deferred);
    fixture_add ("/queue/lane/untried-recipients-are-due-at-once-if-none-is-deferred",
                 untried_recipients_are_due_at_once_if_none_is_deferred);
    fixture_add ("/queue/lane/a-job-is-due-when-its-time-has-come", a_job_is_due_when_its_time_has_come);
    fixture_add ("/queue/lane/the-listener-is-told-when-something-is-due-sooner",
                 the_listener_is_told_when_something_is_due_sooner);
    fixture_add ("/queue/lane/mail-in-a-closed-lane-shows-as-deferred", mail_in_a_closed_lane_shows_as_deferred);
    fixture_add ("/queue/lane/arriving-in-a-closed-lane-is-told-once", arriving_in_a_closed_lane_is_told_once);
    fixture_add ("/queue/lane/a-closed-lane-gives-jobs-to-who-asks", a_closed_lane_gives_jobs_to_who_asks);
    fixture_add ("/queue/lane/what-waits-for-its-lane-is-due-when-that-opens",
                 what_waits_for_its_lane_is_due_when_that_opens);
    fixture_add ("/queue/lane/an-own-time-outlasts-the-lane", an_own_time_outlasts_the_lane);
    fixture_add ("/queue/lane/new-routes-sort-everything-anew", new_routes_sort_everything_anew);
    fixture_add ("/queue/lane/the-route-is-told-of-a-release", the_route_is_told_of_a_release);

    return g_test_run ();
}
