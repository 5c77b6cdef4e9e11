/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Command lines
 *
 * A command is a line, and a line ends with CRLF (RFC 5321 2.3.8). A CR or LF on its own is part of no command. It is
 * answered where it stands, so that a person who typed it into a client that sends no CRs sees the reason; but the
 * line goes on to its CRLF, and nothing of it is executed: what a careless program let into an argument cannot become a
 * command. For the same reason a line that is too long is skipped as a whole.
 *
 * To a trusted client's programs, many of which write LF alone, the reader is lenient: LF ends a line. A CR alone never does.
 *
 * What is told does not depend on how the bytes were cut into pieces.
 */

#include "smtp/line.h"

#include <string.h>

/* The end of the line that is skipped, behind its LF; NULL if it is not in @data. */
static const gchar *
find_skipped_end (const SmtpLineReader *reader, const gchar *data, gsize length)
{
    const gchar *end = data + length;
    const gchar *newline = data;

    while ((newline = memchr (newline, '\n', (gsize) (end - newline))) != NULL) {
        gboolean behind_cr = newline > data ? newline[-1] == '\r' : reader->behind_cr;

        newline++;
        if (behind_cr || reader->lenient)
            return newline;
    }

    return NULL;
}

/* Returns how many bytes were skipped. */
static gsize
skip (SmtpLineReader *reader, const gchar *data, gsize length)
{
    const gchar *end = find_skipped_end (reader, data, length);

    if (end != NULL)
        reader->skipping = FALSE;
    else
        reader->behind_cr = data[length - 1] == '\r';

    return end != NULL ? (gsize) (end - data) : length;
}

static SmtpLineResult
start_skipping (SmtpLineReader *reader, gchar last, SmtpLineResult result)
{
    reader->skipping = TRUE;
    reader->behind_cr = last == '\r';

    return result;
}

/* @text is what stands before a LF. */
static SmtpLineResult
check_line (SmtpLineReader *reader, const gchar *text, gsize length, gsize *line_length)
{
    gboolean has_cr = length > 0 && text[length - 1] == '\r';
    gsize without_end = has_cr ? length - 1 : length;

    if (!has_cr && !reader->lenient)
        return start_skipping (reader, '\n', SMTP_LINE_BARE);
    if (memchr (text, '\r', without_end) != NULL)
        return SMTP_LINE_BARE;
    if (memchr (text, '\0', without_end) != NULL)
        return SMTP_LINE_NUL;

    *line_length = without_end;

    return SMTP_LINE_COMPLETE;
}

SmtpLineResult
smtp_line_read (SmtpLineReader *reader, const gchar *data, gsize length, gsize *consumed, const gchar **line,
                gsize *line_length)
{
    gsize skipped = reader->skipping && length > 0 ? skip (reader, data, length) : 0;
    const gchar *start;
    const gchar *newline;

    *consumed = skipped;
    if (reader->skipping || length == skipped)
        return SMTP_LINE_MORE;

    start = data + skipped;
    newline = memchr (start, '\n', MIN (length - skipped, SMTP_LINE_LONGEST_BYTES));
    if (newline != NULL) {
        *consumed = (gsize) (newline + 1 - data);
        *line = start;
        return check_line (reader, start, (gsize) (newline - start), line_length);
    }

    if (length - skipped < SMTP_LINE_LONGEST_BYTES)
        return SMTP_LINE_MORE;

    *consumed += SMTP_LINE_LONGEST_BYTES;
    return start_skipping (reader, data[*consumed - 1], SMTP_LINE_TOO_LONG);
}
