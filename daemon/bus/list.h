/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "bus/filter.h"
#include "bus/internal.h"

/**
 * bus_list_open:
 * @filter: (transfer full): which messages
 * @uid: who reads it
 *
 * Opens a list of messages; see OpenList in the introspection XML for what is in the stream.
 *
 * Returns: a file descriptor (transfer full) from which it is read; or -1 with a BUS_ERROR
 */
int bus_list_open (Bus *bus, BusFilter *filter, gint64 uid, GError **error);
