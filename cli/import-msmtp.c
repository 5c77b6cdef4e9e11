/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * msmtp
 *
 * A file of accounts, each with settings of its own over those of "defaults", and those of accounts that it names. They are
 * first resolved as msmtp does, with the line that each setting comes from, and then turned into smarthosts: the account
 * "default" is the one for all mail, and another with an address in "from" gets the mail of that sender.
 *
 * msmtp can ask a program or a key ring for a password, at each message; a relay that sends at night cannot. Such a
 * password has to be put into a file by hand, and that is told.
 */

#include "cli/import.h"

#include <string.h>

typedef struct {
    gchar *command;
    gchar *value;
    const ImportLine *line;
} Setting;

typedef struct {
    gchar *name;
    const ImportLine *line;
    GPtrArray *settings; /* of Setting; the last of a command counts */
    gchar *group;        /* (nullable) the smarthost that it became */
} Account;

typedef struct {
    Import *import;
    Account *defaults;
    GPtrArray *accounts; /* of Account */
} Accounts;

static void
setting_free (Setting *setting)
{
    g_free (setting->command);
    explicit_bzero (setting->value, strlen (setting->value));
    g_free (setting->value);
    g_free (setting);
}

static void
account_free (Account *account)
{
    g_free (account->name);
    g_free (account->group);
    g_ptr_array_unref (account->settings);
    g_free (account);
}

static Account *
account_new (const gchar *name, const ImportLine *line)
{
    Account *account = g_new0 (Account, 1);

    account->name = g_strdup (name);
    account->line = line;
    account->settings = g_ptr_array_new_with_free_func ((GDestroyNotify) setting_free);
    return account;
}

static void
set (Account *account, const gchar *command, const gchar *value, const ImportLine *line)
{
    Setting *setting = g_new0 (Setting, 1);

    setting->command = g_strdup (command);
    setting->value = g_strdup (value);
    setting->line = line;
    g_ptr_array_add (account->settings, setting);
}

static void
inherit (Account *account, const Account *other)
{
    for (guint i = 0; i < other->settings->len; i++) {
        const Setting *setting = g_ptr_array_index (other->settings, i);

        set (account, setting->command, setting->value, setting->line);
    }
}

static const Setting *
get (const Account *account, const gchar *command)
{
    for (guint i = account->settings->len; i > 0; i--) {
        const Setting *setting = g_ptr_array_index (account->settings, i - 1);

        if (g_str_equal (setting->command, command))
            return setting;
    }

    return NULL;
}

/* Returns: (nullable): the value, %NULL if it is not set or empty */
static const gchar *
value_of (const Account *account, const gchar *command)
{
    const Setting *setting = get (account, command);

    return setting != NULL && *setting->value != '\0' ? setting->value : NULL;
}

/* A command that accepts "on" takes nothing for it, too. */
static gboolean
is_on (const Account *account, const gchar *command, gboolean fallback)
{
    const Setting *setting = get (account, command);

    return setting == NULL ? fallback : *setting->value == '\0' || g_str_equal (setting->value, "on");
}

/* ---- Reading ---- */

static Account *
find (const Accounts *accounts, const gchar *name)
{
    for (guint i = 0; i < accounts->accounts->len; i++) {
        Account *account = g_ptr_array_index (accounts->accounts, i);

        if (g_str_equal (account->name, name))
            return account;
    }

    return NULL;
}

/* @value: "NAME" or "NAME : OTHER, OTHER" */
static Account *
begin_account (Accounts *accounts, const ImportLine *line, const gchar *value)
{
    gsize length = strcspn (value, ":");
    g_autofree gchar *name = g_strstrip (g_strndup (value, length));
    g_auto (GStrv) others = g_strsplit (value[length] == ':' ? value + length + 1 : "", ",", -1);
    Account *account = account_new (name, line);

    inherit (account, accounts->defaults);
    for (guint i = 0; others[i] != NULL; i++) {
        const gchar *other_name = g_strstrip (others[i]);
        const Account *other = find (accounts, other_name);

        if (other != NULL)
            inherit (account, other);
        else if (*other_name != '\0')
            import_note (accounts->import, IMPORT_LOST, line, NULL, "there is no account “%s” above it", other_name);
    }

    g_ptr_array_add (accounts->accounts, account);
    return account;
}

/* Cuts a line in two. Returns: (transfer full): the command; @value: (out) (transfer full): without its quotes */
static gchar *
split (const gchar *text, gchar **value)
{
    gsize length = strcspn (text, " \t");
    const gchar *rest = text + length + strspn (text + length, " \t");
    gsize rest_length = strlen (rest);

    if (rest_length >= 2 && rest[0] == '"' && rest[rest_length - 1] == '"')
        *value = g_strndup (rest + 1, rest_length - 2);
    else
        *value = g_strdup (rest);
    return g_strndup (text, length);
}

/* Accounts that others name as well as those that nobody does; where none was begun the settings are the defaults'. */
static void
read_accounts (Accounts *accounts, GPtrArray *lines)
{
    Account *current = accounts->defaults;

    for (guint i = 0; i < lines->len; i++) {
        const ImportLine *line = g_ptr_array_index (lines, i);
        gchar *value = NULL;
        g_autofree gchar *command = split (line->text, &value);

        if (g_str_equal (command, "account"))
            current = begin_account (accounts, line, value);
        else if (g_str_equal (command, "defaults"))
            current = accounts->defaults;
        else if (g_str_equal (command, "eval"))
            import_note (accounts->import, IMPORT_LOST, line, "eval …", "no program is run for the configuration");
        else
            set (current, command, value, line);

        explicit_bzero (value, strlen (value));
        g_free (value);
    }
}

/* ---- One account as a smarthost ---- */

static void
take (Import *import, const Account *account, const gchar *command, const gchar *key, const gchar *value)
{
    const Setting *setting = get (account, command);

    import_take (import, setting != NULL ? setting->line : account->line, account->group, key, value);
}

static const gchar *
tls_of (const Account *account)
{
    if (!is_on (account, "tls", FALSE))
        return "none";
    return is_on (account, "tls_starttls", TRUE) ? "starttls" : "implicit";
}

static void
take_tls (Import *import, const Account *account)
{
    const Setting *trust = get (account, "tls_trust_file");
    const gchar *tls = tls_of (account);

    take (import, account, g_str_equal (tls, "implicit") ? "tls_starttls" : "tls", "TLS", tls);
    if (g_str_equal (tls, "none"))
        return;
    if (!is_on (account, "tls_certcheck", TRUE))
        take (import, account, "tls_certcheck", "Verify", "no");
    else if (trust != NULL && *trust->value != '\0')
        import_take_trust_file (import, trust->line, account->group, trust->value);
}

static void
take_mechanism (Import *import, const Account *account)
{
    static const gchar *const known[] = {"plain",       "login",         "cram-md5", "digest-md5",
                                         "scram-sha-1", "scram-sha-256", NULL};
    const Setting *auth = get (account, "auth");
    g_autofree gchar *upper = auth != NULL ? g_ascii_strup (auth->value, -1) : NULL;

    if (is_on (account, "auth", FALSE))
        return;
    if (g_strv_contains (known, auth->value))
        take (import, account, "auth", "Mechanisms", upper);
    else
        import_note (import, IMPORT_LOST, auth->line, NULL,
                     "it logs in with a password only; the best mechanism is chosen");
}

static void
take_login (Import *import, const Account *account)
{
    const Setting *auth = get (account, "auth");
    const Setting *command = get (account, "passwordeval");
    const Setting *user = get (account, "user");

    if (auth == NULL || g_str_equal (auth->value, "off"))
        return;
    if (user == NULL || *user->value == '\0') {
        import_note (import, IMPORT_LOST, auth->line, NULL, "there is no user to log in as");
        return;
    }

    take (import, account, "user", "User", user->value);
    take_mechanism (import, account);
    if (value_of (account, "password") != NULL) {
        import_set_password (import, account->group, value_of (account, "password"));
        import_note (import, IMPORT_TAKEN, get (account, "password")->line, "password …",
                     "[%s] PasswordCredential=%s", account->group,
                     config_plan_get (import->plan, account->group, "PasswordCredential"));
    } else if (command != NULL && *command->value != '\0') {
        import_miss_password (import,
                              &(ImportLine){command->line->file, command->line->number, (gchar *) "passwordeval …"},
                              account->group, "no program is run for a password");
    } else {
        import_miss_password (import, user->line, account->group, "the password is in a key ring or in ~/.netrc");
    }
}

static void
make_smarthost (Import *import, Account *account)
{
    const gchar *port = value_of (account, "port");

    account->group = import_smarthost_group (import, account->name);
    take (import, account, "host", "Host", value_of (account, "host"));
    take (import, account, "port", "Port",
          port != NULL                                 ? port
          : g_str_equal (tls_of (account), "implicit") ? "465"
                                                       : "25");
    take_tls (import, account);
    take_login (import, account);
}

/* ---- What the others of its settings mean ---- */

static const struct {
    const gchar *command;
    ImportOutcome outcome;
    const gchar *words;
} others[] = {
    {"set_date_header", IMPORT_SAME, "a Date that is missing is always added"},
    {"set_msgid_header", IMPORT_SAME, "a Message-ID that is missing is always added"},
    {"add_missing_date_header", IMPORT_SAME, "a Date that is missing is always added"},
    {"add_missing_from_header", IMPORT_SAME, "a From that is missing is always added"},
    {"remove_bcc_headers", IMPORT_SAME, "Bcc is always removed"},
    {"syslog", IMPORT_SAME, "the journal has all of it: journalctl -u postern"},
    {"logfile", IMPORT_SAME, "the journal has all of it: journalctl -u postern"},
    {"logfile_time_format", IMPORT_SAME, "the journal has times of its own"},
    {"timeout", IMPORT_LOST, "each wait for a server has a limit of its own, see the group [Delivery]"},
    {"tls_fingerprint", IMPORT_LOST, "a certificate is trusted by its authority; name that in TrustFile="},
    {"tls_crl_file", IMPORT_LOST, "there are no lists of revoked certificates"},
    {"tls_key_file", IMPORT_LOST, "it logs in with a password, not with a certificate"},
    {"tls_cert_file", IMPORT_LOST, "it logs in with a password, not with a certificate"},
    {"tls_priorities", IMPORT_LOST, "TLS is as GnuTLS has it by default"},
    {"tls_min_dh_prime_bits", IMPORT_LOST, "TLS is as GnuTLS has it by default"},
    {"tls_host_override", IMPORT_LOST, "the certificate has to be for Host="},
    {"proxy_host", IMPORT_LOST, "it connects without a proxy"},
    {"proxy_port", IMPORT_LOST, "it connects without a proxy"},
    {"source_ip", IMPORT_LOST, "the system chooses the address that it connects from"},
    {"socket", IMPORT_LOST, "a smarthost is reached by TCP"},
    {"dsn_notify", IMPORT_LOST, "programs ask for notifications themselves: sendmail -N"},
    {"dsn_return", IMPORT_LOST, "programs say it themselves: sendmail -R"},
    {"undisclosed_recipients", IMPORT_LOST, "To and Cc stay as they are"},
    {"ntlmdomain", IMPORT_LOST, "NTLM is not known here"},
    {"set_from_header", IMPORT_SAME,
     "From is added where it is missing, and rewritten together with the envelope's sender"},
    {"allow_from_override", IMPORT_CHANGED,
     "[Rewrite] Sender= leaves programs no sender of their own; without it they have it"},
};

/* Those that take_… () above and below answer for. */
static const gchar *const answered[] = {"host",          "port",   "tls",     "tls_starttls", "tls_trust_file",
                                        "tls_certcheck", "auth",   "user",    "password",     "passwordeval",
                                        "from",          "domain", "aliases", "maildomain",   "auto_from",
                                        "protocol",      NULL};

/* What an account has from another, or from the defaults, is told once. */
static gboolean
is_told (const Import *import, const ImportLine *line)
{
    for (guint i = 0; i < import->notes->len; i++) {
        const ImportNote *note = g_ptr_array_index (import->notes, i);

        if (note->line == line->number && g_str_equal (note->file, line->file))
            return TRUE;
    }

    return FALSE;
}

static void
tell_others (Import *import, const Account *account)
{
    for (guint i = 0; i < account->settings->len; i++) {
        const Setting *setting = g_ptr_array_index (account->settings, i);
        guint j = 0;

        if (g_strv_contains (answered, setting->command) || setting != get (account, setting->command) ||
            is_told (import, setting->line))
            continue;
        while (j < G_N_ELEMENTS (others) && !g_str_equal (others[j].command, setting->command))
            j++;
        if (j < G_N_ELEMENTS (others))
            import_note (import, others[j].outcome, setting->line, NULL, "%s", others[j].words);
        else
            import_note (import, IMPORT_LOST, setting->line, setting->command,
                         "it is no command of msmtp's that is known");
    }
}

static void
take_name (Import *import, const Account *account)
{
    const Setting *domain = get (account, "domain");

    if (domain == NULL || *domain->value == '\0')
        return;
    if (strchr (domain->value, '%') != NULL || strchr (domain->value, '.') == NULL)
        import_note (import, IMPORT_SAME, domain->line, NULL, "HostName= is the machine's own name unless it is set");
    else
        import_take (import, domain->line, "Relay", "HostName", domain->value);
}

static void
take_aliases (Import *import, const Account *account)
{
    const Setting *aliases = get (account, "aliases");
    g_autoptr (GPtrArray) lines = NULL;

    if (aliases == NULL || *aliases->value == '\0')
        return;
    if (!g_path_is_absolute (aliases->value)) {
        import_note (import, IMPORT_LOST, aliases->line, NULL, "File= of [Aliases] wants an absolute path");
        return;
    }

    import_take (import, aliases->line, "Aliases", "File", aliases->value);
    lines = import_read (import, aliases->value, FALSE);
    for (guint i = 0; i < lines->len; i++) {
        const ImportLine *line = g_ptr_array_index (lines, i);

        if (g_str_has_prefix (line->text, "default:")) {
            g_autofree gchar *targets = g_strstrip (g_strdup (line->text + strlen ("default:")));

            import_take (import, line, "Relay", "AdminAddress", targets);
        }
    }
}

/* The sender of mail that says none: "%U@DOMAIN" is what completing does. */
static void
take_from (Import *import, const Account *account)
{
    const Setting *from = get (account, "from");
    const Setting *domain = get (account, "maildomain");

    if (from != NULL && g_str_has_prefix (from->value, "%U@") && strchr (from->value + 3, '%') == NULL)
        import_take (import, from->line, "Relay", "Domain", from->value + 3);
    else if (from != NULL && strpbrk (from->value, "%*?[") != NULL)
        import_note (import, IMPORT_LOST, from->line, NULL, "senders are completed with Domain= of [Relay]");
    else if (from != NULL && *from->value != '\0')
        import_take (import, from->line, "Rewrite", "Sender", from->value);

    if (domain != NULL && *domain->value != '\0')
        import_take (import, domain->line, "Relay", "Domain", domain->value);
}

/* ---- Several accounts ---- */

static gboolean
is_usable (Import *import, const Account *account)
{
    const gchar *protocol = value_of (account, "protocol");

    if (value_of (account, "host") == NULL)
        import_note (import, IMPORT_LOST, account->line, NULL, "the account has no host");
    else if (protocol != NULL && !g_str_equal (protocol, "smtp"))
        import_note (import, IMPORT_LOST, account->line, NULL, "its protocol is not SMTP");
    else
        return TRUE;

    return FALSE;
}

/* Returns: (nullable): the account before @index that connects and logs in as this one does */
static const Account *
find_same (const Accounts *accounts, guint index)
{
    static const gchar *const commands[] = {"host", "port", "tls",      "tls_starttls",
                                            "auth", "user", "password", "passwordeval"};
    const Account *account = g_ptr_array_index (accounts->accounts, index);

    for (guint i = 0; i < accounts->accounts->len; i++) {
        const Account *other = g_ptr_array_index (accounts->accounts, i);
        gboolean same = other != account && other->group != NULL;

        for (guint j = 0; j < G_N_ELEMENTS (commands) && same; j++)
            same = g_strcmp0 (value_of (account, commands[j]), value_of (other, commands[j])) == 0;
        if (same)
            return other;
    }

    return NULL;
}

/* A pattern of senders. Returns: (transfer full) (nullable) */
static gchar *
sender_pattern (const gchar *from)
{
    if (g_str_has_prefix (from, "*@") && strpbrk (from + 2, "*?[%") == NULL)
        return g_strdup (from + 2);
    if (strpbrk (from, "*?[%") != NULL || strchr (from, '@') == NULL)
        return NULL;
    return g_strdup (from);
}

static void
add_route (Import *import, const Account *account, const gchar *smarthost)
{
    const Setting *from = get (account, "from");
    g_autofree gchar *pattern = sender_pattern (from->value);
    g_autofree gchar *group = import_route_group (import, account->name);

    config_plan_set (import->plan, group, "Senders", pattern);
    config_plan_set (import->plan, group, "Smarthosts", smarthost);
    import_note (import, IMPORT_TAKEN, from->line, NULL, "[%s] Senders=%s Smarthosts=%s", group, pattern, smarthost);

    /* Its sender is not to become that of the default account. */
    if (config_plan_get (import->plan, "Rewrite", "Sender") != NULL) {
        g_autofree gchar *row = strchr (pattern, '@') != NULL ? g_strdup (pattern) : g_strconcat ("@", pattern, NULL);

        config_plan_add_row (import->plan, "Rewrite", "SenderTable", "senders", row, row);
    }
}

/* What is one for the whole relay cannot be another for one account. */
static void
tell_own (Import *import, const Account *account)
{
    static const gchar *const commands[] = {"domain", "aliases", "maildomain", "auto_from"};

    for (guint i = 0; i < G_N_ELEMENTS (commands); i++) {
        const Setting *setting = get (account, commands[i]);

        if (setting != NULL && !is_told (import, setting->line))
            import_note (import, IMPORT_LOST, setting->line, NULL, "the relay has one for all accounts");
    }
}

static void
take_account (const Accounts *accounts, guint index)
{
    Import *import = accounts->import;
    Account *account = g_ptr_array_index (accounts->accounts, index);
    const gchar *from = value_of (account, "from");
    g_autofree gchar *pattern = from != NULL ? sender_pattern (from) : NULL;
    const Account *same;

    if (account->group != NULL || !is_usable (import, account))
        return;

    same = find_same (accounts, index);
    if (pattern == NULL) {
        import_note (import, same != NULL ? IMPORT_SAME : IMPORT_LOST, account->line, NULL,
                     "nothing in a message chooses this account: it has no “from” with an address");
        return;
    }

    if (same == NULL)
        make_smarthost (import, account);
    if (g_strcmp0 (from, config_plan_get (import->plan, "Rewrite", "Sender")) != 0)
        add_route (import, account, import_smarthost_name (same != NULL ? same->group : account->group));
    tell_own (import, account);
    tell_others (import, account);
}

static void
take_default (const Accounts *accounts)
{
    Import *import = accounts->import;
    Account *account = find (accounts, "default");

    if (account == NULL && accounts->accounts->len > 0) {
        account = g_ptr_array_index (accounts->accounts, 0);
        import_note (import, IMPORT_CHANGED, account->line, NULL,
                     "there is no account “default”; mail that no other account is for goes by this one");
    }
    if (account == NULL) {
        import_note (import, IMPORT_LOST, NULL, NULL, "there is no account in the file");
        return;
    }
    if (!is_usable (import, account))
        return;

    make_smarthost (import, account);
    take_name (import, account);
    take_aliases (import, account);
    take_from (import, account);
    tell_others (import, account);
}

/* What no account's sender matched must not go to all smarthosts in turn. */
static void
end_routes (const Accounts *accounts)
{
    guint smarthosts = 0;

    for (guint i = 0; i < accounts->accounts->len; i++)
        if (((Account *) g_ptr_array_index (accounts->accounts, i))->group != NULL)
            smarthosts++;
    if (smarthosts < 2)
        return;

    config_plan_comment (accounts->import->plan, "Route rest", "All other mail");
    config_plan_set (accounts->import->plan, "Route rest", "Smarthosts", "default");
}

void
import_msmtp (Import *import, const gchar *file)
{
    g_autoptr (GPtrArray) lines = import_read (import, file, FALSE);
    Accounts accounts = {.import = import,
                         .defaults = account_new ("defaults", NULL),
                         .accounts = g_ptr_array_new_with_free_func ((GDestroyNotify) account_free)};

    read_accounts (&accounts, lines);
    take_default (&accounts);
    for (guint i = 0; i < accounts.accounts->len; i++)
        take_account (&accounts, i);
    end_routes (&accounts);

    account_free (accounts.defaults);
    g_ptr_array_unref (accounts.accounts);
}
