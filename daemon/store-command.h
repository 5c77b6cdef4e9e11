/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/* posternd --verify and --salvage=: a store that no daemon has open. Both print what they find, and return when they are done. */

/**
 * store_command_verify:
 * @state_directory: with queue/ in it
 *
 * Returns: the exit status: 0, 1 if it cannot be read, or EX_DATAERR if anything is damaged
 */
int store_command_verify (const gchar *state_directory);

/**
 * store_command_salvage:
 * @state_directory: the damaged one, which is only read
 * @into: the state directory that is made
 *
 * Returns: the exit status: 0, 1 if it could not be done, or EX_DATAERR if messages were lost or are damaged
 */
int store_command_salvage (const gchar *state_directory, const gchar *into);
