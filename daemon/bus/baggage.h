/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gio/gio.h>

#include "foreign.h"

/*
 * Descriptors that come with messages on the bus.
 */

typedef struct _BusBaggage BusBaggage;

/* @foreign: closes what nobody takes */
BusBaggage *bus_baggage_new (GDBusConnection *connection, Foreign *foreign);
void bus_baggage_free (BusBaggage *baggage);

/* The main loop has begun to see to @message. */
void bus_baggage_see (GDBusMessage *message);

/**
 * bus_baggage_take:
 *
 * Takes what is to be submitted with @message; once.
 *
 * Returns: (transfer full): a descriptor, or -1 with a BUS_ERROR
 */
int bus_baggage_take (GDBusMessage *message, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (BusBaggage, bus_baggage_free)
