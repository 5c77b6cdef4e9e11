/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/*
 * Content as it goes out after DATA: a line that starts with a dot gets another one, and a lone dot ends it (RFC 5321
 * 4.5.2). A plain value; all zero is the start of a message.
 */

typedef struct {
    gboolean in_line; /* private: the last byte was not the end of a line */
} SmtpDots;

/**
 * smtp_dots_stuff:
 * @piece: the next piece of content
 *
 * Returns: (transfer full): what to send for it: @piece itself if no line of it starts with a dot
 */
GBytes *smtp_dots_stuff (SmtpDots *dots, GBytes *piece);

/* What ends the content: ".\r\n", with the end of its last line if that lacks one. */
const gchar *smtp_dots_end (const SmtpDots *dots);
