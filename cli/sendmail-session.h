/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "message/envelope.h"

/* One message's SMTP session with the relay. */
typedef struct _SendmailSession SendmailSession;

/**
 * sendmail_session_open:
 * @path: the relay's socket
 * @verbose: whether the dialogue is shown on standard error
 * @stopping: (out): set to %TRUE, now or in what follows, when the relay ends the session because it stops
 *
 * Connects and says EHLO.
 *
 * Returns: (transfer full): the session; or %NULL with a SENDMAIL_ERROR
 */
SendmailSession *sendmail_session_open (const gchar *path, gboolean verbose, gboolean *stopping, GError **error);
void sendmail_session_free (SendmailSession *session);

/* Whether the relay wants the sender that the message's Return-Path names, where no other was given. */
gboolean sendmail_session_wants_return_path (const SendmailSession *session);

/**
 * sendmail_session_begin:
 * @envelope: with at least one recipient; must live as long as the session
 * @size_bytes: of the content, or 0 if it is not known
 *
 * Puts MAIL and RCPT in line for sending.
 *
 * Returns: %FALSE with a SENDMAIL_ERROR if the relay cannot take such a message
 */
gboolean sendmail_session_begin (SendmailSession *session, const MessageEnvelope *envelope, guint64 size_bytes,
                                 GError **error);

/* Sends a piece of the content, canonical, whole lines or not. */
gboolean sendmail_session_content (SendmailSession *session, const gchar *data, gsize length, GError **error);

/* Waits until @input can be read. However long that takes, the relay does not take the session for dead. */
gboolean sendmail_session_wait (SendmailSession *session, gint input, GError **error);

/**
 * sendmail_session_end:
 * @data: the last piece of the content
 *
 * Sends it and waits for the relay to say that it has the message for good. If a recipient was refused, the message
 * is not sent to the others either.
 *
 * Returns: %FALSE with a SENDMAIL_ERROR if the relay does not have the message
 */
gboolean sendmail_session_end (SendmailSession *session, const gchar *data, gsize length, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (SendmailSession, sendmail_session_free)
