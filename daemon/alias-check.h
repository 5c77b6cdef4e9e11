/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "config.h"

/**
 * alias_check:
 *
 * Reads the alias file that the configuration names, as the daemon would, and reports on standard output.
 *
 * Returns: an exit status of sysexits(3): EX_OK, EX_CONFIG if the configuration cannot be read, EX_DATAERR if the alias file has
 *   faults
 */
int alias_check (const ConfigSources *sources);

/* The same for the file @path. */
int alias_check_file (const gchar *path);
