/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * postern setup
 *
 * From nothing to a relay that sends: which server takes mail, who logs in there, whether that works, and who reads this
 * machine's own mail. At a terminal it asks for what the options do not say; a script says all of it by options. Nothing
 * is written before the server has been tried, and a password is never an argument, where every user could see it.
 */

#include "check-report.h"
#include "config-write.h"
#include "setup-ask.h"
#include "setup-message.h"
#include "setup-start.h"
#include "setup-terminal.h"
#include "setup-trial.h"

#define GROUP      "Smarthost"
#define CREDENTIAL "smarthost"

/* How often a person may try another password or server. */
#define TRIALS_MOST 20

static void
setup_clear (Setup *setup)
{
    SetupOptions *options = &setup->options;

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
    return setup->user != NULL && setup_domain_of (setup->user) != NULL ? setup->user : "";
}

/* ---- The trial ---- */

/* Returns: (transfer full) (nullable): the report, or NULL with an error */
static GVariant *
run_trial (const Setup *setup, const ConfigPlan *plan, GError **error)
{
    g_autofree gchar *what = g_strdup_printf ("Trying %s", setup->server.host);
    g_autoptr (TerminalWait) wait = terminal_wait_new (what);

    return setup_try (plan, own_address (setup), error);
}

static ExitCode
try_once (const Setup *setup, const ConfigPlaces *places)
{
    g_autoptr (ConfigPlan) plan = make_plan (setup, places);
    g_autoptr (GError) error = NULL;
    g_autoptr (GVariant) report = run_trial (setup, plan, &error);

    if (report == NULL)
        return client_explain (NULL, error);

    check_report_print_trial (report, places->config);
    return check_report_is_good (report) ? EXIT_OK : EXIT_FAILED;
}

/* Returns: whether there is something new to try; @give_up: nothing is to be written */
static gboolean
ask_what_now (Setup *setup, gboolean *give_up)
{
    for (;;) {
        g_autofree gchar *answer =
            terminal_ask ("Try another (p)assword, (u)ser or (s)erver, (w)rite it as it is, (q)uit", "q");

        *give_up = answer == NULL || g_str_has_prefix (answer, "q");
        if (*give_up || g_str_has_prefix (answer, "w"))
            return FALSE;
        if (g_str_has_prefix (answer, "p") && setup->user != NULL)
            return setup_ask_password (setup);
        if (g_str_has_prefix (answer, "u"))
            return setup_ask_user (setup) && (setup->user == NULL || setup_ask_password (setup));
        if (g_str_has_prefix (answer, "s"))
            return setup_ask_server (setup);
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

    return give_up ? EXIT_FAILED : EXIT_OK;
}

/* ---- The rest ---- */

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
    SetupOptions *options = &setup->options;
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

/* All that comes before anything is written. */
static ExitCode
prepare (Setup *setup, const ConfigPlaces *places)
{
    ExitCode code = setup_find_server (setup);

    if (code == EXIT_OK)
        code = setup_find_login (setup);
    return code == EXIT_OK ? try_server (setup, places) : code;
}

static ExitCode
run (Setup *setup)
{
    g_auto (ConfigPlaces) places = {NULL};
    ExitCode code;

    config_places_init (&places, setup->options.config, setup->options.credentials);
    if (!may_write (setup, &places))
        return EXIT_FAILED;

    code = prepare (setup, &places);
    if (code != EXIT_OK) {
        if (setup->asks)
            g_print ("Nothing was written.\n");
        return code;
    }

    if (setup->asks)
        setup_ask_about_mail (setup);
    code = write_all (setup, &places);
    return code == EXIT_OK ? start (setup, &places) : code;
}

/* ---- The command line ---- */

static ExitCode
check_options (const CommandLine *line, const Setup *setup)
{
    const SetupOptions *options = &setup->options;

    if (options->address != NULL && setup_domain_of (options->address) == NULL)
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
    SetupOptions *options = &setup.options;
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
