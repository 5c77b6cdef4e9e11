/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gnutls/gnutls.h>
#include <glib.h>

/*
 * What TLS sessions are made of: trusted authorities for a client, certificate and key for a server. Loaded once,
 * shared by all sessions that use it.
 */

typedef struct _SmtpTls SmtpTls;

#define SMTP_TLS_ERROR (smtp_tls_error_quark ())

typedef enum {
    SMTP_TLS_ERROR_SETUP,     /* a file is missing, unreadable or not what it should be; the message names it */
    SMTP_TLS_ERROR_HANDSHAKE, /* the peers could not agree, or the peer broke off */

    /* The peer's certificate is not acceptable, and the message says all that is wrong with it. Of what can be wrong this
     * is what has to be seen to first: */
    SMTP_TLS_ERROR_NAME,       /* it is for another name */
    SMTP_TLS_ERROR_TIME,       /* it has expired, or is not valid yet */
    SMTP_TLS_ERROR_AUTHORITY,  /* its issuer is not trusted */
    SMTP_TLS_ERROR_CERTIFICATE /* anything else */
} SmtpTlsError;

GQuark smtp_tls_error_quark (void);

/**
 * smtp_tls_new_client:
 * @trust_file: (nullable): PEM file of authorities; %NULL is the system's trust store
 * @verify: whether an untrusted certificate or a wrong name ends the handshake
 *
 * A @trust_file is read at once. The system's store takes 40 ms and 4 MiB, so it is read for the first session that
 * is verified, and one such object should serve all who trust alike.
 */
SmtpTls *smtp_tls_new_client (const gchar *trust_file, gboolean verify, GError **error);

/* Certificate chain and key from PEM files. */
SmtpTls *smtp_tls_new_server (const gchar *certificate_file, const gchar *key_file, GError **error);

SmtpTls *smtp_tls_ref (SmtpTls *tls);
void smtp_tls_unref (SmtpTls *tls);

/**
 * smtp_tls_session:
 * @server_name: (nullable): for a client: the name for SNI and, where verified, the name that the certificate must
 *   carry; an IP address is checked as one and sent in no SNI. A client that verifies needs one. GnuTLS keeps the
 *   pointer: it must outlive the session
 *
 * Returns: (transfer full): a non-blocking session without transport; the caller sets it and calls
 *   gnutls_deinit (), and keeps @tls at least as long
 */
gnutls_session_t smtp_tls_session (SmtpTls *tls, const gchar *server_name, GError **error);

/**
 * smtp_tls_handshake_error:
 * @server_name: (nullable): as given to smtp_tls_session ()
 * @result: what gnutls_handshake () returned
 *
 * Returns: (transfer full): why a handshake failed, with the certificate's fault in words if it was that
 */
GError *smtp_tls_handshake_error (gnutls_session_t session, const gchar *server_name, int result);

/* Returns: (transfer full): "TLS1.3 TLS_AES_256_GCM_SHA384", for Received: and the log. */
gchar *smtp_tls_describe (gnutls_session_t session);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (SmtpTls, smtp_tls_unref)
