/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/**
 * message_identifier_token:
 *
 * Returns: (transfer full): 16 letters and digits that nobody has drawn before or can guess; fit for a msg-id, a
 *   MIME boundary or a file name
 */
gchar *message_identifier_token (void);

/**
 * message_identifier_new:
 * @domain: the right side, the relay's host name
 *
 * Returns: (transfer full): a new msg-id with its angle brackets (RFC 5322 3.6.4), unique without coordination
 */
gchar *message_identifier_new (const gchar *domain);
