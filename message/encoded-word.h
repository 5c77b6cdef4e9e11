/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/**
 * message_encoded_word_append:
 * @out: a header field, or the start of one
 * @text: what is to be said; UTF-8, or bytes in an encoding that nobody told
 * @length: bytes at @text
 *
 * Appends @text as encoded words (RFC 2047) with folds between them, fit for every place where encoded words may stand.
 * If the line is full already, and ends in a blank, it is folded there first. The charset is UTF-8 if @text is, else
 * unknown-8bit (RFC 1428).
 */
void message_encoded_word_append (GString *out, const gchar *text, gsize length);

/* Whether @word, without blanks around it, has the form of an encoded word. */
gboolean message_encoded_word_is_one (const gchar *word, gsize length);
