/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/*
 * The first of the two passes over a message that has to become 7-bit: what of it must be converted, and can it be?
 */

typedef struct _MessageSurvey MessageSurvey;

typedef enum {
    MESSAGE_CONVERSION_NEEDLESS,   /* it is 7-bit already */
    MESSAGE_CONVERSION_POSSIBLE,   /* a converter makes it so */
    MESSAGE_CONVERSION_PROHIBITED, /* 8-bit in something that is signed or encrypted (status 5.6.2 of RFC 3463) */
    MESSAGE_CONVERSION_IMPOSSIBLE  /* 8-bit where nobody can say it in 7-bit (status 5.6.3) */
} MessageConversion;

/* What becomes of an entity, by its index. */
typedef enum {
    MESSAGE_SURVEY_ENCODE = 1 << 0, /* its body is to be encoded */
    MESSAGE_SURVEY_UTF8 = 1 << 1,   /* the body is UTF-8 */
    MESSAGE_SURVEY_VERSION = 1 << 2 /* a message that is to have a MIME-Version */
} MessageSurveyFlags;

/* What is known of single entities; those behind are encoded wherever they may be. */
#define MESSAGE_SURVEY_ENTITIES_MOST 65536

MessageSurvey *message_survey_new (void);
void message_survey_free (MessageSurvey *survey);

/* The next bytes of the message, header and body, in pieces of any size; lines end with CRLF. */
void message_survey_feed (MessageSurvey *survey, const gchar *data, gsize length);

/**
 * message_survey_end:
 * @reason: (out) (optional) (transfer none): why it is prohibited or impossible, "it …" in words for the sender
 *
 * The message is complete.
 */
MessageConversion message_survey_end (MessageSurvey *survey, const gchar **reason);

/* What was found out about the entity @index. */
MessageSurveyFlags message_survey_entity (const MessageSurvey *survey, guint index);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (MessageSurvey, message_survey_free)
