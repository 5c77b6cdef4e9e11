/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/* RFC 5322 2.1.1 and RFC 5321 4.5.3.1.6, without CRLF. */
#define MESSAGE_LINE_LONGEST_BYTES 998

/* Tells of a text that comes in pieces whether a line of it is longer than that. A plain value, all zero at the start. */
typedef struct {
    gboolean is_long; /* there was such a line */
    gsize length;     /* private: of the line under way */
} MessageLineCheck;

/* The next bytes; lines end with CRLF. */
void message_line_check_feed (MessageLineCheck *check, const gchar *data, gsize length);

/* Whether any line was too long, the last counted though it has no end. */
gboolean message_line_check_end (const MessageLineCheck *check);
