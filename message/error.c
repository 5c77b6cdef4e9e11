/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Errors about text
 *
 * What is wrong with an address or a header was written by a person or a program that somebody looks after, so each
 * error shows the text that it is about. That text comes from outside: before it is shown it loses whatever could
 * forge a log line, drive a terminal, or break a reader that expects UTF-8.
 */

#include "message/error.h"

/* Enough to recognize an address by; an error stays readable on one or two lines of a terminal. */
#define QUOTED_LONGEST_BYTES 120

G_DEFINE_QUARK (message - error - quark, message_error)

static void
append_byte (GString *out, guchar byte)
{
    g_string_append_printf (out, "\\x%02X", byte);
}

/* The length of the well-formed UTF-8 character at @text, or 0. */
static gsize
character_length (const gchar *text, gsize length, gunichar *character)
{
    *character = g_utf8_get_char_validated (text, (gssize) length);
    if (*character == (gunichar) -1 || *character == (gunichar) -2)
        return 0;

    return (gsize) g_unichar_to_utf8 (*character, NULL);
}

gchar *
message_error_quote (const gchar *text, gsize length)
{
    GString *out = g_string_sized_new (MIN (length, QUOTED_LONGEST_BYTES) + 1);

    for (gsize at = 0; at < length;) {
        gunichar character;
        gsize step = character_length (text + at, length - at, &character);

        if (at + MAX (step, 1) > QUOTED_LONGEST_BYTES) {
            g_string_append (out, "…");
            break;
        }

        if (step == 0 || text[at] == '\0') {
            append_byte (out, (guchar) text[at]);
            at++;
            continue;
        }

        if (g_unichar_iscntrl (character))
            for (gsize i = 0; i < step; i++)
                append_byte (out, (guchar) text[at + i]);
        else
            g_string_append_len (out, text + at, (gssize) step);
        at += step;
    }

    return g_string_free (out, FALSE);
}
