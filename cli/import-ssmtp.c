/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * sSMTP
 *
 * One file of "Keyword=value", and revaliases beside it, which says for a user of this machine what address the mail is
 * from and, if need be, which other server it goes to. sSMTP trusts every certificate; that is not taken over, but told.
 */

#include "cli/import.h"

#include <string.h>

typedef struct {
    Import *import;
    gchar *host;
    gchar *port;
    gchar *user;
    gchar *password;
    const ImportLine *password_line;
    gchar *domain; /* that the machine's addresses have */
    gboolean tls;
    gboolean starttls;
    const ImportLine *host_line;
    const ImportLine *tls_line;
    const ImportLine *root_line;
    gchar *root;
} Settings;

typedef struct {
    const gchar *keyword;
    void (*take) (Settings *settings, const ImportLine *line, const gchar *value);
} Keyword;

static void
settings_clear (Settings *settings)
{
    g_free (settings->host);
    g_free (settings->port);
    g_free (settings->user);
    if (settings->password != NULL)
        explicit_bzero (settings->password, strlen (settings->password));
    g_free (settings->password);
    g_free (settings->domain);
    g_free (settings->root);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Settings, settings_clear)

static gboolean
is_yes (const gchar *value)
{
    return g_ascii_strcasecmp (value, "yes") == 0;
}

static void
replace (gchar **field, const gchar *value)
{
    g_free (*field);
    *field = *value != '\0' ? g_strdup (value) : NULL;
}

/* "HOST", "HOST:PORT" or "HOST PORT" */
static void
split_host (const gchar *value, gchar **host, gchar **port)
{
    gsize length = strcspn (value, ": \t=");
    const gchar *rest = value + length + strspn (value + length, ": \t=");

    g_free (*host);
    *host = g_strndup (value, length);
    if (*rest != '\0')
        replace (port, rest);
}

/* ---- Keywords ---- */

static void
take_host (Settings *settings, const ImportLine *line, const gchar *value)
{
    split_host (value, &settings->host, &settings->port);
    settings->host_line = line;
}

static void
take_root (Settings *settings, const ImportLine *line, const gchar *value)
{
    replace (&settings->root, value);
    settings->root_line = line;
}

static void
take_domain (Settings *settings, const ImportLine *line, const gchar *value)
{
    replace (&settings->domain, value);
    if (*value != '\0')
        import_take (settings->import, line, "Relay", "Domain", value);
}

static void
take_name (Settings *settings, const ImportLine *line, const gchar *value)
{
    if (*value != '\0')
        import_take (settings->import, line, "Relay", "HostName", value);
}

static void
take_override (Settings *settings, const ImportLine *line, const gchar *value)
{
    if (is_yes (value))
        import_note (settings->import, IMPORT_SAME, line, NULL, "programs say themselves whom their mail is from");
    else
        import_note (
            settings->import, IMPORT_LOST, line, NULL,
            "programs may say themselves whom their mail is from; Sender= or SenderTable= of [Rewrite] changes it");
}

static void
take_tls (Settings *settings, const ImportLine *line, const gchar *value)
{
    settings->tls = is_yes (value);
    settings->tls_line = line;
}

static void
take_starttls (Settings *settings, const ImportLine *line, const gchar *value)
{
    settings->starttls = is_yes (value);
    settings->tls_line = line;
}

static void
take_user (Settings *settings, const ImportLine *line, const gchar *value)
{
    replace (&settings->user, value);
    if (*value != '\0')
        import_take (settings->import, line, "Smarthost", "User", value);
}

static void
take_password (Settings *settings, const ImportLine *line, const gchar *value)
{
    replace (&settings->password, value);
    settings->password_line = line;
}

static void
take_method (Settings *settings, const ImportLine *line, const gchar *value)
{
    if (g_ascii_strcasecmp (value, "cram-md5") == 0)
        import_take (settings->import, line, "Smarthost", "Mechanisms", "CRAM-MD5");
    else
        import_note (settings->import, IMPORT_SAME, line, NULL, "the best mechanism that both sides know is chosen");
}

static void
take_authorities (Settings *settings, const ImportLine *line, const gchar *value)
{
    import_take_trust_file (settings->import, line, "Smarthost", value);
}

static void
take_certificate (Settings *settings, const ImportLine *line, const gchar *value)
{
    import_note (settings->import, IMPORT_LOST, line, NULL, "it logs in with a password, not with a certificate");
}

static void
take_debug (Settings *settings, const ImportLine *line, const gchar *value)
{
    import_note (settings->import, IMPORT_SAME, line, NULL, "the journal tells what happens: journalctl -u postern");
}

static const Keyword keywords[] = {
    {"MailHub", take_host},
    {"Root", take_root},
    {"RewriteDomain", take_domain},
    {"HostName", take_name},
    {"FromLineOverride", take_override},
    {"UseTLS", take_tls},
    {"UseSTARTTLS", take_starttls},
    {"AuthUser", take_user},
    {"AuthPass", take_password},
    {"AuthMethod", take_method},
    {"TLS_CA_File", take_authorities},
    {"UseTLSCert", take_certificate},
    {"TLSCert", take_certificate},
    {"TLSKey", take_certificate},
    {"Debug", take_debug},
};

/* The keyword ends at "=" or a space, and so does what is between it and the value. */
static void
read_line (Settings *settings, const ImportLine *line)
{
    gsize length = strcspn (line->text, "= \t");
    const gchar *value = line->text + length + strspn (line->text + length, "= \t");
    g_autofree gchar *keyword = g_strndup (line->text, length);

    for (guint i = 0; i < G_N_ELEMENTS (keywords); i++)
        if (g_ascii_strcasecmp (keywords[i].keyword, keyword) == 0) {
            keywords[i].take (settings, line, value);
            return;
        }

    import_note (settings->import, IMPORT_LOST, line, keyword, "there is nothing like it");
}

/* ---- What several of them say together ---- */

static void
finish_tls (const Settings *settings)
{
    const gchar *tls = settings->starttls ? "starttls" : settings->tls ? "implicit" : "none";

    import_take (settings->import, settings->tls_line != NULL ? settings->tls_line : settings->host_line, "Smarthost",
                 "TLS", tls);
    if (g_str_equal (tls, "none"))
        import_note (
            settings->import, IMPORT_CHANGED, settings->host_line, "",
            "mail is sent without encryption, as before; TLS=opportunistic would use it where the server can");
    else
        import_note (
            settings->import, IMPORT_CHANGED, settings->tls_line, "",
            "the server's certificate is checked now; Verify=no would not, and “postern check” tells whether it is "
            "good");
}

static void
finish_login (const Settings *settings)
{
    if (settings->user == NULL)
        return;

    if (settings->password == NULL) {
        import_miss_password (settings->import, NULL, "Smarthost", "there is a user, and no password");
        return;
    }

    import_set_password (settings->import, "Smarthost", settings->password);
    import_note (settings->import, IMPORT_TAKEN, settings->password_line, "AuthPass=…",
                 "[Smarthost] PasswordCredential=smarthost");
}

/* sSMTP completes a bare name with the domain that all its mail is from. */
static void
finish_root (const Settings *settings)
{
    g_autofree gchar *mail_name = import_read_first (settings->import, "/etc/mailname");
    const gchar *domain = settings->domain != NULL ? settings->domain : mail_name;
    g_autofree gchar *address = NULL;

    if (settings->root == NULL)
        return;

    if (strchr (settings->root, '@') != NULL)
        address = g_strdup (settings->root);
    else if (domain != NULL)
        address = g_strconcat (settings->root, "@", domain, NULL);
    if (address == NULL)
        import_note (settings->import, IMPORT_LOST, settings->root_line, NULL,
                     "AdminAddress= of [Relay] wants an address with a domain");
    else
        import_take (settings->import, settings->root_line, "Relay", "AdminAddress", address);
}

/* ---- revaliases ---- */

/* The smarthost that @host and @port name; it logs in as the first one does. */
static gchar *
need_smarthost (const Settings *settings, const gchar *host, const gchar *port, const gchar *user)
{
    ConfigPlan *plan = settings->import->plan;
    static const gchar *const keys[] = {"TLS",        "TrustFile",      "User",
                                        "Mechanisms", "AuthWithoutTLS", "PasswordCredential"};
    gchar *group;

    if (g_strcmp0 (host, config_plan_get (plan, "Smarthost", "Host")) == 0 &&
        g_strcmp0 (port, config_plan_get (plan, "Smarthost", "Port")) == 0)
        return g_strdup ("Smarthost");

    group = import_smarthost_group (settings->import, user);
    config_plan_set (plan, group, "Host", host);
    config_plan_set (plan, group, "Port", port);
    for (guint i = 0; i < G_N_ELEMENTS (keys); i++)
        if (config_plan_get (plan, "Smarthost", keys[i]) != NULL)
            config_plan_set (plan, group, keys[i], config_plan_get (plan, "Smarthost", keys[i]));
    return group;
}

static void
route_user (const Settings *settings, const ImportLine *line, const gchar *user, const gchar *server)
{
    g_autofree gchar *host = NULL;
    g_autofree gchar *port = g_strdup ("25");
    g_autofree gchar *smarthost = NULL;
    g_autofree gchar *route = NULL;

    split_host (server, &host, &port);
    smarthost = need_smarthost (settings, host, port != NULL ? port : "25", user);
    if (g_str_equal (smarthost, "Smarthost")) {
        import_note (settings->import, IMPORT_SAME, line, "", "all mail goes to that server");
        return;
    }

    route = import_route_group (settings->import, user);
    config_plan_set (settings->import->plan, route, "Users", user);
    config_plan_set (settings->import->plan, route, "Smarthosts", import_smarthost_name (smarthost));
    import_note (settings->import, IMPORT_TAKEN, line, "", "[%s] Users=%s Smarthosts=%s, [%s] Host=%s", route, user,
                 import_smarthost_name (smarthost), smarthost, host);
}

/* "USER:ADDRESS" or "USER:ADDRESS:SERVER[:PORT]" */
static void
read_alias (const Settings *settings, const ImportLine *line)
{
    g_auto (GStrv) parts = g_strsplit (line->text, ":", 3);

    if (g_strv_length (parts) < 2 || *g_strstrip (parts[0]) == '\0' || *g_strstrip (parts[1]) == '\0') {
        import_note (settings->import, IMPORT_LOST, line, NULL, "expected user:address or user:address:server");
        return;
    }

    config_plan_add_row (settings->import->plan, "Rewrite", "SenderTable", "senders", parts[0], parts[1]);
    import_note (settings->import, IMPORT_TAKEN, line, NULL, "[Rewrite] SenderTable=: %s %s", parts[0], parts[1]);
    if (parts[2] != NULL && *g_strstrip (parts[2]) != '\0')
        route_user (settings, line, parts[0], parts[2]);
}

static void
end_routes (Import *import)
{
    for (guint i = 0; i < import->notes->len; i++)
        if (strstr (((ImportNote *) g_ptr_array_index (import->notes, i))->told, "[Route ") != NULL) {
            config_plan_comment (import->plan, "Route rest", "All other mail");
            config_plan_set (import->plan, "Route rest", "Smarthosts", "default");
            return;
        }
}

void
import_ssmtp (Import *import, const gchar *file)
{
    g_autoptr (GPtrArray) lines = import_read (import, file, FALSE);
    g_autofree gchar *folder = g_path_get_dirname (file);
    g_autofree gchar *path = g_build_filename (folder, "revaliases", NULL);
    g_autoptr (GPtrArray) aliases = import_read (import, path, FALSE);
    g_auto (Settings) settings = {.import = import};

    config_plan_set (import->plan, "Smarthost", "Host", "mail"); /* sSMTP's default */
    for (guint i = 0; i < lines->len; i++)
        read_line (&settings, g_ptr_array_index (lines, i));

    if (settings.host != NULL)
        import_take (import, settings.host_line, "Smarthost", "Host", settings.host);
    config_plan_set (import->plan, "Smarthost", "Port", settings.port != NULL ? settings.port : "25");
    finish_tls (&settings);
    finish_login (&settings);
    finish_root (&settings);
    for (guint i = 0; i < aliases->len; i++)
        read_alias (&settings, g_ptr_array_index (aliases, i));
    end_routes (import);
}
