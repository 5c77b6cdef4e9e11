/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "message/mime-entity.h"

/*
 * The first of the two passes over a message whose form its next server may not take: what of it must be converted, and can
 * it be?
 */

typedef struct _MessageSurvey MessageSurvey;

/* What the server does not take. Lines that are too long none does (RFC 5321 4.5.3.1.6). */
typedef enum {
    MESSAGE_DEMAND_NO_UTF8 = 1 << 0,    /* UTF-8 in headers, unless SMTPUTF8 is asked for (RFC 6531) */
    MESSAGE_DEMAND_ASCII = 1 << 1,      /* anything beyond ASCII: it does not offer 8BITMIME (RFC 6152 3) */
    MESSAGE_DEMAND_MAY_BE_UTF8 = 1 << 2 /* but it offers SMTPUTF8, which can be asked for where it must be */
} MessageDemands;

typedef enum {
    MESSAGE_CONVERSION_NEEDLESS,   /* it can go as it is */
    MESSAGE_CONVERSION_POSSIBLE,   /* a converter makes it so */
    MESSAGE_CONVERSION_PROHIBITED, /* 8-bit in something that is signed or encrypted (status 5.6.2 of RFC 3463) */
    MESSAGE_CONVERSION_IMPOSSIBLE, /* 8-bit where nobody can say it in 7-bit (status 5.6.3) */
    MESSAGE_CONVERSION_FOREIGN     /* an address in the header needs SMTPUTF8 (status 5.6.7 of RFC 6531) */
} MessageConversion;

/* What becomes of an entity, by its index. */
typedef enum {
    MESSAGE_SURVEY_ENCODE = 1 << 0, /* its body is to be encoded */
    MESSAGE_SURVEY_UTF8 = 1 << 1,   /* the body is UTF-8 */
    MESSAGE_SURVEY_VERSION = 1 << 2 /* a message that is to have a MIME-Version */
} MessageSurveyFlags;

/* What is known of single entities; those behind are encoded wherever they may be. */
#define MESSAGE_SURVEY_ENTITIES_MOST 65536

MessageSurvey *message_survey_new (MessageDemands demands);
void message_survey_free (MessageSurvey *survey);

/* The next bytes of the message, header and body, in pieces of any size; lines end with CRLF. */
void message_survey_feed (MessageSurvey *survey, const gchar *data, gsize length);

/**
 * message_survey_end:
 * @reason: (out) (optional) (transfer none): why it is none of NEEDLESS and POSSIBLE, "it …" in words for the sender
 *
 * The message is complete.
 */
MessageConversion message_survey_end (MessageSurvey *survey, const gchar **reason);

/* ---- What was found out, once it is ended ---- */

/* Whether SMTPUTF8 must be asked for. Only with MESSAGE_DEMAND_MAY_BE_UTF8. */
gboolean message_survey_needs_utf8 (const MessageSurvey *survey);

/* Whether there is something beyond ASCII in what is sent. */
gboolean message_survey_stays_8bit (const MessageSurvey *survey);

/* Returns: (transfer full) (nullable): what is not as it should be in what is sent, and why: a signature was spared, or
 * could not be. One line for the log. */
gchar *message_survey_remark (const MessageSurvey *survey);

/* Whether nothing beyond ASCII may stay. */
gboolean message_survey_wants_ascii (const MessageSurvey *survey);

MessageSurveyFlags message_survey_entity (const MessageSurvey *survey, guint index);

/* Fills in what is to become of the header of the entity @index: the form and the signature of @change. Returns: %FALSE if it is
 * not to be touched. */
gboolean message_survey_header (const MessageSurvey *survey, guint index, MessageMimeChange *change);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (MessageSurvey, message_survey_free)
