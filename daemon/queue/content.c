/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Content out of the queue
 *
 * One chunk at a time, whenever the delivery's connection has room for it, so that a message of any size costs a chunk of
 * memory. A message that just arrived comes from memory. The message may be removed while somebody reads it: the next
 * piece is then an error.
 */

#include "queue/queue-private.h"

struct _QueueReader {
    Queue *queue;
    QueueId id;
    guint chunk;    /* the next one */
    GBytes *whole;  /* (nullable) the content, if the cache had it */
    gboolean asked; /* a piece is on its way */
    gboolean freed; /* by its user, while a piece is on its way */
    QueueContent content;
    gpointer user_data;
};

QueueReader *
queue_reader_new (Queue *queue, QueueId id)
{
    QueueReader *reader = g_new0 (QueueReader, 1);
    GBytes *cached = queue_cache_content (queue->cache, id);

    reader->queue = queue;
    reader->id = id;
    if (cached != NULL)
        reader->whole = g_bytes_ref (cached);

    return reader;
}

static void
reader_free (QueueReader *reader)
{
    g_clear_pointer (&reader->whole, g_bytes_unref);
    g_free (reader);
}

/* The reader gets the error with the message's name in it. If the content is damaged, nobody else is to try. */
static void
tell_error (QueueReader *reader, const GError *error)
{
    QueueEntry *entry = queue_index_find (reader->queue->index, reader->id);
    gchar id[QUEUE_ID_TEXT_BYTES];
    g_autoptr (GError) named = NULL;

    queue_id_write (reader->id, id);
    named =
        g_error_new (QUEUE_ERROR, error->code, "the content of message %s cannot be read: %s", id, error->message);
    if (entry != NULL && g_error_matches (error, QUEUE_ERROR, QUEUE_ERROR_DAMAGED))
        queue_set_damaged (reader->queue, entry, error);
    reader->content (NULL, named, reader->user_data);
}

static void
chunk_there (GBytes *piece, const GError *error, gpointer user_data)
{
    QueueReader *reader = user_data;

    reader->asked = FALSE;
    if (reader->freed) {
        reader_free (reader);
        return;
    }
    if (error != NULL) {
        tell_error (reader, error);
        return;
    }
    reader->chunk++;
    reader->content (piece, NULL, reader->user_data);
}

void
queue_reader_next (QueueReader *reader, QueueContent content, gpointer user_data)
{
    QueueEntry *entry = queue_index_find (reader->queue->index, reader->id);

    g_return_if_fail (!reader->asked);

    reader->content = content;
    reader->user_data = user_data;
    if (entry == NULL || reader->queue->closing) {
        g_autoptr (GError) error = g_error_new (QUEUE_ERROR, QUEUE_ERROR_GONE, "the message has left the queue");

        content (NULL, error, user_data);
    } else if (reader->chunk >= entry->n_chunks) {
        content (NULL, NULL, user_data);
    } else if (reader->whole != NULL) {
        reader->chunk++;
        content (reader->whole, NULL, user_data);
    } else {
        reader->asked = TRUE;
        queue_loader_chunk (reader->queue->loader, entry, reader->chunk, chunk_there, reader);
    }
}

void
queue_reader_free (QueueReader *reader)
{
    if (reader->asked)
        reader->freed = TRUE;
    else
        reader_free (reader);
}
