/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "queue/catalog.h"

/*
 * Makes one sealed generation out of others: what a thread does in the background.
 */
typedef struct {
    const gchar *directory;
    QueueCatalog *catalog;
    guint32 into;      /* the highest of the sources, a closed journal */
    GArray *sources;   /* of guint32, rising: closed journals, and sealed generations that are merged with them */
    GArray *leftovers; /* of guint32, rising: not in the catalog any more, but their files could not be removed yet */
    QueueId next_id;   /* greater than all ids that were given */
    const gint *cancel; /* atomic: gives up, leaving all as it was */
    GArray *damaged;    /* (out) of QueueId: messages a part of which could not be read */
} QueueSeal;

/**
 * queue_seal_run:
 *
 * Copies what lives in the sources into a sealed generation, if anything does, makes it durable, puts it in their
 * place in the catalog, and adds the sources to the leftovers.
 *
 * Returns: %FALSE with a QUEUE_ERROR; then nothing changed
 */
gboolean queue_seal_run (QueueSeal *seal, GError **error);

/* Gives the file of a damaged generation a second name: a person may want to look at it. It keeps its own, where that can be,
 * until the leftovers are removed in their order: marks in it may be all that keeps what an older one holds from coming back. */
void queue_seal_keep_damaged (const QueueGeneration *generation);

/**
 * queue_seal_remove_leftovers:
 *
 * Removes the files of the leftovers, the oldest first, each before the next: what was removed from an older generation
 * must not come back because the mark in a newer one went first.
 *
 * Returns: %FALSE with a QUEUE_ERROR; what could not be removed is still in the list
 */
gboolean queue_seal_remove_leftovers (const gchar *directory, GArray *leftovers, GError **error);
