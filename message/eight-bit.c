/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Bytes beyond ASCII
 *
 * Two questions that are asked of every byte of a message while it streams by, and so have to be cheap: is there
 * anything beyond ASCII in it, and if so, is it UTF-8 (Unicode 15, table 3-7)? Text in another encoding passes for
 * UTF-8 hardly ever, so the answer is as good as a declared charset, and often better.
 */

#include <string.h>

#include "message/eight-bit.h"

#define HIGH_BITS G_GUINT64_CONSTANT (0x8080808080808080)

/* Looked at in one go; most pieces of mail have the answer in none of their bytes. */
#define BLOCK_BYTES 64

gboolean
message_has_8bit (const gchar *data, gsize length)
{
    guint64 word;
    guint64 seen = 0;

    for (; length >= BLOCK_BYTES; data += BLOCK_BYTES, length -= BLOCK_BYTES) {
        for (gsize i = 0; i < BLOCK_BYTES; i += sizeof word) {
            memcpy (&word, data + i, sizeof word);
            seen |= word;
        }
        if ((seen & HIGH_BITS) != 0)
            return TRUE;
    }

    for (gsize i = 0; i < length; i++)
        seen |= (guchar) data[i];

    return (seen & HIGH_BITS) != 0;
}

static void
start_character (MessageUtf8Check *check, guint8 byte)
{
    check->lowest = 0x80;
    check->highest = 0xbf;

    if (byte < 0x80) {
        check->left = 0;
    } else if (byte >= 0xc2 && byte <= 0xdf) {
        check->left = 1;
    } else if (byte >= 0xe0 && byte <= 0xef) {
        check->left = 2;
        if (byte == 0xe0)
            check->lowest = 0xa0;
        if (byte == 0xed) /* no surrogates */
            check->highest = 0x9f;
    } else if (byte >= 0xf0 && byte <= 0xf4) {
        check->left = 3;
        if (byte == 0xf0)
            check->lowest = 0x90;
        if (byte == 0xf4)
            check->highest = 0x8f;
    } else {
        check->invalid = TRUE;
    }
}

static void
continue_character (MessageUtf8Check *check, guint8 byte)
{
    if (byte < check->lowest || byte > check->highest)
        check->invalid = TRUE;

    check->left--;
    check->lowest = 0x80;
    check->highest = 0xbf;
}

void
message_utf8_check_feed (MessageUtf8Check *check, const gchar *data, gsize length)
{
    if (check->left == 0 && !message_has_8bit (data, length))
        return;

    for (gsize i = 0; i < length && !check->invalid; i++) {
        if (check->left > 0)
            continue_character (check, (guint8) data[i]);
        else
            start_character (check, (guint8) data[i]);
    }
}

gboolean
message_utf8_check_end (const MessageUtf8Check *check)
{
    return !check->invalid && check->left == 0;
}
