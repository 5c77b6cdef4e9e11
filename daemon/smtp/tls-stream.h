/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "smtp/output.h"
#include "smtp/tls.h"

/*
 * One TLS session, sans I/O: received bytes are fed, what is to be sent is appended to an output.
 */

typedef struct _SmtpTlsStream SmtpTlsStream;

typedef enum {
    SMTP_TLS_STREAM_MORE,   /* nothing more can be done without more input */
    SMTP_TLS_STREAM_DONE,   /* the handshake is complete, or a record was read */
    SMTP_TLS_STREAM_CLOSED, /* the peer has closed */
    SMTP_TLS_STREAM_FAILED  /* with an error; an alert may wait in the output */
} SmtpTlsStreamStatus;

/**
 * smtp_tls_stream_new:
 * @server_name: (nullable): see smtp_tls_session ()
 * @wire: what is to be sent; must outlive the stream
 */
SmtpTlsStream *smtp_tls_stream_new (SmtpTls *tls, const gchar *server_name, SmtpOutput *wire, GError **error);
void smtp_tls_stream_free (SmtpTlsStream *stream);

/* Hands in what came from the peer. @data stays the caller's, and must stay until smtp_tls_stream_settle (). */
void smtp_tls_stream_feed (SmtpTlsStream *stream, const gchar *data, gsize length);

/* The peer sends nothing more. */
void smtp_tls_stream_feed_end (SmtpTlsStream *stream);

/* Keeps a copy of what was fed and not used yet. */
void smtp_tls_stream_settle (SmtpTlsStream *stream);

/* Goes on with the handshake as far as it can. A client starts it by the first call. */
SmtpTlsStreamStatus smtp_tls_stream_handshake (SmtpTlsStream *stream, GError **error);

/**
 * smtp_tls_stream_read:
 * @packet: (out): a decrypted record; release with gnutls_packet_deinit (). Only with SMTP_TLS_STREAM_DONE
 *
 * A connection that ends without TLS's own goodbye counts as closed: SMTP says by itself where its messages end.
 */
SmtpTlsStreamStatus smtp_tls_stream_read (SmtpTlsStream *stream, gnutls_packet_t *packet, GError **error);

/* Encrypts @plain, as much of it as may reasonably wait to be sent, into full records. */
gboolean smtp_tls_stream_write (SmtpTlsStream *stream, SmtpOutput *plain, GError **error);

/* Tells the peer that nothing more will come. */
void smtp_tls_stream_bye (SmtpTlsStream *stream);

/* Whether smtp_tls_stream_read () could have something without more input. */
gboolean smtp_tls_stream_has_input (const SmtpTlsStream *stream);

/* The session's description once the handshake is complete. (transfer none) */
const gchar *smtp_tls_stream_description (SmtpTlsStream *stream);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (SmtpTlsStream, smtp_tls_stream_free)
