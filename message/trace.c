/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Received fields
 *
 * The trace is evidence: who handed this relay the message, how, and when (RFC 5321 4.4). What the client says of
 * itself comes first, as the standard wants it, and what the relay knows (the address, the user of a local client)
 * stands in the comment behind it, where the client's words cannot reach: they are reduced to what a host name is
 * made of.
 *
 * Each clause has a line of its own, so that no line grows long and people can read it.
 */

#include <string.h>

#include "message/date.h"
#include "message/trace.h"

#define NEXT_LINE "\r\n\t"

#define TRACE_USUAL_BYTES 256

/* RFC 5321 4.5.3.1.2 */
#define HELO_LONGEST_BYTES 255

/* Appends the client's name for itself, with "?" for what no host name or address literal has. */
static void
append_helo (GString *out, const gchar *helo)
{
    for (gsize i = 0; helo[i] != '\0' && i < HELO_LONGEST_BYTES; i++)
        g_string_append_c (out, g_ascii_isalnum (helo[i]) || strchr ("-._:[]", helo[i]) != NULL ? helo[i] : '?');
}

/* Appends text to a comment, with "?" for what would end it or is not ASCII. */
static void
append_comment (GString *out, const gchar *text)
{
    for (; *text != '\0'; text++)
        g_string_append_c (out, g_ascii_isprint (*text) && strchr ("()\\", *text) == NULL ? *text : '?');
}

static void
append_literal (GString *out, const gchar *peer)
{
    g_string_append (out, strchr (peer, ':') != NULL ? "[IPv6:" : "[");
    g_string_append (out, peer);
    g_string_append_c (out, ']');
}

static void
append_user (GString *out, const MessageTrace *trace)
{
    if (trace->user == NULL && trace->uid < 0)
        return;

    g_string_append (out, " (");
    if (trace->user != NULL) {
        g_string_append (out, "user ");
        append_comment (out, trace->user);
    }
    if (trace->uid >= 0)
        g_string_append_printf (out, "%suid %" G_GINT64_FORMAT, trace->user != NULL ? ", " : "", trace->uid);
    g_string_append_c (out, ')');
}

/* From-domain: a client on the local socket is "localhost" unless it gave a name, one from the network its address. */
static void
append_from (GString *out, const MessageTrace *trace)
{
    g_string_append (out, "from ");
    if (trace->helo != NULL && *trace->helo != '\0')
        append_helo (out, trace->helo);
    else if (trace->peer != NULL)
        append_literal (out, trace->peer);
    else
        g_string_append (out, "localhost");

    if (trace->peer != NULL) {
        g_string_append (out, " (");
        append_literal (out, trace->peer);
        g_string_append_c (out, ')');
    }
    append_user (out, trace);
}

static void
append_by (GString *out, const MessageTrace *trace)
{
    g_string_append (out, NEXT_LINE "by ");
    g_string_append (out, trace->by);
    g_string_append (out, " (Postern) with ");
    g_string_append (out, trace->protocol);
    if (trace->tls != NULL) {
        g_string_append (out, NEXT_LINE "(");
        append_comment (out, trace->tls);
        g_string_append_c (out, ')');
    }
    if (trace->id != NULL) {
        g_string_append (out, " id ");
        g_string_append (out, trace->id);
    }
}

static void
append_for (GString *out, const MessageTrace *trace)
{
    if (trace->recipient == NULL)
        return;

    g_string_append (out, NEXT_LINE "for <");
    g_string_append (out, trace->recipient);
    g_string_append_c (out, '>');
}

gchar *
message_trace_format (const MessageTrace *trace)
{
    GString *out;

    g_return_val_if_fail (trace != NULL, NULL);
    g_return_val_if_fail (trace->by != NULL && trace->protocol != NULL, NULL);

    out = g_string_sized_new (TRACE_USUAL_BYTES);
    append_from (out, trace);
    append_by (out, trace);
    append_for (out, trace);
    g_string_append (out, ";" NEXT_LINE);
    message_date_append (out, trace->usec);

    return g_string_free (out, FALSE);
}
