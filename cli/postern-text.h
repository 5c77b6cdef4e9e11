/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/*
 * Text for a terminal: what came from outside made harmless, widths as they appear, sizes and times in words.
 */

/**
 * text_escape:
 * @text: (nullable): any bytes
 *
 * Returns: (transfer full): valid UTF-8 that moves no cursor and turns no direction: control characters, invisible
 *   format characters and bytes that are no UTF-8 are written as "\n", "\x1b", "\u202e"; "" for %NULL
 */
gchar *text_escape (const gchar *text);

/**
 * text_fit:
 * @text: escaped
 * @columns: at least 1
 *
 * Returns: (transfer full): @text, if it is wider than @columns cut and ended with an ellipsis
 */
gchar *text_fit (const gchar *text, guint columns);

/* Returns: (transfer full): a size as "512 B", "1.2 K", "14 M", of 1024 */
gchar *text_size (guint64 bytes);

/* Returns: (transfer full): a span of time as "now" (less than a second), "12 s", "4 min", "3 h", "2 d" */
gchar *text_span (gint64 usec);

/**
 * text_time:
 * @usec: since the epoch
 * @now_usec: since the epoch
 *
 * Returns: (transfer full): local time; without the date if it is today's
 */
gchar *text_time (gint64 usec, gint64 now_usec);

/* Returns: (transfer full): "4 min ago", "in 2 h", "now" */
gchar *text_relative (gint64 usec, gint64 now_usec);

/* Returns: (transfer full): UTC as ISO 8601 has it, "2026-11-22T02:42:01Z" */
gchar *text_iso_time (gint64 usec);

/**
 * text_parse_span:
 * @text: as in the configuration: "90", "30s", "5min", "4h", "5d", "1w", "1h 30min"
 * @usec: (out)
 *
 * Returns: whether it is one
 */
gboolean text_parse_span (const gchar *text, gint64 *usec);

/* Returns: (transfer full): the name of a user, or its number; "unknown" for -1 */
gchar *text_user (gint64 uid);
