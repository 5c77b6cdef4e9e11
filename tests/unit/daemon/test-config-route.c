/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Routes as an administrator writes them. */

#include "config.h"

#include <glib/gstdio.h>
#include <string.h>

#define HOSTS "[Smarthost]\nHost=a\n[Smarthost work]\nHost=b\nWeight=3\n"

/* Loads a configuration of this text. */
static Config *
load (const gchar *text, GPtrArray *warnings, GError **error)
{
    g_autofree gchar *folder = g_dir_make_tmp ("postern-config-XXXXXX", NULL);
    g_autofree gchar *path = g_build_filename (folder, "postern.conf", NULL);
    const ConfigSources sources = {.path = path, .mail_name_file = "/nowhere", .host_name = "box.example.org"};
    Config *config;

    g_assert_true (g_file_set_contents (path, text, -1, NULL));
    config = config_load (&sources, warnings, error);
    g_unlink (path);
    g_rmdir (folder);
    return config;
}

static Config *
load_good (const gchar *text)
{
    g_autoptr (GPtrArray) warnings = g_ptr_array_new_with_free_func (g_free);
    g_autoptr (GError) error = NULL;
    Config *config = load (text, warnings, &error);

    g_assert_no_error (error);
    g_assert_cmpuint (warnings->len, ==, 0);
    return config;
}

static void
assert_bad (const gchar *text, const gchar *expected)
{
    g_autoptr (GPtrArray) warnings = g_ptr_array_new_with_free_func (g_free);
    g_autoptr (GError) error = NULL;

    if (load (text, warnings, &error))
        g_error ("this configuration was taken:\n%s", text);
    g_assert_error (error, CONFIG_ERROR, CONFIG_ERROR_BAD);
    if (strstr (error->message, expected) == NULL)
        g_error ("“%s” was expected in the error:\n%s", expected, error->message);
}

static const DeliveryRoute *
route (const Config *config, guint index)
{
    g_assert_cmpuint (index, <, config->delivery->routes->len);
    return g_ptr_array_index (config->delivery->routes, index);
}

static void
test_every_key (void)
{
    g_autoptr (Config) config = load_good (HOSTS "[Route one]\nRecipients=example.net *.example.com\n"
                                                 "Senders=me@example.org <>\nUsers=root 1234\nAction=Hold\n"
                                                 "Smarthosts=work default\nShare=yes\n");
    const DeliveryRoute *one = route (config, 0);

    g_assert_cmpstr (one->name, ==, "one");
    g_assert_true (delivery_patterns_match (one->recipients, "x@mail.example.com"));
    g_assert_true (delivery_patterns_match (one->senders, ""));
    g_assert_cmpuint (one->users->len, ==, 2);
    g_assert_cmpint (g_array_index (one->users, gint64, 0), ==, 0);
    g_assert_cmpint (g_array_index (one->users, gint64, 1), ==, 1234);
    g_assert_cmpint (one->action, ==, DELIVERY_ROUTE_HOLD);
    g_assert_cmpuint (one->smarthosts->len, ==, 2);
    g_assert_cmpstr (g_ptr_array_index (one->smarthosts, 0), ==, "work");
    g_assert_true (one->share);
    g_assert_cmpuint (((DeliverySmarthost *) g_ptr_array_index (config->delivery->smarthosts, 1))->weight, ==, 3);
}

static void
test_defaults (void)
{
    g_autoptr (Config) config = load_good (HOSTS "[Route rest]\n");

    g_assert_null (route (config, 0)->recipients);
    g_assert_null (route (config, 0)->senders);
    g_assert_null (route (config, 0)->users);
    g_assert_null (route (config, 0)->smarthosts);
    g_assert_cmpint (route (config, 0)->action, ==, DELIVERY_ROUTE_RELAY);
    g_assert_false (route (config, 0)->share);
}

static void
test_order (void)
{
    g_autoptr (Config) config = load_good ("[Route zebra]\nSmarthosts=work\n[Route ant]\n" HOSTS);

    g_assert_cmpstr (route (config, 0)->name, ==, "zebra");
    g_assert_cmpstr (route (config, 1)->name, ==, "ant");
}

static void
test_unknown_user (void)
{
    g_autoptr (GPtrArray) warnings = g_ptr_array_new_with_free_func (g_free);
    g_autoptr (GError) error = NULL;
    g_autoptr (Config) config = load ("[Route one]\nUsers=nobody-of-that-name\n", warnings, &error);

    g_assert_no_error (error);
    g_assert_cmpuint (route (config, 0)->users->len, ==, 0);
    g_assert_cmpuint (warnings->len, ==, 1);
    g_assert_nonnull (strstr (g_ptr_array_index (warnings, 0), "[Route one] Users=: there is no user"));
}

static void
test_bad (void)
{
    assert_bad ("[Route]\n", "expected [Route NAME] with a name of its own");
    assert_bad ("[Route a b]\n", "expected a name of letters, digits");
    assert_bad ("[Route a]\n[Route A]\n", "there is another route of the name “A”");
    assert_bad ("[Route a]\nAction=drop\n", "[Route a] Action=drop: expected relay, discard or hold");
    assert_bad ("[Route a]\nRecipients=good.example b@d@\n", "“b@d@” is none");
    assert_bad ("[Route a]\nSmarthost=default\n", "did you mean Smarthosts=?");
    assert_bad (HOSTS "[Route a]\nSmarthosts=home work\n",
                "[Route a] Smarthosts=: there is no [Smarthost home]; expected names of smarthosts, of which there "
                "are: default, work");
    assert_bad ("[Route a]\nSmarthosts=home\n", "of which there are none");
    assert_bad (HOSTS "[Route a]\nAction=discard\nSmarthosts=work\n", "which sends mail nowhere");
    assert_bad ("[Smarthost]\nHost=a\nWeight=0\n", "Weight=0: expected at least 1");
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/config/route/every-key-is-read", test_every_key);
    g_test_add_func ("/config/route/without-keys-all-mail-goes-by-all-smarthosts", test_defaults);
    g_test_add_func ("/config/route/routes-keep-their-order", test_order);
    g_test_add_func ("/config/route/a-user-who-does-not-exist-is-warned-of", test_unknown_user);
    g_test_add_func ("/config/route/what-is-wrong-is-named-with-what-was-expected", test_bad);
    return g_test_run ();
}
