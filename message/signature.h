/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/* The DKIM signatures that a message carries (RFC 6376), and what of its header they cover; the body they always do. */
typedef struct _MessageSignature MessageSignature;

/**
 * message_signature_read:
 * @header: a header section with CRLF line ends
 * @length: bytes at @header
 *
 * Returns: (transfer full) (nullable): %NULL if the message has none
 */
MessageSignature *message_signature_read (const gchar *header, gsize length);
void message_signature_free (MessageSignature *signature);

/**
 * message_signature_covers:
 * @name: a field's name
 * @length: bytes at @name
 * @folds_only: the change adds folds before blanks, and nothing else
 *
 * Returns: whether a signature fails if the text of such a field changes
 */
gboolean message_signature_covers (const MessageSignature *signature, const gchar *name, gsize length,
                                   gboolean folds_only);
