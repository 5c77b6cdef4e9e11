/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * What is promised of a damaged store: whatever a crash or a bad disk does to a journal, the queue opens, what is in it is
 * whole, and nothing is missing but what was hit.
 *
 * A store is made once; then every prefix of its journal and every byte of it with a flipped bit is opened, each as the
 * file that a start would find. Records that nobody wrote, but whose checksums are good, are tried too.
 */

#include <string.h>

#include <glib/gstdio.h>

#include "queue/generation.h"
#include "queue/journal.h"
#include "queue/snapshot.h"

#include "fixture.h"

/* The last message of the story is not counted as lost when the end of the journal is damaged: nothing behind it can
 * prove that it had been acknowledged. */
#define N_MESSAGES 5
#define REMOVED    1 /* delivered, so that it is not there at the end */

/* No record ends with more of them. */
#define LAST_ZEROES_BYTES 16

/* Small ones, so that there are few bytes to go through. */
#define CONTENT_BYTES 60

typedef struct {
    gchar *name;
    GByteArray *content;
} File;

/* A store as bytes, and what is in it. */
typedef struct {
    QueueId ids[N_MESSAGES];
    gchar *contents[N_MESSAGES];
    GPtrArray *files; /* of File */
} Story;

/* Warnings about messages, as ids: what the log named. */
static GHashTable *named;
static guint n_warnings;

static GLogWriterOutput
hear_log (GLogLevelFlags level, const GLogField *fields, gsize n_fields, gpointer user_data)
{
    if ((level & G_LOG_LEVEL_MASK) > G_LOG_LEVEL_WARNING)
        return G_LOG_WRITER_HANDLED;
    if ((level & G_LOG_LEVEL_MASK) < G_LOG_LEVEL_WARNING)
        return g_log_writer_default (level, fields, n_fields, user_data);
    n_warnings++;
    for (gsize i = 0; i < n_fields; i++) {
        if (g_str_equal (fields[i].key, "POSTERN_QUEUE_ID"))
            g_hash_table_add (named, g_strdup (fields[i].value));
    }

    return G_LOG_WRITER_HANDLED;
}

static void
file_free (gpointer data)
{
    File *file = data;

    g_free (file->name);
    g_byte_array_unref (file->content);
    g_free (file);
}

static GPtrArray *
read_files (const gchar *directory)
{
    GPtrArray *files = g_ptr_array_new_with_free_func (file_free);
    g_autoptr (GDir) dir = g_dir_open (directory, 0, NULL);
    const gchar *name;

    while ((name = g_dir_read_name (dir)) != NULL) {
        g_autofree gchar *path = g_build_filename (directory, name, NULL);
        File *file = g_new0 (File, 1);
        gchar *content;
        gsize length;

        g_assert_true (g_file_get_contents (path, &content, &length, NULL));
        file->name = g_strdup (name);
        file->content = g_byte_array_new_take ((guint8 *) content, length);
        g_ptr_array_add (files, file);
    }

    return files;
}

/* Puts these files, and nothing else, in the place of the fixture's store. */
static void
write_files (Fixture *fixture, GPtrArray *files)
{
    fixture_remove_directory (fixture->directory);
    g_assert_cmpint (g_mkdir (fixture->directory, 0700), ==, 0);
    for (guint i = 0; i < files->len; i++) {
        const File *file = g_ptr_array_index (files, i);
        g_autofree gchar *path = g_build_filename (fixture->directory, file->name, NULL);

        g_assert_true (g_file_set_contents_full (path, (const gchar *) file->content->data,
                                                 (gssize) file->content->len, G_FILE_SET_CONTENTS_NONE, 0600, NULL));
    }
}

/* Messages come, one of them goes. The files are as a crash leaves them: closing would seal the journal. */
static Story *
tell_story (Fixture *fixture)
{
    Story *story = g_new0 (Story, 1);

    for (guint i = 0; i < N_MESSAGES; i++) {
        story->contents[i] = g_strdup_printf ("Subject: %u\r\n\r\n%0*u\r\n", i, CONTENT_BYTES, i);
        story->ids[i] = fixture_commit (fixture, 1000, "rcpt@example.org", story->contents[i]);
        if (i == N_MESSAGES / 2)
            fixture_act_on (fixture, QUEUE_ACTION_DELETE, story->ids[REMOVED]);
    }
    story->files = read_files (fixture->directory);
    fixture_close (fixture);

    return story;
}

static void
story_free (Story *story)
{
    for (guint i = 0; i < N_MESSAGES; i++)
        g_free (story->contents[i]);
    g_ptr_array_unref (story->files);
    g_free (story);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Story, story_free)

/* The file with the records. */
static File *
story_journal (Story *story)
{
    for (guint i = 0; i < story->files->len; i++) {
        File *file = g_ptr_array_index (story->files, i);

        if (g_str_has_suffix (file->name, ".journal"))
            return file;
    }
    g_assert_not_reached ();
}

/* How far the journal is more than the zeroes that it got in advance; some belong to its last record. */
static guint
used_bytes (const File *file)
{
    guint length = file->content->len;

    while (length > 0 && file->content->data[length - 1] == 0)
        length--;

    return MIN (length + LAST_ZEROES_BYTES, file->content->len);
}

/* Opens the store and looks which messages are there, whole: a bit for each. What can be read must be as it was. */
static guint
look (Fixture *fixture, const Story *story)
{
    guint there = 0;

    g_hash_table_remove_all (named);
    n_warnings = 0;
    fixture_open (fixture);
    for (guint i = 0; i < N_MESSAGES; i++) {
        g_autoptr (QueueMessage) message = fixture_get (fixture, story->ids[i]);
        g_autoptr (GError) error = NULL;
        GString *content = message == NULL ? NULL : fixture_read (fixture, story->ids[i], &error);

        if (content == NULL)
            continue;
        g_assert_cmpstr (content->str, ==, story->contents[i]);
        g_string_free (content, TRUE);
        there |= 1U << i;
    }
    fixture_close (fixture);

    return there;
}

static gboolean
id_was_named (QueueId id)
{
    gchar text[QUEUE_ID_TEXT_BYTES];

    queue_id_write (id, text);

    return g_hash_table_contains (named, text);
}

static gboolean
was_named (const Story *story, guint message)
{
    return id_was_named (story->ids[message]);
}

/* What is there after each step of the story. */
static guint
story_moment (guint step)
{
    guint there = 0, done = 0;

    for (guint i = 0; i < N_MESSAGES && done < step; i++) {
        there |= 1U << i;
        done++;
        if (i == N_MESSAGES / 2 && done < step) {
            there &= ~(1U << REMOVED);
            done++;
        }
    }

    return there;
}

#define N_STEPS (N_MESSAGES + 1)

/* How far to go on: what stands before the first record is mostly zeroes. */
static guint
before_records (guint offset)
{
    gboolean in_zeroes = offset % QUEUE_JOURNAL_BLOCK_BYTES >= QUEUE_JOURNAL_HEADER_BYTES;

    return offset < QUEUE_JOURNAL_START_BYTES && in_zeroes ? QUEUE_JOURNAL_HEADER_BYTES : 1;
}

static void
every_prefix_of_a_journal_is_a_moment_of_the_story (Fixture *fixture)
{
    g_autoptr (Story) story = tell_story (fixture);
    File *journal = story_journal (story);
    guint used = used_bytes (journal), step = 0;
    g_autoptr (GByteArray) whole = g_steal_pointer (&journal->content);

    for (guint length = 0; length <= used; length += before_records (length)) {
        guint there;

        journal->content = g_byte_array_new ();
        g_byte_array_append (journal->content, whole->data, length);
        write_files (fixture, story->files);
        there = look (fixture, story);
        g_byte_array_unref (journal->content);

        while (step < N_STEPS && there != story_moment (step))
            step++;
        g_assert_cmpuint (there, ==, story_moment (step));
    }
    journal->content = g_steal_pointer (&whole);
    g_assert_cmpuint (step, ==, N_STEPS);
}

static void
a_flipped_bit_in_a_journal_costs_the_message_it_hit (Fixture *fixture)
{
    g_autoptr (Story) story = tell_story (fixture);
    File *journal = story_journal (story);
    guint used = used_bytes (journal), at_end = 0;

    g_byte_array_set_size (journal->content, used);
    for (guint offset = 0; offset < used; offset += before_records (offset)) {
        guint8 bit = (guint8) (1 << (offset * 5 % 8));
        guint missing;

        journal->content->data[offset] ^= bit;
        write_files (fixture, story->files);
        missing = story_moment (N_STEPS) & ~look (fixture, story);
        journal->content->data[offset] ^= bit;

        if (missing == 0)
            continue;
        for (guint i = 0; i < N_MESSAGES; i++) {
            if (missing != 1U << i)
                continue;
            missing = 0;
            if (i == N_MESSAGES - 1)
                at_end++;
            else
                g_assert_true (was_named (story, i));
        }
        g_assert_cmpuint (missing, ==, 0);
    }
    g_assert_cmpuint (at_end, >, 0);
}

/* ---- Records that ask for much ---- */

/* Higher than all that the story has. */
#define MADE_UP_GENERATION 1000
#define MADE_UP_ID         (G_GUINT64_CONSTANT (1) << 60)

/* A journal of one record: a message that says to have so much, and has no content. */
static GByteArray *
made_up_journal (guint64 size, guint32 n_recipients)
{
    static const guint8 padding[QUEUE_JOURNAL_ALIGN_BYTES];
    const QueueJournalHeader header = {.generation = MADE_UP_GENERATION, .next_id = MADE_UP_ID + 1, .seed = 1};
    const QueueFrame frame = {.part = QUEUE_PART_MESSAGE, .id = MADE_UP_ID, .sequence = 1};
    const QueueSummary summary = {
        .size = size, .n_recipients = n_recipients, .n_chunks = (guint32) queue_record_chunks (size)};
    const QueueHead head = {.pending = 1};
    const QueueOrigin origin = {.uid = 1000};
    g_autoptr (MessageEnvelope) envelope = message_envelope_new ("sender@example.net");
    g_autoptr (QueueMessage) message = NULL;
    g_autoptr (GBytes) record = NULL;
    guint8 start[QUEUE_JOURNAL_START_BYTES], bytes[QUEUE_JOURNAL_FRAME_BYTES];
    GByteArray *journal = g_byte_array_new ();
    gconstpointer payload;
    gsize length;

    message_envelope_add (envelope, "rcpt@example.org");
    message = queue_snapshot_new (MADE_UP_ID, &origin, envelope);
    record = queue_record_message (message, &head, &summary);
    payload = g_bytes_get_data (record, &length);
    queue_journal_write_start (&header, start);
    queue_journal_write_frame (&frame, payload, length, header.seed, bytes);
    g_byte_array_append (journal, start, sizeof start);
    g_byte_array_append (journal, bytes, sizeof bytes);
    g_byte_array_append (journal, payload, (guint) length);
    g_byte_array_append (journal, padding, (guint) (queue_journal_record_bytes (length) - sizeof bytes - length));

    return journal;
}

/* Puts it beside the story's. */
static void
write_made_up (Fixture *fixture, const Story *story, guint64 size, guint32 n_recipients)
{
    g_autoptr (GByteArray) journal = made_up_journal (size, n_recipients);
    g_autofree gchar *path = NULL;

    write_files (fixture, story->files);
    path = queue_generation_path (fixture->directory, MADE_UP_GENERATION, QUEUE_GENERATION_JOURNAL);
    g_assert_true (g_file_set_contents_full (path, (const gchar *) journal->data, (gssize) journal->len,
                                             G_FILE_SET_CONTENTS_NONE, 0600, NULL));
}

/* The second start reads what the first one has sealed. */
static void
a_size_that_cannot_be_takes_no_memory (Fixture *fixture)
{
    g_autoptr (Story) story = tell_story (fixture);
    const guint64 sizes[] = {G_MAXUINT32 * (guint64) QUEUE_CHUNK_BYTES, G_GUINT64_CONSTANT (1) << 40,
                             G_GUINT64_CONSTANT (1) << 30, (G_GUINT64_CONSTANT (1) << 28) + 1};

    for (guint i = 0; i < 2 * G_N_ELEMENTS (sizes); i++) {
        g_autoptr (QueueMessage) message = NULL;
        const QueueEntry *entry;

        if (i % 2 == 0)
            write_made_up (fixture, story, sizes[i / 2], 1);
        g_hash_table_remove_all (named);
        fixture_open (fixture);
        entry = queue_index_find (fixture->queue->index, MADE_UP_ID);
        g_assert_nonnull (entry);
        g_assert_cmpuint (entry->n_chunks, ==, 0);
        message = fixture_get (fixture, MADE_UP_ID);
        g_assert_cmpuint (message->size, ==, sizes[i / 2]);
        g_assert_true (id_was_named (MADE_UP_ID));
        fixture_close (fixture);
        g_assert_cmpuint (look (fixture, story), ==, story_moment (N_STEPS));
    }
}

static void
recipients_that_cannot_be_take_no_memory (Fixture *fixture)
{
    g_autoptr (Story) story = tell_story (fixture);
    const guint32 numbers[] = {G_MAXUINT32, 60000000, 1000};

    for (guint i = 0; i < G_N_ELEMENTS (numbers); i++) {
        write_made_up (fixture, story, 0, numbers[i]);
        g_assert_cmpuint (look (fixture, story), ==, story_moment (N_STEPS));
        g_assert_cmpuint (n_warnings, >, 0);
        fixture_open (fixture);
        g_assert_null (queue_index_find (fixture->queue->index, MADE_UP_ID));
        fixture_close (fixture);
    }
}

int
main (int argc, char **argv)
{
    fixture_use_memory ();
    g_test_init (&argc, &argv, NULL);
    named = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
    g_log_set_writer_func (hear_log, NULL, NULL);

    fixture_add ("/queue/damage/every-prefix-of-a-journal-is-a-moment-of-the-story",
                 every_prefix_of_a_journal_is_a_moment_of_the_story);
    fixture_add ("/queue/damage/a-flipped-bit-in-a-journal-costs-the-message-it-hit",
                 a_flipped_bit_in_a_journal_costs_the_message_it_hit);
    fixture_add ("/queue/damage/a-size-that-cannot-be-takes-no-memory", a_size_that_cannot_be_takes_no_memory);
    fixture_add ("/queue/damage/recipients-that-cannot-be-take-no-memory", recipients_that_cannot_be_take_no_memory);

    return g_test_run ();
}
