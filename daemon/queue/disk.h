/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/*
 * The few things that are done to a directory of files, with errors that say what, on which file, and why.
 */

/* Sets a QUEUE_ERROR from errno: QUEUE_ERROR_FULL if there is no space, else QUEUE_ERROR_IO. */
void queue_disk_set_error (GError **error, const gchar *what, const gchar *path);

/* Makes the names in a directory durable. */
gboolean queue_disk_sync_directory (const gchar *directory, GError **error);

/* Removes a file; that it is not there is no error. */
gboolean queue_disk_remove (const gchar *path, GError **error);

/* Free bytes for us in the file system of @directory; %G_MAXUINT64 if it cannot be told. */
guint64 queue_disk_free_bytes (const gchar *directory);

/* Bytes that a file takes on the disk, 0 if there is none. */
guint64 queue_disk_used_bytes (const gchar *path);
