/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Lines that end between words
 *
 * A terminal breaks a line wherever it is full, in the middle of a word. Here a line is broken at the last space that
 * fits, and goes on below where its text began: behind the spaces at its start, or behind the gap of two or more
 * spaces that sets a name, a time or an option off from what is said of it.
 *
 *     Trouble:   the disk is full; see the journal of posternd
 *
 * becomes on a narrow terminal
 *
 *     Trouble:   the disk is full;
 *                see the journal
 *                of posternd
 *
 * A word that is wider than the terminal is left to it: whoever copies an address or a path wants it in one piece.
 */

#include "output/wrap.h"

#include <string.h>

#include "output/width.h"

#define ESCAPE '\033'

/* A line goes on in the left half at most, or there is no room left for it. */
#define INDENT_SHARE 2

/* The bytes of a colour's escape sequence at @text ("\033[1m"), 0 if there is none. */
static gsize
colour_length (const gchar *text)
{
    return *text == ESCAPE && text[1] == '[' ? strcspn (text, "m") + (strchr (text, 'm') != NULL) : 0;
}

/* The columns of the word at @text. */
static guint
word_width (const gchar *text)
{
    guint width = 0;

    while (*text != '\0' && *text != ' ' && *text != '\n') {
        gsize colour = colour_length (text);

        if (colour == 0)
            width += width_of_character (g_utf8_get_char (text));
        text = colour > 0 ? text + colour : g_utf8_next_char (text);
    }
    return width;
}

static void
append_spaces (WrapLine *line, guint count, GString *out)
{
    for (guint i = 0; i < count; i++)
        g_string_append_c (out, ' ');
    line->column += count;
}

static void
end_line (WrapLine *line, GString *out)
{
    g_string_append_c (out, '\n');
    *line = (WrapLine){0};
}

static void
break_line (WrapLine *line, GString *out)
{
    g_string_append_c (out, '\n');
    line->column = 0;
    append_spaces (line, line->indent, out);
}

/* @count spaces, behind which there is a word of @width columns. */
static void
append_gap (WrapLine *line, guint columns, guint count, guint width, GString *out)
{
    guint behind = line->column + count;

    if ((!line->begun || count > 1) && behind <= columns / INDENT_SHARE)
        line->indent = behind;

    if (line->begun && width > 0 && behind + width > columns && line->column > line->indent)
        break_line (line, out);
    else
        append_spaces (line, count, out);
}

static const gchar *
append_word (WrapLine *line, const gchar *text, GString *out)
{
    const gchar *end = text + strcspn (text, " \n");

    g_string_append_len (out, text, end - text);
    line->column += word_width (text);
    line->begun = TRUE;
    return end;
}

void
wrap_append (WrapLine *line, guint columns, const gchar *text, GString *out)
{
    while (*text != '\0') {
        gsize spaces = strspn (text, " ");

        if (*text == '\n') {
            end_line (line, out);
            text++;
        } else if (spaces > 0) {
            append_gap (line, columns, (guint) spaces, word_width (text + spaces), out);
            text += spaces;
        } else {
            text = append_word (line, text, out);
        }
    }
}
