/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "bus/internal.h"

/*
 * The properties of the Manager, and telling that they changed.
 */

BusProperties *bus_properties_new (Bus *bus);
void bus_properties_free (BusProperties *properties);

/* Returns: (transfer floating) (nullable): the property's value now; %NULL if there is no such property */
GVariant *bus_properties_get (Bus *bus, const gchar *name);

/* Something may have changed: PropertiesChanged follows soon, with what did. Costs next to nothing. */
void bus_properties_touch (BusProperties *properties);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (BusProperties, bus_properties_free)
