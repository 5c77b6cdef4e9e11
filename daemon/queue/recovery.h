/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "queue/catalog.h"

typedef struct {
    QueueId last_id;          /* no id up to this may be given again */
    guint32 last_generation;  /* no number up to this may be given again */
    guint64 damaged_messages; /* cannot be delivered; each was named in the log */
    guint lost_files;         /* that nothing could be read from; each was named in the log */
} QueueRecovered;

/**
 * queue_recover:
 * @directory: locked by us
 * @read_only: nothing is changed on the disk
 * @catalog: empty
 *
 * Reads what is in the directory, removes what a crash left, and fills the catalog. All generations that it finds are
 * closed: new records go to a new one.
 *
 * Returns: %FALSE with QUEUE_ERROR_IO or QUEUE_ERROR_VERSION, naming the file
 */
gboolean queue_recover (const gchar *directory, gboolean read_only, QueueCatalog *catalog, QueueRecovered *recovered,
                        GError **error);
