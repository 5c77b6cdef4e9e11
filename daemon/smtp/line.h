/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/*
 * With CRLF. RFC 5321 4.5.3.1.4 asks for 512, and extensions add to that for MAIL and RCPT: SIZE 26 (RFC 1870), 8BITMIME
 * 17 (RFC 6152), SMTPUTF8 10 (RFC 6531), DSN up to 528 (RFC 3461), and AUTH 500 (RFC 4954), which is not offered
 * but shall be told so. This holds them all.
 */
#define SMTP_LINE_LONGEST_BYTES 2048

typedef enum {
    SMTP_LINE_MORE,     /* the line is not complete */
    SMTP_LINE_COMPLETE, /* a line */
    SMTP_LINE_TOO_LONG, /* a line that is too long, told once; the rest of it is skipped */
    SMTP_LINE_BARE,     /* a line with a bare CR or LF, told once; the rest of it is skipped */
    SMTP_LINE_NUL       /* a line with a NUL */
} SmtpLineResult;

/* Finds the command lines in what a client sends. A plain value: it owns nothing and may be embedded. */
typedef struct {
    gboolean lenient;   /* LF alone ends a line */
    gboolean skipping;  /* private */
    gboolean behind_cr; /* private: the last byte skipped was a CR */
} SmtpLineReader;

/**
 * smtp_line_read:
 * @data: what came from the client and was not consumed yet
 * @length: how many bytes
 * @consumed: (out): how many to leave out next time; with SMTP_LINE_MORE what remains is to be given again, with what
 *   came since
 * @line: (out): with SMTP_LINE_COMPLETE, the line, inside @data
 * @line_length: (out): with SMTP_LINE_COMPLETE, its length without its end
 */
SmtpLineResult smtp_line_read (SmtpLineReader *reader, const gchar *data, gsize length, gsize *consumed,
                               const gchar **line, gsize *line_length);
