/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Sharing by weight
 *
 * Start-time fair queuing: everybody has a clock of its own that goes on by 1/weight with each piece it gets, and
 * the next piece goes to whose clock is behind. Who has been away does not come back with a debt that the others must pay: a
 * clock that is far behind is set to the time at which pieces are given out now.
 *
 * What is planned and what happens differ: a piece meant for somebody whose session is still being opened may go
 * elsewhere in the end. So a plan works on copies of the clocks, and only what was really given counts.
 */

#include "delivery/share.h"

typedef struct {
    guint weight;
    gdouble clock;
    gdouble planned;
} Partner;

struct _DeliveryShare {
    GArray *partners; /* of Partner */
    gdouble now;      /* the clock of who got the last piece, as it was before */
};

DeliveryShare *
delivery_share_new (const GArray *weights)
{
    DeliveryShare *self = g_new0 (DeliveryShare, 1);

    self->partners = g_array_new (FALSE, TRUE, sizeof (Partner));
    for (guint i = 0; i < weights->len; i++) {
        Partner partner = {.weight = MAX (g_array_index (weights, guint, i), 1)};

        g_array_append_val (self->partners, partner);
    }

    return self;
}

void
delivery_share_free (DeliveryShare *self)
{
    g_array_unref (self->partners);
    g_free (self);
}

static Partner *
partner_at (const DeliveryShare *self, guint index)
{
    return &g_array_index (self->partners, Partner, index);
}

void
delivery_share_plan (DeliveryShare *self)
{
    for (guint i = 0; i < self->partners->len; i++)
        partner_at (self, i)->planned = MAX (partner_at (self, i)->clock, self->now);
}

gint
delivery_share_next (DeliveryShare *self, guint *room)
{
    gint next = -1;

    for (guint i = 0; i < self->partners->len; i++)
        if (room[i] > 0 && (next < 0 || partner_at (self, i)->planned < partner_at (self, (guint) next)->planned))
            next = (gint) i;

    if (next >= 0) {
        room[next]--;
        partner_at (self, (guint) next)->planned += 1.0 / partner_at (self, (guint) next)->weight;
    }

    return next;
}

void
delivery_share_count (DeliveryShare *self, guint index)
{
    Partner *partner = partner_at (self, index);
    gdouble start = MAX (partner->clock, self->now);

    self->now = MAX (self->now, start);
    partner->clock = start + 1.0 / partner->weight;
}
