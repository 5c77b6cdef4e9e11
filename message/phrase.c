/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Display names
 *
 * The names of people come from the password database or a command line, where anything may stand; in a header only
 * words may. Each name is written in the plainest form that can hold it, so that "Jane Doe" stays Jane Doe.
 */

#include <string.h>

#include "message/phrase.h"

/* RFC 2047 2: an encoded word has at most 75 characters. */
#define ENCODED_WORD_LONGEST_BYTES 75
#define ENCODED_WORD_START         "=?UTF-8?Q?"
#define ENCODED_WORD_END           "?="

/* Control characters mean nothing in a name and could end its line. */
static gchar *
clean (const gchar *name)
{
    gchar *cleaned = g_strdup (name);

    for (gchar *c = cleaned; *c != '\0'; c++)
        if (g_ascii_iscntrl (*c))
            *c = ' ';

    return g_strstrip (cleaned);
}

/* Whether the name is atoms and spaces; "=?" could pass for an encoded word. */
static gboolean
is_plain (const gchar *name)
{
    if (strstr (name, "=?") != NULL)
        return FALSE;

    for (; *name != '\0'; name++)
        if (!g_ascii_isalnum (*name) && strchr ("!#$%&'*+-/=?^_`{|}~ ", *name) == NULL)
            return FALSE;

    return TRUE;
}

static gchar *
quote (const gchar *name)
{
    GString *quoted = g_string_new ("\"");

    for (; *name != '\0'; name++) {
        if (*name == '"' || *name == '\\')
            g_string_append_c (quoted, '\\');
        g_string_append_c (quoted, *name);
    }
    g_string_append_c (quoted, '"');

    return g_string_free (quoted, FALSE);
}

/* The "Q" encoding with the letters that RFC 2047 5 (3) leaves for a phrase; one whole character at a time. */
static void
append_encoded (GString *out, const gchar *character, gsize length)
{
    for (gsize i = 0; i < length; i++) {
        gchar c = character[i];

        if (g_ascii_isalnum (c) || (c != '\0' && strchr ("!*+-/", c) != NULL))
            g_string_append_c (out, c);
        else if (c == ' ')
            g_string_append_c (out, '_');
        else
            g_string_append_printf (out, "=%02X", (guchar) c);
    }
}

static gchar *
encode (const gchar *name)
{
    GString *out = g_string_new (ENCODED_WORD_START);
    gsize word = 0; /* where the word under way starts */

    while (*name != '\0') {
        g_autoptr (GString) encoded = g_string_new (NULL);
        const gchar *next = g_utf8_next_char (name);

        append_encoded (encoded, name, (gsize) (next - name));
        if (out->len - word + encoded->len + strlen (ENCODED_WORD_END) > ENCODED_WORD_LONGEST_BYTES) {
            g_string_append (out, ENCODED_WORD_END "\r\n ");
            word = out->len;
            g_string_append (out, ENCODED_WORD_START);
        }
        g_string_append_len (out, encoded->str, (gssize) encoded->len);
        name = next;
    }
    g_string_append (out, ENCODED_WORD_END);

    return g_string_free (out, FALSE);
}

gchar *
message_phrase_format (const gchar *name)
{
    g_autofree gchar *cleaned = NULL;

    g_return_val_if_fail (name != NULL, NULL);

    if (!g_utf8_validate (name, -1, NULL))
        return NULL;

    cleaned = clean (name);
    if (*cleaned == '\0')
        return NULL;
    if (!g_str_is_ascii (cleaned))
        return encode (cleaned);
    if (!is_plain (cleaned))
        return quote (cleaned);

    return g_steal_pointer (&cleaned);
}
