/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "queue/catalog.h"

typedef struct {
    QueueId last_id;          /* no id up to this may be given again */
    guint32 last_generation;  /* no number up to this may be given again */
    guint64 damaged_messages; /* cannot be delivered; each was named in the log */
    guint lost_files;         /* that nothing could be read from; each was named in the log */
} QueueRecovered;

/* What is to be recovered, and how. */
typedef struct {
    const gchar *directory; /* locked by us */
    gboolean read_only;     /* nothing is changed on the disk */
    guint32 newest;         /* the last generation: what has a higher number is written meanwhile, and left alone */

    /* (nullable): called again and again, with the bytes that were read since. FALSE: to give up, with QUEUE_ERROR_GONE */
    gboolean (*go_on) (guint64 bytes, gpointer user_data);
    gpointer user_data;
} QueueRecovery;

/**
 * queue_recover:
 * @catalog: empty, and nobody else's
 *
 * Reads what is in the directory, removes what a crash left, and fills the catalog. All generations that it finds are
 * closed: new records go to a new one. May take long, on any thread.
 *
 * Returns: %FALSE with QUEUE_ERROR_IO or QUEUE_ERROR_VERSION, naming the file
 */
gboolean queue_recover (const QueueRecovery *recovery, QueueCatalog *catalog, QueueRecovered *recovered,
                        GError **error);
