/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Where Postfix sends mail
 *
 * One relayhost, TLS and logins that are the same for all servers, and tables that choose another server by the sender or
 * the recipient. A server that differs from those before it, by its place or its login, becomes a smarthost; what
 * chooses it becomes a route. At the end a route for the rest keeps mail from going to all of them in turn.
 */

#include "cli/import-postfix-relay.h"

#include <netdb.h>
#include <string.h>

static const gchar *const answered[] = {"relayhost",
                                        "smtp_tls_security_level",
                                        "smtp_use_tls",
                                        "smtp_enforce_tls",
                                        "smtp_tls_wrappermode",
                                        "smtp_tls_CAfile",
                                        "smtp_tls_CApath",
                                        "smtp_sasl_auth_enable",
                                        "smtp_sasl_password_maps",
                                        "smtp_sasl_security_options",
                                        "smtp_sasl_tls_security_options",
                                        "smtp_sasl_mechanism_filter",
                                        "smtp_sender_dependent_authentication",
                                        "sender_dependent_relayhost_maps",
                                        "transport_maps",
                                        NULL};

typedef struct {
    const PostfixMain *postfix;
    Import *import;
    const gchar *tls;
    GPtrArray *passwords; /* of PostfixEntry */
    gboolean routes;
} Relays;

typedef struct {
    gchar *host;
    gchar *port;
    gboolean exchangers; /* Postfix would ask for its mail exchangers */
} Place;

static void
place_clear (Place *place)
{
    g_free (place->host);
    g_free (place->port);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Place, place_clear)

gboolean
postfix_is_of_relays (const gchar *name)
{
    return g_strv_contains (answered, name);
}

/* ---- Servers ---- */

/* The number of a port or a service. Returns: (transfer full) */
static gchar *
port_number (const gchar *service)
{
    const struct servent *entry;

    if (g_ascii_isdigit (*service))
        return g_strdup (service);
    if (g_str_equal (service, "smtps") || g_str_equal (service, "submissions"))
        return g_strdup ("465");
    if (g_str_equal (service, "submission"))
        return g_strdup ("587");

    entry = getservbyname (service, "tcp");
    return g_strdup_printf ("%d", entry != NULL ? g_ntohs ((guint16) entry->s_port) : 25);
}

/* "[host]", "[host]:port", "host" or "host:port" */
static gboolean
parse_place (const gchar *text, Place *place)
{
    const gchar *end = text[0] == '[' ? strchr (text, ']') : NULL;
    const gchar *colon = end != NULL ? (end[1] == ':' ? end + 1 : NULL) : strrchr (text, ':');

    if (*text == '\0' || (text[0] == '[' && end == NULL))
        return FALSE;

    place->exchangers = end == NULL;
    if (end != NULL)
        place->host = g_strndup (text + 1, (gsize) (end - text - 1));
    else
        place->host = g_strndup (text, colon != NULL ? (gsize) (colon - text) : strlen (text));
    if (g_ascii_strncasecmp (place->host, "ipv6:", 5) == 0)
        memmove (place->host, place->host + 5, strlen (place->host + 5) + 1);
    place->port = port_number (colon != NULL ? colon + 1 : "25");
    return *place->host != '\0';
}

static const gchar *
tls_of (const PostfixMain *postfix)
{
    g_autofree gchar *level = postfix_main_get (postfix, "smtp_tls_security_level");

    if (postfix_main_is_yes (postfix, "smtp_tls_wrappermode"))
        return "implicit";
    if (*level == '\0' && postfix_main_is_yes (postfix, "smtp_enforce_tls"))
        return "starttls";
    if (*level == '\0')
        return postfix_main_is_yes (postfix, "smtp_use_tls") ? "opportunistic" : "none";
    if (g_str_equal (level, "none"))
        return "none";
    return g_str_equal (level, "may") || g_str_equal (level, "dane") ? "opportunistic" : "starttls";
}

/* ---- Logins ---- */

/* Postfix's order: by the sender, by the destination as it is written, by the host. */
static const gchar *
find_login (const Relays *relays, const gchar *sender, const gchar *destination, const Place *place)
{
    const gchar *login = NULL;

    if (!postfix_main_is_yes (relays->postfix, "smtp_sasl_auth_enable"))
        return NULL;
    if (sender != NULL && postfix_main_is_yes (relays->postfix, "smtp_sender_dependent_authentication"))
        login = postfix_table_find (relays->passwords, sender);
    if (login == NULL)
        login = postfix_table_find (relays->passwords, destination);
    return login != NULL ? login : postfix_table_find (relays->passwords, place->host);
}

static void
take_mechanisms (const Relays *relays, const gchar *group)
{
    g_auto (GStrv) filter = postfix_main_list (relays->postfix, "smtp_sasl_mechanism_filter");

    for (guint i = 0; filter[i] != NULL; i++) {
        g_autofree gchar *upper = g_ascii_strup (filter[i], -1);

        if (strspn (upper, G_CSET_A_2_Z G_CSET_DIGITS "-_") == strlen (upper))
            config_plan_append (relays->import->plan, group, "Mechanisms", " ", upper);
    }
}

/* @login: "user:password" */
static void
take_login (const Relays *relays, const gchar *group, const gchar *login)
{
    const gchar *colon = strchr (login, ':');
    g_autofree gchar *user = g_strndup (login, colon != NULL ? (gsize) (colon - login) : strlen (login));

    config_plan_set (relays->import->plan, group, "User", user);
    take_mechanisms (relays, group);
    if (colon != NULL && colon[1] != '\0')
        import_set_password (relays->import, group, colon + 1);
    else
        import_miss_password (relays->import, NULL, group, "the table of passwords has none for this user");
}

/* ---- Smarthosts ---- */

static gboolean
is_same (const Relays *relays, const gchar *group, const Place *place, const gchar *user)
{
    const ConfigPlan *plan = relays->import->plan;

    return g_strcmp0 (config_plan_get (plan, group, "Host"), place->host) == 0 &&
           g_strcmp0 (config_plan_get (plan, group, "Port"), place->port) == 0 &&
           g_strcmp0 (config_plan_get (plan, group, "User"), user) == 0;
}

static void
make_smarthost (const Relays *relays, const ImportLine *line, const gchar *group, const Place *place,
                const gchar *login)
{
    Import *import = relays->import;
    const ImportLine *authorities = postfix_main_line (relays->postfix, "smtp_tls_CAfile");
    g_autofree gchar *file = postfix_main_get (relays->postfix, "smtp_tls_CAfile");

    config_plan_set (import->plan, group, "Host", place->host);
    config_plan_set (import->plan, group, "Port", place->port);
    config_plan_set (import->plan, group, "TLS", relays->tls);
    import_note (import, IMPORT_TAKEN, line, NULL, "[%s] Host=%s Port=%s TLS=%s", group, place->host, place->port,
                 relays->tls);
    if (place->exchangers)
        import_note (import, IMPORT_CHANGED, line, "",
                     "mail goes to %s itself, and not to its mail exchangers; name one of them if that is wrong",
                     place->host);
    if (*file != '\0' && !g_str_equal (relays->tls, "none"))
        import_take_trust_file (import, authorities, group, file);
    if (login != NULL)
        take_login (relays, group, login);
}

/* The smarthost for @destination, made if there is none yet. Returns: (transfer full) (nullable): its group */
static gchar *
need_smarthost (const Relays *relays, const ImportLine *line, const gchar *destination, const gchar *sender,
                const gchar *wanted)
{
    g_auto (Place) place = {NULL};
    const gchar *login;
    g_autofree gchar *user = NULL;
    g_autofree gchar *group = NULL;

    if (!parse_place (destination, &place)) {
        import_note (relays->import, IMPORT_LOST, line, NULL, "“%s” is no server", destination);
        return NULL;
    }

    login = find_login (relays, sender, destination, &place);
    user = login != NULL ? g_strndup (login, strcspn (login, ":")) : NULL;
    if (is_same (relays, "Smarthost", &place, user))
        return g_strdup ("Smarthost");

    group = import_smarthost_group (relays->import, wanted);
    make_smarthost (relays, line, group, &place, login);
    return g_steal_pointer (&group);
}

/* ---- Routes ---- */

static void
add_route (Relays *relays, const ImportLine *line, const gchar *key, const gchar *pattern, const gchar *smarthost)
{
    g_autofree gchar *group = import_route_group (relays->import, pattern);

    config_plan_set (relays->import->plan, group, key, pattern);
    config_plan_set (relays->import->plan, group, "Smarthosts", import_smarthost_name (smarthost));
    import_note (relays->import, IMPORT_TAKEN, line, NULL, "[%s] %s=%s Smarthosts=%s", group, key, pattern,
                 import_smarthost_name (smarthost));
    relays->routes = TRUE;
}

static void
take_sender (Relays *relays, const PostfixEntry *entry, const gchar *destination)
{
    g_autofree gchar *smarthost = NULL;
    const gchar *pattern = entry->key[0] == '@' ? entry->key + 1 : entry->key;

    if (strchr (entry->key, '@') == NULL || *destination == '\0' || g_ascii_strcasecmp (destination, "DUNNO") == 0) {
        import_note (relays->import, IMPORT_LOST, &entry->line, NULL, "it names no sender with a server");
        return;
    }

    smarthost = need_smarthost (relays, &entry->line, destination, entry->key, pattern);
    if (smarthost != NULL)
        add_route (relays, &entry->line, "Senders", pattern, smarthost);
}

static void
take_sender_hosts (Relays *relays)
{
    g_autoptr (GPtrArray) entries = postfix_table_read_all (relays->postfix, "sender_dependent_relayhost_maps");
    g_autofree gchar *relayhost = postfix_main_get (relays->postfix, "relayhost");

    for (guint i = 0; i < entries->len; i++) {
        const PostfixEntry *entry = g_ptr_array_index (entries, i);

        take_sender (relays, entry, entry->value);
    }

    /* Senders that have a login of their own at the one server. */
    for (guint i = 0; i < relays->passwords->len && *relayhost != '\0'; i++) {
        const PostfixEntry *entry = g_ptr_array_index (relays->passwords, i);

        if (postfix_main_is_yes (relays->postfix, "smtp_sender_dependent_authentication") &&
            strchr (entry->key, '@') != NULL && postfix_table_find (entries, entry->key) == NULL)
            take_sender (relays, entry, relayhost);
    }
}

/* The left side of transport(5). Returns: (transfer full): a pattern */
static gchar *
recipient_pattern (const gchar *key)
{
    return key[0] == '.' ? g_strconcat ("*", key, NULL) : g_strdup (key);
}

static void
take_transport (Relays *relays, const PostfixEntry *entry)
{
    const gchar *colon = strchr (entry->value, ':');
    g_autofree gchar *transport = g_strndup (entry->value, colon != NULL ? (gsize) (colon - entry->value) : 0);
    const gchar *next = colon != NULL ? colon + 1 : "";
    g_autofree gchar *pattern = recipient_pattern (entry->key);
    g_autofree gchar *smarthost = NULL;

    if (g_str_equal (transport, "discard")) {
        g_autofree gchar *group = import_route_group (relays->import, pattern);

        config_plan_set (relays->import->plan, group, "Recipients", pattern);
        import_take (relays->import, &entry->line, group, "Action", "discard");
        return;
    }
    if ((!g_str_equal (transport, "smtp") && !g_str_equal (transport, "relay")) || *next == '\0') {
        import_note (relays->import, IMPORT_LOST, &entry->line, NULL, "“%s” is no server that takes mail by SMTP",
                     entry->value);
        return;
    }

    smarthost = need_smarthost (relays, &entry->line, next, NULL, pattern);
    if (smarthost != NULL)
        add_route (relays, &entry->line, "Recipients", pattern, smarthost);
}

static void
take_transports (Relays *relays)
{
    g_autoptr (GPtrArray) entries = postfix_table_read_all (relays->postfix, "transport_maps");

    for (guint i = 0; i < entries->len; i++)
        take_transport (relays, g_ptr_array_index (entries, i));
}

/* ---- The whole ---- */

static void
take_relayhost (Relays *relays)
{
    const ImportLine *line = postfix_main_line (relays->postfix, "relayhost");
    g_auto (GStrv) destinations = postfix_main_list (relays->postfix, "relayhost");

    if (destinations[0] == NULL)
        import_note (
            relays->import, IMPORT_LOST, line, NULL,
            "without a relayhost Postfix delivers to the recipients' servers; here mail waits until there is a "
            "[Smarthost]");
    for (guint i = 0; destinations[i] != NULL; i++) {
        g_autofree gchar *group = need_smarthost (relays, line, destinations[i], NULL, "next");
    }
}

static void
tell_tls (const Relays *relays)
{
    static const gchar *const names[] = {"smtp_tls_security_level", "smtp_use_tls", "smtp_enforce_tls",
                                         "smtp_tls_wrappermode"};
    g_autofree gchar *level = postfix_main_get (relays->postfix, "smtp_tls_security_level");
    const ImportLine *line = NULL;

    for (guint i = 0; i < G_N_ELEMENTS (names); i++) {
        const ImportLine *other = postfix_main_line (relays->postfix, names[i]);

        if (other != NULL)
            import_note (relays->import, IMPORT_TAKEN, line = other, NULL, "[Smarthost] TLS=%s", relays->tls);
    }

    if (g_str_equal (relays->tls, "none"))
        import_note (
            relays->import, IMPORT_CHANGED, line, "",
            "mail is sent without encryption, as before; TLS=opportunistic would use it where the server can");
    else if (!g_str_equal (level, "verify") && !g_str_equal (level, "secure"))
        import_note (
            relays->import, IMPORT_CHANGED, line, "",
            "the server's certificate is checked now; Verify=no would not, and “postern check” tells whether it is "
            "good");
    if (g_str_has_prefix (level, "dane") || g_str_equal (level, "fingerprint"))
        import_note (relays->import, IMPORT_LOST, line, "", "a certificate is trusted by its authority, not by %s",
                     level);
    if (postfix_main_line (relays->postfix, "smtp_tls_CApath") != NULL)
        import_note (relays->import, IMPORT_SAME, postfix_main_line (relays->postfix, "smtp_tls_CApath"), NULL,
                     "the system's authorities are trusted anyway");
}

static void
tell_logins (const Relays *relays)
{
    static const gchar *const names[] = {
        "smtp_sasl_password_maps",        "smtp_sasl_mechanism_filter",           "smtp_sasl_security_options",
        "smtp_sasl_tls_security_options", "smtp_sender_dependent_authentication", "smtp_sasl_auth_enable"};
    gboolean used = postfix_main_is_yes (relays->postfix, "smtp_sasl_auth_enable");

    for (guint i = 0; i < G_N_ELEMENTS (names); i++) {
        const ImportLine *line = postfix_main_line (relays->postfix, names[i]);
        g_autofree gchar *shown = g_strconcat (names[i], " = …", NULL);

        if (line != NULL && used)
            import_note (relays->import, IMPORT_TAKEN, line, shown, "for User=, PasswordCredential= and Mechanisms=");
        else if (line != NULL)
            import_note (relays->import, IMPORT_SAME, line, shown, "nobody logs in: smtp_sasl_auth_enable is off");
    }
}

void
postfix_take_relays (const PostfixMain *postfix)
{
    Relays relays = {.postfix = postfix,
                     .import = postfix->import,
                     .tls = tls_of (postfix),
                     .passwords = postfix_table_read_all (postfix, "smtp_sasl_password_maps")};

    take_relayhost (&relays);
    tell_tls (&relays);
    tell_logins (&relays);
    take_sender_hosts (&relays);
    take_transports (&relays);
    if (relays.routes && config_plan_has_group (relays.import->plan, "Smarthost")) {
        config_plan_comment (relays.import->plan, "Route rest", "All other mail");
        config_plan_set (relays.import->plan, "Route rest", "Smarthosts", "default");
    }
    g_ptr_array_unref (relays.passwords);
}
