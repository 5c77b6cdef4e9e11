/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Other addresses for recipients, and messages that are given up. */

#include "fixture.h"

#include <string.h>

static void
on_acted (guint count, const GError *error, gpointer user_data)
{
    g_assert_no_error (error);
    *(gint *) user_data = (gint) count;
}

static guint
redirect (Fixture *fixture, QueueId id, const gchar *address)
{
    QueueFilter filter = QUEUE_FILTER_ALL;
    gint count = -1;

    filter.ids = &id;
    filter.n_ids = 1;
    queue_redirect (fixture->queue, &filter, address, on_acted, &count);
    while (count < 0)
        g_main_context_iteration (NULL, TRUE);

    return (guint) count;
}

static const MessageRecipient *
recipient_at (const QueueMessage *message, guint index)
{
    return message_envelope_recipient (message->envelope, index);
}

static void
pending_recipients_get_the_address (Fixture *fixture)
{
    QueueId id = fixture_commit (fixture, 1, "a@one.example b@two.example", "x");
    g_autoptr (QueueMessage) message = NULL;
    QueueJob *job = fixture_take (fixture, "one.example");

    fixture_settle (fixture, job, QUEUE_OUTCOME_DELIVERED, "250 taken", 0);
    g_assert_cmpuint (redirect (fixture, id, "c@three.example"), ==, 1);

    message = fixture_get (fixture, id);
    g_assert_cmpstr (recipient_at (message, 0)->address, ==, "a@one.example");
    g_assert_cmpstr (recipient_at (message, 1)->address, ==, "c@three.example");
    g_assert_cmpstr (recipient_at (message, 1)->orcpt, ==, "rfc822;b@two.example");
    g_assert_cmpint (queue_lane_due (fixture->queue, "two.example"), ==, G_MAXINT64);
    g_assert_cmpint (queue_lane_due (fixture->queue, "three.example"), !=, G_MAXINT64);
    g_assert_cmpuint (fixture_count_events (fixture, "redirected"), ==, 1);
}

static void
it_survives (Fixture *fixture)
{
    QueueId id = fixture_commit (fixture, 1, "a@one.example", "x");
    g_autoptr (QueueMessage) message = NULL;

    redirect (fixture, id, "b@two.example");
    redirect (fixture, id, "\xc3\xa4@three.example");
    fixture_reopen (fixture);

    message = fixture_get (fixture, id);
    g_assert_cmpstr (recipient_at (message, 0)->address, ==, "\xc3\xa4@three.example");
    g_assert_cmpstr (recipient_at (message, 0)->orcpt, ==, "rfc822;a@one.example");
    g_assert_true (message->envelope->smtputf8);
    while (queue_lane_due (fixture->queue, "three.example") == G_MAXINT64)
        g_main_context_iteration (NULL, TRUE);
}

static void
it_is_found_by_the_new_address (Fixture *fixture)
{
    QueueFilter filter = QUEUE_FILTER_ALL;
    QueueId id = fixture_commit (fixture, 1, "a@one.example", "x");
    QueueId next;

    redirect (fixture, id, "b@two.example");
    for (guint i = 0; i < 2; i++) {
        g_autoptr (GPtrArray) found = NULL;
        g_autoptr (GPtrArray) gone = NULL;

        filter.domain = "two.example";
        found = fixture_list (fixture, &filter, 0, 10, &next);
        g_assert_cmpuint (found->len, ==, 1);
        filter.domain = "one.example";
        gone = fixture_list (fixture, &filter, 0, 10, &next);
        g_assert_cmpuint (gone->len, ==, 0);
        fixture_reopen (fixture);
    }
}

/* What a delivery has is tried once more as it was. */
static void
what_is_in_hand_goes_on (Fixture *fixture)
{
    QueueId id = fixture_commit (fixture, 1, "a@one.example b@one.example", "x");
    QueueJob *job = fixture_take (fixture, "one.example");
    QueueResult results[] = {{.outcome = QUEUE_OUTCOME_DELIVERED},
                             {.outcome = QUEUE_OUTCOME_DEFERRED, .reply = "451 later"}};
    g_autoptr (QueueMessage) message = NULL;

    redirect (fixture, id, "c@two.example");
    g_assert_cmpstr (recipient_at (job->message, 0)->address, ==, "a@one.example");
    queue_settle (fixture->queue, job, results, 0, FALSE);
    while ((job = fixture_take (fixture, "two.example")) == NULL)
        g_main_context_iteration (NULL, TRUE);

    g_assert_cmpuint (job->n_recipients, ==, 1);
    g_assert_cmpuint (job->recipients[0], ==, 1);
    message = fixture_get (fixture, id);
    g_assert_cmpint (queue_message_recipient (message, 0)->state, ==, QUEUE_RECIPIENT_DELIVERED);
}

static void
a_held_message_stays_held (Fixture *fixture)
{
    QueueId id = fixture_commit (fixture, 1, "a@one.example", "x");
    g_autoptr (QueueMessage) message = NULL;

    fixture_act_on (fixture, QUEUE_ACTION_HOLD, id);
    g_assert_cmpuint (redirect (fixture, id, "b@two.example"), ==, 1);
    message = fixture_get (fixture, id);
    g_assert_cmpint (message->state, ==, QUEUE_STATE_HELD);
    g_assert_cmpint (queue_lane_due (fixture->queue, "two.example"), ==, G_MAXINT64);

    fixture_act_on (fixture, QUEUE_ACTION_RELEASE, id);
    g_assert_cmpint (queue_lane_due (fixture->queue, "two.example"), !=, G_MAXINT64);
}

static void
many_recipients_are_redirected (Fixture *fixture)
{
    g_autoptr (GString) recipients = g_string_new (NULL);
    g_autoptr (QueueMessage) message = NULL;
    QueueId id;

    for (guint i = 0; i < 300; i++)
        g_string_append_printf (recipients, "%sr%u@one.example", i > 0 ? " " : "", i);
    id = fixture_commit (fixture, 1, recipients->str, "x");
    redirect (fixture, id, "b@two.example");
    fixture_reopen (fixture);

    message = fixture_get (fixture, id);
    for (guint i = 0; i < 300; i++)
        g_assert_cmpstr (recipient_at (message, i)->address, ==, "b@two.example");
}

/* ---- Giving up ---- */

static const gchar *
way_of_hints (const QueueMessage *message, guint recipient, QueueHints hints, gpointer user_data)
{
    return hints & QUEUE_HINT_BOUNCED ? "bounced" : "usual";
}

static void
what_is_to_bounce_takes_its_own_way (Fixture *fixture)
{
    QueueId id = fixture_commit (fixture, 1, "a@one.example", "x");

    queue_set_route (fixture->queue, way_of_hints, NULL);
    fixture_act_on (fixture, QUEUE_ACTION_HOLD, id);
    g_assert_cmpuint (fixture_act_on (fixture, QUEUE_ACTION_BOUNCE, id), ==, 1);
    g_assert_cmpint (queue_lane_due (fixture->queue, "usual"), ==, G_MAXINT64);
    g_assert_cmpint (queue_lane_due (fixture->queue, "bounced"), !=, G_MAXINT64);

    fixture_close (fixture);
    fixture_open (fixture);
    queue_set_route (fixture->queue, way_of_hints, NULL);
    while (queue_lane_due (fixture->queue, "bounced") == G_MAXINT64)
        g_main_context_iteration (NULL, TRUE);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    fixture_add ("/queue/redirect/pending-recipients-get-the-address", pending_recipients_get_the_address);
    fixture_add ("/queue/redirect/it-survives-a-restart", it_survives);
    fixture_add ("/queue/redirect/a-message-is-found-by-its-new-address", it_is_found_by_the_new_address);
    fixture_add ("/queue/redirect/what-is-in-hand-goes-on", what_is_in_hand_goes_on);
    fixture_add ("/queue/redirect/a-held-message-stays-held", a_held_message_stays_held);
    fixture_add ("/queue/redirect/many-recipients-are-redirected", many_recipients_are_redirected);
    fixture_add ("/queue/redirect/what-is-to-bounce-takes-its-own-way", what_is_to_bounce_takes_its_own_way);
    return g_test_run ();
}
