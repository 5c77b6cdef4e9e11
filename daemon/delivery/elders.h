/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "delivery/lanes.h"

/* Looks after mail that has grown old: what is late is told of, what has outlived its lifetime is tried a last time or
 * given up. */

typedef struct _DeliveryElders DeliveryElders;

typedef struct {
    /* The attempt is over: its answers say how, or it has none and is to be put back. */
    void (*finished) (DeliveryAttempt *attempt, gpointer user_data);

    /* Something was looked at: there may be more to do. */
    void (*looked) (gpointer user_data);
} DeliveryEldersEvents;

/* @lanes, @settings, @events: must outlive the elders, or be replaced (settings) */
DeliveryElders *delivery_elders_new (Queue *queue, DeliveryLanes *lanes, const DeliverySettings *settings,
                                     const DeliveryEldersEvents *events, gpointer user_data);
void delivery_elders_free (DeliveryElders *elders);

void delivery_elders_set (DeliveryElders *elders, const DeliverySettings *settings);

/* While it does not, what was looked for is put back as it was. */
void delivery_elders_run (DeliveryElders *elders, gboolean running);

/* Looks for old mail, if it is time to. */
void delivery_elders_look (DeliveryElders *elders);

/* When that is, monotonic; G_MAXINT64: never. */
gint64 delivery_elders_wakes (const DeliveryElders *elders);

/* Jobs that the queue has promised. */
guint delivery_elders_pending (const DeliveryElders *elders);
