/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gio/gio.h>

#include "postern-json.h"

/*
 * What the relay's Manager says of its configuration: whether it is bad, and what is in force then.
 */

/* @properties: the Manager's. Whether the relay goes by something else than what its files say. */
gboolean configuration_is_bad (GVariant *properties);

/* Returns: (transfer full): what is in force in place of a bad configuration, "the last good one is in force, …" */
gchar *configuration_in_force (GVariant *properties);

/* Each problem on a line of its own, behind @indent. */
void configuration_print_problems (GVariant *properties, const gchar *indent);

/* Each thing that should not stay as it is on a line of its own, behind @label. */
void configuration_print_warnings (GVariant *properties, const gchar *label);

void configuration_add_json (JsonBuilder *builder, GVariant *properties);
