/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * A disk that fails: nothing that was acknowledged is lost, what cannot be kept is refused, what must be kept waits, and
 * all goes on by itself when the trouble is over.
 *
 * The system calls that the store makes are defined here, and fail when a test says so.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "fixture.h"

#define FOREVER 1000000

/* How often a call fails from now on, and with what. The store's threads look, the test writes. */
static gint failing_syncs, failing_writes, failing_full_syncs, sync_errno, write_errno, short_writes, is_full;
static gint failing_gdbm_reads, large_write_bytes = G_MAXINT;

static gboolean
fails (gint *times)
{
    for (gint n = g_atomic_int_get (times); n > 0; n = g_atomic_int_get (times)) {
        if (g_atomic_int_compare_and_exchange (times, n, n - 1))
            return TRUE;
    }

    return FALSE;
}

int
fdatasync (int fd)
{
    if (fails (&failing_syncs)) {
        errno = g_atomic_int_get (&sync_errno);
        return -1;
    }

    return (int) syscall (SYS_fdatasync, fd);
}

int
fsync (int fd)
{
    if (fails (&failing_full_syncs)) {
        errno = g_atomic_int_get (&sync_errno);
        return -1;
    }

    return (int) syscall (SYS_fsync, fd);
}

ssize_t
pwritev (int fd, const struct iovec *vectors, int n, off_t offset)
{
    struct iovec first = vectors[0];

    if (fails (&failing_writes)) {
        errno = g_atomic_int_get (&write_errno);
        return -1;
    }
    for (int i = 0, bytes = 0; i < n; i++) {
        bytes += (int) vectors[i].iov_len;
        if (bytes > g_atomic_int_get (&large_write_bytes)) {
            errno = ENOSPC;
            return -1;
        }
    }
    if (fails (&short_writes)) {
        first.iov_len = MIN (first.iov_len, 7);
        return syscall (SYS_pwritev, fd, &first, 1, offset, 0);
    }

    return syscall (SYS_pwritev, fd, vectors, n, offset, 0);
}

static gboolean
is_gdbm (int fd)
{
    g_autofree gchar *link = g_strdup_printf ("/proc/self/fd/%d", fd);
    gchar path[1024] = "";

    return readlink (link, path, sizeof path - 1) > 0 && strstr (path, ".gdbm") != NULL;
}

ssize_t
read (int fd, void *data, size_t length)
{
    if (g_atomic_int_get (&failing_gdbm_reads) > 0 && is_gdbm (fd) && fails (&failing_gdbm_reads)) {
        errno = EIO;
        return -1;
    }

    return syscall (SYS_read, fd, data, length);
}

int
statvfs (const char *path, struct statvfs *status)
{
    memset (status, 0, sizeof *status);
    status->f_frsize = 4096;
    status->f_bavail = g_atomic_int_get (&is_full) ? 4 : 1024 * 1024;

    return 0;
}

static void
fail_syncs (gint times, gint number)
{
    g_atomic_int_set (&sync_errno, number);
    g_atomic_int_set (&failing_syncs, times);
}

static void
fail_writes (gint times, gint number)
{
    g_atomic_int_set (&write_errno, number);
    g_atomic_int_set (&failing_writes, times);
}

static GLogWriterOutput
drop_warning (GLogLevelFlags level, const GLogField *fields, gsize n_fields, gpointer user_data)
{
    return (level & G_LOG_LEVEL_MASK) < G_LOG_LEVEL_WARNING
               ? g_log_writer_default (level, fields, n_fields, user_data)
               : G_LOG_WRITER_HANDLED;
}

static QueueId
try_commit (Fixture *fixture, GError **error)
{
    const QueueOrigin origin = {.uid = 1, .protocol = (gchar *) "local"};

    return fixture_commit_full (fixture, &origin, "a@one.example", "content", 7, FALSE, error);
}

static void
wait_for_trouble (Fixture *fixture, gboolean trouble)
{
    while ((fixture->trouble != NULL) != trouble)
        g_main_context_iteration (NULL, TRUE);
}

static void
a_failed_sync_fails_its_commits_only (Fixture *fixture)
{
    QueueId before = fixture_commit (fixture, 1, "a@one.example", "before"), after;
    g_autoptr (GError) error = NULL;
    QueueStatistics statistics;

    fail_syncs (FOREVER, EIO);
    g_assert_cmpuint (try_commit (fixture, &error), ==, 0);
    g_assert_error (error, QUEUE_ERROR, QUEUE_ERROR_IO);
    g_assert_nonnull (strstr (error->message, g_strerror (EIO)));
    wait_for_trouble (fixture, TRUE);
    queue_statistics (fixture->queue, &statistics);
    g_assert_cmpstr (statistics.trouble->message, ==, fixture->trouble->message);
    fail_syncs (0, 0);

    after = fixture_commit (fixture, 1, "a@one.example", "after");
    wait_for_trouble (fixture, FALSE);
    for (guint round = 0; round < 2; round++) {
        g_autoptr (GString) first = fixture_read (fixture, before, NULL),
                            second = fixture_read (fixture, after, NULL);

        g_assert_cmpstr (first->str, ==, "before");
        g_assert_cmpstr (second->str, ==, "after");
        g_assert_cmpuint (fixture_count_messages (fixture), ==, 2);
        fixture_reopen (fixture);
    }
}

static void
trouble_ends_by_itself (Fixture *fixture)
{
    g_autoptr (GError) error = NULL;

    fail_syncs (3, EIO);
    g_assert_cmpuint (try_commit (fixture, &error), ==, 0);

    /* Nobody does anything: the writer looks again each second. */
    while (fixture->n_troubles == 0 || fixture->trouble != NULL)
        g_main_context_iteration (NULL, TRUE);
    g_assert_cmpuint (try_commit (fixture, NULL), !=, 0);
}

static void
a_full_disk_is_told_as_such (Fixture *fixture)
{
    g_autoptr (GError) error = NULL;

    fail_writes (FOREVER, ENOSPC);
    g_assert_cmpuint (try_commit (fixture, &error), ==, 0);
    g_assert_error (error, QUEUE_ERROR, QUEUE_ERROR_FULL);
    wait_for_trouble (fixture, TRUE);
    g_assert_error (fixture->trouble, QUEUE_ERROR, QUEUE_ERROR_FULL);
    fail_writes (0, 0);
    g_assert_cmpuint (try_commit (fixture, NULL), !=, 0);
    fixture_reopen (fixture);
    g_assert_cmpuint (fixture_count_messages (fixture), ==, 1);
}

static void
short_writes_are_no_trouble (Fixture *fixture)
{
    g_autofree gchar *content = g_strnfill (3000, 'x');
    const QueueOrigin origin = {.uid = 1, .protocol = (gchar *) "local"};
    QueueId id;
    g_autoptr (GString) read = NULL;

    g_atomic_int_set (&short_writes, 200);
    id = fixture_commit_full (fixture, &origin, "a@one.example", content, 3000, FALSE, NULL);
    g_atomic_int_set (&short_writes, 0);
    g_assert_cmpuint (fixture->n_troubles, ==, 0);
    fixture_reopen (fixture);
    read = fixture_read (fixture, id, NULL);
    g_assert_cmpstr (read->str, ==, content);
}

static void
a_result_waits_for_the_disk (Fixture *fixture)
{
    QueueId id = fixture_commit (fixture, 1, "a@one.example", "x");
    QueueJob *job = fixture_take (fixture, "one.example");
    const QueueResult result = {.outcome = QUEUE_OUTCOME_DELIVERED, .reply = "250"};
    g_autoptr (QueueMessage) message = NULL;

    fail_syncs (FOREVER, EIO);
    queue_settle (fixture->queue, job, &result, 0, FALSE);
    wait_for_trouble (fixture, TRUE);
    g_assert_cmpuint (fixture_count_events (fixture, "delivered"), ==, 0);
    message = fixture_get (fixture, id);
    g_assert_cmpint (message->state, ==, QUEUE_STATE_DELIVERING);
    g_assert_null (fixture_take (fixture, "one.example"));

    fail_syncs (0, 0);
    wait_for_trouble (fixture, FALSE);
    while (fixture_count_events (fixture, "delivered") == 0)
        g_main_context_iteration (NULL, TRUE);
    fixture_reopen (fixture);
    g_assert_cmpuint (fixture_count_messages (fixture), ==, 0);
}

static void
what_waits_keeps_its_order (Fixture *fixture)
{
    QueueId id = fixture_commit (fixture, 1, "a@one.example", "x");
    g_autoptr (QueueMessage) message = NULL;
    const QueueFilter filter = {.ids = &id, .n_ids = 1, .state = -1, .uid = -1};

    fail_writes (FOREVER, EIO);
    queue_act (fixture->queue, QUEUE_ACTION_HOLD, &filter, NULL, NULL);
    wait_for_trouble (fixture, TRUE);
    queue_act (fixture->queue, QUEUE_ACTION_RELEASE, &filter, NULL, NULL);
    queue_act (fixture->queue, QUEUE_ACTION_HOLD, &filter, NULL, NULL);
    fail_writes (0, 0);
    wait_for_trouble (fixture, FALSE);
    fixture_settle_down ();
    fixture_reopen (fixture);
    message = fixture_get (fixture, id);
    g_assert_cmpint (message->state, ==, QUEUE_STATE_HELD);
}

static void
hear_committed (QueueId id, const GError *error, gpointer user_data)
{
    g_assert_no_error (error);
    *(QueueId *) user_data = id;
}

static void
a_notice_waits_for_the_disk (Fixture *fixture)
{
    const QueueOrigin origin = {.uid = -1, .protocol = (gchar *) "notice"};
    g_autoptr (MessageEnvelope) envelope = message_envelope_new ("");
    QueueId id = 0;
    QueueIntake *intake;

    message_envelope_add (envelope, "a@one.example");
    g_atomic_int_set (&is_full, TRUE);
    fixture->limits.reserve_bytes = 1024 * 1024;
    queue_set_limits (fixture->queue, &fixture->limits);
    fail_writes (FOREVER, ENOSPC);
    intake = queue_intake_new (fixture->queue, &origin, 0, NULL, NULL, NULL);
    g_assert_nonnull (intake);
    queue_intake_write (intake, "notice", 6);
    queue_intake_commit (intake, message_envelope_copy (envelope), FALSE, hear_committed, &id);
    wait_for_trouble (fixture, TRUE);
    g_assert_cmpuint (id, ==, 0);
    fail_writes (0, 0);
    g_atomic_int_set (&is_full, FALSE);
    while (id == 0)
        g_main_context_iteration (NULL, TRUE);
    fixture_reopen (fixture);
    g_assert_cmpuint (fixture_count_messages (fixture), ==, 1);
}

static void
deliveries_stop_when_results_cannot_be_kept (Fixture *fixture)
{
    const guint n = 150;
    const QueueResult result = {.outcome = QUEUE_OUTCOME_DELIVERED, .reply = "250"};
    QueueJob *jobs[150];

    for (guint i = 0; i < n + 1; i++)
        fixture_commit (fixture, 1, "a@one.example", "x");
    for (guint i = 0; i < n; i++)
        jobs[i] = fixture_take (fixture, "one.example");
    fail_syncs (FOREVER, EIO);
    for (guint i = 0; i < n; i++) {
        queue_settle (fixture->queue, jobs[i], &result, 0, FALSE);
        fixture_settle_down ();
    }
    wait_for_trouble (fixture, TRUE);
    while (queue_take (fixture->queue, "one.example", g_get_real_time (), NULL, NULL))
        g_assert_not_reached ();
    g_ptr_array_set_size (fixture->due, 0);
    fail_syncs (0, 0);
    wait_for_trouble (fixture, FALSE);
    while (fixture->due->len == 0)
        g_main_context_iteration (NULL, TRUE);
    g_assert_nonnull (fixture_take (fixture, "one.example"));
    while (fixture_count_events (fixture, "delivered") < n)
        g_main_context_iteration (NULL, TRUE);
}

static void
expect_io_error (QueueId id, const GError *error, gpointer user_data)
{
    g_assert_cmpuint (id, ==, 0);
    g_assert_error (error, QUEUE_ERROR, QUEUE_ERROR_IO);
    *(gboolean *) user_data = TRUE;
}

static void
a_lost_chunk_fails_its_message (Fixture *fixture)
{
    const QueueOrigin origin = {.uid = 1, .protocol = (gchar *) "ESMTP"};
    g_autoptr (MessageEnvelope) envelope = message_envelope_new ("sender@example.net");
    g_autofree gchar *part = g_strnfill (200000, 'x');
    g_autoptr (GError) error = NULL;
    QueueIntake *intake = queue_intake_new (fixture->queue, &origin, 0, NULL, NULL, NULL);
    gboolean failed = FALSE;

    message_envelope_add (envelope, "a@one.example");
    queue_intake_write (intake, part, 200000);
    while (queue_intake_backlog (intake) > 70000)
        g_main_context_iteration (NULL, TRUE);

    /* The chunks were given to the kernel, and are lost with the sync of somebody else's message. */
    fail_syncs (1, EIO);
    g_assert_cmpuint (try_commit (fixture, &error), ==, 0);
    queue_intake_commit (intake, message_envelope_copy (envelope), FALSE, expect_io_error, &failed);
    fixture_wait (&failed);
    g_assert_cmpuint (try_commit (fixture, NULL), !=, 0);
    fixture_reopen (fixture);
    g_assert_cmpuint (fixture_count_messages (fixture), ==, 1);
}

static void
expect_full_error (QueueId id, const GError *error, gpointer user_data)
{
    g_assert_cmpuint (id, ==, 0);
    g_assert_error (error, QUEUE_ERROR, QUEUE_ERROR_FULL);
    *(gboolean *) user_data = TRUE;
}

static void
a_chunk_without_room_fails_its_message_as_full (Fixture *fixture)
{
    const QueueOrigin origin = {.uid = 1, .protocol = (gchar *) "ESMTP"};
    g_autoptr (MessageEnvelope) envelope = message_envelope_new ("sender@example.net");
    g_autofree gchar *part = g_strnfill (200000, 'x');
    QueueIntake *intake = queue_intake_new (fixture->queue, &origin, 0, NULL, NULL, NULL);
    gboolean failed = FALSE;

    message_envelope_add (envelope, "a@one.example");
    g_atomic_int_set (&large_write_bytes, 10000);
    queue_intake_write (intake, part, 200000);
    wait_for_trouble (fixture, TRUE);
    queue_intake_commit (intake, message_envelope_copy (envelope), FALSE, expect_full_error, &failed);
    fixture_wait (&failed);
    g_atomic_int_set (&large_write_bytes, G_MAXINT);
}

/* Until the writer has done all that it was given. */
static void
wait_for_writer (Fixture *fixture)
{
    while (queue_writer_backlog (fixture->queue->writer) > 0)
        g_main_context_iteration (NULL, FALSE);
}

static void
trouble_lasts_until_there_is_room_for_what_failed (Fixture *fixture)
{
    const QueueOrigin origin = {.uid = 1, .protocol = (gchar *) "local"};
    g_autofree gchar *content = g_strnfill (30000, 'x');

    /* The zeroes that are written in advance are no trouble; this is for want of room for the message itself. */
    g_atomic_int_set (&large_write_bytes, 10000);
    g_atomic_int_set (&is_full, TRUE);
    for (guint i = 0; i < 3; i++) {
        g_autoptr (GError) error = NULL;

        g_assert_cmpuint (fixture_commit_full (fixture, &origin, "a@one.example", content, 30000, FALSE, &error), ==,
                          0);
        g_assert_error (error, QUEUE_ERROR, QUEUE_ERROR_FULL);
        wait_for_trouble (fixture, TRUE);

        /* There is room for a small one. */
        wait_for_writer (fixture);
        g_assert_cmpuint (try_commit (fixture, NULL), !=, 0);
        fixture_settle_down ();
    }
    g_assert_cmpuint (fixture->n_troubles, ==, 1);
    g_assert_nonnull (fixture->trouble);
    g_atomic_int_set (&large_write_bytes, G_MAXINT);
    g_atomic_int_set (&is_full, FALSE);
    wait_for_trouble (fixture, FALSE);
}

/* Messages that are in GDBM and not in memory. */
static void
seal_messages (Fixture *fixture, QueueId *ids, guint n)
{
    for (guint i = 0; i < n; i++)
        ids[i] = fixture_commit (fixture, 1, "a@one.example", "content");
    fixture_reopen (fixture);
    g_assert_cmpuint (fixture_count_files (fixture, ".gdbm"), ==, 1);
}

static void
a_passing_read_error_damages_no_message (Fixture *fixture)
{
    QueueId ids[40];

    seal_messages (fixture, ids, G_N_ELEMENTS (ids));
    for (guint i = 0; i < G_N_ELEMENTS (ids); i++) {
        g_autoptr (GError) error = NULL;
        g_autoptr (GString) content = NULL;

        g_atomic_int_set (&failing_gdbm_reads, 1 + (gint) i % 3);
        content = fixture_read (fixture, ids[i], &error);
        if (content == NULL)
            g_assert_error (error, QUEUE_ERROR, QUEUE_ERROR_IO);
    }
    g_atomic_int_set (&failing_gdbm_reads, 0);
    for (guint i = 0; i < G_N_ELEMENTS (ids); i++) {
        g_autoptr (GString) content = fixture_read (fixture, ids[i], NULL);
        QueueJob *job = fixture_take (fixture, "one.example");

        g_assert_nonnull (content);
        g_assert_nonnull (job);
        fixture_settle (fixture, job, QUEUE_OUTCOME_DELIVERED, "250", 0);
    }
}

static void
a_removed_journal_is_not_written_to (Fixture *fixture)
{
    g_autofree gchar *path = g_build_filename (fixture->directory, "0000000001.journal", NULL);
    g_autoptr (GError) error = NULL;

    fixture_commit (fixture, 1, "a@one.example", "x");
    g_assert_cmpint (g_unlink (path), ==, 0);
    g_assert_cmpuint (try_commit (fixture, &error), ==, 0);
    g_assert_error (error, QUEUE_ERROR, QUEUE_ERROR_IO);
    g_assert_cmpuint (try_commit (fixture, NULL), !=, 0);
}

static void
the_reserve_refuses_new_mail_and_lets_the_old_out (Fixture *fixture)
{
    QueueId id = fixture_commit (fixture, 1, "a@one.example", "x");
    g_autoptr (GError) error = NULL;
    guint refused = 0;

    fixture->limits.reserve_bytes = 1024 * 1024;
    queue_set_limits (fixture->queue, &fixture->limits);
    g_atomic_int_set (&is_full, TRUE);

    /* What is free is asked for after some writing, or some seconds. */
    for (guint i = 0; i < 3 && refused == 0; i++) {
        const QueueOrigin origin = {.uid = 1, .protocol = (gchar *) "local"};
        g_autofree gchar *content = g_strnfill (2000000, 'x');

        refused += fixture_commit_full (fixture, &origin, "b@two.example", content, 2000000, FALSE, &error) == 0;
    }
    g_assert_cmpuint (refused, ==, 1);
    g_assert_error (error, QUEUE_ERROR, QUEUE_ERROR_FULL);
    wait_for_trouble (fixture, TRUE);
    g_assert_error (fixture->trouble, QUEUE_ERROR, QUEUE_ERROR_FULL);
    fixture_settle (fixture, fixture_take (fixture, "one.example"), QUEUE_OUTCOME_DELIVERED, "250", 0);
    g_assert_null (fixture_get (fixture, id));

    g_atomic_int_set (&is_full, FALSE);
    wait_for_trouble (fixture, FALSE);
    g_assert_cmpuint (try_commit (fixture, NULL), !=, 0);
}

/* It would be tried again after some seconds, which is within the test on a slow machine. */
static void
do_not_seal_again (Fixture *fixture)
{
    if (fixture->trouble != NULL)
        fixture->queue->seal_after_usec = G_MAXINT64;
}

static void
hear_refused (QueueId id, const GError *error, gpointer user_data)
{
    *(GError **) user_data = g_error_copy (error);
}

/* Nobody said how large it would become. */
static void
a_message_that_becomes_too_large_for_the_disk_leaves_the_reserve (Fixture *fixture)
{
    const QueueOrigin origin = {.uid = 1, .protocol = (gchar *) "local"};
    g_autoptr (MessageEnvelope) envelope = message_envelope_new ("sender@example.net");
    g_autoptr (GError) error = NULL;
    QueueIntake *intake;
    guint64 written;

    message_envelope_add (envelope, "a@one.example");
    fixture->limits.reserve_bytes = 1024 * 1024;
    queue_set_limits (fixture->queue, &fixture->limits);
    intake = queue_intake_new (fixture->queue, &origin, 0, NULL, NULL, &error);
    g_assert_no_error (error);
    g_atomic_int_set (&is_full, TRUE);
    for (guint i = 0; i < 200; i++) {
        g_autofree gchar *content = g_strnfill (QUEUE_CHUNK_BYTES, 'x');

        queue_intake_write (intake, content, QUEUE_CHUNK_BYTES);
        wait_for_writer (fixture);
    }
    written = queue_writer_journal_bytes (fixture->queue->writer);
    queue_intake_commit (intake, message_envelope_copy (envelope), FALSE, hear_refused, &error);
    while (error == NULL)
        g_main_context_iteration (NULL, TRUE);
    g_assert_error (error, QUEUE_ERROR, QUEUE_ERROR_FULL);

    /* The file system is asked again after a mebibyte. */
    g_assert_cmpuint (written, <, 2 * 1024 * 1024);
    g_atomic_int_set (&is_full, FALSE);
    wait_for_trouble (fixture, FALSE);
    g_assert_cmpuint (try_commit (fixture, NULL), !=, 0);
}

static void
sealing_that_fails_is_told_and_loses_nothing (Fixture *fixture)
{
    QueueId ids[30];

    g_atomic_int_set (&sync_errno, EIO);
    fixture->limits.generation_bytes = 1000;
    queue_set_limits (fixture->queue, &fixture->limits);
    for (guint i = 0; i < G_N_ELEMENTS (ids); i++) {
        ids[i] = fixture_commit (fixture, 1, "a@one.example", "content");
        g_atomic_int_set (&failing_full_syncs, i < 3 ? 0 : 1);
        do_not_seal_again (fixture);
    }
    wait_for_trouble (fixture, TRUE);
    do_not_seal_again (fixture);

    /* Journals can still be begun, which does not end it. */
    for (guint i = 0; i < 5; i++)
        fixture_commit (fixture, 1, "a@one.example", "content");
    g_assert_cmpuint (fixture->n_troubles, ==, 1);
    g_assert_nonnull (fixture->trouble);
    g_atomic_int_set (&failing_full_syncs, 0);
    for (guint round = 0; round < 2; round++) {
        for (guint i = 0; i < G_N_ELEMENTS (ids); i++) {
            g_autoptr (GString) content = fixture_read (fixture, ids[i], NULL);

            g_assert_cmpstr (content->str, ==, "content");
        }
        fixture_reopen (fixture);
    }
}

/* ---- A disk that is really full ---- */

static void
a_full_file_system_can_be_emptied (Fixture *fixture)
{
    g_autofree gchar *content = g_strnfill (50000, 'x');
    const QueueOrigin origin = {.uid = 1, .protocol = (gchar *) "local"};
    g_autoptr (GError) error = NULL;
    guint64 n;

    fixture_close (fixture);
    if (mount ("none", fixture->directory, "tmpfs", 0, "size=4M") != 0) {
        g_test_skip ("a file system can only be mounted by root");
        fixture_open (fixture);
        return;
    }
    fixture->limits.generation_bytes = 1024 * 1024;
    fixture_open (fixture);
    while (fixture_commit_full (fixture, &origin, "a@one.example", content, 50000, FALSE, &error) != 0)
        ;
    g_assert_error (error, QUEUE_ERROR, QUEUE_ERROR_FULL);
    n = fixture_count_messages (fixture);
    g_assert_cmpuint (n, >, 10);

    /* No reserve was configured: results wait until there is room, which is when the first generations go. */
    for (guint64 i = 0; i < n; i++) {
        QueueJob *job;

        while ((job = fixture_take (fixture, "one.example")) == NULL)
            g_main_context_iteration (NULL, TRUE);
        fixture_settle (fixture, job, QUEUE_OUTCOME_DELIVERED, "250", 0);
    }
    fixture_reopen (fixture);
    g_assert_cmpuint (fixture_count_messages (fixture), ==, 0);
    g_assert_cmpuint (fixture_commit_full (fixture, &origin, "a@one.example", content, 50000, FALSE, NULL), !=, 0);
    fixture_close (fixture);
    g_assert_cmpint (umount (fixture->directory), ==, 0);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_log_set_writer_func (drop_warning, NULL, NULL);
    fixture_add ("/queue/trouble/a-failed-sync-fails-its-commits-only", a_failed_sync_fails_its_commits_only);
    fixture_add ("/queue/trouble/ends-by-itself", trouble_ends_by_itself);
    fixture_add ("/queue/trouble/a-full-disk-is-told-as-such", a_full_disk_is_told_as_such);
    fixture_add ("/queue/trouble/short-writes-are-none", short_writes_are_no_trouble);
    fixture_add ("/queue/trouble/a-result-waits-for-the-disk", a_result_waits_for_the_disk);
    fixture_add ("/queue/trouble/what-waits-keeps-its-order", what_waits_keeps_its_order);
    fixture_add ("/queue/trouble/a-notice-waits-for-the-disk", a_notice_waits_for_the_disk);
    fixture_add ("/queue/trouble/deliveries-stop-when-results-cannot-be-kept",
                 deliveries_stop_when_results_cannot_be_kept);
    fixture_add ("/queue/trouble/a-lost-chunk-fails-its-message", a_lost_chunk_fails_its_message);
    fixture_add ("/queue/trouble/a-chunk-without-room-fails-its-message-as-full",
                 a_chunk_without_room_fails_its_message_as_full);
    fixture_add ("/queue/trouble/lasts-until-there-is-room-for-what-failed",
                 trouble_lasts_until_there_is_room_for_what_failed);
    fixture_add ("/queue/trouble/a-passing-read-error-damages-no-message", a_passing_read_error_damages_no_message);
    fixture_add ("/queue/trouble/a-removed-journal-is-not-written-to", a_removed_journal_is_not_written_to);
    fixture_add ("/queue/trouble/the-reserve-refuses-new-mail-and-lets-the-old-out",
                 the_reserve_refuses_new_mail_and_lets_the_old_out);
    fixture_add ("/queue/trouble/a-message-that-becomes-too-large-for-the-disk-leaves-the-reserve",
                 a_message_that_becomes_too_large_for_the_disk_leaves_the_reserve);
    fixture_add ("/queue/trouble/sealing-that-fails-is-told-and-loses-nothing",
                 sealing_that_fails_is_told_and_loses_nothing);
    fixture_add ("/queue/trouble/a-full-file-system-can-be-emptied", a_full_file_system_can_be_emptied);

    return g_test_run ();
}
