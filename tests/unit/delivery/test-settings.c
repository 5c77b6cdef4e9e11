/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "delivery/settings.h"

static void
test_safe_smarthost (void)
{
    g_autoptr (DeliverySmarthost) smarthost = delivery_smarthost_new ("default");

    g_assert_cmpstr (smarthost->name, ==, "default");
    g_assert_cmpuint (smarthost->port, ==, 587);
    g_assert_cmpint (smarthost->security, ==, SMTP_SECURITY_STARTTLS);
    g_assert_true (smarthost->verify);
    g_assert_false (smarthost->auth_without_tls);
    g_assert_cmpuint (smarthost->connections_most, >, 0);
}

static void
test_waits_end (void)
{
    g_autoptr (DeliverySettings) settings = delivery_settings_new ();
    const guint waits[] = {settings->connect_seconds, settings->greeting_seconds, settings->command_seconds,
                           settings->data_seconds,    settings->block_seconds,    settings->end_seconds,
                           settings->idle_seconds,    settings->expire_seconds};

    for (guint i = 0; i < G_N_ELEMENTS (waits); i++)
        g_assert_cmpuint (waits[i], >, 0);
    g_assert_cmpuint (settings->retry_first_seconds, <, settings->retry_longest_seconds);
    g_assert_cmpuint (settings->smarthosts->len, ==, 0);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/delivery/settings/a-smarthost-is-verified-and-encrypted-by-default", test_safe_smarthost);
    g_test_add_func ("/delivery/settings/every-wait-ends-by-default", test_waits_end);
    return g_test_run ();
}
