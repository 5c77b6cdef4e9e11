/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Listing and bulk actions: pages that go on where the last one ended whatever happens meanwhile, filters that are exact,
 * and actions of any size.
 */

#include <string.h>

#include "fixture.h"

#define MANY 3000

static void
commit_many (Fixture *fixture, guint n)
{
    for (guint i = 0; i < n; i++) {
        g_autofree gchar *recipients = g_strdup_printf ("r%u@d%u.example", i, i % 10);

        fixture_commit (fixture, i % 3, recipients, "x");
    }
}

/* Without waiting for each: for tests that need many. */
static void
count_commit (QueueId id, const GError *error, gpointer user_data)
{
    g_assert_no_error (error);
    (*(guint *) user_data)--;
}

static void
commit_fast (Fixture *fixture, guint n)
{
    const QueueOrigin origin = {.uid = 1, .protocol = (gchar *) "local"};
    guint left = n;

    for (guint i = 0; i < n; i++) {
        g_autoptr (MessageEnvelope) envelope = message_envelope_new (i % 2 == 0 ? "even@example.net" : "");
        g_autofree gchar *address = g_strdup_printf ("r%u@d%u.example", i, i % 10);
        QueueIntake *intake = queue_intake_new (fixture->queue, &origin, 1, NULL, NULL, NULL);

        message_envelope_add (envelope, address);
        queue_intake_write (intake, "x", 1);
        queue_intake_commit (intake, message_envelope_copy (envelope), FALSE, count_commit, &left);
    }
    while (left > 0)
        g_main_context_iteration (NULL, TRUE);
}

static void
pages_follow_each_other (Fixture *fixture)
{
    const QueueFilter all = QUEUE_FILTER_ALL;
    QueueId next = 0, last = 0;
    guint n = 0, pages = 0;

    commit_many (fixture, 100);
    do {
        g_autoptr (GPtrArray) messages = fixture_list (fixture, &all, next, 7, &next);

        for (guint i = 0; i < messages->len; i++) {
            const QueueMessage *message = g_ptr_array_index (messages, i);

            g_assert_cmpuint (message->id, >, last);
            last = message->id;
            n++;
        }
        g_assert_cmpuint (messages->len, <=, 7);
        pages++;
    } while (next != 0);
    g_assert_cmpuint (n, ==, 100);
    g_assert_cmpuint (pages, ==, 15);
}

static void
a_listing_meets_what_stays_exactly_once (Fixture *fixture)
{
    const QueueFilter all = QUEUE_FILTER_ALL;
    QueueId next = 0;
    guint odd = 0, n = 0;
    g_autoptr (GPtrArray) first = NULL;
    g_autoptr (GHashTable) seen = g_hash_table_new (g_int64_hash, g_int64_equal);
    g_autoptr (GPtrArray) kept = g_ptr_array_new_with_free_func ((GDestroyNotify) g_ptr_array_unref);

    commit_many (fixture, 60);
    first = fixture_list (fixture, &all, 0, 1000, NULL);
    do {
        GPtrArray *messages = fixture_list (fixture, &all, next, 5, &next);

        g_ptr_array_add (kept, messages);
        for (guint i = 0; i < messages->len; i++) {
            QueueMessage *message = g_ptr_array_index (messages, i);

            g_assert_true (g_hash_table_add (seen, &message->id));
        }

        /* Meanwhile the page's last message goes, one further on goes, and new ones come. */
        if (n + 30 < first->len) {
            const QueueMessage *gone = g_ptr_array_index (first, n), *later = g_ptr_array_index (first, n + 30);

            fixture_act_on (fixture, QUEUE_ACTION_DELETE, gone->id);
            fixture_act_on (fixture, QUEUE_ACTION_DELETE, later->id);
            n += 2;
        }
        if (odd++ < 3)
            fixture_commit (fixture, 1, "new@d.example", "x");
    } while (next != 0);
    for (guint i = 0; i < first->len; i++) {
        QueueMessage *message = g_ptr_array_index (first, i);
        g_autoptr (QueueMessage) still = fixture_get (fixture, message->id);

        if (still != NULL)
            g_assert_true (g_hash_table_contains (seen, &message->id));
    }
}

static guint
count (Fixture *fixture, const QueueFilter *filter)
{
    g_autoptr (GPtrArray) messages = fixture_list (fixture, filter, 0, G_MAXUINT, NULL);

    return messages->len;
}

static void
filters_are_exact (Fixture *fixture)
{
    QueueFilter filter;
    QueueId a, b;
    g_autoptr (QueueMessage) message = NULL;

    commit_fast (fixture, 200);
    a = fixture_commit (fixture, 77, "Some.One@special.example two@other.example", "x");
    b = fixture_commit (fixture, 77, "some.one@special.example", "x");
    fixture_settle (fixture, fixture_take (fixture, "other.example"), QUEUE_OUTCOME_DELIVERED, "250", 0);
    fixture_settle (fixture, fixture_take (fixture, "special.example"), QUEUE_OUTCOME_DEFERRED, "450",
                    G_MAXINT64 / 2);

    for (guint round = 0; round < 2; round++) {
        filter = QUEUE_FILTER_ALL;
        g_assert_cmpuint (count (fixture, &filter), ==, 202);
        filter.sender = "";
        g_assert_cmpuint (count (fixture, &filter), ==, 100);
        filter.sender = "even@example.net";
        g_assert_cmpuint (count (fixture, &filter), ==, 100);
        filter.domain = "D4.example";
        g_assert_cmpuint (count (fixture, &filter), ==, 20);
        filter.sender = "nobody@example.net";
        g_assert_cmpuint (count (fixture, &filter), ==, 0);

        filter = QUEUE_FILTER_ALL;
        filter.recipient = "Some.One@SPECIAL.example";
        g_assert_cmpuint (count (fixture, &filter), ==, 1);
        filter.recipient = "two@other.example"; /* not pending any more */
        g_assert_cmpuint (count (fixture, &filter), ==, 0);

        filter = QUEUE_FILTER_ALL;
        filter.remote = "mx.example.org:25";
        g_assert_cmpuint (count (fixture, &filter), ==, 1);
        filter.remote = "mx.example.org:26";
        g_assert_cmpuint (count (fixture, &filter), ==, 0);

        filter = QUEUE_FILTER_ALL;
        filter.uid = 77;
        g_assert_cmpuint (count (fixture, &filter), ==, 2);
        filter.state = QUEUE_STATE_DEFERRED;
        g_assert_cmpuint (count (fixture, &filter), ==, 1);

        filter = QUEUE_FILTER_ALL;
        g_clear_pointer (&message, queue_message_unref);
        message = fixture_get (fixture, a);
        filter.before_usec = message->arrival_usec;
        g_assert_cmpuint (count (fixture, &filter), ==, 200);

        filter = QUEUE_FILTER_ALL;
        filter.ids = (const QueueId[]){b, 12345, a};
        filter.n_ids = 3;
        g_assert_cmpuint (count (fixture, &filter), ==, 2);

        /* The same from the disk. */
        fixture_reopen (fixture);
    }
}

static void
an_action_by_filter_touches_what_matches (Fixture *fixture)
{
    QueueFilter filter = QUEUE_FILTER_ALL;
    QueueStatistics statistics;

    commit_fast (fixture, MANY);
    filter.domain = "d3.example";
    g_assert_cmpuint (fixture_act (fixture, QUEUE_ACTION_HOLD, &filter), ==, MANY / 10);
    queue_statistics (fixture->queue, &statistics);
    g_assert_cmpuint (statistics.by_state[QUEUE_STATE_HELD], ==, MANY / 10);
    g_assert_cmpuint (fixture_count_events (fixture, "held"), ==, MANY / 10);
    g_assert_cmpint (queue_lane_due (fixture->queue, "d3.example"), ==, G_MAXINT64);

    filter = QUEUE_FILTER_ALL;
    filter.state = QUEUE_STATE_HELD;
    g_assert_cmpuint (fixture_act (fixture, QUEUE_ACTION_DELETE, &filter), ==, MANY / 10);
    filter = QUEUE_FILTER_ALL;
    g_assert_cmpuint (fixture_act (fixture, QUEUE_ACTION_RETRY, &filter), ==, MANY - MANY / 10);
    fixture_reopen (fixture);
    queue_statistics (fixture->queue, &statistics);
    g_assert_cmpuint (statistics.messages, ==, MANY - MANY / 10);
    g_assert_cmpuint (fixture_act (fixture, QUEUE_ACTION_DELETE, &filter), ==, MANY - MANY / 10);
    queue_statistics (fixture->queue, &statistics);
    g_assert_cmpuint (statistics.messages, ==, 0);
    g_assert_cmpuint (statistics.bytes, ==, 0);
}

static void
nobody_is_told_twice (Fixture *fixture)
{
    QueueFilter filter = QUEUE_FILTER_ALL;

    commit_fast (fixture, 500);
    g_assert_cmpuint (fixture_act (fixture, QUEUE_ACTION_HOLD, &filter), ==, 500);
    g_assert_cmpuint (fixture_act (fixture, QUEUE_ACTION_HOLD, &filter), ==, 0);
    g_assert_cmpuint (fixture_act (fixture, QUEUE_ACTION_RELEASE, &filter), ==, 500);
    g_assert_cmpuint (fixture_act (fixture, QUEUE_ACTION_RELEASE, &filter), ==, 0);
    g_assert_cmpuint (fixture_count_events (fixture, "held"), ==, 500);
    g_assert_cmpuint (fixture_count_events (fixture, "released"), ==, 500);
}

typedef struct {
    guint over;
    guint count;
} Acted;

static void
hear_acted (guint n, const GError *error, gpointer user_data)
{
    Acted *acted = user_data;

    acted->over++;
    acted->count += n;
}

static void
actions_at_the_same_time_end_in_their_order (Fixture *fixture)
{
    const QueueFilter all = QUEUE_FILTER_ALL;
    Acted acted = {0};
    QueueStatistics statistics;

    commit_fast (fixture, 1000);
    queue_act (fixture->queue, QUEUE_ACTION_HOLD, &all, hear_acted, &acted);
    queue_act (fixture->queue, QUEUE_ACTION_RELEASE, &all, hear_acted, &acted);
    queue_act (fixture->queue, QUEUE_ACTION_HOLD, &all, hear_acted, &acted);
    while (acted.over < 3)
        g_main_context_iteration (NULL, TRUE);
    queue_statistics (fixture->queue, &statistics);
    g_assert_cmpuint (statistics.messages, ==, 1000);
    fixture_reopen (fixture);
    g_assert_cmpuint (count (fixture, &all), ==, 1000);
}

static void
closing_ends_what_is_under_way (Fixture *fixture)
{
    const QueueFilter all = QUEUE_FILTER_ALL;
    Acted acted = {0};
    QueueStatistics statistics;

    commit_fast (fixture, 2000);
    fixture_reopen (fixture);
    queue_act (fixture->queue, QUEUE_ACTION_DELETE, &all, hear_acted, &acted);
    fixture_close (fixture);
    g_assert_cmpuint (acted.over, ==, 1);
    fixture_open (fixture);
    queue_statistics (fixture->queue, &statistics);
    g_assert_cmpuint (statistics.messages, ==, 2000 - acted.count);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    fixture_add ("/queue/list/pages-follow-each-other", pages_follow_each_other);
    fixture_add ("/queue/list/meets-what-stays-exactly-once", a_listing_meets_what_stays_exactly_once);
    fixture_add ("/queue/list/filters-are-exact", filters_are_exact);
    fixture_add ("/queue/act/touches-what-matches", an_action_by_filter_touches_what_matches);
    fixture_add ("/queue/act/nobody-is-told-twice", nobody_is_told_twice);
    fixture_add ("/queue/act/at-the-same-time", actions_at_the_same_time_end_in_their_order);
    fixture_add ("/queue/act/closing-ends-what-is-under-way", closing_ends_what_is_under_way);

    return g_test_run ();
}
