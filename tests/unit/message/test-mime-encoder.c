/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * What goes into an encoding comes out of it, in lines that everybody takes.
 */

#include <string.h>

#include "message/mime-encoder.h"

static GString *
encode (MessageMimeForm form, const gchar *data, gsize length, gsize piece, gboolean delimited)
{
    GString *out = g_string_new (NULL);
    MessageMimeEncoder encoder;

    message_mime_encoder_init (&encoder, form);
    for (gsize at = 0; at < length; at += piece)
        message_mime_encoder_feed (&encoder, data + at, MIN (piece, length - at), out);
    message_mime_encoder_end (&encoder, delimited, out);

    return out;
}

/* What @text becomes, however it is cut into pieces. */
static void
expect (MessageMimeForm form, const gchar *text, gboolean delimited, const gchar *expected)
{
    for (gsize piece = 1; piece <= strlen (text) + 1; piece++) {
        g_autoptr (GString) out = encode (form, text, strlen (text), piece, delimited);

        g_assert_cmpstr (out->str, ==, expected);
    }
}

static void
expect_quoted (const gchar *text, const gchar *expected)
{
    expect (MESSAGE_MIME_FORM_QUOTED, text, TRUE, expected);
}

static void
ascii_text_stays_readable (void)
{
    expect_quoted ("Hello, world!\r\n\r\n\ta~b\r\n", "Hello, world!\r\n\r\n\ta~b\r\n");
}

static void
other_bytes_are_quoted (void)
{
    expect_quoted ("1=1 \xc3\xbc\x7f\x01", "1=3D1 =C3=BC=7F=01");
}

static void
blanks_at_a_line_end_are_quoted (void)
{
    expect_quoted ("a \r\nb\t\r\n  \r\nc ", "a=20\r\nb=09\r\n =20\r\nc=20");
    expect_quoted ("-- \r\n", "-=2D=20\r\n");
}

static void
lone_cr_and_lf_are_no_line_ends (void)
{
    expect_quoted ("a\rb\nc\r\r\nd\r", "a=0Db=0Ac=0D\r\nd=0D");
    expect_quoted ("a \rb", "a=20=0Db");
}

static void
nothing_looks_like_a_delimiter_or_a_mailbox (void)
{
    expect_quoted ("--b\r\n-b--\r\nFrom x\r\nFromage\r\n>From x", "-=2Db\r\n-b--\r\nFrom=20x\r\nFromage\r\n>From x");
}

/* The line ends of the output, where the next one would be too long. */
static void
long_lines_are_broken (void)
{
    g_autofree gchar *text = g_strnfill (74, 'x');
    g_autofree gchar *long_text = g_strconcat (text, "xy\r\n", text, "=--b", NULL);
    g_autofree gchar *expected = g_strconcat (text, "x=\r\ny\r\n", text, "=\r\n=3D--b", NULL);

    expect_quoted (long_text, expected);
}

static void
broken_line_starts_no_delimiter (void)
{
    g_autofree gchar *text = g_strnfill (75, 'x');
    g_autofree gchar *long_text = g_strconcat (text, "--b", NULL);
    g_autofree gchar *expected = g_strconcat (text, "=\r\n-=2Db", NULL);

    expect_quoted (long_text, expected);
}

static void
end_of_the_message_adds_nothing (void)
{
    expect (MESSAGE_MIME_FORM_QUOTED, "a", FALSE, "a=\r\n");
    expect (MESSAGE_MIME_FORM_QUOTED, "a\r\n", FALSE, "a\r\n");
    expect (MESSAGE_MIME_FORM_QUOTED, "", FALSE, "");
    expect (MESSAGE_MIME_FORM_BASE64, "a", FALSE, "YQ==\r\n");
    expect (MESSAGE_MIME_FORM_BASE64, "", FALSE, "");
}

static void
base64_decodes_to_what_it_was (void)
{
    gchar data[300];

    for (gsize i = 0; i < sizeof data; i++)
        data[i] = (gchar) (i * 7 % 256);

    for (gsize length = 0; length <= sizeof data; length++) {
        g_autoptr (GString) out = encode (MESSAGE_MIME_FORM_BASE64, data, length, 11, TRUE);
        g_auto (GStrv) lines = g_strsplit (out->str, "\r\n", -1);
        g_autofree guchar *decoded = NULL;
        gsize decoded_length;

        for (guint i = 0; lines[i] != NULL; i++)
            g_assert_cmpuint (strlen (lines[i]), <=, 76);
        decoded = g_base64_decode (out->str, &decoded_length);
        g_assert_true (decoded_length == length && memcmp (decoded, data, length) == 0);
    }
}

static void
what_was_encoded_is_repaired_only (void)
{
    expect (MESSAGE_MIME_FORM_QUOTED_REPAIRED, "a=\r\n=C3 \xc3\xbc  \r\n", TRUE, "a=\r\n=C3 =C3=BC  \r\n");
    expect (MESSAGE_MIME_FORM_BASE64_REPAIRED, "YQ\xc3==\r\n", TRUE, "YQ==\r\n");
    expect (MESSAGE_MIME_FORM_MASKED, "a\xc3\xbc \r\n", TRUE, "a?? \r\n");
}

gint
main (gint argc, gchar **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/message/mime-encoder/ascii-text-stays-readable", ascii_text_stays_readable);
    g_test_add_func ("/message/mime-encoder/other-bytes-are-quoted", other_bytes_are_quoted);
    g_test_add_func ("/message/mime-encoder/blanks-at-a-line-end-are-quoted", blanks_at_a_line_end_are_quoted);
    g_test_add_func ("/message/mime-encoder/lone-cr-and-lf-are-no-line-ends", lone_cr_and_lf_are_no_line_ends);
    g_test_add_func ("/message/mime-encoder/nothing-looks-like-a-delimiter-or-a-mailbox",
                     nothing_looks_like_a_delimiter_or_a_mailbox);
    g_test_add_func ("/message/mime-encoder/long-lines-are-broken", long_lines_are_broken);
    g_test_add_func ("/message/mime-encoder/broken-line-starts-no-delimiter", broken_line_starts_no_delimiter);
    g_test_add_func ("/message/mime-encoder/end-of-the-message-adds-nothing", end_of_the_message_adds_nothing);
    g_test_add_func ("/message/mime-encoder/base64-decodes-to-what-it-was", base64_decodes_to_what_it_was);
    g_test_add_func ("/message/mime-encoder/what-was-encoded-is-repaired-only", what_was_encoded_is_repaired_only);
    return g_test_run ();
}
