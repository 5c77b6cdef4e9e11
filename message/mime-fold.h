/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/* Whether a field, as it is with its folds, has a line that is longer than SMTP allows. */
gboolean message_mime_fold_is_needed (const gchar *field, gsize length);

/* RFC 2047 2: the longest line that may have an encoded word in it. */
#define MESSAGE_MIME_FOLD_ENCODED_BYTES 76

/**
 * message_mime_fold:
 * @out: where the field is appended, its last CRLF included
 * @field: a header field with CRLF line ends
 * @length: bytes at @field
 * @longest: a line of more bytes is folded
 * @at_commas: it is a list, in which a line may also be ended behind a comma
 *
 * Folds lines at white space (RFC 5322 2.2.3). Lines that are not too long stay as they are.
 *
 * Returns: %FALSE if one is longer than SMTP allows still, because there is no white space in it
 */
gboolean message_mime_fold (GString *out, const gchar *field, gsize length, gsize longest, gboolean at_commas);
