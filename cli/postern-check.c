/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * postern check
 *
 * Is the configuration good, and would the smarthosts take mail? A relay that runs is asked, since it sees what it will
 * see at a reload: its own user's view of the files, and the passwords that systemd handed over. Where none runs, before
 * the first start above all, the daemon's program makes the check by itself; for the passwords that takes root.
 *
 * A relay that does not run is not started for it.
 */

#include <unistd.h>

#include "check-report.h"
#include "postern-command.h"
#include "postern-configuration.h"
#include "postern-json.h"
#include "postern-text.h"

typedef struct {
    gchar *config;
    gchar *credentials;
    gchar *sender;
    gboolean direct;
    gboolean offline;
    gboolean verbose;
} Options;

static void
options_clear (Options *options)
{
    g_free (options->config);
    g_free (options->credentials);
    g_free (options->sender);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Options, options_clear)

static ExitCode
tell (const CommandLine *line, const Options *options, GVariant *report)
{
    if (line->json) {
        g_autoptr (JsonBuilder) builder = json_builder_new ();

        check_report_add_json (builder, report);
        json_print (builder);
    } else {
        check_report_print (report, options->verbose);
    }

    return check_report_is_good (report) ? EXIT_OK : EXIT_FAILED;
}

/* What the files say, and what the relay goes by, may be two things. */
static void
tell_in_force (const CommandLine *line, GVariant *report)
{
    g_autoptr (GVariant) properties =
        client_get_properties (line->client, RELAY_MANAGER_PATH, RELAY_MANAGER_INTERFACE, NULL);
    g_autofree gchar *in_force = NULL;

    if (properties == NULL || line->json)
        return;

    in_force = configuration_in_force (properties);
    if (configuration_is_bad (properties) && check_report_has_problems (report))
        g_print ("In the relay that runs, %s.\n", in_force);
    else if (configuration_is_bad (properties))
        g_print ("The relay that runs was given a bad one, and %s: “postern reload” gives it this one.\n", in_force);
    else if (check_report_has_problems (report))
        g_print ("The relay that runs still has the one of before.\n");
}

static ExitCode
ask (const CommandLine *line, const Options *options)
{
    g_autoptr (GError) error = NULL;
    g_autoptr (GVariant) report =
        check_report_ask (line->client, !options->offline, options->sender != NULL ? options->sender : "", &error);
    ExitCode code;

    if (report == NULL)
        return client_explain (line->client, error);

    code = tell (line, options, report);
    tell_in_force (line, report);
    return code;
}

static void
add_option (GStrvBuilder *arguments, const gchar *name, const gchar *value)
{
    g_autofree gchar *argument = value != NULL ? g_strconcat (name, value, NULL) : NULL;

    if (argument != NULL)
        g_strv_builder_add (arguments, argument);
}

static ExitCode
run (const CommandLine *line, const Options *options)
{
    g_autoptr (GSubprocessLauncher) launcher = g_subprocess_launcher_new (G_SUBPROCESS_FLAGS_NONE);
    g_autoptr (GStrvBuilder) builder = g_strv_builder_new ();
    g_autoptr (GVariant) report = NULL;
    g_autoptr (GError) error = NULL;
    g_auto (GStrv) arguments = NULL;

    add_option (builder, "--config=", options->config);
    add_option (builder, "--credentials=", options->credentials);
    add_option (builder, "--sender=", options->sender);
    if (options->offline)
        g_strv_builder_add (builder, "--offline");
    arguments = g_strv_builder_end (builder);

    report = check_report_run (launcher, (const gchar *const *) arguments, &error);
    if (report == NULL)
        return client_explain (NULL, error);

    if (!line->json && check_report_has_problems (report) && geteuid () != 0)
        g_printerr ("postern: no relay runs that could be asked, and only root can read passwords: try it as root\n");
    return tell (line, options, report);
}

static ExitCode
check (CommandLine *line, const Options *options)
{
    g_autoptr (GError) error = NULL;

    if (options->direct || options->config != NULL || options->credentials != NULL)
        return run (line, options);

    line->client = client_new (line->bus, &error);
    if (line->client != NULL && (line->bus != NULL || client_relay_runs (line->client)))
        return ask (line, options);
    if (line->client == NULL && line->bus != NULL)
        return client_explain (NULL, error);
    return run (line, options);
}

ExitCode
command_check (int argc, char **argv, const gchar *bus)
{
    g_autoptr (CommandLine) line = command_line_new (
        "check", NULL, "Reads the configuration, tries each smarthost, and says what is wrong.", bus);
    g_auto (Options) options = {NULL};
    const GOptionEntry entries[] = {
        {"offline", 0, 0, G_OPTION_ARG_NONE, &options.offline, "Only read; try no smarthost", NULL},
        {"sender", 'f', 0, G_OPTION_ARG_STRING, &options.sender, "The sender to offer, in place of the user",
         "ADDRESS"},
        {"verbose", 'v', 0, G_OPTION_ARG_NONE, &options.verbose, "Show what was said to those that take mail, too",
         NULL},
        {"direct", 0, 0, G_OPTION_ARG_NONE, &options.direct, "Do not ask the relay that runs", NULL},
        {"config", 0, 0, G_OPTION_ARG_FILENAME, &options.config, "Check this file", "FILE"},
        {"credentials", 0, 0, G_OPTION_ARG_FILENAME, &options.credentials, "Where passwords are", "FOLDER"},
        {NULL},
    };

    command_line_add (line, entries, TRUE);
    if (!command_line_parse (line, argc, argv) || !command_line_has_no_words (line))
        return EXIT_USAGE;

    return check (line, &options);
}
