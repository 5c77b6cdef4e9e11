/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Content for callers
 *
 * A message's content as a stream, a piece of the store at a time. The reader knows by the message's size whether all
 * of it came.
 */

#include "bus/content.h"

#include "bus/stream.h"

typedef struct {
    gint64 uid;
    QueueId id;
    QueueReader *reader;
    BusStream *stream;
} Content;

static void
content_free (gpointer source)
{
    Content *content = source;

    queue_reader_free (content->reader);
    g_free (content);
}

/* That the message left the queue while it was read is no trouble of ours. */
static void
log_failure (const Content *content, const GError *error)
{
    gchar id[QUEUE_ID_TEXT_BYTES];

    if (g_error_matches (error, QUEUE_ERROR, QUEUE_ERROR_GONE))
        return;

    queue_id_write (content->id, id);
    g_warning ("cannot read the content of %s for user %" G_GINT64_FORMAT ": %s", id, content->uid, error->message);
}

static void
on_piece (GBytes *piece, const GError *error, gpointer user_data)
{
    const Content *content = user_data;

    if (error != NULL)
        log_failure (content, error);
    bus_stream_put (content->stream, piece);
}

static void
content_next (BusStream *stream, gpointer source)
{
    Content *content = source;

    content->stream = stream;
    queue_reader_next (content->reader, on_piece, content);
}

int
bus_content_open (Bus *bus, QueueId id, gint64 uid, GError **error)
{
    static const BusStreamSource functions = {.next = content_next, .free = content_free};
    Content *content = g_new0 (Content, 1);

    content->uid = uid;
    content->id = id;
    content->reader = queue_reader_new (bus->queue, id);
    return bus_streams_open (bus->streams, uid, &functions, content, error);
}
