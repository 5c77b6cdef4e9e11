/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/* Returns: a descriptor that holds the lock until it is closed; -1 with QUEUE_ERROR_BUSY, which names the process that has
 * it, or with QUEUE_ERROR_IO */
gint queue_lock_directory (const gchar *directory, GError **error);
