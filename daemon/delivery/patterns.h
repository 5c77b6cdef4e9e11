/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/* Sets of addresses, as the configuration names them: single ones, domains, sub-domains, local parts. */

typedef struct _DeliveryPatterns DeliveryPatterns;

/**
 * delivery_patterns_new:
 * @text: patterns, separated by spaces
 * @bad: (out) (transfer full): the one that is none, on failure
 *
 *   user@example.org   this address, the local part without regard to case
 *   example.org        this domain; also "@example.org"
 *   *.example.org      its sub-domains at any depth, not itself
 *   user@              this local part in any domain
 *   <>                 the null reverse-path
 *   *                  all of these
 *
 * Returns: (transfer full) (nullable)
 */
DeliveryPatterns *delivery_patterns_new (const gchar *text, gchar **bad);
void delivery_patterns_free (DeliveryPatterns *patterns);

/* @address: canonical, "" is the null reverse-path */
gboolean delivery_patterns_match (const DeliveryPatterns *patterns, const gchar *address);

/* What it was made of. */
const gchar *delivery_patterns_text (const DeliveryPatterns *patterns);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (DeliveryPatterns, delivery_patterns_free)
