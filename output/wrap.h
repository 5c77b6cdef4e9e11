/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/*
 * Lines that end between words.
 */

/* Where a stream stands; all zero at its beginning. */
typedef struct {
    guint column;   /* the next that is written to */
    guint indent;   /* where this line goes on when it is broken */
    gboolean begun; /* something other than spaces is in this line */
} WrapLine;

/**
 * wrap_append:
 * @line: (inout): where the text before this ended
 * @columns: of the terminal
 * @text: UTF-8; it may end within a line, and colour itself
 * @out: gets it, with line breaks in place of spaces
 */
void wrap_append (WrapLine *line, guint columns, const gchar *text, GString *out);
