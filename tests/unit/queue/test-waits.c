/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Who waits for whom
 *
 * A call of one of the store's threads is held as long as the test likes (faults.c), as a disk does that is slow: whatever does
 * not need that very call goes on meanwhile, and who hands in more than the disk takes is told to wait.
 */

#include <unistd.h>

#include "queue/queue-private.h"

#include "faults.h"
#include "fixture.h"

#define GENERATION_BYTES (16 * 1024)
#define ROUNDS_MEANWHILE 30
#define LOOK_MSEC        2
#define WAIT_SECONDS     120
#define PIECE_BYTES      (60 * 1024)

static FaultsControl *control;

/* The @nth call of that kind on a file whose name ends so waits until it is released. */
static void
hold_nth (Fixture *fixture, guint nth, const gchar *call, const gchar *file)
{
    *control = (FaultsControl){.nth = nth, .manner = FAULTS_MANNER_HOLD};
    g_strlcpy (control->folder, fixture->directory, sizeof control->folder);
    g_strlcpy (control->file, file, sizeof control->file);
    g_strlcpy (control->call, call, sizeof control->call);
    __atomic_store_n (&control->armed, TRUE, __ATOMIC_SEQ_CST);
}

static void
hold (Fixture *fixture, const gchar *call, const gchar *file)
{
    hold_nth (fixture, 1, call, file);
}

static gboolean
is_held (void)
{
    return __atomic_load_n (&control->struck, __ATOMIC_SEQ_CST) > 0;
}

static void
release (void)
{
    __atomic_store_n (&control->armed, FALSE, __ATOMIC_SEQ_CST);
}

static gboolean
look_again (gpointer user_data)
{
    return G_SOURCE_CONTINUE;
}

static void
wait_held (void)
{
    gint64 deadline = g_get_monotonic_time () + WAIT_SECONDS * G_USEC_PER_SEC;
    guint look = g_timeout_add (LOOK_MSEC, look_again, NULL);

    while (!is_held ()) {
        g_assert_cmpint (g_get_monotonic_time (), <, deadline);
        g_main_context_iteration (NULL, TRUE);
    }
    g_source_remove (look);
}

static QueueId
commit_number (Fixture *fixture, guint number)
{
    g_autofree gchar *content = fixture_content (number);

    return fixture_commit (fixture, number % 3, "a@one.example", content);
}

static void
deliver_one (Fixture *fixture)
{
    QueueJob *job = fixture_take (fixture, "one.example");

    g_assert_nonnull (job);
    fixture_settle (fixture, job, QUEUE_OUTCOME_DELIVERED, "250", 0);
}

/* ---- Sealing and cleaning ---- */

/* Mail comes and goes, and the store seals, merges and drops, until it comes to the call. */
static void
use_until_held (Fixture *fixture)
{
    gint64 deadline = g_get_monotonic_time () + WAIT_SECONDS * G_USEC_PER_SEC;

    for (guint i = 0; !is_held (); i++) {
        g_assert_cmpint (g_get_monotonic_time (), <, deadline);
        commit_number (fixture, i);
        if (i % 3 > 0)
            deliver_one (fixture);
        if (i % 100 == 0)
            g_assert_cmpuint (fixture_act (fixture, QUEUE_ACTION_DELETE, &QUEUE_FILTER_ALL), >, 0);
    }
}

/* What sessions, deliveries and people do; all of it comes to its end. Journals become full meanwhile. */
static void
use_meanwhile (Fixture *fixture)
{
    g_autofree gchar *content = fixture_content (1000);
    QueueId old = fixture_commit (fixture, 1, "b@two.example", content);
    g_autoptr (QueueMessage) kept = NULL;

    for (guint i = 0; i < ROUNDS_MEANWHILE; i++) {
        QueueId id = commit_number (fixture, i);
        g_autoptr (GPtrArray) page = fixture_list (fixture, &QUEUE_FILTER_ALL, 0, 100, NULL);

        g_assert_cmpuint (page->len, >=, 2);
        g_assert_cmpuint (fixture_act_on (fixture, QUEUE_ACTION_HOLD, id), ==, 1);
        fixture_check_content (fixture, id, i);
        fixture_check_content (fixture, old, 1000);
        commit_number (fixture, 500 + i);
        deliver_one (fixture);
        g_assert_cmpuint (fixture_act_on (fixture, i % 2 == 0 ? QUEUE_ACTION_HOLD : QUEUE_ACTION_RELEASE, old), ==,
                          1);
    }
    kept = fixture_get (fixture, old);
    g_assert_nonnull (kept);
}

static void
held_at (Fixture *fixture, const gchar *call, const gchar *file)
{
    guint64 left;

    fixture->limits.generation_bytes = GENERATION_BYTES;
    queue_set_limits (fixture->queue, &fixture->limits);
    commit_number (fixture, 0);
    hold (fixture, call, file);
    use_until_held (fixture);
    use_meanwhile (fixture);
    g_assert_cmpuint (control->struck, ==, 1);
    g_assert_cmpuint (fixture_count_files (fixture, ".journal"), >, 1);
    release ();

    /* And then it goes on. */
    fixture_wait_for_files (fixture, ".journal", 1, 1);
    left = fixture_count_messages (fixture);
    fixture_reopen (fixture);
    g_assert_cmpuint (fixture_count_messages (fixture), ==, left);
}

static void
making_a_generation_holds_up_nobody (Fixture *fixture)
{
    held_at (fixture, "create", ".gdbm.tmp");
}

static void
writing_a_generation_holds_up_nobody (Fixture *fixture)
{
    held_at (fixture, "write", ".gdbm.tmp");
}

static void
syncing_a_generation_holds_up_nobody (Fixture *fixture)
{
    held_at (fixture, "sync", ".gdbm.tmp");
}

static void
naming_a_generation_holds_up_nobody (Fixture *fixture)
{
    held_at (fixture, "rename", ".gdbm");
}

static void
reading_what_is_merged_holds_up_nobody (Fixture *fixture)
{
    held_at (fixture, "read", ".gdbm");
}

static void
removing_a_journal_holds_up_nobody (Fixture *fixture)
{
    held_at (fixture, "unlink", ".journal");
}

static void
removing_a_generation_holds_up_nobody (Fixture *fixture)
{
    held_at (fixture, "unlink", ".gdbm");
}

/* ---- Listing ---- */

typedef struct {
    gboolean done;
    guint count;
} Listed;

static void
listed (GPtrArray *messages, QueueId next, gpointer user_data)
{
    Listed *answer = user_data;

    answer->done = TRUE;
    answer->count = messages->len;
}

/* A queue whose messages are all sealed, and in no memory. */
static void
seal_messages (Fixture *fixture, guint n)
{
    for (guint i = 0; i < n; i++)
        commit_number (fixture, i);
    fixture_close (fixture);
    fixture_open (fixture);
    g_assert_cmpuint (fixture_count_files (fixture, ".gdbm"), >, 0);
    while (queue_lane_due (fixture->queue, "one.example") == G_MAXINT64)
        g_main_context_iteration (NULL, TRUE);
    fixture_settle_down ();
    queue_cache_clear (fixture->queue->cache);
}

static void
a_listing_that_waits_for_the_disk_holds_up_nobody (Fixture *fixture)
{
    QueueFilter filter = QUEUE_FILTER_ALL;
    Listed answer = {0};

    seal_messages (fixture, 100);
    hold (fixture, "read", ".gdbm");
    filter.sender = "sender@example.net";
    queue_list (fixture->queue, &filter, 0, G_MAXUINT, listed, &answer);
    wait_held ();
    for (guint i = 0; i < ROUNDS_MEANWHILE; i++) {
        QueueId id = fixture_commit (fixture, 1, "b@two.example", "x");

        fixture_settle (fixture, fixture_take (fixture, "two.example"), QUEUE_OUTCOME_DELIVERED, "250", 0);
        g_assert_null (fixture_get (fixture, id));
    }
    g_assert_false (answer.done);
    release ();
    fixture_wait (&answer.done);
    g_assert_cmpuint (answer.count, ==, 100);
}

static void
a_delivery_does_not_wait_for_the_end_of_a_listing (Fixture *fixture)
{
    QueueFilter filter = QUEUE_FILTER_ALL;
    Listed answer = {0};
    QueueJob *job;

    /* Both read from the disk: the delivery waits for the dozens of messages that are being read, not for all. */
    seal_messages (fixture, 300);
    filter.sender = "sender@example.net";
    queue_list (fixture->queue, &filter, 0, G_MAXUINT, listed, &answer);
    job = fixture_take (fixture, "one.example");
    g_assert_nonnull (job);
    g_assert_false (answer.done);
    fixture_settle (fixture, job, QUEUE_OUTCOME_UNTRIED, NULL, 0);
    fixture_wait (&answer.done);
    g_assert_cmpuint (answer.count, ==, 300);
}

/* ---- A disk that is slower than who hands in ---- */

static void
drained (gpointer user_data)
{
    (*(guint *) user_data)++;
}

static void
committed (QueueId id, const GError *error, gpointer user_data)
{
    g_assert_no_error (error);
    (*(guint *) user_data)++;
}

static QueueIntake *
intake_new (Fixture *fixture, guint *n_drained)
{
    const QueueOrigin origin = {.uid = 1, .protocol = (gchar *) "ESMTP"};

    return queue_intake_new (fixture->queue, &origin, 0, drained, n_drained, NULL);
}

static void
commit_intake (QueueIntake *intake, guint *n_committed)
{
    g_autoptr (MessageEnvelope) envelope = message_envelope_new ("sender@example.net");

    message_envelope_add (envelope, "a@one.example");
    queue_intake_commit (intake, message_envelope_copy (envelope), FALSE, committed, n_committed);
}

static void
wait_count (const guint *count, guint least)
{
    gint64 deadline = g_get_monotonic_time () + WAIT_SECONDS * G_USEC_PER_SEC;

    while (*count < least) {
        g_assert_cmpint (g_get_monotonic_time (), <, deadline);
        g_main_context_iteration (NULL, TRUE);
    }
}

static void
who_outruns_the_disk_is_told_to_wait (Fixture *fixture)
{
    g_autofree gchar *piece = g_strnfill (PIECE_BYTES, 'x');
    guint n_drained = 0, n_committed = 0;
    QueueIntake *intake = intake_new (fixture, &n_drained);
    gsize written = 0;

    hold (fixture, "write", ".journal");
    do {
        queue_intake_write (intake, piece, PIECE_BYTES);
        written += PIECE_BYTES;
        g_assert_cmpuint (written, <=, QUEUE_INTAKE_BACKLOG_BYTES + PIECE_BYTES);
    } while (queue_intake_backlog (intake) < QUEUE_INTAKE_BACKLOG_BYTES);
    wait_held ();
    g_assert_cmpuint (n_drained, ==, 0);
    release ();
    wait_count (&n_drained, 1);
    g_assert_cmpuint (queue_intake_backlog (intake), <, QUEUE_INTAKE_BACKLOG_BYTES);
    commit_intake (intake, &n_committed);
    wait_count (&n_committed, 1);
}

/* The first one's sync takes long: all others that come meanwhile are made safe by the next. */
static void
commits_that_wait_share_a_sync (Fixture *fixture)
{
    enum { COMMITS = 200 };
    guint n_committed = 0;

    hold (fixture, "sync", ".journal");
    for (guint i = 0; i < COMMITS; i++) {
        QueueIntake *intake = intake_new (fixture, NULL);

        queue_intake_write (intake, "x", 1);
        commit_intake (intake, &n_committed);
        if (i == 0)
            wait_held ();
    }
    g_assert_cmpuint (n_committed, ==, 0);
    __atomic_store_n (&control->manner, FAULTS_MANNER_FAIL,
                      __ATOMIC_SEQ_CST); /* armed still: the calls are counted */
    wait_count (&n_committed, COMMITS);
    g_assert_cmpuint (control->met, ==, 2);
    release ();
}

static void
many_together_are_told_to_wait_before_each_has_its_share (Fixture *fixture)
{
    enum { SHARE_BYTES = 2 * PIECE_BYTES, INTAKES = 2 * QUEUE_BACKLOG_MOST_BYTES / SHARE_BYTES };
    g_autofree gchar *piece = g_strnfill (PIECE_BYTES, 'x');
    g_autofree QueueIntake **intakes = g_new0 (QueueIntake *, INTAKES);
    guint n_drained = 0, n_committed = 0, n = 0, n_waiting = 0;

    hold (fixture, "write", ".journal");
    while (n < INTAKES && (n == 0 || queue_intake_backlog (intakes[n - 1]) < QUEUE_INTAKE_BACKLOG_BYTES)) {
        intakes[n] = intake_new (fixture, &n_drained);
        queue_intake_write (intakes[n], piece, PIECE_BYTES);
        queue_intake_write (intakes[n], piece, PIECE_BYTES);
        n++;
    }

    /* None of them has its own bound's worth; each is told that it has, the first one as well. */
    g_assert_cmpuint (n, <, INTAKES);
    for (guint i = 0; i < n; i++)
        n_waiting += queue_intake_backlog (intakes[i]) >= QUEUE_INTAKE_BACKLOG_BYTES;
    g_assert_cmpuint (n_waiting, ==, n);
    release ();
    wait_count (&n_drained, n);
    for (guint i = 0; i < n; i++)
        commit_intake (intakes[i], &n_committed);
    wait_count (&n_committed, n);
    g_assert_cmpuint (fixture_count_messages (fixture), ==, n);
}

/* ---- Small and large ---- */

/* Hands in a message that never ends, as fast as it may. */
static void
write_more (QueueIntake *intake, const gchar *piece)
{
    while (queue_intake_backlog (intake) < QUEUE_INTAKE_BACKLOG_BYTES)
        queue_intake_write (intake, piece, PIECE_BYTES);
}

static void
small_messages_pass_a_large_one (Fixture *fixture)
{
    g_autofree gchar *piece = g_strnfill (PIECE_BYTES, 'x');
    guint n_drained = 0, n_committed = 0;
    QueueIntake *intake = intake_new (fixture, &n_drained);

    for (guint i = 0; i < ROUNDS_MEANWHILE; i++) {
        write_more (intake, piece);
        commit_number (fixture, i);
    }
    commit_intake (intake, &n_committed);
    wait_count (&n_committed, 1);
}

/* Small messages without end, some at a time. */
typedef struct {
    Fixture *fixture;
    guint under_way;
    guint n_committed;
    gboolean stopping;
} Flood;

static void flood_committed (QueueId id, const GError *error, gpointer user_data);

static void
flood_one (Flood *flood)
{
    g_autoptr (MessageEnvelope) envelope = message_envelope_new ("sender@example.net");
    QueueIntake *intake = intake_new (flood->fixture, NULL);

    message_envelope_add (envelope, "b@two.example");
    queue_intake_write (intake, "x", 1);
    flood->under_way++;
    queue_intake_commit (intake, message_envelope_copy (envelope), FALSE, flood_committed, flood);
}

static void
flood_committed (QueueId id, const GError *error, gpointer user_data)
{
    Flood *flood = user_data;

    g_assert_no_error (error);
    flood->under_way--;
    flood->n_committed++;
    if (!flood->stopping)
        flood_one (flood);
}

static void
a_large_message_gets_through_small_ones_without_end (Fixture *fixture)
{
    g_autofree gchar *piece = g_strnfill (PIECE_BYTES, 'x');
    guint n_drained = 0, n_committed = 0;
    QueueIntake *intake = intake_new (fixture, &n_drained);
    Flood flood = {.fixture = fixture};

    for (guint i = 0; i < 10; i++)
        flood_one (&flood);
    for (guint i = 0; i < ROUNDS_MEANWHILE; i++) {
        guint before = n_drained;

        write_more (intake, piece);
        wait_count (&n_drained, before + 1);
    }
    commit_intake (intake, &n_committed);
    wait_count (&n_committed, 1);
    g_assert_cmpuint (flood.n_committed, >, 0);
    flood.stopping = TRUE;
    while (flood.under_way > 0)
        g_main_context_iteration (NULL, TRUE);
}

/* ---- Verifying ---- */

typedef struct {
    gboolean done;
    guint64 findings;
} Report;

static void
hear_report (const QueueVerified *verified, const GError *error, gpointer user_data)
{
    Report *report = user_data;

    g_assert_no_error (error);
    report->findings = verified->n_findings;
    report->done = TRUE;
}

/* It had read the journal's end as it was, and reads what follows as it became meanwhile. */
static void
a_journal_that_grows_while_it_is_verified_is_whole (Fixture *fixture)
{
    g_autofree gchar *content = g_strnfill (100000, 'x');
    Report report = {0};

    fixture_commit (fixture, 1, "a@one.example", "before");
    hold_nth (fixture, 4, "read", ".journal"); /* after its start, and a window up to what is its end by then */
    queue_verify (fixture->queue, hear_report, &report);
    wait_held ();
    for (guint i = 0; i < 20; i++)
        fixture_commit (fixture, 1, "a@one.example", content);
    release ();
    fixture_wait (&report.done);
    g_assert_cmpuint (report.findings, ==, 0);
}

int
main (int argc, char **argv)
{
    fixture_use_memory ();
    g_test_init (&argc, &argv, NULL);
    control = fixture_share (sizeof *control);
    faults_set_control (control);

    fixture_add ("/queue/waits/making-a-generation-holds-up-nobody", making_a_generation_holds_up_nobody);
    fixture_add ("/queue/waits/writing-a-generation-holds-up-nobody", writing_a_generation_holds_up_nobody);
    fixture_add ("/queue/waits/syncing-a-generation-holds-up-nobody", syncing_a_generation_holds_up_nobody);
    fixture_add ("/queue/waits/naming-a-generation-holds-up-nobody", naming_a_generation_holds_up_nobody);
    fixture_add ("/queue/waits/reading-what-is-merged-holds-up-nobody", reading_what_is_merged_holds_up_nobody);
    fixture_add ("/queue/waits/removing-a-journal-holds-up-nobody", removing_a_journal_holds_up_nobody);
    fixture_add ("/queue/waits/removing-a-generation-holds-up-nobody", removing_a_generation_holds_up_nobody);
    fixture_add ("/queue/waits/a-listing-that-waits-for-the-disk-holds-up-nobody",
                 a_listing_that_waits_for_the_disk_holds_up_nobody);
    fixture_add ("/queue/waits/a-delivery-does-not-wait-for-the-end-of-a-listing",
                 a_delivery_does_not_wait_for_the_end_of_a_listing);
    fixture_add ("/queue/waits/who-outruns-the-disk-is-told-to-wait", who_outruns_the_disk_is_told_to_wait);
    fixture_add ("/queue/waits/commits-that-wait-share-a-sync", commits_that_wait_share_a_sync);
    fixture_add ("/queue/waits/many-together-are-told-to-wait-before-each-has-its-share",
                 many_together_are_told_to_wait_before_each_has_its_share);
    fixture_add ("/queue/waits/small-messages-pass-a-large-one", small_messages_pass_a_large_one);
    fixture_add ("/queue/waits/a-large-message-gets-through-small-ones-without-end",
                 a_large_message_gets_through_small_ones_without_end);
    fixture_add ("/queue/waits/a-journal-that-grows-while-it-is-verified-is-whole",
                 a_journal_that_grows_while_it_is_verified_is_whole);

    return g_test_run ();
}
