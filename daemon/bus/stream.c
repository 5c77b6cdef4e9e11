/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Streams
 *
 * A message bus is made for short messages: it copies each value several times, and what is large stands in the way of
 * what is urgent. A caller who asks for much gets one end of a socket pair; the daemon writes into the other, a piece
 * at a time, when the caller has read what came before. So a stream of any size costs the memory of one piece, and a
 * caller who does not read costs a descriptor, for at most STALL_SECONDS.
 *
 * A socket and not a pipe, because a write to a pipe that nobody reads any more raises SIGPIPE. Our end is an open file of our
 * own, to which nobody else has a descriptor; so what is set to it (that it does not block) stays as it is. The stream cannot
 * tell a failure from an end: what is in it has to.
 */

#include "bus/stream.h"

#include <errno.h>
#include <glib-unix.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bus/error.h"

#define STALL_SECONDS 300 /* as a command timeout of SMTP: nobody reads a letter this slowly */

#define USER_STREAMS_MOST 16

struct _BusStreams {
    Bus *bus;
    Budget *budget;
    GPtrArray *streams;
};

struct _BusStream {
    BusStreams *streams;
    BudgetShare *share;
    const BusStreamSource *functions;
    gpointer source;
    int fd;
    GBytes *piece; /* (nullable) being written */
    gsize written; /* of it */
    guint writable_id;
    guint stall_id;
};

static void
stream_free (BusStream *stream)
{
    g_clear_handle_id (&stream->writable_id, g_source_remove);
    g_clear_handle_id (&stream->stall_id, g_source_remove);
    stream->functions->free (stream->source);
    g_clear_pointer (&stream->piece, g_bytes_unref);
    close (stream->fd);
    budget_give_back (stream->share, 1);
    g_free (stream);
}

static BudgetLimits
limits_of (guint most)
{
    BudgetLimits limits = budget_limits_share (most);

    limits.each = MIN (limits.each, USER_STREAMS_MOST);
    return limits;
}

BusStreams *
bus_streams_new (Bus *bus, guint most)
{
    const BudgetLimits limits = limits_of (most);
    BusStreams *streams = g_new0 (BusStreams, 1);

    streams->bus = bus;
    streams->budget = budget_new (&limits);
    streams->streams = g_ptr_array_new_with_free_func ((GDestroyNotify) stream_free);
    return streams;
}

void
bus_streams_free (BusStreams *streams)
{
    if (streams == NULL)
        return;

    g_ptr_array_unref (streams->streams);
    budget_free (streams->budget);
    g_free (streams);
}

guint
bus_streams_count (const BusStreams *streams)
{
    return streams->streams->len;
}

static void
end_stream (BusStream *stream)
{
    BusStreams *streams = stream->streams;

    g_ptr_array_remove_fast (streams->streams, stream);
    bus_call_ended (streams->bus);
}

static gboolean
on_stalled (gpointer user_data)
{
    BusStream *stream = user_data;

    stream->stall_id = 0;
    end_stream (stream);
    return G_SOURCE_REMOVE;
}

static void
watch_for_stall (BusStream *stream)
{
    g_clear_handle_id (&stream->stall_id, g_source_remove);
    stream->stall_id = g_timeout_add_seconds (STALL_SECONDS, on_stalled, stream);
}

static gboolean on_writable (int fd, GIOCondition condition, gpointer user_data);

/* Writes once; the rest, and the next piece, when the socket takes more. So the loop is never held for long. */
static void
write_piece (BusStream *stream)
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
    if (stream->written == length)
        g_clear_pointer (&stream->piece, g_bytes_unref);
    stream->writable_id = g_unix_fd_add (stream->fd, G_IO_OUT, on_writable, stream);
}

static gboolean
on_writable (int fd, GIOCondition condition, gpointer user_data)
{
    BusStream *stream = user_data;

    stream->writable_id = 0;
    if (stream->piece != NULL)
        write_piece (stream);
    else
        stream->functions->next (stream, stream->source);
    return G_SOURCE_REMOVE;
}

void
bus_stream_put (BusStream *stream, GBytes *piece)
{
    if (piece == NULL) {
        end_stream (stream);
        return;
    }

    stream->piece = g_bytes_ref (piece);
    stream->written = 0;
    write_piece (stream);
}

static gboolean
make_sockets (int fds[2], GError **error)
{
    if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0)
        return TRUE;

    g_set_error (error, BUS_ERROR, BUS_ERROR_FAILED, "cannot make a socket to read from: %s", g_strerror (errno));
    return FALSE;
}

/* Returns: (nullable): the share that the stream is taken from */
static BudgetShare *
take_share (const BusStreams *streams, gint64 uid, GError **error)
{
    const BudgetOwner owner = budget_user (uid);
    BudgetShare *share = NULL;

    if (budget_take (streams->budget, &owner, 1, &share) != BUDGET_TAKEN)
        g_set_error_literal (error, BUS_ERROR, BUS_ERROR_LIMIT_EXCEEDED,
                             "too much is being read at the same time; read or close one first");
    return share;
}

int
bus_streams_open (BusStreams *streams, gint64 uid, const BusStreamSource *functions, gpointer source, GError **error)
{
    BudgetShare *share = take_share (streams, uid, error);
    int fds[2];
    BusStream *stream;

    if (share == NULL || !make_sockets (fds, error)) {
        if (share != NULL)
            budget_give_back (share, 1);
        functions->free (source);
        return -1;
    }

    /* The reader gets what a reader expects: a descriptor that blocks, and nothing to write to. */
    g_unix_set_fd_nonblocking (fds[0], FALSE, NULL);
    shutdown (fds[0], SHUT_WR);

    stream = g_new0 (BusStream, 1);
    stream->streams = streams;
    stream->share = share;
    stream->functions = functions;
    stream->source = source;
    stream->fd = fds[1];
    g_ptr_array_add (streams->streams, stream);

    watch_for_stall (stream);
    stream->writable_id = g_unix_fd_add (stream->fd, G_IO_OUT, on_writable, stream);
    return fds[0];
}
