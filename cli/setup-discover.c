/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Finding a server
 *
 * A person knows a mail address, and seldom the name of the server that takes its mail. Providers that are known come
 * from a table; others say it in DNS (RFC 6186). Of what DNS names, implicit TLS is preferred (RFC 8314 3.3), and
 * between servers priority and weight decide.
 *
 * DNS without signatures can be forged, and the answer decides where a password goes. A server in the domain of the
 * address itself is checked by its certificate; one elsewhere has to be confirmed by the person (RFC 6186 6).
 */

#include "cli/setup-discover.h"

#include <errno.h>
#include <gio/gio.h>
#include <netdb.h>
#include <string.h>

void
server_clear (Server *server)
{
    g_clear_pointer (&server->host, g_free);
    g_clear_pointer (&server->tls, g_free);
}

static void
server_set (Server *server, const gchar *host, guint16 port, const gchar *tls)
{
    gchar *copy = g_strdup (host);

    server_clear (server);
    server->host = copy;
    server->port = port;
    server->tls = g_strdup (tls);
    server->provider = provider_find_host (host);
    server->foreign = FALSE;
}

void
server_set_provider (Server *server, const Provider *provider)
{
    server_set (server, provider->host, provider->port, provider->tls);
    server->provider = provider;
}

/* The well-known ports tell which TLS they are for. */
static const gchar *
tls_of_port (guint16 port)
{
    return port == 465 ? "implicit" : "starttls";
}

/* Cuts the port off @host. Returns: whether it is one, or there is none */
static gboolean
split_port (gchar *host, guint16 *port)
{
    gchar *colon = strrchr (host, ':');
    guint64 number;

    *port = 0;
    if (host[0] == '[') {
        gchar *end = strchr (host, ']');

        if (end == NULL || (end[1] != '\0' && end[1] != ':'))
            return FALSE;
        colon = end[1] == ':' ? end + 1 : NULL;
        *end = '\0';
        memmove (host, host + 1, (gsize) (end - host));
    } else if (colon != NULL && strchr (host, ':') != colon) {
        return TRUE; /* an IPv6 address */
    }

    if (colon == NULL)
        return TRUE;
    if (!g_ascii_string_to_unsigned (colon + 1, 10, 1, G_MAXUINT16, &number, NULL))
        return FALSE;

    *colon = '\0';
    *port = (guint16) number;
    return TRUE;
}

gboolean
server_parse (Server *server, const gchar *text)
{
    g_autofree gchar *host = g_strstrip (g_strdup (text));
    const Provider *provider = provider_find_name (host);
    guint16 port;

    if (provider == NULL || provider->host == NULL) {
        if (!split_port (host, &port) || *host == '\0' || strpbrk (host, " \t@/") != NULL)
            return FALSE;
        provider = provider_find_host (host);
        server_set (server, host,
                    port != 0          ? port
                    : provider != NULL ? provider->port
                                       : 0,
                    port == 0 && provider != NULL ? provider->tls : tls_of_port (port));
        return TRUE;
    }

    server_set_provider (server, provider);
    return TRUE;
}

/* ---- DNS ---- */

/* Names in DNS may end in a dot. */
static gchar *
without_dot (const gchar *name)
{
    gsize length = strlen (name);

    return g_strndup (name, length > 0 && name[length - 1] == '.' ? length - 1 : length);
}

static gboolean
is_within (const gchar *host, const gchar *domain)
{
    gsize host_length = strlen (host), domain_length = strlen (domain);

    if (host_length < domain_length || g_ascii_strcasecmp (host + host_length - domain_length, domain) != 0)
        return FALSE;

    return host_length == domain_length || host[host_length - domain_length - 1] == '.';
}

static gboolean
ask_service (Server *server, const gchar *domain, const gchar *service, const gchar *tls)
{
    g_autoptr (GResolver) resolver = g_resolver_get_default ();
    GList *targets = g_resolver_lookup_service (resolver, service, "tcp", domain, NULL, NULL);
    gboolean found = FALSE;

    /* GResolver has put the best one first. A target "." says that there is no such service (RFC 2782). */
    if (targets != NULL) {
        g_autofree gchar *host = without_dot (g_srv_target_get_hostname (targets->data));

        found = *host != '\0';
        if (found) {
            server_set (server, host, g_srv_target_get_port (targets->data), tls);
            server->foreign = !is_within (host, domain);
        }
    }

    g_resolver_free_targets (targets);
    return found;
}

static const Provider *
ask_exchangers (const gchar *domain)
{
    g_autoptr (GResolver) resolver = g_resolver_get_default ();
    GList *records = g_resolver_lookup_records (resolver, domain, G_RESOLVER_RECORD_MX, NULL, NULL);
    const Provider *provider = NULL;

    for (GList *record = records; record != NULL && provider == NULL; record = record->next) {
        g_autofree gchar *name = NULL;
        g_autofree gchar *host = NULL;

        g_variant_get (record->data, "(qs)", NULL, &name);
        host = without_dot (name);
        provider = provider_find_exchanger (host);
    }

    g_list_free_full (records, (GDestroyNotify) g_variant_unref);
    return provider;
}

static gboolean
use_provider (Server *server, const Provider *provider, const gchar *domain, gchar **how)
{
    if (provider->host == NULL) {
        *how = g_strdup_printf ("%s is at %s. %s.", domain, provider->name, provider->note);
        return FALSE;
    }

    server_set_provider (server, provider);
    *how = g_strdup_printf ("%s is at %s.", domain, provider->name);
    return TRUE;
}

gboolean
server_discover (Server *server, const gchar *domain, gchar **how)
{
    const Provider *provider = provider_find_domain (domain);

    if (provider != NULL)
        return use_provider (server, provider, domain, how);

    if (ask_service (server, domain, "submissions", "implicit") ||
        ask_service (server, domain, "submission", "starttls")) {
        *how = g_strdup_printf ("%s names its server in DNS.", domain);
        return TRUE;
    }

    provider = ask_exchangers (domain);
    if (provider != NULL)
        return use_provider (server, provider, domain, how);

    *how = g_strdup_printf ("%s is no provider that is known here, and names no server for this in DNS.", domain);
    return FALSE;
}

gboolean
server_look_up (const Server *server, GError **error)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    g_autofree gchar *ascii = g_hostname_to_ascii (server->host);
    struct addrinfo *found = NULL;
    int result = ascii == NULL ? EAI_NONAME : getaddrinfo (ascii, NULL, &hints, &found);

    if (result == 0) {
        freeaddrinfo (found);
        return TRUE;
    }

    g_set_error (error, G_IO_ERROR, G_IO_ERROR_HOST_NOT_FOUND, "%s cannot be looked up: %s", server->host,
                 result == EAI_SYSTEM ? g_strerror (errno) : gai_strerror (result));
    return FALSE;
}
