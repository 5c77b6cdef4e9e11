/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "queue/catalog.h"

/*
 * A generation that is sealed, or merged, into another one. The sealing thread's.
 */
typedef struct {
    QueueGeneration *generation; /* counted */
    QueueSealed *file;           /* (nullable) of a sealed one, once it is open */
    gint fd;                     /* of a journal, once it is open, else -1 */
    gboolean damaged;
} QueueSource;

/* Returns: (transfer full): of QueueSource, none of them open. @numbers: of guint32, all in the catalog, which is locked */
GPtrArray *queue_sources_new (QueueCatalog *catalog, const GArray *numbers);

/* The one with that number; %NULL if there is none. */
QueueSource *queue_sources_find (const GPtrArray *sources, guint32 number);

/**
 * queue_source_open:
 * @ids: of QueueId: to which all that it mentions are added, in no order, some more than once; of a damaged one some may
 *     be missing
 *
 * Returns: %FALSE with a QUEUE_ERROR
 */
gboolean queue_source_open (QueueSource *source, GArray *ids, GError **error);

/* Puts ids into their order, each once, without 0. */
void queue_source_sort_ids (GArray *ids);

/* Reads a part of one that is open. Returns: (transfer full): or %NULL with QUEUE_ERROR_IO or QUEUE_ERROR_DAMAGED */
GBytes *queue_source_read (QueueSource *source, const QueuePlace *place, QueuePart part, QueueId id, guint32 number,
                           GError **error);
