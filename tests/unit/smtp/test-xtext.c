/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * What ENVID= and ORCPT= stand for, and what they must not stand for.
 */

#include "smtp/xtext.h"

#include <string.h>

typedef struct {
    const gchar *path;
    const gchar *text;
    const gchar *expected; /* NULL: refused */
} Case;

static const Case decoded[] = {
    {"empty", "", ""},
    {"plain", "QQ314159", "QQ314159"},
    {"encoded", "a+20b+2B+3D", "a b+="},
    {"lower-case-digits", "a+2bb", "a+b"},
    {"all-printable", "!\"#$%&'()*,-./:;<>?@[\\]^_`{|}~", "!\"#$%&'()*,-./:;<>?@[\\]^_`{|}~"},
    {"cut-off-at-the-plus", "a+", NULL},
    {"cut-off-in-the-digits", "a+2", NULL},
    {"no-hexadecimal-digits", "a+zz", NULL},
    {"plain-space", "a b", NULL},
    {"plain-equals-sign", "a=b", NULL},
    {"plain-control-character", "a\tb", NULL},
    {"encoded-nul", "a+00b", NULL},
    {"encoded-line-end", "a+0D+0ABcc:", NULL},
    {"encoded-delete", "a+7F", NULL},
    {"encoded-8-bit", "a+C3+BC", NULL},
    {"plain-8-bit", "\xc3\xbc", NULL},
};

static void
test_decoded (gconstpointer data)
{
    const Case *c = data;
    g_autofree gchar *text = smtp_xtext_decode (c->text, strlen (c->text), FALSE);

    g_assert_cmpstr (text, ==, c->expected);
}

static const Case decoded_utf8[] = {
    {"utf8-stands-for-itself", "m\xc3\xbcller@example.org", "m\xc3\xbcller@example.org"},
    {"utf8-must-be-valid", "m\xfcller", NULL},
    {"utf8-must-be-complete", "m\xc3", NULL},
    {"utf8-is-not-encoded-by-byte", "a+C3+BC", NULL},
    {"utf8-control-character", "a\xc2\x85", NULL},
};

static void
test_decoded_utf8 (gconstpointer data)
{
    const Case *c = data;
    g_autofree gchar *text = smtp_xtext_decode (c->text, strlen (c->text), TRUE);

    g_assert_cmpstr (text, ==, c->expected);
}

static void
assert_encoded (const gchar *text, gboolean utf8, const gchar *expected)
{
    g_autoptr (GString) out = g_string_new (NULL);

    smtp_xtext_append (out, text, utf8);
    g_assert_cmpstr (out->str, ==, expected);
}

static void
test_encoded (void)
{
    assert_encoded ("", FALSE, "");
    assert_encoded ("a b+=~", FALSE, "a+20b+2B+3D~");
    assert_encoded ("a\r\n\x7f", FALSE, "a+0D+0A+7F");
}

static void
test_encoded_utf8 (void)
{
    assert_encoded ("m\xc3\xbcller \xf0\x9f\x93\xac", TRUE, "m\xc3\xbcller+20\xf0\x9f\x93\xac");
    assert_encoded ("m\xc3\xbcller \xf0\x9f\x93\xac", FALSE, "m\\x{FC}ller+20\\x{1F4EC}");
}

static void
test_round_trip (void)
{
    g_autoptr (GString) all = g_string_new (NULL);
    g_autoptr (GString) encoded = g_string_new (NULL);
    g_autofree gchar *back = NULL;

    for (gint byte = ' '; byte <= '~'; byte++)
        g_string_append_c (all, (gchar) byte);
    smtp_xtext_append (encoded, all->str, FALSE);
    back = smtp_xtext_decode (encoded->str, encoded->len, FALSE);

    g_assert_cmpstr (back, ==, all->str);
}

static void
test_length_is_kept (void)
{
    g_autofree gchar *text = smtp_xtext_decode ("abc+41", 3, FALSE);

    g_assert_cmpstr (text, ==, "abc");
    g_assert_null (smtp_xtext_decode ("abc+41", 5, FALSE));
}

static void
add_cases (const Case *cases, gsize count, GTestDataFunc function)
{
    for (gsize i = 0; i < count; i++) {
        g_autofree gchar *path = g_strdup_printf ("/smtp/xtext/decoded/%s", cases[i].path);

        g_test_add_data_func (path, &cases[i], function);
    }
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);

    add_cases (decoded, G_N_ELEMENTS (decoded), test_decoded);
    add_cases (decoded_utf8, G_N_ELEMENTS (decoded_utf8), test_decoded_utf8);
    g_test_add_func ("/smtp/xtext/encoded", test_encoded);
    g_test_add_func ("/smtp/xtext/encoded-utf8", test_encoded_utf8);
    g_test_add_func ("/smtp/xtext/round-trip", test_round_trip);
    g_test_add_func ("/smtp/xtext/length-is-kept", test_length_is_kept);

    return g_test_run ();
}
