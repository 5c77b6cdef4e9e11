/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * From one session to many
 *
 * Sessions are opened one at a time, and another one only when those that are open do not keep up: they had no pause
 * for a number of messages, or for a while. So a few messages that come together cost one login, thousands are spread
 * over all sessions within a blink, and a slow server gets its second session after a moment. One that does not even
 * greet does not keep others from being opened for ever.
 */

#include "delivery/ramp.h"

#include "delivery/retry.h"

/* Another session is opened when each of those that are open has carried this many messages without a pause, or when
 * there was no pause for so long. A login takes about as long as a few messages. */
#define RAMP_MESSAGES 10
#define RAMP_SECONDS  1

/* A session that takes longer to open is not waited for any more before another one is opened. */
#define OPENING_PATIENCE_SECONDS 10

void
delivery_ramp_open (DeliveryRamp *ramp, gint64 now_usec)
{
    ramp->opening_usec = now_usec;
}

void
delivery_ramp_press (DeliveryRamp *ramp, gint64 now_usec)
{
    if (ramp->pressed_usec == 0)
        ramp->pressed_usec = now_usec;
}

void
delivery_ramp_relax (DeliveryRamp *ramp)
{
    ramp->pressed_usec = 0;
    ramp->pressed_for = 0;
}

void
delivery_ramp_count (DeliveryRamp *ramp)
{
    ramp->pressed_for++;
}

gint64
delivery_ramp_usec (const DeliveryRamp *ramp, guint used, guint opening)
{
    if (used == 0)
        return 0;
    if (opening > 0)
        return ramp->opening_usec + delivery_usec (OPENING_PATIENCE_SECONDS);
    if (ramp->pressed_usec == 0)
        return G_MAXINT64;
    if (ramp->pressed_for >= used * RAMP_MESSAGES)
        return 0;

    return MAX (ramp->pressed_usec, ramp->opening_usec) + delivery_usec (RAMP_SECONDS);
}
