/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Replies of the relay
 *
 * The socket is a path that the caller's environment may name, so what answers there need not be Postern. A reply is
 * taken as RFC 5321 4.2.1 writes it and nothing is believed of it beyond its code; what is shown of its text is
 * made printable.
 */

#include <string.h>

#include "cli/sendmail-reply.h"
#include "message/printable.h"

/* What of a reply fits into a line on standard error. */
#define LINE_LONGEST_BYTES 1000

/* Whether this is "ddd", "ddd " or "ddd-" and text; @last tells which. */
static gboolean
is_reply_line (const gchar *line, gsize length, gboolean *last)
{
    if (length < 3 || line[0] < '2' || line[0] > '5' || !g_ascii_isdigit (line[1]) || !g_ascii_isdigit (line[2]))
        return FALSE;

    *last = length == 3 || line[3] == ' ';
    return *last || line[3] == '-';
}

/* The length of the reply at the front of @received, or 0; %FALSE if it is none. */
static gboolean
find_end (const GString *received, gsize *end)
{
    const gchar *at = received->str;
    const gchar *newline;

    *end = 0;
    while ((newline = memchr (at, '\n', received->len - (gsize) (at - received->str))) != NULL) {
        gsize length = (gsize) (newline - at);
        gboolean last;

        if (length > 0 && at[length - 1] == '\r')
            length--;
        if (!is_reply_line (at, length, &last))
            return FALSE;

        at = newline + 1;
        if (last) {
            *end = (gsize) (at - received->str);
            return TRUE;
        }
    }

    return received->len <= SENDMAIL_REPLY_LONGEST_BYTES;
}

/* The reply is complete: each of its lines ends with a newline. */
static gchar *
text_of (const gchar *reply, gsize length)
{
    const gchar *end = reply + length;
    GString *text = g_string_sized_new (length);

    for (const gchar *line = reply; line < end;) {
        const gchar *newline = memchr (line, '\n', (gsize) (end - line));
        const gchar *line_end = newline;

        while (line_end > line && g_ascii_isspace (line_end[-1]))
            line_end--;
        if (line > reply)
            g_string_append_c (text, '\n');
        if (line_end - line > 4)
            g_string_append_len (text, line + 4, line_end - line - 4);
        line = newline + 1;
    }

    return g_string_free (text, FALSE);
}

SendmailReplyResult
sendmail_reply_take (GString *received, SendmailReply **reply)
{
    gsize end;

    if (!find_end (received, &end))
        return SENDMAIL_REPLY_MALFORMED;
    if (end == 0)
        return SENDMAIL_REPLY_MORE;

    *reply = g_new (SendmailReply, 1);
    (*reply)->code = (guint) (received->str[0] - '0') * 100 + (guint) (received->str[1] - '0') * 10 +
                     (guint) (received->str[2] - '0');
    (*reply)->text = text_of (received->str, end);
    g_string_erase (received, 0, (gssize) end);

    return SENDMAIL_REPLY_COMPLETE;
}

void
sendmail_reply_free (SendmailReply *reply)
{
    if (reply == NULL)
        return;

    g_free (reply->text);
    g_free (reply);
}

gchar *
sendmail_reply_line (const SendmailReply *reply)
{
    g_autofree gchar *joined = g_strdelimit (g_strdup (reply->text), "\n", ' ');
    g_autofree gchar *printable = message_printable (joined, strlen (joined), LINE_LONGEST_BYTES, TRUE);

    return g_strdup_printf ("%u %s", reply->code, printable);
}

gboolean
sendmail_reply_has_keyword (const SendmailReply *reply, const gchar *keyword)
{
    gsize length = strlen (keyword);

    for (const gchar *line = reply->text; line != NULL; line = strchr (line, '\n')) {
        line += *line == '\n' ? 1 : 0;
        if (g_ascii_strncasecmp (line, keyword, length) == 0 && strchr (" \n", line[length]) != NULL)
            return TRUE;
    }

    return FALSE;
}
