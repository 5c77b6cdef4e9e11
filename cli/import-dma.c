/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The DragonFly Mail Agent
 *
 * dma.conf has "NAME value" lines, where a name alone switches something on; auth.conf has "user|server:password". dma
 * trusts every certificate; that is not taken over, but told. Without a smarthost it delivers to the recipients' own
 * servers, which has no counterpart here.
 */

#include "cli/import.h"

#include <string.h>

/* A notification returns the whole message; what is larger is seldom accepted by anybody. */
#define WHOLE_MESSAGE "128M"

typedef struct {
    Import *import;
    GHashTable *lines; /* name -> ImportLine */
} Settings;

static const ImportLine *
line_of (const Settings *settings, const gchar *name)
{
    return g_hash_table_lookup (settings->lines, name);
}

static gboolean
has (const Settings *settings, const gchar *name)
{
    return line_of (settings, name) != NULL;
}

/* Returns: (nullable) (transfer none) */
static const gchar *
value_of (const Settings *settings, const gchar *name)
{
    const ImportLine *line = line_of (settings, name);
    const gchar *value;

    if (line == NULL)
        return NULL;

    value = line->text + strcspn (line->text, " \t");
    value += strspn (value, " \t");
    return *value != '\0' ? value : NULL;
}

/* ---- The server ---- */

static const gchar *
tls_of (const Settings *settings)
{
    if (!has (settings, "SECURETRANSFER"))
        return "none";
    if (!has (settings, "STARTTLS"))
        return "implicit";
    return has (settings, "OPPORTUNISTIC_TLS") ? "opportunistic" : "starttls";
}

static void
take_tls (const Settings *settings)
{
    static const gchar *const names[] = {"SECURETRANSFER", "STARTTLS", "OPPORTUNISTIC_TLS"};
    const gchar *tls = tls_of (settings);

    config_plan_set (settings->import->plan, "Smarthost", "TLS", tls);
    for (guint i = 0; i < G_N_ELEMENTS (names); i++)
        if (has (settings, names[i]))
            import_note (settings->import, IMPORT_TAKEN, line_of (settings, names[i]), NULL, "[Smarthost] TLS=%s",
                         tls);

    if (g_str_equal (tls, "none"))
        import_note (
            settings->import, IMPORT_CHANGED, line_of (settings, "SMARTHOST"), "",
            "mail is sent without encryption, as before; TLS=opportunistic would use it where the server can");
    else
        import_note (
            settings->import, IMPORT_CHANGED, line_of (settings, "SECURETRANSFER"), "",
            "the server's certificate is checked now; Verify=no would not, and “postern check” tells whether it is "
            "good");
}

static void
take_login (const Settings *settings, const ImportLine *line, const gchar *user, const gchar *password)
{
    g_autofree gchar *shown = g_strdup_printf ("%s|%s:…", user, value_of (settings, "SMARTHOST"));

    config_plan_set (settings->import->plan, "Smarthost", "User", user);
    import_set_password (settings->import, "Smarthost", password);
    import_note (settings->import, IMPORT_TAKEN, line, shown, "[Smarthost] User=%s PasswordCredential=smarthost",
                 user);
}

static void
read_login (const Settings *settings, const ImportLine *line)
{
    const gchar *bar = strchr (line->text, '|');
    const gchar *colon = bar != NULL ? strchr (bar, ':') : NULL;
    g_autofree gchar *user = NULL;
    g_autofree gchar *host = NULL;

    if (colon == NULL) {
        import_note (settings->import, IMPORT_LOST, line, "(not shown)", "expected user|server:password");
        return;
    }

    user = g_strndup (line->text, (gsize) (bar - line->text));
    host = g_strndup (bar + 1, (gsize) (colon - bar - 1));
    if (g_strcmp0 (host, value_of (settings, "SMARTHOST")) == 0)
        take_login (settings, line, user, colon + 1);
    else
        import_note (settings->import, IMPORT_LOST, line, host, "it is not the smarthost");
}

static void
take_logins (const Settings *settings)
{
    const gchar *path = value_of (settings, "AUTHPATH");
    g_autoptr (GPtrArray) lines = path != NULL ? import_read (settings->import, path, FALSE) : NULL;

    for (guint i = 0; lines != NULL && i < lines->len; i++)
        read_login (settings, g_ptr_array_index (lines, i));
    if (path != NULL)
        import_note (settings->import, IMPORT_TAKEN, line_of (settings, "AUTHPATH"), NULL, "%s was read", path);
}

static void
take_smarthost (const Settings *settings)
{
    const gchar *port = value_of (settings, "PORT");

    if (value_of (settings, "SMARTHOST") == NULL) {
        import_note (settings->import, IMPORT_LOST, line_of (settings, "SMARTHOST"), NULL,
                     "without a smarthost dma delivers to the recipients' servers; here mail waits until there is a "
                     "[Smarthost]");
        return;
    }

    import_take (settings->import, line_of (settings, "SMARTHOST"), "Smarthost", "Host",
                 value_of (settings, "SMARTHOST"));
    if (port != NULL)
        import_take (settings->import, line_of (settings, "PORT"), "Smarthost", "Port", port);
    else
        config_plan_set (settings->import->plan, "Smarthost", "Port", "25");
    take_tls (settings);
    take_logins (settings);
}

/* ---- Names and addresses ---- */

/* Returns: (transfer full) (nullable): dma's name of the machine, if the configuration says it */
static gchar *
mail_name (const Settings *settings)
{
    const gchar *value = value_of (settings, "MAILNAME");

    if (value == NULL)
        return NULL;
    return *value == '/' ? import_read_first (settings->import, value) : g_strdup (value);
}

static void
take_mail_name (const Settings *settings)
{
    g_autofree gchar *name = mail_name (settings);
    const ImportLine *line = line_of (settings, "MAILNAME");

    if (line == NULL)
        return;
    if (g_strcmp0 (value_of (settings, "MAILNAME"), "/etc/mailname") == 0) {
        import_note (settings->import, IMPORT_SAME, line, NULL,
                     "addresses are completed with it where Domain= is not set");
    } else if (name != NULL) {
        import_take (settings->import, line, "Relay", "HostName", name);
        import_take (settings->import, line, "Relay", "Domain", name);
    }
}

/* "user@host", "user@" or "host"; for the envelope only in dma. */
static void
take_masquerade (const Settings *settings)
{
    const ImportLine *line = line_of (settings, "MASQUERADE");
    const gchar *value = value_of (settings, "MASQUERADE");
    g_autofree gchar *name = mail_name (settings);
    g_autofree gchar *address = NULL;

    if (value == NULL)
        return;
    if (strchr (value, '@') == NULL) {
        import_take (settings->import, line, "Relay", "Domain", value);
        return;
    }

    if (!g_str_has_suffix (value, "@"))
        address = g_strdup (value);
    else if (name != NULL)
        address = g_strconcat (value, name, NULL);
    if (address == NULL) {
        import_note (settings->import, IMPORT_LOST, line, NULL,
                     "the machine's name is not known; set Sender= of [Rewrite]");
        return;
    }

    import_take (settings->import, line, "Rewrite", "Sender", address);
    import_note (settings->import, IMPORT_CHANGED, line, "",
                 "From: in the header is rewritten, too, not the envelope alone");
}

static void
take_aliases (const Settings *settings)
{
    const gchar *path = value_of (settings, "ALIASES");

    if (has (settings, "NULLCLIENT")) {
        import_take (settings->import, line_of (settings, "NULLCLIENT"), "Aliases", "File", "none");
        import_note (settings->import, IMPORT_SAME, line_of (settings, "NULLCLIENT"), "",
                     "there is no delivery on this machine anyway");
    } else if (path != NULL && !g_str_equal (path, "/etc/aliases")) {
        import_take (settings->import, line_of (settings, "ALIASES"), "Aliases", "File", path);
    } else if (path != NULL) {
        import_note (settings->import, IMPORT_SAME, line_of (settings, "ALIASES"), NULL,
                     "it is the default here, too");
    }
}

/* ---- The rest ---- */

static const struct {
    const gchar *name;
    ImportOutcome outcome;
    const gchar *words;
} others[] = {
    {"SPOOLDIR", IMPORT_LOST,
     "the queue is where the service has its state; have dma send what it still has: dma -q"},
    {"FINGERPRINT", IMPORT_LOST, "a certificate is trusted by its authority; name that in TrustFile="},
    {"CERTFILE", IMPORT_LOST, "it logs in with a password, not with a certificate"},
    {"DEFER", IMPORT_LOST, "mail is sent at once; “postern pause” keeps it until “postern resume”"},
    {"SECURE", IMPORT_SAME, "a password is only sent over TLS"},
    {"INSECURE", IMPORT_TAKEN, "[Smarthost] AuthWithoutTLS=yes"},
    {"FULLBOUNCE", IMPORT_TAKEN, "[Delivery] NoticeContent=" WHOLE_MESSAGE},
};

static const gchar *const answered[] = {"SMARTHOST", "PORT",     "SECURETRANSFER", "STARTTLS", "OPPORTUNISTIC_TLS",
                                        "AUTHPATH",  "MAILNAME", "MASQUERADE",     "ALIASES",  "NULLCLIENT",
                                        NULL};

static void
tell_other (const Settings *settings, const gchar *name, const ImportLine *line)
{
    for (guint i = 0; i < G_N_ELEMENTS (others); i++)
        if (g_str_equal (others[i].name, name)) {
            import_note (settings->import, others[i].outcome, line, NULL, "%s", others[i].words);
            return;
        }

    if (!g_strv_contains (answered, name))
        import_note (settings->import, IMPORT_LOST, line, name, "dma has nothing of this name");
}

static void
take_others (const Settings *settings, GPtrArray *lines)
{
    for (guint i = 0; i < lines->len; i++) {
        const ImportLine *line = g_ptr_array_index (lines, i);
        g_autofree gchar *name = g_strndup (line->text, strcspn (line->text, " \t"));

        tell_other (settings, name, line);
    }

    if (has (settings, "INSECURE") && value_of (settings, "SMARTHOST") != NULL)
        config_plan_set (settings->import->plan, "Smarthost", "AuthWithoutTLS", "yes");
    if (has (settings, "FULLBOUNCE"))
        config_plan_set (settings->import->plan, "Delivery", "NoticeContent", WHOLE_MESSAGE);
}

void
import_dma (Import *import, const gchar *file)
{
    g_autoptr (GPtrArray) lines = import_read (import, file, FALSE);
    g_autoptr (GHashTable) by_name = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
    const Settings settings = {.import = import, .lines = by_name};

    for (guint i = 0; i < lines->len; i++) {
        ImportLine *line = g_ptr_array_index (lines, i);

        g_hash_table_insert (by_name, g_strndup (line->text, strcspn (line->text, " \t")), line);
    }

    take_smarthost (&settings);
    take_mail_name (&settings);
    take_masquerade (&settings);
    take_aliases (&settings);
    take_others (&settings, lines);
}
