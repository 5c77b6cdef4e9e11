/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/**
 * MESSAGE_ERROR:
 *
 * The domain of errors about the text of a message or an address. Their messages quote the offending text and are
 * fit to be shown to the person who wrote it.
 */
#define MESSAGE_ERROR (message_error_quark ())

typedef enum {
    MESSAGE_ERROR_SYNTAX,  /* not an address, a path, a header field */
    MESSAGE_ERROR_UTF8,    /* non-ASCII where only SMTPUTF8 (RFC 6531) would allow it, or bytes that are not UTF-8 */
    MESSAGE_ERROR_TOO_LONG /* over a limit of RFC 5321 4.5.3.1 or of ours */
} MessageError;

GQuark message_error_quark (void);

/**
 * message_error_quote:
 * @text: what somebody wrote; need not be terminated, may hold any bytes
 * @length: bytes at @text
 *
 * Makes text from outside fit for one line of an error or a log: control characters and bytes that are not UTF-8
 * appear as "\xNN", a long text is cut and ends in "…".
 *
 * Returns: (transfer full): valid UTF-8 without control characters, without quotes around it
 */
gchar *message_error_quote (const gchar *text, gsize length);
