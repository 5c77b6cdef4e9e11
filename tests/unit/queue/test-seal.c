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

static void
use_generations_of (Fixture *fixture, guint64 bytes)
{
    fixture->limits.generation_bytes = bytes;
    queue_set_limits (fixture->queue, &fixture->limits);
}

/* Messages of 1000 bytes whose content follows from their number. */
static gchar *
content_of (guint number)
{
    return g_strdup_printf ("Subject: %u\r\n\r\n%0980u\r\n", number, number);
}

static QueueId
commit_number (Fixture *fixture, guint number)
{
    g_autofree gchar *content = content_of (number);

    return fixture_commit (fixture, 1, "a@one.example", content);
}

static void
check_number (Fixture *fixture, QueueId id, guint number)
{
    g_autofree gchar *expected = content_of (number);
    g_autoptr (GError) error = NULL;
    g_autoptr (GString) content = fixture_read (fixture, id, &error);

    g_assert_no_error (error);
    g_assert_cmpstr (content->str, ==, expected);
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

/* Warnings that name a message or a file, gathered instead of ending the test. */
static GString *warnings;

static GLogWriterOutput
gather_warning (GLogLevelFlags level, const GLogField *fields, gsize n_fields, gpointer user_data)
{
    if ((level & G_LOG_LEVEL_MASK) < G_LOG_LEVEL_WARNING)
        return g_log_writer_default (level, fields, n_fields, user_data);
    for (gsize i = 0; (level & G_LOG_LEVEL_MASK) == G_LOG_LEVEL_WARNING && i < n_fields; i++)
        g_string_append_printf (warnings, "%s=%s\n", fields[i].key, (const gchar *) fields[i].value);

    return G_LOG_WRITER_HANDLED;
}

static gboolean
was_named (QueueId id)
{
    gchar text[QUEUE_ID_TEXT_BYTES];

    queue_id_write (id, text);

    return strstr (warnings->str, text) != NULL;
}

/* ---- Sealing ---- */

static void
a_full_journal_is_sealed (Fixture *fixture)
{
    QueueId ids[40];

    use_generations_of (fixture, SMALL_GENERATION);
    for (guint i = 0; i < G_N_ELEMENTS (ids); i++)
        ids[i] = commit_number (fixture, i);
    fixture_wait_for_files (fixture, ".gdbm", 1, 100);
    fixture_wait_for_files (fixture, ".journal", 1, 1);
    for (guint round = 0; round < 2; round++) {
        for (guint i = 0; i < G_N_ELEMENTS (ids); i++)
            check_number (fixture, ids[i], i);
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
        check_number (fixture, kept, 1);
        check_number (fixture, held, 3);
        commit_number (fixture, 100);
    }
}

static void
many_generations_are_merged (Fixture *fixture)
{
    QueueId ids[200];
    guint most = 0;

    use_generations_of (fixture, 4096);
    for (guint i = 0; i < G_N_ELEMENTS (ids); i++) {
        ids[i] = commit_number (fixture, i);
        if (i % 10 == 9)
            fixture_wait_for_files (fixture, ".journal", 1, 1);
        most = MAX (most, fixture_count_files (fixture, ".gdbm"));
    }

    /* A generation of 4 KiB is merged up to 64 KiB: 200 KB are four of those, and some smaller. */
    g_assert_cmpuint (most, <=, 10);
    fixture_reopen (fixture);
    for (guint i = 0; i < G_N_ELEMENTS (ids); i++)
        check_number (fixture, ids[i], i);
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

    use_generations_of (fixture, 64 * 1024);
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
    use_generations_of (fixture, 4 * 1024);
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
    use_generations_of (fixture, SMALL_GENERATION);
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

    use_generations_of (fixture, SMALL_GENERATION);
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
    check_number (fixture, ids[0], 0);
    check_number (fixture, ids[2], 2);
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
        check_number (fixture, ids[i], i);
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
    check_number (fixture, id, 1);
    g_assert_cmpstr (warnings->str, ==, "");
}

/* ---- Damage ---- */

/* Flips a byte wherever these stand in a file. */
static void
damage_bytes (const gchar *path, gconstpointer bytes, gsize n)
{
    g_autofree gchar *content = NULL;
    gsize length;
    gchar *at;

    g_assert_true (g_file_get_contents (path, &content, &length, NULL));
    at = memmem (content, length, bytes, n);
    g_assert_nonnull (at);
    for (; at != NULL; at = memmem (at, length - (gsize) (at - content), bytes, n))
        *at ^= 1;
    g_assert_true (g_file_set_contents_full (path, content, (gssize) length, G_FILE_SET_CONTENTS_NONE, 0600, NULL));
}

static void
damage_file (const gchar *path, const gchar *what)
{
    damage_bytes (path, what, strlen (what));
}

static void
zero_file (const gchar *path, gsize most)
{
    g_autofree gchar *content = NULL;
    gsize length;

    g_assert_true (g_file_get_contents (path, &content, &length, NULL));
    memset (content, 0, MIN (length, most));
    g_assert_true (g_file_set_contents_full (path, content, (gssize) length, G_FILE_SET_CONTENTS_NONE, 0600, NULL));
}

/* The newest file whose name ends so. */
static gchar *
newest_file (Fixture *fixture, const gchar *suffix)
{
    g_autoptr (GDir) dir = g_dir_open (fixture->directory, 0, NULL);
    g_autofree gchar *newest = NULL;
    const gchar *name;

    while ((name = g_dir_read_name (dir)) != NULL) {
        if (g_str_has_suffix (name, suffix) && g_strcmp0 (name, newest) > 0) {
            g_free (newest);
            newest = g_strdup (name);
        }
    }
    g_assert_nonnull (newest);

    return path_of (fixture, newest);
}

static gchar *
sealed_file (Fixture *fixture)
{
    return newest_file (fixture, ".gdbm");
}

static gchar *
journal_file (Fixture *fixture)
{
    return newest_file (fixture, ".journal");
}

static void
a_damaged_message_costs_only_itself (Fixture *fixture)
{
    QueueId ids[3];
    g_autofree gchar *path = NULL;
    g_autoptr (GError) error = NULL;
    g_autoptr (GString) content = NULL;

    for (guint i = 0; i < 3; i++)
        ids[i] = commit_number (fixture, i);
    fixture_close (fixture);
    path = sealed_file (fixture);
    damage_file (path, "Subject: 1\r\n");
    g_string_set_size (warnings, 0);
    fixture_open (fixture);
    g_assert_cmpuint (fixture_count_messages (fixture), ==, 3);
    check_number (fixture, ids[0], 0);
    check_number (fixture, ids[2], 2);
    content = fixture_read (fixture, ids[1], &error);
    g_assert_null (content);
    g_assert_error (error, QUEUE_ERROR, QUEUE_ERROR_DAMAGED);
    g_assert_true (was_named (ids[1]));
    g_assert_false (was_named (ids[0]));

    /* It is not given to a delivery again. */
    g_assert_nonnull (fixture_take (fixture, "one.example"));
    g_assert_nonnull (fixture_take (fixture, "one.example"));
    g_assert_null (fixture_take (fixture, "one.example"));
}

/* A message whose records are all gone from a closed journal: sealing does not come upon it. */
static void
a_message_that_a_journal_lost_while_it_was_open_can_be_deleted (Fixture *fixture)
{
    g_autofree gchar *path = path_of (fixture, "0000000001.journal");
    g_autoptr (GError) error = NULL;
    g_autoptr (GString) content = NULL;
    QueueId id = commit_number (fixture, 0);

    fixture->queue->seal_after_usec = G_MAXINT64;
    use_generations_of (fixture, 1);
    for (guint i = 1; fixture_count_files (fixture, ".journal") < 3; i++)
        commit_number (fixture, i);
    g_assert_cmpint (truncate (path, QUEUE_JOURNAL_START_BYTES), ==, 0);
    g_string_set_size (warnings, 0);
    fixture->queue->seal_after_usec = 0;
    while (fixture_count_files (fixture, ".gdbm") == 0)
        commit_number (fixture, 100);
    fixture_wait_for_files (fixture, ".journal", 1, 1);
    while (queue_sealer_is_busy (fixture->queue->sealer))
        g_main_context_iteration (NULL, TRUE);
    g_assert_true (was_named (id));
    queue_cache_clear (fixture->queue->cache);
    content = fixture_read (fixture, id, &error);
    g_assert_null (content);
    g_assert_cmpuint (fixture_act_on (fixture, QUEUE_ACTION_DELETE, id), ==, 1);
    g_assert_null (fixture_get (fixture, id));
}

static void
a_damaged_record_is_held_named_and_can_be_deleted (Fixture *fixture)
{
    QueueId good = fixture_commit (fixture, 1, "good@one.example", "x");
    QueueId bad = fixture_commit (fixture, 1, "a-recipient@two.example", "x");
    g_autofree gchar *path = NULL;
    g_autoptr (QueueMessage) message = NULL;
    QueueStatistics statistics;

    fixture_close (fixture);
    path = sealed_file (fixture);
    damage_file (path, "a-recipient@two.example");
    g_string_set_size (warnings, 0);
    fixture_open (fixture);
    message = fixture_get (fixture, bad);
    g_assert_cmpint (message->state, ==, QUEUE_STATE_HELD);
    g_assert_nonnull (strstr (message->reason, "damaged"));
    g_assert_true (was_named (bad));
    g_assert_false (was_named (good));
    queue_statistics (fixture->queue, &statistics);
    g_assert_cmpuint (statistics.by_state[QUEUE_STATE_HELD], ==, 1);
    g_assert_null (fixture_take (fixture, "two.example"));
    g_assert_cmpuint (fixture_act_on (fixture, QUEUE_ACTION_RELEASE, bad), ==, 0);
    g_assert_cmpuint (fixture_act_on (fixture, QUEUE_ACTION_DELETE, bad), ==, 1);
    g_assert_cmpuint (fixture_count_messages (fixture), ==, 1);
    fixture_reopen (fixture);
    g_assert_cmpuint (fixture_count_messages (fixture), ==, 1);
}

/* Flips a byte of the first page of a generation's index. */
static void
damage_index (const gchar *path)
{
    g_auto (QueueSealedMeta) meta = {0};
    g_autoptr (GError) error = NULL;
    g_autoptr (QueueSealed) sealed = queue_sealed_open (path, &meta, &error);
    g_autoptr (GBytes) page = queue_sealed_read (sealed, QUEUE_PART_INDEX, 0, 0, &error);

    g_assert_no_error (error);
    damage_bytes (path, g_bytes_get_data (page, NULL), g_bytes_get_size (page));
}

static void
a_damaged_index_is_made_from_the_parts (Fixture *fixture)
{
    QueueId ids[3], held;
    g_autofree gchar *path = NULL;
    g_autoptr (QueueMessage) message = NULL;

    for (guint i = 0; i < 3; i++)
        ids[i] = commit_number (fixture, i);
    held = fixture_commit (fixture, 1, "h@two.example", "x");
    fixture_act_on (fixture, QUEUE_ACTION_HOLD, held);
    fixture_close (fixture);
    path = sealed_file (fixture);
    damage_index (path);

    g_string_set_size (warnings, 0);
    fixture_open (fixture);
    g_assert_nonnull (strstr (warnings->str, path));
    g_assert_cmpuint (fixture_count_messages (fixture), ==, 4);
    for (guint i = 0; i < 3; i++)
        check_number (fixture, ids[i], i);
    message = fixture_get (fixture, held);
    g_assert_cmpint (message->state, ==, QUEUE_STATE_HELD);
}

static void
a_lost_header_costs_no_message (Fixture *fixture)
{
    QueueId ids[20];
    g_autofree gchar *path = NULL, *aside = NULL;

    for (guint i = 0; i < G_N_ELEMENTS (ids); i++)
        ids[i] = commit_number (fixture, i);
    fixture_act_on (fixture, QUEUE_ACTION_HOLD, ids[3]);
    fixture_close (fixture);
    path = sealed_file (fixture);
    aside = g_strconcat (path, ".damaged", NULL);
    zero_file (path, 4096);
    fixture->limits.generation_bytes = 20000;

    /* The second time the parts were found like this, sealed with others and what is left of the file was kept. */
    for (guint round = 0; round < 2; round++) {
        g_autoptr (QueueMessage) held = NULL;

        fixture_open (fixture);
        held = fixture_get (fixture, ids[3]);
        g_assert_cmpint (held->state, ==, QUEUE_STATE_HELD);
        for (guint i = 0; i < G_N_ELEMENTS (ids); i++)
            check_number (fixture, ids[i], i);

        /* So much that all of it together outweighs the damaged one, which is then merged with it. */
        for (guint i = 0; round == 0 && i < 5 * G_N_ELEMENTS (ids); i++)
            commit_number (fixture, 100 + i);
        while (round == 0 && !g_file_test (aside, G_FILE_TEST_EXISTS))
            g_main_context_iteration (NULL, TRUE);
        fixture_close (fixture);
    }
    fixture_open (fixture);
}

/* So much comes in that it is sealed, with the sealed generation of that path, and what is left of its file is kept. */
static void
have_it_merged (Fixture *fixture, const gchar *path)
{
    g_autofree gchar *aside = g_strconcat (path, ".damaged", NULL);

    use_generations_of (fixture, SMALL_GENERATION);
    for (guint i = 0; i < 3 * SMALL_GENERATION / 1000; i++)
        commit_number (fixture, 100 + i);
    while (!g_file_test (aside, G_FILE_TEST_EXISTS))
        g_main_context_iteration (NULL, TRUE);
}

/* Of a message that was held long after its arrival, the newer generation has only that, and only in its index. */
static void
what_only_the_damaged_index_said_is_kept (Fixture *fixture)
{
    g_autofree gchar *older = NULL, *path = NULL;
    g_autoptr (QueueMessage) held = NULL;
    QueueId ids[60];

    for (guint i = 0; i < G_N_ELEMENTS (ids); i++)
        ids[i] = commit_number (fixture, i);
    fixture_reopen (fixture);
    older = sealed_file (fixture);
    fixture_act_on (fixture, QUEUE_ACTION_HOLD, ids[3]);
    fixture_reopen (fixture);
    path = sealed_file (fixture);
    g_assert_cmpstr (path, !=, older);
    damage_index (path);
    have_it_merged (fixture, path);
    g_assert_true (g_file_test (older, G_FILE_TEST_EXISTS));
    fixture_reopen (fixture);
    held = fixture_get (fixture, ids[3]);
    g_assert_cmpint (held->state, ==, QUEUE_STATE_HELD);
    for (guint i = 0; i < G_N_ELEMENTS (ids); i++)
        check_number (fixture, ids[i], i);
}

/* ---- Damage to a journal that is open ---- */

static void
damage_to_an_open_journal_costs_what_it_hit (Fixture *fixture)
{
    g_autofree gchar *path = NULL;
    g_autoptr (QueueMessage) message = NULL;
    QueueId ids[5];

    for (guint i = 0; i < G_N_ELEMENTS (ids); i++)
        ids[i] = commit_number (fixture, i);
    path = journal_file (fixture);
    damage_file (path, "Subject: 1\r\n");
    have_it_merged (fixture, path);
    g_assert_true (was_named (ids[1]));
    fixture_reopen (fixture);
    for (guint i = 0; i < G_N_ELEMENTS (ids); i++) {
        if (i != 1)
            check_number (fixture, ids[i], i);
    }
    message = fixture_get (fixture, ids[1]);
    g_assert_cmpint (message->state, ==, QUEUE_STATE_HELD);
}

/* A record of that alone, which nothing else mentions. */
static void
a_hold_survives_damage_to_an_open_journal (Fixture *fixture)
{
    g_autofree gchar *path = NULL;
    g_autoptr (QueueMessage) message = NULL;
    QueueId id = commit_number (fixture, 1);
    gchar pattern[12] = {0};

    for (guint i = 0; i < 60; i++)
        commit_number (fixture, 2);
    fixture_reopen (fixture);
    fixture_act_on (fixture, QUEUE_ACTION_HOLD, id);
    path = journal_file (fixture);
    *(guint64 *) (gpointer) pattern = GUINT64_TO_LE (id);
    pattern[8] = QUEUE_HEAD_HELD;
    damage_bytes (path, pattern, sizeof pattern);
    have_it_merged (fixture, path);
    fixture_reopen (fixture);
    message = fixture_get (fixture, id);
    g_assert_cmpint (message->state, ==, QUEUE_STATE_HELD);
    check_number (fixture, id, 1);
}

static void
a_lost_header_of_an_open_journal_costs_nothing (Fixture *fixture)
{
    g_autofree gchar *path = NULL;
    QueueId ids[5];

    for (guint i = 0; i < G_N_ELEMENTS (ids); i++)
        ids[i] = commit_number (fixture, i);
    path = journal_file (fixture);
    zero_file (path, QUEUE_JOURNAL_START_BYTES);
    have_it_merged (fixture, path);
    fixture_reopen (fixture);
    for (guint i = 0; i < G_N_ELEMENTS (ids); i++)
        check_number (fixture, ids[i], i);
}

/* All of a sealed generation: what it held is named and held, and everything else goes on. */
static void
a_generation_of_which_nothing_is_left_stops_nothing (Fixture *fixture)
{
    g_autofree gchar *path = NULL;
    QueueId lost = commit_number (fixture, 1), good;

    fixture_reopen (fixture);
    path = sealed_file (fixture);
    zero_file (path, G_MAXSIZE);
    good = commit_number (fixture, 2);
    have_it_merged (fixture, path);
    fixture_settle_down ();
    g_assert_no_error (fixture->trouble);
    g_assert_true (was_named (lost));
    check_number (fixture, good, 2);
    fixture_reopen (fixture);
    check_number (fixture, good, 2);
}

/* ---- Who got it already ---- */

/* A message of @n recipients, of which all but the last have it. It is in the only sealed generation. */
static QueueId
deliver_to_all_but_one (Fixture *fixture, guint n)
{
    g_autoptr (GString) recipients = g_string_new (NULL);
    QueueId id;

    for (guint i = 1; i < n; i++)
        g_string_append_printf (recipients, "r%u@one.example ", i);
    g_string_append (recipients, "last@two.example");
    id = fixture_commit (fixture, 1, recipients->str, "x");
    fixture_settle (fixture, fixture_take (fixture, "one.example"), QUEUE_OUTCOME_DELIVERED, "250 kept as 4711", 0);
    fixture_reopen (fixture);

    return id;
}

/* It is not delivered to anybody a second time, as who got it is not known any more. */
static void
check_not_delivered_again (Fixture *fixture, QueueId id)
{
    g_autoptr (QueueMessage) message = fixture_get (fixture, id);

    g_assert_cmpint (message->state, ==, QUEUE_STATE_HELD);
    g_assert_nonnull (strstr (message->reason, "damaged"));
    for (QueueJob *job; (job = fixture_take (fixture, "one.example")) != NULL;)
        g_assert_cmpuint (job->message->id, !=, id);
    g_assert_null (fixture_take (fixture, "two.example"));
}

static void
check_a_lost_state (Fixture *fixture, guint n_recipients)
{
    QueueId id = deliver_to_all_but_one (fixture, n_recipients);
    g_autofree gchar *path = sealed_file (fixture);

    damage_file (path, "250 kept as 4711");
    fixture_reopen (fixture);
    check_not_delivered_again (fixture, id);
    fixture_reopen (fixture);
    have_it_merged (fixture, path);
    check_not_delivered_again (fixture, id);

    /* What was made of the damaged one has only good parts. */
    fixture_reopen (fixture);
    check_not_delivered_again (fixture, id);
}

static void
nobody_gets_a_message_again_whose_state_is_lost (Fixture *fixture)
{
    check_a_lost_state (fixture, 2);
}

static void
nobody_of_many_gets_a_message_again_whose_state_is_lost (Fixture *fixture)
{
    check_a_lost_state (fixture, 2 * QUEUE_SEGMENT_RECIPIENTS);
}

static void
nobody_gets_a_message_again_whose_state_is_lost_with_the_index (Fixture *fixture)
{
    QueueId id = deliver_to_all_but_one (fixture, 2);
    g_autofree gchar *path = sealed_file (fixture);

    damage_file (path, "250 kept as 4711");
    damage_index (path);
    fixture_reopen (fixture);
    check_not_delivered_again (fixture, id);
}

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
    path = sealed_file (fixture);
    make_version_1 (path);
    g_string_set_size (warnings, 0);
    fixture_open (fixture);
    for (guint i = 0; i < G_N_ELEMENTS (ids); i++)
        check_number (fixture, ids[i], i);
    g_assert_cmpstr (warnings->str, ==, "");

    /* What it is sealed into is of the newest version; all of it reads the same. */
    commit_number (fixture, 7);
    fixture_reopen (fixture);
    for (guint i = 0; i < G_N_ELEMENTS (ids); i++)
        check_number (fixture, ids[i], i);
    g_assert_cmpuint (fixture_count_messages (fixture), ==, G_N_ELEMENTS (ids) + 1);
}

static void
what_cannot_be_opened_is_put_aside (Fixture *fixture)
{
    QueueId id;
    g_autofree gchar *path = NULL, *aside = NULL;

    commit_number (fixture, 1);
    fixture_close (fixture);
    path = sealed_file (fixture);
    aside = g_strconcat (path, ".damaged", NULL);
    g_assert_true (g_file_set_contents (path, "not a database", -1, NULL));
    g_string_set_size (warnings, 0);
    fixture_open (fixture);
    g_assert_cmpuint (fixture_count_messages (fixture), ==, 0);
    g_assert_true (g_file_test (aside, G_FILE_TEST_EXISTS));
    g_assert_nonnull (strstr (warnings->str, aside));
    id = commit_number (fixture, 2);
    fixture_reopen (fixture);
    check_number (fixture, id, 2);
    g_assert_true (g_file_test (aside, G_FILE_TEST_EXISTS));
}

static void
a_failing_machine_is_no_damage (Fixture *fixture)
{
    QueueId id = commit_number (fixture, 1);
    g_autofree gchar *path = NULL, *elsewhere = NULL;
    g_autoptr (GError) error = NULL;

    fixture_close (fixture);
    path = sealed_file (fixture);
    elsewhere = g_strconcat (path, ".elsewhere", NULL);

    /* A directory in its place cannot be opened, like a file without permission, whoever runs the test. */
    g_assert_cmpint (g_rename (path, elsewhere), ==, 0);
    g_assert_cmpint (g_mkdir (path, 0700), ==, 0);
    fixture->queue = queue_open (fixture->directory, &fixture->limits, &error);
    g_assert_null (fixture->queue);
    g_assert_error (error, QUEUE_ERROR, QUEUE_ERROR_IO);
    g_assert_nonnull (strstr (error->message, path));
    g_assert_cmpint (g_rmdir (path), ==, 0);
    g_assert_cmpint (g_rename (elsewhere, path), ==, 0);
    fixture_open (fixture);
    check_number (fixture, id, 1);
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
    warnings = g_string_new (NULL);
    g_log_set_writer_func (gather_warning, NULL, NULL);
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
    fixture_add ("/queue/damage/a-message-costs-only-itself", a_damaged_message_costs_only_itself);
    fixture_add ("/queue/damage/a-message-that-a-journal-lost-while-it-was-open-can-be-deleted",
                 a_message_that_a_journal_lost_while_it_was_open_can_be_deleted);
    fixture_add ("/queue/damage/a-record-is-held-named-and-can-be-deleted",
                 a_damaged_record_is_held_named_and_can_be_deleted);
    fixture_add ("/queue/damage/an-index-is-made-from-the-parts", a_damaged_index_is_made_from_the_parts);
    fixture_add ("/queue/damage/a-lost-header-costs-no-message", a_lost_header_costs_no_message);
    fixture_add ("/queue/damage/what-only-the-index-said-is-kept", what_only_the_damaged_index_said_is_kept);
    fixture_add ("/queue/damage/to-an-open-journal-costs-what-it-hit", damage_to_an_open_journal_costs_what_it_hit);
    fixture_add ("/queue/damage/to-an-open-journal-undoes-no-hold", a_hold_survives_damage_to_an_open_journal);
    fixture_add ("/queue/damage/to-the-header-of-an-open-journal-costs-nothing",
                 a_lost_header_of_an_open_journal_costs_nothing);
    fixture_add ("/queue/damage/to-all-of-a-generation-stops-nothing",
                 a_generation_of_which_nothing_is_left_stops_nothing);
    fixture_add ("/queue/damage/nobody-gets-a-message-again-whose-state-is-lost",
                 nobody_gets_a_message_again_whose_state_is_lost);
    fixture_add ("/queue/damage/nobody-of-many-gets-a-message-again-whose-state-is-lost",
                 nobody_of_many_gets_a_message_again_whose_state_is_lost);
    fixture_add ("/queue/damage/nobody-gets-a-message-again-whose-state-is-lost-with-the-index",
                 nobody_gets_a_message_again_whose_state_is_lost_with_the_index);
    fixture_add ("/queue/damage/what-cannot-be-opened-is-put-aside", what_cannot_be_opened_is_put_aside);
    fixture_add ("/queue/damage/a-failing-machine-is-none", a_failing_machine_is_no_damage);
    fixture_add ("/queue/store/a-newer-one-is-refused-in-words", a_newer_store_is_refused_in_words);
    fixture_add ("/queue/store/an-older-one-is-read", an_older_store_is_read);
    fixture_add ("/queue/store/ids-never-repeat", ids_never_repeat);
    result = g_test_run ();
    g_string_free (warnings, TRUE);

    return result;
}
