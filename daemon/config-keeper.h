/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "config.h"

/*
 * Which configuration is in force, and what is wrong with the one that should be.
 */

typedef struct _ConfigKeeper ConfigKeeper;

typedef enum {
    CONFIG_IN_FORCE_CURRENT, /* what the files say */
    CONFIG_IN_FORCE_EARLIER, /* what they said when they were good last */
    CONFIG_IN_FORCE_NONE     /* mail is taken in, and waits */
} ConfigInForce;

/* "current", "earlier", "none" */
const gchar *config_in_force_name (ConfigInForce in_force);

/**
 * config_keeper_new:
 * @sources: must outlive the keeper
 * @state_directory: where a copy of the last good configuration is kept
 */
ConfigKeeper *config_keeper_new (const ConfigSources *sources, const gchar *state_directory);

/* Waits until a copy that is being written is on the disk. */
void config_keeper_free (ConfigKeeper *keeper);

/**
 * config_keeper_start:
 *
 * At a start there is always a configuration. The log is told of all that is wrong.
 *
 * Returns: (transfer full): the best that is to be had
 */
Config *config_keeper_start (ConfigKeeper *keeper);

/**
 * config_keeper_reload:
 *
 * Returns: (transfer full): what the files say now; %NULL with a CONFIG_ERROR if it is bad, see config_keeper_refuse ()
 */
Config *config_keeper_reload (ConfigKeeper *keeper, GError **error);

/* What was in force stays, because of @reason. The log is told. */
void config_keeper_refuse (ConfigKeeper *keeper, const GError *reason);

/* @config is in force now, and there is a state directory: a good one is copied there, on a thread. */
void config_keeper_settle (ConfigKeeper *keeper, Config *config);

ConfigInForce config_keeper_in_force (const ConfigKeeper *keeper);
gint64 config_keeper_since (const ConfigKeeper *keeper);          /* µs since the epoch: when that was good last */
const gchar *config_keeper_problems (const ConfigKeeper *keeper); /* (nullable): a line for each; NULL: all is well */
const gchar *config_keeper_consequence (const ConfigKeeper *keeper); /* (nullable): what is in force then, in words */

/* Returns: (element-type utf8): what works but should not stay so, a line for each thing */
const GPtrArray *config_keeper_warnings (const ConfigKeeper *keeper);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ConfigKeeper, config_keeper_free)
