/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gio/gio.h>

/*
 * A connection of the relay's own to the system bus, for what the machine's services tell.
 */

typedef struct _SystemBus SystemBus;

typedef struct {
    /* The connection is there: what is to be heard can be subscribed to. */
    void (*connected) (GDBusConnection *connection, gpointer user_data);

    /* It is there no more, or (@connection NULL) there is none; it is looked for again now and then. */
    void (*missing) (GDBusConnection *connection, gpointer user_data);
} SystemBusListener;

/**
 * system_bus_new:
 * @bus: as the relay's --bus=; where that names no address it is the system bus that is meant
 * @listener: copied; its functions are called from the main loop
 */
SystemBus *system_bus_new (const gchar *bus, const SystemBusListener *listener, gpointer user_data);

/* Tells nothing any more. */
void system_bus_free (SystemBus *bus);
