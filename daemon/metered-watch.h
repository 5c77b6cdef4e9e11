/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/*
 * Notices whether the machine's connection to the world is metered, that is whether sending costs money.
 */

typedef struct _MeteredWatch MeteredWatch;

/**
 * metered_watch_new:
 * @bus: as the relay's --bus=; where that names no address it is the system bus that is meant
 * @changed: the answer is another than before; called from the main loop
 */
MeteredWatch *metered_watch_new (const gchar *bus, void (*changed) (gpointer user_data), gpointer user_data);
void metered_watch_free (MeteredWatch *watch);

/* Whether the connection is metered, or that is not known yet. */
gboolean metered_watch_is_metered (const MeteredWatch *watch);
