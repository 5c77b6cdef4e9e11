/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The writer
 *
 * Takes all commands that wait, appends their records in order, and syncs once for all that asked to be durable. While
 * it waits for the disk the next commands gather: the slower the disk and the more the clients, the more of them share
 * a sync. There is nothing to tune.
 *
 * Order is kept: a command's records come after those of all commands before it, in the file and so after a crash, and
 * the main thread hears of what succeeded in that order.
 *
 * When the disk fails, a message on its way in is refused: its client has it still. What the queue itself has to
 * remember (RETAIN: results of deliveries, removals, notices) has nobody to go back to: it waits here, in order, and is
 * tried again with each command that comes and each second, which is also how the end of the trouble is found. If what
 * failed was a batch of both, what must be kept is tried once more alone, at once: on a full disk it has the reserve.
 * Nothing that waits is passed by a later command.
 */

#include <pthread.h>
#include <time.h>

#include "queue/disk.h"
#include "queue/queue.h"
#include "queue/writer.h"

/* While the disk is in trouble. */
#define PROBE_SECONDS 1

/* How old the file system's word on free space may be, and how much may be written on it. */
#define SPACE_SECONDS    5
#define SPACE_MOST_BYTES (1024 * 1024)

struct _QueueWriter {
    QueueAppender *appender;
    QueueCatalog *catalog;
    QueueMailbox *mailbox;
    gchar *directory;
    QueueWriterListener listener;
    gpointer user_data;
    GThread *thread;

    /* Guarded by the lock. */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    GPtrArray *waiting; /* of QueueCommand */
    QueueId roll_id;    /* a new generation is asked for, with this as next id; 0: no */
    QueueId next_id;
    gboolean ask_space; /* the file system is to be asked how much is free */
    gboolean stopping;
    guint64 full_bytes;
    guint64 journal_bytes;
    guint64 free_bytes;
    guint64 backlog;

    /* The thread's own. */
    GPtrArray *retained; /* of QueueCommand: what could not be written yet */
    GError *trouble;
    guint64 wanted_bytes; /* what a full disk had no room for; 0: it was not that */
    guint32 told_full;    /* the generation of which it was told that it is full */
    gint64 space_usec;    /* monotonic, when the file system was asked; 0: never */
    guint64 space_written;
};

/* ---- What the main thread hears ---- */

static void
hear_done (gpointer data, gpointer user_data)
{
    GPtrArray *commands = data;

    for (guint i = 0; i < commands->len; i++) {
        QueueCommand *command = g_ptr_array_index (commands, i);

        command->done (command, command->error, command->user_data);
        queue_command_free (command);
    }
    g_ptr_array_unref (commands);
}

static void
hear_begun (gpointer data, gpointer user_data)
{
    QueueWriter *writer = user_data;

    writer->listener.begun (GPOINTER_TO_UINT (data), writer->user_data);
}

static void
hear_full (gpointer data, gpointer user_data)
{
    QueueWriter *writer = user_data;

    writer->listener.full (writer->user_data);
}

static void
hear_roll_failed (gpointer data, gpointer user_data)
{
    QueueWriter *writer = user_data;
    g_autoptr (GError) error = data;

    writer->listener.roll_failed (error, writer->user_data);
}

static void
hear_trouble (gpointer data, gpointer user_data)
{
    QueueWriter *writer = user_data;
    g_autoptr (GError) error = data;

    writer->listener.trouble (error, writer->user_data);
}

/* ---- The thread ---- */

static void
set_trouble (QueueWriter *writer, const GError *error)
{
    gboolean same =
        writer->trouble != NULL && error != NULL && g_str_equal (writer->trouble->message, error->message);

    if (same || (writer->trouble == NULL && error == NULL))
        return;
    g_clear_error (&writer->trouble);
    writer->trouble = error == NULL ? NULL : g_error_copy (error);
    queue_mailbox_post (writer->mailbox, hear_trouble, error == NULL ? NULL : g_error_copy (error), writer);
}

/* Something was written. On a full disk that may have been a small thing: the trouble lasts until there is room for what
 * there was none for. */
static void
end_trouble (QueueWriter *writer)
{
    if (writer->trouble != NULL && writer->wanted_bytes > 0 &&
        queue_disk_free_bytes (writer->directory) < writer->wanted_bytes)
        return;
    writer->wanted_bytes = 0;
    set_trouble (writer, NULL);
}

static gboolean
begin_generation (QueueWriter *writer, GError **error)
{
    guint32 closed = queue_appender_generation (writer->appender);
    QueueId next_id;

    pthread_mutex_lock (&writer->lock);
    next_id = writer->next_id;
    pthread_mutex_unlock (&writer->lock);
    if (!queue_appender_begin (writer->appender, next_id, error))
        return FALSE;
    queue_mailbox_post (writer->mailbox, hear_begun, GUINT_TO_POINTER (closed), writer);

    return TRUE;
}

/* Whether the chunks before this one, or before this commit, are all there. */
static gboolean
upload_is_whole (QueueWriter *writer, QueueCommand *command)
{
    gboolean full, whole = queue_catalog_upload_is_whole (writer->catalog, command->upload, &full);

    if (!whole && command->error == NULL)
        g_set_error (&command->error, QUEUE_ERROR, full ? QUEUE_ERROR_FULL : QUEUE_ERROR_IO,
                     "a part of the message could not be written to the disk%s", full ? ", which is full" : "");

    return whole;
}

/* Hands the records of those @commands that have no error to the appender. @durable: whether any is to be durable.
 * Returns: whether there is anything to write. */
static gboolean
add_commands (QueueWriter *writer, GPtrArray *commands, gboolean *durable)
{
    gboolean any = FALSE;

    *durable = FALSE;

    for (guint i = 0; i < commands->len; i++) {
        QueueCommand *command = g_ptr_array_index (commands, i);

        if (command->upload != NULL && !upload_is_whole (writer, command))
            continue;
        for (guint j = 0; j < command->records->len; j++)
            queue_appender_add (writer->appender, queue_command_record (command, j));
        any |= command->records->len > 0;
        *durable |= (command->flags & QUEUE_COMMAND_DURABLE) != 0;
    }

    return any;
}

/* Chunks are known to the catalog as soon as the kernel has them: the sealer must not lose them. */
static void
enter_chunks (QueueWriter *writer, GPtrArray *commands)
{
    for (guint i = 0; i < commands->len; i++) {
        QueueCommand *command = g_ptr_array_index (commands, i);

        if (command->upload == NULL || command->error != NULL)
            continue;
        for (guint j = 0; j < command->records->len; j++) {
            if (queue_command_record (command, j)->part == QUEUE_PART_CONTENT)
                queue_catalog_upload_add (writer->catalog, command->upload, queue_command_place (command, j));
        }
    }
}

static void
fail_commands (QueueWriter *writer, GPtrArray *commands, const GError *error)
{
    for (guint i = 0; i < commands->len; i++) {
        QueueCommand *command = g_ptr_array_index (commands, i);

        if (command->error == NULL)
            command->error = g_error_copy (error);
        if (command->upload != NULL)
            queue_catalog_upload_fail (writer->catalog, command->upload,
                                       g_error_matches (error, QUEUE_ERROR, QUEUE_ERROR_FULL));
    }
}

/* Writes a batch, all or nothing. Commands that cannot be written for a reason of their own get their error. @proven:
 * whether the disk has shown that it works: nothing was asked of it by a batch in which all have an error. */
static gboolean
write_batch (QueueWriter *writer, GPtrArray *commands, gboolean *proven, GError **error)
{
    gboolean durable;

    *proven = FALSE;
    if (queue_appender_generation (writer->appender) == 0 && !begin_generation (writer, error))
        return FALSE;
    if (!add_commands (writer, commands, &durable))
        return TRUE;
    if (!queue_appender_write (writer->appender, error))
        return FALSE;
    if (durable && !queue_appender_sync (writer->appender, error))
        return FALSE;
    enter_chunks (writer, commands);
    *proven = durable;

    return TRUE;
}

static void
post_done (QueueWriter *writer, GPtrArray *commands)
{
    if (commands->len == 0)
        return;

    /* Who hears that it is done may close the queue at once, and has to know that there is a journal to seal. */
    pthread_mutex_lock (&writer->lock);
    writer->journal_bytes = queue_appender_bytes (writer->appender);
    pthread_mutex_unlock (&writer->lock);
    queue_mailbox_post (writer->mailbox, hear_done, g_ptr_array_copy (commands, NULL, NULL), NULL);
}

/* Splits a batch that failed: what must be kept goes to the retained ones, the rest is failed. */
static void
sort_out (QueueWriter *writer, GPtrArray *commands, const GError *error)
{
    g_autoptr (GPtrArray) failed = g_ptr_array_new ();

    for (guint i = 0; i < commands->len; i++) {
        QueueCommand *command = g_ptr_array_index (commands, i);
        gboolean keep = (command->flags & QUEUE_COMMAND_RETAIN) != 0 && command->error == NULL;

        g_ptr_array_add (keep ? writer->retained : failed, command);
    }
    fail_commands (writer, failed, error);
    post_done (writer, failed);
}

static gsize
batch_bytes (GPtrArray *commands)
{
    gsize bytes = 0;

    for (guint i = 0; i < commands->len; i++)
        bytes += queue_command_bytes (g_ptr_array_index (commands, i));

    return bytes;
}

/* Nothing of the batch is on the disk. */
static void
batch_failed (QueueWriter *writer, GPtrArray *batch, const GError *error)
{
    if (g_error_matches (error, QUEUE_ERROR, QUEUE_ERROR_FULL))
        writer->wanted_bytes = MAX (writer->wanted_bytes, batch_bytes (batch));
    writer->space_usec = 0;
    sort_out (writer, batch, error);
    set_trouble (writer, error);
}

/* Writes what was retained and what is new, in this order. */
static void
work (QueueWriter *writer, GPtrArray *commands)
{
    g_autoptr (GPtrArray) batch = g_steal_pointer (&writer->retained);
    g_autoptr (GError) error = NULL;
    gboolean proven;
    guint n;

    writer->retained = g_ptr_array_new ();
    g_ptr_array_extend (batch, commands, NULL, NULL);
    n = batch->len;
    if (!write_batch (writer, batch, &proven, &error)) {
        batch_failed (writer, batch, error);
        if (writer->retained->len == 0 || writer->retained->len == n)
            return;

        g_clear_error (&error);
        g_ptr_array_unref (batch);
        batch = g_steal_pointer (&writer->retained);
        writer->retained = g_ptr_array_new ();
        if (write_batch (writer, batch, &proven, &error))
            post_done (writer, batch);
        else
            batch_failed (writer, batch, error);
        return;
    }
    post_done (writer, batch);
    if (proven)
        end_trouble (writer);
}

/* Writes and syncs a record that says nothing, to see whether the disk works again. */
static void
probe (QueueWriter *writer)
{
    g_autoptr (GBytes) nothing = g_bytes_new (NULL, 0);
    QueueRecord record = {.part = QUEUE_PART_PROBE, .payload = nothing};
    g_autoptr (GError) error = NULL;

    if (queue_appender_generation (writer->appender) == 0 && !begin_generation (writer, &error)) {
        set_trouble (writer, error);
        return;
    }
    queue_appender_add (writer->appender, &record);
    if (queue_appender_write (writer->appender, &error) && queue_appender_sync (writer->appender, &error))
        end_trouble (writer);
    else
        set_trouble (writer, error);
}

static void
roll (QueueWriter *writer)
{
    g_autoptr (GError) error = NULL;

    if (begin_generation (writer, &error))
        return;
    if (queue_appender_generation (writer->appender) == 0)
        set_trouble (writer, error);
    queue_mailbox_post (writer->mailbox, hear_roll_failed, g_error_copy (error), writer);
}

static void
look_at_space (QueueWriter *writer, gsize written)
{
    gint64 now = g_get_monotonic_time ();
    guint64 journal_bytes = queue_appender_bytes (writer->appender);
    guint32 generation = queue_appender_generation (writer->appender);
    guint64 free_bytes = 0;
    gboolean ask, full;

    writer->space_written += written;
    ask = writer->space_usec == 0 || now - writer->space_usec > SPACE_SECONDS * G_USEC_PER_SEC ||
          writer->space_written > SPACE_MOST_BYTES;
    if (ask) {
        free_bytes = queue_disk_free_bytes (writer->directory);
        writer->space_usec = now;
        writer->space_written = 0;
    }

    pthread_mutex_lock (&writer->lock);
    writer->journal_bytes = journal_bytes;
    if (ask)
        writer->free_bytes = free_bytes;
    else
        writer->free_bytes -= MIN (written, writer->free_bytes);
    writer->backlog -= written;
    full = journal_bytes > writer->full_bytes && writer->told_full != generation;
    pthread_mutex_unlock (&writer->lock);

    if (full) {
        writer->told_full = generation;
        queue_mailbox_post (writer->mailbox, hear_full, NULL, writer);
    }
}

/* Waits, with the lock, until somebody pushes. FALSE: for so long that the disk should be tried again */
static gboolean
wait_for_push (QueueWriter *writer)
{
    struct timespec until;

    if (writer->trouble == NULL)
        return pthread_cond_wait (&writer->wake, &writer->lock) == 0;
    clock_gettime (CLOCK_MONOTONIC, &until);
    until.tv_sec += PROBE_SECONDS;

    return pthread_cond_clockwait (&writer->wake, &writer->lock, CLOCK_MONOTONIC, &until) == 0;
}

/* Waits until there is something to do. Returns: (transfer full): the commands that wait, maybe none */
static GPtrArray *
wait_for_work (QueueWriter *writer, gboolean *to_roll, gboolean *stop)
{
    GPtrArray *commands;

    pthread_mutex_lock (&writer->lock);
    while (writer->waiting->len == 0 && writer->roll_id == 0 && !writer->ask_space && !writer->stopping) {
        if (!wait_for_push (writer))
            break;
    }
    commands = g_steal_pointer (&writer->waiting);
    writer->waiting = g_ptr_array_new ();
    *to_roll = writer->roll_id != 0;
    writer->roll_id = 0;
    if (writer->ask_space)
        writer->space_usec = 0;
    writer->ask_space = FALSE;
    *stop = writer->stopping;
    pthread_mutex_unlock (&writer->lock);

    return commands;
}

static gpointer
writer_thread (gpointer data)
{
    QueueWriter *writer = data;
    gboolean to_roll, stop = FALSE;

    roll (writer);
    look_at_space (writer, 0);
    while (!stop) {
        g_autoptr (GPtrArray) commands = wait_for_work (writer, &to_roll, &stop);
        gsize bytes = batch_bytes (commands);

        if (commands->len > 0 || writer->retained->len > 0)
            work (writer, commands);
        else if (writer->trouble != NULL)
            probe (writer);
        if (to_roll)
            roll (writer);
        look_at_space (writer, bytes);
    }
    if (writer->retained->len > 0) {
        g_autoptr (GPtrArray) lost = g_steal_pointer (&writer->retained);

        writer->retained = g_ptr_array_new ();
        fail_commands (writer, lost, writer->trouble);
        post_done (writer, lost);
    }

    return NULL;
}

/* ---- The main thread's side ---- */

QueueWriter *
queue_writer_new (QueueAppender *appender, QueueCatalog *catalog, QueueMailbox *mailbox, const gchar *directory,
                  QueueId next_id, const QueueWriterListener *listener, gpointer user_data)
{
    QueueWriter *writer = g_new0 (QueueWriter, 1);

    writer->appender = appender;
    writer->catalog = catalog;
    writer->mailbox = mailbox;
    writer->directory = g_strdup (directory);
    writer->next_id = next_id;
    writer->full_bytes = G_MAXUINT64;
    writer->listener = *listener;
    writer->user_data = user_data;
    writer->waiting = g_ptr_array_new ();
    writer->retained = g_ptr_array_new ();
    writer->free_bytes = queue_disk_free_bytes (directory);
    pthread_mutex_init (&writer->lock, NULL);
    pthread_cond_init (&writer->wake, NULL);
    writer->thread = g_thread_new ("queue-writer", writer_thread, writer);

    return writer;
}

void
queue_writer_push (QueueWriter *writer, QueueCommand *command)
{
    pthread_mutex_lock (&writer->lock);
    writer->backlog += queue_command_bytes (command);
    g_ptr_array_add (writer->waiting, command);
    pthread_mutex_unlock (&writer->lock);

    /* Without the lock, which the thread would run into. */
    pthread_cond_signal (&writer->wake);
}

void
queue_writer_roll (QueueWriter *writer, QueueId next_id)
{
    pthread_mutex_lock (&writer->lock);
    writer->roll_id = writer->next_id = next_id;
    pthread_cond_signal (&writer->wake);
    pthread_mutex_unlock (&writer->lock);
}

void
queue_writer_set_full (QueueWriter *writer, guint64 bytes)
{
    pthread_mutex_lock (&writer->lock);
    writer->full_bytes = bytes;
    pthread_mutex_unlock (&writer->lock);
}

guint64
queue_writer_journal_bytes (QueueWriter *writer)
{
    guint64 bytes;

    pthread_mutex_lock (&writer->lock);
    bytes = writer->journal_bytes;
    pthread_mutex_unlock (&writer->lock);

    return bytes;
}

guint64
queue_writer_free_bytes (QueueWriter *writer)
{
    guint64 bytes;

    pthread_mutex_lock (&writer->lock);
    bytes = writer->free_bytes;
    pthread_mutex_unlock (&writer->lock);

    return bytes;
}

void
queue_writer_ask_space (QueueWriter *writer)
{
    pthread_mutex_lock (&writer->lock);
    writer->ask_space = TRUE;
    pthread_cond_signal (&writer->wake);
    pthread_mutex_unlock (&writer->lock);
}

guint64
queue_writer_backlog (QueueWriter *writer)
{
    guint64 bytes;

    pthread_mutex_lock (&writer->lock);
    bytes = writer->backlog;
    pthread_mutex_unlock (&writer->lock);

    return bytes;
}

void
queue_writer_stop (QueueWriter *writer)
{
    pthread_mutex_lock (&writer->lock);
    writer->stopping = TRUE;
    pthread_cond_signal (&writer->wake);
    pthread_mutex_unlock (&writer->lock);
    g_thread_join (g_steal_pointer (&writer->thread));
}

void
queue_writer_free (QueueWriter *writer)
{
    while (writer->waiting->len > 0) {
        QueueCommand *command = g_ptr_array_steal_index (writer->waiting, 0);

        g_set_error_literal (&command->error, QUEUE_ERROR, QUEUE_ERROR_GONE, "the queue is closed");
        command->done (command, command->error, command->user_data);
        queue_command_free (command);
    }
    queue_appender_free (writer->appender);
    g_ptr_array_unref (writer->waiting);
    g_ptr_array_unref (writer->retained);
    g_clear_error (&writer->trouble);
    pthread_mutex_destroy (&writer->lock);
    pthread_cond_destroy (&writer->wake);
    g_free (writer->directory);
    g_free (writer);
}
