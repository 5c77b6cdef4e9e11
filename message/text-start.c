/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The start of a text
 *
 * Editors of other systems put a byte order mark in front of UTF-8, where it means nothing (RFC 3629 6) and nobody sees it. Whoever
 * reads the text sees a first line that begins with three strange bytes: a group that does not exist, a password
 * that is wrong, a header that is none. Every text that a person may have written goes through here first, so that the
 * mark is no part of it anywhere.
 *
 * The same editors call UTF-16 "Unicode". That is another encoding and nothing to step over: it is named, with what
 * to do.
 */

#include "message/text-start.h"

#include <string.h>

#define MARK "\xEF\xBB\xBF"

G_STATIC_ASSERT (sizeof MARK - 1 == MESSAGE_TEXT_MARK_BYTES);

/* Returns: (nullable): the encoding's name, if it is one of those with units of more than a byte */
static const gchar *
wide_encoding (const gchar *text, gsize length)
{
    if (length >= 4 && (memcmp (text, "\xFF\xFE\0\0", 4) == 0 || memcmp (text, "\0\0\xFE\xFF", 4) == 0))
        return "UTF-32";
    if (length >= 2 && (memcmp (text, "\xFF\xFE", 2) == 0 || memcmp (text, "\xFE\xFF", 2) == 0))
        return "UTF-16";

    return NULL;
}

gsize
message_text_mark_bytes (const gchar *text, gsize length)
{
    return length >= MESSAGE_TEXT_MARK_BYTES && memcmp (text, MARK, MESSAGE_TEXT_MARK_BYTES) == 0
               ? MESSAGE_TEXT_MARK_BYTES
               : 0;
}

gboolean
message_text_start (const gchar **text, gsize *length, GError **error)
{
    const gchar *encoding = wide_encoding (*text, *length);
    gsize mark = message_text_mark_bytes (*text, *length);

    if (encoding != NULL) {
        g_set_error (error, MESSAGE_ERROR, MESSAGE_ERROR_UTF8,
                     "it is %s text; save it as UTF-8, or convert it with: iconv -f %s -t UTF-8", encoding, encoding);
        return FALSE;
    }

    *text += mark;
    *length -= mark;
    return TRUE;
}

gboolean
message_text_start_is_open (const gchar *text, gsize length)
{
    return length == 0 || (length < MESSAGE_TEXT_START_BYTES && strchr ("\xEF\xFE\xFF", *text) != NULL);
}
