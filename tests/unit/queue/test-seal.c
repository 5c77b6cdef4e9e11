/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Sealing, merging and dropping: mail moves through all of it unchanged, what is gone stays gone, the disk is given back,
 * and a crash between any two steps changes nothing. The states that a crash leaves are made by hand from those before
 * and after.
 */

#include <stdlib.h>
#include <string.h>

#include <gdbm.h>

#include <glib/gstdio.h>

#include "queue/bytes.h"
#include "queue/journal.h"
#include "queue/sealed.h"

#include "fixture.h"

#define SMALL_GENERATION (16 * 1024)
#define FOREVER          (G_MAXINT64 / 2)

static QueueId
commit_number (Fixture *fixture, guint number)
{
    g_autofree gchar *content = fixture_content (number);

    return fixture_commit (fixture, 1, "a@one.example", content);
}

/* The file with that name in the fixture's directory. */
static gchar *
path_of (Fixture *fixture, const gchar *name)
{
    return g_build_filename (fixture->directory, name, NULL);
}

static void
copy_file (const gchar *from_directory, const gchar *to_directory, const gchar *name)
{
    g_autofree gchar *from = g_build_filename (from_directory, name, NULL);
    g_autofree gchar *to = g_build_filename (to_directory, name, NULL);
    g_autofree gchar *content = NULL;
    gsize length;

    g_assert_true (g_file_get_contents (from, &content, &length, NULL));
    g_assert_true (g_file_set_contents_full (to, content, (gssize) length, G_FILE_SET_CONTENTS_NONE, 0600, NULL));
}

/* Those that name a message or a file. */
static GString *warnings;

/* ---- Sealing ---- */

static void
a_full_journal_is_sealed (Fixture *fixture)
{
    QueueId ids[40];

    fixture_use_generations_of (fixture, SMALL_GENERATION);
    for (guint i = 0; i < G_N_ELEMENTS (ids); i++)
        ids[i] = commit_number (fixture, i);
    fixture_wait_for_files (fixture, ".gdbm", 1, 100);
    fixture_wait_for_files (fixture, ".journal", 1, 1);
    for (guint round = 0; round < 2; round++) {
        for (guint i = 0; i < G_N_ELEMENTS (ids); i++)
            fixture_check_content (fixture, ids[i], i);
        fixture_reopen (fixture);
    }
    g_assert_cmpuint (fixture_count_messages (fixture), ==, G_N_ELEMENTS (ids));
}

static void
mail_that_left_is_never_sealed (Fixture *fixture)
{
    for (guint round = 0; round < 3; round++) {
        for (guint i = 0; i < 20; i++)
            commit_number (fixture, i);
        for (guint i = 0; i < 20; i++)
            fixture_settle (fixture, fixture_take (fixture, "one.example"), QUEUE_OUTCOME_DELIVERED, "250", 0);
        fixture_reopen (fixture);
        g_assert_cmpuint (fixture_count_files (fixture, ".gdbm"), ==, 0);
    }
}

static void
an_empty_queue_is_small (Fixture *fixture)
{
    g_autoptr (GDir) dir = NULL;
    const gchar *name;
    guint64 bytes = 0;

    for (guint i = 0; i < 50; i++)
        commit_number (fixture, i);
    while (fixture_count_messages (fixture) > 0)
        fixture_settle (fixture, fixture_take (fixture, "one.example"), QUEUE_OUTCOME_DELIVERED, "250", 0);
    fixture_close (fixture);
    dir = g_dir_open (fixture->directory, 0, NULL);
    while ((name = g_dir_read_name (dir)) != NULL) {
        g_autofree gchar *path = path_of (fixture, name);
        GStatBuf status;

        g_assert_cmpint (g_stat (path, &status), ==, 0);
        bytes += (guint64) status.st_size;
    }
    g_assert_cmpuint (bytes, <, 16 * 1024);
}

static void
what_changes_after_sealing_stays_changed (Fixture *fixture)
{
    QueueId kept = commit_number (fixture, 1), gone = commit_number (fixture, 2), held = commit_number (fixture, 3);
    g_autoptr (QueueMessage) message = NULL;

    fixture_reopen (fixture);
    g_assert_cmpuint (fixture_count_files (fixture, ".gdbm"), ==, 1);
    fixture_settle (fixture, fixture_take (fixture, "one.example"), QUEUE_OUTCOME_DEFERRED, "450 first", FOREVER);
    fixture_act_on (fixture, QUEUE_ACTION_DELETE, gone);
    fixture_act_on (fixture, QUEUE_ACTION_HOLD, held);

    /* Each time the changes move on: from the journal into a sealed generation, and into the next. */
    for (guint round = 0; round < 4; round++) {
        fixture_reopen (fixture);
        g_assert_cmpuint (fixture_count_messages (fixture), ==, 2 + round);
        g_clear_pointer (&message, queue_message_unref);
        message = fixture_get (fixture, kept);
        g_assert_cmpint (message->next_usec, ==, FOREVER);
        g_assert_cmpstr (queue_message_recipient (message, 0)->reply, ==, "450 first");
        g_clear_pointer (&message, queue_message_unref);
        message = fixture_get (fixture, held);
        g_assert_cmpint (message->state, ==, QUEUE_STATE_HELD);
        fixture_check_content (fixture, kept, 1);
        fixture_check_content (fixture, held, 3);
        commit_number (fixture, 100);
    }
}

static void
many_generations_are_merged (Fixture *fixture)
{
    QueueId ids[200];

    /* A generation of 4 KiB is merged up to 64 KiB: 200 KB are four of those, and some smaller. How soon is the disk's affair. */
    fixture_use_generations_of (fixture, 4096);
    for (guint i = 0; i < G_N_ELEMENTS (ids); i++) {
        ids[i] = commit_number (fixture, i);
        if (i % 10 == 9) {
            fixture_wait_for_files (fixture, ".journal", 1, 1);
            fixture_wait_for_files (fixture, ".gdbm", 0, 10);
        }
    }

    fixture_reopen (fixture);
    for (guint i = 0; i < G_N_ELEMENTS (ids); i++)
        fixture_check_content (fixture, ids[i], i);
}

static void
the_disk_is_given_back (Fixture *fixture)
{
    QueueId ids[400];
    QueueStatistics statistics;
    guint64 before;
    g_autoptr (GArray) most = g_array_new (FALSE, FALSE, sizeof (QueueId));
    QueueFilter filter = QUEUE_FILTER_ALL;
    g_autofree gchar *content = g_strnfill (16000, 'x');

    fixture_use_generations_of (fixture, 64 * 1024);
    for (guint i = 0; i < G_N_ELEMENTS (ids); i++)
        ids[i] = fixture_commit (fixture, 1, "a@one.example", content);
    fixture_wait_for_files (fixture, ".journal", 1, 1);
    queue_statistics (fixture->queue, &statistics);
    before = statistics.disk_bytes;
    g_assert_cmpuint (before, >, 6 * 1024 * 1024);

    for (guint i = 0; i < G_N_ELEMENTS (ids); i++) {
        if (i % 10 != 0)
            g_array_append_val (most, ids[i]);
    }
    filter.ids = (QueueId *) (gpointer) most->data;
    filter.n_ids = most->len;
    g_assert_cmpuint (fixture_act (fixture, QUEUE_ACTION_DELETE, &filter), ==, most->len);
    for (guint i = 0; i < 10; i++)
        commit_number (fixture, i);
    fixture_use_generations_of (fixture, 4 * 1024);
    commit_number (fixture, 0);
    do {
        g_main_context_iteration (NULL, TRUE);
        queue_statistics (fixture->queue, &statistics);
    } while (statistics.disk_bytes > before / 2 || fixture_count_files (fixture, ".journal") > 1);

    /* A tenth lives: 640 KB; at most twice that and a bit is kept, with what GDBM needs for itself. */
    g_assert_cmpuint (statistics.disk_bytes, <, 4 * 1024 * 1024);
    fixture_reopen (fixture);
    g_assert_cmpuint (fixture_count_messages (fixture), ==, 40 + 11);
}

static void
a_message_may_arrive_across_generations (Fixture *fixture)
{
    const QueueOrigin origin = {.uid = 1, .protocol = (gchar *) "ESMTP"};
    g_autoptr (MessageEnvelope) envelope = message_envelope_new ("sender@example.net");
    g_autoptr (GString) expected = g_string_new (NULL), content = NULL;
    QueueIntake *intake;
    QueueId id;

    message_envelope_add (envelope, "a@large.example");
    fixture_use_generations_of (fixture, SMALL_GENERATION);
    intake = queue_intake_new (fixture->queue, &origin, 0, NULL, NULL, NULL);
    id = queue_intake_id (intake);
    for (guint i = 0; i < 10; i++) {
        g_autofree gchar *part = g_strnfill (100000, (gchar) ('a' + i));

        g_string_append (expected, part);
        queue_intake_write (intake, part, 100000);
        for (guint j = 0; j < 20; j++)
            commit_number (fixture, j);
        fixture_wait_for_files (fixture, ".gdbm", 1, 100);
    }
    queue_intake_commit (intake, message_envelope_copy (envelope), FALSE, NULL, NULL);
    commit_number (fixture, 0);
    for (guint round = 0; round < 3; round++) {
        content = fixture_read (fixture, id, NULL);
        g_assert_nonnull (content);
        g_assert_cmpmem (content->str, (gint) content->len, expected->str, (gint) expected->len);
        g_string_free (g_steal_pointer (&content), TRUE);
        fixture_reopen (fixture);
    }
}

static void
an_aborted_message_across_generations_leaves_nothing (Fixture *fixture)
{
    const QueueOrigin origin = {.uid = 1, .protocol = (gchar *) "ESMTP"};
    g_autofree gchar *part = g_strnfill (100000, 'x');
    QueueIntake *intake;

    fixture_use_generations_of (fixture, SMALL_GENERATION);
    intake = queue_intake_new (fixture->queue, &origin, 0, NULL, NULL, NULL);
    queue_intake_write (intake, part, 100000);
    for (guint j = 0; j < 20; j++)
        commit_number (fixture, j);
    fixture_wait_for_files (fixture, ".gdbm", 1, 100);
    queue_intake_abort (intake);
    fixture_act (fixture, QUEUE_ACTION_DELETE, &QUEUE_FILTER_ALL);
    fixture_reopen (fixture);
    g_assert_cmpuint (fixture_count_messages (fixture), ==, 0);
    fixture_close (fixture);
    fixture_open (fixture);
    fixture_wait_for_files (fixture, ".gdbm", 0, 0);
}

/* ---- Crashes between the steps ---- */

/* Makes the directory as it was before sealing (@before, with journals only), leaves the fixture's as it is afterwards,
 * closed. Messages: @ids. The second was removed after the sealing. */
static gchar *
before_and_after (Fixture *fixture, QueueId ids[3])
{
    gchar *before;

    for (guint i = 0; i < 3; i++)
        ids[i] = commit_number (fixture, i);
    before = fixture_copy_directory (fixture->directory);
    fixture_reopen (fixture);
    fixture_act_on (fixture, QUEUE_ACTION_DELETE, ids[1]);
    fixture_close (fixture);

    return before;
}

static void
check_after (Fixture *fixture, const QueueId ids[3])
{
    fixture_open (fixture);
    g_assert_cmpuint (fixture_count_messages (fixture), ==, 2);
    fixture_check_content (fixture, ids[0], 0);
    fixture_check_content (fixture, ids[2], 2);
    g_assert_null (fixture_get (fixture, ids[1]));
}

static void
what_was_being_sealed_is_begun_anew (Fixture *fixture)
{
    QueueId ids[3];
    g_autofree gchar *before = before_and_after (fixture, ids);
    g_autofree gchar *half = path_of (fixture, "0000000099.gdbm.tmp");

    g_assert_true (g_file_set_contents (half, "half a file", -1, NULL));
    check_after (fixture, ids);
    g_assert_false (g_file_test (half, G_FILE_TEST_EXISTS));
    fixture_remove_directory (before);
}

static void
sources_that_were_not_removed_yet_say_nothing (Fixture *fixture)
{
    QueueId ids[3];
    g_autofree gchar *before = before_and_after (fixture, ids);

    /* The journal that was sealed is there again, and with it the message that was removed since. */
    copy_file (before, fixture->directory, "0000000001.journal");
    check_after (fixture, ids);
    fixture_reopen (fixture);
    g_assert_cmpuint (fixture_count_messages (fixture), ==, 2);
    fixture_remove_directory (before);
}

static void
a_generation_that_is_not_whole_does_not_hide_its_journal (Fixture *fixture)
{
    QueueId ids[3];
    g_autofree gchar *sealed = NULL, *before = NULL;

    for (guint i = 0; i < 3; i++)
        ids[i] = commit_number (fixture, i);
    before = fixture_copy_directory (fixture->directory);
    fixture_close (fixture);
    fixture_remove_directory (fixture->directory);
    g_free (fixture->directory);
    fixture->directory = g_steal_pointer (&before);
    sealed = path_of (fixture, "0000000001.gdbm");
    g_assert_true (g_file_set_contents (sealed, "not a database", -1, NULL));
    g_string_set_size (warnings, 0);
    fixture_open (fixture);
    g_assert_cmpuint (fixture_count_messages (fixture), ==, 3);
    for (guint i = 0; i < 3; i++)
        fixture_check_content (fixture, ids[i], i);
    g_assert_nonnull (strstr (warnings->str, sealed));
}

static void
a_journal_that_was_being_begun_says_nothing (Fixture *fixture)
{
    QueueId id = commit_number (fixture, 1);
    g_autofree gchar *empty = path_of (fixture, "0000000007.journal"),
                     *zeroes = path_of (fixture, "0000000008.journal");
    g_autofree gchar *nothing = g_malloc0 (QUEUE_JOURNAL_START_BYTES);

    fixture_close (fixture);
    g_assert_true (g_file_set_contents (empty, "", 0, NULL));
    g_assert_true (g_file_set_contents (zeroes, nothing, QUEUE_JOURNAL_START_BYTES, NULL));
    g_string_set_size (warnings, 0);
    fixture_open (fixture);
    fixture_check_content (fixture, id, 1);
    g_assert_cmpstr (warnings->str, ==, "");
}

/* ---- Other versions ---- */

/* Makes the file what version 1 of its format was: values without magic, length and seed. */
static void
make_version_1 (const gchar *path)
{
    g_autofree gchar *new_path = g_strconcat (path, ".old", NULL);
    GDBM_FILE from = gdbm_open (path, 0, GDBM_READER, 0600, NULL);
    GDBM_FILE to = gdbm_open (new_path, 0, GDBM_NEWDB, 0600, NULL);
    datum key = gdbm_firstkey (from);

    while (key.dptr != NULL) {
        datum value = gdbm_fetch (from, key), next;
        g_autofree gchar *payload = g_memdup2 (value.dptr + 24, (gsize) value.dsize - 24);
        gsize length = (gsize) value.dsize - 24;
        guint64 checksum;

        if (length >= 12 && memcmp (payload, "PosternG", 8) == 0)
            payload[8] = 1;
        checksum = GUINT64_TO_LE (queue_bytes_checksum (payload, length, queue_bytes_checksum (key.dptr, 16, 0)));
        memcpy (value.dptr, &checksum, 8);
        memcpy (value.dptr + 8, payload, length);
        value.dsize -= 16;
        g_assert_cmpint (gdbm_store (to, key, value, GDBM_INSERT), ==, 0);
        next = gdbm_nextkey (from, key);
        free (value.dptr);
        free (key.dptr);
        key = next;
    }
    gdbm_close (from);
    gdbm_close (to);
    g_assert_cmpint (g_rename (new_path, path), ==, 0);
}

static void
an_older_store_is_read (Fixture *fixture)
{
    QueueId ids[5];
    g_autofree gchar *path = NULL;

    for (guint i = 0; i < G_N_ELEMENTS (ids); i++)
        ids[i] = commit_number (fixture, i);
    fixture_close (fixture);
    path = fixture_newest_file (fixture, ".gdbm");
    make_version_1 (path);
    g_string_set_size (warnings, 0);
    fixture_open (fixture);
    for (guint i = 0; i < G_N_ELEMENTS (ids); i++)
        fixture_check_content (fixture, ids[i], i);
    g_assert_cmpstr (warnings->str, ==, "");

    /* What it is sealed into is of the newest version; all of it reads the same. */
    commit_number (fixture, 7);
    fixture_reopen (fixture);
    for (guint i = 0; i < G_N_ELEMENTS (ids); i++)
        fixture_check_content (fixture, ids[i], i);
    g_assert_cmpuint (fixture_count_messages (fixture), ==, G_N_ELEMENTS (ids) + 1);
}

static void
a_newer_store_is_refused_in_words (Fixture *fixture)
{
    g_autofree gchar *path = path_of (fixture, "0000000050.gdbm");
    g_autoptr (GError) error = NULL;
    g_autoptr (GByteArray) bytes = g_byte_array_new ();
    g_autoptr (GBytes) payload = NULL;
    QueueSealed *sealed;

    fixture_close (fixture);
    g_byte_array_append (bytes, (const guint8 *) "PosternG", 8);
    queue_bytes_put_u32 (bytes, 3);
    payload = g_bytes_new (bytes->data, bytes->len);
    sealed = queue_sealed_create (path, &error);
    g_assert_true (queue_sealed_store (sealed, QUEUE_PART_META, 0, 0, payload, &error));
    queue_sealed_free (sealed);
    fixture->queue = queue_open (fixture->directory, &fixture->limits, &error);
    g_assert_null (fixture->queue);
    g_assert_error (error, QUEUE_ERROR, QUEUE_ERROR_VERSION);
    g_assert_nonnull (strstr (error->message, path));
    g_assert_nonnull (strstr (error->message, "newer version"));
    g_unlink (path);
    fixture_open (fixture);
}

static void
ids_never_repeat (Fixture *fixture)
{
    QueueId last = 0;

    for (guint i = 0; i < 5; i++) {
        QueueId id = commit_number (fixture, i);

        g_assert_cmpuint (id, >, last);
        last = id;
        fixture_act_on (fixture, QUEUE_ACTION_DELETE, id);
        fixture_reopen (fixture);
    }
}

int
main (int argc, char **argv)
{
    int result;

    g_test_init (&argc, &argv, NULL);
    warnings = fixture_gather_warnings ();
    fixture_add ("/queue/seal/a-full-journal-is-sealed", a_full_journal_is_sealed);
    fixture_add ("/queue/seal/mail-that-left-is-never-sealed", mail_that_left_is_never_sealed);
    fixture_add ("/queue/seal/an-empty-queue-is-small", an_empty_queue_is_small);
    fixture_add ("/queue/seal/what-changes-afterwards-stays-changed", what_changes_after_sealing_stays_changed);
    fixture_add ("/queue/seal/many-generations-are-merged", many_generations_are_merged);
    fixture_add ("/queue/seal/the-disk-is-given-back", the_disk_is_given_back);
    fixture_add ("/queue/seal/a-message-may-arrive-across-generations", a_message_may_arrive_across_generations);
    fixture_add ("/queue/seal/an-aborted-message-across-generations-leaves-nothing",
                 an_aborted_message_across_generations_leaves_nothing);
    fixture_add ("/queue/seal/what-was-being-sealed-is-begun-anew", what_was_being_sealed_is_begun_anew);
    fixture_add ("/queue/seal/sources-that-were-not-removed-yet-say-nothing",
                 sources_that_were_not_removed_yet_say_nothing);
    fixture_add ("/queue/seal/a-generation-that-is-not-whole-does-not-hide-its-journal",
                 a_generation_that_is_not_whole_does_not_hide_its_journal);
    fixture_add ("/queue/seal/a-journal-that-was-being-begun-says-nothing",
                 a_journal_that_was_being_begun_says_nothing);
    fixture_add ("/queue/store/a-newer-one-is-refused-in-words", a_newer_store_is_refused_in_words);
    fixture_add ("/queue/store/an-older-one-is-read", an_older_store_is_read);
    fixture_add ("/queue/store/ids-never-repeat", ids_never_repeat);
    result = g_test_run ();
    g_string_free (warnings, TRUE);

    return result;
}
