/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Dot-stuffing
 *
 * Nearly no line of a message starts with a dot, so a piece is searched first and copied only if one does. Where a
 * line ends is remembered from piece to piece.
 *
 * A dot behind any LF is doubled, although in canonical content each is half of a CRLF: there are servers that take a
 * bare LF for the end of a line, and to them content must never look like its end (SMTP smuggling).
 */

#include "smtp/dots.h"

#include <string.h>

/* The next dot that starts a line, or NULL. */
static const gchar *
find_dot (const gchar *data, gsize length)
{
    const gchar *newline = memmem (data, length, "\n.", 2);

    return newline ? newline + 1 : NULL;
}

GBytes *
smtp_dots_stuff (SmtpDots *dots, GBytes *piece)
{
    gsize length;
    const gchar *data = g_bytes_get_data (piece, &length);
    const gchar *end;
    const gchar *dot;
    GString *stuffed;

    if (length == 0)
        return g_bytes_ref (piece);

    end = data + length;
    dot = !dots->in_line && data[0] == '.' ? data : find_dot (data, length);
    dots->in_line = end[-1] != '\n';
    if (!dot)
        return g_bytes_ref (piece);

    stuffed = g_string_sized_new (length + 16);
    for (; dot; dot = find_dot (data, (gsize) (end - data))) {
        g_string_append_len (stuffed, data, dot - data);
        g_string_append_c (stuffed, '.');
        data = dot;
    }
    g_string_append_len (stuffed, data, end - data);

    return g_string_free_to_bytes (stuffed);
}

const gchar *
smtp_dots_end (const SmtpDots *dots)
{
    return dots->in_line ? "\r\n.\r\n" : ".\r\n";
}
