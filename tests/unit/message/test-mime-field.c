/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * What becomes of header fields: letters beyond ASCII by what each field allows, lines that are too long by folds, and nothing
 * where a signature would break.
 */

#include <string.h>

#include "message/a-label.h"
#include "message/mime-entity.h"
#include "message/mime-fold.h"

static MessageMimeLeft
write_header (const gchar *header, MessageMimeHeaderForm form, const MessageSignature *signature, GString *out)
{
    const MessageMimeChange change = {.form = form, .signature = signature};

    g_string_truncate (out, 0);
    return message_mime_entity_write (header, strlen (header), &change, out);
}

static void
each_field_is_said_as_it_allows (void)
{
    static const struct {
        const gchar *field;
        const gchar *ascii; /* NULL: it cannot be said */
    } cases[] = {
        {"Subject: gr\xc3\xbc\xc3\x9f\x65 x\r\n", "Subject: =?UTF-8?Q?gr=C3=BC=C3=9Fe?= x\r\n"},
        {"From: \xc3\x84nne <a@b.example>\r\n", "From: =?UTF-8?Q?=C3=84nne?= <a@b.example>\r\n"},
        {"To: a@b\xc3\xbc\x63her.example (\xc3\xbc)\r\n", "To: a@xn--bcher-kva.example (=?UTF-8?Q?=C3=BC?=)\r\n"},
        {"To: a @ b\xc3\xbc\x63her.example\r\n", "To: a @ xn--bcher-kva.example\r\n"},
        {"Cc: G: <\"a b\"@B\xc3\x9c\x63her.example>;\r\n", "Cc: G: <\"a b\"@xn--bcher-kva.example>;\r\n"},
        {"Resent-To: a@b.example, c@\xe5\x85\xac\xe5\x8f\xb8.example\r\n",
         "Resent-To: a@b.example, c@xn--55qx5d.example\r\n"},
        {"To: \xc3\xbc@b.example\r\n", NULL},
        {"To: \"\xc3\xbc\"@b.example\r\n", NULL},
        {"To: <\xc3\xbc>\r\n", NULL},
        {"To: a@\xc3\xbc\xc2\xad\xe2\x80\xae.example\r\n", NULL}, /* a mark of direction is no letter */
        {"Message-ID: <1@\xc3\xbc.example>\r\n", "Message-ID: <1@xn--tda.example>\r\n"},
        {"Content-Type: x/y; name=\"\xc3\xbc.pdf\"\r\n", "Content-Type: x/y; name*=utf-8''%C3%BC.pdf\r\n"},
        {"Subject: gr\xfc\xdf\x65\r\n", "Subject: gr\xfc\xdf\x65\r\n"}, /* not UTF-8: for readers to guess */
    };
    g_autoptr (GString) out = g_string_new (NULL);

    for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
        MessageMimeLeft left = write_header (cases[i].field, MESSAGE_MIME_HEADER_NO_UTF8, NULL, out);

        g_assert_cmpint (left, ==, cases[i].ascii == NULL ? MESSAGE_MIME_LEFT_ADDRESS : 0);
        g_assert_cmpstr (out->str, ==, cases[i].ascii == NULL ? cases[i].field : cases[i].ascii);
        g_assert_cmpint (write_header (cases[i].field, MESSAGE_MIME_HEADER_ANY, NULL, out), ==, 0);
        g_assert_cmpstr (out->str, ==, cases[i].field);
    }
}

static void
addresses_have_a_form_in_ascii (void)
{
    static const gchar *const cases[][2] = {
        {"a@b.example", "a@b.example"},
        {"", ""},
        {"a@b\xc3\xbc\x63her.example", "a@xn--bcher-kva.example"},
        {"a@stra\xc3\x9f\x65.example", "a@xn--strae-oqa.example"}, /* IDNA2008, not "strasse" */
        {"a@xn--bcher-kva.b\xc3\xbc\x63her", "a@xn--bcher-kva.xn--bcher-kva"},
        {"\xc3\xbc@b.example", NULL},
        {"\xc3\xbc@\xc3\xbc.example", NULL},
    };

    for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
        g_autofree gchar *ascii = message_address_to_ascii (cases[i][0]);

        g_assert_cmpstr (ascii, ==, cases[i][1]);
    }
}

static void
signature_keeps_its_fields (void)
{
    static const struct {
        const gchar *form;
        const gchar *name;
        gboolean covered;
        gboolean folds_count;
    } cases[] = {
        {"relaxed/simple", "subject", TRUE, FALSE},
        {"relaxed", "FROM", TRUE, FALSE},
        {"simple/relaxed", "Subject", TRUE, TRUE},
        {"simple", "DKIM-Signature", TRUE, TRUE},
        {"relaxed", "DKIM-Signature", TRUE, FALSE},
        {"relaxed", "Comments", FALSE, FALSE},
        {"simple", "Sub", FALSE, FALSE},
    };

    for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
        g_autofree gchar *header = g_strdup_printf (
            "X: y\r\ndkim-signature: v=1; c=%s;\r\n\th=From :\r\n Subject; b=h=Comments\r\n\r\n", cases[i].form);
        MessageSignature *signature = message_signature_read (header, strlen (header));

        g_assert_nonnull (signature);
        g_assert_cmpint (message_signature_covers (signature, cases[i].name, strlen (cases[i].name), FALSE), ==,
                         cases[i].covered);
        g_assert_cmpint (message_signature_covers (signature, cases[i].name, strlen (cases[i].name), TRUE), ==,
                         cases[i].folds_count);
        message_signature_free (signature);
    }

    g_assert_null (message_signature_read ("Subject: x\r\n\r\n", strlen ("Subject: x\r\n\r\n")));
}

/* Unfolded it is what it was, and no line is too long; or it is said that one is. */
static void
expect_fold (const gchar *field, gboolean at_commas, gboolean fits)
{
    g_autoptr (GString) out = g_string_new (NULL);
    g_autofree gchar *unfolded = NULL;
    g_auto (GStrv) lines = NULL;
    gsize longest = 0;

    g_assert_cmpint (message_mime_fold (out, field, strlen (field), 998, at_commas), ==, fits);
    lines = g_strsplit (out->str, "\r\n", -1);
    for (guint i = 0; lines[i] != NULL; i++) {
        longest = MAX (longest, strlen (lines[i]));
        g_assert_true (*lines[i] == '\0' || strspn (lines[i], " \t") < strlen (lines[i]));
    }
    g_assert_cmpint (longest <= 998, ==, fits);
    if (at_commas)
        return;

    unfolded = g_strjoinv ("", lines);
    g_assert_true (g_str_has_prefix (field, unfolded));
    g_assert_cmpuint (strlen (unfolded) + 2, ==, strlen (field));
}

static void
long_lines_are_folded_at_blanks (void)
{
    g_autofree gchar *blanks = g_strnfill (1500, ' ');
    g_autofree gchar *letters = g_strnfill (1500, 'x');
    g_autoptr (GString) words = g_string_new ("Subject:");
    g_autoptr (GString) list = g_string_new ("To: ");
    g_autofree gchar *around = g_strdup_printf ("Subject:%sx%sy\r\n", blanks, blanks);
    g_autofree gchar *one = g_strdup_printf ("Subject: %s\r\n", letters);
    g_autofree gchar *mixed = g_strdup_printf ("Subject: a b %s c\r\n", letters);
    g_autofree gchar *quoted = g_strdup_printf ("To: \"%s,%s\"<a@b.example>\r\n", letters, letters);

    for (guint i = 0; i < 400; i++) {
        g_string_append_printf (words, " word%u", i);
        g_string_append_printf (list, "%s\"a,%u\"<b@c.example>", i > 0 ? "," : "", i);
    }
    g_string_append (words, "\r\n");
    g_string_append (list, "\r\n");

    expect_fold (words->str, FALSE, TRUE);
    expect_fold (list->str, TRUE, TRUE);
    expect_fold (list->str, FALSE, FALSE);
    expect_fold (one, FALSE, FALSE);
    expect_fold (mixed, FALSE, FALSE);
    expect_fold (quoted, TRUE, FALSE);
    expect_fold (around, FALSE, FALSE); /* the blanks themselves are a line */
}

gint
main (gint argc, gchar **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/message/mime-field/each-is-said-as-it-allows", each_field_is_said_as_it_allows);
    g_test_add_func ("/message/mime-field/addresses-have-a-form-in-ascii", addresses_have_a_form_in_ascii);
    g_test_add_func ("/message/mime-field/signature-keeps-its-fields", signature_keeps_its_fields);
    g_test_add_func ("/message/mime-field/long-lines-are-folded-at-blanks", long_lines_are_folded_at_blanks);
    return g_test_run ();
}
