/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Mail is taken and delivered while what lay there before is still being read; then the two are one queue, as if it had been
 * read at once. The reading thread is held at a gate for as long as a test wants.
 */

#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "queue/glance.h"
#include "queue/sealed.h"

#include "fixture.h"

#define SMALL_GENERATION (16 * 1024)
#define FOREVER          (G_MAXINT64 / 2)
#define CANCEL_LOOK_USEC 1000

/* ---- The gate ---- */

typedef struct {
    pthread_mutex_t lock;
    pthread_cond_t moved;
    gboolean open;
    guint arrived; /* how often the thread came to it */
} Gate;

static Gate gate = {.lock = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER};

static void
wait_at_gate (const gint *cancel, gpointer user_data)
{
    pthread_mutex_lock (&gate.lock);
    gate.arrived++;
    pthread_cond_broadcast (&gate.moved);
    while (!gate.open && !g_atomic_int_get (cancel)) {
        struct timespec until;

        clock_gettime (CLOCK_MONOTONIC, &until);
        until.tv_nsec += CANCEL_LOOK_USEC * 1000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_cond_clockwait (&gate.moved, &gate.lock, CLOCK_MONOTONIC, &until);
    }
    pthread_mutex_unlock (&gate.lock);
}

static void
set_gate (gboolean open)
{
    pthread_mutex_lock (&gate.lock);
    gate.open = open;
    gate.arrived = 0;
    pthread_cond_broadcast (&gate.moved);
    pthread_mutex_unlock (&gate.lock);
}

static void
wait_until_it_reads (void)
{
    pthread_mutex_lock (&gate.lock);
    while (gate.arrived == 0)
        pthread_cond_wait (&gate.moved, &gate.lock);
    pthread_mutex_unlock (&gate.lock);
}

static const QueueStart gated = {.gate = wait_at_gate};

/* ---- Stores ---- */

static void
use_generations_of (Fixture *fixture, guint64 bytes)
{
    fixture->limits.generation_bytes = bytes;
    queue_set_limits (fixture->queue, &fixture->limits);
}

static QueueId
commit_number (Fixture *fixture, guint number)
{
    g_autofree gchar *content = fixture_content (number);

    return fixture_commit (fixture, number % 3, number % 4 == 0 ? "a@one.example b@two.example" : "a@one.example",
                           content);
}

/* The same files, opened so that the reading thread stands at the gate. */
static void
reopen_gated (Fixture *fixture)
{
    if (fixture->queue != NULL)
        fixture_close (fixture);
    set_gate (FALSE);
    fixture->start = &gated;
    g_assert_true (fixture_try_open (fixture, NULL));
    g_assert_false (queue_is_indexed (fixture->queue));
    wait_until_it_reads ();
}

static void
close_as_a_crash_would (Fixture *fixture)
{
    g_autofree gchar *copy = fixture_copy_directory (fixture->directory);

    fixture_close (fixture);
    fixture_remove_directory (fixture->directory);
    g_assert_cmpint (g_rename (copy, fixture->directory), ==, 0);
}

static void
let_it_read (Fixture *fixture)
{
    set_gate (TRUE);
    fixture_wait_indexed (fixture);
}

/* All that is listed, in words. */
static gchar *
list_in_words (Fixture *fixture)
{
    const QueueFilter all = QUEUE_FILTER_ALL;
    g_autoptr (GPtrArray) messages = fixture_list (fixture, &all, 0, G_MAXUINT, NULL);
    GString *words = g_string_new (NULL);

    for (guint i = 0; i < messages->len; i++) {
        const QueueMessage *message = g_ptr_array_index (messages, i);

        g_string_append_printf (words, "%" G_GINT64_MODIFIER "x %s attempts %u next %" G_GINT64_FORMAT " size %u",
                                message->id, queue_state_name (message->state), message->attempts, message->next_usec,
                                (guint) message->size);
        for (guint j = 0; j < message->recipients->len; j++) {
            const QueueRecipient *recipient = queue_message_recipient (message, j);

            g_string_append_printf (words, " %s %d %s", message_envelope_recipient (message->envelope, j)->address,
                                    recipient->state, recipient->reply == NULL ? "" : recipient->reply);
        }
        g_string_append_c (words, '\n');
    }

    return g_string_free (words, FALSE);
}

static void
settle_next (Fixture *fixture, const gchar *lane, QueueOutcome outcome)
{
    QueueJob *job = fixture_take (fixture, lane);

    g_assert_nonnull (job);
    fixture_settle (fixture, job, outcome, outcome == QUEUE_OUTCOME_DEFERRED ? "450 later" : "250 thanks", FOREVER);
}

/* Some forty messages, in sealed generations and journals, with all kinds of changes in younger ones. */
static void
fill (Fixture *fixture)
{
    QueueId ids[40];

    use_generations_of (fixture, SMALL_GENERATION);
    for (guint i = 0; i < G_N_ELEMENTS (ids); i++) {
        ids[i] = commit_number (fixture, i);
        if (i % 13 == 12)
            fixture_reopen (fixture);
    }
    fixture_wait_for_files (fixture, ".gdbm", 1, G_MAXUINT);
    for (guint i = 0; i < 8; i++)
        settle_next (fixture, "one.example", i % 2 == 0 ? QUEUE_OUTCOME_DELIVERED : QUEUE_OUTCOME_DEFERRED);
    fixture_reopen (fixture);
    for (guint i = 0; i < 4; i++)
        settle_next (fixture, "two.example", QUEUE_OUTCOME_DELIVERED);
    fixture_act_on (fixture, QUEUE_ACTION_DELETE, ids[30]);
    fixture_act_on (fixture, QUEUE_ACTION_HOLD, ids[31]);
    fixture_act_on (fixture, QUEUE_ACTION_HOLD, ids[17]);
    fixture_act_on (fixture, QUEUE_ACTION_RELEASE, ids[17]);
}

/* ---- What is said of it ---- */

static void
mail_is_taken_and_delivered_at_once (Fixture *fixture)
{
    QueueId old[30], new[3];
    QueueStatistics statistics;
    g_autoptr (QueueMessage) unknown = NULL;
    gint64 uid;

    for (guint i = 0; i < G_N_ELEMENTS (old); i++)
        old[i] = commit_number (fixture, i);
    reopen_gated (fixture);
    for (guint i = 0; i < G_N_ELEMENTS (new); i++) {
        new[i] = commit_number (fixture, 100 + i);
        g_assert_cmpuint (new[i], >, old[G_N_ELEMENTS (old) - 1]);
    }
    settle_next (fixture, "one.example", QUEUE_OUTCOME_DELIVERED);
    g_assert_cmpuint (fixture_count_events (fixture, "delivered"), ==, 1);

    /* Of the rest nobody knows anything yet, and that is said. */
    queue_statistics (fixture->queue, &statistics);
    g_assert_true (statistics.indexing);
    g_assert_cmpuint (statistics.indexed_percent, <, 100);
    unknown = fixture_get (fixture, old[0]);
    g_assert_null (unknown);
    g_assert_false (queue_owner (fixture->queue, old[0], &uid));

    let_it_read (fixture);
    queue_statistics (fixture->queue, &statistics);
    g_assert_false (statistics.indexing);
    g_assert_cmpuint (statistics.indexed_percent, ==, 100);
    for (guint i = 0; i < G_N_ELEMENTS (old); i++)
        fixture_check_content (fixture, old[i], i);
    fixture_check_content (fixture, new[1], 101);
    g_assert_true (queue_owner (fixture->queue, old[1], &uid));
    g_assert_cmpint (uid, ==, 1);
    g_assert_cmpuint (fixture->n_indexed, ==, 1);
}

static void
afterwards_all_is_as_if_it_had_been_read_at_once (Fixture *fixture)
{
    g_autofree gchar *expected = NULL, *found = NULL, *later = NULL;
    QueueStatistics before, after;
    QueueId id;

    fill (fixture);
    fixture_reopen (fixture);
    expected = list_in_words (fixture);
    queue_statistics (fixture->queue, &before);
    reopen_gated (fixture);
    id = fixture_commit (fixture, 7, "new@three.example", "new");
    g_assert_cmpuint (fixture_act_on (fixture, QUEUE_ACTION_DELETE, id), ==, 1);
    let_it_read (fixture);
    found = list_in_words (fixture);
    queue_statistics (fixture->queue, &after);
    g_assert_cmpstr (found, ==, expected);
    g_assert_cmpuint (after.messages, ==, before.messages);
    g_assert_cmpuint (after.bytes, ==, before.bytes);
    g_assert_cmpmem (after.by_state, sizeof after.by_state, before.by_state, sizeof before.by_state);
    g_assert_cmpint (after.oldest_usec, ==, before.oldest_usec);

    fixture->start = NULL;
    fixture_reopen (fixture);
    later = list_in_words (fixture);
    g_assert_cmpstr (later, ==, expected);
}

static void
each_message_is_delivered_once (Fixture *fixture)
{
    g_autoptr (GHashTable) met = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
    QueueId id;
    QueueJob *job;

    for (guint i = 0; i < 20; i++)
        commit_number (fixture, i * 4 + 1);
    settle_next (fixture, "one.example", QUEUE_OUTCOME_DELIVERED);
    reopen_gated (fixture);
    for (guint i = 0; i < 10; i++)
        commit_number (fixture, 101 + i * 4);

    /* One is in a delivery's hands while the rest becomes known. */
    job = fixture_take (fixture, "one.example");
    let_it_read (fixture);
    fixture_settle_down ();
    id = job->message->id;
    g_hash_table_add (met, g_memdup2 (&id, sizeof id));
    fixture_settle (fixture, job, QUEUE_OUTCOME_DELIVERED, "250 thanks", FOREVER);
    while (g_hash_table_size (met) < 29) {
        job = fixture_take (fixture, "one.example");
        if (job == NULL) {
            g_main_context_iteration (NULL, TRUE);
            continue;
        }
        id = job->message->id;
        g_assert_true (g_hash_table_add (met, g_memdup2 (&id, sizeof id)));
        fixture_settle (fixture, job, QUEUE_OUTCOME_DELIVERED, "250 thanks", FOREVER);
    }
    fixture_reopen (fixture);
    g_assert_null (fixture_take (fixture, "one.example"));
}

static void
nothing_is_sealed_or_dropped_before (Fixture *fixture)
{
    QueueId ids[60];
    guint sealed, journals;

    fill (fixture);
    fixture_wait_for_files (fixture, ".gdbm", 1, G_MAXUINT);
    reopen_gated (fixture);
    sealed = fixture_count_files (fixture, ".gdbm");
    journals = fixture_count_files (fixture, ".journal");
    for (guint i = 0; i < G_N_ELEMENTS (ids); i++)
        ids[i] = commit_number (fixture, 1000 + i);
    fixture_wait_for_files (fixture, ".journal", journals + 3, G_MAXUINT);
    g_assert_cmpuint (fixture_count_files (fixture, ".gdbm"), ==, sealed);

    /* Then it is, without being asked for. */
    let_it_read (fixture);
    fixture_wait_for_files (fixture, ".journal", 1, 2);
    for (guint i = 0; i < G_N_ELEMENTS (ids); i++)
        fixture_check_content (fixture, ids[i], 1000 + i);
}

static void
what_is_taken_meanwhile_survives_a_stop_in_the_midst (Fixture *fixture)
{
    g_autofree gchar *expected = NULL, *found = NULL;
    QueueId ids[4];

    fill (fixture);
    fixture_reopen (fixture);
    expected = list_in_words (fixture);
    for (guint i = 0; i < G_N_ELEMENTS (ids); i++) {
        reopen_gated (fixture);
        ids[i] = fixture_commit (fixture, 7, "new@three.example", "new");
        g_assert_cmpuint (i == 0 ? 0 : ids[i - 1], <, ids[i]);
    }
    fixture_close (fixture);
    fixture->start = NULL;
    fixture_open (fixture);
    for (guint i = 0; i < G_N_ELEMENTS (ids); i++)
        g_assert_cmpuint (fixture_act_on (fixture, QUEUE_ACTION_DELETE, ids[i]), ==, 1);
    found = list_in_words (fixture);
    g_assert_cmpstr (found, ==, expected);
}

static void
a_crash_in_the_midst_loses_nothing (Fixture *fixture)
{
    g_autofree gchar *expected = NULL, *found = NULL;
    Fixture *copy = fixture_new ();
    QueueId id;

    fill (fixture);
    fixture_reopen (fixture);
    expected = list_in_words (fixture);
    reopen_gated (fixture);
    id = fixture_commit (fixture, 7, "new@three.example", "new");
    fixture_remove_directory (copy->directory);
    g_free (copy->directory);
    copy->directory = fixture_copy_directory (fixture->directory);

    /* What the crash left is read in the same way, and nothing of the first one is in the way. */
    copy->start = &gated;
    set_gate (TRUE);
    fixture_open (copy);
    g_assert_cmpuint (fixture_act_on (copy, QUEUE_ACTION_DELETE, id), ==, 1);
    found = list_in_words (copy);
    g_assert_cmpstr (found, ==, expected);
    fixture_free (copy);
}

/* Of the last messages there are only marks and heads in the journal that is read for ids. */
static void
ids_that_were_given_are_not_given_again (Fixture *fixture)
{
    const QueueFilter all = QUEUE_FILTER_ALL;
    QueueId last = 0, new;
    QueueGlance glance;

    for (guint i = 0; i < 5; i++)
        last = commit_number (fixture, i);
    fixture_reopen (fixture);
    fixture_act (fixture, QUEUE_ACTION_HOLD, &all);
    fixture_act_on (fixture, QUEUE_ACTION_DELETE, last);
    for (guint i = 0; i < 5; i++)
        last = commit_number (fixture, i);
    fixture_act (fixture, QUEUE_ACTION_HOLD, &all);
    close_as_a_crash_would (fixture);
    g_assert_true (queue_glance (fixture->directory, &glance, NULL));
    g_assert_true (queue_glance_ids (fixture->directory, &glance, NULL));
    g_assert_cmpuint (glance.last_id, ==, last);

    reopen_gated (fixture);
    new = commit_number (fixture, 9);
    g_assert_cmpuint (new, >, last);
    let_it_read (fixture);
    fixture_check_content (fixture, last, 4);
    fixture_check_content (fixture, new, 9);
}

static void
limits_count_what_becomes_known (Fixture *fixture)
{
    const QueueOrigin origin = {.uid = 5, .protocol = (gchar *) "local"};
    g_autoptr (GError) error = NULL;

    fixture->limits.user_messages_most = 4;
    queue_set_limits (fixture->queue, &fixture->limits);
    for (guint i = 0; i < 3; i++)
        fixture_commit (fixture, 5, "a@one.example", "old");
    reopen_gated (fixture);
    fixture_commit (fixture, 5, "a@one.example", "new");
    let_it_read (fixture);
    g_assert_null (queue_intake_new (fixture->queue, &origin, 3, NULL, NULL, &error));
    g_assert_error (error, QUEUE_ERROR, QUEUE_ERROR_LIMIT);
}

/* It was being delivered when it was deleted, and the daemon died before the delivery ended. */
static void
what_was_to_be_removed_is_removed (Fixture *fixture)
{
    QueueId id = commit_number (fixture, 1), other = commit_number (fixture, 3);
    QueueJob *job = fixture_take (fixture, "one.example");
    g_autoptr (QueueMessage) message = NULL;

    g_assert_cmpuint (job->message->id, ==, id);
    fixture_act_on (fixture, QUEUE_ACTION_DELETE, id);
    close_as_a_crash_would (fixture);
    reopen_gated (fixture);
    let_it_read (fixture);
    while (fixture_count_events (fixture, "removed") == 0)
        g_main_context_iteration (NULL, TRUE);
    message = fixture_get (fixture, id);
    g_assert_null (message);
    fixture_check_content (fixture, other, 3);
}

static void
hear_verified (const QueueVerified *verified, const GError *error, gpointer user_data)
{
    *(gboolean *) user_data = g_error_matches (error, QUEUE_ERROR, QUEUE_ERROR_BUSY);
}

static void
it_is_not_verified_before (Fixture *fixture)
{
    gboolean busy = FALSE;

    commit_number (fixture, 1);
    reopen_gated (fixture);
    queue_verify (fixture->queue, hear_verified, &busy);
    g_assert_true (busy);
}

/* ---- Damage and trouble ---- */

static void
flip (const gchar *path, gconstpointer bytes, gsize n)
{
    g_autofree gchar *content = NULL;
    gchar *at;
    gsize length;

    g_assert_true (g_file_get_contents (path, &content, &length, NULL));
    at = memmem (content, length, bytes, n);
    g_assert_nonnull (at);
    *at ^= 1;
    g_assert_true (g_file_set_contents_full (path, content, (gssize) length, G_FILE_SET_CONTENTS_NONE, 0600, NULL));
}

static guint n_warnings; /* atomic */

static GLogWriterOutput
hear_log (GLogLevelFlags level, const GLogField *fields, gsize n_fields, gpointer user_data)
{
    if ((level & G_LOG_LEVEL_MASK) != G_LOG_LEVEL_WARNING)
        return (level & G_LOG_LEVEL_MASK) < G_LOG_LEVEL_WARNING
                   ? g_log_writer_default (level, fields, n_fields, user_data)
                   : G_LOG_WRITER_HANDLED;
    g_atomic_int_inc (&n_warnings);

    return G_LOG_WRITER_HANDLED;
}

static void
damage_that_is_met_costs_what_it_hit (Fixture *fixture)
{
    g_auto (QueueSealedMeta) meta = {0};
    g_autoptr (QueueSealed) sealed = NULL;
    g_autoptr (GBytes) page = NULL;
    g_autoptr (GError) error = NULL;
    g_autofree gchar *path = NULL;
    QueueId ids[5], new;

    for (guint i = 0; i < G_N_ELEMENTS (ids); i++)
        ids[i] = commit_number (fixture, i);
    fixture_close (fixture);
    path = fixture_newest_file (fixture, ".gdbm");
    sealed = queue_sealed_open (path, &meta, &error);
    page = queue_sealed_read (sealed, QUEUE_PART_INDEX, 0, 0, &error);
    g_assert_no_error (error);
    g_clear_pointer (&sealed, queue_sealed_free);
    flip (path, g_bytes_get_data (page, NULL), g_bytes_get_size (page));

    g_atomic_int_set (&n_warnings, 0);
    reopen_gated (fixture);
    new = commit_number (fixture, 9);
    let_it_read (fixture);
    g_assert_cmpuint (g_atomic_int_get (&n_warnings), >, 0);
    for (guint i = 0; i < G_N_ELEMENTS (ids); i++)
        fixture_check_content (fixture, ids[i], i);
    fixture_check_content (fixture, new, 9);
}

/* Which ids it holds is not known before it is searched. */
static void
a_file_that_does_not_say_what_it_is_is_read_at_once (Fixture *fixture)
{
    QueueId id = commit_number (fixture, 1);
    g_autofree gchar *path = NULL;

    fixture_close (fixture);
    path = fixture_newest_file (fixture, ".gdbm");
    flip (path, "PosternG", 8);
    set_gate (FALSE);
    fixture->start = &gated;
    g_assert_true (fixture_try_open (fixture, NULL));
    g_assert_true (queue_is_indexed (fixture->queue));
    fixture_check_content (fixture, id, 1);
    g_assert_cmpuint (commit_number (fixture, 2), >, id);
}

static void
a_newer_store_is_refused_before_anything_is_taken (Fixture *fixture)
{
    g_autoptr (GByteArray) bytes = g_byte_array_new ();
    g_autoptr (GBytes) payload = NULL;
    g_autoptr (GError) error = NULL;
    g_autofree gchar *path = g_build_filename (fixture->directory, "0000000001.gdbm", NULL);
    QueueSealed *sealed;

    fill (fixture);
    fixture_close (fixture);
    g_byte_array_append (bytes, (const guint8 *) "PosternG", 8);
    queue_bytes_put_u32 (bytes, 3);
    payload = g_bytes_new (bytes->data, bytes->len);
    sealed = queue_sealed_create (path, &error);
    g_assert_true (queue_sealed_store (sealed, QUEUE_PART_META, 0, 0, payload, &error));
    queue_sealed_free (sealed);
    fixture->start = &gated;
    g_assert_false (fixture_try_open (fixture, &error));
    g_assert_error (error, QUEUE_ERROR, QUEUE_ERROR_VERSION);
    g_assert_cmpint (g_unlink (path), ==, 0);
}

static void
a_disk_that_fails_meanwhile_is_read_again (Fixture *fixture)
{
    g_autofree gchar *path = NULL, *elsewhere = NULL, *expected = NULL, *found = NULL;
    QueueId id;

    for (guint i = 0; i < 10; i++)
        commit_number (fixture, i);
    expected = list_in_words (fixture);
    close_as_a_crash_would (fixture);
    path = fixture_newest_file (fixture, ".journal");
    elsewhere = g_strconcat (path, ".elsewhere", NULL);

    /* A directory in its place cannot be opened for reading and writing, whoever runs the test. */
    reopen_gated (fixture);
    g_assert_cmpint (g_rename (path, elsewhere), ==, 0);
    g_assert_cmpint (g_mkdir (path, 0700), ==, 0);
    id = fixture_commit (fixture, 7, "new@three.example", "new");
    set_gate (TRUE);
    while (fixture->trouble == NULL)
        g_main_context_iteration (NULL, TRUE);
    g_assert_nonnull (strstr (fixture->trouble->message, path));
    g_assert_false (queue_is_indexed (fixture->queue));
    g_assert_cmpint (g_rmdir (path), ==, 0);
    g_assert_cmpint (g_rename (elsewhere, path), ==, 0);
    fixture_wait_indexed (fixture);
    g_assert_null (fixture->trouble);
    g_assert_cmpuint (fixture_act_on (fixture, QUEUE_ACTION_DELETE, id), ==, 1);
    found = list_in_words (fixture);
    g_assert_cmpstr (found, ==, expected);
}

int
main (int argc, char **argv)
{
    fixture_use_memory ();
    g_test_init (&argc, &argv, NULL);
    g_log_set_writer_func (hear_log, NULL, NULL);
    fixture_add ("/queue/indexing/mail-is-taken-and-delivered-at-once", mail_is_taken_and_delivered_at_once);
    fixture_add ("/queue/indexing/afterwards-all-is-as-if-it-had-been-read-at-once",
                 afterwards_all_is_as_if_it_had_been_read_at_once);
    fixture_add ("/queue/indexing/each-message-is-delivered-once", each_message_is_delivered_once);
    fixture_add ("/queue/indexing/nothing-is-sealed-or-dropped-before", nothing_is_sealed_or_dropped_before);
    fixture_add ("/queue/indexing/what-is-taken-meanwhile-survives-a-stop-in-the-midst",
                 what_is_taken_meanwhile_survives_a_stop_in_the_midst);
    fixture_add ("/queue/indexing/a-crash-in-the-midst-loses-nothing", a_crash_in_the_midst_loses_nothing);
    fixture_add ("/queue/indexing/ids-that-were-given-are-not-given-again", ids_that_were_given_are_not_given_again);
    fixture_add ("/queue/indexing/limits-count-what-becomes-known", limits_count_what_becomes_known);
    fixture_add ("/queue/indexing/what-was-to-be-removed-is-removed", what_was_to_be_removed_is_removed);
    fixture_add ("/queue/indexing/it-is-not-verified-before", it_is_not_verified_before);
    fixture_add ("/queue/indexing/damage-that-is-met-costs-what-it-hit", damage_that_is_met_costs_what_it_hit);
    fixture_add ("/queue/indexing/a-file-that-does-not-say-what-it-is-is-read-at-once",
                 a_file_that_does_not_say_what_it_is_is_read_at_once);
    fixture_add ("/queue/indexing/a-newer-store-is-refused-before-anything-is-taken",
                 a_newer_store_is_refused_before_anything_is_taken);
    fixture_add ("/queue/indexing/a-disk-that-fails-meanwhile-is-read-again",
                 a_disk_that_fails_meanwhile_is_read_again);

    return g_test_run ();
}
