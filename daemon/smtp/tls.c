/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * TLS credentials
 *
 * What a TLS session is made of, loaded once and shared: for a client the authorities that it trusts, for a server
 * its chain and key. A changed certificate is a new object; sessions under way go on with the one that they were
 * made from.
 *
 * Every session speaks TLS 1.2 or later, and beyond that what the machine's policy for GnuTLS allows (the
 * administrator's /etc/gnutls/config, where there is one). A client that does not verify still encrypts: that is
 * what opportunistic TLS is (RFC 7435).
 *
 * A verification fault is told in words by tls-fault.c, because "certificate verification failed" helps nobody.
 *
 * GnuTLS would set itself up when the program starts, which costs a megabyte and several milliseconds. It is told not
 * to, and set up with the first credentials: a relay without TLS does not pay for it.
 */

#include "smtp/tls.h"

#include "smtp/tls-fault.h"

#include <gio/gio.h>
#include <gnutls/x509.h>
#include <string.h>

/* What GnuTLS asks for before it sets itself up. */
GNUTLS_SKIP_GLOBAL_INIT

/* On top of the system's defaults. TLS 1.0 and 1.1 are deprecated by RFC 8996. */
#define PRIORITY_APPENDED "-VERS-TLS1.0:-VERS-TLS1.1"

struct _SmtpTls {
    guint references;
    gboolean server;
    gboolean verify;
    gboolean trust_pending; /* the system's trust store is to be read yet */
    gnutls_certificate_credentials_t credentials;
    gnutls_priority_t priority;
};

GQuark
smtp_tls_error_quark (void)
{
    return g_quark_from_static_string ("smtp-tls-error");
}

static SmtpTls *
tls_new (GError **error)
{
    SmtpTls *tls = g_new0 (SmtpTls, 1);
    const char *position;
    int result;

    tls->references = 1;
    if (gnutls_global_init () < 0)
        g_error ("GnuTLS cannot be set up");
    if (gnutls_certificate_allocate_credentials (&tls->credentials) < 0)
        g_error ("out of memory for TLS credentials");

    result = gnutls_priority_init2 (&tls->priority, PRIORITY_APPENDED, &position, GNUTLS_PRIORITY_INIT_DEF_APPEND);
    if (result < 0) {
        g_set_error (error, SMTP_TLS_ERROR, SMTP_TLS_ERROR_SETUP,
                     "the system's TLS policy allows neither TLS 1.2 nor TLS 1.3: %s", gnutls_strerror (result));
        smtp_tls_unref (tls);
        return NULL;
    }

    return tls;
}

static gboolean
read_pem (const gchar *path, gchar **pem, gnutls_datum_t *datum, GError **error)
{
    g_autoptr (GError) problem = NULL;
    gsize length;

    if (!g_file_get_contents (path, pem, &length, &problem)) {
        g_set_error_literal (error, SMTP_TLS_ERROR, SMTP_TLS_ERROR_SETUP, problem->message);
        return FALSE;
    }

    datum->data = (unsigned char *) *pem;
    datum->size = (unsigned int) MIN (length, G_MAXUINT);
    return TRUE;
}

static gboolean
tls_trust_file (SmtpTls *tls, const gchar *path, GError **error)
{
    g_autofree gchar *pem = NULL;
    gnutls_datum_t datum;
    int result;

    if (!read_pem (path, &pem, &datum, error))
        return FALSE;

    result = gnutls_certificate_set_x509_trust_mem (tls->credentials, &datum, GNUTLS_X509_FMT_PEM);
    if (result <= 0) {
        g_set_error (error, SMTP_TLS_ERROR, SMTP_TLS_ERROR_SETUP, "%s has no certificate in PEM form%s%s", path,
                     result < 0 ? ": " : "", result < 0 ? gnutls_strerror (result) : "");
        return FALSE;
    }

    return TRUE;
}

static gboolean
tls_trust_system (SmtpTls *tls, GError **error)
{
    int result;

    if (!tls->trust_pending)
        return TRUE;

    result = gnutls_certificate_set_x509_system_trust (tls->credentials);
    if (result <= 0) {
        g_set_error (error, SMTP_TLS_ERROR, SMTP_TLS_ERROR_SETUP,
                     "the system has no trusted certificate authorities%s%s: install ca-certificates, or name a file",
                     result < 0 ? " that can be read: " : "", result < 0 ? gnutls_strerror (result) : "");
        return FALSE;
    }

    tls->trust_pending = FALSE;
    return TRUE;
}

SmtpTls *
smtp_tls_new_client (const gchar *trust_file, gboolean verify, GError **error)
{
    g_autoptr (SmtpTls) tls = tls_new (error);

    if (!tls)
        return NULL;

    tls->verify = verify;
    tls->trust_pending = verify && !trust_file;
    if (verify && trust_file && !tls_trust_file (tls, trust_file, error))
        return NULL;

    return g_steal_pointer (&tls);
}

typedef struct {
    gnutls_x509_crt_t *certificates;
    unsigned int n_certificates;
} Chain;

static void
chain_clear (Chain *chain)
{
    for (unsigned int i = 0; i < chain->n_certificates; i++)
        gnutls_x509_crt_deinit (chain->certificates[i]);
    gnutls_free (chain->certificates);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Chain, chain_clear)

static gboolean
chain_load (Chain *chain, const gchar *path, GError **error)
{
    g_autofree gchar *pem = NULL;
    gnutls_datum_t datum;
    int result;

    if (!read_pem (path, &pem, &datum, error))
        return FALSE;

    result =
        gnutls_x509_crt_list_import2 (&chain->certificates, &chain->n_certificates, &datum, GNUTLS_X509_FMT_PEM, 0);
    if (result < 0) {
        g_set_error (error, SMTP_TLS_ERROR, SMTP_TLS_ERROR_SETUP, "%s has no certificate in PEM form: %s", path,
                     gnutls_strerror (result));
        return FALSE;
    }

    return TRUE;
}

static gboolean
key_load (gnutls_x509_privkey_t key, const gchar *path, GError **error)
{
    g_autofree gchar *pem = NULL;
    gnutls_datum_t datum;
    int result;

    if (!read_pem (path, &pem, &datum, error))
        return FALSE;

    result = gnutls_x509_privkey_import2 (key, &datum, GNUTLS_X509_FMT_PEM, NULL, 0);
    explicit_bzero (pem, datum.size);
    if (result == GNUTLS_E_DECRYPTION_FAILED) {
        g_set_error (error, SMTP_TLS_ERROR, SMTP_TLS_ERROR_SETUP,
                     "the key in %s is protected by a password; a service needs one that is not", path);
        return FALSE;
    }
    if (result < 0) {
        g_set_error (error, SMTP_TLS_ERROR, SMTP_TLS_ERROR_SETUP, "%s has no private key in PEM form: %s", path,
                     gnutls_strerror (result));
        return FALSE;
    }

    return TRUE;
}

static gboolean
tls_set_identity (SmtpTls *tls, const gchar *certificate_file, const gchar *key_file, gnutls_x509_privkey_t key,
                  GError **error)
{
    g_auto (Chain) chain = {NULL, 0};
    int result;

    if (!chain_load (&chain, certificate_file, error) || !key_load (key, key_file, error))
        return FALSE;

    result = gnutls_certificate_set_x509_key (tls->credentials, chain.certificates, (int) chain.n_certificates, key);
    if (result == GNUTLS_E_CERTIFICATE_KEY_MISMATCH) {
        g_set_error (error, SMTP_TLS_ERROR, SMTP_TLS_ERROR_SETUP,
                     "the key in %s does not belong to the first certificate in %s", key_file, certificate_file);
        return FALSE;
    }
    if (result < 0) {
        g_set_error (error, SMTP_TLS_ERROR, SMTP_TLS_ERROR_SETUP, "the certificate in %s cannot be used: %s",
                     certificate_file, gnutls_strerror (result));
        return FALSE;
    }

    return TRUE;
}

SmtpTls *
smtp_tls_new_server (const gchar *certificate_file, const gchar *key_file, GError **error)
{
    g_autoptr (SmtpTls) tls = tls_new (error);
    gnutls_x509_privkey_t key;
    gboolean loaded;

    if (!tls)
        return NULL;

    tls->server = TRUE;
    if (gnutls_x509_privkey_init (&key) < 0)
        g_error ("out of memory for a private key");
    loaded = tls_set_identity (tls, certificate_file, key_file, key, error);
    gnutls_x509_privkey_deinit (key);

    return loaded ? g_steal_pointer (&tls) : NULL;
}

SmtpTls *
smtp_tls_ref (SmtpTls *tls)
{
    tls->references++;
    return tls;
}

void
smtp_tls_unref (SmtpTls *tls)
{
    if (--tls->references > 0)
        return;

    if (tls->priority)
        gnutls_priority_deinit (tls->priority);
    gnutls_certificate_free_credentials (tls->credentials);
    gnutls_global_deinit ();
    g_free (tls);
}

static gboolean
session_expect (SmtpTls *tls, gnutls_session_t session, const gchar *server_name, GError **error)
{
    if (server_name && !g_hostname_is_ip_address (server_name))
        gnutls_server_name_set (session, GNUTLS_NAME_DNS, server_name, strlen (server_name));
    if (!tls->verify)
        return TRUE;

    if (!server_name) {
        g_set_error (error, SMTP_TLS_ERROR, SMTP_TLS_ERROR_SETUP,
                     "no server name is known that the certificate could be checked against");
        return FALSE;
    }
    if (!tls_trust_system (tls, error))
        return FALSE;

    gnutls_session_set_verify_cert (session, server_name, 0);
    return TRUE;
}

gnutls_session_t
smtp_tls_session (SmtpTls *tls, const gchar *server_name, GError **error)
{
    guint flags = GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL | (tls->server ? GNUTLS_SERVER : GNUTLS_CLIENT);
    gnutls_session_t session = NULL;
    int result = gnutls_init (&session, flags);

    if (result >= 0)
        result = gnutls_priority_set (session, tls->priority);
    if (result >= 0)
        result = gnutls_credentials_set (session, GNUTLS_CRD_CERTIFICATE, tls->credentials);
    if (result < 0) {
        g_set_error (error, SMTP_TLS_ERROR, SMTP_TLS_ERROR_SETUP, "cannot make a TLS session: %s",
                     gnutls_strerror (result));
        g_clear_pointer (&session, gnutls_deinit);
        return NULL;
    }

    if (!tls->server && !session_expect (tls, session, server_name, error)) {
        gnutls_deinit (session);
        return NULL;
    }

    return session;
}

GError *
smtp_tls_handshake_error (gnutls_session_t session, const gchar *server_name, int result)
{
    switch (result) {
    case GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR: {
        g_autofree gchar *fault = smtp_tls_fault_describe (session, server_name);

        return g_error_new (SMTP_TLS_ERROR, smtp_tls_fault_kind (session), "the certificate is not acceptable: %s",
                            fault);
    }
    case GNUTLS_E_FATAL_ALERT_RECEIVED:
        return g_error_new (SMTP_TLS_ERROR, SMTP_TLS_ERROR_HANDSHAKE, "the peer broke off the TLS handshake: %s",
                            gnutls_alert_get_name (gnutls_alert_get (session)));
    case GNUTLS_E_PREMATURE_TERMINATION:
        return g_error_new (SMTP_TLS_ERROR, SMTP_TLS_ERROR_HANDSHAKE,
                            "the peer closed the connection during the TLS handshake");
    case GNUTLS_E_UNEXPECTED_PACKET:
    case GNUTLS_E_UNEXPECTED_PACKET_LENGTH:
    case GNUTLS_E_UNSUPPORTED_VERSION_PACKET:
        return g_error_new (SMTP_TLS_ERROR, SMTP_TLS_ERROR_HANDSHAKE,
                            "the TLS handshake failed: what the peer sent is no TLS that is understood here");
    default:
        return g_error_new (SMTP_TLS_ERROR, SMTP_TLS_ERROR_HANDSHAKE, "the TLS handshake failed: %s",
                            gnutls_strerror (result));
    }
}

gchar *
smtp_tls_describe (gnutls_session_t session)
{
    const gchar *suite = gnutls_ciphersuite_get (session);

    return g_strdup_printf ("%s %s", gnutls_protocol_get_name (gnutls_protocol_get_version (session)),
                            suite ? suite : "unknown");
}
