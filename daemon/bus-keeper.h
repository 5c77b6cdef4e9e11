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
BusKeeper *bus_keeper_new (const gchar *address, const BusRooms *rooms, const BusHandlers *handlers,
                           gpointer user_data);
void bus_keeper_free (BusKeeper *keeper);

/* Returns: (transfer none) (nullable): the bus, if it is there */
Bus *bus_keeper_bus (const BusKeeper *keeper);

/* Gives the name on the bus back for good, see bus_release (). Without a bus @released is called at once. */
void bus_keeper_release (BusKeeper *keeper, void (*released) (gpointer user_data), gpointer user_data);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (BusKeeper, bus_keeper_free)
