/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "config.h"
#include "message/rewrite.h"

/**
 * rewriting_sender:
 * @address: the reverse-path as it was given, canonical, maybe bare; "" is null
 *
 * Returns: (transfer full): the one that the message is sent with, with a domain; null stays null
 */
gchar *rewriting_sender (const gchar *address, const Config *config);

/**
 * rewriting_recipient:
 * @address: of the envelope, canonical, maybe bare
 *
 * Returns: (transfer full) (nullable): what RecipientTable= makes of it, canonical, with a domain; %NULL if nothing
 */
gchar *rewriting_recipient (const gchar *address, const Config *config);

/* Whether rewriting_header () makes anything of any address. */
gboolean rewriting_knows_header (const Config *config);

/* A MessageRewriteAddress, @config the Config: what becomes of an address of the header. */
gchar *rewriting_header (const gchar *address, MessageRole role, gpointer config);
