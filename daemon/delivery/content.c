/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Content on its way out
 *
 * Reads a message from the queue one piece ahead: the first while MAIL and RCPT are on their way, each further one
 * while the one before is sent. So the disk and the network work at the same time, and no more than a piece is held.
 *
 * The size is known, so the last piece is known for the last one: the end of the content goes out together with
 * it, in one packet for a small message.
 *
 * What has bytes beyond ASCII, or lines that are too long, may be more than the server takes. Such a message is read twice:
 * once to see what of it must be converted, and whether it can be, once to be converted on its way (see
 * message/mime-survey.h). Where it turns out that nothing must, it goes out as it is.
 */

#include "delivery/content.h"

#include "message/mime-converter.h"

struct _DeliveryContent {
    Queue *queue;
    QueueId id;
    guint64 size;
    DeliveryContentState state;
    QueueReader *reader;
    guint64 left; /* bytes that were not read yet */
    GBytes *piece;
    gboolean asked;
    gchar *fault;
    DeliveryContentArrived arrived;
    gpointer user_data;

    MessageSurvey *survey;        /* (nullable) */
    gboolean surveying;           /* survey_some () is at work: it sees to what a piece at once leads to */
    MessageConversion conversion; /* what the survey came to */
    const gchar *reason;          /* (nullable) why it is refused */
    MessageConverter *converter;  /* (nullable) */
};

static void survey_some (DeliveryContent *self);

static void
take_piece (DeliveryContent *self, GBytes *piece)
{
    gsize size;
    const gchar *data = g_bytes_get_data (piece, &size);

    self->left -= size;
    if (self->state == DELIVERY_CONTENT_SURVEYED)
        message_survey_feed (self->survey, data, size);
    else
        self->piece = g_bytes_ref (piece);
}

static void
on_piece (GBytes *piece, const GError *error, gpointer user_data)
{
    DeliveryContent *self = user_data;

    self->asked = FALSE;
    if (piece && g_bytes_get_size (piece) <= self->left)
        take_piece (self, piece);
    else
        self->fault = g_strdup (error ? error->message : "its size is not what it was");

    if (self->state == DELIVERY_CONTENT_SURVEYED)
        survey_some (self);
    else
        self->arrived (self->user_data);
}

static void
ask (DeliveryContent *self)
{
    self->asked = TRUE;
    queue_reader_next (self->reader, on_piece, self);
}

static void
read_ahead (DeliveryContent *self)
{
    if (!self->asked && !self->piece && !self->fault && self->left > 0)
        ask (self);
}

/* Starts to read, from the start. */
static void
open_content (DeliveryContent *self)
{
    self->state = DELIVERY_CONTENT_OPEN;
    self->left = self->size;
    g_clear_pointer (&self->reader, queue_reader_free);
    self->reader = queue_reader_new (self->queue, self->id);
    if (self->size == 0)
        self->piece = g_bytes_new_static ("", 0);
    read_ahead (self);
}

static void
end_survey (DeliveryContent *self)
{
    self->conversion = message_survey_end (self->survey, &self->reason);

    switch (self->conversion) {
    case MESSAGE_CONVERSION_NEEDLESS:
        open_content (self);
        return;
    case MESSAGE_CONVERSION_POSSIBLE:
        self->converter = message_converter_new (self->survey);
        open_content (self);
        return;
    case MESSAGE_CONVERSION_PROHIBITED:
    case MESSAGE_CONVERSION_IMPOSSIBLE:
    case MESSAGE_CONVERSION_FOREIGN:
        self->state = DELIVERY_CONTENT_REFUSED;
        return;
    }
}

/* Pieces may come at once, and there may be many: this is a loop, not on_piece () within on_piece (). */
static void
survey_some (DeliveryContent *self)
{
    if (self->surveying)
        return;

    self->surveying = TRUE;
    while (!self->asked && !self->fault && self->left > 0)
        ask (self);
    self->surveying = FALSE;

    if (self->asked)
        return;

    if (!self->fault)
        end_survey (self);
    self->arrived (self->user_data);
}

DeliveryContent *
delivery_content_new (Queue *queue, const QueueMessage *message, gboolean survey, MessageDemands demands,
                      DeliveryContentArrived arrived, gpointer user_data)
{
    DeliveryContent *self = g_new0 (DeliveryContent, 1);

    self->queue = queue;
    self->id = message->id;
    self->size = message->size;
    self->arrived = arrived;
    self->user_data = user_data;
    if (!survey) {
        open_content (self);
        return self;
    }

    self->survey = message_survey_new (demands);
    self->reader = queue_reader_new (queue, message->id);
    self->left = message->size;
    survey_some (self);
    return self;
}

void
delivery_content_free (DeliveryContent *self)
{
    queue_reader_free (self->reader);
    g_clear_pointer (&self->piece, g_bytes_unref);
    g_clear_pointer (&self->converter, message_converter_free);
    g_clear_pointer (&self->survey, message_survey_free);
    g_free (self->fault);
    g_free (self);
}

DeliveryContentState
delivery_content_state (const DeliveryContent *self)
{
    return self->state;
}

SmtpReply *
delivery_content_refusal (const DeliveryContent *self)
{
    if (self->conversion == MESSAGE_CONVERSION_FOREIGN)
        return smtp_reply_new_ours (
            554, "5.6.7",
            "the server takes no internationalized mail (SMTPUTF8), and the message cannot be "
            "converted: %s",
            self->reason);

    return smtp_reply_new_ours (
        554, self->conversion == MESSAGE_CONVERSION_PROHIBITED ? "5.6.2" : "5.6.3",
        "the server takes no 8-bit content (8BITMIME), and the message cannot be converted: %s", self->reason);
}

gboolean
delivery_content_needs_utf8 (const DeliveryContent *self)
{
    return self->survey && message_survey_needs_utf8 (self->survey);
}

gboolean
delivery_content_is_7bit (const DeliveryContent *self)
{
    return self->survey && !message_survey_stays_8bit (self->survey);
}

gchar *
delivery_content_remark (const DeliveryContent *self)
{
    return self->survey ? message_survey_remark (self->survey) : NULL;
}

guint64
delivery_content_size (const DeliveryContent *self)
{
    return self->converter ? 0 : self->size;
}

static GBytes *
convert (DeliveryContent *self, GBytes *piece, gboolean last)
{
    gsize size;
    const gchar *data = g_bytes_get_data (piece, &size);
    GString *converted = g_string_sized_new (size + size / 2);

    message_converter_feed (self->converter, data, size, converted);
    if (last)
        message_converter_end (self->converter, converted);

    return g_string_free_to_bytes (converted);
}

GBytes *
delivery_content_take (DeliveryContent *self, gboolean *last)
{
    while (self->piece) {
        g_autoptr (GBytes) piece = g_steal_pointer (&self->piece);
        g_autoptr (GBytes) converted = NULL;

        *last = self->left == 0;
        read_ahead (self);
        if (!self->converter)
            return g_steal_pointer (&piece);

        /* What is held back until more is known leaves nothing of a piece. */
        converted = convert (self, piece, *last);
        if (*last || g_bytes_get_size (converted) > 0)
            return g_steal_pointer (&converted);
    }

    *last = FALSE;
    return NULL;
}

const gchar *
delivery_content_fault (const DeliveryContent *self)
{
    return self->fault;
}
