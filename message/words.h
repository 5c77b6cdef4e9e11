/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/**
 * message_words_behind:
 * @name: (nullable): a remote, "mx.example.org:25"
 * @words: its reply, or why it could not be asked, which may begin with the name
 *
 * Returns: the part of @words that is to stand behind the name: "deferred by mx.example.org:25: no route to host"
 */
const gchar *message_words_behind (const gchar *name, const gchar *words);
