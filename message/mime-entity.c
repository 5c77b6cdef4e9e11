/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * What a header says about its body
 *
 * Content-Type and Content-Transfer-Encoding are read as those do who will read the message in the end: a type that
 * cannot be understood is text (RFC 2045 5.2), an encoding that nobody defined ("utf-8", "8-bit") is none. An "x-"
 * encoding is an agreement between others (RFC 2045 6.3), and what it means cannot be changed here.
 *
 * A multipart with an encoding of its own breaks RFC 2045 6.4, programs write it all the same, and readers look at its
 * parts; so it is one. An encoded message/rfc822 on the other hand is decoded by most, so it is taken for data.
 *
 * A header is changed field by field; what stays keeps its bytes, its folding and its place.
 */

#include <string.h>

#include "message/eight-bit.h"
#include "message/header.h"
#include "message/line-check.h"
#include "message/mime-encoder.h"
#include "message/mime-entity.h"
#include "message/mime-field.h"
#include "message/mime-fold.h"

#define FIELD_TYPE    "Content-Type"
#define FIELD_LABEL   "Content-Transfer-Encoding"
#define FIELD_VERSION "MIME-Version"

/* ---- The fields of a header, as they lie ---- */

typedef struct {
    const gchar *text;
    gsize length;   /* with its line ends */
    gsize name;     /* length of the name; 0: this is no field */
    gsize body;     /* where the body starts */
    gsize body_end; /* without the last CRLF */
} Unit;

static gboolean
is_blank (gchar c)
{
    return c == ' ' || c == '\t';
}

static gsize
line_length (const gchar *text, gsize length)
{
    const gchar *end = memmem (text, length, "\r\n", 2);

    return end != NULL ? (gsize) (end - text) + 2 : length;
}

static Unit
take_unit (const gchar *text, gsize length)
{
    Unit unit = {.text = text};
    gsize colon;

    do
        unit.length += line_length (text + unit.length, length - unit.length);
    while (unit.length < length && is_blank (text[unit.length]));

    unit.body_end = unit.length;
    if (unit.length >= 2 && memcmp (text + unit.length - 2, "\r\n", 2) == 0)
        unit.body_end -= 2;

    while (unit.name < unit.body_end && text[unit.name] > ' ' && text[unit.name] < 0x7f && text[unit.name] != ':')
        unit.name++;
    for (colon = unit.name; colon < unit.body_end && is_blank (text[colon]); colon++)
        ;
    if (colon < unit.body_end && text[colon] == ':')
        unit.body = colon + 1;
    else
        unit.name = 0;

    return unit;
}

static gboolean
is_named (const Unit *unit, const gchar *name)
{
    return unit->name == strlen (name) && g_ascii_strncasecmp (unit->text, name, unit->name) == 0;
}

/* ---- Structured bodies (RFC 2045 5.1) ---- */

/* Where a blank says nothing. */
static gboolean
is_separator (gchar c)
{
    return c == ';' || c == '=' || c == '/';
}

static void
append_stripped (GString *stripped, gchar c, gboolean *blank)
{
    gchar last = stripped->len > 0 ? stripped->str[stripped->len - 1] : ';';

    if (*blank && !is_separator (last) && !is_separator (c))
        g_string_append_c (stripped, ' ');
    *blank = FALSE;
    g_string_append_c (stripped, c);
}

/* A body without its comments and folding; outside of quoted strings without blanks where they say nothing. */
static GString *
strip (const Unit *unit)
{
    GString *stripped = g_string_new (NULL);
    gboolean quoted = FALSE;
    gboolean blank = FALSE;
    guint depth = 0;

    for (gsize at = unit->body; at < unit->body_end; at++) {
        gchar c = unit->text[at];

        if (c == '\r' || c == '\n') {
            continue;
        } else if (depth > 0) {
            depth += c == '(' ? 1 : 0;
            depth -= c == ')' ? 1 : 0;
            at += c == '\\' ? 1 : 0;
        } else if (quoted) {
            g_string_append_c (stripped, c);
            if (c == '\\' && at + 1 < unit->body_end)
                g_string_append_c (stripped, unit->text[++at]);
            quoted = c != '"';
        } else if (c == '(') {
            depth = 1;
        } else if (is_blank (c)) {
            blank = TRUE;
        } else {
            append_stripped (stripped, c, &blank);
            quoted = c == '"';
        }
    }

    return stripped;
}

/* The value at the start of @text, up to the next ";": without quotes. */
static gchar *
parameter_value (const gchar *text)
{
    GString *value = g_string_new (NULL);
    gboolean quoted = FALSE;

    for (; *text != '\0' && (quoted || *text != ';'); text++) {
        if (*text == '"')
            quoted = !quoted;
        else if (*text == '\\' && quoted && text[1] != '\0')
            g_string_append_c (value, *++text);
        else
            g_string_append_c (value, *text);
    }

    return g_string_free (value, FALSE);
}

static const gchar *
next_parameter (const gchar *text)
{
    gboolean quoted = FALSE;

    for (; *text != '\0' && (quoted || *text != ';'); text++) {
        if (*text == '"')
            quoted = !quoted;
        else if (*text == '\\' && quoted && text[1] != '\0')
            text++;
    }

    return *text == ';' ? text + 1 : NULL;
}

/* ---- Reading ---- */

static void
read_boundary (MessageMimeEntity *entity, const gchar *type)
{
    for (const gchar *at = next_parameter (type); at != NULL; at = next_parameter (at)) {
        if (g_ascii_strncasecmp (at, "boundary=", strlen ("boundary=")) == 0) {
            entity->boundary = g_strchomp (parameter_value (at + strlen ("boundary=")));
            break;
        }
        if (g_ascii_strncasecmp (at, "boundary*", strlen ("boundary*")) == 0)
            entity->kind = MESSAGE_MIME_UNREADABLE; /* in sections (RFC 2231), which nobody needs, and few read */
    }

    if (entity->boundary != NULL && *entity->boundary != '\0') {
        entity->kind = MESSAGE_MIME_MULTIPART;
        if (strlen (entity->boundary) > MESSAGE_MIME_BOUNDARY_LONGEST_BYTES ||
            message_has_8bit (entity->boundary, strlen (entity->boundary)))
            entity->kind = MESSAGE_MIME_UNREADABLE;
    } else if (entity->kind == MESSAGE_MIME_MULTIPART) {
        /* Without delimiters it is what its readers show: text. */
        entity->kind = MESSAGE_MIME_TEXT;
        entity->has_type = FALSE;
    }
}

static gboolean
is_type (const gchar *type, const gchar *wanted)
{
    gsize length = strlen (wanted);

    return g_ascii_strncasecmp (type, wanted, length) == 0 && (type[length] == '\0' || type[length] == ';');
}

static gboolean
is_in (const gchar *type, const gchar *top)
{
    return g_ascii_strncasecmp (type, top, strlen (top)) == 0;
}

static void
read_type (MessageMimeEntity *entity, const Unit *unit)
{
    g_autoptr (GString) text = strip (unit);
    const gchar *type = text->str;
    gsize top = strcspn (type, "/;");

    if (type[top] != '/' || top == 0 || strcspn (type + top + 1, ";") == 0)
        return;

    entity->has_type = TRUE;
    if (is_type (type, "multipart/signed") || is_type (type, "multipart/encrypted")) {
        entity->kind = MESSAGE_MIME_SEALED;
    } else if (is_in (type, "multipart/")) {
        entity->kind = MESSAGE_MIME_MULTIPART;
        entity->is_digest = is_type (type, "multipart/digest");
        read_boundary (entity, type);
    } else if (is_type (type, "message/rfc822")) {
        entity->kind = MESSAGE_MIME_MESSAGE;
    } else if (is_in (type, "text/") || is_in (type, "message/")) {
        entity->kind = MESSAGE_MIME_TEXT;
    } else {
        entity->kind = MESSAGE_MIME_DATA;
    }
}

static void
read_label (MessageMimeEntity *entity, const Unit *unit)
{
    g_autoptr (GString) text = strip (unit);
    const gchar *label = text->str;

    if (g_ascii_strcasecmp (label, "8bit") == 0 || g_ascii_strcasecmp (label, "binary") == 0)
        entity->label = MESSAGE_MIME_LABEL_8BIT;
    else if (g_ascii_strcasecmp (label, "quoted-printable") == 0)
        entity->label = MESSAGE_MIME_LABEL_QUOTED_PRINTABLE;
    else if (g_ascii_strcasecmp (label, "base64") == 0)
        entity->label = MESSAGE_MIME_LABEL_BASE64;
    else if (is_in (label, "x-"))
        entity->label = MESSAGE_MIME_LABEL_PRIVATE;
}

/* Of several fields of a name the first counts, as for most readers. */
void
message_mime_entity_read (MessageMimeEntity *entity, const gchar *header, gsize length, gboolean in_digest)
{
    gboolean type_seen = FALSE;
    gboolean label_seen = FALSE;
    gsize step;

    *entity = (MessageMimeEntity){.kind = in_digest ? MESSAGE_MIME_MESSAGE : MESSAGE_MIME_TEXT};
    for (gsize at = 0; at < length; at += step) {
        Unit unit = take_unit (header + at, length - at);

        step = unit.length;
        if (!type_seen && is_named (&unit, FIELD_TYPE)) {
            type_seen = TRUE;
            entity->kind = MESSAGE_MIME_TEXT;
            read_type (entity, &unit);
        } else if (!label_seen && is_named (&unit, FIELD_LABEL)) {
            label_seen = TRUE;
            read_label (entity, &unit);
        } else if (is_named (&unit, FIELD_VERSION)) {
            entity->has_version = TRUE;
        }
    }

    if (entity->kind == MESSAGE_MIME_MESSAGE &&
        (entity->label == MESSAGE_MIME_LABEL_BASE64 || entity->label == MESSAGE_MIME_LABEL_QUOTED_PRINTABLE))
        entity->kind = MESSAGE_MIME_DATA;
}

void
message_mime_entity_clear (MessageMimeEntity *entity)
{
    g_clear_pointer (&entity->boundary, g_free);
}

/* ---- Writing ---- */

static void
append_masked (GString *out, const gchar *text, gsize length)
{
    MessageMimeEncoder encoder;

    message_mime_encoder_init (&encoder, MESSAGE_MIME_FORM_MASKED);
    message_mime_encoder_feed (&encoder, text, length, out);
}

static gboolean
is_covered (const MessageMimeChange *change, const Unit *unit, gboolean folds_only)
{
    return change->signature != NULL &&
           message_signature_covers (change->signature, unit->text, unit->name, folds_only);
}

/* Whether there is something in it that is to be said otherwise. */
static gboolean
is_foreign (const Unit *unit, MessageMimeHeaderForm form)
{
    return form != MESSAGE_MIME_HEADER_ANY && message_has_8bit (unit->text, unit->length) &&
           (form == MESSAGE_MIME_HEADER_ASCII || g_utf8_validate_len (unit->text, unit->length, NULL));
}

static gboolean
reads_alike (const MessageMimeEntity *entity, const GString *field)
{
    g_auto (MessageMimeEntity) other = {0};

    message_mime_entity_read (&other, field->str, field->len, FALSE);
    if (other.kind != entity->kind || other.has_type != entity->has_type || other.is_digest != entity->is_digest)
        return FALSE;

    return entity->kind != MESSAGE_MIME_MULTIPART || strcmp (other.boundary, entity->boundary) == 0;
}

/* A multipart with this boundary and no other parameter. */
static void
write_boundary_alone (GString *field, const Unit *unit, const gchar *boundary)
{
    g_autoptr (GString) quoted = g_string_new (" multipart/mixed; boundary=\"");

    for (; *boundary != '\0'; boundary++) {
        if (*boundary == '"' || *boundary == '\\')
            g_string_append_c (quoted, '\\');
        g_string_append_c (quoted, *boundary);
    }
    g_string_append_c (quoted, '"');

    g_string_truncate (field, 0);
    message_mime_field_append (field, FIELD_TYPE, quoted->str, quoted->len);
    g_string_append_len (field, unit->text + unit->body_end, (gssize) (unit->length - unit->body_end));
}

/*
 * A parameter that is said in another form has another name ("boundary*"), and where it cannot be taken for what it was,
 * a later one of the old name would count, or one that follows something broken. The parts stay what they were: rather
 * than to change them, the rest of the field loses what is beyond ASCII, or everything but the boundary.
 */
static void
keep_parts (GString *field, const Unit *unit)
{
    g_auto (MessageMimeEntity) entity = {0};

    message_mime_entity_read (&entity, unit->text, unit->length, FALSE);
    if (reads_alike (&entity, field))
        return;

    g_string_truncate (field, 0);
    append_masked (field, unit->text, unit->length);
    if (!reads_alike (&entity, field) && entity.boundary != NULL)
        write_boundary_alone (field, unit, entity.boundary);
}

/* Appends a unit that has something beyond ASCII. */
static MessageMimeLeft
append_foreign (GString *out, const Unit *unit, MessageMimeHeaderForm form)
{
    if (unit->name > 0) {
        g_autofree gchar *name = g_strndup (unit->text, unit->name);
        g_autoptr (GString) field = g_string_sized_new (2 * unit->length);

        if (message_mime_field_append (field, name, unit->text + unit->body, unit->body_end - unit->body)) {
            g_string_append_len (field, unit->text + unit->body_end, (gssize) (unit->length - unit->body_end));
            if (is_named (unit, FIELD_TYPE))
                keep_parts (field, unit);
            message_mime_fold (out, field->str, field->len, MESSAGE_MIME_FOLD_ENCODED_BYTES, FALSE);
            return 0;
        }
    }

    if (form == MESSAGE_MIME_HEADER_ASCII)
        append_masked (out, unit->text, unit->length);
    else
        g_string_append_len (out, unit->text, (gssize) unit->length);

    return unit->name > 0 ? MESSAGE_MIME_LEFT_ADDRESS : 0;
}

static MessageMimeLeft
append_folded (GString *out, const Unit *unit, const gchar *text, gsize length, const MessageMimeChange *change)
{
    g_autofree gchar *name = g_strndup (unit->text, unit->name);
    gboolean at_commas = message_mime_field_has_addresses (name) && !is_covered (change, unit, FALSE);

    if (unit->name > 0 && !is_covered (change, unit, TRUE))
        return message_mime_fold (out, text, length, MESSAGE_LINE_LONGEST_BYTES, at_commas) ? 0
                                                                                            : MESSAGE_MIME_LEFT_LONG;

    g_string_append_len (out, text, (gssize) length);
    return unit->name > 0 ? MESSAGE_MIME_LEFT_LONG_SIGNED : MESSAGE_MIME_LEFT_LONG;
}

static MessageMimeLeft
append_unit (GString *out, const Unit *unit, const MessageMimeChange *change)
{
    gboolean foreign = is_foreign (unit, change->form);
    gboolean kept = foreign && is_covered (change, unit, FALSE);
    MessageMimeLeft left = kept ? MESSAGE_MIME_LEFT_SIGNED : 0;
    g_autoptr (GString) converted = NULL;

    if (foreign && !kept) {
        converted = g_string_sized_new (2 * unit->length);
        left |= append_foreign (converted, unit, change->form);
    }
    if (converted != NULL && message_mime_fold_is_needed (converted->str, converted->len))
        left |= append_folded (out, unit, converted->str, converted->len, change);
    else if (converted != NULL)
        g_string_append_len (out, converted->str, (gssize) converted->len);
    else if (message_mime_fold_is_needed (unit->text, unit->length))
        left |= append_folded (out, unit, unit->text, unit->length, change);
    else
        g_string_append_len (out, unit->text, (gssize) unit->length);

    return left;
}

static void
append_field (GString *out, const gchar *name, const gchar *body)
{
    g_string_append_printf (out, "%s: %s\r\n", name, body);
}

static void
append_missing (GString *out, const MessageMimeChange *change, gboolean version_seen, gboolean label_written)
{
    if (change->add_version && !version_seen)
        append_field (out, FIELD_VERSION, "1.0");
    if (change->type != NULL)
        append_field (out, FIELD_TYPE, change->type);
    if (change->label != NULL && !label_written)
        append_field (out, FIELD_LABEL, change->label);
}

/* Whether the empty line is there. */
static gboolean
is_ended (const gchar *header, gsize length)
{
    return (length == 2 && memcmp (header, "\r\n", 2) == 0) ||
           (length >= 4 && memcmp (header + length - 4, "\r\n\r\n", 4) == 0);
}

MessageMimeLeft
message_mime_entity_write (const gchar *header, gsize length, const MessageMimeChange *change, GString *out)
{
    gboolean ended = is_ended (header, length);
    gsize fields = ended ? length - 2 : length;
    gboolean version_seen = FALSE;
    gboolean label_written = FALSE;
    MessageMimeLeft left = 0;
    gsize step;

    for (gsize at = 0; at < fields; at += step) {
        Unit unit = take_unit (header + at, fields - at);

        step = unit.length;
        version_seen = version_seen || is_named (&unit, FIELD_VERSION);
        if (change->label != NULL && is_named (&unit, FIELD_LABEL)) {
            if (!label_written)
                append_field (out, FIELD_LABEL, change->label);
            label_written = TRUE;
        } else if (change->type == NULL || !is_named (&unit, FIELD_TYPE)) {
            left |= append_unit (out, &unit, change);
        }
    }

    if (fields > 0 && header[fields - 1] != '\n' && (change->end || change->add_version || change->label != NULL))
        g_string_append (out, "\r\n");
    append_missing (out, change, version_seen, label_written);
    if (ended || change->end)
        g_string_append (out, "\r\n");

    return left;
}
