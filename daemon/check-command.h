/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/* posternd --check: a check of the configuration without a relay that runs. */

typedef struct {
    const gchar *config; /* path of the main configuration file */
    gboolean config_may_be_missing;
    const gchar *credentials_folder; /* (nullable): $CREDENTIALS_DIRECTORY, else "credentials" beside the file */
    const gchar *sender;             /* see check_new () */
    gboolean connect;                /* whether smarthosts are tried */
    gboolean machine;                /* print the report as the text of a GVariant */
} CheckOptions;

/**
 * check_command:
 *
 * Prints what it finds, and returns when it is done.
 *
 * Returns: the exit status: 0, 1 if a smarthost takes no mail, or EX_CONFIG
 */
int check_command (const CheckOptions *options);
