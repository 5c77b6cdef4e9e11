/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Display names
 *
 * The names of people come from the password database or a command line, where anything may stand; in a header only
 * words may. Each name is written in the plainest form that can hold it, so that "Jane Doe" stays Jane Doe.
 */

#include <string.h>

#include "message/encoded-word.h"
#include "message/phrase.h"

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

static gchar *
encode (const gchar *name)
{
    GString *out = g_string_new (NULL);

    message_encoded_word_append (out, name, strlen (name));
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
