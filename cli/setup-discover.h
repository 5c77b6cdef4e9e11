/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

#include "cli/setup-provider.h"

/* Which server takes the mail of an address. */

typedef struct {
    gchar *host;
    guint16 port;             /* 0: the usual one */
    gchar *tls;               /* as in TLS= */
    const Provider *provider; /* (nullable) */
    gboolean foreign; /* what DNS named is not in the address's own domain: somebody may have forged the answer */
} Server;

void server_clear (Server *server);

/* Sets @server to one of the table. */
void server_set_provider (Server *server, const Provider *provider);

/**
 * server_parse:
 * @text: the name of a provider, "host", "host:port" or "[address]:port"
 *
 * Returns: whether @server was set; TLS goes by the port where nothing better is known
 */
gboolean server_parse (Server *server, const gchar *text);

/**
 * server_discover:
 * @domain: of a mail address
 * @how: (out) (transfer full): in words, where it was found, or why nothing was
 *
 * Asks the table of providers, then DNS: SRV records of submission, best first (RFC 6186, RFC 8314 5.1), and then the
 * domain's mail exchangers for a provider that is known.
 *
 * Returns: whether @server was set
 */
gboolean server_discover (Server *server, const gchar *domain, gchar **how);

/**
 * server_look_up:
 *
 * Whether the host has an address. May take as long as the system's resolver does.
 *
 * Returns: whether it has; else with an error in words
 */
gboolean server_look_up (const Server *server, GError **error);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Server, server_clear)
