/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Conversion
 *
 * A server that does not offer 8BITMIME must not be sent bytes beyond ASCII (RFC 6152 3), so the message is sent as MIME
 * says the same in ASCII: text in quoted-printable, anything else in base64, each part on its own and labelled so. What
 * has no MIME header gets one; its charset is UTF-8 if that is what it is, and unknown-8bit (RFC 1428) if nobody knows.
 * Parts that need nothing, what is encoded already, delimiters and all other fields of headers come out as they went in.
 * The same is done to a part with lines that are too long for any server; an encoding that is there only gets shorter lines.
 *
 * Raw bytes in a header become encoded words, or what else the field allows (see mime-field.c). For a server that takes
 * 8-bit content but no UTF-8 in headers that is all. In front of the first part and behind the last there may be text for
 * readers without MIME; there a byte beyond ASCII becomes a "?" where it may not stay.
 *
 * What of it is done is the survey's decision (see mime-survey.c).
 */

#include "message/mime-converter.h"
#include "message/mime-encoder.h"
#include "message/mime-walker.h"

struct _MessageConverter {
    const MessageSurvey *survey;
    MessageMimeWalker *walker;
    MessageMimeEncoder encoder; /* of the body under way */
    GString *out;               /* of the call under way */
};

static gboolean
is_encoded_anew (const MessageMimeEntity *entity)
{
    return (entity->kind == MESSAGE_MIME_TEXT || entity->kind == MESSAGE_MIME_DATA) &&
           (entity->label == MESSAGE_MIME_LABEL_7BIT || entity->label == MESSAGE_MIME_LABEL_8BIT);
}

static MessageMimeForm
choose_form (const MessageMimeEntity *entity, MessageSurveyFlags flags, gboolean ascii)
{
    if ((flags & MESSAGE_SURVEY_ENCODE) == 0)
        return MESSAGE_MIME_FORM_SAME;
    if (is_encoded_anew (entity))
        return entity->kind == MESSAGE_MIME_TEXT ? MESSAGE_MIME_FORM_QUOTED : MESSAGE_MIME_FORM_BASE64;
    if (entity->label == MESSAGE_MIME_LABEL_QUOTED_PRINTABLE)
        return MESSAGE_MIME_FORM_QUOTED_REPAIRED;
    if (entity->label == MESSAGE_MIME_LABEL_BASE64)
        return MESSAGE_MIME_FORM_BASE64_REPAIRED;

    /* The survey lets such a message pass only if nothing of this is beyond ASCII. */
    return ascii ? MESSAGE_MIME_FORM_MASKED : MESSAGE_MIME_FORM_SAME;
}

/* A header may lack the empty line that ends it, where the body's first line cannot pass for a field. Once it is changed it could:
 * "J\303\266rg: x" is none, "J?rg: x" is one, and so is what is added to the header of a message that is the body. */
static gboolean
needs_end (const MessageMimeEntity *entity, MessageMimeForm form)
{
    return form != MESSAGE_MIME_FORM_SAME || entity->kind == MESSAGE_MIME_MESSAGE ||
           entity->kind == MESSAGE_MIME_MULTIPART;
}

static void
choose_change (const MessageMimeEntity *entity, MessageSurveyFlags flags, MessageMimeForm form, gboolean ascii,
               MessageMimeChange *change)
{
    change->add_version = (flags & MESSAGE_SURVEY_VERSION) != 0;
    if (form == MESSAGE_MIME_FORM_QUOTED || form == MESSAGE_MIME_FORM_BASE64) {
        change->label = form == MESSAGE_MIME_FORM_QUOTED ? "quoted-printable" : "base64";
        if (!entity->has_type)
            change->type =
                (flags & MESSAGE_SURVEY_UTF8) != 0 ? "text/plain; charset=utf-8" : "text/plain; charset=unknown-8bit";
    } else if (ascii && entity->label == MESSAGE_MIME_LABEL_8BIT) {
        change->label = "7bit"; /* as it is by now, with all that is in it */
    }
}

static void
on_header (const MessageMimeEntity *entity, const MessageMimePlace *place, const gchar *header, gsize length,
           gpointer user_data)
{
    MessageConverter *self = user_data;
    gboolean ascii = message_survey_wants_ascii (self->survey);
    MessageSurveyFlags flags = message_survey_entity (self->survey, place->index);
    MessageMimeForm form = place->has_body ? choose_form (entity, flags, ascii) : MESSAGE_MIME_FORM_SAME;
    MessageMimeChange change = {0};

    message_mime_encoder_init (&self->encoder, form);
    if (!message_survey_header (self->survey, place->index, &change)) {
        g_string_append_len (self->out, header, (gssize) length);
        return;
    }

    if (place->index != place->message)
        flags &= ~(guint) MESSAGE_SURVEY_VERSION;
    choose_change (entity, flags, form, ascii, &change);
    change.end = place->has_body && needs_end (entity, form);
    message_mime_entity_write (header, length, &change, self->out);
}

static void
on_body (const gchar *data, gsize length, gpointer user_data)
{
    MessageConverter *self = user_data;

    message_mime_encoder_feed (&self->encoder, data, length, self->out);
}

static void
on_end (gboolean delimited, gpointer user_data)
{
    MessageConverter *self = user_data;

    message_mime_encoder_end (&self->encoder, delimited, self->out);
}

static void
on_between (const gchar *data, gsize length, gpointer user_data)
{
    MessageConverter *self = user_data;
    MessageMimeEncoder mask;

    message_mime_encoder_init (&mask, message_survey_wants_ascii (self->survey) ? MESSAGE_MIME_FORM_MASKED
                                                                                : MESSAGE_MIME_FORM_SAME);
    message_mime_encoder_feed (&mask, data, length, self->out);
}

static void
on_undelimited (G_GNUC_UNUSED gpointer user_data)
{
}

static const MessageMimeHandlers handlers = {
    .header = on_header, .body = on_body, .end = on_end, .between = on_between, .undelimited = on_undelimited};

MessageConverter *
message_converter_new (const MessageSurvey *survey)
{
    MessageConverter *self = g_new0 (MessageConverter, 1);

    self->survey = survey;
    self->walker = message_mime_walker_new (&handlers, self);

    return self;
}

void
message_converter_free (MessageConverter *self)
{
    if (self == NULL)
        return;

    message_mime_walker_free (self->walker);
    g_free (self);
}

void
message_converter_feed (MessageConverter *self, const gchar *data, gsize length, GString *out)
{
    self->out = out;
    message_mime_walker_feed (self->walker, data, length);
    self->out = NULL;
}

void
message_converter_end (MessageConverter *self, GString *out)
{
    self->out = out;
    message_mime_walker_end (self->walker);
    self->out = NULL;
}
