/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>
#include <sys/socket.h>

/*
 * Whose the other end of a connection is.
 */

typedef struct _PeerFinder PeerFinder;

#define PEER_UNKNOWN (-1)
#define PEER_GONE    (-2)

PeerFinder *peer_finder_new (void);
void peer_finder_free (PeerFinder *finder);

/**
 * peer_finder_uid:
 * @fd: a connected socket, UNIX or TCP
 * @peer: the address of the other end
 *
 * Never waits.
 *
 * Returns: the user whose socket the other end is; %PEER_UNKNOWN if that cannot be told, as of one on another host;
 * %PEER_GONE of a program of this machine that has closed it already
 */
gint64 peer_finder_uid (PeerFinder *finder, int fd, const struct sockaddr *peer);

/* Whether @peer is an address of the loopback interface. */
gboolean peer_is_loopback (const struct sockaddr *peer);

/* Returns: (transfer full) (nullable): "192.0.2.1" or "2001:db8::1"; an IPv4 address in IPv6 form is shown as what it is; %NULL
 * for what has no such address */
gchar *peer_describe (const struct sockaddr *peer);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (PeerFinder, peer_finder_free)
