/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "delivery/lane.h"
#include "delivery/route.h"

/* All ways that mail goes: the default one, and what the routes of the configuration ask for. */

typedef struct _DeliveryLanes DeliveryLanes;

/* @queue, @events: must outlive the lanes */
DeliveryLanes *delivery_lanes_new (Queue *queue, const DeliveryLaneEvents *events, gpointer user_data);

/* Only once they were stopped. */
void delivery_lanes_free (DeliveryLanes *lanes);

/* The lane of mail that no route is for. */
#define DELIVERY_LANE_DEFAULT "default"

/**
 * delivery_lanes_set:
 * @remotes: (element-type DeliveryRemote): beside the settings' smarthosts; must outlive the lanes, or be replaced
 * @none: why there are no remotes, if there are none
 *
 * Lanes of the same names stay; what those have in hand that are named no more is given back.
 */
void delivery_lanes_set (DeliveryLanes *lanes, const DeliverySettings *settings, GPtrArray *remotes,
                         const gchar *none);

/* See delivery_lane_restrain (); also for lanes that come later. */
void delivery_lanes_restrain (DeliveryLanes *lanes, const gchar *reason);

/* Whether @remote is one of theirs, and not a former one. */
gboolean delivery_lanes_use (const DeliveryLanes *lanes, const DeliveryRemote *remote);

/* (nullable): there is no such lane any more, or it is none that leads to remotes */
DeliveryLane *delivery_lanes_find (const DeliveryLanes *lanes, const gchar *name);

/* Does what can be done now in all of them. */
void delivery_lanes_pump (DeliveryLanes *lanes);

/* The same in those that go by @remote, which has something to give: another one is the first each time. Returns:
 * whether one of them has taken jobs that are not with a remote yet */
gboolean delivery_lanes_serve (DeliveryLanes *lanes, DeliveryRemote *remote);

/* They take no more jobs and put those back that are in no session; or go on. */
void delivery_lanes_stop (DeliveryLanes *lanes);
void delivery_lanes_go (DeliveryLanes *lanes);

/* Jobs in their hands that are in no session. */
guint delivery_lanes_in_hand (const DeliveryLanes *lanes);

/* Whether mail can go none of these ways now. */
gboolean delivery_lanes_are_closed (const DeliveryLanes *lanes);

/* Since when the one is closed that is closed the longest, monotonic; G_MAXINT64: all are open. */
gint64 delivery_lanes_closed_since (const DeliveryLanes *lanes);

/* When delivery_lanes_pump () has something to do that nothing else tells of, monotonic; G_MAXINT64: never. */
gint64 delivery_lanes_wakes (const DeliveryLanes *lanes);
