/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/* The content of a message as a program hands it in, read piece by piece and made canonical. */
typedef struct _SendmailContent SendmailContent;

/**
 * sendmail_content_new:
 * @fd: where the message comes from; stays the caller's
 * @dot_ends: whether a line with a dot alone ends the message
 */
SendmailContent *sendmail_content_new (gint fd, gboolean dot_ends);
void sendmail_content_free (SendmailContent *content);

/**
 * sendmail_content_read:
 * @out: where the lines are appended, CRLF line ends
 *
 * Reads once, as much as there is, waiting if there is nothing.
 *
 * Returns: %FALSE with a SENDMAIL_ERROR if reading failed
 */
gboolean sendmail_content_read (SendmailContent *content, GString *out, GError **error);

/* Whether all has been read. */
gboolean sendmail_content_is_finished (const SendmailContent *content);

/* Where it comes from, to wait for. */
gint sendmail_content_fd (const SendmailContent *content);

/* How many NUL bytes were left out so far. */
guint64 sendmail_content_nul_bytes (const SendmailContent *content);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (SendmailContent, sendmail_content_free)
