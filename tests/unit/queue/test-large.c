/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * A message of 100 MB costs neither 100 MB of memory on its way in, nor on its way out, nor while it is sealed.
 */

#include <stdio.h>
#include <string.h>

#include "fixture.h"

#define MESSAGE_BYTES (100 * 1024 * 1024)
#define PIECE_BYTES   (64 * 1000)

/* What the queue may take more than before: the intake's and the loader's pieces, the journal's batches, GDBM's cache. */
#define GROWTH_MOST_BYTES (24 * 1024 * 1024)

/* The most memory that this process ever had resident. */
static guint64
peak_bytes (void)
{
    g_autofree gchar *status = NULL;
    const gchar *line;
    guint64 kib = 0;

    g_assert_true (g_file_get_contents ("/proc/self/status", &status, NULL, NULL));
    line = strstr (status, "VmHWM:");
    g_assert_nonnull (line);
    kib = g_ascii_strtoull (line + strlen ("VmHWM:"), NULL, 10);

    return kib * 1024;
}

static void
fill_piece (guint number, gchar *piece)
{
    for (guint i = 0; i < PIECE_BYTES; i++)
        piece[i] = (gchar) ('a' + (number * 7 + i) % 26);
}

static void
drained (gpointer user_data)
{
    *(gboolean *) user_data = TRUE;
}

static void
committed (QueueId id, const GError *error, gpointer user_data)
{
    g_assert_no_error (error);
    *(gboolean *) user_data = TRUE;
}

typedef struct {
    gboolean there;
    guint64 offset;
    gboolean end;
} Reading;

static void
piece_there (GBytes *piece, const GError *error, gpointer user_data)
{
    Reading *reading = user_data;
    gsize length = 0;
    const gchar *data = piece == NULL ? NULL : g_bytes_get_data (piece, &length);

    g_assert_no_error (error);
    for (gsize i = 0; i < length; i++, reading->offset++) {
        guint number = (guint) (reading->offset / PIECE_BYTES), at = (guint) (reading->offset % PIECE_BYTES);

        g_assert_cmpint (data[i], ==, 'a' + (number * 7 + at) % 26);
    }
    reading->end = piece == NULL;
    reading->there = TRUE;
}

static void
check_content (Fixture *fixture, QueueId id)
{
    g_autoptr (QueueReader) reader = queue_reader_new (fixture->queue, id);
    Reading reading = {0};

    while (!reading.end) {
        reading.there = FALSE;
        queue_reader_next (reader, piece_there, &reading);
        fixture_wait (&reading.there);
    }
    g_assert_cmpuint (reading.offset, ==, (guint64) (MESSAGE_BYTES / PIECE_BYTES) * PIECE_BYTES);
}

static void
a_large_message_costs_little_memory (Fixture *fixture)
{
    const QueueOrigin origin = {.uid = 1, .protocol = (gchar *) "ESMTP"};
    g_autoptr (MessageEnvelope) envelope = message_envelope_new ("sender@example.net");
    g_autofree gchar *piece = g_malloc (PIECE_BYTES);
    gboolean room = FALSE, done = FALSE;
    guint64 before = peak_bytes ();
    QueueIntake *intake = queue_intake_new (fixture->queue, &origin, MESSAGE_BYTES, drained, &room, NULL);
    QueueId id = queue_intake_id (intake);

    message_envelope_add (envelope, "a@one.example");
    for (guint i = 0; i < MESSAGE_BYTES / PIECE_BYTES; i++) {
        fill_piece (i, piece);
        queue_intake_write (intake, piece, PIECE_BYTES);
        if (queue_intake_backlog (intake) >= QUEUE_INTAKE_BACKLOG_BYTES)
            fixture_wait (&room);
        room = FALSE;
    }
    queue_intake_commit (intake, message_envelope_copy (envelope), FALSE, committed, &done);
    fixture_wait (&done);
    check_content (fixture, id);

    /* Across the sealing of its journal, and after it. */
    fixture_commit (fixture, 1, "b@two.example", "x");
    check_content (fixture, id);
    fixture_wait_for_files (fixture, ".gdbm", 1, 10);
    check_content (fixture, id);
    fixture_reopen (fixture);
    check_content (fixture, id);
    g_test_message ("memory grew by %" G_GUINT64_FORMAT " KiB", (peak_bytes () - before) / 1024);

    /* The sanitizers keep what was freed. */
    if (g_getenv ("ASAN_OPTIONS") == NULL && g_getenv ("TSAN_OPTIONS") == NULL)
        g_assert_cmpuint (peak_bytes () - before, <, GROWTH_MOST_BYTES);
}

/* A record of which a start would say that it is none. */
static void
an_envelope_that_could_not_be_read_again_is_refused (Fixture *fixture)
{
    g_autofree gchar *address = g_strnfill (QUEUE_PART_MOST_BYTES, 'a');
    const QueueOrigin origin = {.uid = 1, .protocol = (gchar *) "local"};
    g_autoptr (GError) error = NULL;
    QueueId id;

    g_assert_cmpuint (fixture_commit_full (fixture, &origin, address, "x", 1, FALSE, &error), ==, 0);
    g_assert_error (error, QUEUE_ERROR, QUEUE_ERROR_LIMIT);
    id = fixture_commit (fixture, 1, "a@one.example", "x");
    fixture_reopen (fixture);
    g_assert_cmpuint (fixture_count_messages (fixture), ==, 1);
    g_assert_cmpuint (fixture_act_on (fixture, QUEUE_ACTION_DELETE, id), ==, 1);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    fixture_add ("/queue/large/costs-little-memory", a_large_message_costs_little_memory);
    fixture_add ("/queue/large/an-envelope-that-could-not-be-read-again-is-refused",
                 an_envelope_that_could_not_be_read_again_is_refused);

    return g_test_run ();
}
