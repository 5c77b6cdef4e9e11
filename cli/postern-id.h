/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "postern-command.h"

/*
 * Queue ids as people write them: as much as tells one from the others.
 */

/* So many are named where a beginning is that of several. */
#define IDS_NAMED_MOST 5

/* Whether the word may be the beginning of an id, and is not a whole one. */
gboolean id_is_short (const gchar *word);

/* Tells that several begin so. Returns: EXIT_USAGE */
ExitCode id_complain_ambiguous (const gchar *word, const gchar *const *ids);

/**
 * ids_complete:
 * @line: connected; each of its words is an id or the beginning of one
 * @everyone: other users' mail is meant, too
 *
 * Puts the whole id of a message in the queue in the place of a beginning.
 *
 * Returns: EXIT_OK; else what failed was told
 */
ExitCode ids_complete (CommandLine *line, gboolean everyone);
