/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

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
