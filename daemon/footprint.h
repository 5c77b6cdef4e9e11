/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The memory that a relay takes which waits for work.
 */

/* Some seconds from now, from the main loop, gives back what only the start needed. To be called once. */
void footprint_shrink_later (void);
