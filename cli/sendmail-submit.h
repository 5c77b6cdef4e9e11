/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "cli/sendmail-options.h"

/**
 * sendmail_submit:
 * @socket_path: the relay's socket
 *
 * Hands the message on standard input to the relay.
 *
 * Returns: %TRUE when the relay has it for good; %FALSE with a SENDMAIL_ERROR if it has not
 */
gboolean sendmail_submit (const SendmailOptions *options, const gchar *socket_path, GError **error);
