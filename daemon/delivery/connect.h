/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "delivery/failure.h"

#include <gio/gio.h>

/* A connection that is being made; cancelled by g_cancellable_cancel (). */

/* @fd: (transfer full): a connected stream socket to @peer; -1 with @failure (transfer full). Not called once the
 * cancellable was cancelled. */
typedef void (*DeliveryConnected) (int fd, const gchar *peer, DeliveryFailure *failure, gpointer user_data);

/**
 * delivery_connect:
 * @host: a name or an IP address
 * @seconds: for the look-up, and again for the connection to all addresses
 * @cancellable: ends it, without a call of @connected
 *
 * Looks the host up and connects to its addresses, the next one without waiting for the one before (RFC 8305).
 */
void delivery_connect (const gchar *host, guint16 port, guint seconds, GCancellable *cancellable,
                       DeliveryConnected connected, gpointer user_data);
