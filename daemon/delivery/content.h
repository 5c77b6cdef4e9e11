/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "message/mime-survey.h"
#include "queue/queue.h"
#include "smtp/reply.h"

/* The content of a message on its way out, read one piece ahead of what is sent; converted where the server does not take it
 * as it is. */

typedef struct _DeliveryContent DeliveryContent;

typedef enum {
    DELIVERY_CONTENT_SURVEYED, /* it is being looked through, what can be done is not known yet */
    DELIVERY_CONTENT_OPEN,     /* it can be taken */
    DELIVERY_CONTENT_REFUSED   /* it cannot be converted */
} DeliveryContentState;

/* Something can be taken, or the survey has ended, or failed. May free the content. */
typedef void (*DeliveryContentArrived) (gpointer user_data);

/**
 * delivery_content_new:
 * @survey: something in it may have to be converted: it is surveyed first
 * @demands: what the server does not take
 *
 * Starts to read. @arrived may be called from within this function and delivery_content_take ().
 */
DeliveryContent *delivery_content_new (Queue *queue, const QueueMessage *message, gboolean survey,
                                       MessageDemands demands, DeliveryContentArrived arrived, gpointer user_data);
void delivery_content_free (DeliveryContent *content);

DeliveryContentState delivery_content_state (const DeliveryContent *content);

/* Returns: (transfer full): what to answer for a server that cannot be sent this content. Only in REFUSED. */
SmtpReply *delivery_content_refusal (const DeliveryContent *content);

/* Returns: how many bytes it will be, 0 if that is not known. */
guint64 delivery_content_size (const DeliveryContent *content);

/* Whether SMTPUTF8 must be asked for, for what is in the header. Only when OPEN. */
gboolean delivery_content_needs_utf8 (const DeliveryContent *content);

/* Whether it is known that nothing beyond ASCII is sent. Only when OPEN. */
gboolean delivery_content_is_7bit (const DeliveryContent *content);

/* Returns: (transfer full) (nullable): what is not as it should be in what is sent, for the log. Only when OPEN. */
gchar *delivery_content_remark (const DeliveryContent *content);

/**
 * delivery_content_take:
 * @last: (out): whether it is the last one
 *
 * Returns: (transfer full) (nullable): the next piece, which is empty only if it is the last; %NULL if it is not
 *   there yet, or cannot be had
 */
GBytes *delivery_content_take (DeliveryContent *content, gboolean *last);

/* Why the rest of the content cannot be had; NULL: nothing is wrong. */
const gchar *delivery_content_fault (const DeliveryContent *content);
