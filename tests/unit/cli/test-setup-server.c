/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "cli/setup-discover.h"

#include <string.h>

static void
assert_server (const gchar *text, const gchar *host, guint16 port, const gchar *tls)
{
    g_auto (Server) server = {NULL};

    g_test_message ("%s", text);
    g_assert_true (server_parse (&server, text));
    g_assert_cmpstr (server.host, ==, host);
    g_assert_cmpuint (server.port, ==, port);
    g_assert_cmpstr (server.tls, ==, tls);
}

static void
test_a_host_with_and_without_a_port (void)
{
    assert_server ("mail.example.org", "mail.example.org", 0, "starttls");
    assert_server (" mail.example.org:587 ", "mail.example.org", 587, "starttls");
    assert_server ("mail.example.org:465", "mail.example.org", 465, "implicit");
    assert_server ("192.0.2.1:2525", "192.0.2.1", 2525, "starttls");
    assert_server ("[2001:db8::1]:465", "2001:db8::1", 465, "implicit");
    assert_server ("[2001:db8::1]", "2001:db8::1", 0, "starttls");
    assert_server ("2001:db8::1", "2001:db8::1", 0, "starttls");
}

static void
test_what_is_no_server_is_refused (void)
{
    static const gchar *const texts[] = {"",           " ",      "a b",  "me@example.org", "host:",       "host:0",
                                         "host:65536", "host:x", "[::1", "[::1]x",         "smtp://host", ":25"};

    for (guint i = 0; i < G_N_ELEMENTS (texts); i++) {
        g_auto (Server) server = {NULL};

        g_test_message ("“%s”", texts[i]);
        g_assert_false (server_parse (&server, texts[i]));
    }
}

static void
test_a_provider_is_known_by_name_and_host (void)
{
    assert_server ("gmail", "smtp.gmail.com", 587, "starttls");
    assert_server ("Web.de", "smtp.web.de", 587, "starttls");
    assert_server ("microsoft 365", "smtp.office365.com", 587, "starttls");
    assert_server ("smtp.mail.yahoo.com", "smtp.mail.yahoo.com", 465, "implicit");
    assert_server ("smtp.mail.yahoo.com:587", "smtp.mail.yahoo.com", 587, "starttls");
    assert_server ("email-smtp.eu-west-1.amazonaws.com", "email-smtp.eu-west-1.amazonaws.com", 587, "starttls");
}

static void
test_a_domain_belongs_to_one_provider (void)
{
    g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

    for (guint i = 0; provider_get (i) != NULL; i++) {
        const Provider *provider = provider_get (i);
        g_auto (GStrv) domains = g_strsplit (provider->domains != NULL ? provider->domains : "", " ", -1);

        for (guint j = 0; domains[j] != NULL; j++) {
            g_test_message ("%s: %s", provider->name, domains[j]);
            g_assert_true (g_hash_table_add (seen, g_strdup (domains[j])));
            g_assert_true (provider_find_domain (domains[j]) == provider);
        }
    }
    g_assert_null (provider_find_domain ("example.org"));
}

static void
test_every_provider_can_be_used (void)
{
    for (guint i = 0; provider_get (i) != NULL; i++) {
        const Provider *provider = provider_get (i);

        g_test_message ("%s", provider->name);
        g_assert_true (provider_find_name (provider->name) == provider);
        if (provider->host == NULL) {
            g_assert_nonnull (provider->note);
            continue;
        }
        g_assert_true (g_str_equal (provider->tls, "starttls") || g_str_equal (provider->tls, "implicit"));
        g_assert_cmpuint (provider->port, !=, 0);
        g_assert_true ((provider->port == 465) == g_str_equal (provider->tls, "implicit"));
    }
}

static void
test_a_provider_is_known_by_its_exchangers (void)
{
    g_assert_cmpstr (provider_find_exchanger ("alt1.aspmx.l.google.com")->name, ==, "Gmail");
    g_assert_cmpstr (provider_find_exchanger ("example-org.mail.protection.outlook.com")->name, ==, "Microsoft 365");
    g_assert_cmpstr (provider_find_exchanger ("smtpin.rzone.de")->name, ==, "STRATO");
    g_assert_null (provider_find_exchanger ("mail.notgoogle.com"));
    g_assert_null (provider_find_exchanger ("com"));
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/cli/setup-server/a-host-with-and-without-a-port", test_a_host_with_and_without_a_port);
    g_test_add_func ("/cli/setup-server/what-is-no-server-is-refused", test_what_is_no_server_is_refused);
    g_test_add_func ("/cli/setup-server/a-provider-is-known-by-name-and-host",
                     test_a_provider_is_known_by_name_and_host);
    g_test_add_func ("/cli/setup-server/a-domain-belongs-to-one-provider", test_a_domain_belongs_to_one_provider);
    g_test_add_func ("/cli/setup-server/every-provider-can-be-used", test_every_provider_can_be_used);
    g_test_add_func ("/cli/setup-server/a-provider-is-known-by-its-exchangers",
                     test_a_provider_is_known_by_its_exchangers);
    return g_test_run ();
}
