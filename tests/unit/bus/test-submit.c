/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "bus/submit.h"

#include "bus/error.h"

#define RECIPIENTS_MOST 3

static MessageEnvelope *
make_envelope (const gchar *sender, const gchar *recipients, const gchar *options, GError **error)
{
    g_autoptr (GVariant) recipient_array = g_variant_parse (NULL, recipients, NULL, NULL, NULL);
    g_autoptr (GVariant) option_dictionary = g_variant_parse (NULL, options, NULL, NULL, NULL);

    return bus_submit_envelope (sender, recipient_array, RECIPIENTS_MOST, option_dictionary, error);
}

static void
assert_refused (const gchar *sender, const gchar *recipients, const gchar *options, const gchar *words)
{
    g_autoptr (GError) error = NULL;
    g_autoptr (MessageEnvelope) envelope = make_envelope (sender, recipients, options, &error);

    g_test_message ("%s %s %s", sender, recipients, options);
    g_assert_null (envelope);
    g_assert_error (error, BUS_ERROR, BUS_ERROR_INVALID_ARGUMENT);
    g_test_message ("%s", error->message);
    g_assert_nonnull (g_strstr_len (error->message, -1, words));
}

static void
test_envelope_is_as_the_arguments_say (void)
{
    g_autoptr (MessageEnvelope) envelope = make_envelope (
        "Ann@EXAMPLE.org", "['bob@example.net', 'root']",
        "{'notify': <'success, delay'>, 'return': <'headers'>, 'envelope-id': <'QQ+1'>, 'smtputf8': <true>, "
        "'body': <'8bitmime'>}",
        NULL);

    g_assert_nonnull (envelope);
    g_assert_cmpstr (envelope->sender, ==, "Ann@example.org");
    g_assert_cmpuint (envelope->recipients->len, ==, 2);
    g_assert_cmpstr (message_envelope_recipient (envelope, 0)->address, ==, "bob@example.net");
    g_assert_cmpstr (message_envelope_recipient (envelope, 1)->address, ==, "root");
    g_assert_cmpint (message_envelope_recipient (envelope, 1)->notify, ==,
                     MESSAGE_NOTIFY_SUCCESS | MESSAGE_NOTIFY_DELAY);
    g_assert_cmpint (envelope->ret, ==, MESSAGE_RETURN_HEADERS);
    g_assert_cmpstr (envelope->envid, ==, "QQ+1");
    g_assert_true (envelope->smtputf8);
    g_assert_cmpint (envelope->body, ==, MESSAGE_BODY_8BITMIME);
}

static void
test_options_may_be_left_out (void)
{
    g_autoptr (MessageEnvelope) envelope = make_envelope ("", "['bob@example.net']", "@a{sv} {}", NULL);

    g_assert_nonnull (envelope);
    g_assert_cmpstr (envelope->sender, ==, "");
    g_assert_cmpint (message_envelope_recipient (envelope, 0)->notify, ==, 0);
    g_assert_cmpint (envelope->ret, ==, MESSAGE_RETURN_UNSET);
    g_assert_null (envelope->envid);
    g_assert_false (envelope->smtputf8);
    g_assert_cmpint (envelope->body, ==, MESSAGE_BODY_7BIT);
}

static void
test_recipient_named_twice_is_one (void)
{
    g_autoptr (MessageEnvelope) envelope =
        make_envelope ("", "['bob@example.net', 'bob@EXAMPLE.net']", "@a{sv} {}", NULL);

    g_assert_nonnull (envelope);
    g_assert_cmpuint (envelope->recipients->len, ==, 1);
}

static void
test_address_that_is_none_is_refused (void)
{
    assert_refused ("two words@example.org", "['bob@example.net']", "@a{sv} {}", "sender");
    assert_refused ("a@b.example", "['bob@example.net', 'x@y@z.example']", "@a{sv} {}", "recipient");
    assert_refused ("a@b.example", "['']", "@a{sv} {}", "recipient");
    assert_refused ("a@b.example", "['<>']", "@a{sv} {}", "recipient");
    assert_refused ("a@b.example", "['bob@example.net\\r\\nRCPT TO:<eve@example.net>']", "@a{sv} {}", "recipient");
}

static void
test_no_recipient_is_refused (void)
{
    assert_refused ("a@b.example", "@as []", "@a{sv} {}", "recipient");
}

static void
test_there_are_no_more_recipients_than_there_may_be (void)
{
    g_autoptr (GError) error = NULL;
    g_autoptr (MessageEnvelope) allowed = make_envelope ("", "['a', 'b', 'c']", "@a{sv} {}", NULL);
    g_autoptr (MessageEnvelope) refused = make_envelope ("", "['a', 'b', 'c', 'no address@']", "@a{sv} {}", &error);

    g_assert_cmpuint (allowed->recipients->len, ==, 3);
    g_assert_null (refused);
    g_assert_error (error, BUS_ERROR, BUS_ERROR_LIMIT_EXCEEDED);
}

static void
test_option_that_is_none_is_refused (void)
{
    assert_refused ("", "['b@c.example']", "{'Notify': <'never'>}", "“Notify”");
    assert_refused ("", "['b@c.example']", "{'notify': <true>}", "“notify”");
    assert_refused ("", "['b@c.example']", "{'notify': <''>}", "“notify”");
    assert_refused ("", "['b@c.example']", "{'notify': <'success,'>}", "“notify”");
    assert_refused ("", "['b@c.example']", "{'notify': <'always'>}", "“always”");
    assert_refused ("", "['b@c.example']", "{'notify': <'never,delay'>}", "“never,delay”");
    assert_refused (
        "", "['b@c.example']",
        "{'notify': <'success,success,success,success,success,success,success,success,success,success,success,"
        "success,success,success,success,success,success,success,success,success,success,success,success'>}",
        "“notify”");
    assert_refused ("", "['b@c.example']", "{'return': <'body'>}", "“body”");
    assert_refused ("", "['b@c.example']", "{'envelope-id': <''>}", "“envelope-id”");
    assert_refused ("", "['b@c.example']", "{'envelope-id': <'a\\nb'>}", "“envelope-id”");
    assert_refused ("", "['b@c.example']", "{'body': <'binary'>}", "“binary”");
}

static void
test_envelope_id_has_at_most_100_characters (void)
{
    g_autofree gchar *longest = g_strnfill (100, 'x');
    g_autofree gchar *good = g_strdup_printf ("{'envelope-id': <'%s'>}", longest);
    g_autofree gchar *bad = g_strdup_printf ("{'envelope-id': <'%sx'>}", longest);
    g_autoptr (MessageEnvelope) envelope = make_envelope ("", "['b@c.example']", good, NULL);

    g_assert_nonnull (envelope);
    assert_refused ("", "['b@c.example']", bad, "“envelope-id”");
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/bus/submit/envelope-is-as-the-arguments-say", test_envelope_is_as_the_arguments_say);
    g_test_add_func ("/bus/submit/options-may-be-left-out", test_options_may_be_left_out);
    g_test_add_func ("/bus/submit/recipient-named-twice-is-one", test_recipient_named_twice_is_one);
    g_test_add_func ("/bus/submit/address-that-is-none-is-refused", test_address_that_is_none_is_refused);
    g_test_add_func ("/bus/submit/no-recipient-is-refused", test_no_recipient_is_refused);
    g_test_add_func ("/bus/submit/there-are-no-more-recipients-than-there-may-be",
                     test_there_are_no_more_recipients_than_there_may_be);
    g_test_add_func ("/bus/submit/option-that-is-none-is-refused", test_option_that_is_none_is_refused);
    g_test_add_func ("/bus/submit/envelope-id-has-at-most-100-characters",
                     test_envelope_id_has_at_most_100_characters);
    return g_test_run ();
}
