/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * JSON
 *
 * For programs: names are those of the D-Bus interface in lower case, times are ISO 8601 in UTC, sizes are bytes,
 * what is not known is null.
 *
 * It is read by people, too, and pasted: characters that cannot be seen, or that turn the direction of a line, are written as
 * "\u202e", which a program reads as the same text.
 */

#include "postern-json.h"

#include <stdio.h>
#include <string.h>

#include "message/printable.h"
#include "postern-text.h"

void
json_add_text (JsonBuilder *builder, const gchar *name, const gchar *text)
{
    json_builder_set_member_name (builder, name);
    if (*text == '\0')
        json_builder_add_null_value (builder);
    else
        json_builder_add_string_value (builder, text);
}

void
json_add_time (JsonBuilder *builder, const gchar *name, guint64 usec)
{
    g_autofree gchar *text = usec == 0 ? g_strdup ("") : text_iso_time ((gint64) usec);

    json_add_text (builder, name, text);
}

void
json_add_number (JsonBuilder *builder, const gchar *name, guint64 number)
{
    json_builder_set_member_name (builder, name);
    json_builder_add_int_value (builder, (gint64) MIN (number, G_MAXINT64));
}

void
json_add_user (JsonBuilder *builder, const gchar *name, gint64 uid)
{
    json_builder_set_member_name (builder, name);
    if (uid < 0)
        json_builder_add_null_value (builder);
    else
        json_builder_add_int_value (builder, uid);
}

void
json_add_boolean (JsonBuilder *builder, const gchar *name, gboolean value)
{
    json_builder_set_member_name (builder, name);
    json_builder_add_boolean_value (builder, value);
}

/* RFC 8259 7: beyond the first plane a pair of surrogates */
static void
append_spelled (GString *out, gunichar character)
{
    if (character >= 0x10000) {
        character -= 0x10000;
        g_string_append_printf (out, "\\u%04x", 0xd800 + (character >> 10));
        character = 0xdc00 + (character & 0x3ff);
    }
    g_string_append_printf (out, "\\u%04x", character);
}

/* Outside of strings JSON is in ASCII, so these characters are in strings. */
static gchar *
spell_out (const gchar *json)
{
    GString *out = g_string_sized_new (strlen (json));

    for (const gchar *c = json; *c != '\0'; c = g_utf8_next_char (c)) {
        gunichar character = g_utf8_get_char (c);

        if (character < 0x7f || message_is_harmless (character))
            g_string_append_len (out, c, g_utf8_next_char (c) - c);
        else
            append_spelled (out, character);
    }

    return g_string_free (out, FALSE);
}

/* Not g_print (), which would translate it to the locale: JSON is UTF-8. */
static void
print (JsonBuilder *builder, gboolean pretty)
{
    g_autoptr (JsonNode) root = json_builder_get_root (builder);
    g_autofree gchar *text = json_to_string (root, pretty);
    g_autofree gchar *spelled = spell_out (text);

    fputs (spelled, stdout);
}

void
json_print (JsonBuilder *builder)
{
    print (builder, TRUE);
    fputc ('\n', stdout);
}

void
json_print_flat (JsonBuilder *builder)
{
    print (builder, FALSE);
}
