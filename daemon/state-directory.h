/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/*
 * The folder that the relay keeps its state in.
 */

/**
 * state_directory_prepare:
 * @path: made with mode 0700 if it is missing
 *
 * Looks whether it, and the queue in it if that is there, is for this process to use.
 *
 * Returns: %FALSE with a GIOError that says whose it is and what to do
 */
gboolean state_directory_prepare (const gchar *path, GError **error);

/* Where in it the queue is. (transfer full) */
gchar *state_directory_queue (const gchar *path);
