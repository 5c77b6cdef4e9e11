/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/* When a remote gets one more session. A plain value; all zero is a remote without sessions. Times are monotonic. */
typedef struct {
    gint64 opening_usec; /* private: when a session was last begun to be opened, or opened */
    gint64 pressed_usec; /* since when no session was idle; 0: one is */
    guint pressed_for;   /* messages completed since then */
} DeliveryRamp;

/* A session is being opened, or is open now. */
void delivery_ramp_open (DeliveryRamp *ramp, gint64 now_usec);

/* No session is idle any more; or one is, with nothing to do. */
void delivery_ramp_press (DeliveryRamp *ramp, gint64 now_usec);
void delivery_ramp_relax (DeliveryRamp *ramp);

/* A session has completed a message. */
void delivery_ramp_count (DeliveryRamp *ramp);

/* When another session is called for, beside @used of which @opening are being opened; G_MAXINT64: not by time alone. */
gint64 delivery_ramp_usec (const DeliveryRamp *ramp, guint used, guint opening);
