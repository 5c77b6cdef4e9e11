/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What people did with a message is in its history, and stays there. */

#include "fixture.h"

static void
on_acted (guint count, const GError *error, gpointer user_data)
{
    g_assert_no_error (error);
    *(gint *) user_data = (gint) count;
}

static guint
give_up (Fixture *fixture, QueueId id, const gchar *verdict)
{
    QueueFilter filter = QUEUE_FILTER_ALL;
    gint count = -1;

    filter.ids = &id;
    filter.n_ids = 1;
    queue_give_up (fixture->queue, &filter, verdict, on_acted, &count);
    while (count < 0)
        g_main_context_iteration (NULL, TRUE);

    return (guint) count;
}

/* The history is these texts, now and after a restart. */
static void
check_history (Fixture *fixture, QueueId id, const gchar *const *texts)
{
    for (guint restarts = 0; restarts < 2; restarts++) {
        g_autoptr (QueueMessage) message = fixture_get (fixture, id);

        g_assert_cmpuint (message->history->len, ==, g_strv_length ((gchar **) texts));
        for (guint i = 0; texts[i] != NULL; i++) {
            const QueueHistoryEntry *entry = g_ptr_array_index (message->history, i);

            g_assert_cmpstr (entry->text, ==, texts[i]);
            g_assert_cmpint (entry->usec, >=, message->arrival_usec);
            g_assert_cmpint (entry->usec, <=, g_get_real_time ());
        }
        fixture_reopen (fixture);
    }
}

static void
holds_and_releases_are_told (Fixture *fixture)
{
    QueueId id = fixture_commit (fixture, 1, "a@one.example", "x");

    fixture_act_on (fixture, QUEUE_ACTION_HOLD, id);
    fixture_act_on (fixture, QUEUE_ACTION_RELEASE, id);
    fixture_act_on (fixture, QUEUE_ACTION_HOLD, id);
    check_history (fixture, id, (const gchar *const[]){"held by hand", "released by hand", "held by hand", NULL});
}

static void
what_does_nothing_leaves_nothing (Fixture *fixture)
{
    QueueId id = fixture_commit (fixture, 1, "a@one.example", "x");

    fixture_act_on (fixture, QUEUE_ACTION_RETRY, id);
    fixture_act_on (fixture, QUEUE_ACTION_RELEASE, id);
    fixture_act_on (fixture, QUEUE_ACTION_HOLD, id);
    fixture_act_on (fixture, QUEUE_ACTION_HOLD, id);
    check_history (fixture, id, (const gchar *const[]){"held by hand", NULL});
}

static void
attempts_stand_between_them (Fixture *fixture)
{
    QueueId id = fixture_commit (fixture, 1, "a@one.example", "x");

    fixture_settle (fixture, fixture_take (fixture, "one.example"), QUEUE_OUTCOME_DEFERRED, "451 later", 0);
    fixture_act_on (fixture, QUEUE_ACTION_HOLD, id);
    fixture_act_on (fixture, QUEUE_ACTION_RELEASE, id);
    fixture_settle (fixture, fixture_take (fixture, "one.example"), QUEUE_OUTCOME_DEFERRED, "452 not yet", 0);
    check_history (fixture, id,
                   (const gchar *const[]){"deferred by mx.example.org:25: 451 later", "held by hand",
                                          "released by hand", "deferred by mx.example.org:25: 452 not yet", NULL});
}

static void
what_is_in_hand_keeps_both (Fixture *fixture)
{
    QueueId id = fixture_commit (fixture, 1, "a@one.example", "x");
    QueueJob *job = fixture_take (fixture, "one.example");
    g_autoptr (QueueMessage) message = NULL;

    fixture_act_on (fixture, QUEUE_ACTION_HOLD, id);
    fixture_settle (fixture, job, QUEUE_OUTCOME_DEFERRED, "451 later", 0);
    message = fixture_get (fixture, id);
    g_assert_cmpint (message->state, ==, QUEUE_STATE_HELD);
    check_history (fixture, id,
                   (const gchar *const[]){"held by hand", "deferred by mx.example.org:25: 451 later", NULL});
}

static void
a_hold_by_the_delivery_is_told (Fixture *fixture)
{
    QueueId id = fixture_commit (fixture, 1, "a@one.example", "x");
    QueueJob *job = fixture_take (fixture, "one.example");
    const QueueResult result = {.outcome = QUEUE_OUTCOME_DEFERRED, .reply = "a route holds it"};

    queue_settle (fixture->queue, job, &result, 0, TRUE);
    while (fixture_count_events (fixture, "held") == 0)
        g_main_context_iteration (NULL, TRUE);
    check_history (fixture, id, (const gchar *const[]){"deferred: a route holds it", "held", NULL});
}

static void
a_verdict_survives (Fixture *fixture)
{
    QueueId id = fixture_commit (fixture, 1, "a@one.example", "x");

    g_assert_cmpuint (give_up (fixture, id, "wir sind umgezogen: grüße"), ==, 1);
    for (guint restarts = 0; restarts < 2; restarts++) {
        QueueJob *job = fixture_take (fixture, "one.example");

        g_assert_cmpstr (job->message->verdict, ==, "wir sind umgezogen: grüße");
        fixture_settle (fixture, job, QUEUE_OUTCOME_UNTRIED, NULL, 0);
        fixture_reopen (fixture);
    }
    check_history (fixture, id, (const gchar *const[]){"given up by hand: wir sind umgezogen: grüße", NULL});
}

static void
the_last_verdict_counts (Fixture *fixture)
{
    QueueId id = fixture_commit (fixture, 1, "a@one.example", "x");
    g_autoptr (QueueMessage) message = NULL;

    give_up (fixture, id, "first");
    give_up (fixture, id, "second");
    fixture_act_on (fixture, QUEUE_ACTION_BOUNCE, id);
    fixture_reopen (fixture);
    message = fixture_get (fixture, id);
    g_assert_cmpstr (message->verdict, ==, "second");
}

static void
messages_of_many_recipients_have_them_too (Fixture *fixture)
{
    g_autoptr (GString) recipients = g_string_new (NULL);
    g_autoptr (QueueMessage) message = NULL;
    QueueId id;

    for (guint i = 0; i < 3 * QUEUE_SEGMENT_RECIPIENTS; i++)
        g_string_append_printf (recipients, "%suser%u@one.example", i > 0 ? " " : "", i);
    id = fixture_commit (fixture, 1, recipients->str, "x");
    fixture_settle (fixture, fixture_take (fixture, "one.example"), QUEUE_OUTCOME_DEFERRED, "451 later", 0);
    fixture_act_on (fixture, QUEUE_ACTION_HOLD, id);
    give_up (fixture, id, "enough");
    fixture_reopen (fixture);
    message = fixture_get (fixture, id);
    g_assert_cmpstr (message->verdict, ==, "enough");
    g_assert_cmpuint (message->history->len, ==, 3);
    g_assert_cmpuint (queue_message_pending (message), ==, 3 * QUEUE_SEGMENT_RECIPIENTS);
}

static void
many_messages_are_told_of_at_once (Fixture *fixture)
{
    enum { MESSAGES = 300 };
    g_autoptr (GPtrArray) messages = NULL;

    for (guint i = 0; i < MESSAGES; i++)
        fixture_commit (fixture, 1, i % 2 == 0 ? "a@one.example" : "a@two.example", "x");
    g_assert_cmpuint (fixture_act (fixture, QUEUE_ACTION_HOLD, &QUEUE_FILTER_ALL), ==, MESSAGES);
    fixture_reopen (fixture);
    messages = fixture_list (fixture, &QUEUE_FILTER_ALL, 0, G_MAXUINT, NULL);
    g_assert_cmpuint (messages->len, ==, MESSAGES);
    for (guint i = 0; i < MESSAGES; i++) {
        const QueueMessage *message = g_ptr_array_index (messages, i);

        g_assert_cmpint (message->state, ==, QUEUE_STATE_HELD);
        g_assert_cmpuint (message->history->len, ==, 1);
        g_assert_cmpuint (queue_message_pending (message), ==, 1);
    }
}

int
main (int argc, char **argv)
{
    fixture_use_memory ();
    g_test_init (&argc, &argv, NULL);
    fixture_add ("/queue/history/holds-and-releases-are-told", holds_and_releases_are_told);
    fixture_add ("/queue/history/what-does-nothing-leaves-nothing", what_does_nothing_leaves_nothing);
    fixture_add ("/queue/history/attempts-stand-between-them", attempts_stand_between_them);
    fixture_add ("/queue/history/what-is-in-hand-keeps-both", what_is_in_hand_keeps_both);
    fixture_add ("/queue/history/a-hold-by-the-delivery-is-told", a_hold_by_the_delivery_is_told);
    fixture_add ("/queue/history/a-verdict-survives", a_verdict_survives);
    fixture_add ("/queue/history/the-last-verdict-counts", the_last_verdict_counts);
    fixture_add ("/queue/history/messages-of-many-recipients-have-them-too",
                 messages_of_many_recipients_have_them_too);
    fixture_add ("/queue/history/many-messages-are-told-of-at-once", many_messages_are_told_of_at_once);
    return g_test_run ();
}
