/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/*
 * What programs print: in the characters and the width of who reads it.
 */

/* From now on g_print () and g_printerr () suit their readers. To be called at the start of a program, after
 * setlocale () if it calls that. */
void output_install (void);

/* Somebody answered a question at the terminal, and ended the line by Enter. */
void output_answered (void);

/* Returns: whether a reader of standard output sees "…" and typographic quotes as they are */
gboolean output_is_utf8 (void);

/* Returns: the width of the terminal in columns; 0 if standard output is none, and lines may have any length */
guint output_columns (void);
