/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "message/envelope.h"

/*
 * A delivery status notification (RFC 3461, 3464): a multipart/report message with a part for people, a part for
 * programs, and the original message or its header.
 */

/* Action of RFC 3464 2.3.3. */
typedef enum {
    MESSAGE_ACTION_FAILED,
    MESSAGE_ACTION_DELAYED,
    MESSAGE_ACTION_DELIVERED,
    MESSAGE_ACTION_RELAYED
} MessageAction;

typedef struct {
    const MessageRecipient *recipient;
    MessageAction action;
    const gchar *status;     /* enhanced status code, "5.1.1" */
    const gchar *reply;      /* (nullable) the remote's reply or our reason, as one line */
    const gchar *remote;     /* (nullable) the host that gave the reply; %NULL if the reason is ours */
    gint64 last_usec;        /* last attempt, microseconds since the epoch; 0 if there was none */
    gint64 retry_until_usec; /* of a delayed recipient; 0 otherwise */
} MessageNoticeRecipient;

typedef struct {
    const gchar *host_name; /* Reporting-MTA and MAILER-DAEMON's host */
    const gchar *domain;    /* MAILER-DAEMON@domain in From: */
    const gchar *queue_id;  /* of the original */
    gint64 arrival_usec;
    gint64 now_usec;
    const MessageEnvelope *envelope; /* the original's */
    GArray *recipients;              /* of MessageNoticeRecipient, at least one, all of the same action */
    GBytes *original;                /* (nullable) the original's content (CRLF), or the first part of it */
    gboolean original_complete; /* @original is all of it; if not, or with RET=HDRS, only its header is returned */
} MessageNotice;

/**
 * message_notice_build:
 *
 * Its Auto-Submitted: is auto-replied (RFC 3834). The caller sends it with the null reverse-path; by SMTPUTF8 only if the
 * original's sender, whom it goes to, has an address beyond ASCII. For any other it is ASCII, but for an original that
 * had 8-bit content without SMTPUTF8.
 *
 * Returns: (transfer full): the content of the notice, CRLF line ends
 */
GBytes *message_notice_build (const MessageNotice *notice);

/*
 * The same in steps, for as many recipients as there may be. What @notice points to stays as it is until the builder is freed.
 */
typedef struct _MessageNoticeBuilder MessageNoticeBuilder;

MessageNoticeBuilder *message_notice_builder_new (const MessageNotice *notice);
void message_notice_builder_free (MessageNoticeBuilder *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (MessageNoticeBuilder, message_notice_builder_free)

/* Goes on with at most @most recipients. Returns: whether there are more */
gboolean message_notice_builder_step (MessageNoticeBuilder *self, guint most);

/* Returns: (transfer full): the content, once all recipients are in it */
GBytes *message_notice_builder_end (MessageNoticeBuilder *self);

/**
 * message_notice_shorten:
 * @notice: the content of a notice that this relay has made, as it came out of the queue
 *
 * Takes from a notice all of the original but its header.
 *
 * Returns: (transfer full) (nullable): the content of a smaller one; %NULL if there is nothing to be taken
 */
GBytes *message_notice_shorten (GBytes *notice);
