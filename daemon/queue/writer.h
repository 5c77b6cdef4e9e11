/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "queue/appender.h"
#include "queue/command.h"
#include "queue/mailbox.h"

/*
 * The one thread that writes to journals. Commands go in on the main thread and come back there, in the same order.
 */

typedef struct _QueueWriter QueueWriter;

typedef struct {
    /* A new generation was begun; all commands that went to @closed are done. 0: there was none before. */
    void (*begun) (guint32 closed, gpointer user_data);

    /* queue_writer_roll () failed; the journal is the same as before. */
    void (*roll_failed) (const GError *error, gpointer user_data);

    /* The newest journal has more than was set with queue_writer_set_full (); told once. */
    void (*full) (gpointer user_data);

    /* The disk's trouble began, changed (@error), or ended (NULL). */
    void (*trouble) (const GError *error, gpointer user_data);
} QueueWriterListener;

/**
 * queue_writer_new:
 * @appender: (transfer full)
 * @next_id: greater than all ids that were given
 *
 * Starts the thread, which begins a generation.
 */
QueueWriter *queue_writer_new (QueueAppender *appender, QueueCatalog *catalog, QueueMailbox *mailbox,
                               const gchar *directory, QueueId next_id, const QueueWriterListener *listener,
                               gpointer user_data);

/* @command: (transfer full): freed after it is done */
void queue_writer_push (QueueWriter *writer, QueueCommand *command);

/* Asks for a new generation as soon as what was pushed before is done. @next_id as above. */
void queue_writer_roll (QueueWriter *writer, QueueId next_id);

/* How large a journal may become. */
void queue_writer_set_full (QueueWriter *writer, guint64 bytes);

/* Bytes of records in the newest journal, as far as they are written. From any thread. */
guint64 queue_writer_journal_bytes (QueueWriter *writer);

/* Free bytes of the file system, told by it not long ago, less what was written since. From any thread. */
guint64 queue_writer_free_bytes (QueueWriter *writer);

/* The file system is to be asked anew, soon. */
void queue_writer_ask_space (QueueWriter *writer);

/* Bytes of content in commands that wait for the kernel. From any thread. */
guint64 queue_writer_backlog (QueueWriter *writer);

/* Writes what was pushed, ends the thread. What could not be written is done with an error. The last calls wait in the
 * mailbox. */
void queue_writer_stop (QueueWriter *writer);

/* Only after queue_writer_stop (). What was pushed since is done with an error. */
void queue_writer_free (QueueWriter *writer);
