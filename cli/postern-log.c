/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * postern log, postern trace
 *
 * What became of a message, as the journal tells it: of one that is in the queue, and of one that is long gone. "log"
 * takes queue ids; "trace" finds the messages by what a person knows of them, an address or a Message-ID.
 */

#include "journal/reader.h"
#include "postern-command.h"
#include "postern-journal.h"
#include "postern-story.h"
#include "postern-text.h"

#include <stdio.h>

/* As many as a person reads through; --limit= is for more. */
#define TRACED_USUALLY 20

/* Tells the stories of messages, one after the other. */
static ExitCode
tell_stories (const CommandLine *line, Journal *journal, gchar **ids)
{
    g_autoptr (JsonBuilder) builder = json_builder_new ();
    ExitCode code = EXIT_OK;

    json_builder_begin_array (builder);
    for (guint i = 0; ids[i] != NULL; i++) {
        g_autofree gchar *id = journal_complete (journal, ids[i], &code);
        g_autoptr (GVariant) story = id == NULL ? NULL : journal_story (journal, id, &code);

        if (story == NULL)
            return code;
        if (g_variant_n_children (story) == 0) {
            g_autofree gchar *escaped = text_escape (ids[i]);

            g_printerr ("postern: the journal knows nothing of a message %s\n", escaped);
            code = EXIT_NOT_FOUND;
        } else if (line->json) {
            story_add_json (builder, id, story);
        } else {
            story_print (id, story);
        }
    }
    json_builder_end_array (builder);
    if (line->json)
        json_print (builder);
    return code;
}

ExitCode
command_log (int argc, char **argv, const gchar *bus)
{
    g_auto (JournalOptions) options = {NULL};
    g_autoptr (CommandLine) line = command_line_new (
        "log", "ID…", "Tells from the journal what became of messages, also of those that are gone.", bus);
    g_autoptr (Journal) journal = NULL;
    ExitCode code = EXIT_USAGE;

    journal_options_add (&options, line);
    if (!command_line_parse (line, argc, argv))
        return EXIT_USAGE;
    if (command_line_count_words (line) == 0)
        return command_line_complain (line, "the id of a message is needed; “postern trace” finds it by an address");

    journal = journal_open (line, &options, &code);
    return journal == NULL ? code : tell_stories (line, journal, line->words);
}

static ExitCode
trace (const CommandLine *line, Journal *journal, guint64 since_usec, guint limit)
{
    ExitCode code = EXIT_OK;
    gboolean is_all;
    g_auto (GStrv) ids = journal_find (journal, line->words[0], since_usec, limit, &is_all, &code);

    if (ids == NULL)
        return code;
    if (ids[0] == NULL) {
        g_autofree gchar *escaped = text_escape (line->words[0]);

        g_printerr ("postern: the journal knows of no mail from, to, or with the Message-ID %s\n", escaped);
        return EXIT_NOT_FOUND;
    }

    code = tell_stories (line, journal, ids);
    if (!is_all)
        g_printerr ("postern: these are the latest %u; --limit= shows more\n", limit);
    return code;
}

ExitCode
command_trace (int argc, char **argv, const gchar *bus)
{
    g_auto (JournalOptions) options = {NULL};
    g_autoptr (CommandLine) line =
        command_line_new ("trace", "ADDRESS|MESSAGE-ID",
                          "Tells what became of the mail from or to an address, or with a Message-ID.", bus);
    g_autofree gchar *since = NULL;
    gint limit = TRACED_USUALLY;
    const GOptionEntry entries[] = {
        {"since", 'S', 0, G_OPTION_ARG_STRING, &since, "No further back than this: 30min, 4h, 2d", "SPAN"},
        {"limit", 'n', 0, G_OPTION_ARG_INT, &limit, "The latest so many messages (default: 20)", "COUNT"},
        {NULL},
    };
    g_autoptr (Journal) journal = NULL;
    ExitCode code = EXIT_USAGE;
    gint64 span = 0;

    command_line_add (line, entries, FALSE);
    journal_options_add (&options, line);
    if (!command_line_parse (line, argc, argv))
        return EXIT_USAGE;
    if (command_line_count_words (line) != 1)
        return command_line_complain (line, "one address or Message-ID is needed");
    if (limit < 1)
        return command_line_complain (line, "--limit= must be at least 1");
    if (since != NULL && !text_parse_span (since, &span))
        return command_line_complain (line, "“%s” is not a span of time, as 30min, 4h, 2d", since);

    journal = journal_open (line, &options, &code);
    if (journal == NULL)
        return code;
    return trace (line, journal, since == NULL ? 0 : (guint64) MAX (0, g_get_real_time () - span), (guint) limit);
}
