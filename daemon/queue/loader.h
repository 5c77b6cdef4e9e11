/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "queue/catalog.h"
#include "queue/mailbox.h"

/*
 * The one thread that reads parts, for deliveries and for whoever looks. Called on the main thread.
 */

typedef struct _QueueLoader QueueLoader;

QueueLoader *queue_loader_new (QueueCatalog *catalog, QueueMailbox *mailbox);

/* Ends the thread; what was asked for and is not read yet comes with an error. The last calls wait in the mailbox. */
void queue_loader_stop (QueueLoader *loader);
void queue_loader_free (QueueLoader *loader);

/* A message that was asked for. Its state, next attempt, attempts and reason are for the caller to fill in. */
typedef struct {
    QueueId id;
    QueueHead head;        /* as it was when it was asked for */
    QueueMessage *message; /* (nullable): with @error */
    GError *error;
} QueueLoaded;

/* @loaded: of QueueLoaded, in the order of the entries (transfer none) */
typedef void (*QueueLoadedFunc) (GArray *loaded, gpointer user_data);

/* Reads messages, as they are on the disk now. @entries: of QueueEntry, (transfer none) */
void queue_loader_messages (QueueLoader *loader, GPtrArray *entries, QueueLoadedFunc loaded, gpointer user_data);

/* @piece: NULL with @error */
typedef void (*QueueChunkFunc) (GBytes *piece, const GError *error, gpointer user_data);

/* Reads a chunk of content. */
void queue_loader_chunk (QueueLoader *loader, QueueEntry *entry, guint chunk, QueueChunkFunc done,
                         gpointer user_data);

/* Lets go of a generation's file on the reading thread, which may have it open. (transfer full) */
void queue_loader_release (QueueLoader *loader, QueueGeneration *generation);
