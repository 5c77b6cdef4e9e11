/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gio/gio.h>

/**
 * delivery_addresses_new:
 * @host: a name or an IP address
 *
 * The addresses of a host, for g_socket_client_connect_async (). They are looked up, in the background, each time that they are
 * enumerated; a failure is a G_RESOLVER_ERROR.
 *
 * Returns: (transfer full)
 */
GSocketConnectable *delivery_addresses_new (const gchar *host, guint16 port);
