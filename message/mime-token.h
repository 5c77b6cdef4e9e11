/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/* The tokens of which structured header fields are made (RFC 5322 3.2). */
typedef enum {
    MESSAGE_MIME_TOKEN_BLANKS, /* folds are among them */
    MESSAGE_MIME_TOKEN_COMMENT,
    MESSAGE_MIME_TOKEN_QUOTED,  /* with its quotes */
    MESSAGE_MIME_TOKEN_SPECIAL, /* one of <>,;: */
    MESSAGE_MIME_TOKEN_ATOM     /* all else, "@" and "." included */
} MessageMimeToken;

/**
 * message_mime_token:
 * @text: where the token starts
 * @length: bytes at @text, at least 1
 * @token: (out): bytes of the token
 */
MessageMimeToken message_mime_token (const gchar *text, gsize length, gsize *token);

/* How many bytes the next character of a comment or quoted string has: two behind a backslash, which makes the second mean
 * itself. @length is at least 1. */
gsize message_mime_step_length (const gchar *text, gsize length);

/* Returns: (transfer full): what stands between the quotes of a quoted string, as it is meant */
GString *message_mime_unquote (const gchar *text, gsize length);

gboolean message_mime_is_blank (gchar c);

/* How many blanks @text starts with. */
gsize message_mime_blank_length (const gchar *text, gsize length);

/* Appends @text without its line ends. */
void message_mime_append_unfolded (GString *out, const gchar *text, gsize length);
