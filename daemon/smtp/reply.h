/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/* Of one line on the wire, with codes and CRLF (RFC 5321 4.5.3.1.5). */
#define SMTP_REPLY_LINE_LONGEST_BYTES 512

/*
 * An SMTP reply (RFC 5321 4.2): the code, the enhanced status code (RFC 3463, 2034) and the text. The server makes
 * them, the client reads them, the queue keeps the last one of each recipient.
 */
typedef struct {
    guint code;       /* 200 to 599 */
    gchar status[16]; /* "4.2.1"; "" where there is none (greeting, EHLO, HELO) */
    gchar *text;      /* without codes; lines are separated by "\n"; valid UTF-8, no other control characters */
    gboolean is_ours; /* a verdict of this relay, which no server gave */
} SmtpReply;

/**
 * smtp_reply_new:
 * @code: the reply code
 * @status: (nullable): the enhanced status code; its class must match @code
 * @format: the text, printf-like
 */
SmtpReply *smtp_reply_new (guint code, const gchar *status, const gchar *format, ...) G_GNUC_PRINTF (3, 4);

/* The same, for a verdict that is made here in the place of a server's. */
SmtpReply *smtp_reply_new_ours (guint code, const gchar *status, const gchar *format, ...) G_GNUC_PRINTF (3, 4);
SmtpReply *smtp_reply_copy (const SmtpReply *reply);
void smtp_reply_free (SmtpReply *reply);

/**
 * smtp_reply_write:
 * @out: where the reply is appended as it goes over the wire
 *
 * Each line has the code (and the status, if there is one) and CRLF. A line longer than SMTP_REPLY_LINE_LONGEST_BYTES is
 * continued on the next; a character that is not ASCII goes out as "?", because the client may not have asked for more (RFC 6531
 * 3.7.4.2).
 */
void smtp_reply_write (const SmtpReply *reply, GString *out);

/* Returns: (transfer full): the reply as one line for logs and people, "550 5.1.1 No such user"; one of ours without the
 * codes, which only servers give. */
gchar *smtp_reply_line (const SmtpReply *reply);

static inline gboolean
smtp_reply_is_positive (const SmtpReply *reply)
{
    return reply->code < 400;
}

static inline gboolean
smtp_reply_is_temporary (const SmtpReply *reply)
{
    return reply->code >= 400 && reply->code < 500;
}

static inline gboolean
smtp_reply_is_permanent (const SmtpReply *reply)
{
    return reply->code >= 500;
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (SmtpReply, smtp_reply_free)
