/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * A TLS session without a socket
 *
 * GnuTLS would read a record in two system calls and write each record in one. Here it reads from what the channel
 * received in one large read, and its records gather in the channel's output, so that a whole flight of the
 * handshake, or a whole message, leaves together. Since writing into memory never blocks, no call of GnuTLS has to
 * be repeated with the same buffer.
 *
 * Records are full: small pieces are put together before they are encrypted. How much waits encrypted is bounded,
 * because what the peer does not take should wait where it is not copied.
 *
 * A peer that asks for another handshake within the session (TLS 1.2 renegotiation) is refused by ending the
 * session. Nobody needs it for SMTP, and it has been a source of attacks.
 */

#include "smtp/tls-stream.h"

#include <errno.h>
#include <string.h>

/* The largest plaintext of one record (RFC 8446 5.1). */
#define RECORD_LARGEST_BYTES 16384

/* Encrypted bytes that may wait: more than a socket takes at once, little enough for each of many slow peers. */
#define WIRE_MOST_BYTES (128 * 1024)

/* So many pieces fill a record unless they are tiny, and then the tail has put them together. */
#define RECORD_PIECES 8

struct _SmtpTlsStream {
    SmtpTls *tls;
    gchar *server_name;
    gnutls_session_t session;
    SmtpOutput *wire;
    gchar *description;

    const gchar *input; /* not yet read by GnuTLS: the caller's, or in kept */
    gsize input_length;
    gboolean input_ended;
    GByteArray *kept; /* (nullable) */
};

static ssize_t
stream_pull (gnutls_transport_ptr_t pointer, void *buffer, size_t size)
{
    SmtpTlsStream *stream = pointer;
    gsize length = MIN (size, stream->input_length);

    if (length == 0) {
        if (stream->input_ended)
            return 0;
        gnutls_transport_set_errno (stream->session, EAGAIN);
        return -1;
    }

    memcpy (buffer, stream->input, length);
    stream->input += length;
    stream->input_length -= length;

    return (ssize_t) length;
}

/* GnuTLS does not ask in a non-blocking session, but wants the function. */
static int
stream_pull_timeout (gnutls_transport_ptr_t pointer, unsigned int milliseconds)
{
    const SmtpTlsStream *stream = pointer;

    return stream->input_length > 0 || stream->input_ended;
}

static ssize_t
stream_push (gnutls_transport_ptr_t pointer, const giovec_t *vectors, int n_vectors)
{
    SmtpTlsStream *stream = pointer;
    gsize length = 0;

    for (int i = 0; i < n_vectors; i++) {
        smtp_output_append (stream->wire, vectors[i].iov_base, vectors[i].iov_len);
        length += vectors[i].iov_len;
    }

    return (ssize_t) length;
}

/* A name in the DNS may end with a dot, one in a certificate never does (RFC 6066 3 for SNI). */
static gchar *
normalize_name (const gchar *name)
{
    return name && g_str_has_suffix (name, ".") ? g_strndup (name, strlen (name) - 1) : g_strdup (name);
}

SmtpTlsStream *
smtp_tls_stream_new (SmtpTls *tls, const gchar *server_name, SmtpOutput *wire, GError **error)
{
    g_autoptr (SmtpTlsStream) stream = g_new0 (SmtpTlsStream, 1);

    stream->tls = smtp_tls_ref (tls);
    stream->wire = wire;
    stream->server_name = normalize_name (server_name);
    stream->session = smtp_tls_session (tls, stream->server_name, error);
    if (!stream->session)
        return NULL;

    gnutls_transport_set_ptr (stream->session, stream);
    gnutls_transport_set_pull_function (stream->session, stream_pull);
    gnutls_transport_set_pull_timeout_function (stream->session, stream_pull_timeout);
    gnutls_transport_set_vec_push_function (stream->session, stream_push);

    return g_steal_pointer (&stream);
}

void
smtp_tls_stream_free (SmtpTlsStream *stream)
{
    if (!stream)
        return;

    g_clear_pointer (&stream->session, gnutls_deinit);
    smtp_tls_unref (stream->tls);
    if (stream->kept)
        g_byte_array_unref (stream->kept);
    g_free (stream->server_name);
    g_free (stream->description);
    g_free (stream);
}

void
smtp_tls_stream_feed (SmtpTlsStream *stream, const gchar *data, gsize length)
{
    if (!stream->kept) {
        stream->input = data;
        stream->input_length = length;
        return;
    }

    g_byte_array_remove_range (stream->kept, 0, stream->kept->len - (guint) stream->input_length);
    g_byte_array_append (stream->kept, (const guint8 *) data, (guint) length);
    stream->input = (const gchar *) stream->kept->data;
    stream->input_length = stream->kept->len;
}

void
smtp_tls_stream_feed_end (SmtpTlsStream *stream)
{
    stream->input_ended = TRUE;
}

void
smtp_tls_stream_settle (SmtpTlsStream *stream)
{
    GByteArray *rest = NULL;

    if (stream->input_length > 0) {
        rest = g_byte_array_sized_new ((guint) stream->input_length);
        g_byte_array_append (rest, (const guint8 *) stream->input, (guint) stream->input_length);
    }
    if (stream->kept)
        g_byte_array_unref (stream->kept);

    stream->kept = rest;
    stream->input = rest ? (const gchar *) rest->data : NULL;
}

SmtpTlsStreamStatus
smtp_tls_stream_handshake (SmtpTlsStream *stream, GError **error)
{
    int result;

    do
        result = gnutls_handshake (stream->session);
    while (result == GNUTLS_E_WARNING_ALERT_RECEIVED || result == GNUTLS_E_INTERRUPTED);

    if (result == GNUTLS_E_SUCCESS)
        return SMTP_TLS_STREAM_DONE;
    if (result == GNUTLS_E_AGAIN)
        return SMTP_TLS_STREAM_MORE;

    g_propagate_error (error, smtp_tls_handshake_error (stream->session, stream->server_name, result));
    gnutls_alert_send_appropriate (stream->session, result);

    return SMTP_TLS_STREAM_FAILED;
}

static SmtpTlsStreamStatus
stream_fail (SmtpTlsStream *stream, gssize result, GError **error)
{
    const gchar *words = gnutls_strerror ((int) result);

    if (result == GNUTLS_E_REHANDSHAKE)
        words = "the peer asked for another handshake, which is refused";
    else if (result == GNUTLS_E_FATAL_ALERT_RECEIVED)
        words = gnutls_alert_get_name (gnutls_alert_get (stream->session));

    g_set_error (error, SMTP_TLS_ERROR, SMTP_TLS_ERROR_HANDSHAKE, "the TLS connection failed: %s", words);

    return SMTP_TLS_STREAM_FAILED;
}

SmtpTlsStreamStatus
smtp_tls_stream_read (SmtpTlsStream *stream, gnutls_packet_t *packet, GError **error)
{
    gsize before;
    gssize result;

    /* After a message of TLS itself (a session ticket of TLS 1.3) GnuTLS says "again" though more has come. */
    do {
        before = stream->input_length;
        result = gnutls_record_recv_packet (stream->session, packet);
    } while (result == GNUTLS_E_WARNING_ALERT_RECEIVED || result == GNUTLS_E_INTERRUPTED ||
             (result == GNUTLS_E_AGAIN && stream->input_length > 0 && stream->input_length < before));

    if (result > 0)
        return SMTP_TLS_STREAM_DONE;
    if (result == GNUTLS_E_AGAIN)
        return SMTP_TLS_STREAM_MORE;
    if (result == 0 || result == GNUTLS_E_PREMATURE_TERMINATION)
        return SMTP_TLS_STREAM_CLOSED;

    return stream_fail (stream, result, error);
}

/* The next record's plaintext: in place if one piece has enough of it, else put together in @scratch. */
static gsize
gather_record (const SmtpOutput *plain, gchar *scratch, const gchar **record)
{
    struct iovec vectors[RECORD_PIECES];
    guint n = smtp_output_peek (plain, vectors, RECORD_PIECES);
    gsize length = 0;

    if (n == 1 || vectors[0].iov_len >= RECORD_LARGEST_BYTES) {
        *record = vectors[0].iov_base;
        return MIN (vectors[0].iov_len, RECORD_LARGEST_BYTES);
    }

    for (guint i = 0; i < n && length < RECORD_LARGEST_BYTES; i++) {
        gsize share = MIN (vectors[i].iov_len, RECORD_LARGEST_BYTES - length);

        memcpy (scratch + length, vectors[i].iov_base, share);
        length += share;
    }
    *record = scratch;

    return length;
}

gboolean
smtp_tls_stream_write (SmtpTlsStream *stream, SmtpOutput *plain, GError **error)
{
    gchar scratch[RECORD_LARGEST_BYTES];

    while (plain->length > 0 && stream->wire->length < WIRE_MOST_BYTES) {
        const gchar *record;
        gsize length = gather_record (plain, scratch, &record);
        gssize sent = gnutls_record_send (stream->session, record, length);

        if (sent <= 0) {
            stream_fail (stream, sent, error);
            return FALSE;
        }
        smtp_output_skip (plain, (gsize) sent);
    }

    return TRUE;
}

void
smtp_tls_stream_bye (SmtpTlsStream *stream)
{
    gnutls_bye (stream->session, GNUTLS_SHUT_WR);
}

gboolean
smtp_tls_stream_has_input (const SmtpTlsStream *stream)
{
    return stream->input_length > 0 || stream->input_ended || gnutls_record_check_pending (stream->session) > 0;
}

const gchar *
smtp_tls_stream_description (SmtpTlsStream *stream)
{
    if (!stream->description)
        stream->description = smtp_tls_describe (stream->session);

    return stream->description;
}
