/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "queue/queue.h"

/* The content of a message on its way out, read one piece ahead of what is sent. */

typedef struct _DeliveryContent DeliveryContent;

/* Something can be taken, or failed. May free the content. */
typedef void (*DeliveryContentArrived) (gpointer user_data);

/* Starts to read. @arrived may be called from within this function and delivery_content_take (). */
DeliveryContent *delivery_content_new (Queue *queue, const QueueMessage *message, DeliveryContentArrived arrived,
                                       gpointer user_data);
void delivery_content_free (DeliveryContent *content);

/**
 * delivery_content_take:
 * @last: (out): whether it is the last one
 *
 * Returns: (transfer full) (nullable): the next piece, which is empty only if the message is; %NULL if it is not
 *   there yet, or cannot be had
 */
GBytes *delivery_content_take (DeliveryContent *content, gboolean *last);

/* Why the rest of the content cannot be had; NULL: nothing is wrong. */
const gchar *delivery_content_fault (const DeliveryContent *content);
