/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "queue/record.h"

/*
 * A journal file: its header, the frames of its records, and how it is read again after a crash.
 */

/* Where a part lies. @generation 0: nowhere. In a sealed generation it is found by its key; @offset says nothing there. */
typedef struct {
    guint64 offset; /* of the record's frame in the journal */
    guint32 length; /* of the part, bytes */
    guint32 generation;
} QueuePlace;

#define QUEUE_JOURNAL_HEADER_BYTES 64
#define QUEUE_JOURNAL_BLOCK_BYTES  4096 /* what a disk loses at once */
#define QUEUE_JOURNAL_START_BYTES  8192 /* where the records begin: the header stands there twice */
#define QUEUE_JOURNAL_FRAME_BYTES  48
#define QUEUE_JOURNAL_ALIGN_BYTES  8

/* No part is longer: ten thousand recipients with the longest addresses and parameters have some 10 MB. */
#define QUEUE_PART_MOST_BYTES (64 * 1024 * 1024)

typedef struct {
    guint32 generation;
    guint64 next_id; /* greater than any id given before this journal was begun */
    guint64 seed;    /* of the checksums: what an earlier file left on the disk can never pass */
} QueueJournalHeader;

/* Makes what stands before the first record. */
void queue_journal_write_start (const QueueJournalHeader *header, guint8 bytes[QUEUE_JOURNAL_START_BYTES]);

/**
 * queue_journal_read_start:
 *
 * Returns: %FALSE with QUEUE_ERROR_VERSION if a newer version wrote the file, with QUEUE_ERROR_DAMAGED if both headers are
 *     damaged
 */
gboolean queue_journal_read_start (const guint8 bytes[QUEUE_JOURNAL_START_BYTES], QueueJournalHeader *header,
                                   GError **error);

typedef struct {
    QueuePart part;
    guint32 number;
    QueueId id;
    guint64 sequence; /* rises with each record of a journal */
    guint64 durable;  /* everything before this offset was on the disk when the record was written */
} QueueFrame;

/* Makes the frame that stands before @payload. */
void queue_journal_write_frame (const QueueFrame *frame, gconstpointer payload, gsize length, guint64 seed,
                                guint8 bytes[QUEUE_JOURNAL_FRAME_BYTES]);

/* Bytes that a record with @length bytes of payload takes in the file. */
gsize queue_journal_record_bytes (gsize length);

/**
 * queue_journal_read:
 *
 * Reads one part again, checking that it is what the frame says. From any thread.
 *
 * Returns: (transfer full): its bytes; or %NULL with QUEUE_ERROR_IO or QUEUE_ERROR_DAMAGED
 */
GBytes *queue_journal_read (int fd, guint64 seed, const QueuePlace *place, QueuePart part, QueueId id, guint32 number,
                            GError **error);

typedef struct {
    guint64 end; /* offset behind the last good record */
    guint64 n_records;
    guint64 sequence;   /* of the last good record */
    guint64 lost_bytes; /* damaged in the middle: acknowledged records that cannot be read */
    gboolean torn;      /* something that was never acknowledged lies behind @end */

    guint64 unreadable_bytes; /* blocks that the disk does not give; only of queue_journal_salvage () */
} QueueJournalScan;

/* A good record; its payload is valid during the call. */
typedef void (*QueueJournalRecord) (const QueueFrame *frame, const QueuePlace *place, GBytes *payload,
                                    gpointer user_data);

/**
 * queue_journal_scan:
 * @header: (out): of the file
 *
 * Reads all records in their order. A record that fails its checksum ends the journal, and what follows was never
 * acknowledged, unless a later good record says that it was: then the disk damaged what it had promised to keep, and
 * the scan goes on behind the damage.
 *
 * Returns: %FALSE with a QUEUE_ERROR if the header cannot be read or the disk fails
 */
gboolean queue_journal_scan (int fd, QueueJournalHeader *header, QueueJournalRecord record, gpointer user_data,
                             QueueJournalScan *scan, GError **error);

/**
 * queue_journal_salvage:
 *
 * The same for a disk that dies: passes over blocks that cannot be read, and takes every good record, also if it cannot be
 * shown that what lies before it had been acknowledged.
 */
gboolean queue_journal_salvage (int fd, QueueJournalHeader *header, QueueJournalRecord record, gpointer user_data,
                                QueueJournalScan *scan, GError **error);
