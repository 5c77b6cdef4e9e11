/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "bus/bus.h"

/*
 * Keeps the relay on the message bus, as far as there is one.
 */

typedef struct _BusKeeper BusKeeper;

/**
 * bus_keeper_new:
 * @address: see bus_new ()
 * @counters: must outlive the keeper
 * @handlers: copied
 *
 * Connects. If that fails, or the bus goes away later, the log is told and the bus is tried again from time to time.
 */
BusKeeper *bus_keeper_new (const gchar *address, Queue *queue, Delivery *delivery, const BusCounters *counters,
                           const BusHandlers *handlers, gpointer user_data);
void bus_keeper_free (BusKeeper *keeper);

/* Returns: (transfer none) (nullable): the bus, if it is there */
Bus *bus_keeper_bus (const BusKeeper *keeper);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (BusKeeper, bus_keeper_free)
