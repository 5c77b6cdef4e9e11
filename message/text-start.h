/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "message/error.h"

/**
 * message_text_start:
 * @text: (inout): the first bytes of a text that somebody wrote with an editor
 * @length: (inout): bytes at @text
 *
 * Steps over a byte order mark of UTF-8.
 *
 * Returns: %FALSE with a MESSAGE_ERROR_UTF8 that says what to do, if the text is UTF-16 or UTF-32
 */
gboolean message_text_start (const gchar **text, gsize *length, GError **error);

/* Whether the first bytes of a text are too few to tell how it starts. */
gboolean message_text_start_is_open (const gchar *text, gsize length);

/* The bytes of the mark at @text, 0 if it does not begin with a whole one. */
gsize message_text_mark_bytes (const gchar *text, gsize length);

/* The length of the mark, and how many bytes always tell how a text starts. */
#define MESSAGE_TEXT_MARK_BYTES  3
#define MESSAGE_TEXT_START_BYTES 4
