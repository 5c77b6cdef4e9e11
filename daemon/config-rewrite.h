/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "config-file.h"
#include "config.h"

/**
 * config_rewrite_read_tables:
 * @config: with its names complete
 * @problems: (element-type utf8): a line is added for each table that cannot be read, and each bad line of one
 *
 * Reads the tables that [Rewrite] names. @file keeps copies of them; if it is one that was written, those it has count.
 */
void config_rewrite_read_tables (Config *config, ConfigFile *file, GPtrArray *problems);
