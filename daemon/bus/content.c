/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Content for callers
 *
 * A caller who opens a message's content gets one end of a socket pair; the daemon writes into the other, a piece of
 * the store at a time, when the caller has read what came before. So a content of any size costs the memory of one
 * piece, and a caller who does not read costs a descriptor, for at most STALL_SECONDS.
 *
 * A socket and not a pipe, because a write to a pipe that nobody reads any more raises SIGPIPE. The stream cannot
 * tell a failure from an end: the reader compares what came with the message's size.
 */

#include "bus/content.h"

#include <errno.h>
#include <glib-unix.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bus/error.h"

#define STALL_SECONDS     300 /* as a command timeout of SMTP: nobody reads a letter this slowly */
#define STREAMS_MOST      128 /* descriptors are for mail first */
#define USER_STREAMS_MOST 16

struct _BusContents {
    Bus *bus;
    GPtrArray *streams;
};

typedef struct {
    BusContents *contents;
    gint64 uid;
    QueueId id;
    QueueReader *reader;
    int fd;
    GBytes *piece; /* (nullable) being written */
    gsize written; /* of it */
    guint writable_id;
    guint stall_id;
} Stream;

static void
stream_free (Stream *stream)
{
    g_clear_handle_id (&stream->writable_id, g_source_remove);
    g_clear_handle_id (&stream->stall_id, g_source_remove);
    queue_reader_free (stream->reader);
    g_clear_pointer (&stream->piece, g_bytes_unref);
    close (stream->fd);
    g_free (stream);
}

BusContents *
bus_contents_new (Bus *bus)
{
    BusContents *contents = g_new0 (BusContents, 1);

    contents->bus = bus;
    contents->streams = g_ptr_array_new_with_free_func ((GDestroyNotify) stream_free);
    return contents;
}

void
bus_contents_free (BusContents *contents)
{
    if (contents == NULL)
        return;

    g_ptr_array_unref (contents->streams);
    g_free (contents);
}

guint
bus_contents_count (const BusContents *contents)
{
    return contents->streams->len;
}

static void
end_stream (Stream *stream)
{
    g_ptr_array_remove_fast (stream->contents->streams, stream);
}

static gboolean
on_stalled (gpointer user_data)
{
    Stream *stream = user_data;

    stream->stall_id = 0;
    end_stream (stream);
    return G_SOURCE_REMOVE;
}

static void
watch_for_stall (Stream *stream)
{
    g_clear_handle_id (&stream->stall_id, g_source_remove);
    stream->stall_id = g_timeout_add_seconds (STALL_SECONDS, on_stalled, stream);
}

/* That the message left the queue while it was read is no trouble of ours. */
static void
log_failure (const Stream *stream, const GError *error)
{
    gchar id[QUEUE_ID_TEXT_BYTES];

    if (g_error_matches (error, QUEUE_ERROR, QUEUE_ERROR_GONE))
        return;

    queue_id_write (stream->id, id);
    g_warning ("cannot read the content of %s for user %" G_GINT64_FORMAT ": %s", id, stream->uid, error->message);
}

static void write_piece (Stream *stream);

static void
on_piece (GBytes *piece, const GError *error, gpointer user_data)
{
    Stream *stream = user_data;

    if (piece == NULL) {
        if (error != NULL)
            log_failure (stream, error);
        end_stream (stream);
        return;
    }

    stream->piece = g_bytes_ref (piece);
    stream->written = 0;
    write_piece (stream);
}

static gboolean
on_writable (int fd, GIOCondition condition, gpointer user_data)
{
    Stream *stream = user_data;

    stream->writable_id = 0;
    write_piece (stream);
    return G_SOURCE_REMOVE;
}

/* Writes once; the rest, and the next piece, when the socket takes more. So the loop is never held for long. */
static void
write_piece (Stream *stream)
{
    gsize length;
    const guint8 *data = g_bytes_get_data (stream->piece, &length);
    gssize count = send (stream->fd, data + stream->written, length - stream->written, MSG_NOSIGNAL);

    if (count < 0 && errno != EAGAIN && errno != EINTR) {
        end_stream (stream); /* the reader went away */
        return;
    }

    if (count > 0) {
        stream->written += (gsize) count;
        watch_for_stall (stream);
    }

    if (stream->written < length) {
        stream->writable_id = g_unix_fd_add (stream->fd, G_IO_OUT, on_writable, stream);
        return;
    }

    g_clear_pointer (&stream->piece, g_bytes_unref);
    queue_reader_next (stream->reader, on_piece, stream);
}

static guint
count_of_user (const BusContents *contents, gint64 uid)
{
    guint count = 0;

    for (guint i = 0; i < contents->streams->len; i++) {
        const Stream *stream = g_ptr_array_index (contents->streams, i);

        if (stream->uid == uid)
            count++;
    }
    return count;
}

int
bus_contents_open (BusContents *contents, QueueId id, gint64 uid, GError **error)
{
    int fds[2];
    Stream *stream;

    if (contents->streams->len >= STREAMS_MOST || count_of_user (contents, uid) >= USER_STREAMS_MOST) {
        g_set_error_literal (error, BUS_ERROR, BUS_ERROR_LIMIT_EXCEEDED,
                             "too many contents are being read at the same time; read or close one first");
        return -1;
    }

    if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0) {
        g_set_error (error, BUS_ERROR, BUS_ERROR_FAILED, "cannot make a socket for the content: %s",
                     g_strerror (errno));
        return -1;
    }

    /* The reader gets what a reader expects: a descriptor that blocks, and nothing to write to. */
    g_unix_set_fd_nonblocking (fds[0], FALSE, NULL);
    shutdown (fds[0], SHUT_WR);

    stream = g_new0 (Stream, 1);
    stream->contents = contents;
    stream->uid = uid;
    stream->id = id;
    stream->fd = fds[1];
    stream->reader = queue_reader_new (contents->bus->queue, id);
    g_ptr_array_add (contents->streams, stream);

    watch_for_stall (stream);
    queue_reader_next (stream->reader, on_piece, stream);
    return fds[0];
}
