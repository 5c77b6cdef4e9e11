/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Encoded words
 *
 * How a header says what ASCII cannot (RFC 2047). Of its two encodings "Q" is used, with the few letters that may stand
 * for themselves even in a phrase (5, rule 3), so that what comes out can be put anywhere. No character is ever split
 * over two words, for each word is decoded on its own.
 */

#include <string.h>

#include "message/encoded-word.h"

/* RFC 2047 2: an encoded word has at most 75 characters, a line with one at most 76. */
#define ENCODED_WORD_LONGEST_BYTES 75
#define ENCODED_LINE_LONGEST_BYTES 76
#define ENCODED_WORD_END           "?="

/* A word shorter than that says too little for its frame: rather begin a new line. It holds any one character. */
#define ENCODED_WORD_WORTHWHILE_BYTES 32

/* How long the line is that @out ends in; a line longer than any encoded word may stand on is looked at no further. */
static gsize
line_length (const GString *out)
{
    gsize looked_at = MIN (out->len, ENCODED_LINE_LONGEST_BYTES + 1);
    const gchar *end = out->str + out->len;
    const gchar *line = memrchr (end - looked_at, '\n', looked_at);

    return line != NULL ? (gsize) (end - (line + 1)) : looked_at;
}

static void
append_quoted (GString *out, const gchar *character, gsize length)
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

static gsize
character_length (const gchar *text, gsize length, gboolean utf8)
{
    return utf8 ? MIN (length, (gsize) g_utf8_skip[(guchar) *text]) : 1;
}

/* Returns: how long a word may be that is put at the end of @out. If that is too little for one of @wanted bytes, and
 * there is a blank to fold at, the line ends before that. */
static gsize
make_room (GString *out, gsize wanted)
{
    gsize line = line_length (out);
    gchar last = out->len > 0 ? out->str[out->len - 1] : '\0';

    if (line + MIN (wanted, ENCODED_WORD_WORTHWHILE_BYTES) <= ENCODED_LINE_LONGEST_BYTES)
        return MIN (ENCODED_LINE_LONGEST_BYTES - line, ENCODED_WORD_LONGEST_BYTES);

    if (line > 1 && (last == ' ' || last == '\t'))
        g_string_insert_len (out, (gssize) out->len - 1, "\r\n", 2);

    return ENCODED_WORD_LONGEST_BYTES;
}

void
message_encoded_word_append (GString *out, const gchar *text, gsize length)
{
    gboolean utf8 = g_utf8_validate_len (text, length, NULL);
    const gchar *start = utf8 ? "=?UTF-8?Q?" : "=?unknown-8bit?Q?";
    g_autoptr (GString) quoted = g_string_new (NULL);
    gsize room;
    gsize word;

    append_quoted (quoted, text, length);
    room = make_room (out, strlen (start) + quoted->len + strlen (ENCODED_WORD_END));
    word = out->len;
    g_string_append (out, start);
    while (length > 0) {
        gsize step = character_length (text, length, utf8);

        g_string_truncate (quoted, 0);
        append_quoted (quoted, text, step);
        if (out->len - word + quoted->len + strlen (ENCODED_WORD_END) > room) {
            g_string_append (out, ENCODED_WORD_END "\r\n ");
            room = ENCODED_WORD_LONGEST_BYTES;
            word = out->len;
            g_string_append (out, start);
        }
        g_string_append_len (out, quoted->str, (gssize) quoted->len);
        text += step;
        length -= step;
    }
    g_string_append (out, ENCODED_WORD_END);
}

gboolean
message_encoded_word_is_one (const gchar *word, gsize length)
{
    return length > 4 && memcmp (word, "=?", 2) == 0 && memcmp (word + length - 2, "?=", 2) == 0;
}
