/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gio/gio.h>

#include "foreign.h"

/*
 * Descriptors that come with messages on the bus.
 */

typedef struct _BusBaggage BusBaggage;

/* @foreign: closes what nobody takes. @most: descriptors that are kept */
BusBaggage *bus_baggage_new (GDBusConnection *connection, Foreign *foreign, guint most);
void bus_baggage_free (BusBaggage *baggage);

/**
 * bus_baggage_take:
 * @handle: which descriptor the call is about
 *
 * Takes what is to be submitted with @message; once.
 *
 * Returns: (transfer full): a descriptor, or -1 with a BUS_ERROR
 */
int bus_baggage_take (GDBusMessage *message, gint handle, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (BusBaggage, bus_baggage_free)
