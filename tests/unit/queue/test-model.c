/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The queue against a model of it: thousands of random commits, settles, actions, clean restarts and crashes with
 * generations so small that everything is sealed, merged and dropped many times, and after each restart the queue has
 * exactly what the model has.
 */

#include <string.h>

#include "fixture.h"

#define GENERATION_BYTES (48 * 1024)
#define STEPS            1500
#define DOMAINS          3

/* A message as it should be. */
typedef struct {
    QueueId id;
    gchar *content;
    gsize length;
    guint n_recipients;
    gboolean delivered[DOMAINS];
    gboolean held;
} Expected;

typedef struct {
    Fixture *fixture;
    GHashTable *messages; /* of Expected by id */
} Model;

static void
expected_free (gpointer data)
{
    Expected *expected = data;

    g_free (expected->content);
    g_free (expected);
}

static Expected *
any (Model *model)
{
    guint n = g_hash_table_size (model->messages);
    GHashTableIter iter;
    gpointer value = NULL;

    if (n == 0)
        return NULL;
    g_hash_table_iter_init (&iter, model->messages);
    for (gint i = g_test_rand_int_range (0, (gint32) n); i >= 0; i--)
        g_hash_table_iter_next (&iter, NULL, &value);

    return value;
}

static void
commit (Model *model)
{
    static const gchar *const recipients[] = {"a@d0.example", "a@d0.example b@d1.example",
                                              "a@d0.example b@d1.example c@d2.example"};
    const QueueOrigin origin = {.uid = g_test_rand_int_range (-1, 3), .protocol = (gchar *) "ESMTP"};
    Expected *expected = g_new0 (Expected, 1);
    gint kind = g_test_rand_int_range (0, 20);
    g_autoptr (GError) error = NULL;

    expected->n_recipients = (guint) g_test_rand_int_range (1, DOMAINS + 1);
    expected->length = (gsize) g_test_rand_int_range (0, kind == 0 ? 300000 : 4000);
    expected->content = g_malloc (expected->length + 1);
    for (gsize i = 0; i < expected->length; i++)
        expected->content[i] = (gchar) g_test_rand_int_range (' ', '~');
    expected->held = kind == 1;
    expected->id = fixture_commit_full (model->fixture, &origin, recipients[expected->n_recipients - 1],
                                        expected->content, expected->length, expected->held, &error);
    g_assert_no_error (error);
    g_hash_table_insert (model->messages, &expected->id, expected);
}

static gboolean
is_done (const Expected *expected)
{
    for (guint i = 0; i < expected->n_recipients; i++) {
        if (!expected->delivered[i])
            return FALSE;
    }

    return TRUE;
}

static void
deliver (Model *model)
{
    gint domain = g_test_rand_int_range (0, DOMAINS), outcome = g_test_rand_int_range (0, 4);
    g_autofree gchar *lane = g_strdup_printf ("d%d.example", domain);
    QueueJob *job = fixture_take (model->fixture, lane);
    Expected *expected;

    if (job == NULL)
        return;
    expected = g_hash_table_lookup (model->messages, &job->message->id);
    g_assert_nonnull (expected);
    g_assert_false (expected->held);
    g_assert_false (expected->delivered[domain]);
    g_assert_cmpuint (job->n_recipients, ==, 1);
    g_assert_cmpuint (job->recipients[0], ==, (guint) domain);
    if (outcome < 2) {
        fixture_settle (model->fixture, job, QUEUE_OUTCOME_DELIVERED, "250 ok", 0);
        expected->delivered[domain] = TRUE;
        if (is_done (expected))
            g_hash_table_remove (model->messages, &expected->id);
    } else if (outcome == 2) {
        fixture_settle (model->fixture, job, QUEUE_OUTCOME_DEFERRED, "450 later", QUEUE_NEXT_WITH_LANE);
    } else {
        fixture_settle (model->fixture, job, QUEUE_OUTCOME_UNTRIED, NULL, 0);
    }
}

static void
steer (Model *model)
{
    Expected *expected = any (model);

    if (expected == NULL)
        return;
    switch (g_test_rand_int_range (0, 4)) {
    case 0:
        g_assert_cmpuint (fixture_act_on (model->fixture, QUEUE_ACTION_HOLD, expected->id), ==, !expected->held);
        expected->held = TRUE;
        break;
    case 1:
        g_assert_cmpuint (fixture_act_on (model->fixture, QUEUE_ACTION_RELEASE, expected->id), ==, expected->held);
        expected->held = FALSE;
        break;
    case 2:
        fixture_act_on (model->fixture, QUEUE_ACTION_RETRY, expected->id);
        break;
    default:
        g_assert_cmpuint (fixture_act_on (model->fixture, QUEUE_ACTION_DELETE, expected->id), ==, 1);
        g_hash_table_remove (model->messages, &expected->id);
        break;
    }
}

static void
check_message (Fixture *fixture, const Expected *expected, const QueueMessage *message)
{
    g_autoptr (GError) error = NULL;
    g_autoptr (GString) content = fixture_read (fixture, message->id, &error);

    g_assert_no_error (error);
    g_assert_cmpmem (content->str, (gint) content->len, expected->content, (gint) expected->length);
    g_assert_cmpuint (message->recipients->len, ==, expected->n_recipients);
    for (guint i = 0; i < expected->n_recipients; i++)
        g_assert_cmpint (queue_message_recipient (message, i)->state, ==,
                         expected->delivered[i] ? QUEUE_RECIPIENT_DELIVERED : QUEUE_RECIPIENT_PENDING);
    g_assert_cmpint (message->state == QUEUE_STATE_HELD, ==, expected->held);
}

static void
check (Model *model, Fixture *fixture)
{
    const QueueFilter all = QUEUE_FILTER_ALL;
    g_autoptr (GPtrArray) messages = fixture_list (fixture, &all, 0, G_MAXUINT, NULL);
    QueueStatistics statistics;

    queue_statistics (fixture->queue, &statistics);
    g_assert_cmpuint (messages->len, ==, g_hash_table_size (model->messages));
    g_assert_cmpuint (statistics.messages, ==, messages->len);
    g_assert_null (statistics.trouble);
    for (guint i = 0; i < messages->len; i++) {
        const QueueMessage *message = g_ptr_array_index (messages, i);
        const Expected *expected = g_hash_table_lookup (model->messages, &message->id);

        g_assert_nonnull (expected);
        check_message (fixture, expected, message);
    }
}

/* Opens a copy of the files as they are now, as if the process had been killed. */
static void
crash (Model *model)
{
    Fixture *copy = fixture_new ();

    fixture_remove_directory (copy->directory);
    g_free (copy->directory);
    copy->directory = fixture_copy_directory (model->fixture->directory);
    copy->limits.generation_bytes = GENERATION_BYTES;
    copy->start = model->fixture->start;
    fixture_open (copy);
    check (model, copy);
    fixture_free (copy);
}

/* At once and in the background by turns. */
static void
reopen (Fixture *fixture)
{
    static const QueueStart in_the_background = {.at_once_bytes = 0};

    fixture->start = fixture->start == NULL ? &in_the_background : NULL;
    fixture_reopen (fixture);
}

static void
random_use_and_crashes_agree_with_the_model (Fixture *fixture)
{
    g_autoptr (GHashTable) messages = g_hash_table_new_full (g_int64_hash, g_int64_equal, NULL, expected_free);
    Model model = {.fixture = fixture, .messages = messages};
    guint steps = g_test_thorough () ? STEPS * 5 : STEPS;

    fixture->limits.generation_bytes = GENERATION_BYTES;
    queue_set_limits (fixture->queue, &fixture->limits);
    for (guint i = 0; i < steps; i++) {
        gint what = g_test_rand_int_range (0, 100);

        if (what < 40)
            commit (&model);
        else if (what < 85)
            deliver (&model);
        else if (what < 96)
            steer (&model);
        else if (what < 98)
            crash (&model);
        else
            reopen (fixture);
        if (what >= 98)
            check (&model, fixture);
    }
    check (&model, fixture);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    fixture_add ("/queue/model/random-use-and-crashes-agree", random_use_and_crashes_agree_with_the_model);

    return g_test_run ();
}
