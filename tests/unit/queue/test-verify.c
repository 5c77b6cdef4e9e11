/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Verifying a store and saving what is left of one: what is whole is told as such, what is damaged is named, nothing is
 * changed, and all that can be read is in the new store.
 */

#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "queue/journal.h"

#include "fixture.h"

#define N_MESSAGES 20

/* Messages that stay of each round under load: what grows without end takes a slow machine without end. */
#define KEPT_OF_ROUND 30

/* Bytes of files that cannot be read, while a test says so: those of the files whose paths end so. */
static const gchar *dead_suffix;
static guint64 dead_from, dead_to;

static gboolean
is_dead (int fd, guint64 offset, gsize length)
{
    g_autofree gchar *link = g_strdup_printf ("/proc/self/fd/%d", fd);
    gchar path[1024] = "";

    return dead_suffix != NULL && offset < dead_to && offset + length > dead_from &&
           readlink (link, path, sizeof path - 1) > 0 && g_str_has_suffix (path, dead_suffix);
}

ssize_t
pread (int fd, void *data, size_t length, off_t offset)
{
    if (is_dead (fd, (guint64) offset, length)) {
        errno = EIO;
        return -1;
    }

    return syscall (SYS_pread64, fd, data, length, offset);
}

static GLogWriterOutput
drop_warning (GLogLevelFlags level, const GLogField *fields, gsize n_fields, gpointer user_data)
{
    return (level & G_LOG_LEVEL_MASK) == G_LOG_LEVEL_WARNING ? G_LOG_WRITER_HANDLED
                                                             : g_log_writer_default (level, fields, n_fields, NULL);
}

static gchar *
content_of (guint number)
{
    g_autofree gchar *filler = g_strnfill (3000, (gchar) ('a' + number % 26));

    return g_strdup_printf ("Subject: %u\r\n\r\n%s\r\n", number, filler);
}

static QueueId
commit_number (Fixture *fixture, guint number)
{
    g_autofree gchar *content = content_of (number);

    return fixture_commit (fixture, 1, "a@one.example", content);
}

/* Some sealed, some in a journal; the second is gone, the third is held. */
static void
fill (Fixture *fixture, QueueId *ids)
{
    for (guint i = 0; i < N_MESSAGES / 2; i++)
        ids[i] = commit_number (fixture, i);
    fixture_act_on (fixture, QUEUE_ACTION_HOLD, ids[2]);
    fixture_reopen (fixture);
    fixture_wait_for_files (fixture, ".gdbm", 1, N_MESSAGES);
    fixture_wait_for_files (fixture, ".journal", 1, 1);
    for (guint i = N_MESSAGES / 2; i < N_MESSAGES; i++)
        ids[i] = commit_number (fixture, i);
    fixture_act_on (fixture, QUEUE_ACTION_DELETE, ids[1]);
}

static void
change_file (const gchar *path, gsize offset, gsize length)
{
    g_autofree gchar *content = NULL;
    gsize size;

    g_assert_true (g_file_get_contents (path, &content, &size, NULL));
    g_assert_cmpuint (offset + length, <=, size);
    memset (content + offset, 0, length);
    g_assert_true (g_file_set_contents_full (path, content, (gssize) size, G_FILE_SET_CONTENTS_NONE, 0600, NULL));
}

/* Where the content of a message lies in the file; -1 if it does not. */
static gssize
find_in (const gchar *path, guint number)
{
    g_autofree gchar *content = content_of (number), *file = NULL;
    const gchar *at;
    gsize size;

    g_assert_true (g_file_get_contents (path, &file, &size, NULL));
    at = memmem (file, size, content, strlen (content));

    return at == NULL ? -1 : at - file;
}

static gsize
place_of (const gchar *path, guint number)
{
    gssize at = find_in (path, number);

    g_assert_cmpint (at, >=, 0);

    return (gsize) at;
}

/* The file of that kind in which the message is. */
static gchar *
file_with (const gchar *directory, const gchar *suffix, guint number)
{
    g_autoptr (GDir) dir = g_dir_open (directory, 0, NULL);
    const gchar *name;

    while ((name = g_dir_read_name (dir)) != NULL) {
        g_autofree gchar *path = g_build_filename (directory, name, NULL);

        if (g_str_has_suffix (name, suffix) && find_in (path, number) >= 0)
            return g_steal_pointer (&path);
    }
    g_assert_not_reached ();
}

/* ---- Live ---- */

typedef struct {
    gboolean done;
    guint64 messages, damaged, findings;
    guint files;
    QueueId id;
    gchar *file;
    GError *error;
} Report;

static void
hear (const QueueVerified *verified, const GError *error, gpointer user_data)
{
    Report *report = user_data;

    report->done = TRUE;
    if (error != NULL) {
        report->error = g_error_copy (error);
        return;
    }
    report->messages = verified->messages;
    report->damaged = verified->damaged;
    report->findings = verified->n_findings;
    report->files = verified->journals + verified->sealed;
    for (guint i = 0; i < verified->findings->len; i++) {
        const QueueFinding *finding = g_ptr_array_index (verified->findings, i);

        if (finding->id == 0)
            continue;
        report->id = finding->id;
        g_free (report->file);
        report->file = g_strdup (finding->file);
    }
}

static void
a_whole_store_has_no_findings (Fixture *fixture)
{
    QueueId ids[N_MESSAGES];
    Report report = {0};

    fill (fixture, ids);
    queue_verify (fixture->queue, hear, &report);
    fixture_wait (&report.done);
    g_assert_no_error (report.error);
    g_assert_cmpuint (report.messages, ==, N_MESSAGES - 1);
    g_assert_cmpuint (report.damaged, ==, 0);
    g_assert_cmpuint (report.findings, ==, 0);
    g_assert_cmpuint (report.files, ==, 2);
}

static void
damage_is_named_by_message_and_file (Fixture *fixture)
{
    QueueId ids[N_MESSAGES];

    fill (fixture, ids);
    for (guint i = 0; i < 2; i++) {
        guint number = i == 0 ? 3 : N_MESSAGES - 2;
        g_autofree gchar *path = file_with (fixture->directory, i == 0 ? ".gdbm" : ".journal", number);
        Report report = {0};

        change_file (path, place_of (path, number) + 100, 1);
        queue_verify (fixture->queue, hear, &report);
        fixture_wait (&report.done);
        g_assert_no_error (report.error);
        g_assert_cmpuint (report.messages, ==, N_MESSAGES - 1);
        g_assert_cmpuint (report.damaged, ==, i + 1);
        g_assert_cmpuint (report.id, ==, ids[number]);
        g_assert_cmpstr (report.file, ==, path);
        g_free (report.file);
    }
}

static void
only_one_at_a_time (Fixture *fixture)
{
    QueueId ids[N_MESSAGES];
    Report first = {0}, second = {0};

    fill (fixture, ids);
    queue_verify (fixture->queue, hear, &first);
    queue_verify (fixture->queue, hear, &second);
    g_assert_true (second.done);
    g_assert_error (second.error, QUEUE_ERROR, QUEUE_ERROR_BUSY);
    fixture_wait (&first.done);
    g_assert_no_error (first.error);
    g_clear_error (&second.error);
    second.done = FALSE;
    queue_verify (fixture->queue, hear, &second);
    fixture_wait (&second.done);
    g_assert_no_error (second.error);
}

static void
closing_does_not_wait_for_it (Fixture *fixture)
{
    QueueId ids[N_MESSAGES];
    Report report = {0};

    fill (fixture, ids);
    queue_verify (fixture->queue, hear, &report);
    fixture_reopen (fixture);
    g_assert_true (report.done);
    g_clear_error (&report.error);
}

static void
mail_may_come_and_go_and_be_sealed_meanwhile (Fixture *fixture)
{
    QueueId ids[N_MESSAGES];
    guint rounds = g_test_thorough () ? 50 : 6;

    fixture->limits.generation_bytes = 20000;
    queue_set_limits (fixture->queue, &fixture->limits);
    fill (fixture, ids);
    for (guint round = 0; round < rounds; round++) {
        Report report = {0};

        queue_verify (fixture->queue, hear, &report);
        for (guint i = 0; !report.done || i < 5; i++) {
            QueueId id = commit_number (fixture, 100 + i);

            if (i % 3 > 0 || i >= KEPT_OF_ROUND)
                fixture_act_on (fixture, QUEUE_ACTION_DELETE, id);
        }
        g_assert_no_error (report.error);
        g_assert_cmpuint (report.findings, ==, 0);
    }
}

static void
many_generations_need_few_files (Fixture *fixture)
{
    struct rlimit limit, tight;
    Report report = {0};
    gint next;

    fixture->limits.generation_bytes = 20000;
    queue_set_limits (fixture->queue, &fixture->limits);
    /* The sealer joins small ones as it finds them. */
    for (guint i = 0; fixture_count_files (fixture, ".gdbm") < 30; i++) {
        commit_number (fixture, i);
        if (i % 8 < 7)
            continue;
        fixture_reopen (fixture);
        fixture_wait_for_files (fixture, ".journal", 1, 1);
    }

    getrlimit (RLIMIT_NOFILE, &limit);
    next = dup (STDOUT_FILENO);
    close (next);
    tight = limit;
    tight.rlim_cur = (rlim_t) next + 20;
    setrlimit (RLIMIT_NOFILE, &tight);
    queue_verify (fixture->queue, hear, &report);
    fixture_wait (&report.done);
    setrlimit (RLIMIT_NOFILE, &limit);
    g_assert_no_error (report.error);
    g_assert_cmpuint (report.files, >, 25);
    g_assert_cmpuint (report.findings, ==, 0);
}

/* ---- Offline ---- */

static gchar *
checksum_of_directory (const gchar *directory)
{
    g_autoptr (GChecksum) checksum = g_checksum_new (G_CHECKSUM_SHA256);
    g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
    g_autoptr (GDir) dir = g_dir_open (directory, 0, NULL);
    const gchar *name;

    while ((name = g_dir_read_name (dir)) != NULL) {
        if (!g_str_equal (name, "lock"))
            g_ptr_array_add (names, g_strdup (name));
    }
    g_ptr_array_sort (names, fixture_compare_strings);
    for (guint i = 0; i < names->len; i++) {
        g_autofree gchar *path = g_build_filename (directory, g_ptr_array_index (names, i), NULL), *content = NULL;
        gsize length;

        g_assert_true (g_file_get_contents (path, &content, &length, NULL));
        g_checksum_update (checksum, g_ptr_array_index (names, i), -1);
        g_checksum_update (checksum, (const guchar *) content, (gssize) length);
    }

    return g_strdup (g_checksum_get_string (checksum));
}

static void
a_store_without_a_daemon_is_not_changed (Fixture *fixture)
{
    QueueId ids[N_MESSAGES];
    g_autofree gchar *copy = NULL, *making = NULL, *journal = NULL, *before = NULL, *after = NULL;
    g_autoptr (QueueVerified) verified = NULL;
    g_autoptr (GError) error = NULL;

    /* As a crash leaves it: what was being sealed, and a record that was not written whole. */
    fill (fixture, ids);
    copy = fixture_copy_directory (fixture->directory);
    making = g_build_filename (copy, "0000000009.gdbm.tmp", NULL);
    g_assert_true (g_file_set_contents (making, "x", -1, NULL));
    journal = file_with (copy, ".journal", N_MESSAGES - 1);
    change_file (journal, place_of (journal, N_MESSAGES - 1) + 100, 1);
    before = checksum_of_directory (copy);
    verified = queue_verify_directory (copy, &error);
    g_assert_no_error (error);
    g_assert_cmpuint (verified->messages, >=, N_MESSAGES - 2);
    after = checksum_of_directory (copy);
    g_assert_cmpstr (after, ==, before);
    fixture_remove_directory (copy);
}

static void
one_that_is_open_is_left_alone (Fixture *fixture)
{
    g_autoptr (GError) error = NULL;

    g_assert_null (queue_verify_directory (fixture->directory, &error));
    g_assert_error (error, QUEUE_ERROR, QUEUE_ERROR_BUSY);
    g_clear_error (&error);
    g_assert_null (queue_rescue (fixture->directory, "/nonexistent/new", NULL, NULL, &error));
    g_assert_error (error, QUEUE_ERROR, QUEUE_ERROR_BUSY);
}

/* ---- Rescue ---- */

static void
count_line (const gchar *line, gpointer user_data)
{
    (*(guint *) user_data)++;
}

static QueueVerified *
rescue (const gchar *from, gchar **to, GError **error)
{
    guint lines = 0;
    QueueVerified *verified;

    *to = g_strconcat (from, "-new", NULL);
    verified = queue_rescue (from, *to, count_line, &lines, error);
    if (verified != NULL)
        g_assert_cmpuint (lines, >, 0);

    return verified;
}

/* Opens what was rescued in the place of the fixture's queue. */
static void
move_in (Fixture *fixture, const gchar *directory)
{
    fixture_close (fixture);
    fixture_remove_directory (fixture->directory);
    g_assert_cmpint (g_rename (directory, fixture->directory), ==, 0);
    fixture_open (fixture);
}

/* All that is not in @lost is there, as it was. */
static void
check_all (Fixture *fixture, const QueueId *ids, guint lost)
{
    g_autoptr (QueueMessage) held = fixture_get (fixture, ids[2]);

    for (guint i = 0; i < N_MESSAGES; i++) {
        g_autofree gchar *expected = content_of (i);
        g_autoptr (GString) content = i == 1 || i == lost ? NULL : fixture_read (fixture, ids[i], NULL);

        if (i != 1 && i != lost)
            g_assert_cmpstr (content->str, ==, expected);
    }
    g_assert_null (fixture_get (fixture, ids[1]));
    g_assert_cmpint (held->state, ==, QUEUE_STATE_HELD);
}

static void
all_mail_of_a_good_store_is_in_the_new_one (Fixture *fixture)
{
    QueueId ids[N_MESSAGES], next;
    g_autofree gchar *copy = NULL, *new = NULL;
    g_autoptr (QueueVerified) verified = NULL;
    g_autoptr (GError) error = NULL;

    fill (fixture, ids);
    copy = fixture_copy_directory (fixture->directory);
    verified = rescue (copy, &new, &error);
    g_assert_no_error (error);
    g_assert_cmpuint (verified->messages, ==, N_MESSAGES - 1);
    g_assert_cmpuint (verified->n_findings, ==, 0);
    move_in (fixture, new);
    check_all (fixture, ids, N_MESSAGES);

    /* It is a queue like any other. */
    next = commit_number (fixture, 50);
    g_assert_cmpuint (next, >, ids[N_MESSAGES - 1]);
    fixture_reopen (fixture);
    check_all (fixture, ids, N_MESSAGES);
    fixture_remove_directory (copy);
}

static void
a_damaged_store_loses_what_was_hit (Fixture *fixture)
{
    QueueId ids[N_MESSAGES];
    g_autofree gchar *copy = NULL, *new = NULL, *sealed = NULL, *journal = NULL;
    g_autoptr (QueueVerified) verified = NULL;
    g_autoptr (GError) error = NULL;
    const QueueFinding *finding;

    fill (fixture, ids);
    copy = fixture_copy_directory (fixture->directory);
    sealed = file_with (copy, ".gdbm", 5);
    journal = file_with (copy, ".journal", N_MESSAGES - 1);
    change_file (sealed, place_of (sealed, 5) + 1000, 10);
    change_file (sealed, 0, 4096);
    change_file (journal, 0, 4096);
    verified = rescue (copy, &new, &error);
    g_assert_no_error (error);
    g_assert_cmpuint (verified->messages, ==, N_MESSAGES - 1);
    g_assert_cmpuint (verified->damaged, ==, 1);
    g_assert_cmpuint (verified->findings->len, ==, 1);
    finding = g_ptr_array_index (verified->findings, 0);
    g_assert_cmpuint (finding->id, ==, ids[5]);
    move_in (fixture, new);
    check_all (fixture, ids, 5);
    fixture_remove_directory (copy);
}

static void
what_the_disk_does_not_give_is_passed_over (Fixture *fixture)
{
    QueueId ids[N_MESSAGES];

    fill (fixture, ids);
    for (guint round = 0; round < 2; round++) {
        const gchar *suffix = round == 0 ? ".gdbm" : ".journal";
        guint number = round == 0 ? 6 : N_MESSAGES - 4;
        g_autofree gchar *copy = fixture_copy_directory (fixture->directory), *new = NULL;
        g_autofree gchar *path = file_with (copy, suffix, number);
        g_autoptr (QueueVerified) verified = NULL, none = NULL;
        g_autoptr (GError) error = NULL;
        guint64 lost;

        dead_from = (place_of (path, number) + 1500) / 4096 * 4096;
        dead_to = dead_from + 1;
        dead_suffix = path;
        verified = rescue (copy, &new, &error);
        dead_suffix = NULL;
        g_assert_no_error (error);
        lost = N_MESSAGES - 1 - verified->messages + verified->damaged;
        g_assert_cmpuint (lost, >, 0);

        /* Messages of 3 KB in a block of 4 KB. */
        g_assert_cmpuint (lost, <=, 3);
        fixture_remove_directory (copy);
        fixture_remove_directory (new);
    }
}

static void
nothing_is_written_over (Fixture *fixture)
{
    QueueId ids[N_MESSAGES];
    g_autofree gchar *copy = NULL, *new = NULL, *file = NULL;
    g_autoptr (GError) error = NULL;

    fill (fixture, ids);
    copy = fixture_copy_directory (fixture->directory);
    new = g_strconcat (copy, "-new", NULL);
    g_assert_cmpint (g_mkdir (new, 0700), ==, 0);
    file = g_build_filename (new, "precious", NULL);
    g_assert_true (g_file_set_contents (file, "x", -1, NULL));
    g_assert_null (queue_rescue (copy, new, NULL, NULL, &error));
    g_assert_error (error, QUEUE_ERROR, QUEUE_ERROR_IO);
    g_assert_nonnull (strstr (error->message, "not empty"));
    fixture_remove_directory (copy);
    fixture_remove_directory (new);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_log_set_writer_func (drop_warning, NULL, NULL);
    fixture_add ("/queue/verify/a-whole-store-has-no-findings", a_whole_store_has_no_findings);
    fixture_add ("/queue/verify/damage-is-named-by-message-and-file", damage_is_named_by_message_and_file);
    fixture_add ("/queue/verify/only-one-at-a-time", only_one_at_a_time);
    fixture_add ("/queue/verify/closing-does-not-wait-for-it", closing_does_not_wait_for_it);
    fixture_add ("/queue/verify/mail-may-come-and-go-and-be-sealed-meanwhile",
                 mail_may_come_and_go_and_be_sealed_meanwhile);
    fixture_add ("/queue/verify/many-generations-need-few-files", many_generations_need_few_files);
    fixture_add ("/queue/verify/a-store-without-a-daemon-is-not-changed", a_store_without_a_daemon_is_not_changed);
    fixture_add ("/queue/verify/one-that-is-open-is-left-alone", one_that_is_open_is_left_alone);
    fixture_add ("/queue/rescue/all-mail-of-a-good-store-is-in-the-new-one",
                 all_mail_of_a_good_store_is_in_the_new_one);
    fixture_add ("/queue/rescue/a-damaged-store-loses-what-was-hit", a_damaged_store_loses_what_was_hit);
    fixture_add ("/queue/rescue/what-the-disk-does-not-give-is-passed-over",
                 what_the_disk_does_not_give_is_passed_over);
    fixture_add ("/queue/rescue/nothing-is-written-over", nothing_is_written_over);

    return g_test_run ();
}
