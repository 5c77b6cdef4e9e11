/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "cli/postern-client.h"

/**
 * import_queue:
 * @root: "" or a folder that everything is below
 *
 * Hands the mail in nullmailer's queue to the relay, with its envelope; each message is removed there once the relay has
 * it safe on disk. Tells what it does.
 *
 * Returns: EXIT_OK if nothing is left
 */
ExitCode import_queue (const Client *client, const gchar *root);
