/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "queue/message.h"

/* What must be known of a store before a message is taken. */
typedef struct {
    guint32 last_generation; /* no number up to this may be given again */
    guint64 bytes;           /* of journals and of pages of indexes: what has to be read before all mail is known */
    gboolean damaged;        /* a file does not say what it is */
    QueueId last_id;         /* no id up to this may be given again; see queue_glance_ids () */
} QueueGlance;

/**
 * queue_glance:
 * @directory: locked by us
 *
 * Looks at each file's beginning, and changes nothing.
 *
 * Returns: %FALSE with QUEUE_ERROR_IO, or with QUEUE_ERROR_VERSION if a newer version wrote any of them
 */
gboolean queue_glance (const gchar *directory, QueueGlance *glance, GError **error);

/**
 * queue_glance_ids:
 *
 * Makes @last_id what it has to be, unless the glance is damaged: sealed generations say it, journals are read.
 *
 * Returns: %FALSE with QUEUE_ERROR_IO
 */
gboolean queue_glance_ids (const gchar *directory, QueueGlance *glance, GError **error);
