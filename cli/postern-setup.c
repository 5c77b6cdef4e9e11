/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * postern setup
 *
 * From nothing to a relay that sends: which server takes mail, who logs in there, whether that works, and who reads this
 * machine's own mail. At a terminal it asks for what the options do not say; a script says all of it by options. Nothing
 * is written before the server has been tried, and a password is never an argument, where every user could see it.
 */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "check-report.h"
#include "config-write.h"
#include "postern-command.h"
#include "postern-text.h"
#include "setup-discover.h"
#include "setup-message.h"
#include "setup-start.h"
#include "setup-terminal.h"
#include "setup-trial.h"

#define GROUP      "Smarthost"
#define CREDENTIAL "smarthost"

/* How often a person may try another password or server. */
#define TRIALS_MOST 20

typedef struct {
    gchar *address;
    gchar *smarthost;
    gchar *tls;
    gchar *trust_file;
    gchar *user;
    gchar *password_file;
    gchar *admin;
    gchar *from;
    gchar *test;
    gchar *config;
    gchar *credentials;
    gboolean no_login;
    gboolean no_check;
    gboolean no_start;
    gboolean force;
} Options;

typedef struct {
    const CommandLine *line;
    Options options;
    gboolean asks; /* there is a terminal, and a person at it */
    Server server;
    gchar *user;     /* (nullable) */
    gchar *password; /* (nullable) wiped at the end */
} Setup;

static void
setup_clear (Setup *setup)
{
    Options *options = &setup->options;

    g_free (options->address);
    g_free (options->smarthost);
    g_free (options->tls);
    g_free (options->trust_file);
    g_free (options->user);
    g_free (options->password_file);
    g_free (options->admin);
    g_free (options->from);
    g_free (options->test);
    g_free (options->config);
    g_free (options->credentials);
    server_clear (&setup->server);
    g_free (setup->user);
    terminal_wipe (setup->password);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Setup, setup_clear)

static void
replace (gchar **field, gchar *text)
{
    g_free (*field);
    *field = text;
}

/* ---- The server ---- */

static const gchar *
domain_of (const gchar *address)
{
    const gchar *at = strrchr (address, '@');

    return at != NULL && at != address && at[1] != '\0' ? at + 1 : NULL;
}

static void
print_server (const Server *server)
{
    if (server->port != 0)
        g_print ("The server is %s, port %u, TLS=%s.\n", server->host, server->port, server->tls);
    else
        g_print ("The server is %s, TLS=%s.\n", server->host, server->tls);
    if (server->provider != NULL && server->provider->note != NULL)
        g_print ("%s.\n", server->provider->note);
}

/* A server that DNS names in somebody else's domain: only a person can say whether that is right. */
static gboolean
accept_foreign (const Setup *setup)
{
    const Server *server = &setup->server;

    if (!server->foreign)
        return TRUE;
    if (setup->asks)
        return terminal_confirm ("It is in another domain than the address. Is that the right one", FALSE);

    g_printerr (
        "postern: %s is in another domain than the address, and DNS may be forged; if it is the right one, say "
        "--smarthost=%s:%u\n",
        server->host, server->host, server->port);
    return FALSE;
}

static gboolean
discover (Setup *setup, const gchar *domain)
{
    g_autofree gchar *how = NULL;
    gboolean found = server_discover (&setup->server, domain, &how);

    g_print ("%s\n", how);
    if (!found)
        return FALSE;

    print_server (&setup->server);
    return accept_foreign (setup);
}

static gboolean
name_server (Setup *setup, const gchar *text)
{
    if (!server_parse (&setup->server, text)) {
        g_printerr ("postern: “%s” is no server; expected HOST, HOST:PORT, or the name of a provider\n", text);
        return FALSE;
    }

    print_server (&setup->server);
    return TRUE;
}

static gboolean
ask_server (Setup *setup)
{
    const gchar *question = "Your mail address, or the server or provider that takes your mail";

    for (;;) {
        g_autofree gchar *answer = terminal_ask (question, NULL);

        if (answer == NULL)
            return FALSE;
        question = "The server that takes your mail (HOST or HOST:PORT), or a provider";
        if (domain_of (answer) != NULL) {
            replace (&setup->options.address, g_strdup (answer));
            if (discover (setup, domain_of (answer)))
                return TRUE;
        } else if (*answer != '\0' && name_server (setup, answer)) {
            return TRUE;
        }
    }
}

static ExitCode
find_server (Setup *setup)
{
    const Options *options = &setup->options;
    gboolean found = FALSE;

    if (options->smarthost != NULL)
        found = name_server (setup, options->smarthost);
    else if (options->address != NULL)
        found = discover (setup, domain_of (options->address));
    if (!found && setup->asks)
        found = ask_server (setup);
    if (!found)
        return EXIT_FAILED;

    if (options->tls != NULL)
        replace (&setup->server.tls, g_strdup (options->tls));
    return EXIT_OK;
}

/* ---- The login ---- */

static gboolean
read_password_file (Setup *setup)
{
    const gchar *path = setup->options.password_file;
    gboolean is_input = g_str_equal (path, "-");
    int fd = is_input ? STDIN_FILENO : open (path, O_RDONLY | O_CLOEXEC);
    g_autoptr (GError) error = NULL;

    if (fd < 0) {
        g_printerr ("postern: the password cannot be read from %s: %s\n", path, g_strerror (errno));
        return FALSE;
    }

    setup->password = terminal_read_secret (fd, &error);
    if (!is_input)
        close (fd);
    if (setup->password == NULL)
        g_printerr ("postern: no password can be read from %s: %s\n", is_input ? "standard input" : path,
                    error->message);
    return setup->password != NULL;
}

static gboolean
ask_password (Setup *setup)
{
    g_autofree gchar *question = g_strdup_printf ("Password of %s (not shown)", setup->user);

    do {
        g_clear_pointer (&setup->password, terminal_wipe);
        setup->password = terminal_ask_secret (question);
    } while (setup->password != NULL && *setup->password == '\0');

    return setup->password != NULL;
}

static gboolean
ask_user (Setup *setup)
{
    const Provider *provider = setup->server.provider;
    const gchar *proposed = provider != NULL && provider->user != NULL ? provider->user : setup->options.address;
    g_autofree gchar *answer =
        terminal_ask ("User to log in as (a dash for no login)", proposed != NULL ? proposed : "-");

    if (answer == NULL)
        return FALSE;

    replace (&setup->user, g_str_equal (answer, "-") ? NULL : g_steal_pointer (&answer));
    return TRUE;
}

static ExitCode
find_login (Setup *setup)
{
    const Options *options = &setup->options;
    const Provider *provider = setup->server.provider;

    if (options->no_login)
        return EXIT_OK;

    if (options->user != NULL)
        setup->user = g_strdup (options->user);
    else if (setup->asks && !ask_user (setup))
        return EXIT_FAILED;
    else if (!setup->asks)
        setup->user = g_strdup (provider != NULL && provider->user != NULL ? provider->user : options->address);

    if (setup->user == NULL)
        return EXIT_OK;
    if (options->password_file != NULL)
        return read_password_file (setup) ? EXIT_OK : EXIT_FAILED;
    return ask_password (setup) ? EXIT_OK : EXIT_FAILED;
}

/* ---- The plan ---- */

static void
set_if (ConfigPlan *plan, const gchar *group, const gchar *key, const gchar *value)
{
    if (value != NULL)
        config_plan_set (plan, group, key, value);
}

static ConfigPlan *
make_plan (const Setup *setup, const ConfigPlaces *places)
{
    g_autofree gchar *folder = config_places_folder (places);
    g_autofree gchar *port = setup->server.port != 0 ? g_strdup_printf ("%u", setup->server.port) : NULL;
    ConfigPlan *plan =
        config_plan_new (folder, "The configuration of the Postern mail relay, as “postern setup” made it");

    set_if (plan, GROUP, "Host", setup->server.host);
    set_if (plan, GROUP, "Port", port);
    set_if (plan, GROUP, "TLS", setup->server.tls);
    set_if (plan, GROUP, "TrustFile", setup->options.trust_file);
    set_if (plan, GROUP, "User", setup->user);
    if (setup->password != NULL)
        config_plan_set_password (plan, GROUP, CREDENTIAL, setup->password);
    set_if (plan, "Relay", "AdminAddress", setup->options.admin);
    set_if (plan, "Rewrite", "Sender", setup->options.from);
    return plan;
}

/* What test messages and trials are from. */
static const gchar *
own_address (const Setup *setup)
{
    if (setup->options.from != NULL)
        return setup->options.from;
    if (setup->options.address != NULL)
        return setup->options.address;
    return setup->user != NULL && domain_of (setup->user) != NULL ? setup->user : "";
}

/* ---- The trial ---- */

static ExitCode
try_once (const Setup *setup, const ConfigPlaces *places)
{
    g_autoptr (ConfigPlan) plan = make_plan (setup, places);
    g_autoptr (GError) error = NULL;
    g_autoptr (GVariant) report = NULL;

    g_print ("Trying the server …\n");
    report = setup_try (plan, own_address (setup), &error);
    if (report == NULL)
        return client_explain (NULL, error);

    check_report_print (report, FALSE);
    return check_report_is_good (report) ? EXIT_OK : EXIT_FAILED;
}

/* Returns: whether there is something new to try; @give_up: nothing is to be written */
static gboolean
ask_what_now (Setup *setup, gboolean *give_up)
{
    for (;;) {
        g_autofree gchar *answer =
            terminal_ask ("Another (p)assword, (u)ser or (s)erver, (w)rite it all the same, or (q)uit", "q");

        *give_up = answer == NULL || g_str_has_prefix (answer, "q");
        if (*give_up || g_str_has_prefix (answer, "w"))
            return FALSE;
        if (g_str_has_prefix (answer, "p") && setup->user != NULL)
            return ask_password (setup);
        if (g_str_has_prefix (answer, "u"))
            return ask_user (setup) && (setup->user == NULL || ask_password (setup));
        if (g_str_has_prefix (answer, "s"))
            return ask_server (setup);
    }
}

static ExitCode
try_server (Setup *setup, const ConfigPlaces *places)
{
    gboolean give_up = FALSE;

    if (setup->options.no_check)
        return EXIT_OK;

    for (guint i = 0; i < TRIALS_MOST; i++) {
        if (try_once (setup, places) == EXIT_OK)
            return EXIT_OK;
        if (!setup->asks) {
            g_printerr ("postern: nothing was written; --no-check writes it without a trial\n");
            return EXIT_FAILED;
        }
        if (!ask_what_now (setup, &give_up))
            break;
    }

    if (give_up)
        g_print ("Nothing was written.\n");
    return give_up ? EXIT_FAILED : EXIT_OK;
}

/* ---- The rest ---- */

static gboolean
is_common_address (const Setup *setup)
{
    return setup->options.address != NULL && provider_find_domain (domain_of (setup->options.address)) != NULL;
}

static void
ask_about_mail (Setup *setup)
{
    Options *options = &setup->options;

    if (options->admin == NULL) {
        g_autofree gchar *answer =
            terminal_ask ("Who gets the mail to root and other users of this machine (a dash for nobody)",
                          options->address != NULL ? options->address : "-");

        if (answer != NULL && !g_str_equal (answer, "-"))
            options->admin = g_steal_pointer (&answer);
    }

    /* Providers of private mailboxes take no mail from other addresses than the mailbox's own. */
    if (options->from == NULL && options->address != NULL) {
        g_autofree gchar *question = g_strdup_printf (
            "Should all mail of this machine come from %s? Many providers take no other", options->address);

        if (terminal_confirm (question, is_common_address (setup)))
            options->from = g_strdup (options->address);
    }
}

static gboolean
may_write (const Setup *setup, const ConfigPlaces *places)
{
    g_autofree gchar *question = NULL;

    if (setup->options.force || !config_places_are_taken (places))
        return TRUE;

    question =
        g_strdup_printf ("There is a configuration in %s. Replace it, and keep it as a backup", places->config);
    if (setup->asks && terminal_confirm (question, FALSE))
        return TRUE;

    g_printerr ("postern: %s was left as it is; --force replaces it, and keeps a backup\n", places->config);
    return FALSE;
}

static ExitCode
write_all (const Setup *setup, const ConfigPlaces *places)
{
    g_autoptr (ConfigPlan) plan = make_plan (setup, places);
    g_autofree gchar *backup = NULL;
    g_autoptr (GError) error = NULL;

    if (!config_write (plan, places, &backup, &error)) {
        g_printerr ("postern: %s\n", error->message);
        return EXIT_FAILED;
    }

    if (backup != NULL)
        g_print ("The configuration of before is %s now.\n", backup);
    g_print ("Wrote %s.\n", places->config);
    if (setup->password != NULL)
        g_print ("Wrote the password to %s/" CREDENTIAL "; only its owner can read it.\n", places->credentials);
    return EXIT_OK;
}

static ExitCode
send_test (Setup *setup, const Client *client)
{
    Options *options = &setup->options;
    const gchar *sender;

    if (options->test == NULL && setup->asks)
        options->test =
            terminal_ask ("Send a test message to (a dash for nobody)", options->admin != NULL     ? options->admin
                                                                        : options->address != NULL ? options->address
                                                                                                   : "-");
    if (options->test == NULL || g_str_equal (options->test, "-"))
        return EXIT_OK;

    /* From nobody it could not come back. */
    sender = own_address (setup);
    return setup_send_message (client, *sender != '\0' ? sender : options->test, options->test);
}

static ExitCode
start (Setup *setup, const ConfigPlaces *places)
{
    g_autoptr (GError) error = NULL;
    g_autoptr (Client) client = client_new (setup->line->bus, &error);
    SetupStarted started;

    if (setup->options.no_start)
        return EXIT_OK;

    started = setup_start (places, client);
    if (started == SETUP_FAILED)
        return EXIT_FAILED;
    if (started == SETUP_STARTED && client != NULL)
        return send_test (setup, client);
    if (setup->options.test == NULL)
        return EXIT_OK;

    g_printerr ("postern: there is no relay that could send the test message%s%s\n", error != NULL ? ": " : "",
                error != NULL ? error->message : "");
    return EXIT_NOT_REACHABLE;
}

static ExitCode
run (Setup *setup)
{
    g_auto (ConfigPlaces) places = {NULL};
    ExitCode code;

    config_places_init (&places, setup->options.config, setup->options.credentials);
    if (!may_write (setup, &places))
        return EXIT_FAILED;

    code = find_server (setup);
    if (code == EXIT_OK)
        code = find_login (setup);
    if (code == EXIT_OK)
        code = try_server (setup, &places);
    if (code != EXIT_OK)
        return code;

    if (setup->asks)
        ask_about_mail (setup);
    code = write_all (setup, &places);
    return code == EXIT_OK ? start (setup, &places) : code;
}

/* ---- The command line ---- */

static ExitCode
check_options (const CommandLine *line, const Setup *setup)
{
    const Options *options = &setup->options;

    if (options->address != NULL && domain_of (options->address) == NULL)
        return command_line_complain (line, "“%s” is no mail address", options->address);
    if (options->trust_file != NULL && !g_path_is_absolute (options->trust_file))
        return command_line_complain (line, "--trust-file= wants an absolute path");
    if (options->no_login && (options->user != NULL || options->password_file != NULL))
        return command_line_complain (line, "--no-login goes with neither --user= nor --password-file=");
    if (setup->asks)
        return EXIT_OK;

    if (options->smarthost == NULL && options->address == NULL)
        return command_line_complain (line, "there is no terminal to ask at: say --smarthost= or --address=");
    if (!options->no_login && options->user == NULL && options->address == NULL)
        return command_line_complain (line, "there is no terminal to ask at: say --user=, or --no-login");
    if (!options->no_login && options->password_file == NULL)
        return command_line_complain (line, "there is no terminal to ask at: say --password-file=, “-” for standard "
                                            "input");
    return EXIT_OK;
}

ExitCode
command_setup (int argc, char **argv, const gchar *bus)
{
    g_autoptr (CommandLine) line = command_line_new (
        "setup", NULL, "Sets the relay up: asks what the options do not say, tries it, and writes it.", bus);
    g_auto (Setup) setup = {.line = line};
    Options *options = &setup.options;
    const GOptionEntry entries[] = {
        {"address", 0, 0, G_OPTION_ARG_STRING, &options->address, "Your mail address; by it the server is found",
         "ADDRESS"},
        {"smarthost", 0, 0, G_OPTION_ARG_STRING, &options->smarthost, "The server: HOST, HOST:PORT, or a provider",
         "SERVER"},
        {"tls", 0, 0, G_OPTION_ARG_STRING, &options->tls, "As TLS=: starttls, implicit, opportunistic, none", "MODE"},
        {"trust-file", 0, 0, G_OPTION_ARG_FILENAME, &options->trust_file, "Authorities to trust for it, PEM", "FILE"},
        {"user", 0, 0, G_OPTION_ARG_STRING, &options->user, "Who logs in there; else the address", "USER"},
        {"no-login", 0, 0, G_OPTION_ARG_NONE, &options->no_login, "Nobody logs in", NULL},
        {"password-file", 0, 0, G_OPTION_ARG_FILENAME, &options->password_file,
         "Read the password from here; - is standard input", "FILE"},
        {"admin", 0, 0, G_OPTION_ARG_STRING, &options->admin, "Who gets the mail to root and other users here",
         "ADDRESS"},
        {"from", 0, 0, G_OPTION_ARG_STRING, &options->from, "The sender of all mail of this machine", "ADDRESS"},
        {"test", 0, 0, G_OPTION_ARG_STRING, &options->test, "Send a test message there", "ADDRESS"},
        {"no-check", 0, 0, G_OPTION_ARG_NONE, &options->no_check, "Do not try the server", NULL},
        {"no-start", 0, 0, G_OPTION_ARG_NONE, &options->no_start, "Only write the configuration", NULL},
        {"force", 0, 0, G_OPTION_ARG_NONE, &options->force, "Replace a configuration; it is kept as a backup", NULL},
        {"config", 0, 0, G_OPTION_ARG_FILENAME, &options->config, "The file to write", "FILE"},
        {"credentials", 0, 0, G_OPTION_ARG_FILENAME, &options->credentials, "Where the password goes", "FOLDER"},
        {NULL},
    };
    ExitCode code;

    command_line_add (line, entries, FALSE);
    if (!command_line_parse (line, argc, argv) || !command_line_has_no_words (line))
        return EXIT_USAGE;

    setup.asks = terminal_is_there ();
    code = check_options (line, &setup);
    return code == EXIT_OK ? run (&setup) : code;
}
