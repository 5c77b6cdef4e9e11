/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What becomes of senders and recipients by each of the ways to rewrite them. */

#include "mill.h"
#include "recipients.h"
#include "rewriting.h"

#include <string.h>

typedef struct {
    Mill *mill;
    Config *config;
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
    fixture->mill = mill_new ("");
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
    g_clear_pointer (&fixture->config, config_unref);
    mill_free (fixture->mill);
}

static gchar *
write_table (Fixture *fixture, const gchar *name, const gchar *text)
{
    gchar *path = g_build_filename (fixture->mill->folder, name, NULL);

    g_assert_true (g_file_set_contents (path, text, -1, NULL));
    return path;
}

/* Configures [Rewrite] with @keys and a table of senders and one of recipients. */
static void
configure (Fixture *fixture, const gchar *keys, const gchar *senders, const gchar *recipients)
{
    g_autofree gchar *sender_table = write_table (fixture, "senders", senders);
    g_autofree gchar *recipient_table = write_table (fixture, "recipients", recipients);
    g_autofree gchar *text =
        g_strdup_printf ("[Rewrite]\nSenderTable=%s\nRecipientTable=%s\n%s", sender_table, recipient_table, keys);

    g_clear_pointer (&fixture->config, config_unref);
    fixture->config = mill_config (fixture->mill, text);
}

static void
expect_sender (Fixture *fixture, const gchar *address, const gchar *expected)
{
    g_autofree gchar *sender = rewriting_sender (address, fixture->config);

    g_assert_cmpstr (sender, ==, expected);
}

/* @expected: NULL if the address stays or is only completed */
static void
expect_header (Fixture *fixture, MessageRole role, const gchar *address, const gchar *expected)
{
    g_autofree gchar *other = rewriting_header (address, role, fixture->config);

    g_assert_cmpstr (other, ==, expected);
}

static void
expect_recipient (Fixture *fixture, const gchar *address, const gchar *expected)
{
    g_autoptr (MessageEnvelope) envelope = message_envelope_new ("");
    g_autoptr (MessageEnvelope) resolved = message_envelope_new ("");

    message_envelope_add (envelope, address);
    recipients_resolve (envelope, fixture->config, resolved);
    g_assert_cmpuint (resolved->recipients->len, ==, 1);
    g_assert_cmpstr (message_envelope_recipient (resolved, 0)->address, ==, expected);
}

static void
test_without_rules_addresses_are_completed (Fixture *fixture, gconstpointer data)
{
    configure (fixture, "", "", "");
    expect_sender (fixture, "root", "root@example.org");
    expect_sender (fixture, "jane@x.example", "jane@x.example");
    expect_sender (fixture, "", "");
    expect_header (fixture, MESSAGE_ROLE_SENDER, "root", NULL);
    expect_recipient (fixture, "jane@x.example", "jane@x.example");
}

/* Senders, recipients and the header by one rule; what is local stays so. */
static void
test_short_names_of_hosts_get_their_parent (Fixture *fixture, gconstpointer data)
{
    configure (fixture, "[Relay]\nParentDomain=lab.example.org\nLocalDomains=own.lab.example.org\n",
               "jane@host web@x.example\n", "@other catch@short\n");
    expect_sender (fixture, "root@host", "root@host.lab.example.org");
    expect_sender (fixture, "jane@host", "web@x.example");
    expect_sender (fixture, "jane@host.lab.example.org", "web@x.example");
    expect_sender (fixture, "root@localhost", "root@example.org");
    expect_header (fixture, MESSAGE_ROLE_SENDER, "jane@host", "web@x.example");
    expect_header (fixture, MESSAGE_ROLE_SENDER, "root@host", NULL);
    expect_recipient (fixture, "root@host", "root@host.lab.example.org");
    expect_recipient (fixture, "root@[IPv6:::1]", "root@[IPv6:::1]");
    expect_recipient (fixture, "root@other", "catch@short.lab.example.org");
    expect_recipient (fixture, "root@own", "root@own.lab.example.org");
    g_assert_true (recipients_is_local ("root@own", fixture->config));
    g_assert_true (recipients_is_local ("root@relay", fixture->config));
    g_assert_false (recipients_is_local ("root@own.lab", fixture->config));
    g_assert_false (recipients_is_local ("root@ow", fixture->config));
    g_assert_false (recipients_is_local ("root@host", fixture->config));
}

static void
test_without_a_parent_short_names_of_hosts_stay (Fixture *fixture, gconstpointer data)
{
    configure (fixture, "[Relay]\nLocalDomains=own.lab.example.org\n", "", "");
    expect_sender (fixture, "root@host", "root@host");
    expect_recipient (fixture, "root@host", "root@host");
    expect_recipient (fixture, "root@own", "root@own");
    g_assert_false (recipients_is_local ("root@own", fixture->config));
}

static void
test_all_senders_become_one (Fixture *fixture, gconstpointer data)
{
    configure (fixture, "Sender=me@x.example\n", "www-data web@x.example\n", "");
    expect_sender (fixture, "root", "me@x.example");
    expect_sender (fixture, "jane@y.example", "me@x.example");
    expect_sender (fixture, "www-data", "web@x.example");
    expect_sender (fixture, "", "");
    expect_header (fixture, MESSAGE_ROLE_SENDER, "jane@y.example", "me@x.example");
    expect_header (fixture, MESSAGE_ROLE_SENDER, "me@x.example", NULL);
    expect_header (fixture, MESSAGE_ROLE_REPLY, "jane@y.example", NULL);
    expect_header (fixture, MESSAGE_ROLE_REPLY, "www-data", "web@x.example");
    expect_header (fixture, MESSAGE_ROLE_RECIPIENT, "jane@y.example", NULL);
}

static void
test_the_tables_default_takes_the_rest (Fixture *fixture, gconstpointer data)
{
    configure (fixture, "", "* me@x.example\n", "* catch@x.example\n");
    expect_sender (fixture, "jane@y.example", "me@x.example");
    expect_header (fixture, MESSAGE_ROLE_REPLY, "jane@y.example", NULL);
    expect_header (fixture, MESSAGE_ROLE_RECIPIENT, "jane@y.example", NULL);
    expect_recipient (fixture, "jane@y.example", "catch@x.example");
}

static void
test_a_local_user_is_one_in_every_local_domain (Fixture *fixture, gconstpointer data)
{
    configure (fixture, "", "root admin@x.example\n", "pi jane@x.example\n");
    expect_sender (fixture, "root", "admin@x.example");
    expect_sender (fixture, "root@localhost", "admin@x.example");
    expect_sender (fixture, "root@relay.example.org", "admin@x.example");
    expect_sender (fixture, "root@example.org", "admin@x.example");
    expect_sender (fixture, "root@y.example", "root@y.example");
    expect_recipient (fixture, "pi", "jane@x.example");
    expect_recipient (fixture, "pi@y.example", "pi@y.example");
    expect_header (fixture, MESSAGE_ROLE_RECIPIENT, "pi", "jane@x.example");
}

static void
test_a_recipient_may_become_a_local_one (Fixture *fixture, gconstpointer data)
{
    configure (fixture, "[Relay]\nAdminAddress=admin@x.example\n", "", "jane@y.example root@localhost\n");
    expect_recipient (fixture, "jane@y.example", "root@example.org");

    configure (fixture, "[Relay]\nAdminAddress=admin@x.example\nLocalDomains=y.lan\n", "",
               "jane@y.example root@y.lan\n");
    expect_recipient (fixture, "jane@y.example", "admin@x.example");
}

static void
test_domains_are_hidden (Fixture *fixture, gconstpointer data)
{
    configure (fixture, "Masquerade=lab.example.com !visible.example.com example.com\nMasqueradeExcept=root Daemon\n",
               "jane@a.example.com exact@x.example\n", "");
    expect_sender (fixture, "joe@a.example.com", "joe@example.com");
    expect_sender (fixture, "joe@a.b.Example.com", "joe@example.com");
    expect_sender (fixture, "joe@a.lab.example.com", "joe@lab.example.com");
    expect_sender (fixture, "joe@lab.example.com", "joe@lab.example.com");
    expect_sender (fixture, "joe@a.visible.example.com", "joe@a.visible.example.com");
    expect_sender (fixture, "joe@example.com", "joe@example.com");
    expect_sender (fixture, "joe@notexample.com", "joe@notexample.com");
    expect_sender (fixture, "root@a.example.com", "root@a.example.com");
    expect_sender (fixture, "daemon@a.example.com", "daemon@a.example.com");
    expect_sender (fixture, "jane@a.example.com", "exact@x.example");
    expect_header (fixture, MESSAGE_ROLE_REPLY, "joe@a.example.com", "joe@example.com");
    expect_header (fixture, MESSAGE_ROLE_RECIPIENT, "joe@a.example.com", "joe@example.com");
    expect_recipient (fixture, "joe@a.example.com", "joe@a.example.com");
}

static void
test_reply_to_can_be_left_alone (Fixture *fixture, gconstpointer data)
{
    configure (fixture, "ReplyTo=no\nMasquerade=example.com\n", "root admin@x.example\n", "");
    expect_header (fixture, MESSAGE_ROLE_REPLY, "root", NULL);
    expect_header (fixture, MESSAGE_ROLE_REPLY, "joe@a.example.com", NULL);
    expect_header (fixture, MESSAGE_ROLE_SENDER, "root", "admin@x.example");
}

static void
test_an_address_that_becomes_itself_is_not_touched (Fixture *fixture, gconstpointer data)
{
    configure (fixture, "", "@x.example @x.example\n", "");
    expect_header (fixture, MESSAGE_ROLE_SENDER, "jane@x.example", NULL);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);

#define TEST(name, function) g_test_add ("/daemon/rewriting/" name, Fixture, NULL, set_up, function, tear_down)
    TEST ("without-rules-addresses-are-completed", test_without_rules_addresses_are_completed);
    TEST ("short-names-of-hosts-get-their-parent", test_short_names_of_hosts_get_their_parent);
    TEST ("without-a-parent-short-names-of-hosts-stay", test_without_a_parent_short_names_of_hosts_stay);
    TEST ("all-senders-become-one", test_all_senders_become_one);
    TEST ("the-tables-default-takes-the-rest", test_the_tables_default_takes_the_rest);
    TEST ("a-local-user-is-one-in-every-local-domain", test_a_local_user_is_one_in_every_local_domain);
    TEST ("a-recipient-may-become-a-local-one", test_a_recipient_may_become_a_local_one);
    TEST ("domains-are-hidden", test_domains_are_hidden);
    TEST ("reply-to-can-be-left-alone", test_reply_to_can_be_left_alone);
    TEST ("an-address-that-becomes-itself-is-not-touched", test_an_address_that_becomes_itself_is_not_touched);
#undef TEST

    return g_test_run ();
}
