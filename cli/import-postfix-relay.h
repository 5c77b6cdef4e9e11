/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "cli/import-postfix-main.h"

/* relayhost, TLS, logins, and the tables that choose another server: [Smarthost] and [Route]. */
void postfix_take_relays (const PostfixMain *postfix);

/* Whether postfix_take_relays () answers for the parameter. */
gboolean postfix_is_of_relays (const gchar *name);
