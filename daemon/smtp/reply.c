/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * An SMTP reply
 *
 * A reply is a value: it is made, copied, shown and freed, and never changes. Its text may quote what a peer sent, so
 * it is made printable as it comes in; a reply can therefore be logged, shown and sent over the bus by anyone who
 * has one. What goes over the wire is held to RFC 5321 4.2 whatever the text: ASCII, and no line too long.
 */

#include "smtp/reply.h"
#include "message/printable.h"

#include <string.h>

/* Left of a line's 512 bytes when code, separator, the longest status code and CRLF are taken. */
#define REPLY_TEXT_LONGEST_BYTES (SMTP_REPLY_LINE_LONGEST_BYTES - 4 - 16 - 2)

static gboolean
is_plain (const gchar *text)
{
    while (g_ascii_isprint (*text))
        text++;

    return *text == '\0';
}

/* Makes each line of @text printable; the newlines between them stay. */
static gchar *
make_printable (const gchar *text)
{
    GString *out = g_string_sized_new (strlen (text));

    while (TRUE) {
        gsize length = strcspn (text, "\n");
        g_autofree gchar *line = message_printable (text, length, length, TRUE);

        g_string_append (out, line);
        if (text[length] == '\0')
            return g_string_free (out, FALSE);
        g_string_append_c (out, '\n');
        text += length + 1;
    }
}

/* @text: (transfer full) */
static SmtpReply *
make_reply (guint code, const gchar *status, gchar *text)
{
    g_autofree gchar *given = text;
    SmtpReply *reply;

    g_return_val_if_fail (code >= 200 && code <= 599, NULL);
    g_return_val_if_fail (status == NULL || status[0] == (gchar) ('0' + code / 100), NULL);
    g_return_val_if_fail (status == NULL || strlen (status) < sizeof reply->status, NULL);

    reply = g_new0 (SmtpReply, 1);
    reply->code = code;
    if (status != NULL)
        g_strlcpy (reply->status, status, sizeof reply->status);
    reply->text = is_plain (given) ? g_steal_pointer (&given) : make_printable (given);

    return reply;
}

SmtpReply *
smtp_reply_new (guint code, const gchar *status, const gchar *format, ...)
{
    va_list arguments;
    gchar *text;

    va_start (arguments, format);
    text = g_strdup_vprintf (format, arguments);
    va_end (arguments);

    return make_reply (code, status, text);
}

SmtpReply *
smtp_reply_new_ours (guint code, const gchar *status, const gchar *format, ...)
{
    SmtpReply *reply;
    va_list arguments;
    gchar *text;

    va_start (arguments, format);
    text = g_strdup_vprintf (format, arguments);
    va_end (arguments);

    reply = make_reply (code, status, text);
    if (reply != NULL)
        reply->is_ours = TRUE;
    return reply;
}

SmtpReply *
smtp_reply_copy (const SmtpReply *reply)
{
    SmtpReply *copy = g_new (SmtpReply, 1);

    *copy = *reply;
    copy->text = g_strdup (reply->text);

    return copy;
}

void
smtp_reply_free (SmtpReply *reply)
{
    if (reply == NULL)
        return;

    g_free (reply->text);
    g_free (reply);
}

/* How much of a text of @length goes on one line: all, or up to the last space or at least character that fits. */
static gsize
line_share (const gchar *text, gsize length)
{
    const gchar *cut;

    if (length <= REPLY_TEXT_LONGEST_BYTES)
        return length;

    cut = memrchr (text, ' ', REPLY_TEXT_LONGEST_BYTES);
    if (cut == NULL || cut == text)
        cut = g_utf8_find_prev_char (text, text + REPLY_TEXT_LONGEST_BYTES + 1);

    return (gsize) (cut - text);
}

/*
 * The nearest thing in ASCII; "?" where there is none. Postern's own errors use typographic quotes, and those should
 * not come out as question marks.
 */
static const gchar *
ascii_for (gunichar character)
{
    switch (character) {
    case 0x2018:
    case 0x2019:
        return "'";
    case 0x201c:
    case 0x201d:
        return "\"";
    case 0x2026:
        return "...";
    default:
        return "?";
    }
}

/* No character's stand-in is longer than its UTF-8, so that a line that was measured before stays within its limit. */
static void
write_ascii (const gchar *text, gsize length, GString *out)
{
    const gchar *end = text + length;

    while (text < end && g_ascii_isprint (*text))
        g_string_append_c (out, *text++);
    for (const gchar *c = text; c < end; c = g_utf8_next_char (c)) {
        if (*c >= ' ' && *c <= '~')
            g_string_append_c (out, *c);
        else
            g_string_append (out, ascii_for (g_utf8_get_char (c)));
    }
}

static void
write_line (const SmtpReply *reply, const gchar *text, gsize length, gboolean last, GString *out)
{
    g_string_append_printf (out, "%03u", reply->code);
    if (!last)
        g_string_append_c (out, '-');
    else if (reply->status[0] != '\0' || length > 0)
        g_string_append_c (out, ' ');
    g_string_append (out, reply->status);
    if (reply->status[0] != '\0' && length > 0)
        g_string_append_c (out, ' ');

    write_ascii (text, length, out);
    g_string_append (out, "\r\n");
}

void
smtp_reply_write (const SmtpReply *reply, GString *out)
{
    const gchar *rest = reply->text;
    gboolean last = FALSE;

    while (!last) {
        gsize length = strcspn (rest, "\n");
        gsize share = line_share (rest, length);

        last = rest[share] == '\0';
        write_line (reply, rest, share, last, out);

        rest += share;
        if (*rest == '\n' || *rest == ' ')
            rest++;
    }
}

gchar *
smtp_reply_line (const SmtpReply *reply)
{
    g_autofree gchar *text = g_strdelimit (g_strdup (reply->text), "\n", ' ');

    if (reply->is_ours)
        return g_steal_pointer (&text);

    return g_strdup_printf ("%03u%s%s%s%s", reply->code, reply->status[0] != '\0' ? " " : "", reply->status,
                            text[0] != '\0' ? " " : "", text);
}
