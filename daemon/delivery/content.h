/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "queue/queue.h"
#include "smtp/reply.h"

/* The content of a message on its way out, read one piece ahead of what is sent; converted to 7-bit where it must be. */

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
 * @convert: the server takes 7-bit only; the content is surveyed first, then
 *
 * Starts to read. @arrived may be called from within this function and delivery_content_take ().
 */
DeliveryContent *delivery_content_new (Queue *queue, const QueueMessage *message, gboolean convert,
                                       DeliveryContentArrived arrived, gpointer user_data);
void delivery_content_free (DeliveryContent *content);

DeliveryContentState delivery_content_state (const DeliveryContent *content);

/* Returns: (transfer full): what to answer for a server that cannot be sent this content. Only in REFUSED. */
SmtpReply *delivery_content_refusal (const DeliveryContent *content);

/* Returns: how many bytes it will be, 0 if that is not known. */
guint64 delivery_content_size (const DeliveryContent *content);

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
