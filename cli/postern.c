/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * postern
 *
 * The command that administrators and users watch and steer the relay with. This file finds the subcommand; each has
 * a file of its own. Everything goes over the relay's D-Bus interface, so that what this command can do, every
 * program can.
 */

#include <locale.h>

#include "output/output.h"
#include "postern-command.h"
#include "postern-text.h"

static const Command commands[] = {
    {"status", "How the relay is, and what keeps mail from leaving", command_status},
    {"list", "The messages that wait, and why", command_list},
    {"show", "One message: envelope, replies, history, content", command_show},
    {"log", "What became of a message, from the journal", command_log},
    {"trace", "The same, found by an address or a Message-ID", command_trace},
    {"retry", "Try messages again at once", command_retry},
    {"hold", "Keep messages from being tried", command_hold},
    {"release", "End a hold", command_release},
    {"delete", "Remove messages", command_delete},
    {"bounce", "Give messages up, and tell their senders", command_bounce},
    {"redirect", "Send messages to another address", command_redirect},
    {"remotes", "The smarthosts and how they are; try one", command_remotes},
    {"stats", "Counters since the relay started", command_stats},
    {"mailq", NULL, command_mailq}, /* what the old name becomes */
    {"monitor", "What happens to mail, as it happens", command_monitor},
    {"pause", "Start no more deliveries", command_pause},
    {"resume", "Start deliveries again", command_resume},
    {"setup", "Set the relay up: the server that takes mail, the login, a trial", command_setup},
    {"import", "Take over what another mail system was told", command_import},
    {"check", "Is the configuration good, and do the smarthosts take mail?", command_check},
    {"verify", "Can everything that the relay keeps be read?", command_verify},
    {"reload", "Read the configuration anew", command_reload},
};

static const gchar exit_codes[] = "Exit codes:\n"
                                  "  0  done\n"
                                  "  1  the relay could not do it\n"
                                  "  2  wrong command line\n"
                                  "  3  no such message or smarthost, or nothing matched\n"
                                  "  4  not authorized\n"
                                  "  5  the relay or the message bus cannot be reached";

static gchar *
describe_commands (void)
{
    GString *text = g_string_new ("Subcommands (each has --help):\n");

    for (guint i = 0; i < G_N_ELEMENTS (commands); i++)
        if (commands[i].summary != NULL)
            g_string_append_printf (text, "  %-9s %s\n", commands[i].name, commands[i].summary);
    g_string_append_printf (text,
                            "\nEnvironment:\n  POSTERN_BUS  the bus, where --bus= is not given\n"
                            "  NO_COLOR     no colours if it is set\n\n%s",
                            exit_codes);
    return g_string_free (text, FALSE);
}

static const Command *
find_command (const gchar *name)
{
    for (guint i = 0; i < G_N_ELEMENTS (commands); i++) {
        if (g_str_equal (commands[i].name, name))
            return &commands[i];
    }
    return NULL;
}

static ExitCode
complain (const gchar *text)
{
    g_autofree gchar *escaped = text_escape (text);

    g_printerr ("postern: %s\nTry “postern --help”.\n", escaped);
    return EXIT_USAGE;
}

static ExitCode
run_command (int argc, char **argv, const gchar *bus)
{
    g_autofree gchar *complaint = NULL;
    const Command *command;

    if (argc < 2)
        return complain ("a subcommand is missing");

    command = find_command (argv[1]);
    if (command != NULL)
        return command->run (argc - 1, argv + 1, bus);

    complaint = g_strdup_printf ("there is no subcommand “%s”", argv[1]);
    return complain (complaint);
}

int
main (int argc, char **argv)
{
    g_autoptr (GOptionContext) options = g_option_context_new ("SUBCOMMAND …");
    g_autofree gchar *description = describe_commands ();
    g_autofree gchar *bus = NULL;
    g_autoptr (GError) error = NULL;
    gboolean version = FALSE;
    const GOptionEntry entries[] = {
        {"bus", 0, 0, G_OPTION_ARG_STRING, &bus, "Bus of the relay: system, session, or an address", "BUS"},
        {"version", 0, 0, G_OPTION_ARG_NONE, &version, "Print the version of this command", NULL},
        {NULL},
    };

    setlocale (LC_ALL, "");
    output_install ();
    g_set_prgname ("postern");
    g_option_context_add_main_entries (options, entries, NULL);
    g_option_context_set_summary (options, "Watches and steers the mail relay.");
    g_option_context_set_description (options, description);
    g_option_context_set_strict_posix (options, TRUE); /* the subcommand's options are its own */
    if (!g_option_context_parse (options, &argc, &argv, &error))
        return complain (error->message);

    if (version) {
        g_print ("postern %s\n", POSTERN_VERSION);
        return EXIT_OK;
    }
    return run_command (argc, argv, bus);
}
