/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "delivery/remote.h"

/* One way that mail goes: a lane of the queue, and the remotes that serve it in order of preference, or share it. */

typedef struct _DeliveryLane DeliveryLane;

typedef struct {
    /* The attempt could not be made because all remotes are down: its answers say so. */
    void (*finished) (DeliveryAttempt *attempt, gpointer user_data);
} DeliveryLaneEvents;

/* @queue, @events: must outlive the lane */
DeliveryLane *delivery_lane_new (Queue *queue, const gchar *name, const DeliveryLaneEvents *events,
                                 gpointer user_data);

/* Only once it was stopped. What the queue has promised and not given yet is put back when it comes. */
void delivery_lane_free (DeliveryLane *lane);

const gchar *delivery_lane_name (const DeliveryLane *lane);

/**
 * delivery_lane_set_remotes:
 * @remotes: (element-type DeliveryRemote): in order of preference; must outlive the lane, or be replaced
 * @share: all of them get mail, by their weights
 * @none: why there are no remotes, if there are none
 */
void delivery_lane_set_remotes (DeliveryLane *lane, GPtrArray *remotes, gboolean share, const gchar *none);

/* @reason: (nullable): why it takes only what somebody asked for; it is closed for that reason. NULL: it takes all. */
void delivery_lane_restrain (DeliveryLane *lane, const gchar *reason);

/* Whether @remote is one of its remotes. */
gboolean delivery_lane_uses (const DeliveryLane *lane, const DeliveryRemote *remote);

/* Does what can be done now: opens or closes the lane, takes due jobs, hands them to sessions, opens sessions, probes. */
void delivery_lane_pump (DeliveryLane *lane);

/* Takes no more jobs and puts those back that are in no session; or goes on. */
void delivery_lane_stop (DeliveryLane *lane);
void delivery_lane_go (DeliveryLane *lane);

/* An attempt that is to be made (again): it goes before others. */
void delivery_lane_add (DeliveryLane *lane, DeliveryAttempt *attempt);

/* Jobs in its hands that are in no session. */
guint delivery_lane_in_hand (const DeliveryLane *lane);

/* Since when it is closed, because all its remotes are down or it is restrained; monotonic. G_MAXINT64: it is not. */
gint64 delivery_lane_closed_since (const DeliveryLane *lane);

/* Defers @attempt, which was not made, for the reason that the lane is closed for. */
void delivery_lane_pass_over (DeliveryLane *lane, DeliveryAttempt *attempt);

/* When delivery_lane_pump () has something to do that nothing else tells of, monotonic; G_MAXINT64: never. */
gint64 delivery_lane_wakes (DeliveryLane *lane);
