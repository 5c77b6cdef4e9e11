/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The alphabet of the store's records
 *
 * Writers append to a GByteArray and cannot fail. Readers take from a span, which remembers that something did not
 * fit, so that a decoder reads a whole record and asks once at its end. Checksums come before decoding: a record that
 * passes its checksum and still does not decode was written by somebody else's mistake, not by a bad disk.
 */

#include <string.h>

/* Its few kilobytes are compiled in: the pages of one more shared library would cost ten times as much memory. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "queue/bytes.h"

/* Seven bits of 64 a byte */
#define VARINT_LONGEST_BYTES 10

guint64
queue_bytes_checksum (gconstpointer data, gsize length, guint64 seed)
{
    return XXH3_64bits_withSeed (data, length, seed);
}

guint32
queue_bytes_hash_text (const gchar *text)
{
    return text == NULL ? 0 : (guint32) XXH3_64bits (text, strlen (text));
}

void
queue_bytes_put_u8 (GByteArray *bytes, guint8 value)
{
    g_byte_array_append (bytes, &value, 1);
}

void
queue_bytes_put_u32 (GByteArray *bytes, guint32 value)
{
    value = GUINT32_TO_LE (value);
    g_byte_array_append (bytes, (const guint8 *) &value, sizeof value);
}

void
queue_bytes_put_u64 (GByteArray *bytes, guint64 value)
{
    value = GUINT64_TO_LE (value);
    g_byte_array_append (bytes, (const guint8 *) &value, sizeof value);
}

void
queue_bytes_put_varint (GByteArray *bytes, guint64 value)
{
    guint8 varint[VARINT_LONGEST_BYTES];
    guint length = 0;

    for (; value > 0x7f; value >>= 7)
        varint[length++] = (guint8) (value | 0x80);
    varint[length++] = (guint8) value;
    g_byte_array_append (bytes, varint, length);
}

void
queue_bytes_put_text (GByteArray *bytes, const gchar *text)
{
    gsize length;

    if (text == NULL) {
        queue_bytes_put_varint (bytes, 0);
        return;
    }
    length = strlen (text);
    queue_bytes_put_varint (bytes, (guint64) length + 1);
    g_byte_array_append (bytes, (const guint8 *) text, (guint) length);
}

static gboolean
span_take (QueueSpan *span, gpointer to, gsize length)
{
    if (span->bad || span->left < length) {
        span->bad = TRUE;
        memset (to, 0, length);
        return FALSE;
    }
    memcpy (to, span->data, length);
    span->data += length;
    span->left -= length;

    return TRUE;
}

guint8
queue_span_u8 (QueueSpan *span)
{
    guint8 value;

    span_take (span, &value, sizeof value);

    return value;
}

guint32
queue_span_u32 (QueueSpan *span)
{
    guint32 value;

    span_take (span, &value, sizeof value);

    return GUINT32_FROM_LE (value);
}

guint64
queue_span_u64 (QueueSpan *span)
{
    guint64 value;

    span_take (span, &value, sizeof value);

    return GUINT64_FROM_LE (value);
}

guint64
queue_span_varint (QueueSpan *span)
{
    guint64 value = 0;

    for (guint shift = 0; shift < 64; shift += 7) {
        guint8 byte = queue_span_u8 (span);

        value |= (guint64) (byte & 0x7f) << shift;
        if ((byte & 0x80) == 0)
            return value;
    }
    span->bad = TRUE;

    return 0;
}

gchar *
queue_span_text (QueueSpan *span)
{
    guint64 length = queue_span_varint (span);
    gchar *text;

    if (length == 0)
        return NULL;
    if (length - 1 > span->left || memchr (span->data, '\0', length - 1) != NULL) {
        span->bad = TRUE;
        return NULL;
    }
    text = g_malloc (length);
    span_take (span, text, length - 1);
    text[length - 1] = '\0';

    return text;
}
