/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The client's reader of replies
 *
 * Gathers lines until one ends a reply (RFC 5321 4.2.1). It owns nothing but the line and the reply under way, both
 * bounded, so that a server can neither fill the memory nor keep the client reading for ever.
 *
 * It is lenient where servers are known to be sloppy and nothing hangs on it: a line may end with a bare LF and be
 * longer than the RFC's 512 bytes. It is strict where leniency would be a guess: lines of one reply with different
 * codes, or something that is no reply at all, are malformed. After that the stream has lost its step, and the
 * caller has to leave the session.
 *
 * An enhanced status code is one only if its class is that of the reply code (RFC 2034 4); "250 2.example.org" stays
 * what it is. It is taken off each line that repeats it.
 */

#include "smtp/reply-parser.h"
#include "message/printable.h"

#include <string.h>

/* How much of a malformed line is quoted. */
#define FAULT_QUOTE_LONGEST_BYTES 80

/* Digits of a subject or detail (RFC 3463 2). */
#define STATUS_DIGITS_MOST 3

struct _SmtpReplyParser {
    GString *line;
    GString *text;
    guint lines;
    guint code;
    gchar status[sizeof ((SmtpReply *) NULL)->status];
    gchar *fault;
};

SmtpReplyParser *
smtp_reply_parser_new (void)
{
    SmtpReplyParser *parser = g_new0 (SmtpReplyParser, 1);

    parser->line = g_string_new (NULL);
    parser->text = g_string_new (NULL);

    return parser;
}

void
smtp_reply_parser_free (SmtpReplyParser *parser)
{
    if (parser == NULL)
        return;

    g_string_free (parser->line, TRUE);
    g_string_free (parser->text, TRUE);
    g_free (parser->fault);
    g_free (parser);
}

void
smtp_reply_parser_reset (SmtpReplyParser *parser)
{
    g_string_truncate (parser->line, 0);
    g_string_truncate (parser->text, 0);
    parser->lines = 0;
    parser->code = 0;
    parser->status[0] = '\0';
    g_clear_pointer (&parser->fault, g_free);
}

const gchar *
smtp_reply_parser_fault (const SmtpReplyParser *parser)
{
    return parser->fault;
}

static SmtpReplyParserResult
malformed (SmtpReplyParser *parser, const gchar *what)
{
    const GString *line = parser->line;
    g_autofree gchar *quote = message_printable (line->str, line->len, FAULT_QUOTE_LONGEST_BYTES, TRUE);

    parser->fault = g_strdup_printf ("%s: %s", what, quote);

    return SMTP_REPLY_PARSER_MALFORMED;
}

/* The reply code that @line starts with, 0 if there is none. */
static guint
line_code (const gchar *line, gsize length)
{
    if (length < 3 || line[0] < '2' || line[0] > '5' || !g_ascii_isdigit (line[1]) || !g_ascii_isdigit (line[2]))
        return 0;
    if (length > 3 && line[3] != ' ' && line[3] != '-')
        return 0;

    return (guint) ((line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0'));
}

static gsize
count_digits (const gchar *text, gsize length)
{
    gsize digits = 0;

    while (digits < length && g_ascii_isdigit (text[digits]))
        digits++;

    return digits;
}

/* The length of the enhanced status code at the start of @text, 0 if there is none. */
static gsize
status_length (const gchar *text, gsize length, guint class)
{
    gsize position = 1;

    if (length < 1 || text[0] != (gchar) ('0' + class) || class == 3)
        return 0;

    for (guint part = 0; part < 2; part++) {
        gsize digits;

        if (position >= length || text[position] != '.')
            return 0;
        position++;
        digits = count_digits (text + position, length - position);
        if (digits < 1 || digits > STATUS_DIGITS_MOST)
            return 0;
        position += digits;
    }

    return position == length || text[position] == ' ' ? position : 0;
}

/* Adds what follows the code in a line, without the enhanced status code, which the first line decides. */
static void
add_text (SmtpReplyParser *parser, const gchar *text, gsize length)
{
    gsize status = status_length (text, length, parser->code / 100);
    g_autofree gchar *printable = NULL;

    if (parser->lines == 0 && status > 0)
        g_strlcpy (parser->status, text, status + 1);
    if (parser->lines > 0)
        g_string_append_c (parser->text, '\n');

    if (status > 0 && strlen (parser->status) == status && memcmp (text, parser->status, status) == 0) {
        gsize skip = MIN (status + 1, length);

        text += skip;
        length -= skip;
    }
    printable = message_printable (text, length, length, TRUE); /* a NUL would end the text */
    g_string_append (parser->text, printable);
}

static SmtpReply *
take_reply (SmtpReplyParser *parser)
{
    const gchar *status = parser->status[0] != '\0' ? parser->status : NULL;
    SmtpReply *reply = smtp_reply_new (parser->code, status, "%s", parser->text->str);

    smtp_reply_parser_reset (parser);

    return reply;
}

/* parser->line is a whole line with its LF. */
static SmtpReplyParserResult
end_line (SmtpReplyParser *parser, SmtpReply **reply)
{
    GString *line = parser->line;
    gboolean last;
    guint code;

    g_string_truncate (line, line->len - 1);
    if (line->len > 0 && line->str[line->len - 1] == '\r')
        g_string_truncate (line, line->len - 1);

    code = line_code (line->str, line->len);
    if (code == 0)
        return malformed (parser, "the line is no reply");
    if (parser->lines > 0 && code != parser->code)
        return malformed (parser, "the lines of one reply have different codes");
    if (parser->lines == SMTP_REPLY_PARSER_LINES_MOST)
        return malformed (parser, "the reply has too many lines");

    parser->code = code;
    last = line->len == 3 || line->str[3] == ' ';
    add_text (parser, line->str + MIN (line->len, 4), line->len - MIN (line->len, 4));
    parser->lines++;
    g_string_truncate (line, 0);
    if (!last)
        return SMTP_REPLY_PARSER_MORE;

    *reply = take_reply (parser);

    return SMTP_REPLY_PARSER_REPLY;
}

SmtpReplyParserResult
smtp_reply_parser_feed (SmtpReplyParser *parser, const gchar *data, gsize length, gsize *consumed, SmtpReply **reply)
{
    SmtpReplyParserResult result = SMTP_REPLY_PARSER_MORE;

    *consumed = 0;
    *reply = NULL;
    if (parser->fault != NULL)
        return SMTP_REPLY_PARSER_MALFORMED;

    while (*consumed < length && result == SMTP_REPLY_PARSER_MORE) {
        const gchar *start = data + *consumed;
        const gchar *newline = memchr (start, '\n', length - *consumed);
        gsize share = newline != NULL ? (gsize) (newline + 1 - start) : length - *consumed;

        if (share > SMTP_REPLY_PARSER_LINE_LONGEST_BYTES - parser->line->len)
            return malformed (parser, "a line of the reply is too long");
        g_string_append_len (parser->line, start, (gssize) share);
        *consumed += share;
        if (newline != NULL)
            result = end_line (parser, reply);
    }

    return result;
}
