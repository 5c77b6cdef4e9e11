/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The client's reader of replies
 *
 * Gathers lines until one ends a reply (RFC 5321 4.2.1). It owns nothing but the line and the reply under way. Of both only
 * the beginning is kept, so that a server cannot fill the memory, and what says more than fits is nevertheless the
 * verdict that its code tells. Only a reply without any end is given up.
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

/* More than is kept of a line: tells that it is cut, and where the last character ends. */
#define LINE_BUFFER_BYTES (SMTP_REPLY_PARSER_LINE_KEPT_BYTES + 4)

/* Digits of a subject or detail (RFC 3463 2). */
#define STATUS_DIGITS_MOST 3

struct _SmtpReplyParser {
    GString *line; /* as much as fits */
    GString *text; /* of the lines before */
    guint lines;
    gsize bytes;       /* of the reply under way */
    gboolean text_cut; /* not all lines fit */
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
    parser->bytes = 0;
    parser->text_cut = FALSE;
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
    gsize kept = SMTP_REPLY_PARSER_LINE_KEPT_BYTES - (gsize) (text - parser->line->str);
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
        kept -= skip;
    }
    printable = message_printable (text, length, kept, TRUE); /* a NUL would end the text */
    g_string_append (parser->text, printable);
}

static void
add_line (SmtpReplyParser *parser)
{
    const GString *line = parser->line;
    gsize prefix = MIN (line->len, 4);

    if (parser->text->len < SMTP_REPLY_PARSER_TEXT_KEPT_BYTES) {
        add_text (parser, line->str + prefix, line->len - prefix);
    } else if (!parser->text_cut) {
        parser->text_cut = TRUE;
        g_string_append (parser->text, "\n…");
    }
}

static SmtpReply *
take_reply (SmtpReplyParser *parser)
{
    const gchar *status = parser->status[0] != '\0' ? parser->status : NULL;
    SmtpReply *reply = smtp_reply_new (parser->code, status, "%s", parser->text->str);

    smtp_reply_parser_reset (parser);

    return reply;
}

/* parser->line is a whole line, or its beginning, without its LF. */
static SmtpReplyParserResult
end_line (SmtpReplyParser *parser, SmtpReply **reply)
{
    GString *line = parser->line;
    gboolean last;
    guint code;

    if (line->len > 0 && line->str[line->len - 1] == '\r')
        g_string_truncate (line, line->len - 1);

    code = line_code (line->str, line->len);
    if (code == 0)
        return malformed (parser, "the line is no reply");
    if (parser->lines > 0 && code != parser->code)
        return malformed (parser, "the lines of one reply have different codes");

    parser->code = code;
    last = line->len == 3 || line->str[3] == ' ';
    add_line (parser);
    parser->lines++;
    g_string_truncate (line, 0);
    if (!last)
        return SMTP_REPLY_PARSER_MORE;

    *reply = take_reply (parser);

    return SMTP_REPLY_PARSER_REPLY;
}

/* Adds a piece of a line as far as there is place for it. Returns: FALSE if it need not go on */
static gboolean
keep (SmtpReplyParser *parser, const gchar *data, gsize length)
{
    GString *line = parser->line;

    parser->bytes += length;
    g_string_append_len (line, data, (gssize) MIN (length, LINE_BUFFER_BYTES - line->len));
    if (line->len == LINE_BUFFER_BYTES && line_code (line->str, line->len) == 0) {
        malformed (parser, "the line is no reply");
        return FALSE;
    }
    if (parser->bytes > SMTP_REPLY_PARSER_LONGEST_BYTES) {
        malformed (parser, "the reply does not end");
        return FALSE;
    }

    return TRUE;
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
        gsize share = newline != NULL ? (gsize) (newline - start) : length - *consumed;

        if (!keep (parser, start, share))
            return SMTP_REPLY_PARSER_MALFORMED;
        *consumed += share;
        if (newline != NULL) {
            *consumed += 1;
            result = end_line (parser, reply);
        }
    }

    return result;
}
