/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "postern-command.h"

/*
 * Options that choose messages.
 */

typedef struct {
    gchar *state;
    gchar *sender;
    gchar *recipient;
    gchar *domain;
    gchar *remote;
    gchar *user;
    gchar *older;
    gboolean everyone;

    guint32 uid;         /* of user, once that was read */
    guint64 before_usec; /* since the epoch; likewise of older */
} FilterOptions;

void filter_options_clear (FilterOptions *options);

/* Adds the options to a subcommand; @options is filled when the command line is parsed. */
void filter_options_add (FilterOptions *options, CommandLine *line);

/* Whether anything was chosen, be it by options or by ids among the words. --everyone chooses nothing. */
gboolean filter_options_choose (const FilterOptions *options, const CommandLine *line);

/* Reads what the options say in people's words. Returns: %FALSE after a complaint, for EXIT_USAGE */
gboolean filter_options_read (FilterOptions *options, const CommandLine *line);

/* Returns: (transfer floating): the filter as a{sv}, with the words of the line as ids; of options that were read */
GVariant *filter_options_build (const FilterOptions *options, const CommandLine *line);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (FilterOptions, filter_options_clear)
