/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Whether a line is too long is seen wherever in a text it is, and however the text comes.
 */

#include <string.h>

#include "message/line-check.h"

static gboolean
is_long (const gchar *text, gsize length, gsize piece)
{
    MessageLineCheck check = {0};

    for (gsize at = 0; at < length; at += piece)
        message_line_check_feed (&check, text + at, MIN (piece, length - at));

    return message_line_check_end (&check);
}

static void
line_is_judged_by_its_length (void)
{
    static const gsize pieces[] = {1, 2, 7, 997, 998, 999, 1000, 1001, 4096};
    static const gsize lengths[] = {0, 1, 500, 997, 998, 999, 1000, 5000};

    for (guint i = 0; i < G_N_ELEMENTS (lengths); i++) {
        for (guint before = 0; before < 3; before++) {
            g_autoptr (GString) text = g_string_new (NULL);
            g_autofree gchar *line = g_strnfill (lengths[i], 'x');

            for (guint j = 0; j < before; j++)
                g_string_append_printf (text, "%*s\r\n", (gint) (300 * j), "y");
            g_string_append (text, line);
            for (guint ended = 0; ended < 2; ended++) {
                for (guint j = 0; j < G_N_ELEMENTS (pieces); j++)
                    g_assert_cmpint (is_long (text->str, text->len, pieces[j]), ==, lengths[i] > 998);
                g_string_append (text, "\r\nshort\r\n");
            }
        }
    }
}

gint
main (gint argc, gchar **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/message/line-check/line-is-judged-by-its-length", line_is_judged_by_its_length);
    return g_test_run ();
}
