/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Portions
 *
 * Many servers take a limited number of recipients in one transaction (RFC 5321 4.5.3.1.8). A message with more of them goes in
 * several, one after the other. The number is what the configuration says, what the server announced (RFC 9422), or
 * what it showed when it had enough, whichever is least: so that the first message finds the limit, and those after
 * it keep to it.
 */

#include "delivery/portion.h"

#include "delivery/retry.h"

void
delivery_portion_learn (DeliveryPortion *portion, guint shown, gint64 now_usec)
{
    portion->shown = shown;
    portion->shown_usec = now_usec;
}

static guint
lesser (guint most, guint limit)
{
    return limit > 0 ? MIN (most, limit) : most;
}

guint
delivery_portion_most (const DeliveryPortion *portion, guint configured, guint announced, gint64 now_usec)
{
    gboolean is_fresh = now_usec - portion->shown_usec < delivery_usec (DELIVERY_PORTION_SECONDS);

    return lesser (lesser (lesser (G_MAXUINT, configured), announced), is_fresh ? portion->shown : 0);
}
