/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * A value in GDBM, and its key
 *
 * Key, 16 bytes: 0 u64 id  8 u32 number  12 u32 part (QueuePart).
 *
 * Value, version 2: a frame of 24 bytes and the payload.
 *     0 u32 magic "pVal"  4 u32 length of the payload   8 u64 seed, random, the same in all values of a file
 *    16 u64 XXH3 of the payload, seeded with the XXH3 of the key, which is seeded with the seed
 * Version 1 was a u64 XXH3 of the payload, seeded with the XXH3 of the key, and the payload. It is still read.
 *
 * A value that GDBM finds under the wrong key, or that the disk changed, does not check. And since GDBM puts a value right
 * behind its key, both can be found in the bytes of a file of which GDBM makes nothing any more: see salvage.c. The seed
 * is for that: who sends mail that looks like values does not know it.
 */

#include <string.h>

#include "queue/value.h"

#define MAGIC               "pVal"
#define MAGIC_BYTES         4
#define SEED_OFFSET         8
#define CHECKSUM_OFFSET     16
#define CHECKSUM_BYTES      8
#define VALUE_1_FRAME_BYTES 8
#define VALUE_1_SEED        0

/* As QUEUE_PART_MOST_BYTES of the journal: no part is longer. */
#define PAYLOAD_MOST_BYTES (64 * 1024 * 1024)

void
queue_value_write_key (const QueueValueKey *key, guint8 bytes[QUEUE_VALUE_KEY_BYTES])
{
    const guint64 wide = GUINT64_TO_LE (key->id);
    const guint32 narrow[] = {GUINT32_TO_LE (key->number), GUINT32_TO_LE ((guint32) key->part)};

    memcpy (bytes, &wide, sizeof wide);
    memcpy (bytes + sizeof wide, narrow, sizeof narrow);
}

void
queue_value_read_key (const guint8 bytes[QUEUE_VALUE_KEY_BYTES], QueueValueKey *key)
{
    QueueSpan span = {.data = bytes, .left = QUEUE_VALUE_KEY_BYTES};

    key->id = queue_span_u64 (&span);
    key->number = queue_span_u32 (&span);
    key->part = queue_span_u32 (&span);
}

static guint64
checksum_of (const guint8 key[QUEUE_VALUE_KEY_BYTES], gconstpointer payload, gsize length, guint64 seed)
{
    return queue_bytes_checksum (payload, length, queue_bytes_checksum (key, QUEUE_VALUE_KEY_BYTES, seed));
}

void
queue_value_write_frame (const guint8 key[QUEUE_VALUE_KEY_BYTES], gconstpointer payload, gsize length, guint64 seed,
                         guint8 frame[QUEUE_VALUE_FRAME_BYTES])
{
    const guint32 narrow = GUINT32_TO_LE ((guint32) length);
    const guint64 wide = GUINT64_TO_LE (seed), checksum = GUINT64_TO_LE (checksum_of (key, payload, length, seed));

    memcpy (frame, MAGIC, MAGIC_BYTES);
    memcpy (frame + MAGIC_BYTES, &narrow, sizeof narrow);
    memcpy (frame + SEED_OFFSET, &wide, sizeof wide);
    memcpy (frame + CHECKSUM_OFFSET, &checksum, CHECKSUM_BYTES);
}

static guint32
frame_length (const guint8 *frame)
{
    QueueSpan span = {.data = frame + MAGIC_BYTES, .left = sizeof (guint32)};

    return queue_span_u32 (&span);
}

guint64
queue_value_seed (const guint8 frame[QUEUE_VALUE_FRAME_BYTES])
{
    QueueSpan span = {.data = frame + SEED_OFFSET, .left = sizeof (guint64)};

    return queue_span_u64 (&span);
}

/* @stored: the checksum */
static gboolean
checks (const guint8 key[QUEUE_VALUE_KEY_BYTES], const guint8 *stored, const guint8 *payload, gsize length,
        guint64 seed)
{
    QueueSpan span = {.data = stored, .left = CHECKSUM_BYTES};

    return queue_span_u64 (&span) == checksum_of (key, payload, length, seed);
}

gsize
queue_value_check (const guint8 key[QUEUE_VALUE_KEY_BYTES], const guint8 *value, gsize length)
{
    if (length >= QUEUE_VALUE_FRAME_BYTES && memcmp (value, MAGIC, MAGIC_BYTES) == 0 &&
        frame_length (value) == length - QUEUE_VALUE_FRAME_BYTES &&
        checks (key, value + CHECKSUM_OFFSET, value + QUEUE_VALUE_FRAME_BYTES, length - QUEUE_VALUE_FRAME_BYTES,
                queue_value_seed (value)))
        return QUEUE_VALUE_FRAME_BYTES;
    if (length >= VALUE_1_FRAME_BYTES &&
        checks (key, value, value + VALUE_1_FRAME_BYTES, length - VALUE_1_FRAME_BYTES, VALUE_1_SEED))
        return VALUE_1_FRAME_BYTES;

    return 0;
}

gsize
queue_value_find (const guint8 *bytes, gsize length, gsize from, guint32 *payload_bytes)
{
    from = MAX (from, QUEUE_VALUE_KEY_BYTES);
    while (from + QUEUE_VALUE_FRAME_BYTES <= length) {
        const guint8 *found = memmem (bytes + from, length - from, MAGIC, MAGIC_BYTES);
        gsize at;

        if (found == NULL)
            return 0;
        at = (gsize) (found - bytes);
        if (at + QUEUE_VALUE_FRAME_BYTES > length)
            return 0;
        *payload_bytes = frame_length (found);
        if (*payload_bytes <= PAYLOAD_MOST_BYTES)
            return at;
        from = at + 1;
    }

    return 0;
}
