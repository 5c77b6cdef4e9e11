/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gio/gio.h>

#include "cli/config-plan.h"

/* Puts a plan on disk. */

typedef struct {
    gchar *config;      /* path of postern.conf */
    gchar *credentials; /* the folder of passwords */
} ConfigPlaces;

/* @config, @credentials: (nullable): what the command line says; else the defaults. Absolute, whatever is given. */
void config_places_init (ConfigPlaces *places, const gchar *config, const gchar *credentials);
void config_places_clear (ConfigPlaces *places);

/* Whether @places are those that the installed service reads. */
gboolean config_places_are_default (const ConfigPlaces *places);

/* Returns: (transfer full): the folder of the configuration itself */
gchar *config_places_folder (const ConfigPlaces *places);

/* Whether a configuration with any setting is there already; one that only has comments is not worth a question. */
gboolean config_places_are_taken (const ConfigPlaces *places);

/**
 * config_write:
 * @backup: (out) (nullable): (transfer full): where the file of before is now
 *
 * Passwords first, then tables, then the configuration: each file is there whole or not at all, and a password is at no
 * moment readable for others. A configuration of before is kept as a backup; passwords of before are not.
 */
gboolean config_write (const ConfigPlan *plan, const ConfigPlaces *places, gchar **backup, GError **error);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (ConfigPlaces, config_places_clear)
