/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The command line of a subcommand
 *
 * What all of them share: --help, --bus= (before the subcommand or after it), --json where there is something to
 * print for programs, and how a wrong command line is told.
 */

#include "postern-command.h"

#include "postern-text.h"

CommandLine *
command_line_new (const gchar *name, const gchar *words, const gchar *summary, const gchar *bus)
{
    CommandLine *line = g_new0 (CommandLine, 1);
    g_autofree gchar *program = g_strconcat ("postern ", name, NULL);
    const GOptionEntry common[] = {
        {"bus", 0, 0, G_OPTION_ARG_STRING, &line->bus, "Bus of the relay: system, session, or an address", "BUS"},
        {G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_STRING_ARRAY, &line->words, NULL, NULL},
        {NULL},
    };

    g_set_prgname (program);
    line->bus = g_strdup (bus);
    line->options = g_option_context_new (words);
    g_option_context_set_summary (line->options, summary);
    g_option_context_add_main_entries (line->options, common, NULL);
    return line;
}

void
command_line_free (CommandLine *line)
{
    if (line == NULL)
        return;

    g_option_context_free (line->options);
    g_clear_pointer (&line->client, client_free);
    g_strfreev (line->words);
    g_free (line->bus);
    g_free (line);
}

void
command_line_add (CommandLine *line, const GOptionEntry *entries, gboolean json)
{
    const GOptionEntry json_entry[] = {
        {"json", 0, 0, G_OPTION_ARG_NONE, &line->json, "Print JSON", NULL},
        {NULL},
    };

    if (entries != NULL)
        g_option_context_add_main_entries (line->options, entries, NULL);
    if (json)
        g_option_context_add_main_entries (line->options, json_entry, NULL);
}

gboolean
command_line_parse (CommandLine *line, int argc, char **argv)
{
    g_autoptr (GError) error = NULL;

    if (g_option_context_parse (line->options, &argc, &argv, &error))
        return TRUE;

    command_line_complain (line, "%s", error->message);
    return FALSE;
}

ExitCode
command_line_connect (CommandLine *line)
{
    g_autoptr (GError) error = NULL;

    line->client = client_new (line->bus, &error);
    return line->client == NULL ? client_explain (NULL, error) : EXIT_OK;
}

ExitCode
command_line_complain (const CommandLine *line, const gchar *format, ...)
{
    g_autofree gchar *text = NULL;
    g_autofree gchar *escaped = NULL;
    va_list arguments;

    va_start (arguments, format);
    text = g_strdup_vprintf (format, arguments);
    va_end (arguments);
    escaped = text_escape (text);
    g_printerr ("%s: %s\nTry “%s --help”.\n", g_get_prgname (), escaped, g_get_prgname ());
    return EXIT_USAGE;
}

guint
command_line_count_words (const CommandLine *line)
{
    return line->words == NULL ? 0 : g_strv_length (line->words);
}

gboolean
command_line_has_no_words (const CommandLine *line)
{
    if (command_line_count_words (line) == 0)
        return TRUE;

    command_line_complain (line, "“%s” is one word too many", line->words[0]);
    return FALSE;
}
