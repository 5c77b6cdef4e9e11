/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * What waits costs nothing
 *
 * Whatever is done to a few messages is done beside a thousand and then beside many others that wait, and must take hardly
 * more steps there. A step is a piece of the queue's own code without a branch in it, run by the main thread: for this test that
 * code is compiled to call a function at each of them (-fsanitize-coverage=trace-pc), so that nothing of it goes uncounted,
 * and no clock is asked.
 */

#include "fixture.h"

#define FEW 1000

/* A thorough run (-m thorough) has ten times as many. */
#define MANY 50000

/* Of each kind, on messages from all over the queue. */
#define TIMES 20

/* Heaps and the index are deeper beside many, which may double what is a walk through them. Looking at each message would
 * be fifty times as many steps. */
#define GROWTH_MOST 3.0

/* Half of the messages are of one user; the others have a user each. */
#define BURST_UID      1
#define FIRST_ONLY_UID 1000

#define LANE "many.example"
#define HOUR (G_GINT64_CONSTANT (3600) * G_USEC_PER_SEC)

static __thread guint64 steps;

void __sanitizer_cov_trace_pc (void);

void
__sanitizer_cov_trace_pc (void)
{
    steps++;
}

/* ---- Many messages ---- */

typedef struct {
    Fixture *fixture;
    GArray *ids; /* of QueueId: those that wait */
} Crowd;

static void
count_commit (QueueId id, const GError *error, gpointer user_data)
{
    g_assert_no_error (error);
    g_array_append_val ((GArray *) user_data, id);
}

static gint64
some_uid (guint number)
{
    return number % 2 == 0 ? BURST_UID : FIRST_ONLY_UID + (gint64) number;
}

/* Hands in until there are so many, without waiting for each. */
static void
fill (Crowd *crowd, guint n)
{
    guint asked = crowd->ids->len;

    while (asked < n) {
        const QueueOrigin origin = {.uid = some_uid (asked++), .protocol = (gchar *) "local"};
        g_autoptr (MessageEnvelope) envelope = message_envelope_new ("sender@example.net");
        QueueIntake *intake = queue_intake_new (crowd->fixture->queue, &origin, 1, NULL, NULL, NULL);

        message_envelope_add (envelope, "r@" LANE);
        queue_intake_write (intake, "x", 1);
        queue_intake_commit (intake, message_envelope_copy (envelope), FALSE, count_commit, crowd->ids);
        if (asked - crowd->ids->len > 2000)
            g_main_context_iteration (NULL, FALSE);
    }
    while (crowd->ids->len < n)
        g_main_context_iteration (NULL, TRUE);
    fixture_settle_down ();
}

/* Drawn from all over, so that a queue's ends are not all that is seen. */
static QueueId
draw (const Crowd *crowd)
{
    return g_array_index (crowd->ids, QueueId, g_test_rand_int_range (0, (gint32) crowd->ids->len));
}

/* ---- What is done to a few ---- */

static void
look_what_is_due (Crowd *crowd)
{
    g_assert_cmpint (queue_lane_due (crowd->fixture->queue, LANE), <, G_MAXINT64);
}

static void
take_and_put_back (Crowd *crowd)
{
    QueueJob *job = fixture_take (crowd->fixture, LANE);

    g_assert_nonnull (job);
    fixture_settle (crowd->fixture, job, QUEUE_OUTCOME_UNTRIED, NULL, 0);
}

static void
arrive (Crowd *crowd)
{
    QueueId id = fixture_commit (crowd->fixture, BURST_UID, "r@" LANE, "x");

    g_array_append_val (crowd->ids, id);
}

static void
arrive_of_a_new_user (Crowd *crowd)
{
    QueueId id = fixture_commit (crowd->fixture, g_test_rand_int_range (100, FIRST_ONLY_UID), "r@" LANE, "x");

    g_array_append_val (crowd->ids, id);
}

static void
forget (Crowd *crowd, QueueId id)
{
    for (guint i = 0; i < crowd->ids->len; i++) {
        if (g_array_index (crowd->ids, QueueId, i) == id) {
            g_array_remove_index_fast (crowd->ids, i);
            return;
        }
    }
    g_assert_not_reached ();
}

static void
depart (Crowd *crowd)
{
    QueueJob *job = fixture_take (crowd->fixture, LANE);
    QueueId id = job->message->id;

    fixture_settle (crowd->fixture, job, QUEUE_OUTCOME_DELIVERED, "250 ok", 0);
    forget (crowd, id);
}

static void
reschedule (Crowd *crowd)
{
    QueueJob *job = fixture_take (crowd->fixture, LANE);
    gint64 next_usec = g_get_real_time () + g_test_rand_int_range (1, 100) * HOUR;

    fixture_settle (crowd->fixture, job, QUEUE_OUTCOME_DEFERRED, "450 later", next_usec);
}

static void
retry (Crowd *crowd)
{
    g_assert_cmpuint (fixture_act_on (crowd->fixture, QUEUE_ACTION_RETRY, draw (crowd)), ==, 1);
}

static void
hold_and_release (Crowd *crowd)
{
    QueueId id = draw (crowd);

    g_assert_cmpuint (fixture_act_on (crowd->fixture, QUEUE_ACTION_HOLD, id), ==, 1);
    g_assert_cmpuint (fixture_act_on (crowd->fixture, QUEUE_ACTION_RELEASE, id), ==, 1);
}

static void delete (Crowd *crowd)
{
    QueueId id = draw (crowd);

    g_assert_cmpuint (fixture_act_on (crowd->fixture, QUEUE_ACTION_DELETE, id), ==, 1);
    forget (crowd, id);
}

static void
list_a_page (Crowd *crowd)
{
    g_ptr_array_unref (fixture_list (crowd->fixture, &QUEUE_FILTER_ALL, draw (crowd), 10, NULL));
}

static void
close_and_open_the_lane (Crowd *crowd)
{
    queue_lane_close (crowd->fixture->queue, LANE, "mx.example.org:25", "4.4.1", "it does not answer",
                      g_get_real_time () + HOUR);
    queue_lane_open (crowd->fixture->queue, LANE);
    fixture_settle_down ();
}

static void
look_at_the_whole (Crowd *crowd)
{
    g_assert_cmpuint (fixture_count_messages (crowd->fixture), ==, crowd->ids->len);
}

static void
look_for_old_ones (Crowd *crowd)
{
    g_assert_cmpuint (queue_take_old (crowd->fixture->queue, 1, 1, NULL, NULL), ==, 0);
}

static const struct {
    const gchar *what;
    void (*act) (Crowd *crowd);
} deeds[] = {
    {"to look what is due", look_what_is_due},
    {"to take what is due, and put it back", take_and_put_back},
    {"an arrival", arrive},
    {"an arrival of a user who has nothing there", arrive_of_a_new_user},
    {"a departure", depart},
    {"another time for the next try", reschedule},
    {"a retry that is asked for", retry},
    {"a hold and a release", hold_and_release},
    {"a deletion", delete},
    {"a page of ten", list_a_page},
    {"a lane that closes and opens", close_and_open_the_lane},
    {"the whole queue's numbers", look_at_the_whole},
    {"to look for what is too old", look_for_old_ones},
};

/* ---- The same beside few and beside many ---- */

/* Nothing is to be found in memory only because there is little. */
static void
forget_contents (Fixture *fixture)
{
    fixture_settle_down ();
    g_ptr_array_set_size (fixture->events, 0);
    queue_cache_clear (fixture->queue->cache);
}

static void
count_all (Crowd *crowd, guint64 *counts)
{
    for (guint i = 0; i < G_N_ELEMENTS (deeds); i++) {
        counts[i] = 0;
        for (guint j = 0; j < TIMES; j++) {
            guint64 before;

            forget_contents (crowd->fixture);
            before = steps;
            deeds[i].act (crowd);
            counts[i] += steps - before;
        }
    }
}

/* Users whose first message became due are put into the queue of those who are served in turn, each once, when something is
 * taken next: the one thing that grows, with the users. Returns: steps for each */
static gdouble
count_lining_up (Crowd *crowd, guint users)
{
    guint64 before = steps;

    take_and_put_back (crowd);

    return (gdouble) (steps - before) / users;
}

static void
no_deed_grows_with_what_waits (Fixture *fixture)
{
    guint many = g_test_thorough () ? 10 * MANY : MANY;
    g_autoptr (GArray) ids = g_array_new (FALSE, FALSE, sizeof (QueueId));
    Crowd crowd = {.fixture = fixture, .ids = ids};
    guint64 beside_few[G_N_ELEMENTS (deeds)], beside_many[G_N_ELEMENTS (deeds)];
    gdouble each_of_few, each_of_many;

    fill (&crowd, FEW);
    each_of_few = count_lining_up (&crowd, FEW / 2);
    count_all (&crowd, beside_few);
    fill (&crowd, many);
    each_of_many = count_lining_up (&crowd, (many - FEW) / 2);
    count_all (&crowd, beside_many);
    g_test_message ("a user who becomes due: %.1f steps beside %u messages, %.1f beside %u", each_of_few, FEW,
                    each_of_many, many);
    g_assert_cmpfloat (each_of_many, <, GROWTH_MOST * each_of_few);
    for (guint i = 0; i < G_N_ELEMENTS (deeds); i++) {
        g_test_message ("%s: %.1f steps beside %u messages, %.1f beside %u", deeds[i].what,
                        (gdouble) beside_few[i] / TIMES, FEW, (gdouble) beside_many[i] / TIMES, many);
        g_assert_cmpuint (beside_few[i], >, 0);
        g_assert_cmpfloat ((gdouble) beside_many[i], <, GROWTH_MOST * (gdouble) beside_few[i]);
    }
}

int
main (int argc, char **argv)
{
    fixture_use_memory ();
    g_test_init (&argc, &argv, NULL);
    fixture_add ("/queue/scale/no-deed-grows-with-what-waits", no_deed_grows_with_what_waits);

    return g_test_run ();
}
