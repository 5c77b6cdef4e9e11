/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The journal, as the command sees it
 *
 * Whoever may read the system's journal reads it here, without the help of anybody: it works while the relay and the bus are
 * away, which is when it is needed most. Everyone else asks the service org.postern.Journal1, which tells users of
 * their own mail. The relay of a user's own session logs to that user's journal.
 */

#include "postern-journal.h"

#include <unistd.h>

#include "journal/reader.h"
#include "postern-id.h"
#include "postern-text.h"

#define SERVICE_NAME "org.postern.Journal1"
#define SERVICE_PATH "/org/postern/Journal1"

struct _Journal {
    const CommandLine *line;
    JournalReader *reader; /* (nullable) by way of the bus */
    gboolean everyone;
};

void
journal_options_add (JournalOptions *options, CommandLine *line)
{
    const GOptionEntry entries[] = {
        {"directory", 'D', 0, G_OPTION_ARG_FILENAME, &options->directory, "Read the journal files in this folder",
         "FOLDER"},
        {"file", 'i', 0, G_OPTION_ARG_FILENAME_ARRAY, &options->files, "Read this journal file; may be repeated",
         "FILE"},
        {"everyone", 0, 0, G_OPTION_ARG_NONE, &options->everyone, "Other users' mail too; may ask for a password",
         NULL},
        {NULL},
    };

    command_line_add (line, entries, TRUE);
}

void
journal_options_clear (JournalOptions *options)
{
    g_free (options->directory);
    g_strfreev (options->files);
}

static ExitCode
explain (const GError *error)
{
    g_autofree gchar *escaped = text_escape (error->message);

    g_printerr ("postern: %s\n", escaped);
    if (g_error_matches (error, JOURNAL_ERROR, JOURNAL_ERROR_NOT_READER))
        return EXIT_NOT_REACHABLE;
    return EXIT_FAILED;
}

/* An address of a bus is that of a relay elsewhere, whose journal is not this machine's. */
static gboolean
reads_itself (const CommandLine *line, const JournalOptions *options)
{
    const gchar *bus = client_bus (line->bus);

    return options->directory != NULL || options->files != NULL || g_str_equal (bus, "system") ||
           g_str_equal (bus, "session");
}

Journal *
journal_open (CommandLine *line, const JournalOptions *options, ExitCode *code)
{
    JournalPlace place = {.directory = options->directory,
                          .files = (const gchar *const *) options->files,
                          .is_user = g_str_equal (client_bus (line->bus), "session"),
                          .submitter = -1};
    g_autoptr (Journal) journal = g_new0 (Journal, 1);
    g_autoptr (GError) error = NULL;

    journal->line = line;
    journal->everyone = options->everyone;
    if (reads_itself (line, options))
        journal->reader = journal_reader_new (&place, &error);

    if (journal->reader != NULL)
        return g_steal_pointer (&journal);

    if (error != NULL &&
        (!g_error_matches (error, JOURNAL_ERROR, JOURNAL_ERROR_NOT_READER) || place.is_user || geteuid () == 0)) {
        *code = explain (error);
        return NULL;
    }

    *code = command_line_connect (line);
    return *code == EXIT_OK ? g_steal_pointer (&journal) : NULL;
}

void
journal_free (Journal *journal)
{
    if (journal == NULL)
        return;

    journal_reader_free (journal->reader);
    g_free (journal);
}

static GVariant *
call (Journal *journal, const gchar *method, GVariant *parameters, const gchar *type, ExitCode *code)
{
    g_autoptr (GError) error = NULL;
    GVariant *reply = client_call_service (journal->line->client, SERVICE_NAME, SERVICE_PATH, SERVICE_NAME, method,
                                           parameters, type, &error);

    if (reply == NULL && client_error_is_absence (error)) {
        g_printerr ("postern: who tells of the journal, " SERVICE_NAME ", is not on the message bus “%s”\n"
                    "postern: root reads the journal without it; --directory= and --file= read journal files\n",
                    journal->line->client->address);
        *code = EXIT_NOT_REACHABLE;
    } else if (reply == NULL) {
        *code = client_explain (journal->line->client, error);
    }
    return reply;
}

GVariant *
journal_story (Journal *journal, const gchar *id, ExitCode *code)
{
    g_autoptr (GError) error = NULL;
    g_autoptr (GVariant) reply = NULL;
    GVariant *story;

    if (journal->reader == NULL) {
        reply = call (journal, "GetStory", g_variant_new ("(s)", id), "(" JOURNAL_STORY_TYPE ")", code);
        return reply == NULL ? NULL : g_variant_get_child_value (reply, 0);
    }

    story = journal_reader_story (journal->reader, id, &error);
    if (story == NULL) {
        *code = explain (error);
        return NULL;
    }
    return g_variant_ref_sink (story);
}

/* Returns: (transfer full) (nullable): the ids that begin so; NULL, and it was told */
static gchar **
find_ids (Journal *journal, const gchar *beginning, ExitCode *code)
{
    g_autoptr (GError) error = NULL;
    g_autoptr (GVariant) reply = NULL;
    gchar **ids = NULL;

    if (journal->reader != NULL) {
        ids = journal_reader_complete (journal->reader, beginning, IDS_NAMED_MOST + 1, &error);
        if (ids == NULL)
            *code = explain (error);
        return ids;
    }

    reply = call (journal, "CompleteId", g_variant_new ("(sb)", beginning, journal->everyone), "(as)", code);
    if (reply != NULL)
        g_variant_get (reply, "(^as)", &ids);
    return ids;
}

gchar *
journal_complete (Journal *journal, const gchar *word, ExitCode *code)
{
    g_autofree gchar *beginning = g_ascii_strdown (word, -1);
    g_auto (GStrv) ids = NULL;

    if (!id_is_short (word))
        return g_strdup (word);

    ids = find_ids (journal, beginning, code);
    if (ids == NULL)
        return NULL;
    if (ids[0] != NULL && ids[1] != NULL) {
        *code = id_complain_ambiguous (word, (const gchar *const *) ids);
        return NULL;
    }
    return g_strdup (ids[0] != NULL ? ids[0] : word); /* what is not known is told of by its name */
}

gchar **
journal_find (Journal *journal, const gchar *what, guint64 since_usec, guint most, gboolean *is_all, ExitCode *code)
{
    g_autoptr (GError) error = NULL;
    g_autoptr (GVariant) reply = NULL;
    gchar **ids = NULL;

    if (journal->reader != NULL) {
        ids = journal_reader_find (journal->reader, what, since_usec, most, is_all, &error);
        if (ids == NULL)
            *code = explain (error);
        return ids;
    }

    reply = call (journal, "FindMessages",
                  g_variant_new ("(stub)", what, since_usec, (guint32) most, journal->everyone), "(asb)", code);
    if (reply != NULL)
        g_variant_get (reply, "(^asb)", &ids, is_all);
    return ids;
}
