/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "config.h"

/*
 * How many descriptors each purpose may take.
 */

typedef struct {
    guint sessions;    /* each has one */
    guint submissions; /* from the bus, each of which is read from one */
    guint baggage;     /* descriptors that came with calls that nobody has seen to yet */
    guint streams;     /* to callers on the bus, each of which is written to one */
} Descriptors;

/**
 * descriptors_raise_limit:
 *
 * Raises the soft limit to the hard one.
 *
 * Returns: how many descriptors this process may have
 */
guint descriptors_raise_limit (void);

/**
 * descriptors_share:
 * @limit: how many there may be
 * @sessions_wanted: how many sessions there should be, at least 1
 *
 * Returns: parts of @limit, at least 1 each, that leave enough for the queue and for deliveries
 */
Descriptors descriptors_share (guint limit, guint sessions_wanted);

/**
 * descriptors_share_out:
 * @limit: how many there may be
 * @config: has fewer sessions afterwards if there are not enough, and the log was told so
 */
Descriptors descriptors_share_out (guint limit, Config *config);
