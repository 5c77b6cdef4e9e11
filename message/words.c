/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Words behind a name
 *
 * A reason that is made here names the remote, because in a list or a notice it stands alone. Where a sentence has named
 * the remote just before, the name is left out.
 */

#include "message/words.h"

#include <string.h>

const gchar *
message_words_behind (const gchar *name, const gchar *words)
{
    gsize length;

    if (name == NULL || !g_str_has_prefix (words, name))
        return words;

    length = strlen (name);
    return g_str_has_prefix (words + length, ": ") ? words + length + 2 : words;
}
