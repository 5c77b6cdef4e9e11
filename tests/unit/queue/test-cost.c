/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * What it costs
 *
 * Counted, not timed: how much is read and written for an action on a few messages of many, what the disk holds when mail
 * comes and goes for long, and how many of a burst another user's message waits for.
 */

#include <sys/stat.h>
#include <unistd.h>

#include "queue/queue-private.h"

#include "faults.h"
#include "fixture.h"

/* A thorough run (-m thorough) has ten times as many. */
#define MANY         10000
#define MATCH_ONE_IN 500

/* What an index by hashes lets through without a match, in parts of all. */
#define FALSE_ONE_IN 50

/* A change of a message's state in the journal: its head, and what is around that of a slice. */
#define CHANGE_MOST_BYTES 200

#define WAIT_SECONDS 120
#define LOOK_MSEC    10

static FaultsControl *control;

static guint
many (void)
{
    return g_test_thorough () ? 10 * MANY : MANY;
}

/* Counts the calls of that kind on files whose names end so. */
static void
begin_to_count (Fixture *fixture, const gchar *call, const gchar *file)
{
    *control = (FaultsControl){.nth = G_MAXUINT32};
    g_strlcpy (control->folder, fixture->directory, sizeof control->folder);
    g_strlcpy (control->file, file, sizeof control->file);
    g_strlcpy (control->call, call, sizeof control->call);
    __atomic_store_n (&control->armed, TRUE, __ATOMIC_SEQ_CST);
}

static guint
counted (void)
{
    return __atomic_load_n (&control->met, __ATOMIC_SEQ_CST);
}

static void
count_commit (QueueId id, const GError *error, gpointer user_data)
{
    g_assert_no_error (error);
    (*(guint *) user_data)--;
}

/* Those that match are spread over all. */
static gboolean
is_match (guint number)
{
    return number % MATCH_ONE_IN == MATCH_ONE_IN / 2;
}

/* Hands in so many without waiting for each. */
static void
commit_many (Fixture *fixture, guint n, gint64 uid)
{
    guint left = n;

    for (guint i = 0; i < n; i++) {
        const QueueOrigin origin = {.uid = is_match (i) ? 77 : uid, .protocol = (gchar *) "local"};
        g_autoptr (MessageEnvelope) envelope =
            message_envelope_new (is_match (i) ? "one@special.example" : "sender@example.net");
        g_autofree gchar *address =
            g_strdup_printf (is_match (i) ? "r%u@special.example" : "r%u@many.example", i % 50);
        QueueIntake *intake = queue_intake_new (fixture->queue, &origin, 1, NULL, NULL, NULL);

        message_envelope_add (envelope, address);
        queue_intake_write (intake, "x", 1);
        queue_intake_commit (intake, message_envelope_copy (envelope), FALSE, count_commit, &left);
        if (left > 2000)
            g_main_context_iteration (NULL, FALSE);
    }
    while (left > 0)
        g_main_context_iteration (NULL, TRUE);
}

/* ---- Actions ---- */

/* All that was handed in is in sealed generations, as what waits for long is. */
static void
seal (Fixture *fixture)
{
    fixture_reopen (fixture);
    fixture_wait_for_files (fixture, ".journal", 1, 1);
}

/* From here on nothing of a message is in memory but its place in the index. */
static void
forget (Fixture *fixture)
{
    fixture_settle_down ();
    while (fixture->queue->sweeps->len > 0 || fixture->queue->sorting != NULL)
        g_main_context_iteration (NULL, TRUE);
    queue_cache_clear (fixture->queue->cache);
}

static guint64
journal_bytes (Fixture *fixture)
{
    fixture_commit (fixture, 5, "barrier@other.example", "x"); /* what came before it is written and counted */

    return queue_writer_journal_bytes (fixture->queue->writer);
}

typedef struct {
    guint reads; /* for all messages */
    guint n;
    guint matches;
} Cost;

static void
check_action (Fixture *fixture, const Cost *cost, QueueAction action, const QueueFilter *filter)
{
    guint64 before = journal_bytes (fixture), written;
    guint reads;

    forget (fixture);
    begin_to_count (fixture, "read", ".gdbm");
    g_assert_cmpuint (fixture_act (fixture, action, filter), ==, cost->matches);
    reads = counted ();
    written = journal_bytes (fixture) - before;
    g_test_message ("%u of %u messages: %u reads (of all: %u), %" G_GUINT64_FORMAT " bytes", cost->matches, cost->n,
                    reads, cost->reads, written);
    g_assert_cmpuint (reads, <=, cost->reads / FALSE_ONE_IN);
    g_assert_cmpuint (written, <=, (cost->matches + 10) * CHANGE_MOST_BYTES);
}

static void
an_action_reads_and_writes_what_matches (Fixture *fixture)
{
    Cost cost = {.n = many (), .matches = many () / MATCH_ONE_IN};
    QueueFilter filter = QUEUE_FILTER_ALL;

    commit_many (fixture, cost.n, 1);
    seal (fixture);
    forget (fixture);
    begin_to_count (fixture, "read", ".gdbm");
    g_ptr_array_unref (fixture_list (fixture, &filter, 0, G_MAXUINT, NULL));
    cost.reads = counted ();
    g_assert_cmpuint (cost.reads, >, cost.n / 10);

    /* On a slow machine the journal would be old enough to be closed and sealed, which reads, too. */
    fixture->queue->rolling = TRUE;

    filter.sender = "one@special.example";
    check_action (fixture, &cost, QUEUE_ACTION_HOLD, &filter);
    filter = QUEUE_FILTER_ALL;
    filter.state = QUEUE_STATE_HELD;
    check_action (fixture, &cost, QUEUE_ACTION_RELEASE, &filter);
    filter = QUEUE_FILTER_ALL;
    filter.domain = "special.example";
    check_action (fixture, &cost, QUEUE_ACTION_RETRY, &filter);
    filter = QUEUE_FILTER_ALL;
    filter.uid = 77;
    check_action (fixture, &cost, QUEUE_ACTION_DELETE, &filter);
}

static void
a_page_reads_what_it_shows (Fixture *fixture)
{
    enum { PAGE = 50 };
    g_autoptr (GPtrArray) page = NULL, all = NULL;
    guint reads;

    commit_many (fixture, many (), 1);
    seal (fixture);
    forget (fixture);
    begin_to_count (fixture, "read", ".gdbm");
    page = fixture_list (fixture, &QUEUE_FILTER_ALL, 0, PAGE, NULL);
    reads = counted ();
    g_assert_cmpuint (page->len, ==, PAGE);
    all = fixture_list (fixture, &QUEUE_FILTER_ALL, 0, G_MAXUINT, NULL);
    g_test_message ("%u reads for a page of %u, %u for all %u", reads, PAGE, counted () - reads, all->len);
    g_assert_cmpuint (reads, <, (counted () - reads) / FALSE_ONE_IN);
}

/* ---- Fairness ---- */

static void
a_burst_delays_another_users_message_by_one (Fixture *fixture)
{
    QueueId single;

    commit_many (fixture, many (), 1);
    single = fixture_commit (fixture, 2, "a@many.example", "x");
    for (guint i = 0; i < 2; i++) {
        QueueJob *job = fixture_take (fixture, "many.example");
        gboolean found = job->message->id == single;

        fixture_settle (fixture, job, QUEUE_OUTCOME_UNTRIED, NULL, 0);
        if (found)
            return;
        if (i == 0) /* and the burst goes on */
            fixture_commit (fixture, 1, "a@many.example", "x");
    }
    g_assert_not_reached ();
}

/* ---- The disk ---- */

#define CHURN_GENERATION_BYTES (64 * 1024)
#define CHURN_MESSAGES         2500
#define CHURN_KEPT             400
#define CHURN_BYTES            4000

/* What the sealer leaves alone, and what there is besides messages. */
#define DISK_SPARE_BYTES (2 * 1024 * 1024)
#define EMPTY_MOST_BYTES (16 * 1024)

static guint64
disk_bytes (Fixture *fixture)
{
    g_autoptr (GDir) dir = g_dir_open (fixture->directory, 0, NULL);
    const gchar *name;
    guint64 bytes = 0;

    while ((name = g_dir_read_name (dir)) != NULL) {
        g_autofree gchar *path = g_build_filename (fixture->directory, name, NULL);
        struct stat status;

        if (stat (path, &status) == 0)
            bytes += (guint64) status.st_size;
    }

    return bytes;
}

static gboolean
look_again (gpointer user_data)
{
    return G_SOURCE_CONTINUE;
}

/* The sealer works in the background, and may be behind. */
static void
wait_disk (Fixture *fixture, guint64 most)
{
    gint64 deadline = g_get_monotonic_time () + WAIT_SECONDS * G_USEC_PER_SEC;
    guint look = g_timeout_add (LOOK_MSEC, look_again, NULL);

    while (disk_bytes (fixture) > most) {
        if (g_get_monotonic_time () > deadline)
            g_error ("%" G_GUINT64_FORMAT " bytes stay on the disk", disk_bytes (fixture));
        g_main_context_iteration (NULL, TRUE);
    }
    g_source_remove (look);
}

static void
the_disk_holds_little_more_than_lives (Fixture *fixture)
{
    g_autofree gchar *content = g_strnfill (CHURN_BYTES, 'x');
    g_autoptr (GArray) kept = g_array_new (FALSE, FALSE, sizeof (QueueId));
    QueueFilter filter = QUEUE_FILTER_ALL;
    QueueStatistics statistics;

    fixture->limits.generation_bytes = CHURN_GENERATION_BYTES;
    queue_set_limits (fixture->queue, &fixture->limits);
    for (guint i = 0; i < CHURN_MESSAGES; i++) {
        QueueId id = fixture_commit (fixture, 1, "a@many.example", content);

        g_array_append_val (kept, id);
        if (kept->len > CHURN_KEPT) {
            guint gone = (guint) g_test_rand_int_range (0, (gint32) kept->len);

            fixture_act_on (fixture, QUEUE_ACTION_DELETE, g_array_index (kept, QueueId, gone));
            g_array_remove_index_fast (kept, gone);
        }
    }
    queue_statistics (fixture->queue, &statistics);
    g_assert_cmpuint (statistics.bytes, ==, CHURN_KEPT * CHURN_BYTES);
    wait_disk (fixture, 2 * statistics.bytes + DISK_SPARE_BYTES);
    g_test_message ("%" G_GUINT64_FORMAT " bytes live, %" G_GUINT64_FORMAT " are on the disk, %u were written",
                    statistics.bytes, disk_bytes (fixture), CHURN_MESSAGES * CHURN_BYTES);

    /* Empty, it is small again: also while it is open. Else it looks for that some time after the last change; here each
     * journal is full at once. */
    fixture->limits.generation_bytes = 1;
    queue_set_limits (fixture->queue, &fixture->limits);
    g_assert_cmpuint (fixture_act (fixture, QUEUE_ACTION_DELETE, &filter), ==, CHURN_KEPT);
    wait_disk (fixture, EMPTY_MOST_BYTES);
    fixture_reopen (fixture);
    wait_disk (fixture, EMPTY_MOST_BYTES);
}

int
main (int argc, char **argv)
{
    fixture_use_memory ();
    g_test_init (&argc, &argv, NULL);
    control = fixture_share (sizeof *control);
    faults_set_control (control);

    fixture_add ("/queue/cost/an-action-reads-and-writes-what-matches", an_action_reads_and_writes_what_matches);
    fixture_add ("/queue/cost/a-page-reads-what-it-shows", a_page_reads_what_it_shows);
    fixture_add ("/queue/cost/a-burst-delays-another-users-message-by-one",
                 a_burst_delays_another_users_message_by_one);
    fixture_add ("/queue/cost/the-disk-holds-little-more-than-lives", the_disk_holds_little_more_than_lives);

    return g_test_run ();
}
