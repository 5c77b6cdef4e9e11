/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "queue/catalog.h"
#include "queue/mailbox.h"

/*
 * Keeps the store in shape: decides what is sealed, merged and dropped, and has it done on a thread in the background,
 * one thing at a time. Called on the main thread.
 */

typedef struct _QueueSealer QueueSealer;

/* What was begun is over. @damaged: of QueueId: messages a part of which could not be read; @error: (nullable): what
 * went wrong, to be tried again later */
typedef void (*QueueSealerDone) (const GArray *damaged, const GError *error, gpointer user_data);

QueueSealer *queue_sealer_new (const gchar *directory, QueueCatalog *catalog, QueueMailbox *mailbox,
                               QueueSealerDone done, gpointer user_data);

/* What a decision depends on, beside the catalog. */
typedef struct {
    guint32 closed;           /* generations up to this take no more records */
    QueueId next_id;          /* greater than all ids that were given */
    guint64 generation_bytes; /* as configured */
    guint64 free_bytes;       /* on the disk */
    gboolean only_drop;       /* what is dead: sealing failed a short while ago */
} QueueSealerView;

/**
 * queue_sealer_start:
 *
 * Looks whether there is something to do, and begins it. Does nothing while something is being done.
 *
 * Returns: whether something is being done
 */
gboolean queue_sealer_start (QueueSealer *sealer, const QueueSealerView *view);

gboolean queue_sealer_is_busy (const QueueSealer *sealer);

/* Gives up what is being done, leaving all as it was, and waits for that. The last call waits in the mailbox. */
void queue_sealer_stop (QueueSealer *sealer);

/* Seals the closed journals, now and here, merging nothing, unless that would take long: for closing. */
gboolean queue_sealer_finish (QueueSealer *sealer, const QueueSealerView *view, GError **error);

void queue_sealer_free (QueueSealer *sealer);
