/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Retry schedule
 *
 * Decides when a deferred message, or a remote that is down, is tried again. The delay doubles with each failure
 * and is then shifted at random, so that the messages that one outage deferred do not all come back in the same
 * second. RFC 5321 4.5.4.1 asks for at least 30 minutes between tries; the first few are sooner, because most
 * outages are short and greylisting lifts after minutes.
 *
 * The schedule keeps no state: the same failures and the same random number give the same delay.
 */

#include "delivery/retry.h"

/* Far enough apart to spread a burst, near enough that "in about an hour" stays true. */
#define RETRY_SPREAD 0.2

guint
delivery_retry_seconds (guint failures, guint first, guint longest, gdouble jitter)
{
    gdouble delay = MAX (first, 1);

    g_return_val_if_fail (failures > 0, longest);
    g_return_val_if_fail (jitter >= 0.0 && jitter < 1.0, longest);

    for (guint i = 1; i < failures && delay < longest; i++)
        delay *= 2;

    delay = MIN (delay, MAX (longest, 1)) * (1.0 + RETRY_SPREAD * (2.0 * jitter - 1.0));
    return MAX (1, (guint) MIN (delay, (gdouble) G_MAXINT));
}
