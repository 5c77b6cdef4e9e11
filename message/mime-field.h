/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/**
 * message_mime_field_append:
 * @out: where the field is appended: name, colon and body, without its last CRLF
 * @name: the field's name
 * @body: all after the colon, folding included, without the last CRLF
 * @length: bytes at @body
 *
 * Writes a header field whose body has bytes beyond ASCII in ASCII: parameters of MIME as RFC 2231 has them, all else as
 * encoded words (RFC 2047), domains of addresses with A-labels (RFC 5891), the rest of the field as it was.
 *
 * Returns: %FALSE if that cannot be said in ASCII, because it is the local part of an address; then @out is spoilt
 */
gboolean message_mime_field_append (GString *out, const gchar *name, const gchar *body, gsize length);

/* Whether a field of this name is a list of addresses. */
gboolean message_mime_field_has_addresses (const gchar *name);
