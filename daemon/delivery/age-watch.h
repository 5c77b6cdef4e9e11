/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "delivery/attempt.h"

/* Looks for messages that have been in the queue for longer than an age. */

typedef struct _DeliveryAgeWatch DeliveryAgeWatch;

/* @attempt: (transfer full) (nullable): at an old message; %NULL if it could not be read after all */
typedef void (*DeliveryAged) (DeliveryAttempt *attempt, gpointer user_data);

/**
 * delivery_age_watch_new:
 * @queue: must outlive everything that it has promised
 * @every_seconds: how often it looks at most
 */
DeliveryAgeWatch *delivery_age_watch_new (Queue *queue, guint every_seconds, DeliveryAged aged, gpointer user_data);

/* What the queue has promised and not given yet is put back when it comes. */
void delivery_age_watch_free (DeliveryAgeWatch *watch);

/* Returns: when to look, monotonic microseconds; %G_MAXINT64 if nothing in the queue is getting old */
gint64 delivery_age_watch_wakes (const DeliveryAgeWatch *watch, guint age_seconds);

/* Looks now. */
void delivery_age_watch_look (DeliveryAgeWatch *watch, guint age_seconds);

/* Jobs that are promised and did not come yet. */
guint delivery_age_watch_pending (const DeliveryAgeWatch *watch);
