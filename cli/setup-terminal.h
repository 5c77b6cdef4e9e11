/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/* Questions to the person at the terminal, on standard input and output. */

/* Whether there is one. */
gboolean terminal_is_there (void);

/**
 * terminal_ask:
 * @question: without a mark at its end
 * @fallback: (nullable): what an empty answer means
 *
 * Returns: (transfer full): the answer without spaces around it; %NULL at the end of the input
 */
gchar *terminal_ask (const gchar *question, const gchar *fallback);

/* Returns: (transfer full): the answer, which is not shown while it is typed; to be wiped. %NULL at the end of the input */
gchar *terminal_ask_secret (const gchar *question);

/* @fallback: what an empty answer, and the end of the input, mean */
gboolean terminal_confirm (const gchar *question, gboolean fallback);

/**
 * terminal_read_secret:
 * @fd: a file or pipe
 *
 * Returns: (transfer full): the first line without its end, to be wiped; %NULL with an error in words
 */
gchar *terminal_read_secret (int fd, GError **error);

/**
 * terminal_wait_new:
 * @what: what is done now, without a mark at its end
 *
 * Says so; and at a terminal that it is still done, by a dot each second until terminal_wait_free ().
 */
typedef struct _TerminalWait TerminalWait;
TerminalWait *terminal_wait_new (const gchar *what);
void terminal_wait_free (TerminalWait *wait);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TerminalWait, terminal_wait_free)

/* Wipes and frees. */
void terminal_wipe (gchar *secret);
