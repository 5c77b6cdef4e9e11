/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "queue/journal.h"
#include "queue/sealed.h"

/*
 * A generation as the rest of the room sees it: a number, a file that holds parts, and how much of it still lives.
 * Counted by references, so that a file stays readable for whoever was sent to it, even after it was removed.
 */
typedef struct {
    gint references; /* atomic */
    guint32 number;
    gchar *path;
    gint fd;           /* of a journal, -1 of a sealed one */
    guint64 seed;      /* of a journal */
    QueueSealed *file; /* of a sealed one: the reader's */

    gboolean damaged; /* parts of it cannot be read: kept for a person to look at */

    /* Guarded by the catalog's lock. */
    guint64 live_bytes;
    guint64 live_parts;
    guint64 stored_bytes; /* of a sealed one: what lived when it was made */
    guint64 disk_bytes;
    GArray *removals; /* of QueueRemoval: the marks that lie here */
} QueueGeneration;

/* A mark that a message is no more. It is needed as long as a generation exists in which the message's record may be. */
typedef struct {
    QueueId id;
    guint32 target; /* where it lay */
    guint32 copy;   /* where a sealing that was under way may have copied it; 0: nowhere */
} QueueRemoval;

/* @fd: taken over. @path: copied */
QueueGeneration *queue_generation_new_journal (guint32 number, const gchar *path, gint fd, guint64 seed);

/* @file: (transfer full): open for the reading thread from here on, so that it can be read to the end whoever removes it */
QueueGeneration *queue_generation_new_sealed (guint32 number, const gchar *path, QueueSealed *file);
gboolean queue_generation_is_sealed (const QueueGeneration *generation);

QueueGeneration *queue_generation_ref (QueueGeneration *generation);
void queue_generation_unref (QueueGeneration *generation);

/* Opens the journal's file by its name, since one that was open when its disk was away stays dead; the open one if there is
 * no such file any more. From any thread. Returns: to be closed; -1 with QUEUE_ERROR_IO */
gint queue_generation_open_journal (const QueueGeneration *generation, GError **error);

/**
 * queue_generation_read:
 *
 * Reads one part. On one thread only, the reader's, as GDBM asks for that.
 *
 * Returns: (transfer full): or %NULL with QUEUE_ERROR_IO
 */
GBytes *queue_generation_read (QueueGeneration *generation, const QueuePlace *place, QueuePart part, QueueId id,
                               guint32 number, GError **error);

/* The name of a generation's file: "0000000012.journal", "0000000012.gdbm". (transfer full) */
#define QUEUE_GENERATION_JOURNAL "journal"
#define QUEUE_GENERATION_SEALED  "gdbm"
#define QUEUE_GENERATION_MAKING  "gdbm.tmp" /* being sealed; worth nothing after a crash */
#define QUEUE_GENERATION_DAMAGED "damaged"  /* put aside: nothing of ours reads it any more */
gchar *queue_generation_path (const gchar *directory, guint32 number, const gchar *kind);

/* "0000000012.gdbm": the number and what follows the dot. FALSE: no name of ours */
gboolean queue_generation_parse_name (const gchar *name, guint32 *number, const gchar **kind);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (QueueGeneration, queue_generation_unref)
