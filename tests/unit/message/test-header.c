/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * A header section: where it ends, what its fields are, and that what nobody touched comes out as it came in.
 */

#include <string.h>

#include "message/header.h"

static void
expect_end (const gchar *data, gsize length, gsize expected)
{
    gsize body = G_MAXSIZE;

    g_assert_true (message_header_end (data, length, &body));
    g_assert_cmpuint (body, ==, expected);
}

static void
expect_no_end (const gchar *data)
{
    gsize body;

    g_assert_false (message_header_end (data, strlen (data), &body));
}

/* Where the body of @message starts, however many bytes of it are there yet. */
static void
expect_body (const gchar *message, const gchar *expected_body)
{
    gsize expected = strlen (message) - strlen (expected_body);

    g_assert_true (g_str_has_suffix (message, expected_body));
    expect_end (message, strlen (message), expected);

    for (gsize length = 0; length < strlen (message); length++) {
        g_autofree gchar *cut = g_memdup2 (message, length);
        gsize body;

        if (message_header_end (cut, length, &body))
            g_assert_cmpuint (body, ==, expected);
    }
}

static gchar *
write_header (const MessageHeader *header)
{
    GString *out = g_string_new (NULL);

    message_header_write (header, out);
    return g_string_free (out, FALSE);
}

static void
expect_round_trip (const gchar *section)
{
    g_autoptr (MessageHeader) header = message_header_parse (section, strlen (section));
    g_autofree gchar *written = write_header (header);

    g_assert_cmpstr (written, ==, section);
}

static void
empty_line_ends_it (void)
{
    expect_body ("Subject: a\r\nTo: b\r\n\r\nbody\r\n", "body\r\n");
    expect_body ("Subject: a\r\n folded\r\n\tmore\r\n\r\n\r\nbody", "\r\nbody");
}

static void
empty_line_may_come_first (void)
{
    expect_body ("\r\nbody\r\n", "body\r\n");
    expect_end ("\r\n", 2, 2);
}

static void
line_that_is_no_field_starts_the_body (void)
{
    expect_body ("Subject: a\r\nno field at all\r\nTo: b\r\n\r\n", "no field at all\r\nTo: b\r\n\r\n");
    expect_body ("Subject: a\r\n: no name\r\n", ": no name\r\n");
    expect_body ("Subject: a\r\nJürgen: b\r\n", "Jürgen: b\r\n");
    expect_body ("Subject: a\r\n\rb: c\r\n", "\rb: c\r\n");
}

static void
message_may_have_no_header (void)
{
    expect_body ("Hello, world\r\n", "Hello, world\r\n");
    expect_body (" indented: text\r\n", " indented: text\r\n");
    expect_body ("https//example.org is down\r\n", "https//example.org is down\r\n");
}

static void
more_is_needed_without_an_end (void)
{
    expect_no_end ("");
    expect_no_end ("\r");
    expect_no_end ("Subject");
    expect_no_end ("Subject: a");
    expect_no_end ("Subject: a\r");
    expect_no_end ("Subject: a\r\n");
    expect_no_end ("Subject: a\r\n ");
    expect_no_end ("Subject: a\r\nTo\t");
    expect_no_end ("Fro");
    expect_no_end (">From");
}

static void
only_crlf_ends_a_line (void)
{
    expect_no_end ("Subject: a\n\nbody");
    expect_body ("Subject: a\nb\r\n\r\nbody", "body");
}

static void
first_from_line_belongs_to_it (void)
{
    expect_body ("From root Thu Jan  1 00:00:00 1970\r\nSubject: a\r\n\r\nbody", "body");
    expect_body (">From root Thu Jan  1 00:00:00 1970\r\nSubject: a\r\n\r\nbody", "body");
    expect_body ("Subject: a\r\nFrom here on it is text\r\n", "From here on it is text\r\n");
}

static void
endless_name_is_no_field (void)
{
    g_autofree gchar *text = g_strnfill (4 * 1024 * 1024, 'x');

    expect_end (text, strlen (text), 0);
}

static void
name_may_be_998_bytes (void)
{
    g_autofree gchar *name = g_strnfill (MESSAGE_FIELD_NAME_LONGEST_BYTES, 'x');
    g_autofree gchar *fits = g_strconcat (name, ": a\r\n\r\n", NULL);
    g_autofree gchar *too_long = g_strconcat ("x", name, ": a\r\n\r\n", NULL);

    expect_end (fits, strlen (fits), strlen (fits));
    expect_end (too_long, strlen (too_long), 0);
}

static void
end_of_a_whole_message_is_always_known (void)
{
    static const struct {
        const gchar *message;
        gsize body;
    } cases[] = {
        {"", 0},
        {"Hello", 0},
        {"\r", 0},
        {"\r\n", 2},
        {"Subject: a", 10},
        {"Subject: a\r\n", 12},
        {"Subject: a\r\n folded", 19},
        {"Subject: a\r\nHello", 12},
        {"Subject: a\r\nTo: b", 17},
        {"Subject: a\r\n\r\nHello", 14},
        {"From root Thu", 13},
        {"Fro", 0},
        {"a\nb: c", 0},
    };

    for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
        g_assert_cmpuint (message_header_end_of_complete (cases[i].message, strlen (cases[i].message)), ==,
                          cases[i].body);
}

static void
untouched_fields_stay_to_the_byte (void)
{
    expect_round_trip ("\r\n");
    expect_round_trip ("Subject:a\r\nSUBJECT:  b \r\nx-empty:\r\nTo:\r\n\ta@b,\r\n \r\n   c@d\r\n\r\n");
    expect_round_trip ("Subject: \xfc\xff raw bytes\r\nFrom: \"=?utf-8?q?a?=\" (b (c)) <d@e>\r\n\r\n");
}

static void
field_has_name_and_body (void)
{
    static const gchar section[] = "Subject: one\r\n two\r\nTo:a@b\r\n\r\n";
    g_autoptr (MessageHeader) header = message_header_parse (section, strlen (section));

    g_assert_cmpuint (message_header_count (header), ==, 2);
    g_assert_cmpstr (message_header_field (header, 0)->name, ==, "Subject");
    g_assert_cmpstr (message_header_field (header, 0)->body, ==, " one\r\n two");
    g_assert_cmpstr (message_header_field (header, 1)->body, ==, "a@b");
}

static void
section_may_lack_the_empty_line (void)
{
    static const gchar *const sections[] = {"Subject: a\r\nTo: b", "Subject: a\r\nTo: b\r\n",
                                            "Subject: a\r\nTo: b\r\n\r\n"};

    for (guint i = 0; i < G_N_ELEMENTS (sections); i++) {
        g_autoptr (MessageHeader) header = message_header_parse (sections[i], strlen (sections[i]));
        g_autofree gchar *written = write_header (header);

        g_assert_cmpstr (written, ==, "Subject: a\r\nTo: b\r\n\r\n");
    }
}

static void
from_line_is_dropped (void)
{
    static const gchar section[] = "From root Thu Jan  1 00:00:00 1970\r\n continued\r\nSubject: a\r\n\r\n";
    g_autoptr (MessageHeader) header = message_header_parse (section, strlen (section));
    g_autofree gchar *written = write_header (header);

    g_assert_cmpstr (written, ==, "Subject: a\r\n\r\n");
}

static void
space_before_the_colon_is_dropped (void)
{
    static const gchar section[] = "Subject \t: a\r\n\r\n";
    g_autoptr (MessageHeader) header = message_header_parse (section, strlen (section));
    g_autofree gchar *written = write_header (header);

    g_assert_cmpstr (message_header_find (header, "Subject")->body, ==, " a");
    g_assert_cmpstr (written, ==, "Subject: a\r\n\r\n");
}

static void
nul_bytes_are_dropped (void)
{
    static const gchar section[] = "Subject: a\0b\r\nTo: c\r\n\r\n";
    g_autoptr (MessageHeader) header = message_header_parse (section, sizeof (section) - 1);
    g_autofree gchar *written = write_header (header);

    g_assert_cmpstr (written, ==, "Subject: ab\r\nTo: c\r\n\r\n");
}

/* Some readers end a line there, but none of ours would find the same header twice. */
static void
nul_bytes_leave_no_end_of_a_line_behind (void)
{
    static const gchar section[] = "Subject: a\r\0\nBcc: b\r\r\0\0\n\r\n\r\n";
    g_autoptr (MessageHeader) header = message_header_parse (section, sizeof (section) - 1);
    g_autofree gchar *written = write_header (header);

    g_assert_cmpstr (written, ==, "Subject: a\nBcc: b\n\r\n\r\n");
    g_assert_cmpuint (message_header_count (header), ==, 1);
    g_assert_null (message_header_find (header, "Bcc"));
}

static void
empty_section_has_no_fields (void)
{
    g_autoptr (MessageHeader) nothing = message_header_parse (NULL, 0);
    g_autoptr (MessageHeader) line = message_header_parse ("\r\n", 2);

    g_assert_cmpuint (message_header_count (nothing), ==, 0);
    g_assert_cmpuint (message_header_count (line), ==, 0);
    g_assert_null (message_header_find (line, "Subject"));
}

static void
find_takes_the_first_whatever_its_case (void)
{
    static const gchar section[] = "SUBJECT: one\r\nSubject: two\r\n\r\n";
    g_autoptr (MessageHeader) header = message_header_parse (section, strlen (section));

    g_assert_cmpstr (message_header_find (header, "subject")->body, ==, " one");
    g_assert_null (message_header_find (header, "Subjec"));
}

static void
remove_takes_all_of_a_name (void)
{
    static const gchar section[] = "Bcc: a\r\nTo: b\r\nBCC: c\r\n d\r\n\r\n";
    g_autoptr (MessageHeader) header = message_header_parse (section, strlen (section));
    g_autofree gchar *written = NULL;

    g_assert_cmpuint (message_header_remove (header, "Bcc"), ==, 2);
    g_assert_cmpuint (message_header_remove (header, "Bcc"), ==, 0);
    written = write_header (header);
    g_assert_cmpstr (written, ==, "To: b\r\n\r\n");
}

static void
fields_are_added_at_both_ends (void)
{
    g_autoptr (MessageHeader) header = message_header_parse ("To: b\r\n", 7);
    g_autofree gchar *written = NULL;

    message_header_prepend (header, "Received", "from a");
    message_header_append (header, "Date", "today");
    message_header_replace (header, 1, "\r\n\tc");
    written = write_header (header);
    g_assert_cmpstr (written, ==, "Received: from a\r\nTo:\r\n\tc\r\nDate: today\r\n\r\n");
}

static void
hundred_thousand_fields_take_no_time (void)
{
    g_autoptr (GString) section = g_string_new (NULL);
    g_autoptr (MessageHeader) header = NULL;
    gsize body;

    for (guint i = 0; i < 100000; i++)
        g_string_append (section, i % 2 == 0 ? "Bcc: a\r\n" : "X: b\r\n c\r\n");
    g_string_append (section, "\r\n");

    /* Takes milliseconds; were it quadratic, the test would run out of its time. */
    g_assert_true (message_header_end (section->str, section->len, &body));
    header = message_header_parse (section->str, section->len);
    g_assert_cmpuint (message_header_remove (header, "bcc"), ==, 50000);
    g_assert_cmpuint (message_header_count (header), ==, 50000);
}

gint
main (gint argc, gchar **argv)
{
    g_test_init (&argc, &argv, NULL);

    g_test_add_func ("/message/header/empty-line-ends-it", empty_line_ends_it);
    g_test_add_func ("/message/header/empty-line-may-come-first", empty_line_may_come_first);
    g_test_add_func ("/message/header/line-that-is-no-field-starts-the-body", line_that_is_no_field_starts_the_body);
    g_test_add_func ("/message/header/message-may-have-no-header", message_may_have_no_header);
    g_test_add_func ("/message/header/more-is-needed-without-an-end", more_is_needed_without_an_end);
    g_test_add_func ("/message/header/only-crlf-ends-a-line", only_crlf_ends_a_line);
    g_test_add_func ("/message/header/first-from-line-belongs-to-it", first_from_line_belongs_to_it);
    g_test_add_func ("/message/header/endless-name-is-no-field", endless_name_is_no_field);
    g_test_add_func ("/message/header/name-may-be-998-bytes", name_may_be_998_bytes);
    g_test_add_func ("/message/header/end-of-a-whole-message-is-always-known",
                     end_of_a_whole_message_is_always_known);
    g_test_add_func ("/message/header/untouched-fields-stay-to-the-byte", untouched_fields_stay_to_the_byte);
    g_test_add_func ("/message/header/field-has-name-and-body", field_has_name_and_body);
    g_test_add_func ("/message/header/section-may-lack-the-empty-line", section_may_lack_the_empty_line);
    g_test_add_func ("/message/header/from-line-is-dropped", from_line_is_dropped);
    g_test_add_func ("/message/header/space-before-the-colon-is-dropped", space_before_the_colon_is_dropped);
    g_test_add_func ("/message/header/nul-bytes-are-dropped", nul_bytes_are_dropped);
    g_test_add_func ("/message/header/nul-bytes-leave-no-end-of-a-line-behind",
                     nul_bytes_leave_no_end_of_a_line_behind);
    g_test_add_func ("/message/header/empty-section-has-no-fields", empty_section_has_no_fields);
    g_test_add_func ("/message/header/find-takes-the-first-whatever-its-case",
                     find_takes_the_first_whatever_its_case);
    g_test_add_func ("/message/header/remove-takes-all-of-a-name", remove_takes_all_of_a_name);
    g_test_add_func ("/message/header/fields-are-added-at-both-ends", fields_are_added_at_both_ends);
    g_test_add_func ("/message/header/hundred-thousand-fields-take-no-time", hundred_thousand_fields_take_no_time);

    return g_test_run ();
}
