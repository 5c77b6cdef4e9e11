/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Capabilities
 *
 * One line of the reply to EHLO for each extension, its keyword in any case. The first line is the server's name and
 * is left out, whatever it looks like. Unknown keywords and parameters are left out too, as RFC 5321 2.2.1 wants.
 *
 * Some servers still write "AUTH=LOGIN" for the sake of clients older than RFC 2554; it means the same as "AUTH
 * LOGIN", and both may be there.
 */

#include "smtp/client-capabilities.h"

#include <string.h>

void
smtp_capabilities_clear (SmtpCapabilities *capabilities)
{
    g_free (capabilities->auth);
    *capabilities = (SmtpCapabilities){0};
}

static void
read_size (SmtpCapabilities *capabilities, const gchar *parameter)
{
    capabilities->size = TRUE;
    capabilities->size_most_bytes = g_ascii_strtoull (parameter, NULL, 10);
}

/* "LIMITS RCPTMAX=100 MAILMAX=20": names in any case, those that are not known are left out (RFC 9422 3). */
static void
read_limits (SmtpCapabilities *capabilities, const gchar *parameters)
{
    g_auto (GStrv) limits = g_strsplit (parameters, " ", -1);

    for (guint i = 0; limits[i]; i++) {
        guint64 number;

        if (g_ascii_strncasecmp (limits[i], "RCPTMAX=", strlen ("RCPTMAX=")) == 0 &&
            g_ascii_string_to_unsigned (limits[i] + strlen ("RCPTMAX="), 10, 1, G_MAXUINT, &number, NULL))
            capabilities->recipients_most = (guint) number;
    }
}

static void
read_auth (SmtpCapabilities *capabilities, const gchar *mechanisms)
{
    gchar *auth =
        capabilities->auth ? g_strconcat (capabilities->auth, " ", mechanisms, NULL) : g_strdup (mechanisms);

    g_free (capabilities->auth);
    capabilities->auth = auth;
}

static void
read_line (SmtpCapabilities *capabilities, const gchar *line)
{
    gsize length = strcspn (line, " =");
    g_autofree gchar *keyword = g_ascii_strup (line, (gssize) length);
    const gchar *parameters = line[length] != '\0' ? line + length + 1 : "";

    if (strcmp (keyword, "STARTTLS") == 0)
        capabilities->starttls = TRUE;
    else if (strcmp (keyword, "PIPELINING") == 0)
        capabilities->pipelining = TRUE;
    else if (strcmp (keyword, "CHUNKING") == 0)
        capabilities->chunking = TRUE;
    else if (strcmp (keyword, "DSN") == 0)
        capabilities->dsn = TRUE;
    else if (strcmp (keyword, "8BITMIME") == 0)
        capabilities->eightbitmime = TRUE;
    else if (strcmp (keyword, "SMTPUTF8") == 0)
        capabilities->smtputf8 = TRUE;
    else if (strcmp (keyword, "SIZE") == 0)
        read_size (capabilities, parameters);
    else if (strcmp (keyword, "LIMITS") == 0)
        read_limits (capabilities, parameters);
    else if (strcmp (keyword, "AUTH") == 0)
        read_auth (capabilities, parameters);
}

void
smtp_capabilities_read (SmtpCapabilities *capabilities, const SmtpReply *reply)
{
    g_auto (GStrv) lines = g_strsplit (reply->text, "\n", -1);

    smtp_capabilities_clear (capabilities);
    for (guint i = 1; lines[0] && lines[i]; i++)
        read_line (capabilities, lines[i]);
}
