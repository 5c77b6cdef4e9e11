/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/* What a Received: field tells (RFC 5321 4.4). Strings belong to the caller. */
typedef struct {
    const gchar *helo;      /* (nullable) what the client called itself */
    const gchar *peer;      /* (nullable) its address, "127.0.0.1" or "::1"; %NULL on the local socket */
    const gchar *user;      /* (nullable) the user of a local client, from SO_PEERCRED */
    gint64 uid;             /* that user's id, -1 if not known */
    const gchar *by;        /* this relay's host name */
    const gchar *protocol;  /* "ESMTP", "ESMTPS", "UTF8SMTP", "local" … (RFC 3848, RFC 6531) */
    const gchar *tls;       /* (nullable) version and cipher of a TLS session */
    const gchar *id;        /* (nullable) the queue id */
    const gchar *recipient; /* (nullable) for FOR: only with a single recipient */
    gint64 usec;            /* when, microseconds since the epoch */
} MessageTrace;

/**
 * message_trace_format:
 *
 * Returns: (transfer full): the body of a Received: field, folded, without the name and the last CRLF
 */
gchar *message_trace_format (const MessageTrace *trace);
