/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Widths
 *
 * Columns are not characters: an accent of its own takes none, a Chinese character takes two. What is set in columns or
 * broken into lines is measured by what appears.
 */

#include "output/width.h"

guint
width_of_character (gunichar character)
{
    if (g_unichar_iszerowidth (character))
        return 0;
    return g_unichar_iswide (character) ? 2 : 1;
}

guint
width_of_text (const gchar *text)
{
    guint width = 0;

    /* Mostly all of it needs no look at Unicode. */
    for (; g_ascii_isprint (*text); text++)
        width++;
    for (; *text != '\0'; text = g_utf8_next_char (text))
        width += width_of_character (g_utf8_get_char (text));
    return width;
}
