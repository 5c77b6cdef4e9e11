/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * A queue for tests
 *
 * Everything is asynchronous in the queue; a test says what it wants and waits here for the callback.
 */

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "message/address.h"

#include "fixture.h"

#define WAIT_SECONDS 120

/* How often the files are counted that are waited for: the sealer removes some after its last event. */
#define FILES_MSEC 10

static const gchar *const event_names[] = {
    [QUEUE_EVENT_QUEUED] = "queued",     [QUEUE_EVENT_DELIVERED] = "delivered",
    [QUEUE_EVENT_DEFERRED] = "deferred", [QUEUE_EVENT_BOUNCED] = "bounced",
    [QUEUE_EVENT_EXPIRED] = "expired",   [QUEUE_EVENT_HELD] = "held",
    [QUEUE_EVENT_RELEASED] = "released", [QUEUE_EVENT_DELETED] = "deleted",
    [QUEUE_EVENT_REMOVED] = "removed",   [QUEUE_EVENT_REDIRECTED] = "redirected",
};

static void
hear_event (const QueueEvent *event, gpointer user_data)
{
    Fixture *fixture = user_data;
    gchar id[QUEUE_ID_TEXT_BYTES];

    /* What was announced follows, and nothing else. */
    g_assert_cmpint (event->is_announced, ==, fixture->n_announced > 0);
    fixture->n_announced = event->is_announced ? fixture->n_announced - 1 : event->n_alike;
    fixture->n_told += !event->is_announced;

    queue_id_write (event->message->id, id);
    g_ptr_array_add (fixture->events, g_strdup_printf ("%s %s %s", event_names[event->type], id,
                                                       event->recipient == NULL ? "-" : event->recipient));
}

static void
hear_due (const gchar *lane, gpointer user_data)
{
    Fixture *fixture = user_data;

    g_ptr_array_add (fixture->due, g_strdup (lane));
}

static void
hear_trouble (const GError *error, gpointer user_data)
{
    Fixture *fixture = user_data;

    g_clear_error (&fixture->trouble);
    fixture->trouble = error == NULL ? NULL : g_error_copy (error);
    fixture->n_troubles += error != NULL;
}

static void
hear_indexed (gpointer user_data)
{
    Fixture *fixture = user_data;

    fixture->n_indexed++;
}

Fixture *
fixture_new (void)
{
    Fixture *fixture = g_new0 (Fixture, 1);

    fixture->directory = g_dir_make_tmp ("postern-queue-XXXXXX", NULL);
    fixture->limits.generation_bytes = 64 * 1024 * 1024;
    fixture->events = g_ptr_array_new_with_free_func (g_free);
    fixture->due = g_ptr_array_new_with_free_func (g_free);

    return fixture;
}

void
fixture_remove_directory (const gchar *directory)
{
    g_autoptr (GDir) dir = g_dir_open (directory, 0, NULL);
    const gchar *name;

    while (dir != NULL && (name = g_dir_read_name (dir)) != NULL) {
        g_autofree gchar *path = g_build_filename (directory, name, NULL);

        g_assert_cmpint (g_unlink (path), ==, 0);
    }
    g_rmdir (directory);
}

void
fixture_free (Fixture *fixture)
{
    if (fixture->queue != NULL)
        fixture_close (fixture);
    fixture_remove_directory (fixture->directory);
    g_free (fixture->directory);
    g_ptr_array_unref (fixture->events);
    g_ptr_array_unref (fixture->due);
    g_clear_error (&fixture->trouble);
    g_free (fixture);
}

const gchar *
fixture_route (const QueueMessage *message, guint recipient, QueueHints hints, gpointer user_data)
{
    return message_address_domain (message_envelope_recipient (message->envelope, recipient)->address);
}

gboolean
fixture_try_open (Fixture *fixture, GError **error)
{
    const QueueListener listener = {
        .event = hear_event, .due = hear_due, .trouble = hear_trouble, .indexed = hear_indexed};

    if (fixture->start != NULL)
        fixture->queue = queue_open_as (fixture->directory, &fixture->limits, fixture->start, error);
    else
        fixture->queue = queue_open (fixture->directory, &fixture->limits, error);
    if (fixture->queue == NULL)
        return FALSE;
    queue_set_listener (fixture->queue, &listener, fixture);
    queue_set_route (fixture->queue, fixture_route, NULL);

    return TRUE;
}

void
fixture_open (Fixture *fixture)
{
    g_autoptr (GError) error = NULL;

    fixture_try_open (fixture, &error);
    g_assert_no_error (error);
    fixture_wait_indexed (fixture);
}

static gboolean
give_up (gpointer user_data)
{
    g_error ("nothing came for %d seconds", WAIT_SECONDS);

    return G_SOURCE_REMOVE;
}

void
fixture_wait_indexed (Fixture *fixture)
{
    guint timeout = g_timeout_add_seconds (WAIT_SECONDS, give_up, NULL);

    while (!queue_is_indexed (fixture->queue))
        g_main_context_iteration (NULL, TRUE);
    g_source_remove (timeout);
}

void
fixture_close (Fixture *fixture)
{
    queue_close (g_steal_pointer (&fixture->queue));
}

/* What is sorted into lanes in the background is there afterwards. */
void
fixture_reopen (Fixture *fixture)
{
    QueueStatistics statistics;
    const QueueFilter all = QUEUE_FILTER_ALL;

    fixture_close (fixture);
    fixture_open (fixture);
    queue_statistics (fixture->queue, &statistics);
    if (statistics.messages > 0) {
        g_autoptr (GPtrArray) messages = fixture_list (fixture, &all, 0, G_MAXUINT, NULL);

        g_assert_cmpuint (messages->len, ==, statistics.messages);
    }
}

void
fixture_wait (gboolean *done)
{
    guint timeout = g_timeout_add_seconds (WAIT_SECONDS, give_up, NULL);

    while (!*done)
        g_main_context_iteration (NULL, TRUE);
    g_source_remove (timeout);
}

void
fixture_settle_down (void)
{
    while (g_main_context_iteration (NULL, FALSE))
        ;
}

typedef struct {
    gboolean done;
    QueueId id;
    GError *error;
    QueueJob *job;
    GPtrArray *messages;
    QueueId next;
    GBytes *piece;
    guint count;
} Answer;

static void
committed (QueueId id, const GError *error, gpointer user_data)
{
    Answer *answer = user_data;

    answer->id = id;
    answer->error = error == NULL ? NULL : g_error_copy (error);
    answer->done = TRUE;
}

static void
drained (gpointer user_data)
{
    *(gboolean *) user_data = TRUE;
}

QueueId
fixture_commit_full (Fixture *fixture, const QueueOrigin *origin, const gchar *recipients, const gchar *content,
                     gsize length, gboolean hold, GError **error)
{
    g_autoptr (MessageEnvelope) envelope = message_envelope_new ("sender@example.net");
    g_auto (GStrv) addresses = g_strsplit (recipients, " ", -1);
    gboolean room = FALSE;
    QueueIntake *intake = queue_intake_new (fixture->queue, origin, length, drained, &room, error);
    Answer answer = {0};

    if (intake == NULL)
        return 0;
    for (guint i = 0; addresses[i] != NULL; i++)
        message_envelope_add (envelope, addresses[i]);
    for (gsize at = 0; at < length;) {
        gsize part = MIN (length - at, 100000);

        queue_intake_write (intake, content + at, part);
        at += part;
        if (queue_intake_backlog (intake) >= QUEUE_INTAKE_BACKLOG_BYTES)
            fixture_wait (&room);
        room = FALSE;
    }
    queue_intake_commit (intake, message_envelope_copy (envelope), hold, committed, &answer);
    fixture_wait (&answer.done);
    if (answer.error != NULL)
        g_propagate_error (error, answer.error);

    return answer.id;
}

QueueId
fixture_commit (Fixture *fixture, gint64 uid, const gchar *recipients, const gchar *content)
{
    const QueueOrigin origin = {.uid = uid, .protocol = (gchar *) "local"};
    g_autoptr (GError) error = NULL;
    QueueId id = fixture_commit_full (fixture, &origin, recipients, content, strlen (content), FALSE, &error);

    g_assert_no_error (error);
    g_assert_cmpuint (id, !=, 0);

    return id;
}

gchar *
fixture_content (guint number)
{
    return g_strdup_printf ("Subject: %u\r\n\r\n%0980u\r\n", number, number);
}

void
fixture_check_content (Fixture *fixture, QueueId id, guint number)
{
    g_autofree gchar *expected = fixture_content (number);
    g_autoptr (GError) error = NULL;
    g_autoptr (GString) content = fixture_read (fixture, id, &error);

    g_assert_no_error (error);
    g_assert_cmpstr (content->str, ==, expected);
}

static void
taken (QueueJob *job, gpointer user_data)
{
    Answer *answer = user_data;

    answer->job = job;
    answer->done = TRUE;
}

QueueJob *
fixture_take (Fixture *fixture, const gchar *lane)
{
    Answer answer = {0};

    if (!queue_take (fixture->queue, lane, g_get_real_time (), taken, &answer))
        return NULL;
    fixture_wait (&answer.done);

    return answer.job;
}

void
fixture_settle (Fixture *fixture, QueueJob *job, QueueOutcome outcome, const gchar *reply, gint64 next_usec)
{
    static const gchar *const names[] = {[QUEUE_OUTCOME_DELIVERED] = "delivered",
                                         [QUEUE_OUTCOME_DEFERRED] = "deferred",
                                         [QUEUE_OUTCOME_FAILED] = "bounced",
                                         [QUEUE_OUTCOME_EXPIRED] = "expired"};
    g_autofree QueueResult *results = g_new0 (QueueResult, job->n_recipients);
    gint64 deadline = g_get_monotonic_time () + WAIT_SECONDS * G_USEC_PER_SEC;
    guint expected = 0;

    if (outcome != QUEUE_OUTCOME_UNTRIED)
        expected = fixture_count_events (fixture, names[outcome]) + job->n_recipients;
    for (guint i = 0; i < job->n_recipients; i++)
        results[i] =
            (QueueResult){.outcome = outcome, .remote = "mx.example.org:25", .status = "2.0.0", .reply = reply};
    queue_settle (fixture->queue, job, results, next_usec, FALSE);

    /* A delivery has nothing to wait for; a test does. */
    while (outcome != QUEUE_OUTCOME_UNTRIED && fixture_count_events (fixture, names[outcome]) < expected) {
        g_assert_cmpint (g_get_monotonic_time (), <, deadline);
        g_main_context_iteration (NULL, TRUE);
    }
}

static void
listed (GPtrArray *messages, QueueId next, gpointer user_data)
{
    Answer *answer = user_data;

    answer->messages = g_ptr_array_ref (messages);
    answer->next = next;
    answer->done = TRUE;
}

GPtrArray *
fixture_list (Fixture *fixture, const QueueFilter *filter, QueueId after, guint limit, QueueId *next)
{
    Answer answer = {0};

    queue_list (fixture->queue, filter, after, limit, listed, &answer);
    fixture_wait (&answer.done);
    if (next != NULL)
        *next = answer.next;

    return answer.messages;
}

QueueMessage *
fixture_get (Fixture *fixture, QueueId id)
{
    const QueueFilter filter = {.ids = &id, .n_ids = 1, .state = -1, .uid = -1};
    g_autoptr (GPtrArray) messages = fixture_list (fixture, &filter, 0, 1, NULL);

    return messages->len == 0 ? NULL : queue_message_ref (g_ptr_array_index (messages, 0));
}

static void
piece_there (GBytes *piece, const GError *error, gpointer user_data)
{
    Answer *answer = user_data;

    answer->piece = piece == NULL ? NULL : g_bytes_ref (piece);
    answer->error = error == NULL ? NULL : g_error_copy (error);
    answer->done = TRUE;
}

GString *
fixture_read (Fixture *fixture, QueueId id, GError **error)
{
    g_autoptr (QueueReader) reader = queue_reader_new (fixture->queue, id);
    GString *content = g_string_new (NULL);

    for (;;) {
        Answer answer = {0};

        queue_reader_next (reader, piece_there, &answer);
        fixture_wait (&answer.done);
        if (answer.error != NULL) {
            g_string_free (content, TRUE);
            g_propagate_error (error, answer.error);
            return NULL;
        }
        if (answer.piece == NULL)
            return content;
        g_string_append_len (content, g_bytes_get_data (answer.piece, NULL),
                             (gssize) g_bytes_get_size (answer.piece));
        g_bytes_unref (answer.piece);
    }
}

static void
acted (guint count, const GError *error, gpointer user_data)
{
    Answer *answer = user_data;

    g_assert_no_error (error);
    answer->count = count;
    answer->done = TRUE;
}

guint
fixture_act (Fixture *fixture, QueueAction action, const QueueFilter *filter)
{
    Answer answer = {0};

    queue_act (fixture->queue, action, filter, acted, &answer);
    fixture_wait (&answer.done);

    return answer.count;
}

guint
fixture_act_on (Fixture *fixture, QueueAction action, QueueId id)
{
    const QueueFilter filter = {.ids = &id, .n_ids = 1, .state = -1, .uid = -1};

    return fixture_act (fixture, action, &filter);
}

guint
fixture_count_events (Fixture *fixture, const gchar *prefix)
{
    guint n = 0;

    for (guint i = 0; i < fixture->events->len; i++)
        n += g_str_has_prefix (g_ptr_array_index (fixture->events, i), prefix);

    return n;
}

gint
fixture_compare_strings (gconstpointer a, gconstpointer b)
{
    return strcmp (*(gchar *const *) a, *(gchar *const *) b);
}

/* The names in a directory, sorted, in one string. */
static gchar *
list_names (const gchar *directory)
{
    g_autoptr (GDir) dir = g_dir_open (directory, 0, NULL);
    g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
    const gchar *name;

    while ((name = g_dir_read_name (dir)) != NULL)
        g_ptr_array_add (names, g_strdup (name));
    g_ptr_array_sort (names, (GCompareFunc) fixture_compare_strings);
    g_ptr_array_add (names, NULL);

    return g_strjoinv ("/", (gchar **) names->pdata);
}

gchar *
fixture_copy_directory (const gchar *directory)
{
    for (;;) {
        g_autofree gchar *before = list_names (directory), *after = NULL;
        g_auto (GStrv) names = g_strsplit (before, "/", -1);
        g_autofree gchar *copy = g_dir_make_tmp ("postern-copy-XXXXXX", NULL);
        gboolean whole = TRUE;

        for (guint i = 0; names[i] != NULL; i++) {
            g_autofree gchar *from = g_build_filename (directory, names[i], NULL);
            g_autofree gchar *to = g_build_filename (copy, names[i], NULL);
            g_autofree gchar *content = NULL;
            gsize length;

            whole &= g_file_get_contents (from, &content, &length, NULL);
            if (whole)
                g_assert_true (g_file_set_contents (to, content, (gssize) length, NULL));
        }

        /* Only one file grows, and the others never change: with the same files at both ends, this was one moment. */
        after = list_names (directory);
        if (whole && strcmp (before, after) == 0)
            return g_steal_pointer (&copy);
        fixture_remove_directory (copy);
    }
}

guint64
fixture_count_messages (Fixture *fixture)
{
    QueueStatistics statistics;

    queue_statistics (fixture->queue, &statistics);

    return statistics.messages;
}

guint
fixture_count_files (Fixture *fixture, const gchar *suffix)
{
    g_autofree gchar *joined = list_names (fixture->directory);
    g_auto (GStrv) names = g_strsplit (joined, "/", -1);
    guint n = 0;

    for (guint i = 0; names[i] != NULL; i++)
        n += g_str_has_suffix (names[i], suffix);

    return n;
}

gchar *
fixture_newest_file (Fixture *fixture, const gchar *suffix)
{
    g_autofree gchar *joined = list_names (fixture->directory);
    g_auto (GStrv) names = g_strsplit (joined, "/", -1);
    const gchar *newest = NULL;

    for (guint i = 0; names[i] != NULL; i++) {
        if (g_str_has_suffix (names[i], suffix))
            newest = names[i];
    }
    g_assert_nonnull (newest);

    return g_build_filename (fixture->directory, newest, NULL);
}

static gboolean
look_again (gpointer user_data)
{
    return G_SOURCE_CONTINUE;
}

void
fixture_wait_for_files (Fixture *fixture, const gchar *suffix, guint least, guint most)
{
    gint64 deadline = g_get_monotonic_time () + WAIT_SECONDS * G_USEC_PER_SEC;
    guint look = g_timeout_add (FILES_MSEC, look_again, NULL);
    guint n;

    while ((n = fixture_count_files (fixture, suffix)) < least || n > most) {
        g_assert_cmpint (g_get_monotonic_time (), <, deadline);
        g_main_context_iteration (NULL, TRUE);
    }
    g_source_remove (look);
}

void
fixture_use_generations_of (Fixture *fixture, guint64 bytes)
{
    fixture->limits.generation_bytes = bytes;
    queue_set_limits (fixture->queue, &fixture->limits);
}

static GLogWriterOutput
gather_warning (GLogLevelFlags level, const GLogField *fields, gsize n_fields, gpointer user_data)
{
    if ((level & G_LOG_LEVEL_MASK) < G_LOG_LEVEL_WARNING)
        return g_log_writer_default (level, fields, n_fields, user_data);
    for (gsize i = 0; (level & G_LOG_LEVEL_MASK) == G_LOG_LEVEL_WARNING && i < n_fields; i++)
        g_string_append_printf (user_data, "%s=%s\n", fields[i].key, (const gchar *) fields[i].value);

    return G_LOG_WRITER_HANDLED;
}

GString *
fixture_gather_warnings (void)
{
    GString *warnings = g_string_new (NULL);

    g_log_set_writer_func (gather_warning, warnings, NULL);

    return warnings;
}

gboolean
fixture_was_named (const GString *warnings, QueueId id)
{
    gchar text[QUEUE_ID_TEXT_BYTES];

    queue_id_write (id, text);

    return strstr (warnings->str, text) != NULL;
}

void
fixture_use_memory (void)
{
    if (g_access ("/dev/shm", W_OK) == 0)
        g_setenv ("TMPDIR", "/dev/shm", TRUE);
}

gpointer
fixture_share (gsize bytes)
{
    gpointer shared = mmap (NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    g_assert_true (shared != MAP_FAILED);

    return shared;
}

typedef void (*FixtureTest) (Fixture *fixture);

static void
run_test (gconstpointer data)
{
    Fixture *fixture = fixture_new ();

    fixture_open (fixture);
    ((FixtureTest) data) (fixture);
    fixture_free (fixture);
}

void
fixture_add (const gchar *path, void (*test) (Fixture *fixture))
{
    g_test_add_data_func (path, test, run_test);
}
