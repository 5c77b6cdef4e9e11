/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Certificate faults in words
 *
 * GnuTLS tells why a certificate was not accepted as a set of bits. A person who is to do something about it needs
 * the particulars: when it expired, who issued it, which names it carries and which one was wanted. All faults are
 * told, not the first only, so that repairing one does not just bring up the next.
 *
 * The certificate is the peer's, so every word from it is made printable and has a limit.
 */

#include "smtp/tls-fault.h"

#include "message/printable.h"

#include <arpa/inet.h>
#include <gnutls/x509.h>

/* A certificate of a hosting provider carries hundreds of names; the first few tell whose it is. */
#define NAMES_SHOWN_MOST 4

/* RFC 1035 2.3.4: no name is longer. */
#define NAME_SHOWN_LONGEST_BYTES 255

typedef struct gnutls_x509_crt_int Certificate;

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Certificate, gnutls_x509_crt_deinit)

/* The faults that are told in our own words, with the certificate's particulars. */
#define FAULTS_TOLD_HERE                                                                                             \
    (GNUTLS_CERT_INVALID | GNUTLS_CERT_UNEXPECTED_OWNER | GNUTLS_CERT_EXPIRED | GNUTLS_CERT_NOT_ACTIVATED |          \
     GNUTLS_CERT_SIGNER_NOT_FOUND)

static Certificate *
peer_certificate (gnutls_session_t session)
{
    unsigned int n_certificates = 0;
    const gnutls_datum_t *list = gnutls_certificate_get_peers (session, &n_certificates);
    g_autoptr (Certificate) certificate = NULL;

    if (!list || n_certificates == 0 || gnutls_x509_crt_init (&certificate) < 0)
        return NULL;
    if (gnutls_x509_crt_import (certificate, &list[0], GNUTLS_X509_FMT_DER) < 0)
        return NULL;

    return g_steal_pointer (&certificate);
}

static gchar *
make_printable (const gchar *data, gsize length)
{
    return message_printable (data, length, NAME_SHOWN_LONGEST_BYTES, TRUE);
}

/* Returns: (nullable): a name of a kind that a server can be meant by */
static gchar *
format_name (int type, const gchar *data, gsize length)
{
    gchar address[INET6_ADDRSTRLEN];

    if (type == GNUTLS_SAN_DNSNAME)
        return make_printable (data, length);
    if (type == GNUTLS_SAN_IPADDRESS && length == sizeof (struct in_addr))
        return g_strdup (inet_ntop (AF_INET, data, address, sizeof address));
    if (type == GNUTLS_SAN_IPADDRESS && length == sizeof (struct in6_addr))
        return g_strdup (inet_ntop (AF_INET6, data, address, sizeof address));

    return NULL;
}

static GPtrArray *
certificate_names (Certificate *certificate)
{
    GPtrArray *names = g_ptr_array_new_with_free_func (g_free);
    gchar data[NAME_SHOWN_LONGEST_BYTES + 1];
    int type = 0;

    for (unsigned int i = 0; type != GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE; i++) {
        gsize length = sizeof data;
        gchar *name;

        type = gnutls_x509_crt_get_subject_alt_name (certificate, i, data, &length, NULL);
        name = type >= 0 ? format_name (type, data, length) : NULL;
        if (name)
            g_ptr_array_add (names, name);
        else if (type < 0 && type != GNUTLS_E_SHORT_MEMORY_BUFFER)
            break;
    }

    return names;
}

static gchar *
certificate_common_name (Certificate *certificate)
{
    gchar data[NAME_SHOWN_LONGEST_BYTES + 1];
    gsize length = sizeof data;

    if (gnutls_x509_crt_get_dn_by_oid (certificate, GNUTLS_OID_X520_COMMON_NAME, 0, 0, data, &length) < 0)
        return g_strdup ("no name at all");

    return make_printable (data, length);
}

static gchar *
describe_owner (Certificate *certificate)
{
    g_autoptr (GPtrArray) names = certificate_names (certificate);
    GString *text = g_string_new (NULL);

    if (names->len == 0) {
        g_string_free (text, TRUE);
        return certificate_common_name (certificate);
    }

    for (guint i = 0; i < MIN (names->len, NAMES_SHOWN_MOST); i++)
        g_string_append_printf (text, "%s%s", i > 0 ? ", " : "", (const gchar *) names->pdata[i]);
    if (names->len > NAMES_SHOWN_MOST)
        g_string_append_printf (text, " and %u more", names->len - NAMES_SHOWN_MOST);

    return g_string_free (text, FALSE);
}

static gchar *
describe_issuer (Certificate *certificate)
{
    gnutls_datum_t name = {NULL, 0};
    gchar *text;

    if (gnutls_x509_crt_get_issuer_dn3 (certificate, &name, 0) < 0)
        return g_strdup ("an authority without a name");

    text = make_printable ((const gchar *) name.data, name.size);
    gnutls_free (name.data);

    return text;
}

static gchar *
describe_day (time_t time)
{
    g_autoptr (GDateTime) date = g_date_time_new_from_unix_utc (time);

    return date ? g_date_time_format (date, "%Y-%m-%d") : g_strdup ("a day beyond the calendar");
}

static void
add_expiry (GPtrArray *faults, Certificate *certificate)
{
    time_t end = gnutls_x509_crt_get_expiration_time (certificate);
    g_autofree gchar *day = describe_day (end);

    if (end < time (NULL))
        g_ptr_array_add (faults, g_strdup_printf ("it expired on %s", day));
    else
        g_ptr_array_add (faults, g_strdup ("a certificate of its issuers has expired"));
}

static void
add_activation (GPtrArray *faults, Certificate *certificate)
{
    g_autofree gchar *day = describe_day (gnutls_x509_crt_get_activation_time (certificate));

    g_ptr_array_add (faults, g_strdup_printf ("it is not valid before %s", day));
}

static void
add_signer (GPtrArray *faults, Certificate *certificate)
{
    g_autofree gchar *issuer = describe_issuer (certificate);

    if (gnutls_x509_crt_check_issuer (certificate, certificate))
        g_ptr_array_add (faults, g_strdup ("it is self-signed, which is not trusted"));
    else
        g_ptr_array_add (faults, g_strdup_printf ("it was issued by %s, which is not trusted", issuer));
}

static void
add_owner (GPtrArray *faults, Certificate *certificate, const gchar *server_name)
{
    g_autofree gchar *owner = describe_owner (certificate);

    g_ptr_array_add (faults, g_strdup_printf ("it is for %s, not for %s", owner, server_name));
}

/* What is rare (revoked, weak algorithm, wrong purpose) in the library's words. */
static void
add_others (GPtrArray *faults, guint status)
{
    gnutls_datum_t text = {NULL, 0};

    if ((status & ~(guint) FAULTS_TOLD_HERE) == 0 && faults->len > 0)
        return;
    if (gnutls_certificate_verification_status_print (status, GNUTLS_CRT_X509, &text, 0) < 0)
        return;

    g_ptr_array_add (faults, g_strstrip (make_printable ((const gchar *) text.data, text.size)));
    gnutls_free (text.data);
}

gchar *
smtp_tls_fault_describe (gnutls_session_t session, const gchar *server_name)
{
    guint status = gnutls_session_get_verify_cert_status (session);
    g_autoptr (Certificate) certificate = peer_certificate (session);
    g_autoptr (GPtrArray) faults = g_ptr_array_new_with_free_func (g_free);

    if (!certificate)
        return g_strdup ("the peer sent none that can be read");

    if (status & GNUTLS_CERT_EXPIRED)
        add_expiry (faults, certificate);
    if (status & GNUTLS_CERT_NOT_ACTIVATED)
        add_activation (faults, certificate);
    if (status & GNUTLS_CERT_SIGNER_NOT_FOUND)
        add_signer (faults, certificate);
    if ((status & GNUTLS_CERT_UNEXPECTED_OWNER) && server_name)
        add_owner (faults, certificate, server_name);
    add_others (faults, status);
    g_ptr_array_add (faults, NULL);

    return g_strjoinv ("; ", (gchar **) faults->pdata);
}

SmtpTlsError
smtp_tls_fault_kind (gnutls_session_t session)
{
    guint status = gnutls_session_get_verify_cert_status (session);

    if (status & GNUTLS_CERT_UNEXPECTED_OWNER)
        return SMTP_TLS_ERROR_NAME;
    if (status & (GNUTLS_CERT_EXPIRED | GNUTLS_CERT_NOT_ACTIVATED))
        return SMTP_TLS_ERROR_TIME;
    if (status & GNUTLS_CERT_SIGNER_NOT_FOUND)
        return SMTP_TLS_ERROR_AUTHORITY;

    return SMTP_TLS_ERROR_CERTIFICATE;
}
