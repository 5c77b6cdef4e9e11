/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * xtext
 *
 * How parameters of MAIL and RCPT carry text that may hold spaces or "=" (RFC 3461 4): such a byte is written as "+"
 * and two hexadecimal digits. What comes out of it ends up in the header of delivery status notifications; so only
 * printable characters come out, and a line end in an ENVID= cannot become a line of somebody's header.
 */

#include "smtp/xtext.h"

static gboolean
is_printable (gint byte)
{
    return byte >= ' ' && byte <= '~';
}

/* Appends the byte at @position, encoded or plain; returns how many bytes of @text it took, 0 if it is no xtext. */
static gsize
decode_one (const gchar *text, gsize length, gboolean utf8, GString *out)
{
    gint byte = (guchar) text[0];
    gsize taken = 1;

    if (byte == '+') {
        if (length < 3 || !g_ascii_isxdigit (text[1]) || !g_ascii_isxdigit (text[2]))
            return 0;
        byte = g_ascii_xdigit_value (text[1]) << 4 | g_ascii_xdigit_value (text[2]);
        taken = 3;
    } else if (byte == ' ' || byte == '=') {
        return 0;
    }

    if (!is_printable (byte) && !(utf8 && taken == 1 && byte >= 0x80))
        return 0;
    g_string_append_c (out, (gchar) byte);

    return taken;
}

/* Whether @text is UTF-8 without the control characters that lie beyond ASCII. */
static gboolean
is_printable_utf8 (const gchar *text)
{
    if (!g_utf8_validate (text, -1, NULL))
        return FALSE;

    for (const gchar *c = text; *c != '\0'; c = g_utf8_next_char (c))
        if (g_unichar_iscntrl (g_utf8_get_char (c)))
            return FALSE;

    return TRUE;
}

gchar *
smtp_xtext_decode (const gchar *text, gsize length, gboolean utf8)
{
    g_autoptr (GString) out = g_string_sized_new (length);
    gsize taken;

    for (gsize position = 0; position < length; position += taken) {
        taken = decode_one (text + position, length - position, utf8, out);
        if (taken == 0)
            return NULL;
    }

    if (!is_printable_utf8 (out->str))
        return NULL;

    return g_string_free (g_steal_pointer (&out), FALSE);
}

void
smtp_xtext_append (GString *out, const gchar *text, gboolean utf8)
{
    for (const gchar *c = text; *c != '\0'; c = g_utf8_next_char (c)) {
        gunichar character = g_utf8_get_char (c);

        if (character >= 0x80 && utf8)
            g_string_append_unichar (out, character);
        else if (character >= 0x80)
            g_string_append_printf (out, "\\x{%X}", character);
        else if (character <= ' ' || character > '~' || character == '+' || character == '=')
            g_string_append_printf (out, "+%02X", character);
        else
            g_string_append_c (out, (gchar) character);
    }
}
