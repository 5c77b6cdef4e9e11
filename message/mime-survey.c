/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Looking through a message before it is converted
 *
 * How a part is encoded stands in front of it, and whether it must be encoded shows only in it, maybe in its last byte.
 * Declarations do not help: what says "7bit", or nothing, is what scripts write, and often is not. So the message, which
 * lies on a disk anyway, is read twice. The first time is here; what it leaves behind is a byte for each entity. The
 * price is paid only for mail that has to be converted at all, and what it buys is that a part that needs nothing
 * stays as it is.
 *
 * Encoded is what has a byte beyond ASCII, or, when the message is worked on anyway, what could not pass for other
 * reasons: a line longer than 998 bytes or a NUL (RFC 5322 2.1.1, RFC 2045 2.7).
 *
 * Some messages cannot be converted without breaking what they are. They are not: the sender is told instead. A part
 * that is signed or encrypted must be 7-bit from the start, and must not be altered on the way (RFC 1847 2.1); an
 * address beyond ASCII needs SMTPUTF8; parts that cannot be told apart cannot be labelled.
 */

#include <string.h>

#include "message/eight-bit.h"
#include "message/mime-survey.h"
#include "message/mime-walker.h"

/* RFC 5322 2.1.1, without CRLF. */
#define LINE_LONGEST_BYTES 998

struct _MessageSurvey {
    MessageMimeWalker *walker;
    GByteArray *entities; /* of MessageSurveyFlags */
    MessageConversion conversion;
    const gchar *reason; /* (nullable) */

    /* The entity under way. */
    MessageMimeKind kind;
    MessageMimeLabel label;
    MessageMimePlace place;
    MessageUtf8Check utf8;
    gsize line;           /* length of its line under way */
    gboolean is_8bit;     /* its body */
    gboolean is_awkward;  /* a line is too long, or there is a NUL */
    gboolean around_8bit; /* what came between parts since */
};

static void
note (MessageSurvey *self, MessageConversion conversion, const gchar *reason)
{
    if (self->conversion >= conversion)
        return;

    self->conversion = conversion;
    self->reason = reason;
}

static void
set_flags (MessageSurvey *self, guint index, MessageSurveyFlags flags)
{
    if (index < self->entities->len)
        self->entities->data[index] |= (guint8) flags;
}

static void
look_at_header (MessageSurvey *self, const gchar *header, gsize length)
{
    const MessageMimeChange no_change = {0};
    g_autoptr (GString) out = NULL;

    if (!message_has_8bit (header, length))
        return;

    note (self, MESSAGE_CONVERSION_POSSIBLE, NULL);
    out = g_string_new (NULL);
    if (!message_mime_entity_write (header, length, &no_change, out))
        note (self, MESSAGE_CONVERSION_IMPOSSIBLE, "it has an address beyond ASCII in its header");
}

static void
on_header (const MessageMimeEntity *entity, const MessageMimePlace *place, const gchar *header, gsize length,
           gpointer user_data)
{
    MessageSurvey *self = user_data;

    self->kind = entity->kind;
    self->label = entity->label;
    self->place = *place;
    self->utf8 = (MessageUtf8Check){0};
    self->line = 0;
    self->is_8bit = FALSE;
    self->is_awkward = FALSE;
    self->around_8bit = FALSE;
    if (self->entities->len < MESSAGE_SURVEY_ENTITIES_MOST)
        g_byte_array_append (self->entities, (const guint8[]){0}, 1);

    look_at_header (self, header, length);
}

static void
measure_lines (MessageSurvey *self, const gchar *data, gsize length)
{
    const gchar *end = data + length;
    const gchar *newline;

    while ((newline = memchr (data, '\n', (gsize) (end - data))) != NULL) {
        self->line += (gsize) (newline - data);
        self->is_awkward = self->is_awkward || self->line > LINE_LONGEST_BYTES + 1; /* with its CR */
        self->line = 0;
        data = newline + 1;
    }
    self->line += (gsize) (end - data);
}

static void
on_body (const gchar *data, gsize length, gpointer user_data)
{
    MessageSurvey *self = user_data;

    self->is_8bit = self->is_8bit || message_has_8bit (data, length);
    self->is_awkward = self->is_awkward || memchr (data, '\0', length) != NULL;
    message_utf8_check_feed (&self->utf8, data, length);
    measure_lines (self, data, length);
}

static void
judge_8bit (MessageSurvey *self)
{
    note (self, MESSAGE_CONVERSION_POSSIBLE, NULL);
    if (self->kind == MESSAGE_MIME_SEALED)
        note (self, MESSAGE_CONVERSION_PROHIBITED, "it is signed or encrypted, which a conversion would break");
    else if (self->kind == MESSAGE_MIME_UNREADABLE)
        note (self, MESSAGE_CONVERSION_IMPOSSIBLE, "its parts cannot be told apart");
    else if (self->label == MESSAGE_MIME_LABEL_PRIVATE)
        note (self, MESSAGE_CONVERSION_IMPOSSIBLE, "it has an encoding that is not of MIME");
}

/* Whether the body can be given an encoding: what has parts cannot, and what has one already keeps it. */
static gboolean
is_encodable (const MessageSurvey *self)
{
    return (self->kind == MESSAGE_MIME_TEXT || self->kind == MESSAGE_MIME_DATA) &&
           (self->label == MESSAGE_MIME_LABEL_7BIT || self->label == MESSAGE_MIME_LABEL_8BIT);
}

static void
on_end (G_GNUC_UNUSED gboolean delimited, gpointer user_data)
{
    MessageSurvey *self = user_data;
    gboolean is_awkward = self->is_awkward || self->line > LINE_LONGEST_BYTES;

    if (self->is_8bit)
        judge_8bit (self);
    if (!self->is_8bit && !(is_awkward && is_encodable (self)))
        return;

    set_flags (self, self->place.index, MESSAGE_SURVEY_ENCODE);
    if (message_utf8_check_end (&self->utf8))
        set_flags (self, self->place.index, MESSAGE_SURVEY_UTF8);
    if (is_encodable (self))
        set_flags (self, self->place.message, MESSAGE_SURVEY_VERSION);
}

static void
on_between (const gchar *data, gsize length, gpointer user_data)
{
    MessageSurvey *self = user_data;

    if (!message_has_8bit (data, length))
        return;

    self->around_8bit = TRUE;
    note (self, MESSAGE_CONVERSION_POSSIBLE, NULL);
}

/* What looks like a preamble is all there is of the multipart. */
static void
on_undelimited (gpointer user_data)
{
    MessageSurvey *self = user_data;

    if (self->around_8bit)
        note (self, MESSAGE_CONVERSION_IMPOSSIBLE, "its parts cannot be told apart");
}

static const MessageMimeHandlers handlers = {
    .header = on_header, .body = on_body, .end = on_end, .between = on_between, .undelimited = on_undelimited};

MessageSurvey *
message_survey_new (void)
{
    MessageSurvey *self = g_new0 (MessageSurvey, 1);

    self->walker = message_mime_walker_new (&handlers, self);
    self->entities = g_byte_array_new ();
    self->conversion = MESSAGE_CONVERSION_NEEDLESS;

    return self;
}

void
message_survey_free (MessageSurvey *self)
{
    if (self == NULL)
        return;

    message_mime_walker_free (self->walker);
    g_byte_array_unref (self->entities);
    g_free (self);
}

void
message_survey_feed (MessageSurvey *self, const gchar *data, gsize length)
{
    message_mime_walker_feed (self->walker, data, length);
}

MessageConversion
message_survey_end (MessageSurvey *self, const gchar **reason)
{
    message_mime_walker_end (self->walker);
    if (reason != NULL)
        *reason = self->reason;

    return self->conversion;
}

MessageSurveyFlags
message_survey_entity (const MessageSurvey *self, guint index)
{
    if (index >= MESSAGE_SURVEY_ENTITIES_MOST)
        return MESSAGE_SURVEY_ENCODE | MESSAGE_SURVEY_VERSION;

    return index < self->entities->len ? self->entities->data[index] : 0;
}
