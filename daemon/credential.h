/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

#define CREDENTIAL_ERROR (credential_error_quark ())

typedef enum {
    CREDENTIAL_ERROR_NAME,   /* no name of a credential, no absolute path */
    CREDENTIAL_ERROR_READ,   /* not there or not readable */
    CREDENTIAL_ERROR_CONTENT /* empty, too long, or more than one line */
} CredentialError;

GQuark credential_error_quark (void);

/**
 * credential_read_file:
 * @path: an absolute path
 * @exposed: (out): whether others than the file's owner and group may read it
 *
 * Reads a secret of one line; the newline that an editor leaves at its end is no part of it.
 *
 * Returns: (transfer full): the secret; or %NULL with a CREDENTIAL_ERROR that tells neither the path nor the content
 */
gchar *credential_read_file (const gchar *path, gboolean *exposed, GError **error);

/**
 * credential_read:
 * @folder: (nullable): $CREDENTIALS_DIRECTORY; %NULL if the service manager passed no credentials
 * @name: the credential's name
 *
 * The same for a credential of systemd, be it passed by itself or in the folder of credentials that the unit passes.
 */
gchar *credential_read (const gchar *folder, const gchar *name, GError **error);
