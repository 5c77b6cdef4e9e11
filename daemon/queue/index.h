/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "queue/journal.h"
#include "queue/record.h"

/*
 * What is known in memory of each message, and the order of all messages by id.
 */

typedef struct _QueueWaiting QueueWaiting; /* lane.h */

/* Places of parts that are numbered; nearly always there is but one. */
typedef union {
    QueuePlace one;
    QueuePlace *many;
} QueuePlaces;

typedef enum {
    QUEUE_ENTRY_BUSY = 1 << 0,   /* there is a QueueWork for it: in a delivery's hands, or records are under way */
    QUEUE_ENTRY_TAKEN = 1 << 1,  /* in a delivery's hands */
    QUEUE_ENTRY_DAMAGED = 1 << 2 /* its record cannot be read: only to be looked at and deleted */
} QueueEntryFlags;

/* A message. The places are guarded by the catalog's lock, as the sealer moves them; the rest belongs to the main
 * thread, which changes the head and the summary only with the lock held, as the sealer reads them. */
typedef struct {
    QueueId id;
    gint64 arrival_usec;
    guint64 size;
    QueueHead head;
    QueuePlace message;
    QueuePlaces state;       /* of its segments; generation 0: as at the arrival */
    QueuePlaces content;     /* of its chunks */
    guint32 head_generation; /* where the head lies */
    guint32 sender;          /* hash */
    guint32 n_recipients;
    guint32 n_chunks;
    guint32 uid;           /* QUEUE_ENTRY_NOBODY: not known */
    guint16 flags;         /* the main thread's alone */
    guint16 is_own;        /* the relay made it */
    QueueWaiting *waiting; /* (nullable) its jobs in lanes, one after the other */
} QueueEntry;

/* (uid_t) -1, which is no user. */
#define QUEUE_ENTRY_NOBODY G_MAXUINT32

/* Returns: (transfer full): an entry without places */
QueueEntry *queue_entry_new (QueueId id, const QueueSummary *summary, const QueueHead *head);
void queue_entry_free (QueueEntry *entry);
void queue_entry_summary (const QueueEntry *entry, QueueSummary *summary);
gint64 queue_entry_uid (const QueueEntry *entry);
gint64 queue_entry_owner (const QueueEntry *entry); /* the same, or QUEUE_UID_RELAY */
QueuePlace *queue_entry_state (QueueEntry *entry, guint segment);
QueuePlace *queue_entry_chunk (QueueEntry *entry, guint chunk);

typedef struct _QueueIndex QueueIndex;

QueueIndex *queue_index_new (void);

/* Frees the entries too. */
void queue_index_free (QueueIndex *index);

guint64 queue_index_length (const QueueIndex *index);
QueueEntry *queue_index_find (const QueueIndex *index, QueueId id); /* (nullable) */

/* The first entry whose id is greater than @after; %NULL at the end. */
QueueEntry *queue_index_after (const QueueIndex *index, QueueId after);

/* The greatest id; 0 if there is no message. */
QueueId queue_index_last (const QueueIndex *index);

/* Puts all of @older, whose ids are less than all in @index, before them; costs next to nothing. @older: (transfer full) */
void queue_index_prepend (QueueIndex *index, QueueIndex *older);

void queue_index_insert (QueueIndex *index, QueueEntry *entry); /* its id is not there yet */
void queue_index_remove (QueueIndex *index, QueueEntry *entry); /* the entry is the caller's again */

G_DEFINE_AUTOPTR_CLEANUP_FUNC (QueueIndex, queue_index_free)
