/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "config-file.h"
#include "config.h"

/*
 * Which groups and keys the configuration has, of what kind their values are, and where they go.
 */

#define CONFIG_SMARTHOST_GROUP "Smarthost" /* or "Smarthost NAME" */
#define CONFIG_ROUTE_GROUP     "Route"     /* "Route NAME" */

/* Longer is a slip of the pen, and sums of such spans stay far from any overflow. */
#define CONFIG_SPAN_MOST_SECONDS (3650 * 24 * 3600)

/* What values are written to; a group needs only what its keys go to. */
typedef struct {
    Config *config;
    DeliverySettings *delivery;
    DeliverySmarthost *smarthost;
    DeliveryRoute *route;
} ConfigTargets;

/* Whether @group is [Smarthost] or [Smarthost NAME]. */
gboolean config_schema_is_smarthost (const ConfigGroup *group);

/* Whether @group is [Route NAME]. */
gboolean config_schema_is_route (const ConfigGroup *group);

/* Returns: (transfer full): what follows @kind in the name of @group, "" if nothing does; bad characters in it are a
 * problem */
gchar *config_schema_name (const ConfigGroup *group, const gchar *kind, GPtrArray *problems);

/* Sets the keys whose defaults are not their targets' own. */
void config_schema_set_defaults (const ConfigTargets *targets);

/**
 * config_schema_read:
 * @problems: (element-type utf8): a line is added for each unknown key and bad value
 *
 * Writes the values of @group to @targets; an empty value leaves the default. A group that is not known is a problem
 * itself.
 */
void config_schema_read (const ConfigGroup *group, const ConfigTargets *targets, GPtrArray *problems);

/* A problem with a key of a group, @place the one to change: "FILE:LINE: [GROUP] KEY=: …" */
void config_schema_complain (GPtrArray *problems, const gchar *place, const gchar *group, const gchar *key,
                             const gchar *format, ...) G_GNUC_PRINTF (5, 6);

/* The value of @key if it is set and not empty. */
const ConfigEntry *config_schema_entry (const ConfigGroup *group, const gchar *key);
