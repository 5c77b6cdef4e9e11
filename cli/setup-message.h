/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "postern-client.h"

/**
 * setup_send_message:
 * @sender: the reverse-path
 *
 * Hands a test message to the relay, and tells on standard output what becomes of it, at the latest after a minute.
 *
 * Returns: EXIT_OK if a smarthost took it
 */
ExitCode setup_send_message (const Client *client, const gchar *sender, const gchar *recipient);
