/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/**
 * sendmail_pump:
 * @socket_path: the relay's socket
 * @input: what comes in here goes to the relay
 * @output: what the relay says goes out here
 *
 * Connects the relay with a caller that speaks SMTP itself, until the relay hangs up or the caller is gone.
 *
 * Returns: %FALSE with a SENDMAIL_ERROR if the relay could not be reached or the caller's side failed
 */
gboolean sendmail_pump (const gchar *socket_path, gint input, gint output, GError **error);
