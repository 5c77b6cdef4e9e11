/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/**
 * message_is_harmless:
 *
 * Returns: whether it may be shown as it is: no control character, and nothing that cannot be seen or turns the direction of
 *     what is beside it, so that one address looks like another
 */
gboolean message_is_harmless (gunichar character);

/**
 * message_printable:
 * @text: what somebody else wrote; need not be terminated, may hold any bytes
 * @length: bytes at @text
 * @longest_bytes: how many bytes of @text are taken; if there are more, the result ends in "…", or "..." in ASCII
 * @utf8: whether the result may hold non-ASCII; if not, such characters appear as "\x{FC}", as RFC 6533 3 writes them
 *
 * Makes text from outside fit for one line: control characters and bytes that are not UTF-8 appear as "\xNN", a tab
 * as a space.
 *
 * Returns: (transfer full): valid UTF-8 or ASCII without control characters
 */
gchar *message_printable (const gchar *text, gsize length, gsize longest_bytes, gboolean utf8);
