/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The lanes
 *
 * Makes lanes of what the configuration says, and keeps those over a reload whose names stay. The default lane goes by
 * all remotes; each route has a lane that goes by its own, or a sink, or both.
 *
 * A remote may serve several lanes. When it can take a message the lanes are asked in turn, another one first each time, so
 * that a lane with a hundred thousand messages does not starve one that has a single one.
 */

#include "delivery/lanes.h"

#include "delivery/sink.h"

struct _DeliveryLanes {
    Queue *queue;
    const DeliveryLaneEvents *events;
    gpointer user_data;
    GPtrArray *lanes; /* of DeliveryLane, the default one in front */
    GPtrArray *sinks; /* of DeliverySink */
    guint turn;       /* who is asked first, the next time */
    gboolean running;
    gchar *restraint; /* (nullable) */
};

static GPtrArray *
new_lanes (void)
{
    return g_ptr_array_new_with_free_func ((GDestroyNotify) delivery_lane_free);
}

static GPtrArray *
new_sinks (void)
{
    return g_ptr_array_new_with_free_func ((GDestroyNotify) delivery_sink_free);
}

DeliveryLanes *
delivery_lanes_new (Queue *queue, const DeliveryLaneEvents *events, gpointer user_data)
{
    DeliveryLanes *self = g_new0 (DeliveryLanes, 1);

    self->queue = queue;
    self->events = events;
    self->user_data = user_data;
    self->lanes = new_lanes ();
    self->sinks = new_sinks ();
    self->running = TRUE;
    return self;
}

void
delivery_lanes_free (DeliveryLanes *self)
{
    g_ptr_array_unref (self->lanes);
    g_ptr_array_unref (self->sinks);
    g_free (self->restraint);
    g_free (self);
}

static DeliveryLane *
lane_at (const DeliveryLanes *self, guint index)
{
    return g_ptr_array_index (self->lanes, index);
}

static DeliverySink *
sink_at (const DeliveryLanes *self, guint index)
{
    return g_ptr_array_index (self->sinks, index);
}

/* ---- What the configuration says ---- */

static DeliveryLane *
take_lane (GPtrArray *lanes, const gchar *name)
{
    for (guint i = 0; i < lanes->len; i++)
        if (g_str_equal (delivery_lane_name (g_ptr_array_index (lanes, i)), name))
            return g_ptr_array_steal_index (lanes, i);

    return NULL;
}

static void
add_lane (DeliveryLanes *self, GPtrArray *old, const gchar *name, GPtrArray *remotes, gboolean share,
          const gchar *none)
{
    DeliveryLane *lane = take_lane (old, name);

    if (!lane)
        lane = delivery_lane_new (self->queue, name, self->events, self->user_data);
    g_ptr_array_add (self->lanes, lane);
    delivery_lane_set_remotes (lane, remotes, share, none);
    delivery_lane_restrain (lane, self->restraint);
}

/* Returns: (transfer container): those that the route names */
static GPtrArray *
remotes_of (const DeliveryRoute *route, const DeliverySettings *settings, GPtrArray *remotes)
{
    GPtrArray *named = g_ptr_array_new ();

    for (guint i = 0; i < route->smarthosts->len; i++)
        for (guint j = 0; j < settings->smarthosts->len; j++) {
            const DeliverySmarthost *smarthost = g_ptr_array_index (settings->smarthosts, j);

            if (g_str_equal (smarthost->name, g_ptr_array_index (route->smarthosts, i)))
                g_ptr_array_add (named, g_ptr_array_index (remotes, j));
        }

    return named;
}

static DeliverySink *
new_sink (const DeliveryLanes *self, const DeliveryRoute *route)
{
    gboolean holds = route->action == DELIVERY_ROUTE_HOLD;
    g_autofree gchar *reason =
        g_strdup_printf ("%s by [Route %s] of the configuration", holds ? "held" : "discarded", route->name);

    return delivery_sink_new (self->queue, route->sink, holds ? DELIVERY_SINK_HOLD : DELIVERY_SINK_DISCARD, reason,
                              self->events, self->user_data);
}

static void
add_route (DeliveryLanes *self, GPtrArray *old, const DeliveryRoute *route, const DeliverySettings *settings,
           GPtrArray *remotes, const gchar *none)
{
    g_autoptr (GPtrArray) named =
        route->smarthosts ? remotes_of (route, settings, remotes) : g_ptr_array_ref (remotes);

    if (route->action != DELIVERY_ROUTE_DISCARD)
        add_lane (self, old, route->lane, named, route->share, none);
    if (route->action != DELIVERY_ROUTE_RELAY)
        g_ptr_array_add (self->sinks, new_sink (self, route));
}

void
delivery_lanes_set (DeliveryLanes *self, const DeliverySettings *settings, GPtrArray *remotes, const gchar *none)
{
    g_autoptr (GPtrArray) old = g_steal_pointer (&self->lanes);

    self->lanes = new_lanes ();
    g_ptr_array_set_size (self->sinks, 0);
    add_lane (self, old, DELIVERY_LANE_DEFAULT, remotes, FALSE, none);
    for (guint i = 0; i < settings->routes->len; i++)
        add_route (self, old, g_ptr_array_index (settings->routes, i), settings, remotes, none);

    /* The queue forgets what it was told of them; their mail is sorted into others. */
    for (guint i = 0; i < old->len; i++) {
        delivery_lane_stop (g_ptr_array_index (old, i));
        queue_lane_open (self->queue, delivery_lane_name (g_ptr_array_index (old, i)));
    }

    if (!self->running)
        delivery_lanes_stop (self);
}

void
delivery_lanes_restrain (DeliveryLanes *self, const gchar *reason)
{
    g_free (self->restraint);
    self->restraint = g_strdup (reason);
    for (guint i = 0; i < self->lanes->len; i++)
        delivery_lane_restrain (lane_at (self, i), reason);
}

gboolean
delivery_lanes_use (const DeliveryLanes *self, const DeliveryRemote *remote)
{
    for (guint i = 0; i < self->lanes->len; i++)
        if (delivery_lane_uses (lane_at (self, i), remote))
            return TRUE;

    return FALSE;
}

DeliveryLane *
delivery_lanes_find (const DeliveryLanes *self, const gchar *name)
{
    for (guint i = 0; i < self->lanes->len; i++)
        if (g_str_equal (delivery_lane_name (lane_at (self, i)), name))
            return lane_at (self, i);

    return NULL;
}

/* ---- At work ---- */

void
delivery_lanes_pump (DeliveryLanes *self)
{
    for (guint i = 0; i < self->lanes->len; i++)
        delivery_lane_pump (lane_at (self, i));
    for (guint i = 0; i < self->sinks->len && self->running; i++)
        delivery_sink_pump (sink_at (self, i));
}

gboolean
delivery_lanes_serve (DeliveryLanes *self, DeliveryRemote *remote)
{
    guint first = self->turn++;
    gboolean more = FALSE;

    for (guint i = 0; i < self->lanes->len; i++) {
        DeliveryLane *lane = lane_at (self, (first + i) % self->lanes->len);

        if (!delivery_lane_uses (lane, remote))
            continue;
        delivery_lane_pump (lane);
        more |= delivery_lane_in_hand (lane) > 0;
    }

    return more;
}

void
delivery_lanes_stop (DeliveryLanes *self)
{
    self->running = FALSE;
    for (guint i = 0; i < self->lanes->len; i++)
        delivery_lane_stop (lane_at (self, i));
}

void
delivery_lanes_go (DeliveryLanes *self)
{
    self->running = TRUE;
    for (guint i = 0; i < self->lanes->len; i++)
        delivery_lane_go (lane_at (self, i));
}

guint
delivery_lanes_in_hand (const DeliveryLanes *self)
{
    guint in_hand = 0;

    for (guint i = 0; i < self->lanes->len; i++)
        in_hand += delivery_lane_in_hand (lane_at (self, i));
    for (guint i = 0; i < self->sinks->len; i++)
        in_hand += delivery_sink_in_hand (sink_at (self, i));

    return in_hand;
}

gboolean
delivery_lanes_are_closed (const DeliveryLanes *self)
{
    for (guint i = 0; i < self->lanes->len; i++)
        if (delivery_lane_closed_since (lane_at (self, i)) == G_MAXINT64)
            return FALSE;

    return TRUE;
}

gint64
delivery_lanes_closed_since (const DeliveryLanes *self)
{
    gint64 since_usec = G_MAXINT64;

    for (guint i = 0; i < self->lanes->len; i++)
        since_usec = MIN (since_usec, delivery_lane_closed_since (lane_at (self, i)));

    return since_usec;
}

gint64
delivery_lanes_wakes (const DeliveryLanes *self)
{
    gint64 wakes_usec = G_MAXINT64;

    for (guint i = 0; i < self->lanes->len; i++)
        wakes_usec = MIN (wakes_usec, delivery_lane_wakes (lane_at (self, i)));
    for (guint i = 0; i < self->sinks->len && self->running; i++)
        wakes_usec = MIN (wakes_usec, delivery_sink_wakes (sink_at (self, i)));

    return wakes_usec;
}
