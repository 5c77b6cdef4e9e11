/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "bus/internal.h"

/**
 * bus_content_open:
 * @uid: who reads it
 *
 * Opens the content of a message.
 *
 * Returns: a file descriptor (transfer full) from which it is read; or -1 with a BUS_ERROR
 */
int bus_content_open (Bus *bus, QueueId id, gint64 uid, GError **error);
