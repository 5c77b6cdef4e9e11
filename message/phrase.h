/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/**
 * message_phrase_format:
 * @name: a person's name, as the password database or a command line has it
 *
 * Writes a display name (RFC 5322 3.4): as it is, as a quoted string, or, if it is not ASCII, as encoded words
 * (RFC 2047 5), folded where it is long.
 *
 * Returns: (transfer full) (nullable): the phrase; %NULL if there is nothing in @name, or it is not UTF-8
 */
gchar *message_phrase_format (const gchar *name);
