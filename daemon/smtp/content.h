/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/*
 * Decodes a message's content as DATA or BDAT carries it, into lines that all end with CRLF. A plain value: it owns
 * nothing and may be embedded.
 */

typedef enum {
    SMTP_CONTENT_DATA,  /* dot-stuffed, ends with CRLF.CRLF (RFC 5321 4.5.2) */
    SMTP_CONTENT_CHUNKS /* as it is, ends with the octets of the last chunk (RFC 3030) */
} SmtpContentForm;

/* Where the next byte falls. */
typedef enum {
    SMTP_CONTENT_AT_LINE_START,
    SMTP_CONTENT_AT_DOT,    /* behind a line's first byte, a dot */
    SMTP_CONTENT_AT_DOT_CR, /* behind a dot and a CR at a line's start */
    SMTP_CONTENT_AT_MIDDLE,
    SMTP_CONTENT_AT_CR,         /* behind a CR that is not yet known to be half of a CRLF */
    SMTP_CONTENT_AT_BARE_LF,    /* behind a LF that ended no line of the protocol */
    SMTP_CONTENT_AT_BARE_LF_DOT /* behind a dot that follows it */
} SmtpContentPlace;

typedef struct {
    SmtpContentForm form;
    gboolean normalise;     /* a bare CR or LF becomes CRLF */
    SmtpContentPlace place; /* private */
    gboolean bare;          /* a bare CR or LF was met; without @normalise nothing more is handed over */
    gboolean ended;         /* CRLF.CRLF was met */
} SmtpContent;

/* Takes the next bytes of decoded content. They never end between a CR and its LF. */
typedef void (*SmtpContentSink) (const gchar *data, gsize length, gpointer user_data);

void smtp_content_init (SmtpContent *content, SmtpContentForm form, gboolean normalise);

/**
 * smtp_content_decode:
 * @data: the next bytes of the session
 * @length: how many
 *
 * Returns: how many bytes were content: all of them, or as far as the end of DATA, which also sets @content->ended
 */
gsize smtp_content_decode (SmtpContent *content, const gchar *data, gsize length, SmtpContentSink sink,
                           gpointer user_data);

/* The last chunk is complete: hands over what was held back, and the CRLF that the last line may lack. */
void smtp_content_finish (SmtpContent *content, SmtpContentSink sink, gpointer user_data);
