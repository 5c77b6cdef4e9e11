/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/*
 * How standard output looks: whether it has colours, and which.
 */

typedef enum { STYLE_PLAIN, STYLE_HEADING, STYLE_GOOD, STYLE_WAITING, STYLE_BAD, STYLE_FAINT } Style;

/* Returns: the escape sequence that begins @style, "" where there are no colours */
const gchar *style_begin (Style style);

/* Returns: the escape sequence that ends any style, "" where there are no colours */
const gchar *style_end (void);

/* Returns: the style of a message's or a remote's or a recipient's state */
Style style_of_state (const gchar *state);
