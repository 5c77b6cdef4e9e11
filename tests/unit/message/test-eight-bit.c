/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Whether bytes are ASCII, and whether they are UTF-8, is seen wherever in a text it shows.
 */

#include <string.h>

#include "message/eight-bit.h"

static void
one_byte_tells_wherever_it_is (void)
{
    gchar text[200];

    for (gsize length = 0; length <= sizeof text; length += 13) {
        memset (text, 'x', sizeof text);
        g_assert_false (message_has_8bit (text, length));
        for (gsize i = 0; i < length; i++) {
            text[i] = '\x80';
            g_assert_true (message_has_8bit (text, length));
            text[i] = 'x';
        }
    }
}

static gboolean
is_utf8 (const gchar *text, gsize length, gsize piece)
{
    MessageUtf8Check check = {0};

    for (gsize at = 0; at < length; at += piece)
        message_utf8_check_feed (&check, text + at, MIN (piece, length - at));

    return message_utf8_check_end (&check);
}

static void
text_in_pieces_is_judged_as_a_whole (void)
{
    static const gchar text[] = "Grüße, 日本語, 🙂, \xef\xbf\xbd, \xf4\x8f\xbf\xbf";

    for (gsize piece = 1; piece <= sizeof text; piece++)
        for (gsize length = 0; length < sizeof text; length++)
            g_assert_cmpint (is_utf8 (text, length, piece), ==, g_utf8_validate_len (text, (gssize) length, NULL));
}

static void
what_is_no_utf8_is_seen (void)
{
    static const gchar *const texts[] = {"\x80",         "\xc0\x80",     "\xc1\xbf",         "\xc3(",
                                         "\xe0\x80\x80", "\xed\xa0\x80", "\xf0\x80\x80\x80", "\xf4\x90\x80\x80",
                                         "\xf5",         "Gr\xfc\xdf e", "\xe2\x82",         "\xe2\x82 "};

    for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
        for (gsize piece = 1; piece <= 4; piece++)
            g_assert_false (is_utf8 (texts[i], strlen (texts[i]), piece));
}

gint
main (gint argc, gchar **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/message/eight-bit/one-byte-tells-wherever-it-is", one_byte_tells_wherever_it_is);
    g_test_add_func ("/message/eight-bit/text-in-pieces-is-judged-as-a-whole", text_in_pieces_is_judged_as_a_whole);
    g_test_add_func ("/message/eight-bit/what-is-no-utf8-is-seen", what_is_no_utf8_is_seen);
    return g_test_run ();
}
