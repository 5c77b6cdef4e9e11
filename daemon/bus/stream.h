/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "bus/internal.h"

/*
 * Streams of bytes to callers, beside the bus.
 */

typedef struct _BusStream BusStream;

/* Where the bytes come from. */
typedef struct {
    /* Asks for the next piece, which is given by bus_stream_put (), at once or later. */
    void (*next) (BusStream *stream, gpointer source);

    /* Nobody reads any more: the stream is gone, and what it waits for must not be given to it. */
    void (*free) (gpointer source);
} BusStreamSource;

/* @most: how many at once, of all users. @bus: is told when a stream has ended, by bus_call_ended () */
BusStreams *bus_streams_new (Bus *bus, guint most);

/* Breaks off what is under way. */
void bus_streams_free (BusStreams *streams);

/**
 * bus_streams_open:
 * @uid: who reads it, for the limit on streams that one user has open
 * @source: (transfer full): in any case
 *
 * Returns: a file descriptor (transfer full) to read from; or -1 with a BUS_ERROR
 */
int bus_streams_open (BusStreams *streams, gint64 uid, const BusStreamSource *functions, gpointer source,
                      GError **error);

/**
 * bus_stream_put:
 * @piece: (nullable): %NULL at the end, after which the stream is gone
 */
void bus_stream_put (BusStream *stream, GBytes *piece);

/* How many are being read. */
guint bus_streams_count (const BusStreams *streams);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (BusStreams, bus_streams_free)
