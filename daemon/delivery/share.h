/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/* Whose turn it is, of several that share work by their weights. */

typedef struct _DeliveryShare DeliveryShare;

/* @weights: (element-type guint): one for each of those who share, at least 1 */
DeliveryShare *delivery_share_new (const GArray *weights);
void delivery_share_free (DeliveryShare *share);

/* Begins a plan: who would get how much, from what each was given so far. */
void delivery_share_plan (DeliveryShare *share);

/**
 * delivery_share_next:
 * @room: (array): for each, how much it may get more
 *
 * Gives one to whose turn it is in the plan, and takes it from its @room.
 *
 * Returns: who it is; -1: nobody has room
 */
gint delivery_share_next (DeliveryShare *share, guint *room);

/* @index was really given one. */
void delivery_share_count (DeliveryShare *share, guint index);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (DeliveryShare, delivery_share_free)
