/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * What the disk damaged
 *
 * In what was sealed and in the journal that is open, at a start and while it serves: only what was hit is lost, each message is
 * named, nobody gets one a second time, no hold is undone, and everything else goes on.
 */

#include <string.h>

#include <glib/gstdio.h>

#include "queue/seal.h"
#include "queue/sealed.h"

#include "fixture.h"

#define SMALL_GENERATION (16 * 1024)

/* Those that name a message or a file. */
static GString *warnings;

static QueueId
commit_number (Fixture *fixture, guint number)
{
    g_autofree gchar *content = fixture_content (number);

    return fixture_commit (fixture, 1, "a@one.example", content);
}

/* ---- Damaging ---- */

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
    path = fixture_newest_file (fixture, ".gdbm");
    damage_file (path, "Subject: 1\r\n");
    g_string_set_size (warnings, 0);
    fixture_open (fixture);
    g_assert_cmpuint (fixture_count_messages (fixture), ==, 3);
    fixture_check_content (fixture, ids[0], 0);
    fixture_check_content (fixture, ids[2], 2);
    content = fixture_read (fixture, ids[1], &error);
    g_assert_null (content);
    g_assert_error (error, QUEUE_ERROR, QUEUE_ERROR_DAMAGED);
    g_assert_true (fixture_was_named (warnings, ids[1]));
    g_assert_false (fixture_was_named (warnings, ids[0]));

    /* It is not given to a delivery again. */
    g_assert_nonnull (fixture_take (fixture, "one.example"));
    g_assert_nonnull (fixture_take (fixture, "one.example"));
    g_assert_null (fixture_take (fixture, "one.example"));
}

/* A message whose records are all gone from a closed journal: sealing does not come upon it. */
static void
a_message_that_a_journal_lost_while_it_was_open_can_be_deleted (Fixture *fixture)
{
    g_autofree gchar *path = g_build_filename (fixture->directory, "0000000001.journal", NULL);
    g_autoptr (GError) error = NULL;
    g_autoptr (GString) content = NULL;
    QueueId id = commit_number (fixture, 0);

    fixture->queue->seal_after_usec = G_MAXINT64;
    fixture_use_generations_of (fixture, 1);
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
    g_assert_true (fixture_was_named (warnings, id));
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
    path = fixture_newest_file (fixture, ".gdbm");
    damage_file (path, "a-recipient@two.example");
    g_string_set_size (warnings, 0);
    fixture_open (fixture);
    message = fixture_get (fixture, bad);
    g_assert_cmpint (message->state, ==, QUEUE_STATE_HELD);
    g_assert_nonnull (strstr (message->reason, "damaged"));
    g_assert_true (fixture_was_named (warnings, bad));
    g_assert_false (fixture_was_named (warnings, good));
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
    path = fixture_newest_file (fixture, ".gdbm");
    damage_index (path);

    g_string_set_size (warnings, 0);
    fixture_open (fixture);
    g_assert_nonnull (strstr (warnings->str, path));
    g_assert_cmpuint (fixture_count_messages (fixture), ==, 4);
    for (guint i = 0; i < 3; i++)
        fixture_check_content (fixture, ids[i], i);
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
    path = fixture_newest_file (fixture, ".gdbm");
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
            fixture_check_content (fixture, ids[i], i);

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

    fixture_use_generations_of (fixture, SMALL_GENERATION);
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
    older = fixture_newest_file (fixture, ".gdbm");
    fixture_act_on (fixture, QUEUE_ACTION_HOLD, ids[3]);
    fixture_reopen (fixture);
    path = fixture_newest_file (fixture, ".gdbm");
    g_assert_cmpstr (path, !=, older);
    damage_index (path);
    have_it_merged (fixture, path);
    g_assert_true (g_file_test (older, G_FILE_TEST_EXISTS));
    fixture_reopen (fixture);
    held = fixture_get (fixture, ids[3]);
    g_assert_cmpint (held->state, ==, QUEUE_STATE_HELD);
    for (guint i = 0; i < G_N_ELEMENTS (ids); i++)
        fixture_check_content (fixture, ids[i], i);
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
    path = fixture_newest_file (fixture, ".journal");
    damage_file (path, "Subject: 1\r\n");
    have_it_merged (fixture, path);
    g_assert_true (fixture_was_named (warnings, ids[1]));
    fixture_reopen (fixture);
    for (guint i = 0; i < G_N_ELEMENTS (ids); i++) {
        if (i != 1)
            fixture_check_content (fixture, ids[i], i);
    }
    message = fixture_get (fixture, ids[1]);
    g_assert_cmpint (message->state, ==, QUEUE_STATE_HELD);
}

static void
hear_failure (QueueId id, const GError *error, gpointer user_data)
{
    g_assert_cmpuint (id, ==, 0);
    g_assert_error (error, QUEUE_ERROR, QUEUE_ERROR_IO);
    *(gboolean *) user_data = TRUE;
}

/* Its client has it still. */
static void
a_message_that_is_damaged_on_its_way_in_is_refused (Fixture *fixture)
{
    const QueueOrigin origin = {.uid = 1, .protocol = (gchar *) "local"};
    g_autoptr (MessageEnvelope) envelope = message_envelope_new ("sender@example.net");
    g_autofree gchar *content = g_strnfill (3 * QUEUE_CHUNK_BYTES, 'x'), *path = NULL;
    QueueIntake *intake = queue_intake_new (fixture->queue, &origin, 0, NULL, NULL, NULL);
    gboolean refused = FALSE;

    message_envelope_add (envelope, "a@two.example");
    memcpy (content + 1000, "a mark", 6);
    queue_intake_write (intake, content, 3 * QUEUE_CHUNK_BYTES);
    commit_number (fixture, 1);
    path = fixture_newest_file (fixture, ".journal");
    damage_file (path, "a mark");
    have_it_merged (fixture, path);
    fixture_settle_down ();
    queue_intake_commit (intake, g_steal_pointer (&envelope), FALSE, hear_failure, &refused);
    fixture_wait (&refused);
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
    path = fixture_newest_file (fixture, ".journal");
    *(guint64 *) (gpointer) pattern = GUINT64_TO_LE (id);
    pattern[8] = QUEUE_HEAD_HELD;
    damage_bytes (path, pattern, sizeof pattern);
    have_it_merged (fixture, path);
    fixture_reopen (fixture);
    message = fixture_get (fixture, id);
    g_assert_cmpint (message->state, ==, QUEUE_STATE_HELD);
    fixture_check_content (fixture, id, 1);
}

static void
a_lost_header_of_an_open_journal_costs_nothing (Fixture *fixture)
{
    g_autofree gchar *path = NULL;
    QueueId ids[5];

    for (guint i = 0; i < G_N_ELEMENTS (ids); i++)
        ids[i] = commit_number (fixture, i);
    path = fixture_newest_file (fixture, ".journal");
    zero_file (path, QUEUE_JOURNAL_START_BYTES);
    have_it_merged (fixture, path);
    fixture_reopen (fixture);
    for (guint i = 0; i < G_N_ELEMENTS (ids); i++)
        fixture_check_content (fixture, ids[i], i);
}

/* All of a sealed generation: what it held is named and held, and everything else goes on. */
static void
a_generation_of_which_nothing_is_left_stops_nothing (Fixture *fixture)
{
    g_autofree gchar *path = NULL;
    QueueId lost = commit_number (fixture, 1), good;

    fixture_reopen (fixture);
    path = fixture_newest_file (fixture, ".gdbm");
    zero_file (path, G_MAXSIZE);
    good = commit_number (fixture, 2);
    have_it_merged (fixture, path);
    fixture_settle_down ();
    g_assert_no_error (fixture->trouble);
    g_assert_true (fixture_was_named (warnings, lost));
    fixture_check_content (fixture, good, 2);
    fixture_reopen (fixture);
    fixture_check_content (fixture, good, 2);
}

/* Marks of removals in it are needed until the files of older generations are gone, which is in their order. */
static void
a_file_that_is_kept_has_its_own_name_until_its_turn_comes (Fixture *fixture)
{
    g_autofree gchar *path = NULL, *aside = NULL;

    commit_number (fixture, 1);
    fixture_reopen (fixture);
    path = fixture_newest_file (fixture, ".gdbm");
    aside = g_strconcat (path, ".damaged", NULL);
    for (guint i = 0; i < 2; i++) {
        queue_seal_keep_damaged (g_ptr_array_index (queue_catalog_generations (fixture->queue->catalog), 0));
        g_assert_true (g_file_test (path, G_FILE_TEST_EXISTS));
        g_assert_true (g_file_test (aside, G_FILE_TEST_EXISTS));
    }
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
    g_autofree gchar *path = fixture_newest_file (fixture, ".gdbm");

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
    g_autofree gchar *path = fixture_newest_file (fixture, ".gdbm");

    damage_file (path, "250 kept as 4711");
    damage_index (path);
    fixture_reopen (fixture);
    check_not_delivered_again (fixture, id);
}

static void
what_cannot_be_opened_is_put_aside (Fixture *fixture)
{
    QueueId id;
    g_autofree gchar *path = NULL, *aside = NULL;

    commit_number (fixture, 1);
    fixture_close (fixture);
    path = fixture_newest_file (fixture, ".gdbm");
    aside = g_strconcat (path, ".damaged", NULL);
    g_assert_true (g_file_set_contents (path, "not a database", -1, NULL));
    g_string_set_size (warnings, 0);
    fixture_open (fixture);
    g_assert_cmpuint (fixture_count_messages (fixture), ==, 0);
    g_assert_true (g_file_test (aside, G_FILE_TEST_EXISTS));
    g_assert_nonnull (strstr (warnings->str, aside));
    id = commit_number (fixture, 2);
    fixture_reopen (fixture);
    fixture_check_content (fixture, id, 2);
    g_assert_true (g_file_test (aside, G_FILE_TEST_EXISTS));
}

static void
a_failing_machine_is_no_damage (Fixture *fixture)
{
    QueueId id = commit_number (fixture, 1);
    g_autofree gchar *path = NULL, *elsewhere = NULL;
    g_autoptr (GError) error = NULL;

    fixture_close (fixture);
    path = fixture_newest_file (fixture, ".gdbm");
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
    fixture_check_content (fixture, id, 1);
}

int
main (int argc, char **argv)
{
    int result;

    fixture_use_memory ();
    g_test_init (&argc, &argv, NULL);
    warnings = fixture_gather_warnings ();
    fixture_add ("/queue/damage/a-message-costs-only-itself", a_damaged_message_costs_only_itself);
    fixture_add ("/queue/damage/a-message-that-a-journal-lost-while-it-was-open-can-be-deleted",
                 a_message_that_a_journal_lost_while_it_was_open_can_be_deleted);
    fixture_add ("/queue/damage/a-record-is-held-named-and-can-be-deleted",
                 a_damaged_record_is_held_named_and_can_be_deleted);
    fixture_add ("/queue/damage/an-index-is-made-from-the-parts", a_damaged_index_is_made_from_the_parts);
    fixture_add ("/queue/damage/a-lost-header-costs-no-message", a_lost_header_costs_no_message);
    fixture_add ("/queue/damage/what-only-the-index-said-is-kept", what_only_the_damaged_index_said_is_kept);
    fixture_add ("/queue/damage/to-an-open-journal-costs-what-it-hit", damage_to_an_open_journal_costs_what_it_hit);
    fixture_add ("/queue/damage/to-an-open-journal-refuses-what-is-on-its-way-in",
                 a_message_that_is_damaged_on_its_way_in_is_refused);
    fixture_add ("/queue/damage/to-an-open-journal-undoes-no-hold", a_hold_survives_damage_to_an_open_journal);
    fixture_add ("/queue/damage/to-the-header-of-an-open-journal-costs-nothing",
                 a_lost_header_of_an_open_journal_costs_nothing);
    fixture_add ("/queue/damage/to-all-of-a-generation-stops-nothing",
                 a_generation_of_which_nothing_is_left_stops_nothing);
    fixture_add ("/queue/damage/a-file-that-is-kept-has-its-own-name-until-its-turn-comes",
                 a_file_that_is_kept_has_its_own_name_until_its_turn_comes);
    fixture_add ("/queue/damage/nobody-gets-a-message-again-whose-state-is-lost",
                 nobody_gets_a_message_again_whose_state_is_lost);
    fixture_add ("/queue/damage/nobody-of-many-gets-a-message-again-whose-state-is-lost",
                 nobody_of_many_gets_a_message_again_whose_state_is_lost);
    fixture_add ("/queue/damage/nobody-gets-a-message-again-whose-state-is-lost-with-the-index",
                 nobody_gets_a_message_again_whose_state_is_lost_with_the_index);
    fixture_add ("/queue/damage/what-cannot-be-opened-is-put-aside", what_cannot_be_opened_is_put_aside);
    fixture_add ("/queue/damage/a-failing-machine-is-none", a_failing_machine_is_no_damage);
    result = g_test_run ();
    g_string_free (warnings, TRUE);

    return result;
}
