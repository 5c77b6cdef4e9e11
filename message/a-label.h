/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/**
 * message_domain_to_ascii:
 * @domain: a domain in UTF-8
 * @length: bytes at @domain
 *
 * Returns: (transfer full) (nullable): the domain with A-labels (RFC 5891) in the place of labels beyond ASCII; %NULL if
 *   it is none that could be registered
 */
gchar *message_domain_to_ascii (const gchar *domain, gsize length);

/**
 * message_address_to_ascii:
 * @address: a canonical address
 *
 * Returns: (transfer full) (nullable): the same mailbox in ASCII, so that it can travel without SMTPUTF8 (RFC 6531): the
 *   address as it is, or with A-labels in its domain; %NULL if its local part is beyond ASCII, which has no other form
 */
gchar *message_address_to_ascii (const gchar *address);
