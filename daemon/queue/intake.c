/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Mail on its way in
 *
 * Content is gathered into chunks. A full one goes to the writer at once and is written without a sync; the last one
 * goes together with the record that makes the chunks a message, so that a small message is one batch, two records
 * and one sync, shared with whoever else waits. What is in memory of a message is its last chunk and what the writer
 * has not written yet: the backlog, by which the session that feeds us is slowed down.
 *
 * If nobody commits, nobody ever looks at the chunks: they need no mark and are gone with their generation.
 *
 * A notice of the relay's own cannot be refused: its client is the queue itself. It may use the reserve, knows no limits,
 * and waits for the disk as a settle does.
 */

#include <string.h>

#include "queue/bytes.h"
#include "queue/queue-private.h"
#include "queue/snapshot.h"

struct _QueueIntake {
    Queue *queue;
    QueueId id;
    QueueOrigin origin;
    gboolean privileged;
    gchar *message_id;   /* (nullable) */
    GByteArray *buffer;  /* the chunk that is being filled */
    QueueUpload *upload; /* (nullable) if there was more than a chunk */
    guint n_chunks;      /* given to the writer */
    guint64 size;
    gsize unwritten;  /* bytes of chunks that the writer has */
    gboolean waiting; /* somebody heard that the backlog is at its bound: to be told when it is below */
    gboolean over;    /* committed or aborted */
    GError *refused;  /* (nullable) it is over a limit by now: nothing more is written of it */
    QueueDrained drained;
    gpointer drained_data;

    /* The commit. */
    QueueMessage *core;
    QueueHead head;
    GBytes *content; /* (nullable) of a message of one chunk */
    QueueCommitted committed;
    gpointer committed_data;
};

static void
intake_free (QueueIntake *intake)
{
    g_free (intake->origin.peer);
    g_free (intake->origin.helo);
    g_free (intake->origin.protocol);
    g_free (intake->message_id);
    g_clear_pointer (&intake->buffer, g_byte_array_unref);
    g_clear_pointer (&intake->core, queue_message_unref);
    g_clear_error (&intake->refused);
    g_clear_pointer (&intake->content, g_bytes_unref);
    g_free (intake);
}

static gboolean
check_limits (Queue *queue, const QueueOrigin *origin, guint64 expected_bytes, GError **error)
{
    const QueueLimits *limits = &queue->limits;
    if (limits->messages_most != 0 && queue_index_length (queue->index) >= limits->messages_most) {
        g_set_error (error, QUEUE_ERROR, QUEUE_ERROR_LIMIT,
                     "the queue is full: it has %" G_GUINT64_FORMAT " messages", queue_index_length (queue->index));
        return FALSE;
    }
    if (!queue_shares_allow (queue->shares, limits, origin->uid, expected_bytes, g_get_monotonic_time (), error))
        return FALSE;
    if (!queue_has_space (queue, expected_bytes, error))
        return FALSE;

    return TRUE;
}

QueueIntake *
queue_intake_new (Queue *queue, const QueueOrigin *origin, guint64 expected_bytes, QueueDrained drained,
                  gpointer user_data, GError **error)
{
    gboolean privileged = g_strcmp0 (origin->protocol, QUEUE_PROTOCOL_NOTICE) == 0;
    QueueIntake *intake;

    if (!privileged && !check_limits (queue, origin, expected_bytes, error))
        return NULL;

    intake = g_new0 (QueueIntake, 1);
    intake->queue = queue;
    intake->id = queue_next_id (queue);
    intake->origin.uid = origin->uid;
    intake->origin.peer = g_strdup (origin->peer);
    intake->origin.helo = g_strdup (origin->helo);
    intake->origin.protocol = g_strdup (origin->protocol);
    intake->privileged = privileged;
    intake->buffer = g_byte_array_new ();
    intake->drained = drained;
    intake->drained_data = user_data;
    g_ptr_array_add (queue->intakes, intake);

    return intake;
}

QueueId
queue_intake_id (const QueueIntake *intake)
{
    return intake->id;
}

void
queue_intake_set_message_id (QueueIntake *intake, const gchar *message_id)
{
    g_free (intake->message_id);
    intake->message_id = g_strdup (message_id);
}

gsize
queue_intake_backlog (QueueIntake *intake)
{
    gsize backlog = intake->buffer->len + intake->unwritten;

    if (intake->queue == NULL)
        return 0;

    /* What all have together is bounded too: then each waits as if it had the bound alone. */
    if (queue_writer_backlog (intake->queue->writer) > QUEUE_BACKLOG_MOST_BYTES)
        backlog = MAX (backlog, QUEUE_INTAKE_BACKLOG_BYTES);
    intake->waiting |= backlog >= QUEUE_INTAKE_BACKLOG_BYTES;

    return backlog;
}

static QueueCommandFlags
command_flags (const QueueIntake *intake)
{
    return intake->privileged ? QUEUE_COMMAND_RETAIN : 0;
}

/* Tells those who wait and have room again. */
static void
tell_drained (Queue *queue)
{
    g_autoptr (GPtrArray) drained = g_ptr_array_new ();

    for (guint i = 0; i < queue->intakes->len; i++) {
        QueueIntake *intake = g_ptr_array_index (queue->intakes, i);

        if (intake->waiting && queue_intake_backlog (intake) < QUEUE_INTAKE_BACKLOG_BYTES) {
            intake->waiting = FALSE;
            g_ptr_array_add (drained, intake);
        }
    }
    for (guint i = 0; i < drained->len; i++) {
        QueueIntake *intake = g_ptr_array_index (drained, i);

        /* One that is told may end another. */
        if (g_ptr_array_find (queue->intakes, intake, NULL) && intake->drained != NULL)
            intake->drained (intake->drained_data);
    }
}

static void
chunk_written (QueueCommand *command, const GError *error, gpointer user_data)
{
    QueueIntake *intake = user_data;
    Queue *queue = intake->queue;

    intake->unwritten -= g_bytes_get_size (g_array_index (command->records, QueueRecord, 0).payload);
    if (!queue->closing)
        tell_drained (queue);
}

/* Gives the buffer, which is a full chunk, to the writer. */
static void
push_chunk (QueueIntake *intake)
{
    QueueCommand *command = queue_command_new (command_flags (intake), chunk_written, intake);

    if (intake->upload == NULL)
        intake->upload = queue_catalog_upload_new (intake->queue->catalog, intake->id);
    command->upload = intake->upload;
    intake->unwritten += intake->buffer->len;
    queue_command_add (command, QUEUE_PART_CONTENT, intake->id, intake->n_chunks++,
                       g_byte_array_free_to_bytes (g_steal_pointer (&intake->buffer)));
    intake->buffer = g_byte_array_new ();
    queue_push (intake->queue, command);
}

/* How large a message becomes, and how many come with it, is seen as they come: they may not eat up the reserve. */
static gboolean
has_space (QueueIntake *intake)
{
    if (!intake->privileged && intake->refused == NULL)
        queue_has_space (intake->queue, intake->buffer->len, &intake->refused);

    return intake->refused == NULL;
}

void
queue_intake_write (QueueIntake *intake, const gchar *data, gsize length)
{
    if (intake->queue == NULL)
        return;
    intake->size += length;
    while (length > 0) {
        gsize part = MIN (length, QUEUE_CHUNK_BYTES - intake->buffer->len);

        /* A full chunk waits until there is more: the last one goes with the commit. */
        if (part == 0) {
            if (has_space (intake))
                push_chunk (intake);
            else
                g_byte_array_set_size (intake->buffer, 0);
            continue;
        }
        g_byte_array_append (intake->buffer, (const guint8 *) data, (guint) part);
        data += part;
        length -= part;
    }
}

/* ---- The end of it ---- */

/* No session has it any more; the writer may. */
static void
leave (QueueIntake *intake)
{
    intake->over = TRUE;
    g_ptr_array_remove_fast (intake->queue->intakes, intake);
}

static void
end_upload (QueueIntake *intake, QueueEntry *entry)
{
    QueueCatalog *catalog = intake->queue->catalog;

    queue_catalog_lock (catalog);
    queue_catalog_upload_end (catalog, g_steal_pointer (&intake->upload), entry);
    queue_catalog_unlock (catalog);
}

/* Whose share it counts to. */
static gint64
owner_of (const QueueIntake *intake)
{
    return intake->privileged ? QUEUE_UID_RELAY : intake->origin.uid;
}

static QueueSummary
summarize (const QueueIntake *intake)
{
    return (QueueSummary){.arrival_usec = intake->core->arrival_usec,
                          .size = intake->size,
                          .uid = owner_of (intake),
                          .sender = queue_bytes_hash_text (intake->core->envelope->sender),
                          .n_recipients = intake->core->recipients->len,
                          .n_chunks = intake->n_chunks};
}

/* The record of the message is the command's last one, the chunk of a small message the one before. */
static QueueEntry *
enter_message (QueueIntake *intake, const QueueCommand *command)
{
    Queue *queue = intake->queue;
    const QueueSummary summary = summarize (intake);
    QueueEntry *entry = queue_entry_new (intake->id, &summary, &intake->head);
    const QueuePlace *place = queue_command_place (command, command->records->len - 1);

    if (intake->upload != NULL)
        end_upload (intake, entry);
    queue_catalog_lock (queue->catalog);
    if (command->records->len > 1 && intake->n_chunks == 1)
        queue_catalog_place (queue->catalog, queue_entry_chunk (entry, 0), queue_command_place (command, 0));
    queue_catalog_place (queue->catalog, &entry->message, place);
    queue_catalog_set_head (queue->catalog, entry, &intake->head, place->generation);
    queue_catalog_unlock (queue->catalog);
    queue_enter (queue, entry);

    return entry;
}

static void
commit_done (QueueCommand *command, const GError *error, gpointer user_data)
{
    QueueIntake *intake = user_data;
    Queue *queue = intake->queue;

    queue_shares_count (queue->shares, owner_of (intake), intake->size, -1);
    if (error == NULL) {
        QueueEntry *entry = enter_message (intake, command);
        g_autoptr (QueueMessage) view = NULL;

        queue_cache_put (queue->cache, intake->core, intake->content);
        view = queue_view (entry, intake->core);
        queue_emit_queued (queue, view, intake->message_id);
        queue_sort_message (queue, entry, intake->core, 0);
        queue_tell_closed (queue, entry, intake->core);
    } else if (intake->upload != NULL) {
        end_upload (intake, NULL);
    }
    if (intake->committed != NULL)
        intake->committed (error == NULL ? intake->id : 0, error, intake->committed_data);
    if (!queue->closing)
        tell_drained (queue);
    intake_free (intake);
}

static void
refuse_closed (QueueIntake *intake, QueueCommitted committed, gpointer user_data)
{
    g_autoptr (GError) error = g_error_new_literal (QUEUE_ERROR, QUEUE_ERROR_GONE, "the queue is closed");

    if (committed != NULL)
        committed (0, error, user_data);
    intake_free (intake);
}

static void
refusal_done (QueueCommand *command, const GError *error, gpointer user_data)
{
    QueueIntake *intake = user_data;

    if (intake->upload != NULL)
        end_upload (intake, NULL);
    if (intake->committed != NULL)
        intake->committed (0, intake->refused, intake->committed_data);
    intake_free (intake);
}

/* What was not known when the message began to come: how large it is, and what else came meanwhile. */
static gboolean
is_within_share (QueueIntake *intake)
{
    Queue *queue = intake->queue;
    gint64 now_usec = g_get_monotonic_time ();

    if (intake->privileged)
        return TRUE;
    if (!queue_shares_allow (queue->shares, &queue->limits, intake->origin.uid, intake->size, now_usec,
                             &intake->refused))
        return FALSE;
    queue_shares_spend (queue->shares, &queue->limits, intake->origin.uid, now_usec);

    return TRUE;
}

static void
refuse (QueueIntake *intake)
{
    /* Through the writer, which may still have chunks of it. */
    queue_push (intake->queue, queue_command_new (0, refusal_done, intake));
}

/* Makes the snapshot and the records. Returns: (transfer full): NULL if the envelope is too large to be read again */
static QueueCommand *
make_records (QueueIntake *intake, MessageEnvelope *envelope, gboolean hold)
{
    QueueCommand *command = queue_command_new (command_flags (intake) | QUEUE_COMMAND_DURABLE, commit_done, intake);
    QueueSummary summary;
    GBytes *record;

    intake->core = queue_snapshot_take (intake->id, &intake->origin, envelope);
    intake->origin = (QueueOrigin){.uid = intake->core->origin.uid}; /* its strings are the snapshot's now */
    intake->core->size = intake->size;
    intake->core->arrival_usec = g_get_real_time ();
    intake->head.flags = hold ? QUEUE_HEAD_HELD : 0;
    queue_record_fill_head (intake->core, &intake->head);

    command->upload = intake->upload;
    if (intake->buffer->len > 0) {
        GBytes *chunk = g_byte_array_free_to_bytes (g_steal_pointer (&intake->buffer));

        if (intake->n_chunks == 0)
            intake->content = g_bytes_ref (chunk);
        queue_command_add (command, QUEUE_PART_CONTENT, intake->id, intake->n_chunks++, chunk);
    }
    summary = summarize (intake);
    record = queue_record_message (intake->core, &intake->head, &summary);
    queue_command_add (command, QUEUE_PART_MESSAGE, intake->id, 0, record);
    if (g_bytes_get_size (record) <= QUEUE_PART_MOST_BYTES)
        return command;

    queue_command_free (command);
    g_set_error (&intake->refused, QUEUE_ERROR, QUEUE_ERROR_LIMIT,
                 "its envelope is larger than %d MiB: send it to fewer recipients at a time",
                 QUEUE_PART_MOST_BYTES / (1024 * 1024));

    return NULL;
}

void
queue_intake_commit (QueueIntake *intake, MessageEnvelope *envelope, gboolean hold, QueueCommitted committed,
                     gpointer user_data)
{
    g_autoptr (MessageEnvelope) own = envelope;
    Queue *queue = intake->queue;
    QueueCommand *command;

    if (queue == NULL) {
        refuse_closed (intake, committed, user_data);
        return;
    }
    leave (intake);
    intake->committed = committed;
    intake->committed_data = user_data;
    if (!has_space (intake) || !is_within_share (intake)) {
        refuse (intake);
        return;
    }
    command = make_records (intake, g_steal_pointer (&own), hold);
    if (command == NULL) {
        refuse (intake);
        return;
    }
    queue_shares_count (queue->shares, owner_of (intake), intake->size, 1);
    queue_push (queue, command);
}

static void
abort_done (QueueCommand *command, const GError *error, gpointer user_data)
{
    QueueIntake *intake = user_data;

    end_upload (intake, NULL);
    intake_free (intake);
}

void
queue_intake_abort (QueueIntake *intake)
{
    QueueCommand *command;

    if (intake->queue != NULL)
        leave (intake);
    if (intake->queue == NULL || intake->upload == NULL) {
        intake_free (intake);
        return;
    }

    /* The writer may still have chunks of it: this comes behind them. */
    command = queue_command_new (command_flags (intake), abort_done, intake);
    queue_push (intake->queue, command);
}

void
queue_intakes_orphan (Queue *queue)
{
    for (guint i = 0; i < queue->intakes->len; i++) {
        QueueIntake *intake = g_ptr_array_index (queue->intakes, i);

        if (intake->upload != NULL)
            end_upload (intake, NULL);
        intake->queue = NULL;
    }
    g_ptr_array_set_size (queue->intakes, 0);
}
