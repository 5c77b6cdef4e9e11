/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "listen-socket.h"
#include "smtp/poller.h"

#include <sys/socket.h>

/*
 * Accepts connections on a listening socket.
 */

typedef struct _Listener Listener;

/* @fd: (transfer full): connected, non-blocking, close-on-exec; @peer: its address */
typedef void (*ListenerAccepted) (ListenKind kind, int fd, const struct sockaddr *peer, gpointer user_data);

/**
 * listener_new:
 * @socket: (transfer full)
 *
 * Returns: (transfer full): or %NULL with a GIOError; @socket is gone then too
 */
Listener *listener_new (SmtpPoller *poller, ListenSocket *socket, ListenerAccepted accepted, gpointer user_data,
                        GError **error);

/* Stops accepting. Must not be called in @accepted. */
void listener_free (Listener *listener);

const ListenSocket *listener_socket (const Listener *listener);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Listener, listener_free)
