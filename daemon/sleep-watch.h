/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Tells when the machine wakes up, as systemd-logind says it.
 */

typedef struct _SleepWatch SleepWatch;

/**
 * sleep_watch_new:
 * @bus: where logind is: the address of a bus, or "system"; with "session" it is the system bus too
 * @woke: the machine was asleep and is not any more
 *
 * A machine without that bus or without logind is one that does not sleep.
 *
 * Returns: (transfer full)
 */
SleepWatch *sleep_watch_new (const char *bus, void (*woke) (void *user_data), void *user_data);
void sleep_watch_free (SleepWatch *watch);
