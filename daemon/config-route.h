/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "config-schema.h"

/* Groups [Route NAME]. */

/* Adds the route of @group to the settings. */
void config_route_read (DeliverySettings *settings, const ConfigGroup *group, GPtrArray *problems,
                        GPtrArray *warnings);

/* Once all groups are read: whether the smarthosts that routes name exist. */
void config_route_check (const DeliverySettings *settings, const ConfigFile *file, GPtrArray *problems);
