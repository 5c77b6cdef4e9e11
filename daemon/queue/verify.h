/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "queue/catalog.h"
#include "queue/queue.h"

/**
 * queue_verify_catalog:
 * @cancel: atomic; once it is set the check ends with QUEUE_ERROR_GONE
 *
 * Reads every generation, and all that lives of every message. On any thread, while everything else goes on.
 *
 * Returns: (transfer full): what was found; or %NULL with QUEUE_ERROR_GONE
 */
QueueVerified *queue_verify_catalog (QueueCatalog *catalog, gint *cancel, GError **error);

/* Adds something wrong. @id: 0 if it is not about one message; @file: (nullable) path */
void queue_verified_add (QueueVerified *verified, QueueId id, const gchar *file, const gchar *text);
