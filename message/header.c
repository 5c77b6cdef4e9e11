/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Header section
 *
 * A relay changes as little of a header as it can: signatures cover it, people wrote it, and programs further on
 * parse it their own way. So a field is not understood here, only found: its name, and the rest to the byte, folding
 * included. What the rooms above leave alone is written as it was read.
 *
 * The line that decides where a header ends is the first one that cannot be a field. Mail from scripts often lacks
 * the empty line, or has no header at all; such a line starts the body, so that nothing of what somebody wrote is
 * taken for a field or lost.
 *
 * The one form that is read but not kept is white space between a field's name and its colon (RFC 5322 4.5): it is
 * obsolete, hides a field from some readers, and is written without the space.
 */

#include <string.h>

#include "message/header.h"

struct _MessageHeader {
    GArray *fields;      /* of MessageField */
    GStringChunk *texts; /* what they point to, with what was replaced */
};

/* Beyond a header's own text: what a relay adds. */
#define ADDED_TEXT_BYTES 512

/* A usual header has fewer. */
#define FIELDS_USUAL 24

/* What a line in a header can be. */
typedef enum {
    LINE_INCOMPLETE, /* its kind shows only further on */
    LINE_FIELD,
    LINE_CONTINUATION,
    LINE_MBOX,
    LINE_EMPTY,
    LINE_OTHER
} LineKind;

static gboolean
is_blank (gchar c)
{
    return c == ' ' || c == '\t';
}

/* ftext of RFC 5322 3.6.8 */
static gboolean
is_field_name (gchar c)
{
    return c > ' ' && c < '\x7f' && c != ':';
}

static gsize
field_name_length (const gchar *line, gsize length)
{
    gsize name = 0;

    while (name < length && name <= MESSAGE_FIELD_NAME_LONGEST_BYTES && is_field_name (line[name]))
        name++;

    return name;
}

static LineKind
field_kind (const gchar *line, gsize length)
{
    gsize name = field_name_length (line, length);
    gsize colon = name;

    if (name > MESSAGE_FIELD_NAME_LONGEST_BYTES)
        return LINE_OTHER;

    while (colon < length && is_blank (line[colon]))
        colon++;
    if (colon == length)
        return LINE_INCOMPLETE;

    return name > 0 && line[colon] == ':' ? LINE_FIELD : LINE_OTHER;
}

static gboolean
starts_with (const gchar *line, gsize length, const gchar *prefix)
{
    return length >= strlen (prefix) && memcmp (line, prefix, strlen (prefix)) == 0;
}

/* Whether the bytes at hand could still become @prefix. */
static gboolean
may_start_with (const gchar *line, gsize length, const gchar *prefix)
{
    return length < strlen (prefix) && memcmp (line, prefix, length) == 0;
}

/* The line at @line, of which @length bytes are there: maybe not all of it, maybe more than it. */
static LineKind
line_kind (const gchar *line, gsize length, gboolean first)
{
    if (length == 0)
        return LINE_INCOMPLETE;
    if (line[0] == '\r')
        return length == 1 ? LINE_INCOMPLETE : line[1] == '\n' ? LINE_EMPTY : LINE_OTHER;
    if (is_blank (line[0]))
        return first ? LINE_OTHER : LINE_CONTINUATION;

    if (first) {
        if (starts_with (line, length, "From ") || starts_with (line, length, ">From "))
            return LINE_MBOX;
        if (may_start_with (line, length, "From ") || may_start_with (line, length, ">From "))
            return LINE_INCOMPLETE;
    }

    return field_kind (line, length);
}

/* The length of the line at @line with its CRLF, or 0 if there is no CRLF yet. */
static gsize
line_length (const gchar *line, gsize length)
{
    gsize at = 0;
    const gchar *newline;

    while ((newline = memchr (line + at, '\n', length - at)) != NULL) {
        at = (gsize) (newline - line) + 1;
        if (at >= 2 && newline[-1] == '\r')
            return at;
    }

    return 0;
}

gboolean
message_header_end (const gchar *data, gsize length, gsize *body)
{
    gsize at = 0;

    g_return_val_if_fail (data != NULL || length == 0, FALSE);
    g_return_val_if_fail (body != NULL, FALSE);

    if (length == 0)
        return FALSE;

    for (;;) {
        LineKind kind = line_kind (data + at, length - at, at == 0);
        gsize line;

        if (kind == LINE_INCOMPLETE)
            return FALSE;
        if (kind == LINE_EMPTY || kind == LINE_OTHER) {
            *body = kind == LINE_EMPTY ? at + 2 : at;
            return TRUE;
        }

        line = line_length (data + at, length - at);
        if (line == 0)
            return FALSE;
        at += line;
    }
}

gsize
message_header_end_of_complete (const gchar *data, gsize length)
{
    gsize body;
    gsize last_line = length;

    if (message_header_end (data, length, &body))
        return body;

    /* Only the last line is open: it is a field or the end of one, or else the body. */
    while (last_line > 0 && !(last_line >= 2 && memcmp (data + last_line - 2, "\r\n", 2) == 0))
        last_line--;
    if (last_line == length || is_blank (data[last_line]) ||
        memchr (data + last_line, ':', length - last_line) != NULL)
        return length;

    return last_line == 0 && line_kind (data, length, TRUE) == LINE_MBOX ? length : last_line;
}

static MessageField
field_new (MessageHeader *header, const gchar *name, const gchar *body)
{
    g_autofree gchar *spaced = g_strconcat (" ", body, NULL);

    return (MessageField){g_string_chunk_insert (header->texts, name), g_string_chunk_insert (header->texts, spaced)};
}

/* A string of these bytes, NUL bytes left out. A CR and a LF that only a NUL kept apart must not become the end of a line:
 * what follows would be another field, or the body. */
static gchar *
insert_without_nul (GStringChunk *texts, const gchar *data, gsize length)
{
    gchar *string = g_string_chunk_insert_len (texts, data, (gssize) length);
    gchar *to = string;

    if (memchr (data, '\0', length) == NULL)
        return string;

    for (gsize i = 0; i < length; i++) {
        while (data[i] == '\n' && to > string && to[-1] == '\r' && data[i - 1] == '\0')
            to--;
        if (data[i] != '\0')
            *to++ = data[i];
    }
    *to = '\0';

    return string;
}

/* @length is that of the field with its continuation lines, without its last CRLF. */
static MessageField
field_parse (MessageHeader *header, const gchar *data, gsize length)
{
    gsize name = field_name_length (data, length);
    const gchar *colon = memchr (data + name, ':', length - name);

    return (MessageField){
        g_string_chunk_insert_len (header->texts, data, (gssize) name),
        insert_without_nul (header->texts, colon + 1, length - (gsize) (colon + 1 - data)),
    };
}

/* The length of the line at @data and of the lines that continue it. */
static gsize
unit_length (const gchar *data, gsize length)
{
    gsize unit = 0;

    do {
        gsize line = line_length (data + unit, length - unit);

        if (line == 0)
            return length;
        unit += line;
    } while (unit < length && is_blank (data[unit]));

    return unit;
}

MessageHeader *
message_header_parse (const gchar *data, gsize length)
{
    MessageHeader *header;
    gsize unit;

    g_return_val_if_fail (data != NULL || length == 0, NULL);

    header = g_new (MessageHeader, 1);
    header->fields = g_array_sized_new (FALSE, FALSE, sizeof (MessageField), FIELDS_USUAL);
    header->texts = g_string_chunk_new (length + ADDED_TEXT_BYTES);

    for (gsize at = 0; at < length; at += unit) {
        LineKind kind = line_kind (data + at, length - at, at == 0);
        MessageField field;
        gsize text;

        if (kind == LINE_EMPTY)
            break;

        unit = unit_length (data + at, length - at);
        if (kind != LINE_FIELD)
            continue;

        text = unit >= 2 && memcmp (data + at + unit - 2, "\r\n", 2) == 0 ? unit - 2 : unit;
        field = field_parse (header, data + at, text);
        g_array_append_val (header->fields, field);
    }

    return header;
}

void
message_header_free (MessageHeader *header)
{
    if (header == NULL)
        return;

    g_array_unref (header->fields);
    g_string_chunk_free (header->texts);
    g_free (header);
}

guint
message_header_count (const MessageHeader *header)
{
    g_return_val_if_fail (header != NULL, 0);

    return header->fields->len;
}

const MessageField *
message_header_field (const MessageHeader *header, guint index)
{
    g_return_val_if_fail (header != NULL, NULL);
    g_return_val_if_fail (index < header->fields->len, NULL);

    return &g_array_index (header->fields, MessageField, index);
}

const MessageField *
message_header_find (const MessageHeader *header, const gchar *name)
{
    g_return_val_if_fail (header != NULL, NULL);

    for (guint i = 0; i < header->fields->len; i++) {
        const MessageField *field = message_header_field (header, i);

        if (g_ascii_strcasecmp (field->name, name) == 0)
            return field;
    }

    return NULL;
}

/* In one pass: a header may hold a hundred thousand fields of that name. */
guint
message_header_remove (MessageHeader *header, const gchar *name)
{
    guint before;
    guint kept = 0;

    g_return_val_if_fail (header != NULL, 0);

    before = header->fields->len;
    for (guint i = 0; i < before; i++) {
        const MessageField *field = message_header_field (header, i);

        if (g_ascii_strcasecmp (field->name, name) != 0)
            g_array_index (header->fields, MessageField, kept++) = *field;
    }
    g_array_set_size (header->fields, kept);

    return before - kept;
}

void
message_header_prepend (MessageHeader *header, const gchar *name, const gchar *body)
{
    MessageField field;

    g_return_if_fail (header != NULL);

    field = field_new (header, name, body);
    g_array_prepend_val (header->fields, field);
}

void
message_header_append (MessageHeader *header, const gchar *name, const gchar *body)
{
    MessageField field;

    g_return_if_fail (header != NULL);

    field = field_new (header, name, body);
    g_array_append_val (header->fields, field);
}

void
message_header_replace (MessageHeader *header, guint index, const gchar *body)
{
    g_return_if_fail (header != NULL);
    g_return_if_fail (index < header->fields->len);

    g_array_index (header->fields, MessageField, index).body = g_string_chunk_insert (header->texts, body);
}

void
message_header_write (const MessageHeader *header, GString *out)
{
    g_return_if_fail (header != NULL);
    g_return_if_fail (out != NULL);

    for (guint i = 0; i < header->fields->len; i++) {
        const MessageField *field = message_header_field (header, i);

        g_string_append (out, field->name);
        g_string_append_c (out, ':');
        g_string_append (out, field->body);
        g_string_append (out, "\r\n");
    }

    g_string_append (out, "\r\n");
}
