/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/* Seconds as microseconds; in 32 bits they would not reach for an hour and a quarter. */
static inline gint64
delivery_usec (guint seconds)
{
    return (gint64) seconds * G_USEC_PER_SEC;
}

/**
 * delivery_retry_seconds:
 * @failures: failed attempts in a row so far, at least 1
 * @first: the delay after the first failure, seconds
 * @longest: what the delay grows to, seconds
 * @jitter: a random number in [0, 1)
 *
 * The delay doubles from @first up to @longest and is then shifted by up to a fifth either way.
 *
 * Returns: seconds to wait before the next attempt, at least 1
 */
guint delivery_retry_seconds (guint failures, guint first, guint longest, gdouble jitter);
