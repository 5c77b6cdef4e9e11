/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The journal
 *
 * A file that only grows: a header, then records. What is in it was acknowledged exactly up to the last fdatasync, and
 * everything here serves one question: which of the bytes found after a crash are records that were meant to be there?
 *
 * Header, 64 bytes, at offset 0 and again at 4096; records begin at 8192:
 *     0 "PosternJ"        8 u32 version 1      12 u32 generation      16 u64 next id      24 u64 seed, random
 *    32 24 zeroes        56 u64 XXH3 of bytes 0 to 55, seed 0
 *
 * Record: a frame of 48 bytes, the payload, zeroes up to a multiple of 8.
 *     0 u32 magic "pRec"  4 u32 part (QueuePart)   8 u32 length of the payload  12 u32 number   16 u64 id
 *    24 u64 sequence     32 u64 durable           40 u64 XXH3 of bytes 0 to 39, seeded with the XXH3 of the payload,
 *                                                        which is seeded with the file's seed
 *
 * The seed makes whatever an earlier file left in the same disk blocks fail its checksum. The sequence makes records
 * that this file held earlier fail: a batch that could not be written whole is overwritten by the next, and its rest,
 * good by its checksums, has lower numbers than what stands before it.
 *
 * A record that does not check ends the journal. Either the machine stopped while it was being written: then nobody was
 * told that it is safe, and it is cut off with all that follows, even if that is good, because the order of records is
 * promised. Or the disk damaged it later. The field "durable" tells the two apart: a good record further on that was
 * written after the bad one had been synced proves damage; then only the damaged stretch is lost.
 */

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "queue/bytes.h"
#include "queue/journal.h"
#include "queue/queue.h"
#include "queue/window.h"

#define HEADER_MAGIC         "PosternJ"
#define HEADER_MAGIC_BYTES   8
#define HEADER_VERSION       1
#define HEADER_CHECKED_BYTES 56
#define SECOND_HEADER_OFFSET QUEUE_JOURNAL_BLOCK_BYTES
#define FRAME_MAGIC          0x63655270 /* "pRec" */
#define FRAME_CHECKED_BYTES  40

void
queue_journal_write_start (const QueueJournalHeader *header, guint8 bytes[QUEUE_JOURNAL_START_BYTES])
{
    g_autoptr (GByteArray) array = g_byte_array_sized_new (QUEUE_JOURNAL_HEADER_BYTES);

    g_byte_array_append (array, (const guint8 *) HEADER_MAGIC, HEADER_MAGIC_BYTES);
    queue_bytes_put_u32 (array, HEADER_VERSION);
    queue_bytes_put_u32 (array, header->generation);
    queue_bytes_put_u64 (array, header->next_id);
    queue_bytes_put_u64 (array, header->seed);
    while (array->len < HEADER_CHECKED_BYTES)
        queue_bytes_put_u8 (array, 0);
    queue_bytes_put_u64 (array, queue_bytes_checksum (array->data, HEADER_CHECKED_BYTES, 0));

    memset (bytes, 0, QUEUE_JOURNAL_START_BYTES);
    memcpy (bytes, array->data, QUEUE_JOURNAL_HEADER_BYTES);
    memcpy (bytes + SECOND_HEADER_OFFSET, array->data, QUEUE_JOURNAL_HEADER_BYTES);
}

static gboolean
read_header (const guint8 *bytes, QueueJournalHeader *header, GError **error)
{
    QueueSpan span = {.data = bytes + HEADER_MAGIC_BYTES, .left = QUEUE_JOURNAL_HEADER_BYTES - HEADER_MAGIC_BYTES};
    QueueSpan checksum = {.data = bytes + HEADER_CHECKED_BYTES, .left = sizeof (guint64)};
    guint32 version;

    if (memcmp (bytes, HEADER_MAGIC, HEADER_MAGIC_BYTES) != 0 ||
        queue_span_u64 (&checksum) != queue_bytes_checksum (bytes, HEADER_CHECKED_BYTES, 0)) {
        g_set_error_literal (error, QUEUE_ERROR, QUEUE_ERROR_DAMAGED, "the journal's header is damaged");
        return FALSE;
    }
    version = queue_span_u32 (&span);
    if (version > HEADER_VERSION) {
        g_set_error (error, QUEUE_ERROR, QUEUE_ERROR_VERSION,
                     "a newer version of Postern wrote this journal (format %u, this version reads up to %u)",
                     version, HEADER_VERSION);
        return FALSE;
    }
    header->generation = queue_span_u32 (&span);
    header->next_id = queue_span_u64 (&span);
    header->seed = queue_span_u64 (&span);

    return TRUE;
}

gboolean
queue_journal_read_start (const guint8 bytes[QUEUE_JOURNAL_START_BYTES], QueueJournalHeader *header, GError **error)
{
    return read_header (bytes + SECOND_HEADER_OFFSET, header, NULL) || read_header (bytes, header, error);
}

static guint64
frame_checksum (const guint8 *frame, gconstpointer payload, gsize length, guint64 seed)
{
    return queue_bytes_checksum (frame, FRAME_CHECKED_BYTES, queue_bytes_checksum (payload, length, seed));
}

void
queue_journal_write_frame (const QueueFrame *frame, gconstpointer payload, gsize length, guint64 seed,
                           guint8 bytes[QUEUE_JOURNAL_FRAME_BYTES])
{
    const guint32 words[] = {GUINT32_TO_LE (FRAME_MAGIC), GUINT32_TO_LE ((guint32) frame->part),
                             GUINT32_TO_LE ((guint32) length), GUINT32_TO_LE (frame->number)};
    const guint64 longs[] = {GUINT64_TO_LE (frame->id), GUINT64_TO_LE (frame->sequence),
                             GUINT64_TO_LE (frame->durable)};
    guint64 checksum;

    memcpy (bytes, words, sizeof words);
    memcpy (bytes + sizeof words, longs, sizeof longs);
    checksum = GUINT64_TO_LE (frame_checksum (bytes, payload, length, seed));
    memcpy (bytes + FRAME_CHECKED_BYTES, &checksum, sizeof checksum);
}

gsize
queue_journal_record_bytes (gsize length)
{
    gsize bytes = QUEUE_JOURNAL_FRAME_BYTES + length;

    return (bytes + QUEUE_JOURNAL_ALIGN_BYTES - 1) / QUEUE_JOURNAL_ALIGN_BYTES * QUEUE_JOURNAL_ALIGN_BYTES;
}

/* Reads a frame without its checksum. FALSE: these bytes are no frame. */
static gboolean
parse_frame (const guint8 *bytes, QueueFrame *frame, guint32 *length, guint64 *checksum)
{
    QueueSpan span = {.data = bytes, .left = QUEUE_JOURNAL_FRAME_BYTES};

    if (queue_span_u32 (&span) != FRAME_MAGIC)
        return FALSE;
    frame->part = queue_span_u32 (&span);
    *length = queue_span_u32 (&span);
    frame->number = queue_span_u32 (&span);
    frame->id = queue_span_u64 (&span);
    frame->sequence = queue_span_u64 (&span);
    frame->durable = queue_span_u64 (&span);
    *checksum = queue_span_u64 (&span);

    return *length <= QUEUE_PART_MOST_BYTES;
}

GBytes *
queue_journal_read (int fd, guint64 seed, const QueuePlace *place, QueuePart part, QueueId id, guint32 number,
                    GError **error)
{
    gsize whole = QUEUE_JOURNAL_FRAME_BYTES + (gsize) place->length;
    g_autofree guint8 *data = g_malloc (whole);
    gssize n = queue_window_read (fd, data, whole, place->offset);
    g_autoptr (GBytes) record = NULL;
    QueueFrame frame;
    guint32 length;
    guint64 checksum;

    if (n < 0) {
        g_set_error (error, QUEUE_ERROR, QUEUE_ERROR_IO, "it cannot be read: %s", g_strerror (errno));
        return NULL;
    }
    if ((gsize) n < whole || !parse_frame (data, &frame, &length, &checksum) || length != place->length ||
        frame.part != part || frame.id != id || frame.number != number ||
        checksum != frame_checksum (data, data + QUEUE_JOURNAL_FRAME_BYTES, length, seed)) {
        g_set_error (error, QUEUE_ERROR, QUEUE_ERROR_DAMAGED,
                     "the journal of generation %u is damaged at offset %" G_GUINT64_FORMAT, place->generation,
                     place->offset);
        return NULL;
    }
    record = g_bytes_new_take (g_steal_pointer (&data), whole);

    return g_bytes_new_from_bytes (record, QUEUE_JOURNAL_FRAME_BYTES, length);
}

/* Whether a good record stands at @offset. @error is set only if the disk fails. */
static const guint8 *
window_record (QueueWindow *window, guint64 offset, guint64 seed, QueueFrame *frame, guint32 *length, GError **error)
{
    const guint8 *bytes = queue_window_at (window, offset, QUEUE_JOURNAL_FRAME_BYTES, error);
    guint64 checksum;

    if (bytes == NULL || !parse_frame (bytes, frame, length, &checksum))
        return NULL;
    bytes = queue_window_at (window, offset, QUEUE_JOURNAL_FRAME_BYTES + (gsize) *length, error);
    if (bytes == NULL || checksum != frame_checksum (bytes, bytes + QUEUE_JOURNAL_FRAME_BYTES, *length, seed))
        return NULL;

    return bytes + QUEUE_JOURNAL_FRAME_BYTES;
}

/*
 * Looks behind a bad record at @offset for the next good one of the same life of the file.
 *
 * Returns: its offset; 0 if there is none. *@proven: some good record behind says that the bad one had been synced.
 */
static guint64
find_next (QueueWindow *window, guint64 offset, guint64 seed, guint64 sequence, gboolean *proven, GError **error)
{
    guint64 first = 0;
    GError *failed = NULL;

    *proven = FALSE;
    for (guint64 at = offset + QUEUE_JOURNAL_ALIGN_BYTES;
         queue_window_at (window, at, QUEUE_JOURNAL_FRAME_BYTES, &failed) != NULL; at += QUEUE_JOURNAL_ALIGN_BYTES) {
        QueueFrame frame;
        guint32 length;

        if (window_record (window, at, seed, &frame, &length, &failed) == NULL || frame.sequence <= sequence)
            continue;
        if (first == 0)
            first = at;
        if (frame.durable > offset) {
            *proven = TRUE;
            return first;
        }
        at += queue_journal_record_bytes (length) - QUEUE_JOURNAL_ALIGN_BYTES;
    }
    if (failed != NULL)
        g_propagate_error (error, failed);

    return first;
}

static gboolean
scan_records (QueueWindow *window, const QueueJournalHeader *header, QueueJournalRecord record, gpointer user_data,
              gboolean salvage, QueueJournalScan *scan, GError **error)
{
    guint64 offset = QUEUE_JOURNAL_START_BYTES;
    GError *failed = NULL;

    while (failed == NULL) {
        QueueFrame frame;
        guint32 length;
        const guint8 *data = window_record (window, offset, header->seed, &frame, &length, &failed);

        if (data != NULL && frame.sequence > scan->sequence) {
            const QueuePlace place = {.offset = offset, .length = length, .generation = header->generation};
            g_autoptr (GBytes) payload = g_bytes_new (data, length);

            record (&frame, &place, payload, user_data);
            scan->sequence = frame.sequence;
            scan->n_records++;
            offset += queue_journal_record_bytes (length);
            scan->end = offset;
        } else if (failed == NULL) {
            gboolean proven;
            guint64 next = find_next (window, offset, header->seed, scan->sequence, &proven, &failed);

            if (!proven && (!salvage || next == 0))
                break;
            scan->lost_bytes += next - offset;
            offset = next;
        }
    }
    if (failed != NULL) {
        g_propagate_error (error, failed);
        return FALSE;
    }

    return TRUE;
}

/* Whether anything but zeroes (which a file may have got in advance) lies behind @offset. */
static gboolean
has_more (QueueWindow *window, guint64 offset)
{
    const guint8 *byte;

    while ((byte = queue_window_at (window, offset, 1, NULL)) != NULL) {
        gsize left = queue_window_left (window, offset);

        for (gsize i = 0; i < left; i++) {
            if (byte[i] != 0)
                return TRUE;
        }
        offset += left;
    }

    return FALSE;
}

static gboolean
scan_journal (int fd, QueueJournalHeader *header, QueueJournalRecord record, gpointer user_data, gboolean salvage,
              QueueJournalScan *scan, GError **error)
{
    g_auto (QueueWindow) window = {.fd = fd, .tolerant = salvage};
    g_autoptr (GError) failed = NULL;
    const guint8 *bytes = queue_window_at (&window, 0, QUEUE_JOURNAL_START_BYTES, &failed);
    gboolean good = FALSE;

    *scan = (QueueJournalScan){.end = QUEUE_JOURNAL_START_BYTES};
    if (bytes == NULL && failed == NULL)
        g_set_error_literal (&failed, QUEUE_ERROR, QUEUE_ERROR_DAMAGED, "the journal is shorter than its header");
    else if (bytes != NULL && queue_journal_read_start (bytes, header, &failed))
        good = scan_records (&window, header, record, user_data, salvage, scan, &failed);
    scan->torn = good && has_more (&window, scan->end);
    scan->unreadable_bytes = window.unreadable_bytes;
    if (!good)
        g_propagate_error (error, g_steal_pointer (&failed));

    return good;
}

gboolean
queue_journal_scan (int fd, QueueJournalHeader *header, QueueJournalRecord record, gpointer user_data,
                    QueueJournalScan *scan, GError **error)
{
    return scan_journal (fd, header, record, user_data, FALSE, scan, error);
}

gboolean
queue_journal_salvage (int fd, QueueJournalHeader *header, QueueJournalRecord record, gpointer user_data,
                       QueueJournalScan *scan, GError **error)
{
    return scan_journal (fd, header, record, user_data, TRUE, scan, error);
}
