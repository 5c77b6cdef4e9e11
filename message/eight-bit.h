/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/**
 * message_has_8bit:
 * @data: a piece of a message
 * @length: bytes at @data
 *
 * Returns: whether one of the bytes is not ASCII, so that the message is 8BITMIME's (RFC 6152) and not 7BIT
 */
gboolean message_has_8bit (const gchar *data, gsize length);

/* Tells of a text that comes in pieces whether it is UTF-8. A plain value, all zero at the start. */
typedef struct {
    gboolean invalid; /* it is not */
    guint8 left;      /* private: bytes that the character under way still needs */
    guint8 lowest;    /* private: what the next of them may be */
    guint8 highest;
} MessageUtf8Check;

void message_utf8_check_feed (MessageUtf8Check *check, const gchar *data, gsize length);

/* Whether all that came was UTF-8, with no character cut off. */
gboolean message_utf8_check_end (const MessageUtf8Check *check);
