/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Postfix as a null client
 *
 * Of all that Postfix can do, this is the part that a machine needs which only sends: where mail goes, whom it is from,
 * who reads the mail to root. A parameter that is about receiving is told to have no counterpart, with the reason, so
 * that somebody whose Postfix does more than that sees it before the change.
 */

#include <string.h>

#include "cli/import-postfix-relay.h"
#include "cli/import-postfix-rewrite.h"

typedef void (*Take) (const PostfixMain *postfix, const ImportLine *line, const gchar *value);

/* ---- Names ---- */

static void
take_host_name (const PostfixMain *postfix, const ImportLine *line, const gchar *value)
{
    import_take (postfix->import, line, "Relay", "HostName", value);
}

static void
take_origin (const PostfixMain *postfix, const ImportLine *line, const gchar *value)
{
    g_autofree gchar *domain = *value == '/' ? import_read_first (postfix->import, value) : g_strdup (value);

    if (g_str_equal (value, "/etc/mailname"))
        import_note (postfix->import, IMPORT_SAME, line, NULL,
                     "addresses are completed with it where Domain= is not set");
    else if (domain != NULL)
        import_take (postfix->import, line, "Relay", "Domain", domain);
    else
        import_note (postfix->import, IMPORT_LOST, line, NULL, "there is no domain in it");
}

static void
take_append (const PostfixMain *postfix, const ImportLine *line, const gchar *value)
{
    g_autofree gchar *domain = postfix_main_get (postfix, "mydomain");

    if (!postfix_main_is_yes (postfix, "append_dot_mydomain"))
        import_note (postfix->import, IMPORT_SAME, line, NULL, "names of hosts without a dot are left as they are");
    else if (*domain != '\0')
        import_take (postfix->import, line, "Relay", "ParentDomain", domain);
    else
        import_note (postfix->import, IMPORT_LOST, line, NULL, "there is no mydomain: ParentDomain= names one");
}

/* Whether it is local anyway. */
static gboolean
is_own_name (const PostfixMain *postfix, const gchar *name)
{
    g_autofree gchar *host = postfix_main_get (postfix, "myhostname");

    return g_str_equal (name, "localhost") || g_str_equal (name, "localhost.localdomain") ||
           g_ascii_strcasecmp (name, host) == 0;
}

static void
take_destinations (const PostfixMain *postfix, const ImportLine *line, const gchar *value)
{
    g_auto (GStrv) names = postfix_main_list (postfix, "mydestination");
    gboolean plain = TRUE;

    for (guint i = 0; names[i] != NULL; i++) {
        if (strpbrk (names[i], "/:") != NULL)
            plain = FALSE;
        else if (!is_own_name (postfix, names[i]))
            config_plan_append (postfix->import->plan, "Relay", "LocalDomains", " ", names[i]);
    }

    if (config_plan_get (postfix->import->plan, "Relay", "LocalDomains") != NULL)
        import_note (postfix->import, IMPORT_TAKEN, line, NULL, "[Relay] LocalDomains=%s",
                     config_plan_get (postfix->import->plan, "Relay", "LocalDomains"));
    else
        import_note (postfix->import, IMPORT_SAME, line, NULL, "the machine's own names are local anyway");
    if (!plain)
        import_note (postfix->import, IMPORT_LOST, line, "",
                     "LocalDomains= has no tables; the names have to be in the list");
    if (names[0] != NULL && postfix_main_line (postfix, "luser_relay") == NULL)
        import_note (
            postfix->import, IMPORT_CHANGED, line, "",
            "there are no mailboxes: set AdminAddress= of [Relay] to who reads the mail to users without an alias");
}

static void
take_luser (const PostfixMain *postfix, const ImportLine *line, const gchar *value)
{
    if (strchr (value, '@') != NULL && strchr (value, '$') == NULL)
        import_take (postfix->import, line, "Relay", "AdminAddress", value);
    else
        import_note (postfix->import, IMPORT_LOST, line, NULL,
                     "AdminAddress= of [Relay] wants an address with a domain");
}

static void
take_aliases (const PostfixMain *postfix, const ImportLine *line, const gchar *value)
{
    g_auto (GStrv) maps = postfix_main_list (postfix, "alias_maps");
    const gchar *file = NULL;

    for (guint i = 0; maps[i] != NULL; i++) {
        const gchar *colon = strchr (maps[i], ':');

        if (file == NULL && colon != NULL && colon[1] == '/')
            file = colon + 1;
        else
            import_note (postfix->import, IMPORT_LOST, line, NULL,
                         "there is one file of aliases, and %s is none, or another", maps[i]);
    }

    if (maps[0] == NULL)
        import_take (postfix->import, line, "Aliases", "File", "none");
    else if (file != NULL && g_str_equal (file, "/etc/aliases"))
        import_note (postfix->import, IMPORT_SAME, line, NULL, "it is the default here, too");
    else if (file != NULL)
        import_take (postfix->import, line, "Aliases", "File", file);
}

/* ---- Limits and times ---- */

/* Postfix writes "5d", "30m"; without a unit it is the parameter's own. */
static void
take_time (const PostfixMain *postfix, const ImportLine *line, const gchar *value, const gchar *group,
           const gchar *key, gchar unit)
{
    static const struct {
        gchar letter;
        guint64 seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 24 * 3600}, {'w', 7 * 24 * 3600}};
    gchar *end = NULL;
    guint64 number = g_ascii_strtoull (value, &end, 10);
    g_autofree gchar *seconds = NULL;

    if (end != value && *end != '\0')
        unit = *end;
    for (guint i = 0; i < G_N_ELEMENTS (units) && end != value && number < G_MAXUINT32; i++)
        if (units[i].letter == unit)
            seconds = g_strdup_printf ("%" G_GUINT64_FORMAT, number * units[i].seconds);

    import_take_seconds (postfix->import, line, group, key, seconds != NULL ? seconds : value);
}

static const struct {
    const gchar *parameter;
    const gchar *group;
    const gchar *key;
    gchar unit;
} times[] = {
    {"maximal_queue_lifetime", "Queue", "Lifetime", 'd'},
    {"delay_warning_time", "Queue", "DelayNotice", 'h'},
    {"minimal_backoff_time", "Queue", "RetryFirst", 's'},
    {"maximal_backoff_time", "Queue", "RetryLongest", 's'},
    {"smtp_connect_timeout", "Delivery", "ConnectTimeout", 's'},
    {"smtp_helo_timeout", "Delivery", "GreetingTimeout", 's'},
    {"smtp_mail_timeout", "Delivery", "CommandTimeout", 's'},
    {"smtp_data_init_timeout", "Delivery", "DataTimeout", 's'},
    {"smtp_data_xfer_timeout", "Delivery", "BlockTimeout", 's'},
    {"smtp_data_done_timeout", "Delivery", "EndTimeout", 's'},
};

static gboolean
take_as_time (const PostfixMain *postfix, const PostfixParameter *parameter, const gchar *value)
{
    for (guint i = 0; i < G_N_ELEMENTS (times); i++)
        if (g_str_equal (times[i].parameter, parameter->name)) {
            take_time (postfix, parameter->line, value, times[i].group, times[i].key, times[i].unit);
            return TRUE;
        }

    return FALSE;
}

static void
take_size (const PostfixMain *postfix, const ImportLine *line, const gchar *value)
{
    import_take (postfix->import, line, "Server", "MaxMessageSize", value);
}

static void
take_concurrency (const PostfixMain *postfix, const ImportLine *line, const gchar *value)
{
    import_take (postfix->import, line, "Smarthost", "MaxConnections", value);
}

/* "[::1]/128" is written without brackets here; IPv4 addresses are always matched as such. */
static gchar *
bare_network (const gchar *word)
{
    g_autofree gchar *bare = g_strdup (word);
    gchar *end = *bare == '[' ? strchr (bare, ']') : NULL;

    if (g_ascii_strncasecmp (word, "[::ffff:", 8) == 0)
        return g_strdup ("");
    if (end == NULL)
        return g_steal_pointer (&bare);

    *end = '\0';
    return g_strconcat (bare + 1, end + 1, NULL);
}

static void
take_networks (const PostfixMain *postfix, const ImportLine *line, const gchar *value)
{
    g_auto (GStrv) words = postfix_main_list (postfix, "mynetworks");
    g_autoptr (GString) networks = g_string_new (NULL);
    gboolean others = FALSE;

    for (guint i = 0; words[i] != NULL; i++) {
        g_autofree gchar *network = bare_network (words[i]);
        gboolean is_table =
            *network == '/' || *network == '!' || g_ascii_isalpha (network[0]) ||
            (strchr (network, ':') != NULL && strspn (network, "0123456789abcdefABCDEF:./") != strlen (network));

        if (is_table)
            import_note (postfix->import, IMPORT_LOST, line, NULL,
                         "TrustedNetworks= has networks only, and %s is none", network);
        else if (*network != '\0')
            g_string_append_printf (networks, "%s%s", networks->len > 0 ? " " : "", network);
        others = others || !(is_table || *network == '\0' || g_str_equal (network, "127.0.0.0/8") ||
                             g_str_equal (network, "::1/128") || g_str_equal (network, "::1"));
    }

    if (others)
        import_take (postfix->import, line, "Server", "TrustedNetworks", networks->str);
    else
        import_note (postfix->import, IMPORT_SAME, line, NULL, "this machine may relay anyway");
}

static void
take_interfaces (const PostfixMain *postfix, const ImportLine *line, const gchar *value)
{
    if (g_str_equal (value, "loopback-only") || g_str_equal (value, "localhost") || g_str_has_prefix (value, "127."))
        import_note (postfix->import, IMPORT_SAME, line, NULL, "postern.socket listens on the loopback only");
    else
        import_note (postfix->import, IMPORT_CHANGED, line, NULL,
                     "postern.socket listens on the loopback only; “systemctl edit postern.socket” adds others");
}

/* ---- All parameters ---- */

static const struct {
    const gchar *parameter;
    Take take;
} takes[] = {
    {"myhostname", take_host_name},
    {"myorigin", take_origin},
    {"append_dot_mydomain", take_append},
    {"mydestination", take_destinations},
    {"luser_relay", take_luser},
    {"alias_maps", take_aliases},
    {"message_size_limit", take_size},
    {"default_destination_concurrency_limit", take_concurrency},
    {"smtp_destination_concurrency_limit", take_concurrency},
    {"mynetworks", take_networks},
    {"inet_interfaces", take_interfaces},
};

/* A star at the end stands for the rest of a name. The first that matches counts. */
static const struct {
    const gchar *pattern;
    ImportOutcome outcome;
    const gchar *words;
} others[] = {
    {"mydomain", IMPORT_SAME, "it is in what names it"},
    {"alias_database", IMPORT_SAME, "the aliases are read from their text"},
    {"compatibility_level", IMPORT_SAME, "it is about Postfix alone"},
    {"biff", IMPORT_SAME, "there are no mailboxes"},
    {"home_mailbox", IMPORT_LOST, "there are no mailboxes"},
    {"mail_spool_directory", IMPORT_LOST, "there are no mailboxes"},
    {"mailbox_*", IMPORT_LOST, "there are no mailboxes"},
    {"virtual_*", IMPORT_LOST, "there are no mailboxes, and no domains for them"},
    {"recipient_delimiter", IMPORT_LOST, "there are no mailboxes; addresses are sent on as they are"},
    {"local_transport", IMPORT_SAME, "nothing is delivered on this machine"},
    {"default_transport", IMPORT_LOST, "mail goes to a smarthost by SMTP"},
    {"relay_*", IMPORT_LOST, "it takes mail from the machine's own programs and sends it on"},
    {"append_at_myorigin", IMPORT_SAME, "bare addresses are completed with Domain="},
    {"inet_protocols", IMPORT_SAME, "the smarthost is reached by IPv4 and IPv6, whichever answers"},
    {"smtp_address_preference", IMPORT_SAME, "the smarthost is reached by IPv4 and IPv6, whichever answers"},
    {"smtputf8_enable", IMPORT_SAME, "it is used where the smarthost offers it"},
    {"disable_dns_lookups", IMPORT_SAME, "mail exchangers are never asked for"},
    {"smtp_tls_session_cache_database", IMPORT_SAME, "connections are kept for the next message instead"},
    {"smtp_tls_loglevel", IMPORT_SAME, "the log says what TLS is used"},
    {"smtp_tls_note_starttls_offer", IMPORT_SAME, "the log says what TLS is used"},
    {"smtp_tls_cert_file", IMPORT_LOST, "it logs in with a password, not with a certificate"},
    {"smtp_tls_key_file", IMPORT_LOST, "it logs in with a password, not with a certificate"},
    {"smtp_tls_*", IMPORT_LOST, "TLS is as GnuTLS has it by default"},
    {"smtp_helo_name", IMPORT_LOST, "it greets by HostName="},
    {"smtp_bind_address*", IMPORT_LOST, "the system chooses the address that it connects from"},
    {"smtp_header_checks", IMPORT_LOST, "headers are rewritten by [Rewrite] only"},
    {"header_checks", IMPORT_LOST, "headers are rewritten by [Rewrite] only"},
    {"body_checks", IMPORT_LOST, "content is never touched"},
    {"*_bcc_maps", IMPORT_LOST, "no copies are made"},
    {"always_bcc", IMPORT_LOST, "no copies are made"},
    {"content_filter", IMPORT_LOST, "content is never touched"},
    {"bounce_*", IMPORT_LOST, "a notification tells what RFC 3464 asks for, and goes to the sender alone"},
    {"2bounce_notice_recipient", IMPORT_LOST,
     "a notification that cannot be delivered is held; postern list --state=held"},
    {"notify_classes", IMPORT_LOST, "the journal tells what goes wrong: journalctl -u postern"},
    {"error_notice_recipient", IMPORT_LOST, "the journal tells what goes wrong: journalctl -u postern"},
    {"queue_run_delay", IMPORT_SAME, "each message has a time of its own for the next attempt"},
    {"smtpd_relay_restrictions", IMPORT_SAME, "who may relay is what TrustedNetworks= of [Server] says"},
    {"smtpd_recipient_restrictions", IMPORT_SAME, "who may relay is what TrustedNetworks= of [Server] says"},
    {"smtpd_banner", IMPORT_SAME, "the greeting has HostName= in it"},
    {"disable_vrfy_command", IMPORT_SAME, "VRFY tells nothing"},
    {"smtpd_use_tls", IMPORT_LOST, "for clients on other machines: TLSCertificate= and TLSKey= of [Server]"},
    {"smtpd_tls_*", IMPORT_LOST, "for clients on other machines: TLSCertificate= and TLSKey= of [Server]"},
    {"smtpd_*", IMPORT_LOST, "it takes mail from the machine's own programs, not from the world"},
    {"*_directory", IMPORT_SAME, "it is about Postfix alone"},
    {"*_path", IMPORT_SAME, "it is about Postfix alone"},
    {"mail_owner", IMPORT_SAME, "it is about Postfix alone"},
    {"setgid_group", IMPORT_SAME, "it is about Postfix alone"},
    {"debug*", IMPORT_SAME, "it is about Postfix alone"},
    {"unknown_local_recipient_reject_code", IMPORT_SAME, "there are no mailboxes"},
    {"*", IMPORT_LOST, "there is nothing like it"},
};

static void
tell_other (const PostfixMain *postfix, const PostfixParameter *parameter)
{
    guint i = 0;

    while (!g_pattern_match_simple (others[i].pattern, parameter->name))
        i++;
    import_note (postfix->import, others[i].outcome, parameter->line, NULL, "%s", others[i].words);
}

static void
take_parameter (const PostfixMain *postfix, const PostfixParameter *parameter)
{
    g_autofree gchar *value = postfix_main_get (postfix, parameter->name);

    if (parameter->replaced) {
        import_note (postfix->import, IMPORT_SAME, parameter->line, parameter->name, "the one below counts");
        return;
    }
    if (postfix_is_of_relays (parameter->name) || postfix_is_of_rewriting (parameter->name))
        return;

    for (guint i = 0; i < G_N_ELEMENTS (takes); i++)
        if (g_str_equal (takes[i].parameter, parameter->name)) {
            takes[i].take (postfix, parameter->line, value);
            return;
        }

    if (!take_as_time (postfix, parameter, value))
        tell_other (postfix, parameter);
}

/* RetryFirst= must not be longer than RetryLongest=, of which one may be Postfix's default. */
static void
check_backoff (const PostfixMain *postfix)
{
    const ConfigPlan *plan = postfix->import->plan;

    if (config_plan_get (plan, "Queue", "RetryFirst") != NULL &&
        config_plan_get (plan, "Queue", "RetryLongest") == NULL)
        config_plan_set (postfix->import->plan, "Queue", "RetryLongest", "4000s"); /* maximal_backoff_time */
    if (config_plan_get (plan, "Queue", "RetryLongest") != NULL &&
        config_plan_get (plan, "Queue", "RetryFirst") == NULL)
        config_plan_set (postfix->import->plan, "Queue", "RetryFirst", "300s"); /* minimal_backoff_time */
}

void
import_postfix (Import *import, const gchar *file)
{
    g_autoptr (PostfixMain) postfix = postfix_main_new (import, file);

    postfix_take_relays (postfix);
    for (guint i = 0; i < postfix->parameters->len; i++)
        take_parameter (postfix, g_ptr_array_index (postfix->parameters, i));
    postfix_take_rewriting (postfix);
    check_backoff (postfix);
    if (config_plan_get (import->plan, "Smarthost", "Host") == NULL)
        config_plan_set (import->plan, "Smarthost", "MaxConnections", "");
}
