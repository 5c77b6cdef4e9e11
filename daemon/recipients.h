/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "config.h"
#include "message/envelope.h"

/**
 * recipients_is_local:
 * @address: canonical
 *
 * Returns: whether the address is bare or in one of the domains that are this machine's own: localhost, HostName= and its
 *   first label, LocalDomains=
 */
gboolean recipients_is_local (const gchar *address, const Config *config);

/**
 * recipients_resolve:
 * @envelope: whose recipients are canonical, maybe bare
 * @resolved: an envelope without recipients
 *
 * Adds to @resolved whom the recipients of @envelope really are, each with a domain: by the table of
 * recipients, then local ones by aliases, else the
 * administrator, else by completion. Who is reached under another name keeps the one that the sender used as
 * ORCPT (RFC 3461 5.2.1), and its NOTIFY. Every recipient leads to at least one.
 */
void recipients_resolve (const MessageEnvelope *envelope, const Config *config, MessageEnvelope *resolved);
