/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Putting a configuration into force
 *
 * systemd passes passwords when it starts the service, so that a reload is not enough: the service is restarted if it
 * runs. It is not started; the first mail or call does that. Mail that comes meanwhile waits in the sockets.
 */

#include "cli/setup-start.h"

#include <unistd.h>

static gboolean
systemd_runs (void)
{
    return g_file_test ("/run/systemd/system", G_FILE_TEST_IS_DIR);
}

static gboolean
run_systemctl (const gchar *const *arguments)
{
    g_autoptr (GError) error = NULL;
    g_autoptr (GSubprocess) process = g_subprocess_newv (arguments, G_SUBPROCESS_FLAGS_NONE, &error);
    g_autofree gchar *line = g_strjoinv (" ", (gchar **) arguments);

    if (process != NULL && g_subprocess_wait_check (process, NULL, &error)) {
        g_print ("Done: %s\n", line);
        return TRUE;
    }

    g_printerr ("postern: %s: %s\n", line, error->message);
    return FALSE;
}

static gboolean
start_service (void)
{
    static const gchar *const enable[] = {"systemctl", "enable", "--now", "postern.socket", NULL};
    static const gchar *const restart[] = {"systemctl", "try-restart", "postern.service", NULL};

    if (!run_systemctl (enable)) {
        g_printerr (
            "postern: does another mail system listen on port 25? “ss -lntp sport = 25” tells; remove it, then "
            "systemctl start postern.socket\n");
        return FALSE;
    }

    return run_systemctl (restart);
}

static gboolean
reload (const Client *client)
{
    g_autoptr (GError) error = NULL;
    g_autoptr (GVariant) reply = client_call_manager (client, "Reload", NULL, "()", &error);

    if (reply == NULL) {
        client_explain (client, error);
        return FALSE;
    }

    g_print ("Done: the relay that runs has read its configuration anew.\n");
    return TRUE;
}

SetupStarted
setup_start (const ConfigPlaces *places, const Client *client)
{
    if (config_places_are_default (places) && systemd_runs () && geteuid () == 0)
        return start_service () ? SETUP_STARTED : SETUP_FAILED;
    if (client != NULL && client_relay_runs (client))
        return reload (client) ? SETUP_STARTED : SETUP_FAILED;

    if (config_places_are_default (places))
        g_print ("To start it: systemctl enable --now postern.socket; systemctl try-restart postern.service\n");
    else
        g_print ("To start a relay with it: CREDENTIALS_DIRECTORY=%s " POSTERN_LIBEXECDIR "/posternd --config=%s …\n",
                 places->credentials, places->config);
    return SETUP_LEFT;
}
