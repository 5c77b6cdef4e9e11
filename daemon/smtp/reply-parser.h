/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "smtp/reply.h"

/* Servers exceed the 512 bytes of RFC 5321 4.5.3.1.5 to quote addresses and links. Of a longer line than this the beginning
 * is kept. */
#define SMTP_REPLY_PARSER_LINE_KEPT_BYTES 4096

/* The longest reply to EHLO known has some thirty lines. Of a longer text than this the first lines are kept. */
#define SMTP_REPLY_PARSER_TEXT_KEPT_BYTES (16 * 1024)

/* What goes on for longer, on the wire, never ends. */
#define SMTP_REPLY_PARSER_LONGEST_BYTES (1024 * 1024)

/*
 * Reads the replies of a server (RFC 5321 4.2) out of a stream of bytes. Enhanced status codes (RFC 2034) are
 * recognised and taken off the text. A reply of any length keeps its code and its beginning; "…" stands for the rest.
 */

typedef struct _SmtpReplyParser SmtpReplyParser;

typedef enum {
    SMTP_REPLY_PARSER_MORE,     /* all bytes were taken, and the reply is not complete */
    SMTP_REPLY_PARSER_REPLY,    /* a reply is complete */
    SMTP_REPLY_PARSER_MALFORMED /* this is no reply, and nothing after it can be trusted */
} SmtpReplyParserResult;

SmtpReplyParser *smtp_reply_parser_new (void);
void smtp_reply_parser_free (SmtpReplyParser *parser);

/**
 * smtp_reply_parser_feed:
 * @data: bytes from the server
 * @length: how many
 * @consumed: (out): how many of them were taken; never beyond the reply that was completed
 * @reply: (out) (transfer full): the reply, with SMTP_REPLY_PARSER_REPLY only; its lines are separated by "\n"
 *
 * Call again with the rest until it wants more. A line may end with a bare LF, as some servers have it. After
 * SMTP_REPLY_PARSER_MALFORMED every further call returns the same.
 */
SmtpReplyParserResult smtp_reply_parser_feed (SmtpReplyParser *parser, const gchar *data, gsize length,
                                              gsize *consumed, SmtpReply **reply);

/* What made the reply malformed, for people: "the line is no reply: HTTP/1.1 400 Bad Request". NULL if nothing did. */
const gchar *smtp_reply_parser_fault (const SmtpReplyParser *parser);

/* Forgets what was fed of an incomplete reply: after STARTTLS nothing received in plain counts (RFC 3207 4.2). */
void smtp_reply_parser_reset (SmtpReplyParser *parser);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (SmtpReplyParser, smtp_reply_parser_free)
