/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Text from a peer, made fit to be shown
 *
 * What a peer says ends up in logs, on terminals and on the message bus. There a control character could move the
 * cursor or forge a line, and the bus closes the connection of anyone who sends it a string that is not UTF-8. So
 * whatever leaves the SMTP room for a reader passes through here.
 */

#include "smtp/printable.h"

#include <string.h>

static gboolean
is_plain (const gchar *data, gsize length)
{
    for (gsize i = 0; i < length; i++)
        if ((data[i] < ' ' && data[i] != '\n') || data[i] > '~')
            return FALSE;

    return TRUE;
}

gchar *
smtp_printable (const gchar *data, gsize length)
{
    g_autofree gchar *valid = NULL;
    GString *text;

    if (is_plain (data, length))
        return g_strndup (data, length);

    valid = g_utf8_make_valid (data, (gssize) length);
    text = g_string_sized_new (strlen (valid));
    for (const gchar *c = valid; *c != '\0'; c = g_utf8_next_char (c)) {
        gunichar character = g_utf8_get_char (c);

        if (g_unichar_iscntrl (character) && character != '\n')
            g_string_append_c (text, '?');
        else
            g_string_append_unichar (text, character);
    }

    return g_string_free (text, FALSE);
}
