/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * postern pause, resume, reload
 *
 * The relay as a whole: methods of the Manager without arguments, and a line that says what it means.
 */

#include "postern-command.h"

static ExitCode
control (CommandLine *line, int argc, char **argv, const gchar *method, const gchar *done)
{
    g_autoptr (GError) error = NULL;
    g_autoptr (GVariant) reply = NULL;
    ExitCode code;

    if (!command_line_parse (line, argc, argv) || !command_line_has_no_words (line))
        return EXIT_USAGE;

    code = command_line_connect (line);
    if (code != EXIT_OK)
        return code;

    reply = client_call_manager (line->client, method, NULL, "()", &error);
    if (reply == NULL)
        return client_explain (line->client, error);

    g_print ("%s\n", done);
    return EXIT_OK;
}

ExitCode
command_pause (int argc, char **argv, const gchar *bus)
{
    g_autoptr (CommandLine) line = command_line_new (
        "pause", NULL, "Starts no more deliveries until “postern resume”. Mail is still accepted.", bus);

    return control (line, argc, argv, "Pause", "Deliveries are paused; mail is still accepted.");
}

ExitCode
command_resume (int argc, char **argv, const gchar *bus)
{
    g_autoptr (CommandLine) line =
        command_line_new ("resume", NULL, "Starts deliveries again after “postern pause”.", bus);

    return control (line, argc, argv, "Resume", "Deliveries go on.");
}

ExitCode
command_reload (int argc, char **argv, const gchar *bus)
{
    g_autoptr (CommandLine) line = command_line_new (
        "reload", NULL, "Has the relay read its configuration anew; a bad one changes nothing.", bus);

    return control (line, argc, argv, "Reload", "The configuration was read anew.");
}
