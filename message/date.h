/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/**
 * message_date_format:
 * @usec: microseconds since the epoch
 *
 * Returns: (transfer full): the date-time of RFC 5322 3.3 in the local time zone, "Sun, 22 Nov 2026 02:42:01 +0000";
 *   names of days and months are English whatever the locale
 */
gchar *message_date_format (gint64 usec);

/* Appends the same to @out. */
void message_date_append (GString *out, gint64 usec);
