/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Parameters of MIME's fields
 *
 * Content-Type and Content-Disposition have parameters (RFC 2045 5.1), and no encoded word may stand in one: RFC 2231
 * gives them a form of their own, with the charset in front and percent signs for bytes. One that is long is cut into
 * sections. What has no proper form is repaired, byte by byte.
 */

#include <string.h>

#include "message/eight-bit.h"
#include "message/mime-parameter.h"
#include "message/mime-token.h"

/* RFC 2231: a parameter that is longer is cut into sections, so that lines stay within 78. */
#define PARAMETER_SECTION_BYTES 54

static gboolean
is_attribute_char (gchar c)
{
    return g_ascii_isalnum (c) || (c != '\0' && strchr ("!#$&+-.^_`{|}~", c) != NULL);
}

static void
append_percent (GString *out, gchar c)
{
    g_string_append_printf (out, "%%%02X", (guchar) c);
}

static void
append_parameter (GString *out, const gchar *name, gsize name_length, const gchar *value, gsize length)
{
    g_autoptr (GString) encoded =
        g_string_new (g_utf8_validate_len (value, length, NULL) ? "utf-8''" : "unknown-8bit''");
    guint section = 0;

    for (gsize at = 0; at < length; at++) {
        if (encoded->len >= PARAMETER_SECTION_BYTES) {
            g_string_append_printf (out, "%.*s*%u*=%s;\r\n\t", (gint) name_length, name, section++, encoded->str);
            g_string_truncate (encoded, 0);
        }
        if (is_attribute_char (value[at]))
            g_string_append_c (encoded, value[at]);
        else
            append_percent (encoded, value[at]);
    }

    if (section > 0)
        g_string_append_printf (out, "%.*s*%u*=%s", (gint) name_length, name, section, encoded->str);
    else
        g_string_append_printf (out, "%.*s*=%s", (gint) name_length, name, encoded->str);
}

/* Of what has no proper form only the raw bytes are changed. */
static void
append_repaired (GString *out, const gchar *text, gsize length, gboolean percent)
{
    for (gsize i = 0; i < length; i++) {
        if ((guchar) text[i] < 0x80)
            g_string_append_c (out, text[i]);
        else if (percent)
            append_percent (out, text[i]);
        else
            g_string_append_c (out, '?');
    }
}

/* A parameter with its "name=value", without blanks in front. */
static void
append_foreign_parameter (GString *out, const gchar *text, gsize length)
{
    const gchar *equals = memchr (text, '=', length);
    const gchar *value = equals != NULL ? equals + 1 : text;
    gsize value_length = length - (gsize) (value - text);
    gsize name_length = equals != NULL ? (gsize) (equals - text) : 0;
    gsize blanks = message_mime_blank_length (value, value_length);
    g_autoptr (GString) plain = NULL;

    while (name_length > 0 && message_mime_is_blank (text[name_length - 1]))
        name_length--;
    value += blanks;
    value_length -= blanks;
    while (value_length > 0 && message_mime_is_blank (value[value_length - 1]))
        value_length--;

    if (name_length == 0 || name_length > PARAMETER_SECTION_BYTES || message_has_8bit (text, name_length) ||
        memchr (text, '*', name_length) != NULL) {
        append_repaired (out, text, length, name_length > 0 && text[name_length - 1] == '*');
        return;
    }

    plain =
        *value == '"' ? message_mime_unquote (value, value_length) : g_string_new_len (value, (gssize) value_length);
    append_parameter (out, text, name_length, plain->str, plain->len);
}

/* The length of what is before the next ";" that separates. */
static gsize
parameter_length (const gchar *text, gsize length)
{
    gsize at = 0;

    while (at < length && text[at] != ';') {
        gsize token;

        message_mime_token (text + at, length - at, &token);
        at += token;
    }

    return at;
}

void
message_mime_parameters_append (GString *out, const gchar *text, gsize length)
{
    gboolean first = TRUE;

    while (length > 0) {
        gsize parameter = parameter_length (text, length);
        gsize blanks = message_mime_blank_length (text, parameter);

        g_string_append_len (out, text, (gssize) blanks);
        if (!message_has_8bit (text + blanks, parameter - blanks))
            g_string_append_len (out, text + blanks, (gssize) (parameter - blanks));
        else if (first)
            append_repaired (out, text + blanks, parameter - blanks, FALSE);
        else
            append_foreign_parameter (out, text + blanks, parameter - blanks);

        if (parameter < length)
            g_string_append_c (out, text[parameter++]);
        text += parameter;
        length -= parameter;
        first = FALSE;
    }
}
