/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/* What a remote showed may have been the limit of an hour, or have been changed: it is then tried with all recipients again. */
#define DELIVERY_PORTION_SECONDS (60 * 60)

/* How many recipients of a message a remote gets in one transaction. A plain value; all zero knows of no limit. */
typedef struct {
    guint shown; /* private: 0: nothing */
    gint64 shown_usec;
} DeliveryPortion;

/* A transaction had too many recipients, and the remote took @shown of them; 0: it was not their number after all. */
void delivery_portion_learn (DeliveryPortion *portion, guint shown, gint64 now_usec);

/**
 * delivery_portion_most:
 * @configured: what the configuration allows; 0: any number
 * @announced: what the remote announced to the session at hand; 0: nothing
 *
 * Returns: the most recipients that a transaction may have now
 */
guint delivery_portion_most (const DeliveryPortion *portion, guint configured, guint announced, gint64 now_usec);
