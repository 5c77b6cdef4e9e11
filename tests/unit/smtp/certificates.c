/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Certificates for tests
 *
 * Made anew for each run, because certificates that lie in a repository expire. Keys are elliptic curve keys, which
 * are made in no time.
 */

#include "certificates.h"

#include <arpa/inet.h>
#include <glib/gstdio.h>
#include <gnutls/x509.h>
#include <string.h>

#define AUTHORITY_LIFETIME_SECONDS (24 * 60 * 60)

struct _TestAuthority {
    gchar *folder;
    GPtrArray *paths; /* of files that were asked for or written */
    gnutls_x509_privkey_t key;
    gnutls_x509_crt_t certificate;
    guint8 serial;
};

const gchar *
test_authority_path (TestAuthority *authority, const gchar *file)
{
    gchar *path = g_build_filename (authority->folder, file, NULL);

    g_ptr_array_add (authority->paths, path);
    return path;
}

const gchar *
test_authority_write (TestAuthority *authority, const gchar *file, const gchar *text)
{
    const gchar *path = test_authority_path (authority, file);

    g_assert_true (g_file_set_contents (path, text, -1, NULL));
    return path;
}

static void
write_certificate (TestAuthority *authority, const gchar *stem, gnutls_x509_crt_t certificate)
{
    g_autofree gchar *file = g_strconcat (stem, ".pem", NULL);
    gnutls_datum_t pem;

    g_assert_cmpint (gnutls_x509_crt_export2 (certificate, GNUTLS_X509_FMT_PEM, &pem), ==, 0);
    test_authority_write (authority, file, (const gchar *) pem.data);
    gnutls_free (pem.data);
}

static void
write_key (TestAuthority *authority, const gchar *stem, gnutls_x509_privkey_t key)
{
    g_autofree gchar *file = g_strconcat (stem, ".key", NULL);
    gnutls_datum_t pem;

    g_assert_cmpint (gnutls_x509_privkey_export2 (key, GNUTLS_X509_FMT_PEM, &pem), ==, 0);
    test_authority_write (authority, file, (const gchar *) pem.data);
    gnutls_free (pem.data);
}

static gnutls_x509_privkey_t
new_key (void)
{
    gnutls_x509_privkey_t key;

    g_assert_cmpint (gnutls_x509_privkey_init (&key), ==, 0);
    g_assert_cmpint (
        gnutls_x509_privkey_generate (key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS (GNUTLS_ECC_CURVE_SECP256R1), 0), ==,
        0);
    return key;
}

static gnutls_x509_crt_t
new_certificate (TestAuthority *authority, gnutls_x509_privkey_t key, const gchar *subject, gint starts, gint ends)
{
    gnutls_x509_crt_t certificate;
    time_t now = time (NULL);

    authority->serial++;
    g_assert_cmpint (gnutls_x509_crt_init (&certificate), ==, 0);
    g_assert_cmpint (gnutls_x509_crt_set_version (certificate, 3), ==, 0);
    g_assert_cmpint (gnutls_x509_crt_set_serial (certificate, &authority->serial, 1), ==, 0);
    g_assert_cmpint (gnutls_x509_crt_set_activation_time (certificate, now + starts), ==, 0);
    g_assert_cmpint (gnutls_x509_crt_set_expiration_time (certificate, now + ends), ==, 0);
    g_assert_cmpint (gnutls_x509_crt_set_dn (certificate, subject, NULL), ==, 0);
    g_assert_cmpint (gnutls_x509_crt_set_key (certificate, key), ==, 0);

    return certificate;
}

TestAuthority *
test_authority_new (void)
{
    TestAuthority *authority = g_new0 (TestAuthority, 1);
    g_autofree gchar *subject = NULL;
    g_autofree gchar *unique = NULL;

    g_assert_cmpint (gnutls_global_init (), ==, 0);
    authority->folder = g_dir_make_tmp ("postern-test-XXXXXX", NULL);
    g_assert_nonnull (authority->folder);
    unique = g_path_get_basename (authority->folder);
    subject = g_strconcat ("CN=authority of ", unique, NULL);
    authority->paths = g_ptr_array_new_with_free_func (g_free);
    authority->key = new_key ();
    authority->certificate =
        new_certificate (authority, authority->key, subject, -AUTHORITY_LIFETIME_SECONDS, AUTHORITY_LIFETIME_SECONDS);
    gnutls_x509_crt_set_basic_constraints (authority->certificate, 1, -1);
    gnutls_x509_crt_set_key_usage (authority->certificate, GNUTLS_KEY_KEY_CERT_SIGN);
    g_assert_cmpint (
        gnutls_x509_crt_sign2 (authority->certificate, authority->certificate, authority->key, GNUTLS_DIG_SHA256, 0),
        ==, 0);
    write_certificate (authority, "authority", authority->certificate);

    return authority;
}

void
test_authority_free (TestAuthority *authority)
{
    for (guint i = 0; i < authority->paths->len; i++)
        g_unlink (authority->paths->pdata[i]);
    g_rmdir (authority->folder);
    g_ptr_array_unref (authority->paths);
    gnutls_x509_crt_deinit (authority->certificate);
    gnutls_x509_privkey_deinit (authority->key);
    gnutls_global_deinit ();
    g_free (authority->folder);
    g_free (authority);
}

static void
add_names (gnutls_x509_crt_t certificate, const TestCertificate *wanted)
{
    struct in_addr address;

    if (wanted->name)
        gnutls_x509_crt_set_subject_alt_name (certificate, GNUTLS_SAN_DNSNAME, wanted->name,
                                              (unsigned int) strlen (wanted->name), GNUTLS_FSAN_APPEND);
    if (wanted->address) {
        g_assert_cmpint (inet_pton (AF_INET, wanted->address, &address), ==, 1);
        gnutls_x509_crt_set_subject_alt_name (certificate, GNUTLS_SAN_IPADDRESS, &address, sizeof address,
                                              GNUTLS_FSAN_APPEND);
    }
}

void
test_authority_issue (TestAuthority *authority, const TestCertificate *wanted)
{
    gnutls_x509_privkey_t key = new_key ();
    gnutls_x509_crt_t certificate =
        new_certificate (authority, key, "CN=test server", wanted->starts_in_seconds, wanted->ends_in_seconds);

    add_names (certificate, wanted);
    gnutls_x509_crt_set_key_usage (certificate, GNUTLS_KEY_DIGITAL_SIGNATURE);
    gnutls_x509_crt_set_key_purpose_oid (certificate, GNUTLS_KP_TLS_WWW_SERVER, 0);
    g_assert_cmpint (gnutls_x509_crt_sign2 (certificate, wanted->self_signed ? certificate : authority->certificate,
                                            wanted->self_signed ? key : authority->key, GNUTLS_DIG_SHA256, 0),
                     ==, 0);
    write_certificate (authority, wanted->stem, certificate);
    write_key (authority, wanted->stem, key);
    gnutls_x509_crt_deinit (certificate);
    gnutls_x509_privkey_deinit (key);
}
