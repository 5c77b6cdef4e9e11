/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * What the queue promises to the rooms above: what was committed is there, what was settled stays settled, and what is
 * asked for is what is shown.
 */

#include <string.h>
#include <unistd.h>

#include "fixture.h"

#define HOUR (G_GINT64_CONSTANT (3600) * G_USEC_PER_SEC)
#define SOON (g_get_real_time () + G_USEC_PER_SEC)

static void
what_is_committed_is_listed (Fixture *fixture)
{
    QueueId id = fixture_commit (fixture, 1000, "a@one.example b@two.example", "Subject: x\r\n\r\nhello\r\n");
    g_autoptr (QueueMessage) message = fixture_get (fixture, id);
    g_autoptr (GString) content = fixture_read (fixture, id, NULL);
    QueueStatistics statistics;
    gint64 uid;

    g_assert_cmpint (message->state, ==, QUEUE_STATE_QUEUED);
    g_assert_cmpuint (message->recipients->len, ==, 2);
    g_assert_cmpstr (message->envelope->sender, ==, "sender@example.net");
    g_assert_cmpstr (message->origin.protocol, ==, "local");
    g_assert_cmpstr (content->str, ==, "Subject: x\r\n\r\nhello\r\n");
    g_assert_cmpuint (fixture_count_events (fixture, "queued"), ==, 1);
    g_assert_true (queue_owner (fixture->queue, id, &uid));
    g_assert_cmpint (uid, ==, 1000);
    queue_statistics (fixture->queue, &statistics);
    g_assert_cmpuint (statistics.messages, ==, 1);
    g_assert_cmpuint (statistics.bytes, ==, content->len);
    g_assert_cmpuint (statistics.by_state[QUEUE_STATE_QUEUED], ==, 1);
    g_assert_cmpint (statistics.oldest_usec, ==, message->arrival_usec);
}

static void
a_restart_keeps_everything (Fixture *fixture)
{
    QueueId id = fixture_commit (fixture, -1, "a@one.example b@one.example", "hello\r\n");
    QueueJob *job = fixture_take (fixture, "one.example");
    const QueueResult results[] = {
        {.outcome = QUEUE_OUTCOME_DELIVERED, .remote = "mx:25", .status = "2.0.0", .reply = "250 ok"},
        {.outcome = QUEUE_OUTCOME_DEFERRED, .remote = "mx:25", .status = "4.2.0", .reply = "450 busy"}};
    gint64 next = g_get_real_time () + HOUR;
    g_autoptr (QueueMessage) message = NULL;
    g_autoptr (GString) content = NULL;

    g_assert_cmpuint (job->n_recipients, ==, 2);
    queue_settle (fixture->queue, job, results, next, FALSE);
    fixture_reopen (fixture);

    message = fixture_get (fixture, id);
    content = fixture_read (fixture, id, NULL);
    g_assert_cmpstr (content->str, ==, "hello\r\n");
    g_assert_cmpint (message->state, ==, QUEUE_STATE_DEFERRED);
    g_assert_cmpint (message->next_usec, ==, next);
    g_assert_cmpuint (message->attempts, ==, 1);
    g_assert_cmpint (queue_message_recipient (message, 0)->state, ==, QUEUE_RECIPIENT_DELIVERED);
    g_assert_cmpstr (queue_message_recipient (message, 0)->reply, ==, "250 ok");
    g_assert_cmpint (queue_message_recipient (message, 1)->state, ==, QUEUE_RECIPIENT_PENDING);
    g_assert_cmpstr (queue_message_recipient (message, 1)->status, ==, "4.2.0");
    g_assert_cmpstr (message->reason, ==, "mx:25: 450 busy");
    g_assert_cmpuint (message->history->len, ==, 2);
    g_assert_null (fixture_take (fixture, "one.example"));
    g_assert_cmpint (queue_lane_due (fixture->queue, "one.example"), ==, next);
}

static void
a_delivered_message_is_gone (Fixture *fixture)
{
    QueueId id = fixture_commit (fixture, 1, "a@one.example", "hello\r\n");
    QueueStatistics statistics;

    fixture_settle (fixture, fixture_take (fixture, "one.example"), QUEUE_OUTCOME_DELIVERED, "250 ok", 0);
    g_assert_null (fixture_get (fixture, id));
    g_assert_cmpuint (fixture_count_events (fixture, "delivered"), ==, 1);
    g_assert_cmpuint (fixture_count_events (fixture, "removed"), ==, 1);
    fixture_reopen (fixture);
    queue_statistics (fixture->queue, &statistics);
    g_assert_cmpuint (statistics.messages, ==, 0);
    g_assert_cmpuint (statistics.bytes, ==, 0);
    g_assert_cmpint (statistics.oldest_usec, ==, 0);
}

static void
a_large_message_comes_out_as_it_went_in (Fixture *fixture)
{
    const QueueOrigin origin = {.uid = 1, .protocol = (gchar *) "ESMTP"};
    gsize length = 1000003;
    g_autofree gchar *content = g_malloc (length);
    g_autoptr (GString) out = NULL;
    QueueId id;

    for (gsize i = 0; i < length; i++)
        content[i] = (gchar) ('a' + i * i % 23);
    id = fixture_commit_full (fixture, &origin, "a@one.example", content, length, FALSE, NULL);
    out = fixture_read (fixture, id, NULL);
    g_assert_cmpmem (content, (gint) length, out->str, (gint) out->len);
    g_string_free (g_steal_pointer (&out), TRUE);
    fixture_reopen (fixture);
    out = fixture_read (fixture, id, NULL);
    g_assert_cmpmem (content, (gint) length, out->str, (gint) out->len);
}

static void
an_empty_message_has_no_content (Fixture *fixture)
{
    QueueId id = fixture_commit (fixture, 1, "a@one.example", "");
    g_autoptr (GString) content = fixture_read (fixture, id, NULL);

    g_assert_cmpuint (content->len, ==, 0);
    fixture_reopen (fixture);
    g_assert_nonnull (fixture_take (fixture, "one.example"));
}

static void
an_aborted_message_leaves_nothing (Fixture *fixture)
{
    const QueueOrigin origin = {.uid = 1, .protocol = (gchar *) "ESMTP"};
    QueueIntake *intake = queue_intake_new (fixture->queue, &origin, 0, NULL, NULL, NULL);
    g_autofree gchar *content = g_malloc0 (200000);
    QueueStatistics statistics;

    queue_intake_write (intake, content, 200000);
    queue_intake_abort (intake);
    fixture_reopen (fixture);
    queue_statistics (fixture->queue, &statistics);
    g_assert_cmpuint (statistics.messages, ==, 0);
}

static void
recipients_are_sorted_by_their_route (Fixture *fixture)
{
    QueueJob *one, *two;

    fixture_commit (fixture, 1, "a@one.example b@two.example c@one.example", "x");
    one = fixture_take (fixture, "one.example");
    two = fixture_take (fixture, "two.example");
    g_assert_cmpuint (one->n_recipients, ==, 2);
    g_assert_cmpuint (one->recipients[0], ==, 0);
    g_assert_cmpuint (one->recipients[1], ==, 2);
    g_assert_cmpuint (two->n_recipients, ==, 1);
    g_assert_cmpuint (two->recipients[0], ==, 1);
    g_assert_cmpint (two->message->state, ==, QUEUE_STATE_DELIVERING);
    g_assert_null (fixture_take (fixture, "one.example"));

    fixture_settle (fixture, one, QUEUE_OUTCOME_DELIVERED, "250", 0);
    fixture_settle (fixture, two, QUEUE_OUTCOME_DEFERRED, "450", SOON);
    fixture_settle_down ();
    g_assert_cmpint (queue_lane_due (fixture->queue, "one.example"), ==, G_MAXINT64);
    g_assert_cmpint (queue_lane_due (fixture->queue, "two.example"), >, g_get_real_time ());
    fixture_reopen (fixture);
    g_assert_cmpint (queue_lane_due (fixture->queue, "one.example"), ==, G_MAXINT64);
    g_assert_cmpint (queue_lane_due (fixture->queue, "two.example"), >, 0);
}

static void
two_deliveries_of_a_message_keep_each_others_results (Fixture *fixture)
{
    QueueId id = fixture_commit (fixture, 1, "a@one.example b@two.example c@three.example", "x");
    QueueJob *one = fixture_take (fixture, "one.example");
    QueueJob *two = fixture_take (fixture, "two.example");
    const QueueResult first = {.outcome = QUEUE_OUTCOME_DELIVERED, .reply = "250 one"};
    const QueueResult second = {.outcome = QUEUE_OUTCOME_FAILED, .reply = "550 two"};
    g_autoptr (QueueMessage) message = NULL;

    queue_settle (fixture->queue, one, &first, 0, FALSE);
    queue_settle (fixture->queue, two, &second, 0, FALSE);
    fixture_reopen (fixture);
    message = fixture_get (fixture, id);
    g_assert_cmpstr (queue_message_recipient (message, 0)->reply, ==, "250 one");
    g_assert_cmpint (queue_message_recipient (message, 0)->state, ==, QUEUE_RECIPIENT_DELIVERED);
    g_assert_cmpstr (queue_message_recipient (message, 1)->reply, ==, "550 two");
    g_assert_cmpint (queue_message_recipient (message, 1)->state, ==, QUEUE_RECIPIENT_FAILED);
    g_assert_cmpuint (queue_message_pending (message), ==, 1);
    g_assert_cmpuint (message->attempts, ==, 2);
    g_assert_cmpuint (fixture_count_events (fixture, "bounced"), ==, 1);
}

static void
what_is_put_back_is_as_before (Fixture *fixture)
{
    QueueId id = fixture_commit (fixture, 1, "a@one.example", "x");
    QueueJob *job = fixture_take (fixture, "one.example");
    g_autoptr (QueueMessage) message = NULL;

    fixture_settle (fixture, job, QUEUE_OUTCOME_UNTRIED, NULL, 0);
    message = fixture_get (fixture, id);
    g_assert_cmpint (message->state, ==, QUEUE_STATE_QUEUED);
    g_assert_cmpuint (message->attempts, ==, 0);
    g_assert_cmpuint (fixture->events->len, ==, 1);
    g_assert_nonnull (fixture_take (fixture, "one.example"));
}

static void
a_held_message_is_not_given_out (Fixture *fixture)
{
    QueueId id = fixture_commit (fixture, 1, "a@one.example", "x");
    QueueStatistics statistics;
    QueueJob *job;

    g_assert_cmpuint (fixture_act_on (fixture, QUEUE_ACTION_HOLD, id), ==, 1);
    g_assert_cmpuint (fixture_act_on (fixture, QUEUE_ACTION_HOLD, id), ==, 0);
    g_assert_cmpuint (fixture_act_on (fixture, QUEUE_ACTION_RETRY, id), ==, 0);
    g_assert_null (fixture_take (fixture, "one.example"));
    fixture_reopen (fixture);
    g_assert_null (fixture_take (fixture, "one.example"));
    queue_statistics (fixture->queue, &statistics);
    g_assert_cmpuint (statistics.by_state[QUEUE_STATE_HELD], ==, 1);

    g_assert_cmpuint (fixture_act_on (fixture, QUEUE_ACTION_RELEASE, id), ==, 1);
    job = fixture_take (fixture, "one.example");
    g_assert_nonnull (job);
    g_assert_cmpuint (fixture_count_events (fixture, "held"), ==, 1);
    g_assert_cmpuint (fixture_count_events (fixture, "released"), ==, 1);
    fixture_settle (fixture, job, QUEUE_OUTCOME_DELIVERED, "250", 0);
}

static void
a_message_may_arrive_held (Fixture *fixture)
{
    const QueueOrigin origin = {.uid = 1, .protocol = (gchar *) "notice"};
    QueueId id = fixture_commit_full (fixture, &origin, "a@one.example", "x", 1, TRUE, NULL);
    g_autoptr (QueueMessage) message = fixture_get (fixture, id);

    g_assert_cmpint (message->state, ==, QUEUE_STATE_HELD);
    g_assert_null (fixture_take (fixture, "one.example"));
}

static void
a_settle_may_hold_what_is_left (Fixture *fixture)
{
    QueueId id = fixture_commit (fixture, 1, "a@one.example b@two.example", "x");
    QueueJob *job = fixture_take (fixture, "one.example");
    const QueueResult result = {.outcome = QUEUE_OUTCOME_DEFERRED, .reply = "450"};
    g_autoptr (QueueMessage) message = NULL;

    queue_settle (fixture->queue, job, &result, SOON, TRUE);
    fixture_reopen (fixture);
    message = fixture_get (fixture, id);
    g_assert_cmpint (message->state, ==, QUEUE_STATE_HELD);
    g_assert_null (fixture_take (fixture, "two.example"));
    g_assert_cmpuint (fixture_count_events (fixture, "held"), ==, 1);
}

static void
a_retry_makes_due_at_once (Fixture *fixture)
{
    QueueId id = fixture_commit (fixture, 1, "a@one.example", "x");

    fixture_settle (fixture, fixture_take (fixture, "one.example"), QUEUE_OUTCOME_DEFERRED, "450",
                    g_get_real_time () + HOUR);
    g_assert_null (fixture_take (fixture, "one.example"));
    fixture_settle_down ();
    g_ptr_array_set_size (fixture->due, 0);
    g_assert_cmpuint (fixture_act_on (fixture, QUEUE_ACTION_RETRY, id), ==, 1);
    fixture_settle_down ();
    g_assert_cmpuint (fixture->due->len, ==, 1);
    g_assert_nonnull (fixture_take (fixture, "one.example"));
    fixture_reopen (fixture);
    g_assert_nonnull (fixture_take (fixture, "one.example"));
}

/* Whether there is a job that somebody asked for. */
static gboolean
has_asked_for (Fixture *fixture)
{
    return queue_lane_due (fixture->queue, "one.example") <= QUEUE_ONLY_ASKED_FOR;
}

static void
what_is_asked_for_goes_first (Fixture *fixture)
{
    const QueueResult untried = {.outcome = QUEUE_OUTCOME_UNTRIED};
    QueueId asked;
    QueueJob *job;

    fixture_commit (fixture, 1, "a@one.example", "x");
    asked = fixture_commit (fixture, 1, "b@one.example", "y");
    g_assert_false (has_asked_for (fixture));
    fixture_act_on (fixture, QUEUE_ACTION_RETRY, asked);
    g_assert_true (has_asked_for (fixture));
    job = fixture_take (fixture, "one.example");
    g_assert_cmpuint (job->message->id, ==, asked);

    /* A connection that could not be used does not make it wait. */
    queue_settle (fixture->queue, job, &untried, 0, FALSE);
    fixture_settle_down ();
    g_assert_true (has_asked_for (fixture));
    job = fixture_take (fixture, "one.example");
    g_assert_cmpuint (job->message->id, ==, asked);
    g_assert_false (has_asked_for (fixture));
    fixture_settle (fixture, job, QUEUE_OUTCOME_DEFERRED, "450", SOON);
    g_assert_false (has_asked_for (fixture));
}

static void
what_is_held_is_not_told_as_deferred (Fixture *fixture)
{
    const QueueResult results[] = {
        {.outcome = QUEUE_OUTCOME_DELIVERED, .remote = "mx:25", .status = "2.0.0", .reply = "250 2.0.0 taken"},
        {.outcome = QUEUE_OUTCOME_DEFERRED, .remote = "mx:25", .status = "5.1.1", .reply = "550 5.1.1 no such user"}};
    QueueId id = fixture_commit (fixture, 1, "a@one.example b@one.example", "x");
    g_autoptr (QueueMessage) message = NULL;

    queue_settle (fixture->queue, fixture_take (fixture, "one.example"), results, 0, TRUE);
    while (fixture_count_events (fixture, "held") == 0)
        g_main_context_iteration (NULL, TRUE);
    g_assert_cmpuint (fixture_count_events (fixture, "delivered"), ==, 1);
    g_assert_cmpuint (fixture_count_events (fixture, "deferred"), ==, 0);
    g_assert_cmpuint (fixture_count_events (fixture, "held"), ==, 1);
    message = fixture_get (fixture, id);
    g_assert_cmpstr (message->reason, ==, "mx:25: 550 5.1.1 no such user");
}

static void
a_deleted_message_is_gone (Fixture *fixture)
{
    QueueId id = fixture_commit (fixture, 1, "a@one.example", "x");
    QueueId kept = fixture_commit (fixture, 1, "b@one.example", "y");
    QueueJob *job;

    g_assert_cmpuint (fixture_act_on (fixture, QUEUE_ACTION_DELETE, id), ==, 1);
    g_assert_cmpuint (fixture_act_on (fixture, QUEUE_ACTION_DELETE, id), ==, 0);
    g_assert_null (fixture_get (fixture, id));
    g_assert_cmpuint (fixture_count_events (fixture, "deleted"), ==, 1);
    fixture_reopen (fixture);
    g_assert_null (fixture_get (fixture, id));
    job = fixture_take (fixture, "one.example");
    g_assert_cmpuint (job->message->id, ==, kept);
}

static void
deleting_waits_for_the_delivery (Fixture *fixture)
{
    QueueId id = fixture_commit (fixture, 1, "a@one.example", "x");
    QueueJob *job = fixture_take (fixture, "one.example");
    g_autoptr (QueueMessage) message = NULL;

    g_assert_cmpuint (fixture_act_on (fixture, QUEUE_ACTION_DELETE, id), ==, 1);
    message = fixture_get (fixture, id);
    g_assert_cmpint (message->state, ==, QUEUE_STATE_DELIVERING);
    g_assert_cmpuint (fixture_count_events (fixture, "deleted"), ==, 0);
    fixture_settle (fixture, job, QUEUE_OUTCOME_DEFERRED, "450", SOON);
    g_assert_null (fixture_get (fixture, id));
    g_assert_cmpuint (fixture_count_events (fixture, "deleted"), ==, 1);
}

static void
a_message_deleted_while_it_is_delivered_was_delivered (Fixture *fixture)
{
    QueueId id = fixture_commit (fixture, 1, "a@one.example", "x");
    QueueJob *job = fixture_take (fixture, "one.example");

    g_assert_cmpuint (fixture_act_on (fixture, QUEUE_ACTION_DELETE, id), ==, 1);
    fixture_settle (fixture, job, QUEUE_OUTCOME_DELIVERED, "250", 0);
    g_assert_null (fixture_get (fixture, id));
    g_assert_cmpuint (fixture_count_events (fixture, "deleted"), ==, 0);
    g_assert_cmpuint (fixture_count_events (fixture, "delivered"), ==, 1);
}

static void
deleting_survives_a_crash_of_the_delivery (Fixture *fixture)
{
    QueueId id = fixture_commit (fixture, 1, "a@one.example", "x");

    fixture_take (fixture, "one.example");
    g_assert_cmpuint (fixture_act_on (fixture, QUEUE_ACTION_DELETE, id), ==, 1);
    fixture_close (fixture);
    fixture_open (fixture);
    while (fixture_count_events (fixture, "deleted") == 0)
        g_main_context_iteration (NULL, TRUE);
    g_assert_null (fixture_get (fixture, id));
}

static void
holding_stops_further_tries (Fixture *fixture)
{
    QueueId id = fixture_commit (fixture, 1, "a@one.example", "x");
    QueueJob *job = fixture_take (fixture, "one.example");
    g_autoptr (QueueMessage) message = NULL;

    g_assert_cmpuint (fixture_act_on (fixture, QUEUE_ACTION_HOLD, id), ==, 1);
    fixture_settle (fixture, job, QUEUE_OUTCOME_DEFERRED, "450", g_get_real_time () - 1);
    message = fixture_get (fixture, id);
    g_assert_cmpint (message->state, ==, QUEUE_STATE_HELD);
    g_assert_null (fixture_take (fixture, "one.example"));
}

static void
keep_job (QueueJob *job, gpointer user_data)
{
    g_ptr_array_add (user_data, job);
}

static void
old_messages_are_given_out_whatever_their_time (Fixture *fixture)
{
    QueueId old = fixture_commit (fixture, 1, "a@one.example b@two.example", "x");
    QueueId held = fixture_commit (fixture, 1, "a@one.example", "x");
    QueueId young = fixture_commit (fixture, 1, "a@one.example", "x");
    g_autoptr (QueueMessage) youngest = fixture_get (fixture, young);
    g_autoptr (GPtrArray) jobs = g_ptr_array_new ();

    fixture_act_on (fixture, QUEUE_ACTION_HOLD, held);
    fixture_settle (fixture, fixture_take (fixture, "one.example"), QUEUE_OUTCOME_DEFERRED, "450",
                    g_get_real_time () + HOUR);
    g_assert_cmpuint (queue_take_old (fixture->queue, 1000, 100, keep_job, jobs), ==, 0);
    g_assert_cmpuint (queue_take_old (fixture->queue, youngest->arrival_usec, 1, keep_job, jobs), ==, 1);
    g_assert_cmpuint (queue_take_old (fixture->queue, youngest->arrival_usec, 100, keep_job, jobs), ==, 0);
    g_assert_cmpuint (queue_take_old (fixture->queue, youngest->arrival_usec, 100, keep_job, jobs), ==, 1);
    g_assert_cmpuint (jobs->len, ==, 2);
    for (guint i = 0; i < jobs->len; i++) {
        QueueJob *job = g_ptr_array_index (jobs, i);

        g_assert_cmpuint (job->message->id, ==, old);
        fixture_settle (fixture, job, QUEUE_OUTCOME_EXPIRED, "5.4.7", 0);
    }
    g_assert_null (fixture_get (fixture, old));
    g_assert_cmpuint (fixture_count_events (fixture, "expired"), ==, 2);
}

static void
limits_are_kept (Fixture *fixture)
{
    const QueueOrigin origin = {.uid = 7, .protocol = (gchar *) "local"};
    const QueueOrigin other = {.uid = 8, .protocol = (gchar *) "local"};
    const QueueOrigin notice = {.uid = -1, .protocol = (gchar *) "notice"};
    QueueLimits limits = {.generation_bytes = 1 << 20, .messages_most = 2, .user_messages_most = 1};
    g_autoptr (GError) error = NULL;
    QueueIntake *intake;

    queue_set_limits (fixture->queue, &limits);
    fixture_commit (fixture, 7, "a@one.example", "x");
    g_assert_null (queue_intake_new (fixture->queue, &origin, 0, NULL, NULL, &error));
    g_assert_error (error, QUEUE_ERROR, QUEUE_ERROR_LIMIT);
    g_clear_error (&error);
    fixture_commit (fixture, 8, "a@one.example", "x");
    limits.user_messages_most = 0;
    queue_set_limits (fixture->queue, &limits);
    g_assert_null (queue_intake_new (fixture->queue, &other, 0, NULL, NULL, &error));
    g_assert_error (error, QUEUE_ERROR, QUEUE_ERROR_LIMIT);
    g_clear_error (&error);

    limits = (QueueLimits){.generation_bytes = 1 << 20, .reserve_bytes = G_MAXUINT64 / 2};
    queue_set_limits (fixture->queue, &limits);
    g_assert_null (queue_intake_new (fixture->queue, &other, 0, NULL, NULL, &error));
    g_assert_error (error, QUEUE_ERROR, QUEUE_ERROR_FULL);

    intake = queue_intake_new (fixture->queue, &notice, 0, NULL, NULL, NULL);
    g_assert_nonnull (intake);
    queue_intake_abort (intake);
}

static void
a_second_instance_is_told_who_has_it (Fixture *fixture)
{
    g_autoptr (GError) error = NULL;
    g_autofree gchar *pid = g_strdup_printf ("process %d", (gint) getpid ());

    g_assert_null (queue_open (fixture->directory, &fixture->limits, &error));
    g_assert_error (error, QUEUE_ERROR, QUEUE_ERROR_BUSY);
    g_assert_nonnull (strstr (error->message, pid));
    g_assert_nonnull (strstr (error->message, fixture->directory));
}

static void
many_recipients_with_one_result_are_announced_together (Fixture *fixture)
{
    g_autoptr (GString) recipients = g_string_new ("r0@one.example");
    QueueJob *job;
    guint before;

    for (guint i = 1; i < 2 * QUEUE_EVENT_ALIKE_MOST + 1; i++)
        g_string_append_printf (recipients, " r%u@one.example", i);
    fixture_commit (fixture, 1, recipients->str, "x");
    job = fixture_take (fixture, "one.example");
    before = fixture->n_told;
    fixture_settle (fixture, job, QUEUE_OUTCOME_DELIVERED, "250 taken", 0);

    /* Three of deliveries, and the removal. */
    g_assert_cmpuint (fixture->n_told - before, ==, 4);
    g_assert_cmpuint (fixture->n_announced, ==, 0);
    g_assert_cmpuint (fixture_count_events (fixture, "delivered"), ==, 2 * QUEUE_EVENT_ALIKE_MOST + 1);
}

static void
a_few_recipients_are_told_of_one_by_one (Fixture *fixture)
{
    guint before;

    fixture_commit (fixture, 1, "a@one.example b@one.example c@one.example", "x");
    before = fixture->n_told;
    fixture_settle (fixture, fixture_take (fixture, "one.example"), QUEUE_OUTCOME_FAILED, "550 no", 0);
    g_assert_cmpuint (fixture->n_told - before, ==, 4);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    fixture_add ("/queue/many-recipients-with-one-result-are-announced-together",
                 many_recipients_with_one_result_are_announced_together);
    fixture_add ("/queue/a-few-recipients-are-told-of-one-by-one", a_few_recipients_are_told_of_one_by_one);
    fixture_add ("/queue/what-is-committed-is-listed", what_is_committed_is_listed);
    fixture_add ("/queue/a-restart-keeps-everything", a_restart_keeps_everything);
    fixture_add ("/queue/a-delivered-message-is-gone", a_delivered_message_is_gone);
    fixture_add ("/queue/a-large-message-comes-out-as-it-went-in", a_large_message_comes_out_as_it_went_in);
    fixture_add ("/queue/an-empty-message-has-no-content", an_empty_message_has_no_content);
    fixture_add ("/queue/an-aborted-message-leaves-nothing", an_aborted_message_leaves_nothing);
    fixture_add ("/queue/recipients-are-sorted-by-their-route", recipients_are_sorted_by_their_route);
    fixture_add ("/queue/two-deliveries-of-a-message-keep-each-others-results",
                 two_deliveries_of_a_message_keep_each_others_results);
    fixture_add ("/queue/what-is-put-back-is-as-before", what_is_put_back_is_as_before);
    fixture_add ("/queue/a-held-message-is-not-given-out", a_held_message_is_not_given_out);
    fixture_add ("/queue/a-message-may-arrive-held", a_message_may_arrive_held);
    fixture_add ("/queue/a-settle-may-hold-what-is-left", a_settle_may_hold_what_is_left);
    fixture_add ("/queue/a-retry-makes-due-at-once", a_retry_makes_due_at_once);
    fixture_add ("/queue/what-is-asked-for-goes-first", what_is_asked_for_goes_first);
    fixture_add ("/queue/what-is-held-is-not-told-as-deferred", what_is_held_is_not_told_as_deferred);
    fixture_add ("/queue/a-deleted-message-is-gone", a_deleted_message_is_gone);
    fixture_add ("/queue/deleting-waits-for-the-delivery", deleting_waits_for_the_delivery);
    fixture_add ("/queue/a-message-deleted-while-it-is-delivered-was-delivered",
                 a_message_deleted_while_it_is_delivered_was_delivered);
    fixture_add ("/queue/deleting-survives-a-crash-of-the-delivery", deleting_survives_a_crash_of_the_delivery);
    fixture_add ("/queue/holding-stops-further-tries", holding_stops_further_tries);
    fixture_add ("/queue/old-messages-are-given-out-whatever-their-time",
                 old_messages_are_given_out_whatever_their_time);
    fixture_add ("/queue/limits-are-kept", limits_are_kept);
    fixture_add ("/queue/a-second-instance-is-told-who-has-it", a_second_instance_is_told_who_has_it);

    return g_test_run ();
}
