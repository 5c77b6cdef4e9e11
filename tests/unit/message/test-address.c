/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Addresses of the envelope: what is one, what is not, and the one spelling that each mailbox has.
 */

#include <string.h>

#include "message/address.h"
#include "message/error.h"

static void
expect_path (const gchar *text, MessagePathFlags flags, const gchar *expected)
{
    g_autoptr (GError) error = NULL;
    g_autofree gchar *address = NULL;
    gsize consumed = 0;

    address = message_path_parse (text, strlen (text), flags, &consumed, &error);
    g_assert_no_error (error);
    g_assert_cmpstr (address, ==, expected);
    g_assert_cmpuint (consumed, ==, strlen (text));
}

static void
expect_no_path (const gchar *text, gsize length, MessagePathFlags flags, gint code)
{
    g_autoptr (GError) error = NULL;
    g_autofree gchar *address = message_path_parse (text, length, flags, NULL, &error);

    g_assert_cmpstr (address, ==, NULL);
    g_assert_error (error, MESSAGE_ERROR, code);
    g_assert_true (g_utf8_validate (error->message, -1, NULL));
    g_assert_null (strpbrk (error->message, "\r\n\x1b"));
}

static void
expect_syntax_error (const gchar *text)
{
    expect_no_path (text, strlen (text), MESSAGE_PATH_BARE | MESSAGE_PATH_UTF8, MESSAGE_ERROR_SYNTAX);
}

static void
dots_at_wrong_places_are_told_as_such (void)
{
    static const struct {
        const gchar *text;
        const gchar *words;
    } cases[] = {
        {"<.a@example.org>", "starts with a dot, which takes quotes"},
        {"<a.@example.org>", "ends with a dot, which takes quotes"},
        {"<a..b@example.org>", "has two dots in a row, which takes quotes"},
        {"<@example.org>", "source route"},
        {"<a@.example.org>", "its domain starts with a dot"},
        {"<a@example..org>", "its domain has two dots in a row"},
        {"<a@example.org..>", "its domain has two dots in a row"},
        {"<a@>", "its domain is missing"},
    };

    for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
        g_autoptr (GError) error = NULL;
        g_autofree gchar *address =
            message_path_parse (cases[i].text, strlen (cases[i].text), MESSAGE_PATH_DEFAULT, NULL, &error);

        g_assert_null (address);
        g_assert_error (error, MESSAGE_ERROR, MESSAGE_ERROR_SYNTAX);
        g_assert_nonnull (strstr (error->message, cases[i].words));
    }
}

static void
plain_mailbox_stays (void)
{
    expect_path ("<user@example.org>", 0, "user@example.org");
    expect_path ("<First.Last+tag@mail.example.org>", 0, "First.Last+tag@mail.example.org");
    expect_path ("<!#$%&'*+-/=?^_`{|}~@example.org>", 0, "!#$%&'*+-/=?^_`{|}~@example.org");
    expect_path ("<a@localhost>", 0, "a@localhost");
    expect_path ("<a@host_1.example.org>", 0, "a@host_1.example.org");
}

static void
domain_is_lower_case (void)
{
    expect_path ("<User@EXAMPLE.Org>", 0, "User@example.org");
    expect_path ("<user@BÜCHER.example>", MESSAGE_PATH_UTF8, "user@bücher.example");
}

static void
source_route_is_dropped (void)
{
    expect_path ("<@one.example,@two.example:user@example.org>", 0, "user@example.org");
    expect_path ("<@[192.0.2.1]:user@example.org>", 0, "user@example.org");
    expect_syntax_error ("<@one.example user@example.org>");
    expect_syntax_error ("<@one.example,two.example:user@example.org>");
    expect_syntax_error ("<@:user@example.org>");
    expect_syntax_error ("<@one.example:>");
}

static void
quotes_are_kept_where_needed (void)
{
    expect_path ("<\"two words\"@example.org>", 0, "\"two words\"@example.org");
    expect_path ("<\"a@b\"@example.org>", 0, "\"a@b\"@example.org");
    expect_path ("<\"a>b\"@example.org>", 0, "\"a>b\"@example.org");
    expect_path ("<\"a..b\"@example.org>", 0, "\"a..b\"@example.org");
    expect_path ("<\".a\"@example.org>", 0, "\".a\"@example.org");
    expect_path ("<\"a.\"@example.org>", 0, "\"a.\"@example.org");
    expect_path ("<\"\"@example.org>", 0, "\"\"@example.org");
    expect_path ("<\"a\\\"b\\\\c\"@example.org>", 0, "\"a\\\"b\\\\c\"@example.org");
}

static void
needless_quotes_are_lost (void)
{
    expect_path ("<\"user\"@example.org>", 0, "user@example.org");
    expect_path ("<\"us\\er\"@example.org>", 0, "user@example.org");
    expect_path ("<\"a.b\"@example.org>", 0, "a.b@example.org");
}

static void
bad_quotes_are_refused (void)
{
    expect_syntax_error ("<\"user@example.org>");
    expect_syntax_error ("<\"user\\");
    expect_syntax_error ("<\"us\ter\"@example.org>");
    expect_syntax_error ("<\"a\"b@example.org>");
    expect_syntax_error ("<\"a\"\"b\"@example.org>");
    expect_syntax_error ("<a\"b\"@example.org>");
    expect_syntax_error ("<a.\"b@example.org>");
}

static void
misplaced_dot_is_refused (void)
{
    expect_syntax_error ("<.user@example.org>");
    expect_syntax_error ("<user.@example.org>");
    expect_syntax_error ("<us..er@example.org>");
    expect_syntax_error ("<user@example..org>");
    expect_syntax_error ("<user@.example.org>");
    expect_syntax_error ("<user@example.org..>");
    expect_syntax_error ("<user@.>");
    expect_syntax_error ("<a.\"b\".@example.org>");
    expect_syntax_error ("<a..\"b\"@example.org>");
}

static void
words_in_quotes_may_stand_between_dots (void)
{
    expect_path ("<a.\"b\".c@example.org>", 0, "a.b.c@example.org");
    expect_path ("<\"a\".\"b\"@example.org>", 0, "a.b@example.org");
    expect_path ("<\"a\".b@example.org>", 0, "a.b@example.org");
    expect_path ("<a.\"b c\".d@example.org>", 0, "\"a.b c.d\"@example.org");
    expect_path ("<a.\"@\"@example.org>", 0, "\"a.@\"@example.org");
    expect_path ("<a.\"\"@example.org>", 0, "\"a.\"@example.org");
    expect_path ("<\"\".a@example.org>", 0, "\".a\"@example.org");
    expect_path ("<ü.\"b\"@example.org>", MESSAGE_PATH_UTF8, "ü.b@example.org");
}

static void
one_dot_behind_the_domain_is_dropped (void)
{
    expect_path ("<user@example.org.>", 0, "user@example.org");
    expect_path ("<user@localhost.>", 0, "user@localhost");
    expect_path ("<@one.example.,@two.example.:user@example.org.>", 0, "user@example.org");
    expect_path ("<user@BÜCHER.example.>", MESSAGE_PATH_UTF8, "user@bücher.example");
}

static void
malformed_path_is_refused (void)
{
    expect_syntax_error ("");
    expect_syntax_error ("<");
    expect_syntax_error ("user@example.org");
    expect_syntax_error ("<user@example.org");
    expect_syntax_error ("< user@example.org>");
    expect_syntax_error ("<user@example.org >");
    expect_syntax_error ("<user@>");
    expect_syntax_error ("<@example.org>");
    expect_syntax_error ("<user@-example.org>");
    expect_syntax_error ("<user@example-.org>");
    expect_syntax_error ("<user@exam ple.org>");
    expect_syntax_error ("<us er@example.org>");
    expect_syntax_error ("<a@b@example.org>");
    expect_syntax_error ("<a,b@example.org>");
    expect_syntax_error ("<user@example.org\r\n>");
    expect_syntax_error ("<user\x1b[2J@example.org>");
}

static void
nul_byte_is_refused (void)
{
    expect_no_path ("<us\0er@example.org>", 19, 0, MESSAGE_ERROR_SYNTAX);
    expect_no_path ("<user@exam\0ple.org>", 19, 0, MESSAGE_ERROR_SYNTAX);
    expect_no_path ("<\"us\0er\"@example.org>", 21, 0, MESSAGE_ERROR_SYNTAX);
    expect_no_path ("<user@[192.0.2.1\0]>", 19, 0, MESSAGE_ERROR_SYNTAX);
}

static void
only_a_sender_is_null (void)
{
    expect_path ("<>", MESSAGE_PATH_NULL, "");
    expect_syntax_error ("<>");
}

static void
postmaster_needs_no_domain (void)
{
    expect_path ("<postmaster>", 0, "postmaster");
    expect_path ("<PostMaster>", 0, "postmaster");
    expect_path ("<Postmaster@example.org>", 0, "Postmaster@example.org");
}

static void
bare_name_only_where_allowed (void)
{
    expect_path ("<root>", MESSAGE_PATH_BARE, "root");
    expect_path ("<\"two words\">", MESSAGE_PATH_BARE, "\"two words\"");
    expect_no_path ("<root>", 6, 0, MESSAGE_ERROR_SYNTAX);
}

static void
address_literals_are_normalized (void)
{
    expect_path ("<user@[192.0.2.1]>", 0, "user@[192.0.2.1]");
    expect_path ("<user@[IPv6:2001:DB8:0:0::1]>", 0, "user@[IPv6:2001:db8::1]");
    expect_path ("<user@[ipv6:::1]>", 0, "user@[IPv6:::1]");
    expect_path ("<user@[IPv6:::ffff:192.0.2.1]>", 0, "user@[IPv6:::ffff:192.0.2.1]");
}

static void
bad_address_literals_are_refused (void)
{
    expect_syntax_error ("<user@[]>");
    expect_syntax_error ("<user@[192.0.2]>");
    expect_syntax_error ("<user@[192.0.2.256]>");
    expect_syntax_error ("<user@[192.0.2.1>");
    expect_syntax_error ("<user@[192.0.2.1]x>");
    expect_syntax_error ("<user@[2001:db8::1]>");
    expect_syntax_error ("<user@[IPv6:192.0.2.1]>");
    expect_syntax_error ("<user@[IPv6:1:2:3]>");
    expect_syntax_error ("<user@[IPv6:fe80::1%eth0]>");
    expect_syntax_error ("<user@[x400:abc]>");
}

static void
utf8_only_with_smtputf8 (void)
{
    static const gchar utf8_local[] = "<jürgen@example.org>";
    static const gchar utf8_domain[] = "<user@bücher.example>";

    expect_path (utf8_local, MESSAGE_PATH_UTF8, "jürgen@example.org");
    expect_path (utf8_domain, MESSAGE_PATH_UTF8, "user@bücher.example");
    expect_path ("<\"jür gen\"@example.org>", MESSAGE_PATH_UTF8, "\"jür gen\"@example.org");
    expect_no_path (utf8_local, strlen (utf8_local), 0, MESSAGE_ERROR_UTF8);
    expect_no_path (utf8_domain, strlen (utf8_domain), 0, MESSAGE_ERROR_UTF8);
}

static void
broken_utf8_is_refused (void)
{
    static const gchar *const broken[] = {"<j\xfcrgen@example.org>",    "<j\xc3@example.org>",
                                          "<\"\xff\"@example.org>",     "<user@b\xc0\xaf.example>",
                                          "<\xed\xa0\x80@example.org>", "<a\xe2\x82"};

    for (guint i = 0; i < G_N_ELEMENTS (broken); i++)
        expect_no_path (broken[i], strlen (broken[i]), MESSAGE_PATH_UTF8, MESSAGE_ERROR_UTF8);
}

static void
invisible_unicode_is_refused (void)
{
    expect_syntax_error ("<us\xc2\x85"
                         "er@example.org>"); /* NEL, a line end to some readers */
    expect_syntax_error ("<us\xe2\x80\xa8"
                         "er@example.org>"); /* LINE SEPARATOR */
    expect_syntax_error ("<user@exam\xc2\xa0ple.org>");
}

static void
path_up_to_the_limit (void)
{
    g_autofree gchar *label = g_strnfill (63, 'd');
    g_autofree gchar *local_long = g_strnfill (190, 'l');
    g_autofree gchar *fits = g_strdup_printf ("<%s@%s>", local_long, label);
    g_autofree gchar *too_long = g_strdup_printf ("<l%s@%s>", local_long, label);

    g_assert_cmpuint (strlen (fits), ==, MESSAGE_PATH_LONGEST_BYTES);
    g_assert_cmpuint (strlen (too_long), ==, MESSAGE_PATH_LONGEST_BYTES + 1);
    g_autofree gchar *address = message_path_parse (fits, strlen (fits), 0, NULL, NULL);
    g_assert_nonnull (address);
    expect_no_path (too_long, strlen (too_long), 0, MESSAGE_ERROR_TOO_LONG);
}

static void
long_local_part_of_a_bounce_address_is_fine (void)
{
    expect_path (
        "<list-bounces+SRS0=Hx7s=AB=customer.example.com=a.rather.long.name+and.a.tag@forwarder.example.org>", 0,
        "list-bounces+SRS0=Hx7s=AB=customer.example.com=a.rather.long.name+and.a.tag@forwarder.example.org");
}

static void
long_label_is_refused (void)
{
    g_autofree gchar *label = g_strnfill (64, 'd');
    g_autofree gchar *path = g_strdup_printf ("<user@%s.example>", label);

    expect_no_path (path, strlen (path), 0, MESSAGE_ERROR_TOO_LONG);
}

static void
enormous_input_is_refused (void)
{
    g_autofree gchar *text = g_strnfill (4 * 1024 * 1024, 'a');
    g_autoptr (GError) error = NULL;

    text[0] = '<';
    g_assert_null (message_path_parse (text, strlen (text), MESSAGE_PATH_BARE, NULL, &error));
    g_assert_cmpuint (strlen (error->message), <, 1000);
}

static void
consumed_tells_where_parameters_start (void)
{
    static const gchar line[] = "<user@example.org> SIZE=1000";
    gsize consumed = 0;
    g_autofree gchar *address = message_path_parse (line, strlen (line), 0, &consumed, NULL);

    g_assert_cmpstr (address, ==, "user@example.org");
    g_assert_cmpstr (line + consumed, ==, " SIZE=1000");
}

static void
nothing_is_read_past_the_length (void)
{
    g_autofree gchar *heap = g_memdup2 ("<user@example.org>", 18);

    for (gsize length = 0; length < 18; length++) {
        g_autofree gchar *cut = g_memdup2 (heap, length);
        g_assert_null (message_path_parse (cut, length, MESSAGE_PATH_BARE, NULL, NULL));
    }
}

static void
error_quotes_the_offending_text (void)
{
    g_autoptr (GError) error = NULL;

    g_assert_null (message_address_parse ("us er@example.org", 0, &error));
    g_assert_nonnull (strstr (error->message, "us er@example.org"));
}

static void
address_with_or_without_brackets (void)
{
    static const gchar *const spellings[] = {"user@example.org", "<user@example.org>", "  user@EXAMPLE.org\n",
                                             "@relay.example:user@example.org"};

    for (guint i = 0; i < G_N_ELEMENTS (spellings); i++) {
        g_autoptr (GError) error = NULL;
        g_autofree gchar *address = message_address_parse (spellings[i], 0, &error);

        g_assert_no_error (error);
        g_assert_cmpstr (address, ==, "user@example.org");
    }
}

static void
address_takes_the_whole_string (void)
{
    g_assert_null (message_address_parse ("<user@example.org> more", 0, NULL));
    g_assert_null (message_address_parse ("user@example.org>", 0, NULL));
    g_assert_null (message_address_parse ("user@example.org, other@example.org", 0, NULL));
    g_assert_null (message_address_parse ("", MESSAGE_PATH_BARE, NULL));
}

static void
empty_string_is_a_null_sender (void)
{
    g_autofree gchar *empty = message_address_parse (" ", MESSAGE_PATH_NULL, NULL);
    g_autofree gchar *brackets = message_address_parse ("<>", MESSAGE_PATH_NULL, NULL);

    g_assert_cmpstr (empty, ==, "");
    g_assert_cmpstr (brackets, ==, "");
}

static void
domain_follows_the_right_at (void)
{
    g_assert_cmpstr (message_address_domain ("user@example.org"), ==, "example.org");
    g_assert_cmpstr (message_address_domain ("\"a@b\"@example.org"), ==, "example.org");
    g_assert_cmpstr (message_address_domain ("\"a@b\""), ==, NULL);
    g_assert_cmpstr (message_address_domain ("root"), ==, NULL);
    g_assert_cmpstr (message_address_domain (""), ==, NULL);
}

static void
only_bare_addresses_are_completed (void)
{
    static const struct {
        const gchar *address;
        const gchar *expected;
    } cases[] = {{"root", "root@example.org"},       {"root@host.example", "root@host.example"},
                 {"\"a@b\"", "\"a@b\"@example.org"}, {"root@localhost", "root@example.org"},
                 {"root@host", "root@host"},         {"", ""}};
    const MessageCompletion completion = {.domain = "example.org"};

    for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
        g_autofree gchar *completed = message_address_complete (cases[i].address, &completion);

        g_assert_cmpstr (completed, ==, cases[i].expected);
    }
}

static void
short_names_of_hosts_get_their_parent (void)
{
    static const struct {
        const gchar *address;
        const gchar *expected;
    } cases[] = {{"root", "root@host.example.org"},
                 {"root@other", "root@other.example.net"},
                 {"\"a@b\"@other", "\"a@b\"@other.example.net"},
                 {"gr\303\266\303\237e@b\303\274cher", "gr\303\266\303\237e@b\303\274cher.example.net"},
                 {"root@localhost", "root@host.example.org"},
                 {"root@LocalHost", "root@host.example.org"},
                 {"root@localhost.localdomain", "root@host.example.org"},
                 {"root@other.example", "root@other.example"},
                 {"root@[192.0.2.1]", "root@[192.0.2.1]"},
                 {"root@[IPv6:::1]", "root@[IPv6:::1]"},
                 {"", ""}};
    const MessageCompletion completion = {.domain = "host.example.org", .parent = "example.net"};

    for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
        g_autofree gchar *completed = message_address_complete (cases[i].address, &completion);

        g_assert_cmpstr (completed, ==, cases[i].expected);
        g_assert_cmpint (message_address_is_complete (cases[i].address, &completion), ==,
                         g_str_equal (cases[i].address, cases[i].expected));
        g_assert_true (message_address_is_complete (completed, &completion));
    }
}

static void
case_counts_in_the_local_part_only (void)
{
    g_assert_true (message_address_equal ("user@example.org", "user@EXAMPLE.org"));
    g_assert_false (message_address_equal ("user@example.org", "User@example.org"));
    g_assert_false (message_address_equal ("user@example.org", "user"));
    g_assert_true (message_address_equal ("", ""));
}

static void
ascii_addresses_are_told_apart (void)
{
    g_assert_true (message_address_is_ascii ("user@example.org"));
    g_assert_false (message_address_is_ascii ("user@bücher.example"));
}

gint
main (gint argc, gchar **argv)
{
    g_test_init (&argc, &argv, NULL);

    g_test_add_func ("/message/address/dots-at-wrong-places-are-told-as-such", dots_at_wrong_places_are_told_as_such);
    g_test_add_func ("/message/address/plain-mailbox-stays", plain_mailbox_stays);
    g_test_add_func ("/message/address/domain-is-lower-case", domain_is_lower_case);
    g_test_add_func ("/message/address/source-route-is-dropped", source_route_is_dropped);
    g_test_add_func ("/message/address/quotes-are-kept-where-needed", quotes_are_kept_where_needed);
    g_test_add_func ("/message/address/needless-quotes-are-lost", needless_quotes_are_lost);
    g_test_add_func ("/message/address/bad-quotes-are-refused", bad_quotes_are_refused);
    g_test_add_func ("/message/address/misplaced-dot-is-refused", misplaced_dot_is_refused);
    g_test_add_func ("/message/address/words-in-quotes-may-stand-between-dots",
                     words_in_quotes_may_stand_between_dots);
    g_test_add_func ("/message/address/one-dot-behind-the-domain-is-dropped", one_dot_behind_the_domain_is_dropped);
    g_test_add_func ("/message/address/malformed-path-is-refused", malformed_path_is_refused);
    g_test_add_func ("/message/address/nul-byte-is-refused", nul_byte_is_refused);
    g_test_add_func ("/message/address/only-a-sender-is-null", only_a_sender_is_null);
    g_test_add_func ("/message/address/postmaster-needs-no-domain", postmaster_needs_no_domain);
    g_test_add_func ("/message/address/bare-name-only-where-allowed", bare_name_only_where_allowed);
    g_test_add_func ("/message/address/address-literals-are-normalized", address_literals_are_normalized);
    g_test_add_func ("/message/address/bad-address-literals-are-refused", bad_address_literals_are_refused);
    g_test_add_func ("/message/address/utf8-only-with-smtputf8", utf8_only_with_smtputf8);
    g_test_add_func ("/message/address/broken-utf8-is-refused", broken_utf8_is_refused);
    g_test_add_func ("/message/address/invisible-unicode-is-refused", invisible_unicode_is_refused);
    g_test_add_func ("/message/address/path-up-to-the-limit", path_up_to_the_limit);
    g_test_add_func ("/message/address/long-local-part-of-a-bounce-address-is-fine",
                     long_local_part_of_a_bounce_address_is_fine);
    g_test_add_func ("/message/address/long-label-is-refused", long_label_is_refused);
    g_test_add_func ("/message/address/enormous-input-is-refused", enormous_input_is_refused);
    g_test_add_func ("/message/address/consumed-tells-where-parameters-start", consumed_tells_where_parameters_start);
    g_test_add_func ("/message/address/nothing-is-read-past-the-length", nothing_is_read_past_the_length);
    g_test_add_func ("/message/address/error-quotes-the-offending-text", error_quotes_the_offending_text);
    g_test_add_func ("/message/address/with-or-without-brackets", address_with_or_without_brackets);
    g_test_add_func ("/message/address/takes-the-whole-string", address_takes_the_whole_string);
    g_test_add_func ("/message/address/empty-string-is-a-null-sender", empty_string_is_a_null_sender);
    g_test_add_func ("/message/address/domain-follows-the-right-at", domain_follows_the_right_at);
    g_test_add_func ("/message/address/only-bare-addresses-are-completed", only_bare_addresses_are_completed);
    g_test_add_func ("/message/address/short-names-of-hosts-get-their-parent", short_names_of_hosts_get_their_parent);
    g_test_add_func ("/message/address/case-counts-in-the-local-part-only", case_counts_in_the_local_part_only);
    g_test_add_func ("/message/address/ascii-addresses-are-told-apart", ascii_addresses_are_told_apart);

    return g_test_run ();
}
