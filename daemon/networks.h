/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>
#include <sys/socket.h>

/*
 * A set of IP networks: who may relay.
 */

typedef struct _Networks Networks;

/**
 * networks_new:
 * @text: networks as "ADDRESS/BITS" or "ADDRESS", separated by spaces or commas; may be empty
 * @bad: (out) (transfer full) (optional): the word that is no network
 *
 * Returns: (transfer full) (nullable): the set; %NULL if a word is no network, or one with bits set beyond its mask
 */
Networks *networks_new (const gchar *text, gchar **bad);
void networks_free (Networks *networks);

/* Whether @address is in one of them. An IPv4 address in IPv6 form (RFC 4291 2.5.5.2) is the IPv4 address. */
gboolean networks_contain (const Networks *networks, const struct sockaddr *address);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Networks, networks_free)
