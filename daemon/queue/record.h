/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "queue/bytes.h"
#include "queue/message.h"

/*
 * What a message is made of on the disk. Its parts are written, overridden, moved and read one by one:
 *
 *  - the message: envelope, origin and all else that is known at the arrival and never changes; it makes the chunks
 *    before it a message;
 *  - its content in chunks of QUEUE_CHUNK_BYTES, the last one shorter;
 *  - the state of its recipients in segments of QUEUE_SEGMENT_RECIPIENTS, so that the thousandth settle of a message
 *    with ten thousand recipients writes no more than the first;
 *  - its head: what the index needs to know of it without reading more, and what a bulk action changes.
 */
typedef enum {
    QUEUE_PART_CONTENT = 1, /* number: of the chunk */
    QUEUE_PART_MESSAGE = 2,
    QUEUE_PART_STATE = 3,   /* number: of the segment */
    QUEUE_PART_HEADS = 4,   /* heads of any messages; in a journal */
    QUEUE_PART_REMOVAL = 5, /* ids of messages that are no more; number: of the page in a sealed generation */
    QUEUE_PART_PROBE = 6,   /* says nothing; written to see whether the disk works again; in a journal */
    QUEUE_PART_META = 7,    /* what a sealed generation is */
    QUEUE_PART_INDEX = 8    /* the parts in a sealed generation, with the heads; number: of the page */
} QueuePart;

/* GDBM copies a value in one piece, and a reader holds one or two of them; 64 KiB keeps that small and the keys few. */
#define QUEUE_CHUNK_BYTES (64 * 1024)

/* Some 10 KiB when all have a long last reply. */
#define QUEUE_SEGMENT_RECIPIENTS 128

typedef enum {
    QUEUE_HEAD_HELD = 1 << 0,
    QUEUE_HEAD_DEFERRED = 1 << 1, /* it was tried, or its recipients' results changed */
    QUEUE_HEAD_DOOMED = 1 << 2,   /* to be removed as soon as no delivery has it */
    QUEUE_HEAD_RELEASED = 1 << 3, /* it was held, and released */
    QUEUE_HEAD_BOUNCED = 1 << 4   /* its pending recipients are to be given up */
} QueueHeadFlags;

typedef struct {
    guint32 flags;
    guint32 pending; /* recipients */
    gint64 next_usec;
    guint64 recipients; /* bits of the addresses and domains of those that are pending: see queue_record_bits () */
    guint32 remote;     /* hash of the last remote tried, 0: none */
    guint32 attempts;
} QueueHead;

#define QUEUE_HEAD_BYTES 32

/* What the index knows beside the head. */
typedef struct {
    gint64 arrival_usec;
    guint64 size;
    gint64 uid;     /* or one of those below */
    guint32 sender; /* hash */
    guint32 n_recipients;
    guint32 n_chunks;
} QueueSummary;

/* Whose a message is that is no user's. */
#define QUEUE_UID_UNKNOWN -1 /* those of whom nothing is known */
#define QUEUE_UID_RELAY   -2 /* our own: a notice */

/* The bits that an address or a domain sets in a head's recipients. A pending recipient sets both. */
guint64 queue_record_bits (const gchar *text);

guint queue_record_segments (guint n_recipients);

/* How many chunks content of this size has. */
guint64 queue_record_chunks (guint64 size);

void queue_record_put_head (GByteArray *bytes, const QueueHead *head);
void queue_span_head (QueueSpan *span, QueueHead *head);
void queue_record_put_summary (GByteArray *bytes, const QueueSummary *summary);
void queue_span_summary (QueueSpan *span, QueueSummary *summary);

/* Fills in pending, recipients and remote of @head, which follow from the recipients' states. */
void queue_record_fill_head (const QueueMessage *message, QueueHead *head);

/* Returns: (transfer full): the part QUEUE_PART_MESSAGE */
GBytes *queue_record_message (const QueueMessage *message, const QueueHead *head, const QueueSummary *summary);

/* Returns: (transfer full): the message as it arrived; %NULL if @payload is none. */
QueueMessage *queue_record_read_message (GBytes *payload, QueueId id, QueueHead *head, QueueSummary *summary);

/* The head and the summary in such a part. FALSE: it is none */
gboolean queue_record_message_front (GBytes *payload, QueueHead *head, QueueSummary *summary);

/* Returns: (transfer full): a part that begins with a head (a message or a state), with another head */
GBytes *queue_record_with_head (GBytes *payload, const QueueHead *head);

/* Returns: (transfer full): the part QUEUE_PART_STATE */
GBytes *queue_record_state (const QueueMessage *message, guint segment, const QueueHead *head);

/* Returns: (transfer full): what stands for a QUEUE_PART_STATE that the disk damaged: it fits no message */
GBytes *queue_record_lost_state (const QueueHead *head);

/* Whether the states of the message's recipients are those that the head was made of. A crash between the records of two
 * segments leaves a head that is newer than one of them: so this says something of messages of one segment only. */
gboolean queue_record_fits_head (const QueueMessage *message, const QueueHead *head);

/* The head in a part that begins with one. FALSE: it is too short. */
gboolean queue_record_state_head (GBytes *payload, QueueHead *head);

/* Returns: (transfer full): the parts QUEUE_PART_HEADS and QUEUE_PART_REMOVAL of a single message */
GBytes *queue_record_one_head (QueueId id, const QueueHead *head);
GBytes *queue_record_removal (QueueId id);

/* Puts the state of a segment into a message that nobody else has seen yet. FALSE: @payload does not fit it. */
gboolean queue_record_apply_state (GBytes *payload, guint segment, QueueMessage *message);
