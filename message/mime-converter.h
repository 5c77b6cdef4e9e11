/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "message/mime-survey.h"

/*
 * The second pass over a message that has to be converted: see mime-survey.h.
 */

typedef struct _MessageConverter MessageConverter;

/**
 * message_converter_new:
 * @survey: of the same message, ended with MESSAGE_CONVERSION_POSSIBLE; must outlive the converter
 */
MessageConverter *message_converter_new (const MessageSurvey *survey);
void message_converter_free (MessageConverter *converter);

/**
 * message_converter_feed:
 * @data: the next bytes of the message, in pieces of any size
 * @length: bytes at @data
 * @out: where the next bytes of the converted message are appended, lines end with CRLF; at most about three times what
 *   was fed, but for headers, which come when they are complete
 */
void message_converter_feed (MessageConverter *converter, const gchar *data, gsize length, GString *out);

/* The message is complete: appends the rest. */
void message_converter_end (MessageConverter *converter, GString *out);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (MessageConverter, message_converter_free)
