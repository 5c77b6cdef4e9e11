/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * nullmailer
 *
 * A folder of control files, each of one value, and the list of remotes, whose lines have options in the quoting of the
 * shell. Both forms of the options are read: those of version 1 (--port=25, -p 25) and of version 2 (port=25).
 *
 * nullmailer has one list of remotes and tries each in turn for every message; that is what several [Smarthost NAME]
 * groups do. Its adminaddr takes over mail to localhost and to the machine's own name, which is therefore local.
 */

#include "cli/import.h"

#include <string.h>

#define MAIL_NAME "/etc/mailname"

typedef struct {
    const gchar *name;
    void (*take) (Import *import, const ImportLine *line);
} Control;

typedef struct {
    gchar *host;
    gchar *port;
    gchar *user;
    gchar *password;
    gchar *authorities;
    gboolean starttls;
    gboolean implicit;
    gboolean login_only;
    gboolean insecure;
    gboolean der;
    GString *lost; /* options without a counterpart */
} Remote;

static void
remote_clear (Remote *remote)
{
    g_free (remote->host);
    g_free (remote->port);
    g_free (remote->user);
    if (remote->password != NULL)
        explicit_bzero (remote->password, strlen (remote->password));
    g_free (remote->password);
    g_free (remote->authorities);
    g_string_free (remote->lost, TRUE);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Remote, remote_clear)

/* ---- Control files of one value ---- */

static void
take_admin (Import *import, const ImportLine *line)
{
    g_autofree gchar *own = import_read_first (import, MAIL_NAME);

    import_take (import, line, "Relay", "AdminAddress", line->text);
    if (own != NULL && strchr (own, '.') != NULL) {
        config_plan_append (import->plan, "Relay", "LocalDomains", " ", own);
        import_note (import, IMPORT_TAKEN, line, "(with " MAIL_NAME ")",
                     "[Relay] LocalDomains=%s: mail to it is for the administrator, too", own);
    }
}

static void
take_all_from (Import *import, const ImportLine *line)
{
    import_take (import, line, "Rewrite", "Sender", line->text);
    import_note (import, IMPORT_CHANGED, line, "", "From: in the header is rewritten, too, not the envelope alone");
}

static void
take_own_name (Import *import, const ImportLine *line)
{
    if (config_plan_get (import->plan, "Relay", "HostName") == NULL)
        import_take (import, line, "Relay", "HostName", line->text);
    else
        import_note (import, IMPORT_SAME, line, NULL, "helohost comes first");
    if (config_plan_get (import->plan, "Relay", "AdminAddress") != NULL)
        config_plan_append (import->plan, "Relay", "LocalDomains", " ", line->text);
}

static void
take_helo (Import *import, const ImportLine *line)
{
    import_take (import, line, "Relay", "HostName", line->text);
}

/* Every machine is called that: mail from it could not be answered, and nullmailer's own is the machine's name then. */
static gboolean
is_every_machines (const gchar *name)
{
    return g_ascii_strcasecmp (name, "localhost") == 0 || g_ascii_strcasecmp (name, "localhost.localdomain") == 0;
}

/* A name without a dot gets the default domain. */
static void
take_default_host (Import *import, const ImportLine *line)
{
    g_autofree gchar *folder = g_path_get_dirname (line->file);
    g_autofree gchar *path = g_build_filename (folder, "defaultdomain", NULL);
    g_autofree gchar *domain = import_read_first (import, path);
    g_autofree gchar *full = NULL;

    if (strchr (line->text, '.') == NULL && domain != NULL && !is_every_machines (line->text))
        full = g_strconcat (line->text, ".", domain, NULL);
    if (is_every_machines (line->text))
        import_note (
            import, IMPORT_CHANGED, line, NULL,
            "no domain that could be answered: addresses are completed with the name of this machine or in " MAIL_NAME);
    else
        import_take (import, line, "Relay", "Domain", full != NULL ? full : line->text);
}

static void
take_default_domain (Import *import, const ImportLine *line)
{
    import_take (import, line, "Relay", "ParentDomain", line->text);
}

static void
take_id_host (Import *import, const ImportLine *line)
{
    if (g_strcmp0 (config_plan_get (import->plan, "Relay", "HostName"), line->text) == 0)
        import_note (import, IMPORT_SAME, line, NULL, "Message-ID fields have HostName= in them");
    else
        import_note (import, IMPORT_LOST, line, NULL,
                     "Message-ID fields have HostName= in them, not a name of their own");
}

static void
take_bounces (Import *import, const ImportLine *line)
{
    import_note (
        import, IMPORT_LOST, line, NULL,
        "notifications go to the sender; one that cannot be delivered is held, and “postern list --state=held” "
        "shows it");
}

static void
take_pause (Import *import, const ImportLine *line)
{
    if (g_str_equal (line->text, "0"))
        import_note (import, IMPORT_LOST, line, NULL, "the relay always runs on, and tries again by itself");
    else
        import_take_seconds (import, line, "Queue", "RetryFirst", line->text);
}

static void
take_longest_pause (Import *import, const ImportLine *line)
{
    import_take_seconds (import, line, "Queue", "RetryLongest", line->text);
}

static void
take_lifetime (Import *import, const ImportLine *line)
{
    import_take_seconds (import, line, "Queue", "Lifetime", line->text);
}

static void
take_send_timeout (Import *import, const ImportLine *line)
{
    import_note (
        import, IMPORT_LOST, line, NULL,
        "each wait for a server has a limit of its own, see the group [Delivery]; one server never holds up another");
}

/* In an order in which each finds what it goes by. */
static const Control controls[] = {
    {"helohost", take_helo},
    {"adminaddr", take_admin},
    {"me", take_own_name},
    {"allmailfrom", take_all_from},
    {"defaultdomain", take_default_domain},
    {"defaulthost", take_default_host},
    {"idhost", take_id_host},
    {"bounceto", take_bounces},
    {"doublebounceto", take_bounces},
    {"pausetime", take_pause},
    {"maxpause", take_longest_pause},
    {"queuelifetime", take_lifetime},
    {"sendtimeout", take_send_timeout},
};

static void
take_control (Import *import, const gchar *folder, const Control *control)
{
    g_autofree gchar *path = g_build_filename (folder, control->name, NULL);
    g_autofree gchar *value = import_read_first (import, path);

    if (value != NULL)
        control->take (import, &(ImportLine){.file = path, .number = 1, .text = value});
}

/* nullmailer starts with the shortest pause, so the longest must not be shorter. */
static void
check_pauses (Import *import, const gchar *folder)
{
    g_autofree gchar *shortest = g_build_filename (folder, "pausetime", NULL);
    g_autofree gchar *longest = g_build_filename (folder, "maxpause", NULL);
    g_autofree gchar *first = import_read_first (import, shortest);
    g_autofree gchar *last = import_read_first (import, longest);
    guint64 first_seconds = first != NULL ? g_ascii_strtoull (first, NULL, 10) : 60;
    guint64 last_seconds = last != NULL ? g_ascii_strtoull (last, NULL, 10) : 3600;

    if (first_seconds <= last_seconds)
        return;

    config_plan_set (import->plan, "Queue", "RetryLongest", config_plan_get (import->plan, "Queue", "RetryFirst"));
    import_note (import, IMPORT_CHANGED, NULL, NULL, "[Queue] RetryLongest= is no shorter than RetryFirst=");
}

/* ---- Remotes ---- */

/* Whether @word is the option @name, in any of its forms; @value: (out) (transfer none) (nullable): what it says */
static gboolean
is_option (const gchar *word, const gchar *name, const gchar **value)
{
    gsize length = strlen (name);

    if (g_str_has_prefix (word, "--"))
        word += 2;
    if (strncmp (word, name, length) != 0 || (word[length] != '\0' && word[length] != '='))
        return FALSE;

    *value = word[length] == '=' ? word + length + 1 : NULL;
    return TRUE;
}

static gboolean
is_flag (const gchar *word, const gchar *name)
{
    const gchar *value;

    return is_option (word, name, &value) && value == NULL;
}

/* An option with a value, be it in the same word or in the next. Returns: whether @words[@at] is it */
static gboolean
take_value (gchar **words, guint *at, const gchar *name, gchar short_name, gchar **field)
{
    const gchar *word = words[*at];
    const gchar *value = NULL;

    if (!is_option (word, name, &value)) {
        if (short_name == '\0' || word[0] != '-' || word[1] != short_name)
            return FALSE;
        value = word[2] != '\0' ? word + 2 : NULL;
    }

    if (value == NULL && words[*at + 1] != NULL)
        value = words[++*at];
    g_free (*field);
    *field = g_strdup (value);
    return TRUE;
}

static gboolean
take_flag (Remote *remote, const gchar *word)
{
    if (is_flag (word, "starttls"))
        remote->starttls = TRUE;
    else if (is_flag (word, "ssl") || is_flag (word, "tls"))
        remote->implicit = TRUE;
    else if (is_flag (word, "auth-login"))
        remote->login_only = TRUE;
    else if (is_flag (word, "insecure"))
        remote->insecure = TRUE;
    else if (is_flag (word, "x509fmtder"))
        remote->der = TRUE;
    else
        return is_flag (word, "daemon") || is_flag (word, "syslog") || g_str_equal (word, "-d") ||
               g_str_equal (word, "-s");

    return TRUE;
}

static void
read_options (Remote *remote, gchar **words)
{
    for (guint i = 0; words[i] != NULL; i++) {
        if (take_value (words, &i, "port", 'p', &remote->port) ||
            take_value (words, &i, "user", 'u', &remote->user) ||
            take_value (words, &i, "pass", '\0', &remote->password) ||
            take_value (words, &i, "x509cafile", '\0', &remote->authorities) || take_flag (remote, words[i]))
            continue;

        /* Only its name: who knows what a value of an unknown option is. */
        g_string_append_len (remote->lost, " ", 1);
        g_string_append_len (remote->lost, words[i], (gssize) strcspn (words[i], "="));
    }
}

static const gchar *
tls_of (const Remote *remote)
{
    return remote->implicit ? "implicit" : remote->starttls ? "starttls" : "none";
}

static void
describe_remote (Import *import, const ImportLine *line, const Remote *remote, const gchar *group)
{
    g_autofree gchar *shown =
        g_strdup_printf ("%s smtp%s%s%s", remote->host, remote->user != NULL ? " user=" : "",
                         remote->user != NULL ? remote->user : "", remote->password != NULL ? " pass=…" : "");

    import_note (import, IMPORT_TAKEN, line, shown, "[%s] Host=%s Port=%s TLS=%s%s%s%s%s", group, remote->host,
                 config_plan_get (import->plan, group, "Port"), tls_of (remote), remote->user != NULL ? " User=" : "",
                 remote->user != NULL ? remote->user : "", remote->login_only ? " Mechanisms=LOGIN" : "",
                 remote->insecure ? " Verify=no" : "");
    if (remote->lost->len > 0)
        import_note (import, IMPORT_LOST, line, "", "options without a counterpart:%s", remote->lost->str);
    if (remote->der && remote->authorities != NULL)
        import_note (import, IMPORT_LOST, line, "",
                     "%s is in DER format; convert it to PEM, and name it in TrustFile=", remote->authorities);
    if (!remote->implicit && !remote->starttls)
        import_note (import, IMPORT_CHANGED, line, "",
                     "mail is sent without encryption, as before; TLS=opportunistic "
                     "would use it where the server can");
}

static void
take_remote_login (Import *import, const ImportLine *line, const Remote *remote, const gchar *group)
{
    if (remote->user == NULL)
        return;

    config_plan_set (import->plan, group, "User", remote->user);
    if (remote->login_only)
        config_plan_set (import->plan, group, "Mechanisms", "LOGIN");
    if (remote->password != NULL && *remote->password != '\0')
        import_set_password (import, group, remote->password);
    else
        import_miss_password (import, line, group, "there is a user, and no password");
}

static void
take_smtp (Import *import, const ImportLine *line, Remote *remote)
{
    g_autofree gchar *wanted = g_strdup_printf ("remote%u", line->number);
    g_autofree gchar *group = import_smarthost_group (import, wanted);
    const ImportLine hidden = {.file = line->file, .number = line->number, .text = remote->host};

    config_plan_set (import->plan, group, "Host", remote->host);
    config_plan_set (import->plan, group, "Port",
                     remote->port != NULL ? remote->port
                     : remote->implicit   ? "465"
                                          : "25");
    config_plan_set (import->plan, group, "TLS", tls_of (remote));
    if (remote->insecure)
        config_plan_set (import->plan, group, "Verify", "no");
    describe_remote (import, &hidden, remote, group);
    if (remote->authorities != NULL && !remote->der)
        import_take_trust_file (import, &hidden, group, remote->authorities);
    take_remote_login (import, &hidden, remote, group);
}

/* An IPv6 address may stand in brackets. */
static gchar *
bare_host (const gchar *text)
{
    gsize length = strlen (text);

    return length > 2 && text[0] == '[' && text[length - 1] == ']' ? g_strndup (text + 1, length - 2)
                                                                   : g_strdup (text);
}

static void
take_remote (Import *import, const ImportLine *line)
{
    g_auto (Remote) remote = {.lost = g_string_new (NULL)};
    g_auto (GStrv) words = NULL;
    gint count;

    /* GLib's error would quote the line, and its password. */
    if (!g_shell_parse_argv (line->text, &count, &words, NULL)) {
        import_note (import, IMPORT_LOST, line, "(not shown)",
                     "its quotes are not in pairs, and nullmailer could not use it");
        return;
    }

    remote.host = bare_host (words[0]);
    if (count > 1 && !g_str_equal (words[1], "smtp"))
        import_note (import, IMPORT_LOST, line, remote.host, "its protocol is not SMTP");
    else {
        read_options (&remote, words + MIN (count, 2));
        take_smtp (import, line, &remote);
    }

    for (gint i = 0; i < count; i++)
        explicit_bzero (words[i], strlen (words[i]));
}

/* nullmailer always does that, and no file of it says so. */
static void
take_return_path (Import *import, const gchar *folder)
{
    config_plan_set (import->plan, "Rewrite", "SenderFromReturnPath", "yes");
    import_note (import, IMPORT_SAME, &(ImportLine){.file = folder, .text = (gchar *) "Return-Path:"}, NULL,
                 "names the sender to “sendmail” without -f, by [Rewrite] SenderFromReturnPath=yes");
}

void
import_nullmailer (Import *import, const gchar *folder)
{
    g_autofree gchar *remotes = g_build_filename (folder, "remotes", NULL);
    g_autoptr (GPtrArray) lines = import_read (import, remotes, FALSE);

    for (guint i = 0; i < lines->len; i++)
        take_remote (import, g_ptr_array_index (lines, i));
    for (guint i = 0; i < G_N_ELEMENTS (controls); i++)
        take_control (import, folder, &controls[i]);

    check_pauses (import, folder);
    take_return_path (import, folder);
    if (import_has (import, MAIL_NAME))
        import_note (import, IMPORT_SAME, &(ImportLine){.file = MAIL_NAME, .text = (gchar *) ""}, NULL,
                     "Postern completes addresses with it, too, where Domain= is not set");
}
