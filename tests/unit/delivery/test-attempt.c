/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "delivery/attempt.h"
#include "queue/snapshot.h"

#define SECOND    ((gint64) G_USEC_PER_SEC)
#define ARRIVAL   (1000000 * SECOND)
#define MIDDLE    0.5 /* the random number that shifts no delay */
#define N_RCPT    3
#define FIRST_ONE 4 /* the job's recipients are the last ones of the message */

/* What was settled last: this takes the place of the queue. */
static struct {
    QueueResult results[N_RCPT];
    gint64 next_usec;
    gboolean hold;
} settled;

void
queue_settle (Queue *queue, QueueJob *job, const QueueResult *results, gint64 next_usec, gboolean hold)
{
    for (guint i = 0; i < job->n_recipients; i++)
        settled.results[i] = (QueueResult){.outcome = results[i].outcome,
                                           .delay_notified = results[i].delay_notified,
                                           .status = g_intern_string (results[i].status),
                                           .remote = g_intern_string (results[i].remote),
                                           .reply = g_intern_string (results[i].reply),
                                           .is_ours = results[i].is_ours};
    settled.next_usec = next_usec;
    settled.hold = hold;
    queue_message_unref (job->message);
    g_free (job->recipients);
    g_free (job);
}

typedef struct {
    DeliveryAttempt *attempt;
    DeliverySettings *settings;
} Fixture;

static QueueMessage *
make_message (const gchar *sender)
{
    g_autoptr (MessageEnvelope) envelope = message_envelope_new (sender);
    const QueueOrigin origin = {.uid = -1, .protocol = (gchar *) "local"};
    QueueMessage *message;

    for (guint i = 0; i < FIRST_ONE + N_RCPT; i++) {
        g_autofree gchar *address = g_strdup_printf ("user%u@example.org", i);

        message_envelope_add (envelope, address);
    }

    message = queue_snapshot_new (42, &origin, envelope);
    message->arrival_usec = ARRIVAL;
    return message;
}

static void
set_up (Fixture *fixture, gconstpointer sender)
{
    QueueJob *job = g_new0 (QueueJob, 1);

    job->message = make_message (sender);
    job->n_recipients = N_RCPT;
    job->recipients = g_new (guint, N_RCPT);
    for (guint i = 0; i < N_RCPT; i++)
        job->recipients[i] = FIRST_ONE + i;

    fixture->attempt = delivery_attempt_new (job);
    fixture->settings = delivery_settings_new ();
    delivery_attempt_start (fixture->attempt, "mx.example.org", "mx.example.org:25", TRUE);
}

static void
tear_down (Fixture *fixture, gconstpointer sender)
{
    delivery_attempt_free (fixture->attempt);
    delivery_settings_free (fixture->settings);
}

static void
answer (Fixture *fixture, guint index, guint code, const gchar *status)
{
    g_autoptr (SmtpReply) reply = smtp_reply_new (code, status, "words");

    delivery_attempt_answer (fixture->attempt, FIRST_ONE + index, reply);
}

static void
break_off (Fixture *fixture, DeliveryWait wait)
{
    g_autoptr (DeliveryFailure) failure =
        delivery_failure_new (DELIVERY_FAILURE_CLOSED, NULL, g_strdup ("the remote went away"));

    delivery_attempt_break (fixture->attempt, failure, wait);
}

static void
settle (Fixture *fixture, gint64 age_seconds)
{
    delivery_attempt_judge (fixture->attempt, fixture->settings, ARRIVAL + age_seconds * SECOND, MIDDLE);
    delivery_attempt_settle (fixture->attempt, NULL);
}

static void
test_classes (Fixture *fixture, gconstpointer data)
{
    answer (fixture, 2, 550, "5.1.1");
    answer (fixture, 0, 250, "2.1.5");
    answer (fixture, 1, 451, NULL);
    settle (fixture, 1);

    g_assert_cmpint (settled.results[0].outcome, ==, QUEUE_OUTCOME_DELIVERED);
    g_assert_cmpint (settled.results[1].outcome, ==, QUEUE_OUTCOME_DEFERRED);
    g_assert_cmpint (settled.results[2].outcome, ==, QUEUE_OUTCOME_FAILED);
    g_assert_cmpstr (settled.results[0].status, ==, "2.1.5");
    g_assert_cmpstr (settled.results[1].status, ==, "4.0.0");
    g_assert_cmpstr (settled.results[2].reply, ==, "550 5.1.1 words");
    g_assert_cmpstr (settled.results[2].remote, ==, "mx.example.org:25");
    g_assert_false (settled.hold);
}

static void
test_backoff (Fixture *fixture, gconstpointer data)
{
    for (guint i = 0; i < N_RCPT; i++)
        answer (fixture, i, 451, NULL);
    queue_message_recipient (fixture->attempt->job->message, FIRST_ONE)->attempts = 2;
    settle (fixture, 1000);

    g_assert_cmpint (settled.next_usec, ==,
                     ARRIVAL + (1000 + 4 * (gint64) fixture->settings->retry_first_seconds) * SECOND);
}

static void
test_broken (Fixture *fixture, gconstpointer data)
{
    answer (fixture, 0, 250, NULL);
    break_off (fixture, DELIVERY_WAIT_SHORT);
    settle (fixture, 0);

    g_assert_cmpint (settled.results[0].outcome, ==, QUEUE_OUTCOME_DELIVERED);
    g_assert_cmpint (settled.results[1].outcome, ==, QUEUE_OUTCOME_DEFERRED);
    g_assert_cmpstr (settled.results[1].reply, ==, "the remote went away");
    g_assert_cmpint (settled.next_usec, <, ARRIVAL + fixture->settings->retry_first_seconds * SECOND);
}

static void
test_with_lane (Fixture *fixture, gconstpointer data)
{
    break_off (fixture, DELIVERY_WAIT_LANE);
    settle (fixture, 0);

    g_assert_cmpint (settled.next_usec, ==, QUEUE_NEXT_WITH_LANE);
}

static void
test_untried (Fixture *fixture, gconstpointer data)
{
    answer (fixture, 0, 250, NULL);
    settle (fixture, fixture->settings->expire_seconds + 1);

    g_assert_cmpint (settled.results[0].outcome, ==, QUEUE_OUTCOME_DELIVERED);
    g_assert_cmpint (settled.results[1].outcome, ==, QUEUE_OUTCOME_UNTRIED);
}

static guint
count_recipients (Fixture *fixture, guint most)
{
    guint n_recipients;

    delivery_attempt_recipients (fixture->attempt, most, &n_recipients);
    return n_recipients;
}

static void
test_portion (Fixture *fixture, gconstpointer data)
{
    g_assert_cmpuint (count_recipients (fixture, G_MAXUINT), ==, N_RCPT);
    g_assert_cmpuint (count_recipients (fixture, 2), ==, 2);
    answer (fixture, 0, 250, NULL);
    answer (fixture, 1, 451, "4.2.1");
    delivery_attempt_end_part (fixture->attempt);
    settle (fixture, 1);

    g_assert_cmpint (settled.results[1].outcome, ==, QUEUE_OUTCOME_DEFERRED);
    g_assert_cmpint (settled.results[2].outcome, ==, QUEUE_OUTCOME_UNTRIED);
}

static void
test_portion_deferred (Fixture *fixture, gconstpointer data)
{
    answer (fixture, 0, 451, "4.2.1");
    answer (fixture, 1, 451, "4.2.1");
    delivery_attempt_end_part (fixture->attempt);
    settle (fixture, 1);

    g_assert_cmpint (settled.results[2].outcome, ==, QUEUE_OUTCOME_DEFERRED);
    g_assert_cmpstr (settled.results[2].reply, ==, "451 4.2.1 words");
    g_assert_cmpint (settled.next_usec, >, ARRIVAL + SECOND);
}

static void
test_portion_failed (Fixture *fixture, gconstpointer data)
{
    answer (fixture, 0, 554, "5.6.0");
    delivery_attempt_end_part (fixture->attempt);
    settle (fixture, 1);

    g_assert_cmpint (settled.results[1].outcome, ==, QUEUE_OUTCOME_UNTRIED);
}

static void
test_null_sender_portion (Fixture *fixture, gconstpointer data)
{
    answer (fixture, 0, 550, "5.1.1");
    delivery_attempt_end_part (fixture->attempt);
    settle (fixture, 1);

    g_assert_cmpint (settled.results[0].outcome, ==, QUEUE_OUTCOME_DEFERRED);
    g_assert_cmpint (settled.results[1].outcome, ==, QUEUE_OUTCOME_UNTRIED);
    g_assert_false (settled.hold);
}

static void
test_passed_over (Fixture *fixture, gconstpointer data)
{
    fixture->attempt->passed_over = TRUE;
    break_off (fixture, DELIVERY_WAIT_LANE);
    fixture->attempt->answers[0].delay_notified = TRUE;
    settle (fixture, 1);

    g_assert_cmpint (settled.results[0].outcome, ==, QUEUE_OUTCOME_UNTRIED);
    g_assert_true (settled.results[0].delay_notified);
    g_assert_false (settled.results[1].delay_notified);
}

static void
test_expired (Fixture *fixture, gconstpointer data)
{
    answer (fixture, 0, 451, "4.2.1");
    answer (fixture, 1, 550, "5.1.1");
    answer (fixture, 2, 250, NULL);
    settle (fixture, fixture->settings->expire_seconds);

    g_assert_cmpint (settled.results[0].outcome, ==, QUEUE_OUTCOME_EXPIRED);
    g_assert_cmpstr (settled.results[0].status, ==, "4.4.7");
    g_assert_cmpstr (
        settled.results[0].reply, ==,
        "could not be delivered within 5 days; the last reason: mx.example.org:25 said: 451 4.2.1 words");
    g_assert_true (settled.results[0].is_ours);
    g_assert_cmpstr (settled.results[0].remote, ==, NULL);
    g_assert_cmpint (settled.results[1].outcome, ==, QUEUE_OUTCOME_FAILED);
    g_assert_false (settled.results[1].is_ours);
    g_assert_cmpint (settled.results[2].outcome, ==, QUEUE_OUTCOME_DELIVERED);
}

/* Who said what, for each way in which an attempt can end. */
static void
test_whose_verdict (Fixture *fixture, gconstpointer data)
{
    g_autoptr (SmtpReply) ours = smtp_reply_new_ours (550, "5.6.7", "it is in letters beyond ASCII");

    delivery_attempt_answer (fixture->attempt, FIRST_ONE, ours);
    answer (fixture, 1, 550, "5.1.1");
    break_off (fixture, DELIVERY_WAIT_SHORT);
    settle (fixture, 1);

    g_assert_cmpint (settled.results[0].outcome, ==, QUEUE_OUTCOME_FAILED);
    g_assert_cmpstr (settled.results[0].status, ==, "5.6.7");
    g_assert_cmpstr (settled.results[0].reply, ==, "not sent to mx.example.org:25: it is in letters beyond ASCII");
    g_assert_cmpstr (settled.results[0].remote, ==, NULL);
    g_assert_true (settled.results[0].is_ours);
    g_assert_cmpstr (settled.results[1].remote, ==, "mx.example.org:25");
    g_assert_false (settled.results[1].is_ours);
    g_assert_cmpstr (settled.results[2].remote, ==, "mx.example.org:25");
    g_assert_true (settled.results[2].is_ours);
}

static void
test_last_attempt (Fixture *fixture, gconstpointer data)
{
    gint64 expiry_usec = ARRIVAL + fixture->settings->expire_seconds * SECOND;

    for (guint i = 0; i < N_RCPT; i++)
        answer (fixture, i, 451, NULL);
    settle (fixture, fixture->settings->expire_seconds - 30);

    g_assert_cmpint (settled.next_usec, ==, expiry_usec);
}

static void
test_null_sender_failed (Fixture *fixture, gconstpointer data)
{
    answer (fixture, 0, 550, "5.1.1");
    answer (fixture, 1, 250, NULL);
    answer (fixture, 2, 250, NULL);
    settle (fixture, 1);

    g_assert_cmpint (settled.results[0].outcome, ==, QUEUE_OUTCOME_DEFERRED);
    g_assert_cmpstr (settled.results[0].reply, ==, "550 5.1.1 words");
    g_assert_true (settled.hold);
}

static void
test_null_sender_expired (Fixture *fixture, gconstpointer data)
{
    break_off (fixture, DELIVERY_WAIT_LANE);
    settle (fixture, fixture->settings->expire_seconds + 1);

    g_assert_cmpint (settled.results[0].outcome, ==, QUEUE_OUTCOME_DEFERRED);
    g_assert_true (settled.hold);
}

static void
test_null_sender_deferred (Fixture *fixture, gconstpointer data)
{
    break_off (fixture, DELIVERY_WAIT_SHORT);
    settle (fixture, 1);

    g_assert_false (settled.hold);
}

static void
test_taken_back (Fixture *fixture, gconstpointer data)
{
    answer (fixture, 0, 550, "5.1.1");
    answer (fixture, 1, 250, NULL);
    answer (fixture, 2, 250, NULL);
    delivery_attempt_judge (fixture->attempt, fixture->settings, ARRIVAL + SECOND, MIDDLE);
    delivery_attempt_take_back (fixture->attempt, "the disk is full");
    delivery_attempt_settle (fixture->attempt, NULL);

    g_assert_cmpint (settled.results[0].outcome, ==, QUEUE_OUTCOME_DEFERRED);
    g_assert_cmpstr (settled.results[0].reply, ==, "the disk is full; mx.example.org:25 said: 550 5.1.1 words");
    g_assert_cmpint (settled.results[1].outcome, ==, QUEUE_OUTCOME_DELIVERED);
    g_assert_cmpint (settled.next_usec, >, ARRIVAL + SECOND);
}

static void
test_other_remote (Fixture *fixture, gconstpointer data)
{
    answer (fixture, 0, 451, NULL);
    delivery_attempt_start (fixture->attempt, "other.example.org", "other.example.org:25", FALSE);
    for (guint i = 0; i < N_RCPT; i++)
        answer (fixture, i, 250, NULL);
    settle (fixture, 1);

    g_assert_cmpint (settled.results[0].outcome, ==, QUEUE_OUTCOME_DELIVERED);
    g_assert_cmpstr (settled.results[0].remote, ==, "other.example.org:25");
}

#define ADD(name, sender, function)                                                                                  \
    g_test_add ("/delivery/attempt/" name, Fixture, sender, set_up, function, tear_down)

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    ADD ("each-recipient-has-the-outcome-of-its-reply", "a@example.org", test_classes);
    ADD ("4xx-waits-longer-with-each-attempt", "a@example.org", test_backoff);
    ADD ("a-broken-session-defers-shortly-what-has-no-answer", "a@example.org", test_broken);
    ADD ("remotes-that-are-down-defer-until-one-is-up", "a@example.org", test_with_lane);
    ADD ("what-was-not-tried-stays-as-it-was", "a@example.org", test_untried);
    ADD ("a-part-leaves-the-others-untried", "a@example.org", test_portion);
    ADD ("a-part-of-which-none-was-taken-defers-all", "a@example.org", test_portion_deferred);
    ADD ("a-part-that-failed-leaves-the-others-untried", "a@example.org", test_portion_failed);
    ADD ("a-notification-is-not-held-before-all-were-tried", "", test_null_sender_portion);
    ADD ("what-was-only-looked-at-was-no-attempt", "a@example.org", test_passed_over);
    ADD ("what-is-deferred-beyond-its-lifetime-expires", "a@example.org", test_expired);
    ADD ("a-verdict-says-whose-it-is", "a@example.org", test_whose_verdict);
    ADD ("the-last-attempt-is-at-the-end-of-the-lifetime", "a@example.org", test_last_attempt);
    ADD ("a-notification-that-is-refused-is-held", "", test_null_sender_failed);
    ADD ("a-notification-that-expires-is-held", "", test_null_sender_expired);
    ADD ("a-notification-that-is-deferred-is-not-held", "", test_null_sender_deferred);
    ADD ("a-failure-that-cannot-be-told-is-deferred", "a@example.org", test_taken_back);
    ADD ("another-remote-begins-with-no-answers", "a@example.org", test_other_remote);
    return g_test_run ();
}
