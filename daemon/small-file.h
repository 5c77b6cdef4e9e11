/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>
#include <sys/stat.h>

/**
 * small_file_read:
 * @most_bytes: a larger file is refused
 * @status: (out) (nullable): what the file was when it was read; not set if there is none
 * @length: (out)
 *
 * Reads a file on the thread that serves. What could keep it is refused: everything but a regular file.
 *
 * Returns: (transfer full) (nullable): all of the file but a byte order mark, and a zero byte behind it; %NULL with a
 *   GIOError, %G_IO_ERROR_NOT_FOUND if there is none, or a MESSAGE_ERROR for text in another encoding
 */
gchar *small_file_read (const gchar *path, gsize most_bytes, struct stat *status, gsize *length, GError **error);
