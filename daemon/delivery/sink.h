/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "delivery/lane.h"

/* A lane whose mail goes to no remote: it is discarded, held, or given up. */

typedef struct _DeliverySink DeliverySink;

typedef enum {
    DELIVERY_SINK_DISCARD, /* its recipients count as delivered */
    DELIVERY_SINK_HOLD,
    DELIVERY_SINK_FAIL /* its recipients have failed, which their sender is told */
} DeliverySinkVerdict;

/* @reason: for people; @queue, @events: must outlive the sink */
DeliverySink *delivery_sink_new (Queue *queue, const gchar *name, DeliverySinkVerdict verdict, const gchar *reason,
                                 const DeliveryLaneEvents *events, gpointer user_data);

/* What the queue has promised and not given yet is put back when it comes. */
void delivery_sink_free (DeliverySink *sink);

/* Takes what is due, and does with it what the verdict says. */
void delivery_sink_pump (DeliverySink *sink);

/* Jobs that the queue has promised. */
guint delivery_sink_in_hand (const DeliverySink *sink);

/* When delivery_sink_pump () has something to do, monotonic; G_MAXINT64: never. */
gint64 delivery_sink_wakes (const DeliverySink *sink);
