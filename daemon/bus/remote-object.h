/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "bus/internal.h"

/*
 * Objects of remotes, below BUS_REMOTE_PATH.
 */

/**
 * bus_remote_object_path:
 * @name: a remote's name, any text
 *
 * Returns: (transfer full): the path of its object; different names have different paths
 */
gchar *bus_remote_object_path (const gchar *name);

/* Returns: an id for g_dbus_connection_unregister_subtree (), 0 with an error */
guint bus_remote_objects_register (Bus *bus, GError **error);

/* Broadcasts PropertiesChanged with the remote's state. */
void bus_remote_object_changed (Bus *bus, const DeliveryRemoteInfo *remote);

/* Finds a remote by its name. @remote's strings are valid until the loop runs. */
gboolean bus_remote_find (Bus *bus, const gchar *name, DeliveryRemoteInfo *remote);
