/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "message/envelope.h"
#include "smtp/reply.h"

/* The ESMTP parameters of MAIL and RCPT (RFC 5321 4.1.2): SIZE, BODY, SMTPUTF8, RET, ENVID; NOTIFY, ORCPT. */

/**
 * smtp_parameters_read_mail:
 * @text: what follows the reverse-path
 * @length: bytes at @text
 * @envelope: gets the parameters
 * @declared_bytes: (out): SIZE=, 0 if it is not given; %G_MAXUINT64 if it is beyond what can be counted
 *
 * Returns: (transfer full) (nullable): the refusal of what is unknown, given twice or wrong; %NULL if all is well
 */
SmtpReply *smtp_parameters_read_mail (const gchar *text, gsize length, MessageEnvelope *envelope,
                                      guint64 *declared_bytes);

/**
 * smtp_parameters_read_recipient:
 * @text: what follows the forward-path
 * @length: bytes at @text
 * @smtputf8: whether MAIL asked for SMTPUTF8
 * @recipient: gets the parameters
 *
 * Returns: (transfer full) (nullable): the refusal, or %NULL
 */
SmtpReply *smtp_parameters_read_recipient (const gchar *text, gsize length, gboolean smtputf8,
                                           MessageRecipient *recipient);
