/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The tokens of a structured field
 *
 * What RFC 5322 3.2 calls white space, comments, quoted strings, specials and atoms, as far as header fields that hold
 * addresses or parameters have to be taken apart. Nothing is ever an error: a comment or a quoted string without an end
 * goes as far as the field does.
 */

#include <string.h>

#include "message/mime-token.h"

gboolean
message_mime_is_blank (gchar c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

gsize
message_mime_blank_length (const gchar *text, gsize length)
{
    gsize blanks = 0;

    while (blanks < length && message_mime_is_blank (text[blanks]))
        blanks++;

    return blanks;
}

void
message_mime_append_unfolded (GString *out, const gchar *text, gsize length)
{
    for (gsize i = 0; i < length; i++)
        if (text[i] != '\r' && text[i] != '\n')
            g_string_append_c (out, text[i]);
}

gsize
message_mime_step_length (const gchar *text, gsize length)
{
    return *text == '\\' ? MIN (length, 2) : 1;
}

static gsize
quoted_length (const gchar *text, gsize length, gchar end)
{
    gsize at = 1;

    while (at < length && text[at] != end)
        at += message_mime_step_length (text + at, length - at);

    return MIN (at + 1, length);
}

static gsize
comment_length (const gchar *text, gsize length)
{
    gsize depth = 0;
    gsize at = 0;

    do {
        if (text[at] == '(')
            depth++;
        else if (text[at] == ')')
            depth--;
        at += message_mime_step_length (text + at, length - at);
    } while (at < length && depth > 0);

    return at;
}

static gboolean
is_special (gchar c)
{
    return c != '\0' && strchr ("<>,;:", c) != NULL;
}

MessageMimeToken
message_mime_token (const gchar *text, gsize length, gsize *token)
{
    gsize at = 0;

    if (message_mime_is_blank (*text)) {
        *token = message_mime_blank_length (text, length);
        return MESSAGE_MIME_TOKEN_BLANKS;
    }
    if (*text == '(') {
        *token = comment_length (text, length);
        return MESSAGE_MIME_TOKEN_COMMENT;
    }
    if (*text == '"') {
        *token = quoted_length (text, length, '"');
        return MESSAGE_MIME_TOKEN_QUOTED;
    }
    if (is_special (*text)) {
        *token = 1;
        return MESSAGE_MIME_TOKEN_SPECIAL;
    }

    while (at < length && !message_mime_is_blank (text[at]) && !is_special (text[at]) && text[at] != '(' &&
           text[at] != '"')
        at += message_mime_step_length (text + at, length - at);
    *token = at;
    return MESSAGE_MIME_TOKEN_ATOM;
}

GString *
message_mime_unquote (const gchar *text, gsize length)
{
    GString *plain = g_string_new (NULL);

    for (gsize at = 1; at < length && text[at] != '"';) {
        gsize step = message_mime_step_length (text + at, length - at);

        message_mime_append_unfolded (plain, text + at + step - 1, 1);
        at += step;
    }

    return plain;
}
