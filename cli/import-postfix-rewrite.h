/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "cli/import-postfix-main.h"

/* Canonical, generic and virtual tables, and masquerading: [Rewrite]. */
void postfix_take_rewriting (const PostfixMain *postfix);

/* Whether postfix_take_rewriting () answers for the parameter. */
gboolean postfix_is_of_rewriting (const gchar *name);
