/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/*
 * Somebody on the bus who may leave it before the call is answered.
 */

typedef struct _BusCaller BusCaller;

typedef void (*BusCallerGone) (gpointer user_data);
typedef void (*BusCallerAnswer) (gboolean is_there, gpointer user_data);

/* Has @gone called, once, when the caller leaves the bus; maybe never if nobody has noticed. */
void bus_caller_watch (BusCaller *caller, BusCallerGone gone, gpointer user_data);

/* Asks the bus whether the caller is still there. A bus that cannot tell has lost it. Only one of @answered and the watch's
 * gone is called. */
void bus_caller_ask (BusCaller *caller, BusCallerAnswer answered, gpointer user_data);

/* Nothing of this is of interest any more. */
void bus_caller_forget (BusCaller *caller);
