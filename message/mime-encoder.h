/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/* What becomes of the bytes of a body. All but the first give ASCII. */
typedef enum {
    MESSAGE_MIME_FORM_SAME,
    MESSAGE_MIME_FORM_QUOTED, /* quoted-printable (RFC 2045 6.7); CRLF is a line end */
    MESSAGE_MIME_FORM_BASE64, /* base64 (RFC 2045 6.8) */
    MESSAGE_MIME_FORM_QUOTED_REPAIRED, /* it is quoted-printable, with raw bytes in it: they are quoted; long lines are broken */
    MESSAGE_MIME_FORM_BASE64_REPAIRED, /* it is base64, with bytes that are not: they are left out; long lines are broken */
    MESSAGE_MIME_FORM_MASKED           /* nobody reads it: "?" for each byte beyond ASCII */
} MessageMimeForm;

/* The longest line of base64, in bytes that are encoded. */
#define MESSAGE_MIME_BASE64_LINE_BYTES 57

/* Encodes one body. A plain value: it owns nothing and may be embedded. */
typedef struct {
    MessageMimeForm form;
    gsize column;                                 /* private: of the line of output under way */
    gchar head[4];                                /* private: the first bytes of that line */
    guint8 escape;                                /* private: bytes of an escape that are still to come */
    gchar held;                                   /* private: a blank or CR whose meaning the next byte shows, or 0 */
    guint8 group[MESSAGE_MIME_BASE64_LINE_BYTES]; /* private: what does not make a line of base64 yet */
    gsize grouped;                                /* private: bytes of it */
} MessageMimeEncoder;

void message_mime_encoder_init (MessageMimeEncoder *encoder, MessageMimeForm form);

/* Appends to @out what becomes of the next bytes of the body. */
void message_mime_encoder_feed (MessageMimeEncoder *encoder, const gchar *data, gsize length, GString *out);

/**
 * message_mime_encoder_end:
 * @delimited: a delimiter follows, with the CRLF in front that belongs to it (RFC 2046 5.1.1); if not, this is the end
 *   of the message, and the last line is ended in a way that adds nothing to what it says
 */
void message_mime_encoder_end (MessageMimeEncoder *encoder, gboolean delimited, GString *out);
