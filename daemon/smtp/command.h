/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/* The grammar of command lines (RFC 5321 4.1.1). Nothing is copied: what is returned lies in the line. */

typedef enum {
    SMTP_VERB_UNKNOWN,
    SMTP_VERB_BDAT,
    SMTP_VERB_DATA,
    SMTP_VERB_EHLO,
    SMTP_VERB_EXPN,
    SMTP_VERB_HELO,
    SMTP_VERB_HELP,
    SMTP_VERB_HTTP, /* a method of HTTP: what speaks here is a browser that somebody lured to this port */
    SMTP_VERB_MAIL,
    SMTP_VERB_NOOP,
    SMTP_VERB_QUIT,
    SMTP_VERB_RCPT,
    SMTP_VERB_RSET,
    SMTP_VERB_STARTTLS,
    SMTP_VERB_VRFY
} SmtpVerb;

typedef struct {
    SmtpVerb verb;
    const gchar *argument; /* what follows the verb, without the white space around it */
    gsize length;          /* of @argument */
} SmtpCommand;

/* @line is without its end. */
SmtpCommand smtp_command_parse (const gchar *line, gsize length);

/**
 * smtp_command_path:
 * @command: MAIL or RCPT
 * @keyword: "FROM:" or "TO:"
 * @path: (out): where the path starts, at its "<"
 * @length: (out): bytes from there to the end of the line
 *
 * Returns: whether the argument is @keyword and something that starts like a path; spaces between them, which many
 *   clients send and RFC 5321 3.3 forbids, are skipped
 */
gboolean smtp_command_path (const SmtpCommand *command, const gchar *keyword, const gchar **path, gsize *length);

typedef enum {
    SMTP_CHUNK_OK,
    SMTP_CHUNK_BAD_WORD, /* the size is known, but what follows it is not LAST */
    SMTP_CHUNK_BAD_SIZE  /* nobody knows where the chunk ends */
} SmtpChunkResult;

/**
 * smtp_command_chunk:
 * @command: BDAT (RFC 3030 2)
 * @size: (out): octets that follow the command; not set with SMTP_CHUNK_BAD_SIZE
 * @last: (out): whether the message ends with them; not set with SMTP_CHUNK_BAD_SIZE
 */
SmtpChunkResult smtp_command_chunk (const SmtpCommand *command, guint64 *size, gboolean *last);
