/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Lines that are too long
 *
 * A question that is asked of all content that comes in, so it must cost next to nothing. It need not be known where each
 * line ends: where a line starts, the last line end of the next thousand bytes is looked for, from behind. Whatever lies
 * between the two is short enough. So only about one line in a thousand bytes is looked at.
 */

#include <string.h>

#include "message/line-check.h"

/* With CRLF. */
#define WHOLE_LINE_LONGEST_BYTES (MESSAGE_LINE_LONGEST_BYTES + 2)

void
message_line_check_feed (MessageLineCheck *check, const gchar *data, gsize length)
{
    while (length > 0 && !check->is_long) {
        gsize window = MIN (length, WHOLE_LINE_LONGEST_BYTES - check->length);
        const gchar *end = memrchr (data, '\n', window);
        gsize taken = end != NULL ? (gsize) (end + 1 - data) : window;

        check->length = end != NULL ? 0 : check->length + taken;
        check->is_long = check->length == WHOLE_LINE_LONGEST_BYTES;
        data += taken;
        length -= taken;
    }
}

gboolean
message_line_check_end (const MessageLineCheck *check)
{
    return check->is_long || check->length > MESSAGE_LINE_LONGEST_BYTES;
}
