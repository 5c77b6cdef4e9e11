/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "postern-client.h"

/*
 * The subcommands, one file each. Each reads its own options, connects, and returns the exit code.
 */

typedef struct {
    const gchar *name;
    const gchar *summary; /* (nullable) one line for the overview */
    ExitCode (*run) (int argc, char **argv, const gchar *bus);
} Command;

/* Where a subcommand stands: what its options say, and the connection. */
typedef struct {
    gchar *bus;     /* (nullable) --bus= */
    gboolean json;  /* --json */
    gchar **words;  /* (nullable) what is not an option */
    Client *client; /* once it is connected */
    GOptionContext *options;
} CommandLine;

/**
 * command_line_new:
 * @name: of the subcommand
 * @words: (nullable): what else it takes, as "[ID…]"; %NULL for nothing
 * @summary: what it does, one sentence
 * @bus: (nullable): from in front of the subcommand
 */
CommandLine *command_line_new (const gchar *name, const gchar *words, const gchar *summary, const gchar *bus);
void command_line_free (CommandLine *line);

/* Adds options of the subcommand's own; --json if @json. */
void command_line_add (CommandLine *line, const GOptionEntry *entries, gboolean json);

/**
 * command_line_parse:
 *
 * Reads the options; --help is answered here and ends the process.
 *
 * Returns: whether it could; else the complaint was told, and the exit code is EXIT_USAGE
 */
gboolean command_line_parse (CommandLine *line, int argc, char **argv);

/* Connects to the bus. Returns: EXIT_OK, or else the failure was told. */
ExitCode command_line_connect (CommandLine *line);

/* Tells what is wrong with the command line. Returns: EXIT_USAGE */
ExitCode command_line_complain (const CommandLine *line, const gchar *format, ...) G_GNUC_PRINTF (2, 3);

guint command_line_count_words (const CommandLine *line);

/* Returns: whether there is nothing but options, as a subcommand wants that takes no words; else it was told */
gboolean command_line_has_no_words (const CommandLine *line);

ExitCode command_status (int argc, char **argv, const gchar *bus);
ExitCode command_list (int argc, char **argv, const gchar *bus);
ExitCode command_show (int argc, char **argv, const gchar *bus);
ExitCode command_retry (int argc, char **argv, const gchar *bus);
ExitCode command_hold (int argc, char **argv, const gchar *bus);
ExitCode command_release (int argc, char **argv, const gchar *bus);
ExitCode command_delete (int argc, char **argv, const gchar *bus);
ExitCode command_bounce (int argc, char **argv, const gchar *bus);
ExitCode command_redirect (int argc, char **argv, const gchar *bus);
ExitCode command_stats (int argc, char **argv, const gchar *bus);
ExitCode command_remotes (int argc, char **argv, const gchar *bus);
ExitCode command_pause (int argc, char **argv, const gchar *bus);
ExitCode command_resume (int argc, char **argv, const gchar *bus);
ExitCode command_setup (int argc, char **argv, const gchar *bus);
ExitCode command_import (int argc, char **argv, const gchar *bus);
ExitCode command_check (int argc, char **argv, const gchar *bus);
ExitCode command_reload (int argc, char **argv, const gchar *bus);
ExitCode command_mailq (int argc, char **argv, const gchar *bus);
ExitCode command_monitor (int argc, char **argv, const gchar *bus);
ExitCode command_log (int argc, char **argv, const gchar *bus);
ExitCode command_trace (int argc, char **argv, const gchar *bus);
ExitCode command_verify (int argc, char **argv, const gchar *bus);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (CommandLine, command_line_free)
