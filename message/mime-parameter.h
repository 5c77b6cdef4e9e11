/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/**
 * message_mime_parameters_append:
 * @text: the body of a MIME field: a value and its parameters, "; name=value"
 * @length: bytes at @text
 *
 * Appends the body in ASCII: a parameter that has bytes beyond it in the form of RFC 2231, all others as they are.
 */
void message_mime_parameters_append (GString *out, const gchar *text, gsize length);
