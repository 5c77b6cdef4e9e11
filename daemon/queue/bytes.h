/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/*
 * Numbers and texts as bytes: the alphabet of the store's records. Everything is little-endian. A text is a varint and
 * its bytes: 0 is NULL, otherwise one more than the length.
 */

/* XXH3 with 64 bits; the seed keeps records of one file from passing as another's. */
guint64 queue_bytes_checksum (gconstpointer data, gsize length, guint64 seed);

/* A hash that is the same on every machine and in every version: it is stored. @text: (nullable) */
guint32 queue_bytes_hash_text (const gchar *text);

void queue_bytes_put_u8 (GByteArray *bytes, guint8 value);
void queue_bytes_put_u32 (GByteArray *bytes, guint32 value);
void queue_bytes_put_u64 (GByteArray *bytes, guint64 value);
void queue_bytes_put_varint (GByteArray *bytes, guint64 value);
void queue_bytes_put_text (GByteArray *bytes, const gchar *text);

/* Bytes that are being read. Reading past the end, or what cannot be right, sets @bad and gives zeroes from then on. */
typedef struct {
    const guint8 *data;
    gsize left;
    gboolean bad;
} QueueSpan;

guint8 queue_span_u8 (QueueSpan *span);
guint32 queue_span_u32 (QueueSpan *span);
guint64 queue_span_u64 (QueueSpan *span);
guint64 queue_span_varint (QueueSpan *span);
gchar *queue_span_text (QueueSpan *span); /* (transfer full) (nullable) */
