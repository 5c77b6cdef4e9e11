/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Encodings of bodies
 *
 * Quoted-printable leaves text readable as it is; base64 is for everything else. Whatever goes in comes out of a decoder
 * to the byte: a blank at the end of a line is quoted, so that nobody strips it (RFC 3676 lives by these), CR or LF
 * alone is quoted, so that nobody takes it for a line end.
 *
 * Beyond what must be quoted, two things are: the second dash of a line that starts with two, so that no line of a text
 * is ever taken for a delimiter, wherever it was broken, and the blank of "From " at the start of a line, which old
 * mailboxes put a ">" before.
 *
 * A body that is encoded already, but has raw bytes in it or lines that are too long, is not encoded again: only these
 * are dealt with, in the way that decoders read them.
 */

#include <string.h>

#include "message/mime-encoder.h"

/* RFC 2045 6.7 (5): 76 with the "=" of a soft line break. */
#define QUOTED_LINE_LONGEST_BYTES 75

/* RFC 5322 2.1.1 has 998. What is being repaired was in lines of its own, and only grows where it has raw bytes. */
#define REPAIRED_LINE_LONGEST_BYTES 900 /* a multiple of four: base64 stays in its groups */

static const gchar base64_alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const gchar hex_digits[] = "0123456789ABCDEF";

void
message_mime_encoder_init (MessageMimeEncoder *encoder, MessageMimeForm form)
{
    *encoder = (MessageMimeEncoder){.form = form};
}

static void
put (MessageMimeEncoder *encoder, gchar byte, GString *out)
{
    if (encoder->column < sizeof encoder->head)
        encoder->head[encoder->column] = byte;
    encoder->column++;
    g_string_append_c (out, byte);
}

static void
end_line (MessageMimeEncoder *encoder, const gchar *end, GString *out)
{
    g_string_append (out, end);
    encoder->column = 0;
}

/* ---- Quoted-printable ---- */

static void
make_room (MessageMimeEncoder *encoder, gsize wanted, gsize longest, GString *out)
{
    if (encoder->column + wanted > longest)
        end_line (encoder, "=\r\n", out);
}

static void
quote (MessageMimeEncoder *encoder, gchar byte, gsize longest, GString *out)
{
    make_room (encoder, 3, longest, out);
    put (encoder, '=', out);
    put (encoder, hex_digits[(guchar) byte >> 4], out);
    put (encoder, hex_digits[(guchar) byte & 0xf], out);
}

static gboolean
must_be_quoted (const MessageMimeEncoder *encoder, gchar byte)
{
    if (byte == '-')
        return encoder->column == 1 && encoder->head[0] == '-';
    if (byte == ' ')
        return encoder->column == 4 && memcmp (encoder->head, "From", 4) == 0;

    return byte != '\t' && (byte == '=' || !g_ascii_isgraph (byte));
}

static void
put_quoted (MessageMimeEncoder *encoder, gchar byte, GString *out)
{
    make_room (encoder, 1, QUOTED_LINE_LONGEST_BYTES, out);
    if (must_be_quoted (encoder, byte))
        quote (encoder, byte, QUOTED_LINE_LONGEST_BYTES, out);
    else
        put (encoder, byte, out);
}

/* The byte that was held back is what it looks like: a blank within a line, or a CR that ends none. */
static void
release_held (MessageMimeEncoder *encoder, GString *out)
{
    gchar held = encoder->held;

    encoder->held = '\0';
    if (held != '\0')
        put_quoted (encoder, held, out);
}

/* A blank before the end of a line. */
static void
quote_held (MessageMimeEncoder *encoder, GString *out)
{
    if (encoder->held != '\0')
        quote (encoder, encoder->held, QUOTED_LINE_LONGEST_BYTES, out);
    encoder->held = '\0';
}

static void
feed_quoted (MessageMimeEncoder *encoder, const gchar *data, gsize length, GString *out)
{
    for (gsize i = 0; i < length; i++) {
        if (data[i] == '\n' && encoder->held == '\r') {
            encoder->held = '\0';
            end_line (encoder, "\r\n", out);
        } else if (data[i] == '\r') {
            /* If a blank is held, it is before a line end, or before a CR that will be quoted: quoting it suits both. */
            quote_held (encoder, out);
            encoder->held = '\r';
        } else {
            release_held (encoder, out);
            if (data[i] == ' ' || data[i] == '\t')
                encoder->held = data[i];
            else
                put_quoted (encoder, data[i], out);
        }
    }
}

/* Within "=C3" no line may end. */
static gboolean
is_in_escape (MessageMimeEncoder *encoder, gchar byte)
{
    gboolean in_escape = encoder->escape > 0;

    if (byte == '=')
        encoder->escape = 2;
    else if (in_escape)
        encoder->escape--;

    return in_escape;
}

static void
repair_quoted (MessageMimeEncoder *encoder, const gchar *data, gsize length, GString *out)
{
    for (gsize i = 0; i < length; i++) {
        gboolean in_escape = is_in_escape (encoder, data[i]);

        if ((guchar) data[i] >= 0x80 || (data[i] == '-' && must_be_quoted (encoder, '-'))) {
            quote (encoder, data[i], REPAIRED_LINE_LONGEST_BYTES, out);
        } else {
            if (!in_escape && data[i] != '\r' && data[i] != '\n')
                make_room (encoder, 1, REPAIRED_LINE_LONGEST_BYTES, out);
            put (encoder, data[i], out);
            if (data[i] == '\n')
                encoder->column = 0;
        }
    }
}

/* ---- Base64 ---- */

static void
append_group (const guint8 *bytes, gsize count, GString *out)
{
    guint32 bits =
        (guint32) bytes[0] << 16 | (guint32) (count > 1 ? bytes[1] : 0) << 8 | (guint32) (count > 2 ? bytes[2] : 0);

    g_string_append_c (out, base64_alphabet[bits >> 18]);
    g_string_append_c (out, base64_alphabet[bits >> 12 & 0x3f]);
    g_string_append_c (out, count > 1 ? base64_alphabet[bits >> 6 & 0x3f] : '=');
    g_string_append_c (out, count > 2 ? base64_alphabet[bits & 0x3f] : '=');
}

/* A line is ended only when another follows: behind the last comes the delimiter's CRLF. */
static void
append_base64_line (MessageMimeEncoder *encoder, GString *out)
{
    if (encoder->column > 0)
        end_line (encoder, "\r\n", out);

    for (gsize at = 0; at < encoder->grouped; at += 3)
        append_group (encoder->group + at, MIN (encoder->grouped - at, 3), out);
    encoder->column = encoder->grouped;
    encoder->grouped = 0;
}

static void
feed_base64 (MessageMimeEncoder *encoder, const gchar *data, gsize length, GString *out)
{
    while (length > 0) {
        gsize taken = MIN (length, sizeof encoder->group - encoder->grouped);

        memcpy (encoder->group + encoder->grouped, data, taken);
        encoder->grouped += taken;
        data += taken;
        length -= taken;
        if (encoder->grouped == sizeof encoder->group)
            append_base64_line (encoder, out);
    }
}

static void
append_masked (const gchar *data, gsize length, GString *out)
{
    for (gsize i = 0; i < length; i++)
        g_string_append_c (out, (guchar) data[i] < 0x80 ? data[i] : '?');
}

/* What is neither of the alphabet nor the end of a line means nothing (RFC 2045 6.8). It goes, with the raw bytes, for it could be
 * the dashes of a delimiter once these are gone, or once a line was broken there. */
static gboolean
is_base64 (gchar byte)
{
    return g_ascii_isalnum (byte) || (byte != '\0' && strchr ("+/=\r\n", byte) != NULL);
}

static void
repair_base64 (MessageMimeEncoder *encoder, const gchar *data, gsize length, GString *out)
{
    for (gsize i = 0; i < length; i++) {
        if (!is_base64 (data[i]))
            continue;

        if (encoder->column >= REPAIRED_LINE_LONGEST_BYTES && data[i] != '\r' && data[i] != '\n')
            end_line (encoder, "\r\n", out);
        put (encoder, data[i], out);
        if (data[i] == '\n')
            encoder->column = 0;
    }
}

/* ---- All of them ---- */

void
message_mime_encoder_feed (MessageMimeEncoder *encoder, const gchar *data, gsize length, GString *out)
{
    switch (encoder->form) {
    case MESSAGE_MIME_FORM_SAME:
        g_string_append_len (out, data, (gssize) length);
        return;
    case MESSAGE_MIME_FORM_QUOTED:
        feed_quoted (encoder, data, length, out);
        return;
    case MESSAGE_MIME_FORM_BASE64:
        feed_base64 (encoder, data, length, out);
        return;
    case MESSAGE_MIME_FORM_QUOTED_REPAIRED:
        repair_quoted (encoder, data, length, out);
        return;
    case MESSAGE_MIME_FORM_BASE64_REPAIRED:
        repair_base64 (encoder, data, length, out);
        return;
    case MESSAGE_MIME_FORM_MASKED:
        append_masked (data, length, out);
        return;
    }
}

void
message_mime_encoder_end (MessageMimeEncoder *encoder, gboolean delimited, GString *out)
{
    if (encoder->form == MESSAGE_MIME_FORM_QUOTED) {
        quote_held (encoder, out);
        if (!delimited && encoder->column > 0)
            end_line (encoder, "=\r\n", out);
    } else if (encoder->form == MESSAGE_MIME_FORM_BASE64) {
        if (encoder->grouped > 0)
            append_base64_line (encoder, out);
        if (!delimited && encoder->column > 0)
            end_line (encoder, "\r\n", out);
    }
}
