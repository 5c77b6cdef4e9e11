/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The envelope keeps what it is given, each recipient once, however many there are.
 */

#include "message/envelope.h"

static void
same_address_twice_is_one_recipient (void)
{
    g_autoptr (MessageEnvelope) envelope = message_envelope_new ("");
    MessageRecipient *first = message_envelope_add (envelope, "user@example.org");

    first->notify = MESSAGE_NOTIFY_NEVER;
    g_assert_true (message_envelope_add (envelope, "user@example.org") == first);
    g_assert_true (message_envelope_add (envelope, "User@example.org") != first);
    g_assert_cmpuint (envelope->recipients->len, ==, 2);
    g_assert_cmpint (message_envelope_recipient (envelope, 0)->notify, ==, MESSAGE_NOTIFY_NEVER);
}

static void
thousands_of_recipients_are_each_there_once (void)
{
    g_autoptr (MessageEnvelope) envelope = message_envelope_new ("sender@example.org");

    for (guint round = 0; round < 2; round++)
        for (guint i = 0; i < 10000; i++) {
            g_autofree gchar *address = g_strdup_printf ("user%u@example.org", i);
            g_assert_cmpstr (message_envelope_add (envelope, address)->address, ==, address);
        }

    g_assert_cmpuint (envelope->recipients->len, ==, 10000);
    g_assert_cmpstr (message_envelope_recipient (envelope, 9999)->address, ==, "user9999@example.org");
}

static void
address_changed_in_place_is_no_confusion (void)
{
    g_autoptr (MessageEnvelope) envelope = message_envelope_new ("sender@example.org");

    for (guint i = 0; i < 100; i++) {
        g_autofree gchar *address = g_strdup_printf ("user%u", i);
        MessageRecipient *recipient = message_envelope_add (envelope, address);

        g_free (recipient->address);
        recipient->address = g_strconcat (address, "@example.org", NULL);
    }

    g_assert_cmpstr (message_envelope_add (envelope, "user5")->address, ==, "user5");
    g_assert_cmpuint (envelope->recipients->len, ==, 101);
}

static void
copy_is_whole_and_own (void)
{
    g_autoptr (MessageEnvelope) envelope = message_envelope_new ("sender@example.org");
    g_autoptr (MessageEnvelope) copy = NULL;
    MessageRecipient *recipient = message_envelope_add (envelope, "user@example.org");

    recipient->orcpt = g_strdup ("rfc822;other@example.org");
    recipient->notify = MESSAGE_NOTIFY_SUCCESS | MESSAGE_NOTIFY_DELAY;
    envelope->envid = g_strdup ("QQ314159");
    envelope->ret = MESSAGE_RETURN_HEADERS;
    envelope->body = MESSAGE_BODY_8BITMIME;
    envelope->smtputf8 = TRUE;

    copy = message_envelope_copy (envelope);
    g_clear_pointer (&envelope, message_envelope_free);

    g_assert_cmpstr (copy->sender, ==, "sender@example.org");
    g_assert_cmpstr (copy->envid, ==, "QQ314159");
    g_assert_cmpint (copy->ret, ==, MESSAGE_RETURN_HEADERS);
    g_assert_cmpint (copy->body, ==, MESSAGE_BODY_8BITMIME);
    g_assert_true (copy->smtputf8);
    g_assert_cmpuint (copy->recipients->len, ==, 1);
    recipient = message_envelope_recipient (copy, 0);
    g_assert_cmpstr (recipient->address, ==, "user@example.org");
    g_assert_cmpstr (recipient->orcpt, ==, "rfc822;other@example.org");
    g_assert_cmpint (recipient->notify, ==, MESSAGE_NOTIFY_SUCCESS | MESSAGE_NOTIFY_DELAY);
}

static void
copy_keeps_recipients_that_became_equal (void)
{
    g_autoptr (MessageEnvelope) envelope = message_envelope_new ("");
    g_autoptr (MessageEnvelope) copy = NULL;
    MessageRecipient *bare = message_envelope_add (envelope, "root");

    message_envelope_add (envelope, "root@example.org");
    g_free (bare->address);
    bare->address = g_strdup ("root@example.org");
    copy = message_envelope_copy (envelope);

    g_assert_cmpuint (copy->recipients->len, ==, 2);
}

gint
main (gint argc, gchar **argv)
{
    g_test_init (&argc, &argv, NULL);

    g_test_add_func ("/message/envelope/same-address-twice-is-one-recipient", same_address_twice_is_one_recipient);
    g_test_add_func ("/message/envelope/thousands-of-recipients-are-each-there-once",
                     thousands_of_recipients_are_each_there_once);
    g_test_add_func ("/message/envelope/address-changed-in-place-is-no-confusion",
                     address_changed_in_place_is_no_confusion);
    g_test_add_func ("/message/envelope/copy-is-whole-and-own", copy_is_whole_and_own);
    g_test_add_func ("/message/envelope/copy-keeps-recipients-that-became-equal",
                     copy_keeps_recipients_that_became_equal);

    return g_test_run ();
}
