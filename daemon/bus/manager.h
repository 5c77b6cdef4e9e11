/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "bus/internal.h"

/*
 * The Manager, at BUS_MANAGER_PATH.
 */

/* Returns: an id for g_dbus_connection_unregister_object (), 0 with an error */
guint bus_manager_register (Bus *bus, GError **error);
