/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * TLS credentials and sessions: two streams shake hands in memory, and what goes wrong is told in words.
 */

#include "certificates.h"
#include "smtp/tls-stream.h"
#include "smtp/tls.h"

#include <errno.h>
#include <string.h>

#define DAY_SECONDS (24 * 60 * 60)

typedef struct {
    SmtpTlsStream *stream;
    SmtpOutput wire;
    SmtpTlsStreamStatus status;
    GError *error;
} Side;

typedef struct {
    TestAuthority *authority;
    SmtpTls *server_tls;
    SmtpTls *client_tls;
    Side server;
    Side client;
} Pair;

static void
side_clear (Side *side)
{
    smtp_tls_stream_free (side->stream);
    smtp_output_clear (&side->wire);
    g_clear_error (&side->error);
}

static void
pair_clear (Pair *pair)
{
    side_clear (&pair->server);
    side_clear (&pair->client);
    smtp_tls_unref (pair->server_tls);
    smtp_tls_unref (pair->client_tls);
    test_authority_free (pair->authority);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Pair, pair_clear)

static SmtpTls *
new_server_tls (TestAuthority *authority)
{
    GError *error = NULL;
    SmtpTls *tls = smtp_tls_new_server (test_authority_path (authority, "server.pem"),
                                        test_authority_path (authority, "server.key"), &error);

    g_assert_no_error (error);
    return tls;
}

/* A server with @certificate, a client that trusts the authority and wants @name. */
static void
pair_init (Pair *pair, const TestCertificate *certificate, const gchar *name, gboolean verify)
{
    GError *error = NULL;

    *pair = (Pair){0};
    pair->authority = test_authority_new ();
    test_authority_issue (pair->authority, certificate);
    pair->server_tls = new_server_tls (pair->authority);
    pair->client_tls = smtp_tls_new_client (test_authority_path (pair->authority, "authority.pem"), verify, &error);
    g_assert_no_error (error);
    pair->server.stream = smtp_tls_stream_new (pair->server_tls, NULL, &pair->server.wire, &error);
    g_assert_no_error (error);
    pair->client.stream = smtp_tls_stream_new (pair->client_tls, name, &pair->client.wire, &error);
    g_assert_no_error (error);
}

/* Moves @most bytes of what waits from one side to the other. */
static void
carry (SmtpOutput *from, SmtpTlsStream *to, gsize most)
{
    struct iovec vector;

    if (smtp_output_peek (from, &vector, 1) == 0)
        return;

    vector.iov_len = MIN (vector.iov_len, most);
    smtp_tls_stream_feed (to, vector.iov_base, vector.iov_len);
    smtp_tls_stream_settle (to);
    smtp_output_skip (from, vector.iov_len);
}

static void
side_shake_hands (Side *side)
{
    if (side->status == SMTP_TLS_STREAM_MORE)
        side->status = smtp_tls_stream_handshake (side->stream, &side->error);
}

static void
shake_hands (Pair *pair, gsize step)
{
    side_shake_hands (&pair->client);
    while (pair->client.wire.length > 0 || pair->server.wire.length > 0) {
        carry (&pair->client.wire, pair->server.stream, step);
        side_shake_hands (&pair->server);
        carry (&pair->server.wire, pair->client.stream, step);
        side_shake_hands (&pair->client);
    }
}

static const TestCertificate good = {"server", "mx.example.org", "192.0.2.7", -DAY_SECONDS / 2, DAY_SECONDS, FALSE};

static void
assert_accepted (const TestCertificate *certificate, const gchar *name, gboolean verify)
{
    g_auto (Pair) pair;

    pair_init (&pair, certificate, name, verify);
    shake_hands (&pair, G_MAXSIZE);
    g_assert_no_error (pair.client.error);
    g_assert_no_error (pair.server.error);
    g_assert_cmpint (pair.client.status, ==, SMTP_TLS_STREAM_DONE);
    g_assert_cmpint (pair.server.status, ==, SMTP_TLS_STREAM_DONE);
    g_assert_cmpstr (smtp_tls_stream_description (pair.client.stream), ==,
                     smtp_tls_stream_description (pair.server.stream));
    g_assert_true (g_str_has_prefix (smtp_tls_stream_description (pair.client.stream), "TLS1.3 TLS_"));
}

static void
assert_refused (const TestCertificate *certificate, const gchar *name, SmtpTlsError code, const gchar *words)
{
    g_auto (Pair) pair;

    pair_init (&pair, certificate, name, TRUE);
    shake_hands (&pair, G_MAXSIZE);
    g_assert_error (pair.client.error, SMTP_TLS_ERROR, (gint) code);
    g_test_message ("%s", pair.client.error->message);
    g_assert_nonnull (strstr (pair.client.error->message, words));
}

static void
test_accepts_the_right_name (void)
{
    assert_accepted (&good, "mx.example.org", TRUE);
}

static void
test_a_final_dot_is_no_part_of_the_name (void)
{
    assert_accepted (&good, "mx.example.org.", TRUE);
}

static void
test_accepts_the_right_address (void)
{
    assert_accepted (&good, "192.0.2.7", TRUE);
}

static void
test_refuses_another_name (void)
{
    assert_refused (&good, "smtp.example.net", SMTP_TLS_ERROR_NAME,
                    "it is for mx.example.org, 192.0.2.7, not for smtp.example.net");
}

static void
test_refuses_another_address (void)
{
    assert_refused (&good, "192.0.2.8", SMTP_TLS_ERROR_NAME, "not for 192.0.2.8");
}

static void
test_refuses_an_expired_certificate (void)
{
    TestCertificate expired = good;

    expired.ends_in_seconds = -DAY_SECONDS / 4;
    assert_refused (&expired, "mx.example.org", SMTP_TLS_ERROR_TIME, "it expired on ");
}

static void
test_refuses_a_certificate_of_the_future (void)
{
    TestCertificate early = good;

    early.starts_in_seconds = DAY_SECONDS / 2;
    assert_refused (&early, "mx.example.org", SMTP_TLS_ERROR_TIME, "it is not valid before ");
}

static void
test_refuses_a_self_signed_certificate (void)
{
    TestCertificate lonely = good;

    lonely.self_signed = TRUE;
    assert_refused (&lonely, "mx.example.org", SMTP_TLS_ERROR_AUTHORITY, "self-signed, which is not trusted");
}

static void
test_refuses_an_unknown_authority (void)
{
    g_auto (Pair) pair;
    g_autoptr (TestAuthority) other = test_authority_new ();
    GError *error = NULL;

    pair_init (&pair, &good, "mx.example.org", TRUE);
    smtp_tls_stream_free (pair.client.stream);
    smtp_tls_unref (pair.client_tls);
    pair.client_tls = smtp_tls_new_client (test_authority_path (other, "authority.pem"), TRUE, &error);
    g_assert_no_error (error);
    pair.client.stream = smtp_tls_stream_new (pair.client_tls, "mx.example.org", &pair.client.wire, &error);
    g_assert_no_error (error);

    shake_hands (&pair, G_MAXSIZE);
    g_assert_error (pair.client.error, SMTP_TLS_ERROR, SMTP_TLS_ERROR_AUTHORITY);
    g_assert_nonnull (strstr (pair.client.error->message, "issued by CN=authority of postern-test-"));
    g_assert_nonnull (strstr (pair.client.error->message, ", which is not trusted"));
}

static void
test_tells_all_faults (void)
{
    TestCertificate bad = good;

    bad.self_signed = TRUE;
    assert_refused (&bad, "smtp.example.net", SMTP_TLS_ERROR_NAME, "not trusted; it is for mx.example.org");
}

static void
test_the_refused_server_is_told (void)
{
    g_auto (Pair) pair;

    pair_init (&pair, &good, "smtp.example.net", TRUE);
    shake_hands (&pair, G_MAXSIZE);
    if (pair.server.status != SMTP_TLS_STREAM_FAILED) {
        gnutls_packet_t packet;

        /* With TLS 1.3 the server may be done before it hears of it. */
        pair.server.status = smtp_tls_stream_read (pair.server.stream, &packet, &pair.server.error);
    }
    g_assert_cmpint (pair.server.status, ==, SMTP_TLS_STREAM_FAILED);
    g_test_message ("%s", pair.server.error->message);
}

static void
test_without_verification_any_certificate_will_do (void)
{
    TestCertificate bad = good;

    bad.self_signed = TRUE;
    bad.ends_in_seconds = -60;
    assert_accepted (&bad, "smtp.example.net", FALSE);
    assert_accepted (&bad, NULL, FALSE);
}

static void
test_verification_needs_a_name (void)
{
    g_autoptr (TestAuthority) authority = test_authority_new ();
    g_autoptr (SmtpTls) tls = smtp_tls_new_client (test_authority_path (authority, "authority.pem"), TRUE, NULL);
    SmtpOutput wire = {0};
    g_autoptr (GError) error = NULL;

    g_assert_null (smtp_tls_stream_new (tls, NULL, &wire, &error));
    g_assert_error (error, SMTP_TLS_ERROR, SMTP_TLS_ERROR_SETUP);
}

static void
test_handshake_survives_any_fragmentation (void)
{
    static const gsize steps[] = {1, 2, 5, 100};

    for (guint i = 0; i < G_N_ELEMENTS (steps); i++) {
        g_auto (Pair) pair;

        pair_init (&pair, &good, "mx.example.org", TRUE);
        shake_hands (&pair, steps[i]);
        g_assert_cmpint (pair.client.status, ==, SMTP_TLS_STREAM_DONE);
        g_assert_cmpint (pair.server.status, ==, SMTP_TLS_STREAM_DONE);
    }
}

static void
test_plain_text_is_no_handshake (void)
{
    g_auto (Pair) pair;
    static const gchar *greeting = "220 mx.example.org ESMTP\r\n";

    pair_init (&pair, &good, "mx.example.org", TRUE);
    smtp_tls_stream_feed (pair.client.stream, greeting, strlen (greeting));
    g_assert_cmpint (smtp_tls_stream_handshake (pair.client.stream, &pair.client.error), ==, SMTP_TLS_STREAM_FAILED);
    g_assert_error (pair.client.error, SMTP_TLS_ERROR, SMTP_TLS_ERROR_HANDSHAKE);
    g_test_message ("%s", pair.client.error->message);
    g_assert_nonnull (strstr (pair.client.error->message, "no TLS that is understood here"));
}

static void
test_an_end_in_the_handshake_is_told (void)
{
    g_auto (Pair) pair;

    pair_init (&pair, &good, "mx.example.org", TRUE);
    g_assert_cmpint (smtp_tls_stream_handshake (pair.client.stream, &pair.client.error), ==, SMTP_TLS_STREAM_MORE);
    smtp_tls_stream_feed_end (pair.client.stream);
    g_assert_cmpint (smtp_tls_stream_handshake (pair.client.stream, &pair.client.error), ==, SMTP_TLS_STREAM_FAILED);
    g_assert_error (pair.client.error, SMTP_TLS_ERROR, SMTP_TLS_ERROR_HANDSHAKE);
    g_assert_nonnull (strstr (pair.client.error->message, "closed the connection during the TLS handshake"));
}

/* A session of the library's own, over memory, for what our streams never do. */
typedef struct {
    gnutls_certificate_credentials_t credentials;
    gnutls_session_t session;
    SmtpOutput wire;
    SmtpOutput input;
} Raw;

static ssize_t
raw_push (gnutls_transport_ptr_t pointer, const void *data, size_t length)
{
    smtp_output_append (&((Raw *) pointer)->wire, data, length);
    return (ssize_t) length;
}

static ssize_t
raw_pull (gnutls_transport_ptr_t pointer, void *data, size_t length)
{
    Raw *raw = pointer;
    struct iovec vector;

    if (smtp_output_peek (&raw->input, &vector, 1) == 0) {
        gnutls_transport_set_errno (raw->session, EAGAIN);
        return -1;
    }

    length = MIN (length, vector.iov_len);
    memcpy (data, vector.iov_base, length);
    smtp_output_skip (&raw->input, length);
    return (ssize_t) length;
}

static void
raw_init (Raw *raw, guint flags, const gchar *priority)
{
    *raw = (Raw){0};
    gnutls_certificate_allocate_credentials (&raw->credentials);
    gnutls_init (&raw->session, flags | GNUTLS_NONBLOCK);
    g_assert_cmpint (gnutls_priority_set_direct (raw->session, priority, NULL), ==, 0);
    gnutls_credentials_set (raw->session, GNUTLS_CRD_CERTIFICATE, raw->credentials);
    gnutls_transport_set_ptr (raw->session, raw);
    gnutls_transport_set_push_function (raw->session, raw_push);
    gnutls_transport_set_pull_function (raw->session, raw_pull);
}

static void
raw_clear (Raw *raw)
{
    gnutls_deinit (raw->session);
    gnutls_certificate_free_credentials (raw->credentials);
    smtp_output_clear (&raw->wire);
    smtp_output_clear (&raw->input);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Raw, raw_clear)

static void
raw_carry (SmtpOutput *from, SmtpOutput *to)
{
    struct iovec vector;

    while (smtp_output_peek (from, &vector, 1) > 0) {
        smtp_output_append (to, vector.iov_base, vector.iov_len);
        smtp_output_skip (from, vector.iov_len);
    }
}

static void
raw_shake_hands (Raw *raw, Side *side)
{
    int result = GNUTLS_E_AGAIN;

    while (result != 0 || side->status == SMTP_TLS_STREAM_MORE) {
        if (result != 0)
            result = gnutls_handshake (raw->session);
        g_assert_true (result == 0 || result == GNUTLS_E_AGAIN);
        carry (&raw->wire, side->stream, G_MAXSIZE);
        side_shake_hands (side);
        g_assert_no_error (side->error);
        raw_carry (&side->wire, &raw->input);
    }
}

static void
test_another_handshake_is_refused (void)
{
    g_auto (Pair) pair;
    g_auto (Raw) raw;
    gnutls_packet_t packet;

    pair_init (&pair, &good, NULL, FALSE);
    raw_init (&raw, GNUTLS_CLIENT, "NORMAL:-VERS-ALL:+VERS-TLS1.2");
    raw_shake_hands (&raw, &pair.server);
    g_assert_cmpint (gnutls_handshake (raw.session), ==, GNUTLS_E_AGAIN);
    carry (&raw.wire, pair.server.stream, G_MAXSIZE);

    g_assert_cmpint (smtp_tls_stream_read (pair.server.stream, &packet, &pair.server.error), ==,
                     SMTP_TLS_STREAM_FAILED);
    g_assert_nonnull (strstr (pair.server.error->message, "another handshake, which is refused"));
}

/* A server sends its tickets, and in the same segment its greeting. */
static void
test_what_follows_a_session_ticket_is_read (void)
{
    g_auto (Pair) pair;
    g_auto (Raw) raw;
    gnutls_datum_t ticket_key;
    gnutls_packet_t packet;
    gnutls_datum_t data;

    pair_init (&pair, &good, NULL, FALSE);
    raw_init (&raw, GNUTLS_SERVER, "NORMAL:-VERS-ALL:+VERS-TLS1.3");
    g_assert_cmpint (gnutls_certificate_set_x509_key_file (
                         raw.credentials, test_authority_path (pair.authority, "server.pem"),
                         test_authority_path (pair.authority, "server.key"), GNUTLS_X509_FMT_PEM),
                     >=, 0);
    gnutls_session_ticket_key_generate (&ticket_key);
    gnutls_session_ticket_enable_server (raw.session, &ticket_key);

    /* The server is done with the client's last flight, which makes it send its tickets. */
    side_shake_hands (&pair.client);
    raw_carry (&pair.client.wire, &raw.input);
    g_assert_cmpint (gnutls_handshake (raw.session), ==, GNUTLS_E_AGAIN);
    carry (&raw.wire, pair.client.stream, G_MAXSIZE);
    side_shake_hands (&pair.client);
    g_assert_cmpint (pair.client.status, ==, SMTP_TLS_STREAM_DONE);
    raw_carry (&pair.client.wire, &raw.input);
    g_assert_cmpint (gnutls_handshake (raw.session), ==, 0);
    g_assert_cmpint (gnutls_session_ticket_send (raw.session, 1, 0), ==, 0);
    g_assert_cmpuint (raw.wire.length, >, 0);
    g_assert_cmpint (gnutls_record_send (raw.session, "220 hi\r\n", 8), ==, 8);

    carry (&raw.wire, pair.client.stream, G_MAXSIZE);
    g_assert_cmpint (smtp_tls_stream_read (pair.client.stream, &packet, &pair.client.error), ==,
                     SMTP_TLS_STREAM_DONE);
    gnutls_packet_get (packet, &data, NULL);
    g_assert_cmpuint (data.size, ==, 8);
    gnutls_packet_deinit (packet);
    gnutls_free (ticket_key.data);
}

/* What the server does with a client that knows nothing but @version. */
static SmtpTlsStreamStatus
answer_to_hello (const gchar *version)
{
    g_autofree gchar *priority = g_strdup_printf ("NORMAL:-VERS-ALL:+VERS-%s:+SHA1:+SIGN-ALL", version);
    g_auto (Pair) pair;
    g_auto (Raw) raw;

    pair_init (&pair, &good, NULL, FALSE);
    raw_init (&raw, GNUTLS_CLIENT, priority);
    g_assert_cmpint (gnutls_handshake (raw.session), ==, GNUTLS_E_AGAIN);
    carry (&raw.wire, pair.server.stream, G_MAXSIZE);

    return smtp_tls_stream_handshake (pair.server.stream, &pair.server.error);
}

static void
test_old_versions_are_refused (void)
{
    g_assert_cmpint (answer_to_hello ("TLS1.0"), ==, SMTP_TLS_STREAM_FAILED);
    g_assert_cmpint (answer_to_hello ("TLS1.1"), ==, SMTP_TLS_STREAM_FAILED);
    g_assert_cmpint (answer_to_hello ("TLS1.2"), ==, SMTP_TLS_STREAM_MORE);
    g_assert_cmpint (answer_to_hello ("TLS1.3"), ==, SMTP_TLS_STREAM_MORE);
}

/* Pieces of all sizes go in, and what comes out is in full records and the same. */
static void
test_output_leaves_in_full_records (void)
{
    g_auto (Pair) pair;
    SmtpOutput plain = {0};
    g_autoptr (GString) expected = g_string_new (NULL);
    gsize received = 0;
    guint records = 0;

    pair_init (&pair, &good, NULL, FALSE);
    shake_hands (&pair, G_MAXSIZE);
    for (guint i = 0; i < 40; i++) {
        g_autofree gchar *piece = g_strnfill (1 + i * 100, (gchar) ('a' + i % 26));
        g_autoptr (GBytes) bytes = g_bytes_new (piece, strlen (piece));

        g_string_append (expected, piece);
        smtp_output_append_bytes (&plain, bytes);
    }

    g_assert_true (smtp_tls_stream_write (pair.client.stream, &plain, NULL));
    g_assert_cmpuint (plain.length, ==, 0);
    while (pair.client.wire.length > 0) {
        gnutls_packet_t packet;

        carry (&pair.client.wire, pair.server.stream, 1000);
        while (smtp_tls_stream_read (pair.server.stream, &packet, NULL) == SMTP_TLS_STREAM_DONE) {
            gnutls_datum_t data;

            gnutls_packet_get (packet, &data, NULL);
            g_assert_cmpmem (data.data, data.size, expected->str + received, data.size);
            received += data.size;
            records++;
            gnutls_packet_deinit (packet);
        }
    }
    g_assert_cmpuint (received, ==, expected->len);
    g_assert_cmpuint (records, <=, expected->len / 16384 + 2);
}

static void
test_encrypts_no_more_than_may_wait (void)
{
    g_auto (Pair) pair;
    SmtpOutput plain = {0};
    g_autoptr (GBytes) message = g_bytes_new_take (g_malloc0 (10 * 1024 * 1024), 10 * 1024 * 1024);

    pair_init (&pair, &good, NULL, FALSE);
    shake_hands (&pair, G_MAXSIZE);
    smtp_output_append_bytes (&plain, message);
    g_assert_true (smtp_tls_stream_write (pair.client.stream, &plain, NULL));
    g_assert_cmpuint (pair.client.wire.length, <=, 256 * 1024);
    g_assert_cmpuint (plain.length, >, 9 * 1024 * 1024);
    smtp_output_clear (&plain);
}

static void
assert_ends_closed (gboolean with_goodbye)
{
    g_auto (Pair) pair;
    gnutls_packet_t packet;

    pair_init (&pair, &good, NULL, FALSE);
    shake_hands (&pair, G_MAXSIZE);
    if (with_goodbye)
        smtp_tls_stream_bye (pair.client.stream);
    else
        smtp_tls_stream_feed_end (pair.server.stream);
    carry (&pair.client.wire, pair.server.stream, G_MAXSIZE);
    g_assert_cmpint (smtp_tls_stream_read (pair.server.stream, &packet, &pair.server.error), ==,
                     SMTP_TLS_STREAM_CLOSED);
    g_assert_no_error (pair.server.error);
}

static void
test_goodbye_closes (void)
{
    assert_ends_closed (TRUE);
}

static void
test_end_without_goodbye_closes_too (void)
{
    assert_ends_closed (FALSE);
}

static void
test_damaged_records_fail (void)
{
    g_auto (Pair) pair;
    SmtpOutput plain = {0};
    gnutls_packet_t packet;
    struct iovec vector;

    pair_init (&pair, &good, NULL, FALSE);
    shake_hands (&pair, G_MAXSIZE);
    smtp_output_append (&plain, "NOOP\r\n", 6);
    smtp_tls_stream_write (pair.client.stream, &plain, NULL);
    smtp_output_peek (&pair.client.wire, &vector, 1);
    ((gchar *) vector.iov_base)[vector.iov_len - 1] ^= 1;
    carry (&pair.client.wire, pair.server.stream, G_MAXSIZE);
    g_assert_cmpint (smtp_tls_stream_read (pair.server.stream, &packet, &pair.server.error), ==,
                     SMTP_TLS_STREAM_FAILED);
    g_assert_error (pair.server.error, SMTP_TLS_ERROR, SMTP_TLS_ERROR_HANDSHAKE);
}

static void
assert_setup_error (SmtpTls *tls, GError **error, const gchar *words)
{
    g_assert_null (tls);
    g_assert_error (*error, SMTP_TLS_ERROR, SMTP_TLS_ERROR_SETUP);
    g_test_message ("%s", (*error)->message);
    g_assert_nonnull (strstr ((*error)->message, words));
    g_clear_error (error);
}

static void
test_missing_files_are_named (void)
{
    GError *error = NULL;
    SmtpTls *tls = smtp_tls_new_client ("/nonexistent/authorities.pem", TRUE, &error);

    assert_setup_error (tls, &error, "/nonexistent/authorities.pem");
    tls = smtp_tls_new_server ("/nonexistent/server.pem", "/nonexistent/server.key", &error);
    assert_setup_error (tls, &error, "/nonexistent/server.pem");
}

static void
test_files_of_the_wrong_kind_are_named (void)
{
    g_autoptr (TestAuthority) authority = test_authority_new ();
    const gchar *text = test_authority_write (authority, "notes.txt", "no certificate\n");
    GError *error = NULL;

    test_authority_issue (authority, &good);
    assert_setup_error (smtp_tls_new_client (text, TRUE, &error), &error, "notes.txt has no certificate");
    assert_setup_error (smtp_tls_new_server (text, test_authority_path (authority, "server.key"), &error), &error,
                        "notes.txt has no certificate");
    assert_setup_error (smtp_tls_new_server (test_authority_path (authority, "server.pem"), text, &error), &error,
                        "notes.txt has no private key");
}

static void
test_a_key_for_another_certificate_is_named (void)
{
    g_autoptr (TestAuthority) authority = test_authority_new ();
    TestCertificate other = good;
    GError *error = NULL;

    other.stem = "other";
    test_authority_issue (authority, &good);
    test_authority_issue (authority, &other);
    assert_setup_error (smtp_tls_new_server (test_authority_path (authority, "server.pem"),
                                             test_authority_path (authority, "other.key"), &error),
                        &error, "other.key does not belong to");
}

int
main (int argc, char *argv[])
{
    g_test_init (&argc, &argv, NULL);

    g_test_add_func ("/smtp/tls/accepts-the-right-name", test_accepts_the_right_name);
    g_test_add_func ("/smtp/tls/a-final-dot-is-no-part-of-the-name", test_a_final_dot_is_no_part_of_the_name);
    g_test_add_func ("/smtp/tls/accepts-the-right-address", test_accepts_the_right_address);
    g_test_add_func ("/smtp/tls/refuses-another-name", test_refuses_another_name);
    g_test_add_func ("/smtp/tls/refuses-another-address", test_refuses_another_address);
    g_test_add_func ("/smtp/tls/refuses-an-expired-certificate", test_refuses_an_expired_certificate);
    g_test_add_func ("/smtp/tls/refuses-a-certificate-of-the-future", test_refuses_a_certificate_of_the_future);
    g_test_add_func ("/smtp/tls/refuses-a-self-signed-certificate", test_refuses_a_self_signed_certificate);
    g_test_add_func ("/smtp/tls/refuses-an-unknown-authority", test_refuses_an_unknown_authority);
    g_test_add_func ("/smtp/tls/tells-all-faults", test_tells_all_faults);
    g_test_add_func ("/smtp/tls/the-refused-server-is-told", test_the_refused_server_is_told);
    g_test_add_func ("/smtp/tls/without-verification-any-certificate-will-do",
                     test_without_verification_any_certificate_will_do);
    g_test_add_func ("/smtp/tls/verification-needs-a-name", test_verification_needs_a_name);
    g_test_add_func ("/smtp/tls/handshake-survives-any-fragmentation", test_handshake_survives_any_fragmentation);
    g_test_add_func ("/smtp/tls/plain-text-is-no-handshake", test_plain_text_is_no_handshake);
    g_test_add_func ("/smtp/tls/an-end-in-the-handshake-is-told", test_an_end_in_the_handshake_is_told);
    g_test_add_func ("/smtp/tls/old-versions-are-refused", test_old_versions_are_refused);
    g_test_add_func ("/smtp/tls/another-handshake-is-refused", test_another_handshake_is_refused);
    g_test_add_func ("/smtp/tls/what-follows-a-session-ticket-is-read", test_what_follows_a_session_ticket_is_read);
    g_test_add_func ("/smtp/tls/output-leaves-in-full-records", test_output_leaves_in_full_records);
    g_test_add_func ("/smtp/tls/encrypts-no-more-than-may-wait", test_encrypts_no_more_than_may_wait);
    g_test_add_func ("/smtp/tls/goodbye-closes", test_goodbye_closes);
    g_test_add_func ("/smtp/tls/end-without-goodbye-closes-too", test_end_without_goodbye_closes_too);
    g_test_add_func ("/smtp/tls/damaged-records-fail", test_damaged_records_fail);
    g_test_add_func ("/smtp/tls/missing-files-are-named", test_missing_files_are_named);
    g_test_add_func ("/smtp/tls/files-of-the-wrong-kind-are-named", test_files_of_the_wrong_kind_are_named);
    g_test_add_func ("/smtp/tls/a-key-for-another-certificate-is-named", test_a_key_for_another_certificate_is_named);

    return g_test_run ();
}
