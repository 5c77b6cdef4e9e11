/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * kill -9 in the middle of everything: a child process takes mail in, delivers and defers it as fast as it can, with
 * generations so small that something is always being sealed, merged and dropped, and says through a pipe what it was told
 * is durable. It is killed at random moments, dozens of times on one store, and after each the store has all that was
 * acknowledged, nothing that was gone, and nothing that is not whole.
 */

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"

#define GENERATION_BYTES (128 * 1024)
#define KILLS            30
#define KILLS_THOROUGH   600
#define MOST_RECORDS     1500 /* of the pipe, before a kill */
#define OUTSTANDING      20
#define QUEUE_MOST       400 /* messages: then they are rather delivered */
#define LARGE_BYTES      300000
#define LARGE_ONE_IN     60

typedef enum {
    SAID_ACKNOWLEDGED = 'a', /* the commit is durable */
    SAID_ENDING = 'e',       /* a settle or a deletion is asked for that will remove it */
    SAID_REMOVED = 'r'       /* that is durable */
} Said;

typedef struct {
    gint32 said;
    guint32 length; /* of the content */
    QueueId id;
} Record;

/* ---- The child ---- */

typedef struct {
    Queue *queue;
    gint pipe;
    guint outstanding;
    guint64 messages;
} Child;

static void
say (Child *child, Said said, QueueId id, guint32 length)
{
    const Record record = {.said = said, .length = length, .id = id};

    if (write (child->pipe, &record, sizeof record) != sizeof record)
        _exit (1);
}

/* Content that follows from the id and the length. */
static void
fill_content (QueueId id, gchar *content, guint32 length)
{
    guint64 state = id * 2862933555777941757ULL + length;

    for (guint32 i = 0; i < length; i++) {
        state = state * 6364136223846793005ULL + 1442695040888963407ULL;
        content[i] = (gchar) (' ' + (state >> 33) % 90);
    }
}

typedef struct {
    Child *child;
    guint32 length;
} Commit;

static void submit (Child *child);

static void
committed (QueueId id, const GError *error, gpointer user_data)
{
    g_autofree Commit *commit = user_data;
    Child *child = commit->child;

    g_assert_no_error (error);
    say (child, SAID_ACKNOWLEDGED, id, commit->length);
    child->messages++;
    child->outstanding--;
    if (child->messages < QUEUE_MOST)
        submit (child);
}

static void
submit (Child *child)
{
    const QueueOrigin origin = {.uid = g_random_int_range (0, 3), .protocol = (gchar *) "ESMTP"};
    g_autoptr (MessageEnvelope) envelope = message_envelope_new ("sender@example.net");
    QueueIntake *intake = queue_intake_new (child->queue, &origin, 0, NULL, NULL, NULL);
    Commit *commit = g_new0 (Commit, 1);
    g_autofree gchar *content = NULL;

    commit->child = child;
    commit->length =
        (guint32) (g_random_int_range (0, LARGE_ONE_IN) == 0 ? LARGE_BYTES : g_random_int_range (0, 6000));
    content = g_malloc (commit->length + 1);
    fill_content (queue_intake_id (intake), content, commit->length);
    message_envelope_add (envelope, "a@one.example");
    message_envelope_add (envelope, "b@two.example");
    queue_intake_write (intake, content, commit->length);
    child->outstanding++;
    queue_intake_commit (intake, message_envelope_copy (envelope), FALSE, committed, commit);
}

static void
hear_event (const QueueEvent *event, gpointer user_data)
{
    Child *child = user_data;

    if (event->type == QUEUE_EVENT_REMOVED) {
        say (child, SAID_REMOVED, event->message->id, 0);
        child->messages--;
        if (child->outstanding < OUTSTANDING)
            submit (child);
    }
}

static void
taken (QueueJob *job, gpointer user_data)
{
    Child *child = user_data;
    QueueResult result = {.remote = "mx:25", .status = "2.0.0", .reply = "reply"};
    gboolean deliver = g_random_int_range (0, 100) < 60;

    if (job == NULL)
        return;
    result.outcome = deliver ? QUEUE_OUTCOME_DELIVERED : QUEUE_OUTCOME_DEFERRED;
    if (deliver)
        say (child, SAID_ENDING, job->message->id, 0);
    queue_settle (child->queue, job, &result, g_get_real_time () + g_random_int_range (0, 100000), FALSE);
}

static void
hear_due (const gchar *lane, gpointer user_data)
{
    Child *child = user_data;

    for (guint i = 0; i < 10 && queue_take (child->queue, lane, g_get_real_time (), taken, child); i++)
        ;
}

static gboolean
go_on (gpointer user_data)
{
    hear_due ("one.example", user_data);
    hear_due ("two.example", user_data);

    return G_SOURCE_CONTINUE;
}

static void
hear_indexed (gpointer user_data)
{
    Child *child = user_data;
    QueueStatistics statistics;

    queue_statistics (child->queue, &statistics);
    child->messages = statistics.messages;
}

/* What lies there becomes known at some time while mail comes already. */
static void G_GNUC_NORETURN
run_child (const Fixture *fixture, gint to_parent)
{
    const QueueListener listener = {.event = hear_event, .due = hear_due, .indexed = hear_indexed};
    const QueueStart in_the_background = {.at_once_bytes = 0};
    Child child = {.pipe = to_parent};

    child.queue = queue_open_as (fixture->directory, &fixture->limits, &in_the_background, NULL);
    if (child.queue == NULL)
        _exit (1);
    queue_set_listener (child.queue, &listener, &child);
    queue_set_route (child.queue, fixture_route, NULL);
    hear_indexed (&child);
    for (guint i = 0; i < OUTSTANDING; i++)
        submit (&child);
    g_timeout_add (1, go_on, &child);
    for (;;)
        g_main_context_iteration (NULL, TRUE);
}

/* ---- The parent ---- */

typedef struct {
    guint32 length;
    gboolean ending;
} Expected;

typedef struct {
    Fixture *fixture;
    GHashTable *messages; /* of Expected by id: acknowledged and not removed */
    GHashTable *removed;  /* ids */
    guint acknowledged;
} Story;

static void
hear (Story *story, const Record *record)
{
    Expected *expected = g_hash_table_lookup (story->messages, &record->id);

    switch ((Said) record->said) {
    case SAID_ACKNOWLEDGED:
        expected = g_new0 (Expected, 1);
        expected->length = record->length;
        g_hash_table_insert (story->messages, g_memdup2 (&record->id, sizeof record->id), expected);
        story->acknowledged++;
        break;
    case SAID_ENDING:
        if (expected != NULL)
            expected->ending = TRUE;
        break;
    case SAID_REMOVED:
        g_hash_table_remove (story->messages, &record->id);
        g_hash_table_add (story->removed, g_memdup2 (&record->id, sizeof record->id));
        break;
    }
}

static gboolean
read_record (gint from_child, Record *record)
{
    gsize done = 0;

    while (done < sizeof *record) {
        gssize n = read (from_child, (guint8 *) record + done, sizeof *record - done);

        if (n <= 0)
            return FALSE;
        done += (gsize) n;
    }

    return TRUE;
}

/* Runs a child, and kills it when it has said so much. */
static void
live_and_die (Story *story, guint records)
{
    gint fds[2], status;
    pid_t pid;
    Record record;

    g_assert_cmpint (pipe (fds), ==, 0);
    pid = fork ();
    g_assert_cmpint (pid, >=, 0);
    if (pid == 0) {
        close (fds[0]);
        run_child (story->fixture, fds[1]);
    }
    close (fds[1]);
    for (guint i = 0; i < records && read_record (fds[0], &record); i++)
        hear (story, &record);
    g_assert_cmpint (kill (pid, SIGKILL), ==, 0);
    while (read_record (fds[0], &record))
        hear (story, &record);
    close (fds[0]);
    g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
    g_assert_true (WIFSIGNALED (status));
}

static void
check_content (Fixture *fixture, const QueueMessage *message)
{
    g_autoptr (GError) error = NULL;
    g_autoptr (GString) content = fixture_read (fixture, message->id, &error);
    g_autofree gchar *expected = g_malloc (message->size + 1);

    g_assert_no_error (error);
    g_assert_cmpuint (content->len, ==, message->size);
    fill_content (message->id, expected, (guint32) message->size);
    g_assert_cmpint (memcmp (content->str, expected, content->len), ==, 0);
}

static void
check (Story *story)
{
    const QueueFilter all = QUEUE_FILTER_ALL;
    g_autoptr (GPtrArray) messages = NULL;
    g_autoptr (GHashTable) there = g_hash_table_new (g_int64_hash, g_int64_equal);
    GHashTableIter iter;
    gpointer key, value;

    fixture_open (story->fixture);
    messages = fixture_list (story->fixture, &all, 0, G_MAXUINT, NULL);
    for (guint i = 0; i < messages->len; i++) {
        QueueMessage *message = g_ptr_array_index (messages, i);

        g_hash_table_add (there, &message->id);
        g_assert_false (g_hash_table_contains (story->removed, &message->id));
        check_content (story->fixture, message);
    }

    g_hash_table_iter_init (&iter, story->messages);
    while (g_hash_table_iter_next (&iter, &key, &value)) {
        const Expected *expected = value;

        if (!g_hash_table_contains (there, key)) {
            g_assert_true (expected->ending);
            g_hash_table_add (story->removed, g_memdup2 (key, sizeof (QueueId)));
            g_hash_table_iter_remove (&iter);
        }
    }
    fixture_close (story->fixture);
}

static void
killed_at_any_moment_it_keeps_its_word (void)
{
    Fixture *fixture = fixture_new ();
    Story story = {.fixture = fixture};
    guint kills = g_test_thorough () ? KILLS_THOROUGH : KILLS;

    fixture->limits.generation_bytes = GENERATION_BYTES;
    story.messages = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, g_free);
    story.removed = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
    for (guint i = 0; i < kills; i++) {
        live_and_die (&story, (guint) g_test_rand_int_range (0, MOST_RECORDS));

        /* Now and then the next one is killed before anybody looked. */
        if (g_test_rand_int_range (0, 3) != 0)
            check (&story);
    }
    check (&story);
    g_test_message ("%u kills, %u messages acknowledged, %u removed, %u left", kills, story.acknowledged,
                    g_hash_table_size (story.removed), g_hash_table_size (story.messages));
    g_hash_table_unref (story.messages);
    g_hash_table_unref (story.removed);
    fixture_free (fixture);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/queue/crash/killed-at-any-moment-it-keeps-its-word", killed_at_any_moment_it_keeps_its_word);

    return g_test_run ();
}
