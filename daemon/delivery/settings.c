/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Settings of the delivery
 *
 * A plain value with the defaults of the manual page. The configuration fills one in and hands it over whole, so a
 * reload replaces everything or nothing. Passwords live here; they are wiped when the value goes, and nothing in
 * this room writes them anywhere but into the protocol engine.
 */

#include "delivery/settings.h"

#include <string.h>

/* Most hosts that take submissions allow a handful of sessions a client before they complain. */
#define CONNECTIONS_MOST_DEFAULT 4

#define MINUTE_SECONDS 60
#define HOUR_SECONDS   (60 * MINUTE_SECONDS)
#define DAY_SECONDS    (24 * HOUR_SECONDS)

DeliverySettings *
delivery_settings_new (void)
{
    DeliverySettings *settings = g_new0 (DeliverySettings, 1);

    settings->smarthosts = g_ptr_array_new_with_free_func ((GDestroyNotify) delivery_smarthost_free);
    settings->routes = g_ptr_array_new_with_free_func ((GDestroyNotify) delivery_route_free);
    settings->connect_seconds = 30;
    settings->greeting_seconds = 5 * MINUTE_SECONDS;
    settings->command_seconds = 5 * MINUTE_SECONDS;
    settings->data_seconds = 2 * MINUTE_SECONDS;
    settings->block_seconds = 3 * MINUTE_SECONDS;
    settings->end_seconds = 10 * MINUTE_SECONDS;
    settings->idle_seconds = 30;
    settings->expire_seconds = 5 * DAY_SECONDS;
    settings->delay_notice_seconds = 4 * HOUR_SECONDS;
    settings->retry_first_seconds = MINUTE_SECONDS;
    settings->retry_longest_seconds = HOUR_SECONDS;
    settings->notice_content_bytes = 64 * 1024;
    return settings;
}

void
delivery_settings_free (DeliverySettings *settings)
{
    g_free (settings->host_name);
    g_free (settings->domain);
    g_free (settings->no_smarthost);
    g_ptr_array_unref (settings->smarthosts);
    g_ptr_array_unref (settings->routes);
    g_free (settings);
}

DeliverySmarthost *
delivery_smarthost_new (const gchar *name)
{
    DeliverySmarthost *smarthost = g_new0 (DeliverySmarthost, 1);

    smarthost->name = g_strdup (name);
    smarthost->security = SMTP_SECURITY_STARTTLS;
    smarthost->port = 587;
    smarthost->verify = TRUE;
    smarthost->connections_most = CONNECTIONS_MOST_DEFAULT;
    smarthost->weight = 1;
    return smarthost;
}

void
delivery_smarthost_free (DeliverySmarthost *smarthost)
{
    g_free (smarthost->name);
    g_free (smarthost->host);
    g_free (smarthost->trust_file);
    g_clear_pointer (&smarthost->tls, smtp_tls_unref);
    g_free (smarthost->user);
    if (smarthost->password)
        explicit_bzero (smarthost->password, strlen (smarthost->password));
    g_free (smarthost->password);
    g_free (smarthost->mechanisms);
    g_free (smarthost);
}
