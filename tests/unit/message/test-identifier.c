/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Identifiers are a msg-id, and never the same twice.
 */

#include "message/identifier.h"

static void
identifier_is_a_msg_id (void)
{
    g_autofree gchar *identifier = message_identifier_new ("relay.example.org");

    g_assert_true (g_regex_match_simple ("^<[0-9]{14}\\.[0-9a-z]{16}@relay\\.example\\.org>$", identifier, 0, 0));
}

static void
no_two_are_alike (void)
{
    g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

    for (guint i = 0; i < 10000; i++)
        g_assert_true (g_hash_table_add (seen, message_identifier_token ()));
}

/* A letter that is never drawn, or a place that never changes, would tell of bits that are lost on the way. */
static void
every_letter_is_drawn_at_every_place (void)
{
    gboolean seen[16][128] = {0};

    for (guint i = 0; i < 4000; i++) {
        g_autofree gchar *token = message_identifier_token ();

        for (guint place = 0; place < 16; place++)
            seen[place][(guchar) token[place]] = TRUE;
    }

    for (guint place = 0; place < 16; place++) {
        guint letters = 0;

        for (guint c = 0; c < 128; c++)
            letters += seen[place][c] ? 1 : 0;
        g_assert_cmpuint (letters, ==, 32);
    }
}

gint
main (gint argc, gchar **argv)
{
    g_test_init (&argc, &argv, NULL);

    g_test_add_func ("/message/identifier/is-a-msg-id", identifier_is_a_msg_id);
    g_test_add_func ("/message/identifier/no-two-are-alike", no_two_are_alike);
    g_test_add_func ("/message/identifier/every-letter-is-drawn-at-every-place",
                     every_letter_is_drawn_at_every_place);

    return g_test_run ();
}
