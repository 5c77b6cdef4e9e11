/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "postern-command.h"

/*
 * Where the command reads what the journal knows: itself, if it may, else by asking the service org.postern.Journal1.
 */

/* What the command line says of it. */
typedef struct {
    gchar *directory;
    gchar **files;
    gboolean everyone;
} JournalOptions;

typedef struct _Journal Journal;

/* Adds --directory=, --file= and --everyone to the command line. */
void journal_options_add (JournalOptions *options, CommandLine *line);
void journal_options_clear (JournalOptions *options);

/**
 * journal_open:
 * @line: must outlive the journal
 * @code: (out): why not
 *
 * Returns: (transfer full): or %NULL, and it was told
 */
Journal *journal_open (CommandLine *line, const JournalOptions *options, ExitCode *code);
void journal_free (Journal *journal);

/* Returns: (transfer full): JOURNAL_STORY_TYPE; %NULL, and it was told, with the exit code in @code */
GVariant *journal_story (Journal *journal, const gchar *id, ExitCode *code);

/* Returns: (transfer full): the id that begins so; %NULL, and it was told, with the exit code in @code */
gchar *journal_complete (Journal *journal, const gchar *word, ExitCode *code);

/* Returns: (transfer full): ids as journal_reader_find () does; %NULL, and it was told, with the exit code in @code */
gchar **journal_find (Journal *journal, const gchar *what, guint64 since_usec, guint most, gboolean *is_all,
                      ExitCode *code);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (JournalOptions, journal_options_clear)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Journal, journal_free)
