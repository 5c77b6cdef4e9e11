/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "delivery/lane.h"
#include "delivery/route.h"

/* A lane whose mail goes to no remote: it is discarded, or held. */

typedef struct _DeliverySink DeliverySink;

/* @route: one that discards or holds; @queue, @events: must outlive the sink */
DeliverySink *delivery_sink_new (Queue *queue, const DeliveryRoute *route, const DeliveryLaneEvents *events,
                                 gpointer user_data);

/* What the queue has promised and not given yet is put back when it comes. */
void delivery_sink_free (DeliverySink *sink);

const gchar *delivery_sink_name (const DeliverySink *sink);
DeliveryRouteAction delivery_sink_action (const DeliverySink *sink);

/* Takes what is due, and does with it what the route says. */
void delivery_sink_pump (DeliverySink *sink);

/* Jobs that the queue has promised. */
guint delivery_sink_in_hand (const DeliverySink *sink);

/* When delivery_sink_pump () has something to do, monotonic; G_MAXINT64: never. */
gint64 delivery_sink_wakes (const DeliverySink *sink);
