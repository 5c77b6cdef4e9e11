/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Printable text
 *
 * Errors, logs and notices repeat what others wrote: a bad address, a server's reply. Whatever in it could start a
 * new line, forge a header field, drive a terminal, turn a line round, or break a reader that expects UTF-8 is spelled out, so that it
 * is seen and does nothing.
 */

#include "message/printable.h"

gboolean
message_is_harmless (gunichar character)
{
    switch (g_unichar_type (character)) {
    case G_UNICODE_CONTROL:
    case G_UNICODE_FORMAT: /* directions, joiners, tags */
    case G_UNICODE_SURROGATE:
    case G_UNICODE_PRIVATE_USE:
    case G_UNICODE_UNASSIGNED:
    case G_UNICODE_LINE_SEPARATOR:
    case G_UNICODE_PARAGRAPH_SEPARATOR:
        return FALSE;
    default:
        return TRUE;
    }
}

static void
append_bytes (GString *out, const gchar *bytes, gsize count)
{
    for (gsize i = 0; i < count; i++)
        g_string_append_printf (out, "\\x%02X", (guchar) bytes[i]);
}

/* The length of the well-formed UTF-8 character at @text, or 0. */
static gsize
character_length (const gchar *text, gsize length, gunichar *character)
{
    if (*text == '\0') {
        *character = 0;
        return 1;
    }

    *character = g_utf8_get_char_validated (text, (gssize) length);
    if (*character == (gunichar) -1 || *character == (gunichar) -2)
        return 0;

    return (gsize) g_unichar_to_utf8 (*character, NULL);
}

static void
append_character (GString *out, const gchar *text, gsize length, gunichar character, gboolean utf8)
{
    if (character == '\t')
        g_string_append_c (out, ' ');
    else if (!message_is_harmless (character))
        append_bytes (out, text, length);
    else if (character < 0x80 || utf8)
        g_string_append_len (out, text, (gssize) length);
    else
        g_string_append_printf (out, "\\x{%X}", character);
}

/* How many bytes at @text stand for themselves and are ASCII. */
static gsize
plain_run (const gchar *text, gsize length)
{
    gsize run = 0;

    while (run < length && g_ascii_isprint (text[run]))
        run++;

    return run;
}

gchar *
message_printable (const gchar *text, gsize length, gsize longest_bytes, gboolean utf8)
{
    GString *out = g_string_sized_new (MIN (length, longest_bytes) + 1);

    for (gsize at = 0; at < length;) {
        gsize run = plain_run (text + at, MIN (length, longest_bytes) - at);
        gunichar character;
        gsize step;

        if (run > 0) {
            g_string_append_len (out, text + at, (gssize) run);
            at += run;
            continue;
        }

        step = character_length (text + at, length - at, &character);
        if (MAX (step, 1) > longest_bytes - at) {
            g_string_append (out, utf8 ? "…" : "...");
            break;
        }

        if (step > 0)
            append_character (out, text + at, step, character, utf8);
        else
            append_bytes (out, text + at, 1);
        at += MAX (step, 1);
    }

    return g_string_free (out, FALSE);
}
