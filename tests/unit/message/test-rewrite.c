/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * What a submitted header lacks is added, what is bare in it completed, and nothing else changes by a byte.
 */

#include <string.h>

#include "message/error.h"
#include "message/rewrite.h"

static const MessageCompletion completion = {.domain = "example.org"};

static const MessageRewrite rewrite = {.host_name = "relay.example.org",
                                       .completion = &completion,
                                       .sender = "root@example.org",
                                       .usec = G_GINT64_CONSTANT (1795315321) * G_USEC_PER_SEC};

/* What a message with nothing amiss has, so that a test can look at the rest. */
#define COMPLETE                                                                                                     \
    "From: root@example.org\r\nDate: Sun, 22 Nov 2026 02:42:01 +0000\r\nMessage-ID: <1@relay.example.org>\r\n"

static gchar *
submit (const gchar *section, const MessageRewrite *with)
{
    g_autoptr (MessageHeader) header = message_header_parse (section, strlen (section));
    GString *out = g_string_new (NULL);

    message_rewrite_submission (header, with);
    message_header_write (header, out);
    return g_string_free (out, FALSE);
}

static void
expect_field (const gchar *field, const gchar *expected)
{
    g_autofree gchar *section = g_strconcat (COMPLETE, field, "\r\n\r\n", NULL);
    g_autofree gchar *wanted = g_strconcat (COMPLETE, expected, "\r\n", NULL);
    g_autofree gchar *written = submit (section, &rewrite);

    g_assert_cmpstr (written, ==, wanted);
}

static void
expect_untouched (const gchar *field)
{
    g_autofree gchar *line = g_strconcat (field, "\r\n", NULL);

    expect_field (field, line);
}

static void
bare_addresses_are_completed (void)
{
    expect_field ("To: root", "To: root@example.org\r\n");
    expect_field ("To:root", "To:root@example.org\r\n");
    expect_field ("Cc: <root>, a@b.example, pi", "Cc: <root@example.org>, a@b.example, pi@example.org\r\n");
    expect_field ("Reply-To: \"two words\"", "Reply-To: \"two words\"@example.org\r\n");
    expect_field ("SENDER: root", "SENDER: root@example.org\r\n");
    expect_field ("To: jürgen", "To: jürgen@example.org\r\n");
}

static void
cron_is_completed (void)
{
    g_autofree gchar *written = submit ("From: root (Cron Daemon)\r\nTo: root\r\n\r\n", &rewrite);

    g_assert_true (
        g_str_has_prefix (written, "From: root@example.org (Cron Daemon)\r\nTo: root@example.org\r\nDate: "));
}

static void
everything_around_a_bare_address_stays (void)
{
    expect_field ("To: (c, (d)) \"Doe, J\" <root (x)>,\r\n\tGroup: pi,\r\n =?utf-8?q?x?= <a@b.example>;",
                  "To: (c, (d)) \"Doe, J\" <root@example.org (x)>,\r\n\tGroup: pi@example.org,\r\n"
                  " =?utf-8?q?x?= <a@b.example>;\r\n");
    expect_field ("To: first . last (x)", "To: first . last@example.org (x)\r\n");
}

static void
what_is_complete_is_untouched (void)
{
    expect_untouched ("To:  a@b.example ,\r\n  \"x\" <c@d.example> (e)");
    expect_untouched ("to: undisclosed-recipients:;");
    expect_untouched ("Subject: root");
    expect_untouched ("X-To: root");
    expect_untouched ("To:");
}

static void
what_cannot_be_understood_is_untouched (void)
{
    expect_untouched ("To: Jane Doe");
    expect_untouched ("To: root (never closed");
    expect_untouched ("To: \"never closed, root");
    expect_untouched ("To: =?utf-8?q?Jane?=");
    expect_untouched ("To: <>");
    expect_untouched ("To: us\x01"
                      "er");
    expect_untouched ("To: j\xfcrgen");
    expect_field ("To: Jane Doe, root", "To: Jane Doe, root@example.org\r\n");
}

static void
bcc_and_return_path_are_dropped (void)
{
    expect_field ("Bcc: secret@example.net,\r\n other@example.net\r\nReturn-Path: <x@y>\r\nbcc: third@example.net",
                  "");
}

static void
missing_fields_are_added (void)
{
    g_autofree gchar *written = submit ("Subject: a\r\n\r\n", &rewrite);

    g_assert_true (g_regex_match_simple ("^Subject: a\r\nFrom: root@example\\.org\r\n"
                                         "Date: Sun, 22 Nov 2026 02:42:01 \\+0000\r\n"
                                         "Message-ID: <[0-9]{14}\\.[0-9a-z]{16}@relay\\.example\\.org>\r\n\r\n$",
                                         written, 0, 0));
}

static void
empty_fields_are_missing (void)
{
    g_autofree gchar *written = submit ("From:\r\nDate: \r\nMessage-Id:\r\n \r\n\r\n", &rewrite);

    g_assert_true (g_str_has_prefix (written, "From: root@example.org\r\nDate: Sun"));
    g_assert_nonnull (strstr (written, "Message-ID: <2"));
    g_assert_null (strstr (written, "Message-Id:"));
}

static void
message_without_a_header_gets_one (void)
{
    g_autofree gchar *written = submit ("", &rewrite);

    g_assert_true (g_str_has_prefix (written, "From: root@example.org\r\nDate: "));
}

static void
added_author_has_a_name (void)
{
    MessageRewrite named = rewrite;
    g_autofree gchar *written = NULL;

    named.full_name = "Jane Q. Doe";
    written = submit ("", &named);
    g_assert_true (g_str_has_prefix (written, "From: \"Jane Q. Doe\" <root@example.org>\r\n"));
}

static void
null_sender_is_the_mailer_daemon (void)
{
    MessageRewrite null = rewrite;
    g_autofree gchar *written = NULL;

    null.sender = "";
    null.full_name = "root";
    written = submit ("", &null);
    g_assert_true (g_str_has_prefix (written, "From: MAILER-DAEMON@example.org\r\n"));
}

static void
resent_message_has_its_own_fields (void)
{
    g_autofree gchar *written = submit (COMPLETE "Resent-To: pi\r\nResent-Bcc: x\r\nBcc: y\r\n\r\n", &rewrite);

    g_assert_true (g_str_has_prefix (written, "Resent-Message-ID: <2"));
    g_assert_nonnull (strstr (written,
                              "\r\nResent-Date: Sun, 22 Nov 2026 02:42:01 +0000\r\n"
                              "Resent-From: root@example.org\r\n" COMPLETE "Resent-To: pi@example.org\r\n\r\n"));
}

static void
expect_recipients (const gchar *section, const gchar *expected)
{
    g_autoptr (MessageHeader) header = message_header_parse (section, strlen (section));
    g_autoptr (MessageEnvelope) envelope = message_envelope_new ("");
    g_autoptr (GString) found = g_string_new (NULL);
    g_autoptr (GError) error = NULL;

    g_assert_true (message_rewrite_recipients (header, envelope, &error));
    g_assert_no_error (error);
    for (guint i = 0; i < envelope->recipients->len; i++)
        g_string_append_printf (found, "%s%s", i > 0 ? " " : "", message_envelope_recipient (envelope, i)->address);
    g_assert_cmpstr (found->str, ==, expected);
}

static void
recipients_come_from_to_cc_and_bcc (void)
{
    expect_recipients ("To: a@B.example, Jane <root>\r\nFrom: x@y\r\nCC: g: c@d.example;\r\nbcc: e@f.example,\r\n "
                       "\"a.b\"@c\r\nTo: a@b.example\r\n",
                       "a@b.example root c@d.example e@f.example a.b@c");
    expect_recipients ("Subject: nobody\r\n", "");
    expect_recipients ("To: jürgen@bücher.example\r\n", "jürgen@bücher.example");
}

static void
recipients_of_a_resent_message (void)
{
    expect_recipients ("Resent-To: a@b.example\r\nResent-Bcc: c@d.example\r\nTo: x@y\r\nBcc: z@y\r\n",
                       "a@b.example c@d.example");
}

static void
offending_recipient_is_quoted (void)
{
    static const gchar *const sections[] = {"To: a@b.example\r\nCc: Jane Doe\r\n", "Cc: <Jane\x1b Doe>\r\n",
                                            "Cc: a@b.example, Jane..Doe@c.example\r\n"};

    for (guint i = 0; i < G_N_ELEMENTS (sections); i++) {
        g_autoptr (MessageHeader) header = message_header_parse (sections[i], strlen (sections[i]));
        g_autoptr (MessageEnvelope) envelope = message_envelope_new ("");
        g_autoptr (GError) error = NULL;

        g_assert_false (message_rewrite_recipients (header, envelope, &error));
        g_assert_error (error, MESSAGE_ERROR, MESSAGE_ERROR_SYNTAX);
        g_assert_nonnull (strstr (error->message, "Jane"));
        g_assert_nonnull (strstr (error->message, "Cc"));
        g_assert_null (strchr (error->message, '\x1b'));
    }
}

#define ID "Date: a\r\nMessage-ID: <a@b>\r\n"

static void
expect_section (const gchar *section, const gchar *expected)
{
    g_autofree gchar *whole = g_strconcat (section, "\r\n", NULL);
    g_autofree gchar *wanted = g_strconcat (expected, "\r\n", NULL);
    g_autofree gchar *written = submit (whole, &rewrite);

    g_assert_cmpstr (written, ==, wanted);
}

static void
several_authors_need_a_sender (void)
{
    expect_section ("From: a@b.example, c@d.example\r\n" ID,
                    "From: a@b.example, c@d.example\r\n" ID "Sender: root@example.org\r\n");
    expect_section ("From: a@b.example, c@d.example\r\nSender:\r\n" ID,
                    "From: a@b.example, c@d.example\r\n" ID "Sender: root@example.org\r\n");
    expect_section ("From: a@b.example, c@d.example\r\nSender: a@b.example\r\n" ID,
                    "From: a@b.example, c@d.example\r\nSender: a@b.example\r\n" ID);
    expect_section ("From: other@b.example\r\n" ID, "From: other@b.example\r\n" ID);
}

#define OLD_BLOCK "Resent-From: old@x\r\nResent-Date: old\r\nResent-Message-ID: <old@x>\r\nResent-To: old@x\r\n"

static void
only_the_last_resending_is_completed (void)
{
    g_autofree gchar *written = submit (
        "Resent-From: new@x\r\nResent-To: you@x\r\nReceived: x\r\n" OLD_BLOCK "From: a@b\r\n" ID "\r\n", &rewrite);

    g_assert_true (g_str_has_prefix (written, "Resent-Message-ID: <"));
    g_assert_nonnull (strstr (written, "\r\nResent-Date: Sun, 22 Nov 2026"));
    g_assert_true (g_str_has_suffix (written,
                                     "\r\nResent-From: new@x\r\nResent-To: you@x\r\nReceived: x\r\n" OLD_BLOCK
                                     "From: a@b\r\n" ID "\r\n"));
    expect_section (
        "Resent-From: new@x\r\nResent-Date: new\r\nResent-Message-ID: <new@x>\r\n" OLD_BLOCK "From: a@b\r\n" ID,
        "Resent-From: new@x\r\nResent-Date: new\r\nResent-Message-ID: <new@x>\r\n" OLD_BLOCK "From: a@b\r\n" ID);
}

static void
empty_resent_fields_are_filled_in (void)
{
    expect_section (
        "Resent-From:\r\nResent-To: you@x\r\nResent-Date: a\r\nResent-Message-ID: <b@x>\r\nFrom: a@b\r\n" ID,
        "Resent-From: root@example.org\r\nResent-To: you@x\r\nResent-Date: a\r\n"
        "Resent-Message-ID: <b@x>\r\nFrom: a@b\r\n" ID);
}

static void
recipients_are_those_of_the_last_resending (void)
{
    expect_recipients (
        "Resent-To: a@b.example\r\nResent-From: x@y\r\nResent-To: c@d.example\r\nResent-From: old@y\r\n"
        "Resent-To: old@y\r\nTo: x@y\r\n",
        "a@b.example c@d.example");
    expect_recipients ("Resent-Bcc: a@b.example\r\nReceived: x\r\nResent-To: old@y\r\n", "a@b.example");
    expect_recipients ("Resent-From: a@b.example\r\nTo: x@y\r\n", "");
}

/* A MessageRewriteAddress that makes "root" somebody else, by the field that it stands in. */
static gchar *
exchange (const gchar *address, MessageRole role, gpointer user_data)
{
    static const gchar *const others[] = {[MESSAGE_ROLE_SENDER] = "sender@x.example",
                                          [MESSAGE_ROLE_REPLY] = "reply@x.example",
                                          [MESSAGE_ROLE_RECIPIENT] = "recipient@x.example"};

    return g_str_has_prefix (address, "root") || g_str_has_prefix (address, "MAILER") ? g_strdup (others[role])
                                                                                      : NULL;
}

static void
addresses_are_exchanged_by_their_role (void)
{
    MessageRewrite with = rewrite;
    g_autofree gchar *written = NULL;

    with.address = exchange;
    written = submit ("From: (a) \"Root, R\" <root (b)> (c),\r\n\tpi\r\nSENDER: root@localhost\r\n"
                      "Reply-To: root@x.example\r\nTo: x@y.example , \"root\" (d)\r\nResent-From: root\r\n"
                      "Subject: root\r\nResent-Date: a\r\nResent-Message-ID: <a@b>\r\nDate: a\r\n"
                      "Message-ID: <a@b>\r\n\r\n",
                      &with);
    g_assert_cmpstr (written, ==,
                     "From: (a) \"Root, R\" <sender@x.example (b)> (c),\r\n\tpi@example.org\r\n"
                     "SENDER: sender@x.example\r\nReply-To: reply@x.example\r\n"
                     "To: x@y.example , recipient@x.example (d)\r\nResent-From: sender@x.example\r\n"
                     "Subject: root\r\nResent-Date: a\r\nResent-Message-ID: <a@b>\r\nDate: a\r\n"
                     "Message-ID: <a@b>\r\n\r\n");
}

static void
a_from_that_was_exchanged_can_be_kept (void)
{
    MessageRewrite with = rewrite;
    g_autofree gchar *written = NULL;
    g_autofree gchar *completed = NULL;

    with.address = exchange;
    with.original_field = "X-Original-From";
    written = submit ("From:  \"R\"\r\n <root>\r\nDate: a\r\nMessage-ID: <a@b>\r\n\r\n", &with);
    g_assert_cmpstr (written, ==,
                     "From:  \"R\"\r\n <sender@x.example>\r\nDate: a\r\nMessage-ID: <a@b>\r\n"
                     "X-Original-From: \"R\"\r\n <root>\r\n\r\n");

    completed = submit ("From: pi\r\nSender: root\r\nDate: a\r\nMessage-ID: <a@b>\r\n\r\n", &with);
    g_assert_null (strstr (completed, "X-Original-From"));
}

static void
the_author_of_notices_is_exchanged_too (void)
{
    MessageRewrite with = rewrite;
    g_autofree gchar *kept = NULL;

    with.address = exchange;
    with.sender = "";
    kept = submit ("Subject: x\r\n\r\n", &with);
    g_assert_nonnull (strstr (kept, "\r\nFrom: sender@x.example\r\n"));
}

static void
short_names_of_hosts_get_their_parent (void)
{
    const MessageCompletion with_parent = {.domain = "example.org", .parent = "lab.example.org"};
    MessageRewrite with = rewrite;
    g_autofree gchar *written = NULL;

    with.completion = &with_parent;
    written = submit ("From: (a) \"R, @host\" <root@host (b)> (c),\r\n\tpi\r\nSender: root@localhost\r\n"
                      "Reply-To: root@[IPv6:::1]\r\nTo: G: \"a b\"@host, x@y.example;\r\nResent-From: root@host\r\n"
                      "Subject: root@host\r\nResent-Date: a\r\nResent-Message-ID: <a@b>\r\nDate: a\r\n"
                      "Message-ID: <a@b>\r\n\r\n",
                      &with);
    g_assert_cmpstr (written, ==,
                     "From: (a) \"R, @host\" <root@host.lab.example.org (b)> (c),\r\n\tpi@example.org\r\n"
                     "Sender: root@example.org\r\n"
                     "Reply-To: root@[IPv6:::1]\r\nTo: G: \"a b\"@host.lab.example.org, x@y.example;\r\n"
                     "Resent-From: root@host.lab.example.org\r\n"
                     "Subject: root@host\r\nResent-Date: a\r\nResent-Message-ID: <a@b>\r\nDate: a\r\n"
                     "Message-ID: <a@b>\r\n\r\n");
}

gint
main (gint argc, gchar **argv)
{
    g_setenv ("TZ", "UTC", TRUE);
    g_test_init (&argc, &argv, NULL);

    g_test_add_func ("/message/rewrite/bare-addresses-are-completed", bare_addresses_are_completed);
    g_test_add_func ("/message/rewrite/short-names-of-hosts-get-their-parent", short_names_of_hosts_get_their_parent);
    g_test_add_func ("/message/rewrite/cron-is-completed", cron_is_completed);
    g_test_add_func ("/message/rewrite/everything-around-a-bare-address-stays",
                     everything_around_a_bare_address_stays);
    g_test_add_func ("/message/rewrite/what-is-complete-is-untouched", what_is_complete_is_untouched);
    g_test_add_func ("/message/rewrite/what-cannot-be-understood-is-untouched",
                     what_cannot_be_understood_is_untouched);
    g_test_add_func ("/message/rewrite/bcc-and-return-path-are-dropped", bcc_and_return_path_are_dropped);
    g_test_add_func ("/message/rewrite/missing-fields-are-added", missing_fields_are_added);
    g_test_add_func ("/message/rewrite/empty-fields-are-missing", empty_fields_are_missing);
    g_test_add_func ("/message/rewrite/message-without-a-header-gets-one", message_without_a_header_gets_one);
    g_test_add_func ("/message/rewrite/added-author-has-a-name", added_author_has_a_name);
    g_test_add_func ("/message/rewrite/null-sender-is-the-mailer-daemon", null_sender_is_the_mailer_daemon);
    g_test_add_func ("/message/rewrite/resent-message-has-its-own-fields", resent_message_has_its_own_fields);
    g_test_add_func ("/message/rewrite/recipients-come-from-to-cc-and-bcc", recipients_come_from_to_cc_and_bcc);
    g_test_add_func ("/message/rewrite/recipients-of-a-resent-message", recipients_of_a_resent_message);
    g_test_add_func ("/message/rewrite/offending-recipient-is-quoted", offending_recipient_is_quoted);
    g_test_add_func ("/message/rewrite/several-authors-need-a-sender", several_authors_need_a_sender);
    g_test_add_func ("/message/rewrite/only-the-last-resending-is-completed", only_the_last_resending_is_completed);
    g_test_add_func ("/message/rewrite/empty-resent-fields-are-filled-in", empty_resent_fields_are_filled_in);
    g_test_add_func ("/message/rewrite/recipients-are-those-of-the-last-resending",
                     recipients_are_those_of_the_last_resending);
    g_test_add_func ("/message/rewrite/addresses-are-exchanged-by-their-role", addresses_are_exchanged_by_their_role);
    g_test_add_func ("/message/rewrite/a-from-that-was-exchanged-can-be-kept", a_from_that_was_exchanged_can_be_kept);
    g_test_add_func ("/message/rewrite/the-author-of-notices-is-exchanged-too",
                     the_author_of_notices_is_exchanged_too);

    return g_test_run ();
}
