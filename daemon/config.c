/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The configuration
 *
 * Reads postern.conf with its drop-ins into one value that is right as a whole or not made at all, so that no other
 * file has to ask whether a setting makes sense. All problems are told together: an administrator who corrects
 * one and is shown the next, five times over, has been served badly.
 *
 * A relay without a smarthost is no mistake: it takes mail and keeps it until somebody says where it should go.
 */

#include "config.h"

#include "config-rewrite.h"
#include "config-route.h"
#include "config-schema.h"
#include "credential.h"
#include "identity.h"

#include <string.h>

/* The name service is asked only at the start, and a machine without a network must not take long over it. */
#define HOST_NAME_WAIT_SECONDS 2

G_DEFINE_QUARK (postern_config_error, config_error)

Config *
config_ref (Config *config)
{
    g_ref_count_inc (&config->references);
    return config;
}

void
config_unref (Config *config)
{
    if (!g_ref_count_dec (&config->references))
        return;

    g_free (config->host_name);
    g_free (config->machine_name);
    g_free (config->domain);
    g_free (config->parent_domain);
    g_strfreev (config->admin_addresses);
    g_strfreev (config->local_domains);
    g_free (config->aliases_file);
    g_clear_pointer (&config->aliases, aliases_unref);
    g_free (config->sender);
    g_free (config->sender_table_file);
    g_free (config->recipient_table_file);
    g_clear_pointer (&config->sender_table, message_address_map_free);
    g_clear_pointer (&config->recipient_table, message_address_map_free);
    g_strfreev (config->masquerade);
    g_strfreev (config->masquerade_except);
    g_free (config->original_field);
    g_clear_pointer (&config->trusted, networks_free);
    g_free (config->tls_certificate);
    g_free (config->tls_key);
    g_clear_pointer (&config->tls, smtp_tls_unref);
    g_clear_pointer (&config->delivery, delivery_settings_free);
    g_free (config->written);
    g_free (config);
}

static Config *
config_new (void)
{
    Config *config = g_new0 (Config, 1);

    g_ref_count_init (&config->references);
    config->delivery = delivery_settings_new ();
    config_schema_set_defaults (&(ConfigTargets){.config = config, .delivery = config->delivery});
    return config;
}

/* The place that a missing key of the group should go to: the one that has most to do with it. */
static const gchar *
place_of (const ConfigGroup *group, const gchar *key)
{
    const ConfigEntry *entry = config_schema_entry (group, key);

    return entry != NULL ? entry->place : group->place;
}

/* What follows "Smarthost" names it: in D-Bus, in the log, on the command line. */
static gchar *
smarthost_name (const ConfigGroup *group, GPtrArray *problems)
{
    g_autofree gchar *name = config_schema_name (group, CONFIG_SMARTHOST_GROUP, problems);

    return name[0] != '\0' ? g_steal_pointer (&name) : g_strdup ("default");
}

static void
check_name_is_free (const DeliverySettings *delivery, const ConfigGroup *group, const gchar *name,
                    GPtrArray *problems)
{
    for (guint i = 0; i < delivery->smarthosts->len; i++) {
        const DeliverySmarthost *other = g_ptr_array_index (delivery->smarthosts, i);

        if (g_ascii_strcasecmp (other->name, name) == 0)
            g_ptr_array_add (problems, g_strdup_printf ("%s: [%s]: there is another smarthost of the name “%s”; "
                                                        "expected [Smarthost NAME] with a name of its own",
                                                        group->place, group->name, name));
    }
}

static guint16
default_port (SmtpSecurity security)
{
    switch (security) {
    case SMTP_SECURITY_STARTTLS:
        return 587; /* RFC 6409 3.1 */
    case SMTP_SECURITY_IMPLICIT:
        return 465; /* RFC 8314 7.3 */
    case SMTP_SECURITY_NONE:
    case SMTP_SECURITY_OPPORTUNISTIC:
        return 25;
    }

    g_assert_not_reached ();
}

static void
read_password (DeliverySmarthost *smarthost, const ConfigGroup *group, const ConfigSources *sources,
               GPtrArray *problems, GPtrArray *warnings)
{
    const ConfigEntry *credential = config_schema_entry (group, "PasswordCredential");
    const ConfigEntry *file = config_schema_entry (group, "PasswordFile");
    const ConfigEntry *entry = credential != NULL ? credential : file;
    g_autoptr (GError) error = NULL;
    gboolean exposed = FALSE;

    if (entry == NULL)
        return;
    if (credential != NULL && file != NULL) {
        config_schema_complain (problems, file->place, group->name, "PasswordFile",
                                "expected only one of PasswordFile= and PasswordCredential=");
        return;
    }

    smarthost->password = credential != NULL ? credential_read (sources->credentials_folder, entry->value, &error)
                                             : credential_read_file (entry->value, &exposed, &error);
    if (smarthost->password == NULL)
        config_schema_complain (problems, entry->place, group->name, entry->key,
                                "no password can be read from it: %s", error->message);
    if (exposed)
        config_schema_complain (warnings, entry->place, group->name, entry->key,
                                "everybody on this machine can read the password in “%s”; take that right away with: "
                                "chmod o-r %s",
                                entry->value, entry->value);
}

static void
check_authentication (const DeliverySmarthost *smarthost, const ConfigGroup *group, GPtrArray *problems,
                      GPtrArray *warnings)
{
    gboolean has_password = config_schema_entry (group, "PasswordCredential") != NULL ||
                            config_schema_entry (group, "PasswordFile") != NULL;

    if (smarthost->user != NULL && !has_password)
        config_schema_complain (problems, place_of (group, "User"), group->name, "User",
                                "expected PasswordCredential= or PasswordFile= beside it");
    if (smarthost->user == NULL && has_password)
        config_schema_complain (problems, group->place, group->name, "User",
                                "missing; expected the name to log in with");
    if (smarthost->user != NULL && smarthost->security == SMTP_SECURITY_NONE && !smarthost->auth_without_tls)
        config_schema_complain (warnings, place_of (group, "TLS"), group->name, "TLS",
                                "without TLS the password is not sent, and mail will wait; set TLS=starttls, or "
                                "AuthWithoutTLS=yes if the way to this host is safe");
}

/* The file is named in words that say which line is to change. */
static void
read_authorities (DeliverySmarthost *smarthost, const ConfigGroup *group, GPtrArray *problems)
{
    g_autoptr (GError) error = NULL;

    if (smarthost->trust_file == NULL || smarthost->security == SMTP_SECURITY_NONE)
        return;

    smarthost->tls = smtp_tls_new_client (smarthost->trust_file, smarthost->verify, &error);
    if (smarthost->tls == NULL)
        config_schema_complain (problems, place_of (group, "TrustFile"), group->name, "TrustFile", "%s",
                                error->message);
}

static void
read_smarthost (Config *config, const ConfigGroup *group, const ConfigSources *sources, GPtrArray *problems,
                GPtrArray *warnings)
{
    g_autofree gchar *name = smarthost_name (group, problems);
    DeliverySmarthost *smarthost = delivery_smarthost_new (name);

    check_name_is_free (config->delivery, group, name, problems);
    g_ptr_array_add (config->delivery->smarthosts, smarthost);

    config_schema_read (group, &(ConfigTargets){.smarthost = smarthost}, problems);
    if (config_schema_entry (group, "Host") == NULL)
        config_schema_complain (problems, group->place, group->name, "Host",
                                "missing; expected the name of the host that takes this machine's mail");
    if (config_schema_entry (group, "Port") == NULL)
        smarthost->port = default_port (smarthost->security);

    read_authorities (smarthost, group, problems);
    read_password (smarthost, group, sources, problems, warnings);
    check_authentication (smarthost, group, problems, warnings);
}

static void
read_server_tls (Config *config, const ConfigFile *file, GPtrArray *problems)
{
    const ConfigGroup *group = config_file_group (file, "Server");
    const ConfigEntry *certificate = group != NULL ? config_schema_entry (group, "TLSCertificate") : NULL;
    const ConfigEntry *key = group != NULL ? config_schema_entry (group, "TLSKey") : NULL;
    g_autoptr (GError) error = NULL;

    if ((certificate == NULL) != (key == NULL)) {
        const gchar *missing = certificate == NULL ? "TLSCertificate" : "TLSKey";

        config_schema_complain (problems, certificate != NULL ? certificate->place : key->place, group->name, missing,
                                "missing; expected TLSCertificate= and TLSKey= together");
        return;
    }

    /* One that cannot be read was complained about already. */
    if (config->tls_certificate == NULL || config->tls_key == NULL)
        return;

    config->tls = smtp_tls_new_server (config->tls_certificate, config->tls_key, &error);
    if (config->tls == NULL)
        config_schema_complain (problems, certificate->place, group->name, "TLSCertificate", "%s", error->message);
}

static void
check_retry (const Config *config, const ConfigFile *file, GPtrArray *problems)
{
    const ConfigGroup *group = config_file_group (file, "Queue");

    if (group != NULL && config->delivery->retry_first_seconds > config->delivery->retry_longest_seconds)
        config_schema_complain (problems, place_of (group, "RetryFirst"), group->name, "RetryFirst",
                                "expected no more than RetryLongest=, which is %u seconds",
                                config->delivery->retry_longest_seconds);
}

static guint
rank_name (const gchar *name)
{
    if (name == NULL)
        return 0;
    if (identity_is_useful (name))
        return 3;

    return g_str_has_prefix (name, "localhost") ? 1 : 2;
}

/* Returns: (nullable): the name that others can do more with; the first of two that are alike */
static const gchar *
choose_name (const gchar *first, const gchar *second)
{
    return rank_name (second) > rank_name (first) ? second : first;
}

static void
warn_of_names (const Config *config, const ConfigSources *sources, GPtrArray *warnings)
{
    if (!identity_is_useful (config->domain))
        g_ptr_array_add (warnings,
                         g_strdup_printf ("nobody can answer mail from root@%s: addresses without a domain get "
                                          "“%s”; set Domain= in the group [Relay], or put the domain into %s",
                                          config->domain, config->domain, sources->mail_name_file));
    if (!identity_is_useful (config->host_name))
        g_ptr_array_add (warnings,
                         g_strdup_printf ("this machine greets servers as “%s”, which is no full name, and some "
                                          "refuse that; set HostName= in the group [Relay]",
                                          config->host_name));
}

/* The names that the configuration leaves to the machine: of several the best. */
static void
complete_names (Config *config, const ConfigSources *sources, GPtrArray *warnings)
{
    g_autofree gchar *mail_name =
        sources->mail_name_file != NULL ? identity_mail_name (sources->mail_name_file) : NULL;

    if (config->host_name == NULL) {
        config->machine_name =
            sources->host_name != NULL ? g_strdup (sources->host_name) : identity_host_name (HOST_NAME_WAIT_SECONDS);
        config->host_name = g_strdup (choose_name (config->machine_name, choose_name (mail_name, config->domain)));
    }
    if (config->domain == NULL)
        config->domain = g_strdup (choose_name (mail_name, config->host_name));
    config->completion = (MessageCompletion){.domain = config->domain, .parent = config->parent_domain};
    warn_of_names (config, sources, warnings);

    config->delivery->host_name = g_strdup (config->host_name);
    config->delivery->domain = g_strdup (config->domain);
    config->delivery->no_smarthost = g_strdup_printf (
        "no smarthost is configured: set Host= in the group [" CONFIG_SMARTHOST_GROUP "] of %s", sources->path);
}

static void
set_error (GError **error, GPtrArray *problems)
{
    g_autofree gchar *text = NULL;

    g_ptr_array_add (problems, NULL);
    text = g_strjoinv ("\n", (gchar **) problems->pdata);
    g_set_error_literal (error, CONFIG_ERROR, CONFIG_ERROR_BAD, text);
}

/* Returns: (transfer full): what of @file is good; the rest has its defaults */
static Config *
read_file (ConfigFile *file, const ConfigSources *sources, GPtrArray *problems, GPtrArray *warnings)
{
    Config *config = config_new ();

    for (guint i = 0; i < file->groups->len; i++) {
        const ConfigGroup *group = g_ptr_array_index (file->groups, i);

        if (config_schema_is_smarthost (group))
            read_smarthost (config, group, sources, problems, warnings);
        else if (config_schema_is_route (group))
            config_route_read (config->delivery, group, problems, warnings);
        else
            config_schema_read (group, &(ConfigTargets){.config = config, .delivery = config->delivery}, problems);
    }

    read_server_tls (config, file, problems);
    check_retry (config, file, problems);
    config_route_check (config->delivery, file, problems);
    complete_names (config, sources, warnings);
    config_rewrite_read_tables (config, file, problems);
    return config;
}

/* Returns: (transfer full): @config as it is, if all of it was good; it is taken over */
static Config *
judge (Config *config, const ConfigFile *file, GPtrArray *problems, GError **error)
{
    if (problems->len == 0) {
        config->written = config_file_write (file);
        return config;
    }

    set_error (error, problems);
    config_unref (config);
    return NULL;
}

Config *
config_load (const ConfigSources *sources, GPtrArray *warnings, GError **error)
{
    g_autoptr (GPtrArray) problems = g_ptr_array_new_with_free_func (g_free);
    g_autoptr (ConfigFile) file = config_file_read (sources->path, sources->may_be_missing, problems);

    return judge (read_file (file, sources, problems, warnings), file, problems, error);
}

Config *
config_load_written (const ConfigSources *sources, const gchar *path, GError **error)
{
    g_autoptr (GPtrArray) problems = g_ptr_array_new_with_free_func (g_free);
    g_autoptr (GPtrArray) warnings = g_ptr_array_new_with_free_func (g_free);
    g_autoptr (ConfigFile) file = config_file_read_written (path, problems);

    return judge (read_file (file, sources, problems, warnings), file, problems, error);
}

/* Sends nothing, and gives nothing up. */
static DeliverySettings *
holding_settings (const Config *config, const gchar *reason)
{
    DeliverySettings *settings = delivery_settings_new ();

    settings->host_name = g_strdup (config->host_name);
    settings->domain = g_strdup (config->domain);
    settings->no_smarthost = g_strdup (reason);
    settings->expire_seconds = CONFIG_SPAN_MOST_SECONDS;
    settings->delay_notice_seconds = 0;
    return settings;
}

Config *
config_load_holding (const ConfigSources *sources, const gchar *reason)
{
    g_autoptr (GPtrArray) ignored = g_ptr_array_new_with_free_func (g_free);
    g_autoptr (ConfigFile) file = config_file_read (sources->path, sources->may_be_missing, ignored);
    Config *config = read_file (file, sources, ignored, ignored);
    DeliverySettings *settings = holding_settings (config, reason);

    delivery_settings_free (config->delivery);
    config->delivery = settings;
    return config;
}
