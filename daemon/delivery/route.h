/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "delivery/patterns.h"

/* A route: which mail it is for, and what becomes of that. */

typedef enum {
    DELIVERY_ROUTE_RELAY,
    DELIVERY_ROUTE_DISCARD, /* taken as delivered, sent nowhere */
    DELIVERY_ROUTE_HOLD     /* held; once it was released, relayed */
} DeliveryRouteAction;

/* "relay", "discard", "hold" */
const gchar *delivery_route_action_name (DeliveryRouteAction action);

typedef struct {
    gchar *name;
    gchar *lane;                  /* of the queue, where its mail waits for smarthosts */
    gchar *sink;                  /* and where it waits to be discarded or held */
    DeliveryPatterns *recipients; /* (nullable) conditions; all that are given must be met */
    DeliveryPatterns *senders;    /* (nullable) */
    GArray *users;                /* (nullable) of gint64: ids of the submitting users */
    DeliveryRouteAction action;
    GPtrArray *smarthosts; /* (nullable) names, in order of preference; NULL: all */
    gboolean share;        /* all of them get mail, by their weights */
} DeliveryRoute;

DeliveryRoute *delivery_route_new (const gchar *name);
void delivery_route_free (DeliveryRoute *route);

/**
 * delivery_routes_find:
 * @routes: (element-type DeliveryRoute)
 * @uid: of the submitting user, -1 if not known
 *
 * Returns: (nullable) (transfer none): the first route that is for this mail
 */
const DeliveryRoute *delivery_routes_find (const GPtrArray *routes, const gchar *sender, const gchar *recipient,
                                           gint64 uid);

/* The lane for mail of the route. @released: somebody released the message from being held */
const gchar *delivery_route_lane (const DeliveryRoute *route, gboolean released);

/* Whether both lead all mail to lanes of the same names. */
gboolean delivery_routes_lead_alike (const GPtrArray *a, const GPtrArray *b);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (DeliveryRoute, delivery_route_free)
