/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * A route
 *
 * Says for which recipients, senders and submitting users it is, and what becomes of their mail. Routes are asked in the
 * order in which the configuration has them; the first one that is for a recipient decides about it, and what none
 * is for goes the default way. Nothing here knows of remotes or lanes but by name, so the choice can be tested by itself.
 *
 * The lanes' names differ by what becomes of the mail, so that a route that changes its action sorts its mail anew.
 */

#include "delivery/route.h"

const gchar *
delivery_route_action_name (DeliveryRouteAction action)
{
    switch (action) {
    case DELIVERY_ROUTE_RELAY:
        return "relay";
    case DELIVERY_ROUTE_DISCARD:
        return "discard";
    case DELIVERY_ROUTE_HOLD:
        return "hold";
    }

    g_return_val_if_reached (NULL);
}

DeliveryRoute *
delivery_route_new (const gchar *name)
{
    DeliveryRoute *route = g_new0 (DeliveryRoute, 1);

    route->name = g_strdup (name);
    route->lane = g_strconcat ("route ", name, NULL);
    route->sink = g_strconcat ("sink ", name, NULL);
    return route;
}

void
delivery_route_free (DeliveryRoute *route)
{
    g_free (route->name);
    g_free (route->lane);
    g_free (route->sink);
    g_clear_pointer (&route->recipients, delivery_patterns_free);
    g_clear_pointer (&route->senders, delivery_patterns_free);
    g_clear_pointer (&route->users, g_array_unref);
    g_clear_pointer (&route->smarthosts, g_ptr_array_unref);
    g_free (route);
}

static gboolean
has_user (const GArray *users, gint64 uid)
{
    for (guint i = 0; i < users->len; i++)
        if (g_array_index (users, gint64, i) == uid)
            return TRUE;

    return FALSE;
}

static gboolean
is_for (const DeliveryRoute *route, const gchar *sender, const gchar *recipient, gint64 uid)
{
    return (!route->users || has_user (route->users, uid)) &&
           (!route->senders || delivery_patterns_match (route->senders, sender)) &&
           (!route->recipients || delivery_patterns_match (route->recipients, recipient));
}

const DeliveryRoute *
delivery_routes_find (const GPtrArray *routes, const gchar *sender, const gchar *recipient, gint64 uid)
{
    for (guint i = 0; i < routes->len; i++) {
        const DeliveryRoute *route = g_ptr_array_index (routes, i);

        if (is_for (route, sender, recipient, uid))
            return route;
    }

    return NULL;
}

const gchar *
delivery_route_lane (const DeliveryRoute *route, gboolean released)
{
    switch (route->action) {
    case DELIVERY_ROUTE_RELAY:
        return route->lane;
    case DELIVERY_ROUTE_DISCARD:
        return route->sink;
    case DELIVERY_ROUTE_HOLD:
        return released ? route->lane : route->sink;
    }

    g_return_val_if_reached (route->lane);
}

static gboolean
same_patterns (const DeliveryPatterns *a, const DeliveryPatterns *b)
{
    if (!a || !b)
        return a == b;

    return g_str_equal (delivery_patterns_text (a), delivery_patterns_text (b));
}

static gboolean
same_users (const GArray *a, const GArray *b)
{
    if (!a || !b)
        return a == b;
    if (a->len != b->len)
        return FALSE;

    for (guint i = 0; i < a->len; i++)
        if (g_array_index (a, gint64, i) != g_array_index (b, gint64, i))
            return FALSE;

    return TRUE;
}

gboolean
delivery_routes_lead_alike (const GPtrArray *a, const GPtrArray *b)
{
    if (a->len != b->len)
        return FALSE;

    for (guint i = 0; i < a->len; i++) {
        const DeliveryRoute *one = g_ptr_array_index (a, i);
        const DeliveryRoute *other = g_ptr_array_index (b, i);

        if (!g_str_equal (one->name, other->name) || one->action != other->action ||
            !same_patterns (one->recipients, other->recipients) || !same_patterns (one->senders, other->senders) ||
            !same_users (one->users, other->users))
            return FALSE;
    }

    return TRUE;
}
