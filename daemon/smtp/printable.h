/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/**
 * smtp_printable:
 * @data: bytes from a peer
 * @length: how many
 *
 * Returns: (transfer full): the same as valid UTF-8, with "?" for each control character but the newline
 */
gchar *smtp_printable (const gchar *data, gsize length);
