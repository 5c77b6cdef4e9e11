/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/*
 * The client's side of one authentication by user and password (RFC 4422, RFC 4954), without the SMTP around it.
 */

typedef struct _SmtpSasl SmtpSasl;

#define SMTP_SASL_ERROR (smtp_sasl_error_quark ())

typedef enum {
    SMTP_SASL_ERROR_SETUP,    /* the library, or what it was given: a password with forbidden characters */
    SMTP_SASL_ERROR_CHALLENGE /* what the server said does not belong to the mechanism, or proves that it is another */
} SmtpSaslError;

GQuark smtp_sasl_error_quark (void);

/**
 * smtp_sasl_choose:
 * @offered: mechanisms of the server, separated by spaces
 * @allowed: (nullable): mechanisms of the configuration, separated by spaces; %NULL: all that are known here
 * @tried: (nullable): mechanisms that have failed already, separated by spaces
 *
 * Returns: (transfer none) (nullable): the strongest mechanism that is known here, offered, allowed and not tried;
 *   %NULL if there is none
 */
const gchar *smtp_sasl_choose (const gchar *offered, const gchar *allowed, const gchar *tried);

/* All mechanisms known here, the strongest first, separated by spaces. */
const gchar *smtp_sasl_known (void);

/* @mechanism: from smtp_sasl_choose () */
SmtpSasl *smtp_sasl_new (const gchar *mechanism, const gchar *user, const gchar *password, GError **error);
void smtp_sasl_free (SmtpSasl *sasl);

/* Whether the client speaks first, so that smtp_sasl_step () makes the initial response (RFC 4422 3). */
gboolean smtp_sasl_starts (const SmtpSasl *sasl);

/**
 * smtp_sasl_step:
 * @challenge: (nullable): what the server sent, in base64; %NULL for the initial response
 *
 * Returns: (transfer full): the response in base64; it is or contains a secret. %NULL if the server's challenge cannot
 *   be answered
 */
gchar *smtp_sasl_step (SmtpSasl *sasl, const gchar *challenge, GError **error);

/* Whether the client's part is complete: only then a server's success means anything. With SCRAM it also means that
 * the server has proved to know the password. */
gboolean smtp_sasl_is_complete (const SmtpSasl *sasl);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (SmtpSasl, smtp_sasl_free)
