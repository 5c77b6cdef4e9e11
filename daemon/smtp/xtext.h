/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/* The encoding of ENVID= and ORCPT= (RFC 3461 4, RFC 6533 3). */

/**
 * smtp_xtext_decode:
 * @text: xtext; need not be terminated
 * @length: bytes at @text
 * @utf8: whether UTF-8 may stand for itself: in an ORCPT= of type utf-8, where SMTPUTF8 was asked for
 *
 * Returns: (transfer full) (nullable): what it stands for; %NULL if it is not xtext, or stands for anything but printable
 *   characters
 */
gchar *smtp_xtext_decode (const gchar *text, gsize length, gboolean utf8);

/**
 * smtp_xtext_append:
 * @out: where the encoded text is appended
 * @text: valid UTF-8
 * @utf8: whether UTF-8 may stand for itself; if not, each character that is not ASCII becomes "\x{10FFFF}", as RFC
 *   6533 3 has it for addresses of type utf-8
 */
void smtp_xtext_append (GString *out, const gchar *text, gboolean utf8);
