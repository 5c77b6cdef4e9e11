/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "delivery/attempt.h"

/* Settles judged attempts, and makes the delivery status notifications that follow from them before it does so. */

typedef struct _DeliveryNotices DeliveryNotices;

/* @attempt (transfer full) was settled. */
typedef void (*DeliverySettled) (DeliveryAttempt *attempt, gpointer user_data);

/* @settings: must outlive the notices, or be replaced; @queue must outlive them */
DeliveryNotices *delivery_notices_new (Queue *queue, const DeliverySettings *settings, DeliverySettled settled,
                                       gpointer user_data);

void delivery_notices_free (DeliveryNotices *notices);

/* Attempts whose notices are not in the queue yet are put back as far as they failed, and settled. */
void delivery_notices_break (DeliveryNotices *notices);

void delivery_notices_set (DeliveryNotices *notices, const DeliverySettings *settings);

/**
 * delivery_notices_settle:
 * @attempt: (transfer full): judged
 * @now_usec: since the epoch
 *
 * Settles at once if nobody is to be told; else once the notices are safe in the queue. If one about a failure
 * cannot be made, the failure is deferred, so that it is found out again.
 */
void delivery_notices_settle (DeliveryNotices *notices, DeliveryAttempt *attempt, gint64 now_usec);

/* Attempts that wait for their notices. */
guint delivery_notices_pending (const DeliveryNotices *notices);
