/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "bus/internal.h"

/*
 * Objects of messages, below BUS_MESSAGE_PATH.
 */

/* Returns: (transfer full): the path of a message's object */
gchar *bus_message_object_path (QueueId id);

/* Returns: an id for g_dbus_connection_unregister_subtree (), 0 with an error */
guint bus_message_objects_register (Bus *bus, GError **error);
