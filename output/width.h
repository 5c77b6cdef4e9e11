/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/*
 * How many columns of a terminal text takes.
 */

/* Returns: 0 for what combines with the character before it, 2 for a wide one, else 1 */
guint width_of_character (gunichar character);

/* Returns: the columns of @text, valid UTF-8 without control characters */
guint width_of_text (const gchar *text);
