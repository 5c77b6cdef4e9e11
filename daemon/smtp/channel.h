/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "smtp/poller.h"
#include "smtp/tls.h"

/*
 * A connected stream socket with optional TLS, non-blocking, on a poller. It carries the bytes of either engine and
 * knows nothing of SMTP. Output is gathered and leaves in few, full writes; TCP_NODELAY is set.
 */

typedef struct _SmtpChannel SmtpChannel;

/* Any of these may free or finish the channel. None is called from inside a function of the channel. */
typedef struct {
    /* Bytes arrived (decrypted). Called again as long as there are more and input is not paused. */
    void (*input) (const gchar *data, gsize length, gpointer user_data);

    /* (nullable) All output has been given to the kernel. */
    void (*drained) (gpointer user_data);

    /* (nullable) The TLS handshake is complete. */
    void (*secured) (gpointer user_data);

    /* The peer closed (@error NULL), or the connection or TLS failed (@error says on what and why; transfer none).
     * No event follows. A peer that closed may still read: what is queued reaches it by smtp_channel_finish (). */
    void (*closed) (const GError *error, gpointer user_data);

    /* (nullable) The deadline passed. */
    void (*expired) (gpointer user_data);
} SmtpChannelEvents;

/**
 * smtp_channel_new:
 * @fd: (transfer full): a connected stream socket; closed on failure too
 * @events: must outlive the channel
 */
SmtpChannel *smtp_channel_new (SmtpPoller *poller, int fd, const SmtpChannelEvents *events, gpointer user_data,
                               GError **error);

/* Closes at once, without waiting for output. */
void smtp_channel_free (SmtpChannel *channel);

/* Queues a copy of @data. What one turn of the loop queues leaves together. */
void smtp_channel_send (SmtpChannel *channel, const gchar *data, gsize length);

/* Queues @bytes, without copying them if they are large. */
void smtp_channel_send_bytes (SmtpChannel *channel, GBytes *bytes);

/* Bytes queued and not yet given to the kernel. */
gsize smtp_channel_backlog (const SmtpChannel *channel);

/* Stops and restarts input events; counted by nobody, the last call holds. The end of the peer may go unnoticed
 * meanwhile. A handshake goes on. */
void smtp_channel_pause_input (SmtpChannel *channel, gboolean pause);

/**
 * smtp_channel_start_tls:
 * @server_name: (nullable): see smtp_tls_session ()
 *
 * Starts a handshake; secured or closed follows. What was queued before leaves in plain, what is queued after leaves
 * encrypted: a server's 220 must be queued first. Bytes received before the handshake in plain are discarded (RFC
 * 3207 4.2).
 */
void smtp_channel_start_tls (SmtpChannel *channel, SmtpTls *tls, const gchar *server_name);

/* The TLS session's description, or NULL before secured. (transfer none) */
const gchar *smtp_channel_tls (const SmtpChannel *channel);

/* Seconds from now until expired is called; 0 for no deadline. */
void smtp_channel_set_deadline (SmtpChannel *channel, guint seconds);

/* Sends what is queued, says goodbye in TLS, closes, and frees the channel; no event follows. Gives up after a few
 * seconds. What fits the socket has been given to the kernel when this returns. */
void smtp_channel_finish (SmtpChannel *channel);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (SmtpChannel, smtp_channel_free)
