/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/* Replies longer than this come from no relay. */
#define SENDMAIL_REPLY_LONGEST_BYTES 65536

/* A reply of the relay (RFC 5321 4.2). */
typedef struct {
    guint code;
    gchar *text; /* its lines without the code, with "\n" between them */
} SendmailReply;

typedef enum {
    SENDMAIL_REPLY_MORE,     /* it is not complete */
    SENDMAIL_REPLY_COMPLETE, /* @reply is set */
    SENDMAIL_REPLY_MALFORMED /* this is no reply */
} SendmailReplyResult;

/**
 * sendmail_reply_take:
 * @received: what was received so far; a complete reply is taken off its front
 * @reply: (out) (transfer full): the reply
 */
SendmailReplyResult sendmail_reply_take (GString *received, SendmailReply **reply);
void sendmail_reply_free (SendmailReply *reply);

/* Returns: (transfer full): the reply as one printable line, "550 5.1.1 No such user". */
gchar *sendmail_reply_line (const SendmailReply *reply);

/* Whether one of the reply's lines is this keyword, maybe with parameters (RFC 5321 4.1.1.1). */
gboolean sendmail_reply_has_keyword (const SendmailReply *reply, const gchar *keyword);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (SendmailReply, sendmail_reply_free)
