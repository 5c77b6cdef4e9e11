/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "message/words.h"

static void
a_name_is_said_once (void)
{
    static const struct {
        const gchar *name;
        const gchar *words;
        const gchar *expected;
    } cases[] = {
        {"mx:25", "mx:25: no route to host", "no route to host"},
        {"mx:25", "mx:25: refused; then other:25: refused", "refused; then other:25: refused"},
        {"mx:25", "450 4.2.0 later", "450 4.2.0 later"},
        {"mx:25", "mx:256: no route to host", "mx:256: no route to host"},
        {"mx:25", "mx:25", "mx:25"},
        {"mx:25", "", ""},
        {NULL, "mx:25: no route to host", "mx:25: no route to host"},
    };

    for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
        g_assert_cmpstr (message_words_behind (cases[i].name, cases[i].words), ==, cases[i].expected);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/message/words/a-name-is-said-once", a_name_is_said_once);
    return g_test_run ();
}
