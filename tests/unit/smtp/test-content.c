/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * What comes out of the decoder of content: always the same, however the bytes are cut into pieces.
 */

#include "smtp/content.h"

#include <string.h>

typedef struct {
    const gchar *path;
    SmtpContentForm form;
    gboolean normalise;
    const gchar *input;
    const gchar *expected; /* "END" where DATA ended, "BARE" behind what was handed over before a bare CR or LF */
} Case;

#define DATA         SMTP_CONTENT_DATA, FALSE
#define LOCAL        SMTP_CONTENT_DATA, TRUE
#define CHUNKS       SMTP_CONTENT_CHUNKS, FALSE
#define LOCAL_CHUNKS SMTP_CONTENT_CHUNKS, TRUE

static const Case cases[] = {
    {"empty-message", DATA, ".\r\n", "END"},
    {"one-line", DATA, "a\r\n.\r\n", "a\r\nEND"},
    {"empty-lines", DATA, "\r\n\r\n.\r\n", "\r\n\r\nEND"},
    {"unfinished", DATA, "a\r\nb", "a\r\nb"},
    {"what-follows-the-end-is-no-content", DATA, "a\r\n.\r\nQUIT\r\n", "a\r\nEND+QUIT\r\n"},
    {"dot-in-a-line", DATA, "a.b\r\nc.\r\n.\r\n", "a.b\r\nc.\r\nEND"},
    {"stuffed-dot", DATA, "..\r\n..a\r\n...\r\n.\r\n", ".\r\n.a\r\n..\r\nEND"},
    {"single-dot-before-text-goes", DATA, ".a\r\n.\r\n", "a\r\nEND"},
    {"8-bit", DATA, "\xc3\xbc\xff\r\n.\r\n", "\xc3\xbc\xff\r\nEND"},

    {"bare-lf-ends-no-data", DATA, "a\n.\nb\r\n.\r\n", "aBARE END"},
    {"lf-before-dot-ends-no-data", DATA, "a\n.\r\nb\r\n.\r\n", "aBARE END"},
    {"lf-after-dot-ends-no-data", DATA, "a\r\n.\nb\r\n.\r\n", "a\r\nBARE END"},
    {"bare-cr-ends-no-data", DATA, "a\r.\rb\r\n.\r\n", "aBARE END"},
    {"cr-before-dot-ends-no-data", DATA, "a\r.\r\nb\r\n.\r\n", "aBARE END"},
    {"cr-after-dot-ends-no-data", DATA, "a\r\n.\rb\r\n.\r\n", "a\r\nBARE END"},
    {"cr-cr-lf-is-a-bare-cr", DATA, "a\r\r\n.\r\n", "aBARE END"},
    {"dot-cr-cr-lf-ends-no-data", DATA, "a\r\n.\r\r\nb\r\n.\r\n", "a\r\nBARE END"},
    {"lf-cr-ends-no-line", DATA, "a\n\r.\n\r\r\n.\r\n", "aBARE END"},
    {"crlf-after-bare-starts-a-line", DATA, "a\n\r\n.\r\n", "aBARE END"},
    {"bare-lf-first", DATA, "\na\r\n.\r\n", "BARE END"},
    {"bare-cr-first", DATA, "\ra\r\n.\r\n", "BARE END"},

    {"local-lf-becomes-crlf", LOCAL, "a\nb\n\nc\r\n.\r\n", "a\r\nb\r\n\r\nc\r\nEND"},
    {"local-cr-becomes-crlf", LOCAL, "a\rb\r\rc\r\n.\r\n", "a\r\nb\r\n\r\nc\r\nEND"},
    {"local-bare-lf-ends-no-data", LOCAL, "a\n.\nb\r\n.\r\n", "a\r\n.\r\nb\r\nEND"},
    {"local-lf-before-dot-ends-no-data", LOCAL, "a\n.\r\nb\r\n.\r\n", "a\r\n.\r\nb\r\nEND"},
    {"local-lf-after-dot-ends-no-data", LOCAL, "a\r\n.\nb\r\n.\r\n", "a\r\n\r\nb\r\nEND"},
    {"local-cr-after-dot-ends-no-data", LOCAL, "a\r\n.\rb\r\n.\r\n", "a\r\n\r\nb\r\nEND"},
    {"local-dot-after-lf-stays", LOCAL, "a\n.b\n.\nc\r\n.\r\n", "a\r\n.b\r\n.\r\nc\r\nEND"},
    {"local-two-dots-after-lf-are-stuffing", LOCAL, "a\n..b\n...\n..\r\n.\r\n", "a\r\n.b\r\n..\r\n.\r\nEND"},
    {"local-two-dots-after-lf-end-nothing", LOCAL, "a\n..\n..\r\nb\r\n.\r\n", "a\r\n.\r\n.\r\nb\r\nEND"},
    {"local-two-dots-after-cr-stay", LOCAL, "a\r..b\r\n.\r\n", "a\r\n..b\r\nEND"},
    {"local-chunks-keep-dots-after-lf", LOCAL_CHUNKS, "a\n..b\n", "a\r\n..b\r\n"},
    {"local-cr-cr-lf", LOCAL, "a\r\r\n.\r\n", "a\r\n\r\nEND"},
    {"local-dot-cr-cr-lf", LOCAL, "a\r\n.\r\r\nb\r\n.\r\n", "a\r\n\r\n\r\nb\r\nEND"},

    {"chunks-are-not-stuffed", CHUNKS, ".\r\n..\r\n.a\r\n", ".\r\n..\r\n.a\r\n"},
    {"chunks-end-with-crlf", CHUNKS, "a\r\nb", "a\r\nb\r\n"},
    {"chunks-may-be-empty", CHUNKS, "", ""},
    {"chunks-bare-lf", CHUNKS, "a\nb", "aBARE"},
    {"chunks-bare-cr", CHUNKS, "a\rb", "aBARE"},
    {"chunks-cr-at-the-end", CHUNKS, "a\r", "aBARE"},
    {"local-chunks-are-normalised", LOCAL_CHUNKS, "a\nb\rc\r\nd\n", "a\r\nb\r\nc\r\nd\r\n"},
    {"local-chunks-cr-at-the-end", LOCAL_CHUNKS, "a\r", "a\r\n"},
    {"local-chunks-end-with-crlf", LOCAL_CHUNKS, "a\nb", "a\r\nb\r\n"},
};

static void
sink (const gchar *data, gsize length, gpointer user_data)
{
    GString *out = user_data;

    g_assert_cmpuint (length, >, 0);
    g_assert_cmpint (data[length - 1], !=, '\r');
    g_string_append_len (out, data, (gssize) length);
}

static gsize
decode_copy (SmtpContent *content, const gchar *data, gsize length, GString *out)
{
    g_autofree gchar *copy = g_memdup2 (data, length); /* so that the sanitizer sees a byte too far */

    return smtp_content_decode (content, copy, length, sink, out);
}

/* Decodes @input in pieces that end at @first, @second and its end, and writes down what came as a Case expects it. */
static gchar *
decode (const Case *c, gsize first, gsize second)
{
    gsize ends[] = {first, second, strlen (c->input)};
    SmtpContent content;
    GString *out = g_string_new (NULL);
    gsize position = 0;

    smtp_content_init (&content, c->form, c->normalise);
    for (guint i = 0; i < G_N_ELEMENTS (ends) && !content.ended; i++)
        position += decode_copy (&content, c->input + position, ends[i] - position, out);
    if (c->form == SMTP_CONTENT_CHUNKS)
        smtp_content_finish (&content, sink, out);

    if (content.bare && !c->normalise)
        g_string_append (out, content.ended ? "BARE " : "BARE");
    if (content.ended)
        g_string_append (out, "END");
    if (content.ended && position < strlen (c->input))
        g_string_append_printf (out, "+%s", c->input + position);

    return g_string_free (out, FALSE);
}

static void
test_case (gconstpointer data)
{
    const Case *c = data;
    gsize length = strlen (c->input);

    for (gsize first = 0; first <= length; first++)
        for (gsize second = first; second <= length; second++) {
            g_autofree gchar *out = decode (c, first, second);

            g_assert_cmpstr (out, ==, c->expected);
        }
}

static void
count_calls (const gchar *data, gsize length, gpointer user_data)
{
    guint *calls = user_data;

    (*calls)++;
}

static void
test_plain_buffer_is_handed_over_whole (void)
{
    g_autoptr (GString) lines = g_string_new (NULL);
    SmtpContent content;
    guint calls = 0;

    for (guint i = 0; i < 1000; i++)
        g_string_append (lines, "A line of an ordinary message.\r\n");

    smtp_content_init (&content, SMTP_CONTENT_DATA, FALSE);
    g_assert_cmpuint (smtp_content_decode (&content, lines->str, lines->len, count_calls, &calls), ==, lines->len);
    g_assert_cmpuint (calls, ==, 1);
}

static void
test_nul_passes (void)
{
    static const gchar input[] = "a\0b\r\n.\r\n";
    g_autoptr (GString) out = g_string_new (NULL);
    SmtpContent content;

    smtp_content_init (&content, SMTP_CONTENT_DATA, FALSE);
    smtp_content_decode (&content, input, sizeof input - 1, sink, out);

    g_assert_true (content.ended);
    g_assert_cmpmem (out->str, (gint) out->len, "a\0b\r\n", 5);
}

static void
test_long_line_is_not_cut (void)
{
    g_autofree gchar *line = g_strnfill (1000000, 'x');
    g_autofree gchar *input = g_strconcat (line, "\r\n.\r\n", NULL);
    g_autofree gchar *expected = g_strconcat (line, "\r\n", NULL);
    g_autoptr (GString) out = g_string_new (NULL);
    SmtpContent content;

    smtp_content_init (&content, SMTP_CONTENT_DATA, FALSE);
    smtp_content_decode (&content, input, strlen (input), sink, out);

    g_assert_true (content.ended);
    g_assert_cmpuint (out->len, ==, strlen (expected));
    g_assert_cmpstr (out->str, ==, expected);
}

static void
test_many_bare_cr_take_linear_time (void)
{
    gsize length = 16 * 1024 * 1024; /* at a search for LF from each of them this would take hours */
    g_autofree gchar *input = g_strnfill (length, '\r');
    SmtpContent content;
    guint calls = 0;

    smtp_content_init (&content, SMTP_CONTENT_DATA, TRUE);
    g_assert_cmpuint (smtp_content_decode (&content, input, length, count_calls, &calls), ==, length);
    g_assert_cmpuint (calls, ==, length - 1);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);

    for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
        g_autofree gchar *path = g_strdup_printf ("/smtp/content/%s", cases[i].path);

        g_test_add_data_func (path, &cases[i], test_case);
    }
    g_test_add_func ("/smtp/content/plain-buffer-is-handed-over-whole", test_plain_buffer_is_handed_over_whole);
    g_test_add_func ("/smtp/content/nul-passes", test_nul_passes);
    g_test_add_func ("/smtp/content/long-line-is-not-cut", test_long_line_is_not_cut);
    g_test_add_func ("/smtp/content/many-bare-cr-take-linear-time", test_many_bare_cr_take_linear_time);

    return g_test_run ();
}
