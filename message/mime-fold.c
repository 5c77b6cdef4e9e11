/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Folding
 *
 * A header line of more than 998 bytes is refused by some servers, cut by others and taken by the rest (RFC 5322 2.1.1). A
 * reader who unfolds the field gets back what was there: a fold is put in front of a blank, and takes nothing away. In a list
 * without blanks one is added behind a comma, where it means nothing.
 *
 * Only lines that are too long are folded, and then to what RFC 5322 recommends: whoever wrote a line of 200 bytes had the
 * right to. Where encoded words were put in, lines are to be short. A fold never leaves a line of blanks alone, which RFC 5322 3.2.2 forbids to write.
 */

#include <string.h>

#include "message/line-check.h"
#include "message/mime-fold.h"
#include "message/mime-token.h"

/* RFC 5322 2.1.1 asks for 78, and RFC 2047 for this. */
#define LINE_WANTED_BYTES MESSAGE_MIME_FOLD_ENCODED_BYTES

gboolean
message_mime_fold_is_needed (const gchar *field, gsize length)
{
    MessageLineCheck check = {0};

    if (length <= MESSAGE_LINE_LONGEST_BYTES)
        return FALSE;

    message_line_check_feed (&check, field, length);
    return message_line_check_end (&check);
}

/* Where a line may be ended. */
typedef struct {
    gsize at;         /* so many bytes from its start */
    gboolean is_bare; /* a blank has to be added */
} Place;

/* Where the quoted string or comment ends that starts at @text, in which a comma separates nothing; @text + 1 if none does. */
static const gchar *
end_of_quoted (const gchar *text, const gchar *end)
{
    gsize token = 1;

    if (*text == '"' || *text == '(' || *text == '\\')
        message_mime_token (text, (gsize) (end - text), &token);

    return text + token;
}

/* The last place within @wanted bytes, or else the first behind; at 0: none. @quoted: what is in front of it is within
 * quotes, or was looked at. */
static Place
find_place (const gchar *line, gsize length, gsize wanted, gboolean at_commas, const gchar **quoted)
{
    Place found = {0};
    gsize text = message_mime_blank_length (line, length); /* blanks at the start are no place */

    for (gsize at = text; at < length && (found.at == 0 || at <= wanted); at++) {
        gsize blanks = message_mime_blank_length (line + at, length - at);
        gboolean is_bare = at_commas && at > text && blanks == 0 && line + at >= *quoted && line[at - 1] == ',';

        if (is_bare || (at > text && blanks > 0 && at + blanks < length))
            found = (Place){.at = at, .is_bare = is_bare};
        if (at_commas && line + at >= *quoted)
            *quoted = end_of_quoted (line + at, line + length);
        if (blanks > 0)
            at += blanks - 1;
    }

    return found;
}

/* One line, without its end. Returns: %FALSE if what came of it is too long still */
static gboolean
fold_line (GString *out, const gchar *line, gsize length, gsize name, gboolean at_commas)
{
    gboolean fits = TRUE;
    gsize start = out->len;
    const gchar *quoted = line + name;

    /* The name and its colon stay with what follows. */
    g_string_append_len (out, line, (gssize) name);
    line += name;
    length -= name;

    while (out->len - start + length > LINE_WANTED_BYTES) {
        gsize used = out->len - start;
        Place place =
            find_place (line, length, LINE_WANTED_BYTES - MIN (used, LINE_WANTED_BYTES), at_commas, &quoted);

        if (place.at == 0)
            break;

        g_string_append_len (out, line, (gssize) place.at);
        fits = fits && out->len - start <= MESSAGE_LINE_LONGEST_BYTES;
        g_string_append (out, place.is_bare ? "\r\n " : "\r\n");
        start = out->len - (place.is_bare ? 1 : 0);
        line += place.at;
        length -= place.at;
    }

    g_string_append_len (out, line, (gssize) length);
    return fits && out->len - start <= MESSAGE_LINE_LONGEST_BYTES;
}

gboolean
message_mime_fold (GString *out, const gchar *field, gsize length, gsize longest, gboolean at_commas)
{
    gboolean fits = TRUE;
    const gchar *colon = memchr (field, ':', length);
    gsize name = colon != NULL ? (gsize) (colon + 1 - field) : 0;

    while (length > 0) {
        const gchar *end = memmem (field, length, "\r\n", 2);
        gsize line = end != NULL ? (gsize) (end - field) : length;
        gsize whole = end != NULL ? line + 2 : line;

        if (line > longest)
            fits = fold_line (out, field, line, MIN (name, line), at_commas) && fits;
        else
            g_string_append_len (out, field, (gssize) line);
        g_string_append_len (out, field + line, (gssize) (whole - line));
        field += whole;
        length -= whole;
        name = 0;
    }

    return fits;
}
