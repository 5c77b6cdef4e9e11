/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What a user may have of the queue: messages, bytes, and messages in a time. */

#include <string.h>

#include "queue/record.h"
#include "queue/share.h"

#include "fixture.h"

#define HOUR_USEC (G_GINT64_CONSTANT (3600) * G_USEC_PER_SEC)

static void
a_rate_allows_a_burst_and_then_one_at_a_time (void)
{
    g_autoptr (QueueShares) shares = queue_shares_new ();
    const QueueLimits limits = {.user_rate = {.messages = 100, .seconds = 3600}};
    gint64 now = 7 * HOUR_USEC;
    g_autoptr (GError) error = NULL;

    for (guint i = 0; i < 100; i++) {
        g_assert_true (queue_shares_allow (shares, &limits, 1000, 1, now, &error));
        queue_shares_spend (shares, &limits, 1000, now);
    }
    g_assert_false (queue_shares_allow (shares, &limits, 1000, 1, now, &error));
    g_assert_error (error, QUEUE_ERROR, QUEUE_ERROR_RATE);
    g_assert_nonnull (strstr (error->message, "user 1000"));
    g_clear_error (&error);

    /* Another user's is not touched, nor is that of all who are not known, and the relay's own notices have none. */
    g_assert_true (queue_shares_allow (shares, &limits, 1001, 1, now, &error));
    g_assert_true (queue_shares_allow (shares, &limits, QUEUE_UID_UNKNOWN, 1, now, &error));
    for (guint i = 0; i < 1000; i++) {
        queue_shares_spend (shares, &limits, QUEUE_UID_RELAY, now);
        g_assert_true (queue_shares_allow (shares, &limits, QUEUE_UID_RELAY, 1, now, &error));
    }

    g_assert_false (queue_shares_allow (shares, &limits, 1000, 1, now + 35 * G_USEC_PER_SEC, NULL));
    now += 36 * G_USEC_PER_SEC;
    g_assert_true (queue_shares_allow (shares, &limits, 1000, 1, now, &error));
    queue_shares_spend (shares, &limits, 1000, now);
    g_assert_false (queue_shares_allow (shares, &limits, 1000, 1, now, NULL));

    /* Time in which nothing came is not saved up beyond one burst. */
    now += 100 * HOUR_USEC;
    for (guint i = 0; i < 100; i++) {
        g_assert_true (queue_shares_allow (shares, &limits, 1000, 1, now, &error));
        queue_shares_spend (shares, &limits, 1000, now);
    }
    g_assert_false (queue_shares_allow (shares, &limits, 1000, 1, now, NULL));
}

static void
bytes_count_with_what_comes (void)
{
    g_autoptr (QueueShares) shares = queue_shares_new ();
    const QueueLimits limits = {.user_bytes_most = 1000};
    g_autoptr (GError) error = NULL;

    g_assert_true (queue_shares_allow (shares, &limits, 5, 1000, 0, &error));
    g_assert_false (queue_shares_allow (shares, &limits, 5, 1001, 0, &error));
    g_assert_error (error, QUEUE_ERROR, QUEUE_ERROR_LIMIT);
    g_clear_error (&error);
    queue_shares_count (shares, 5, 600, 1);
    g_assert_true (queue_shares_allow (shares, &limits, 5, 400, 0, &error));
    g_assert_false (queue_shares_allow (shares, &limits, 5, 401, 0, NULL));
    g_assert_false (queue_shares_allow (shares, &limits, 5, G_MAXUINT64, 0, NULL));
    queue_shares_count (shares, 5, 600, -1);
    g_assert_true (queue_shares_allow (shares, &limits, 5, 1000, 0, &error));
}

typedef struct {
    guint done;
    guint refused;
    GError *error;
} Outcome;

static void
hear (QueueId id, const GError *error, gpointer user_data)
{
    Outcome *outcome = user_data;

    outcome->done++;
    if (error == NULL)
        return;
    outcome->refused++;
    g_clear_error (&outcome->error);
    outcome->error = g_error_copy (error);
}

/* Begins @n messages of a user before the first is committed. */
static void
commit_together (Fixture *fixture, guint n, gsize bytes, Outcome *outcome)
{
    const QueueOrigin origin = {.uid = 1000, .protocol = (gchar *) "local"};
    g_autoptr (MessageEnvelope) envelope = message_envelope_new ("a@b.example");
    g_autofree gchar *content = g_strnfill (bytes, 'x');
    g_autofree QueueIntake **intakes = g_new (QueueIntake *, n);

    message_envelope_add (envelope, "c@one.example");
    for (guint i = 0; i < n; i++) {
        intakes[i] = queue_intake_new (fixture->queue, &origin, 0, NULL, NULL, NULL);
        g_assert_nonnull (intakes[i]);
        queue_intake_write (intakes[i], content, bytes);
    }
    for (guint i = 0; i < n; i++)
        queue_intake_commit (intakes[i], message_envelope_copy (envelope), FALSE, hear, outcome);
    g_assert_cmpuint (outcome->done, ==, 0);
    while (outcome->done < n)
        g_main_context_iteration (NULL, TRUE);
}

static void
many_at_once_do_not_pass_a_limit_together (Fixture *fixture)
{
    for (guint round = 0; round < 3; round++) {
        Outcome outcome = {0};

        fixture->limits.user_messages_most = round == 0 ? 3 : 0;
        fixture->limits.user_bytes_most = round == 1 ? 1000 : 0;
        fixture->limits.user_rate = (QueueRate){.messages = round == 2 ? 3 : 0, .seconds = 3600};
        queue_set_limits (fixture->queue, &fixture->limits);
        commit_together (fixture, 10, 300, &outcome);
        g_assert_cmpuint (outcome.refused, ==, 7);
        g_assert_true (
            g_error_matches (outcome.error, QUEUE_ERROR, round == 2 ? QUEUE_ERROR_RATE : QUEUE_ERROR_LIMIT));
        g_assert_cmpuint (fixture_count_messages (fixture), ==, 3);
        g_clear_error (&outcome.error);
        fixture_act (fixture, QUEUE_ACTION_DELETE, &QUEUE_FILTER_ALL);
    }
}

static void
a_message_that_grew_too_large_leaves_nothing (Fixture *fixture)
{
    Outcome outcome = {0};

    /* More than a chunk: a part of it is with the writer when it is refused. */
    fixture->limits.user_bytes_most = 100000;
    queue_set_limits (fixture->queue, &fixture->limits);
    commit_together (fixture, 1, 300000, &outcome);
    g_assert_error (outcome.error, QUEUE_ERROR, QUEUE_ERROR_LIMIT);
    g_clear_error (&outcome.error);
    g_assert_cmpuint (fixture_count_messages (fixture), ==, 0);
    fixture_reopen (fixture);
    g_assert_cmpuint (fixture_count_messages (fixture), ==, 0);
    g_assert_cmpuint (fixture_count_files (fixture, ".gdbm"), ==, 0);
}

static void
a_share_is_known_after_a_restart (Fixture *fixture)
{
    const QueueOrigin origin = {.uid = 1000, .protocol = (gchar *) "local"};
    g_autoptr (GError) error = NULL;

    fixture_commit (fixture, 1000, "a@one.example", "some content");
    fixture->limits.user_messages_most = 1;
    fixture_reopen (fixture);
    g_assert_null (queue_intake_new (fixture->queue, &origin, 0, NULL, NULL, &error));
    g_assert_error (error, QUEUE_ERROR, QUEUE_ERROR_LIMIT);
    fixture_settle (fixture, fixture_take (fixture, "one.example"), QUEUE_OUTCOME_DELIVERED, "250", 0);
    fixture_commit (fixture, 1000, "a@one.example", "some content");
}

/* Whoever they are, wherever they come from, and also after a restart; what the relay has made itself does not count. */
static void
those_who_are_not_known_share_one_share (Fixture *fixture)
{
    const QueueOrigin notice = {.uid = -1, .protocol = (gchar *) QUEUE_PROTOCOL_NOTICE};
    const QueueOrigin stranger = {.uid = -1, .peer = (gchar *) "192.0.2.1", .protocol = (gchar *) "ESMTP"};
    g_autoptr (GError) error = NULL;

    for (guint i = 0; i < 5; i++)
        g_assert_cmpuint (fixture_commit_full (fixture, &notice, "a@one.example", "x", 1, FALSE, &error), !=, 0);
    fixture->limits.user_messages_most = 1;
    fixture_reopen (fixture);
    g_assert_cmpuint (fixture_commit_full (fixture, &stranger, "a@one.example", "x", 1, FALSE, &error), !=, 0);
    fixture_reopen (fixture);
    g_assert_null (queue_intake_new (fixture->queue, &stranger, 0, NULL, NULL, &error));
    g_assert_error (error, QUEUE_ERROR, QUEUE_ERROR_LIMIT);
    g_clear_error (&error);
    g_assert_cmpuint (fixture_commit_full (fixture, &notice, "a@one.example", "x", 1, FALSE, &error), !=, 0);
    fixture_commit (fixture, 1000, "a@one.example", "x");
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/queue/share/a-rate-allows-a-burst-and-then-one-at-a-time",
                     a_rate_allows_a_burst_and_then_one_at_a_time);
    g_test_add_func ("/queue/share/bytes-count-with-what-comes", bytes_count_with_what_comes);
    fixture_add ("/queue/share/many-at-once-do-not-pass-a-limit-together", many_at_once_do_not_pass_a_limit_together);
    fixture_add ("/queue/share/a-message-that-grew-too-large-leaves-nothing",
                 a_message_that_grew_too_large_leaves_nothing);
    fixture_add ("/queue/share/those-who-are-not-known-share-one-share", those_who_are_not_known_share_one_share);
    fixture_add ("/queue/share/is-known-after-a-restart", a_share_is_known_after_a_restart);

    return g_test_run ();
}
