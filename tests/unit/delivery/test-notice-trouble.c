/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What becomes of failures when the queue cannot take the notice about them: the queue here is one that fails. */

#include "delivery/notices.h"
#include "queue/snapshot.h"

#include <string.h>

#define N_RCPT 2

/* What the queue is told to do, and what it was given. */
static struct {
    gboolean refuses_intake;
    gboolean fails_commit;
    gboolean fails_reading;
    GString *notice;
    guint committed;
    guint settled;
    QueueOutcome outcomes[N_RCPT];
} fake;

struct _QueueIntake {
    gint unused;
};

static void
set_no_space (GError **error)
{
    g_set_error (error, QUEUE_ERROR, QUEUE_ERROR_FULL, "no space");
}

GQuark
queue_error_quark (void)
{
    return g_quark_from_static_string ("fake-queue-error");
}

QueueIntake *
queue_intake_new (Queue *queue, const QueueOrigin *origin, guint64 expected_bytes, QueueDrained drained,
                  gpointer user_data, GError **error)
{
    if (!fake.refuses_intake)
        return g_new0 (QueueIntake, 1);

    set_no_space (error);
    return NULL;
}

void
queue_intake_write (QueueIntake *intake, const gchar *data, gsize length)
{
    g_string_append_len (fake.notice, data, (gssize) length);
}

void
queue_intake_commit (QueueIntake *intake, MessageEnvelope *envelope, gboolean hold, QueueCommitted committed,
                     gpointer user_data)
{
    g_autoptr (MessageEnvelope) own = envelope;
    g_autoptr (GError) error = NULL;

    g_free (intake);
    if (fake.fails_commit)
        set_no_space (&error);
    else
        fake.committed++;
    committed (error ? 0 : 43, error, user_data);
}

QueueReader *
queue_reader_new (Queue *queue, QueueId id)
{
    return (QueueReader *) &fake;
}

void
queue_reader_next (QueueReader *reader, QueueContent content, gpointer user_data)
{
    g_autoptr (GError) error = NULL;

    if (fake.fails_reading)
        set_no_space (&error);
    content (NULL, error, user_data);
}

void
queue_reader_free (QueueReader *reader)
{
}

void
queue_settle (Queue *queue, QueueJob *job, const QueueResult *results, gint64 next_usec, gboolean hold)
{
    g_assert_cmpuint (job->n_recipients, ==, N_RCPT);
    for (guint i = 0; i < N_RCPT; i++)
        fake.outcomes[i] = results[i].outcome;
    fake.settled++;
    queue_message_unref (job->message);
    g_free (job->recipients);
    g_free (job);
}

static void
on_settled (DeliveryAttempt *attempt, gpointer user_data)
{
    delivery_attempt_free (attempt);
}

static QueueJob *
make_job (void)
{
    g_autoptr (MessageEnvelope) envelope = message_envelope_new ("a@example.org");
    const QueueOrigin origin = {.uid = -1, .protocol = (gchar *) "local"};
    QueueJob *job = g_new0 (QueueJob, 1);

    message_envelope_add (envelope, "wrong@example.net");
    message_envelope_add (envelope, "good@example.net")->notify = MESSAGE_NOTIFY_SUCCESS;
    job->message = queue_snapshot_new (42, &origin, envelope);
    job->message->arrival_usec = g_get_real_time ();
    job->recipients = g_new (guint, N_RCPT);
    for (guint i = 0; i < N_RCPT; i++)
        job->recipients[job->n_recipients++] = i;
    return job;
}

/* One recipient failed and one was delivered and asks to be told. */
static void
settle (void)
{
    g_autoptr (DeliverySettings) settings = delivery_settings_new ();
    DeliveryNotices *notices = delivery_notices_new (NULL, settings, on_settled, NULL);
    DeliveryAttempt *attempt = delivery_attempt_new (make_job ());
    g_autoptr (SmtpReply) refused = smtp_reply_new (550, "5.1.1", "nobody");
    g_autoptr (SmtpReply) taken = smtp_reply_new (250, "2.1.5", "fine");
    gint64 now_usec = g_get_real_time ();

    settings->host_name = g_strdup ("relay.example.org");
    settings->domain = g_strdup ("example.org");
    delivery_attempt_start (attempt, "mx.example.org", "mx.example.org:25", FALSE);
    delivery_attempt_answer (attempt, 0, refused);
    delivery_attempt_answer (attempt, 1, taken);
    delivery_attempt_judge (attempt, settings, now_usec, 0.5);
    delivery_notices_settle (notices, attempt, now_usec);
    g_assert_cmpuint (delivery_notices_pending (notices), ==, 0);
    delivery_notices_free (notices);
    g_assert_cmpuint (fake.settled, ==, 1);
}

typedef struct {
    gint unused;
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
    memset (&fake, 0, sizeof fake);
    fake.notice = g_string_new (NULL);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
    g_string_free (fake.notice, TRUE);
}

static void
test_no_trouble (Fixture *fixture, gconstpointer data)
{
    settle ();

    g_assert_cmpint (fake.outcomes[0], ==, QUEUE_OUTCOME_FAILED);
    g_assert_cmpint (fake.outcomes[1], ==, QUEUE_OUTCOME_DELIVERED);
    g_assert_cmpuint (fake.committed, ==, 2);
}

static void
test_refused (Fixture *fixture, gconstpointer data)
{
    fake.refuses_intake = TRUE;
    settle ();

    g_assert_cmpint (fake.outcomes[0], ==, QUEUE_OUTCOME_DEFERRED);
    g_assert_cmpint (fake.outcomes[1], ==, QUEUE_OUTCOME_DELIVERED);
}

static void
test_commit_fails (Fixture *fixture, gconstpointer data)
{
    fake.fails_commit = TRUE;
    settle ();

    g_assert_cmpint (fake.outcomes[0], ==, QUEUE_OUTCOME_DEFERRED);
    g_assert_cmpint (fake.outcomes[1], ==, QUEUE_OUTCOME_DELIVERED);
}

static void
test_unreadable (Fixture *fixture, gconstpointer data)
{
    fake.fails_reading = TRUE;
    settle ();

    g_assert_cmpint (fake.outcomes[0], ==, QUEUE_OUTCOME_FAILED);
    g_assert_nonnull (strstr (fake.notice->str, "wrong@example.net"));
}

#define ADD(name, function) g_test_add ("/delivery/notice-trouble/" name, Fixture, NULL, set_up, function, tear_down)

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    ADD ("failure-and-success-are-told-apart", test_no_trouble);
    ADD ("a-failure-is-deferred-if-its-notice-is-refused", test_refused);
    ADD ("a-failure-is-deferred-if-its-notice-is-not-safe", test_commit_fails);
    ADD ("a-failure-is-told-also-if-the-original-is-unreadable", test_unreadable);
    return g_test_run ();
}
