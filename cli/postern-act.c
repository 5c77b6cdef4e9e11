/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * postern retry, hold, release, delete, bounce, redirect
 *
 * One file, because they are one command with six verbs. Nothing is done to the whole queue by accident: without
 * ids, a choice or --all the command is refused, and "delete --all", like others that cannot be undone, asks a person
 * first. The relay does it in one step and tells how many messages that was.
 */

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "output/output.h"
#include "postern-asked.h"
#include "postern-command.h"
#include "postern-filter.h"
#include "postern-id.h"
#include "postern-text.h"

typedef struct {
    const gchar *name;    /* of the subcommand */
    const gchar *method;  /* of the Manager */
    const gchar *summary; /* for --help */
    const gchar *done;    /* "Deleted" */
    const gchar *nothing; /* why it may have touched nothing */
    const gchar *asks;    /* (nullable) before it touches everything */
    gboolean redirects;   /* to the address of --to= */
    gboolean tells;       /* the senders what --reason= says */
    gboolean asks_again;  /* smarthosts that are down */
} Verb;

typedef struct {
    const Verb *verb;
    CommandLine *line;
    FilterOptions filter;
    gboolean all;
    gboolean yes;
    gchar *to;     /* (nullable) */
    gchar *reason; /* (nullable) */
} Act;

static const Verb retry = {
    .name = "retry",
    .method = "Retry",
    .summary = "Tries messages again at once, and smarthosts that are down.",
    .done = "Retrying",
    .nothing = "no message in the queue matches, or it is held",
    .asks_again = TRUE,
};

static const Verb hold = {
    .name = "hold",
    .method = "Hold",
    .summary = "Keeps messages from being tried until they are released.",
    .done = "Held",
    .nothing = "no message in the queue matches, or it is held already",
};

static const Verb release = {
    .name = "release",
    .method = "Release",
    .summary = "Releases messages that are held, and tries them at once.",
    .done = "Released",
    .nothing = "no message in the queue matches, or it is not held",
};

static const Verb delete = {
    .name = "delete",
    .method = "Delete",
    .summary = "Deletes messages. Nobody is notified.",
    .done = "Deleted",
    .nothing = "no message in the queue matches",
    .asks = "Delete all messages in the queue? Nobody will be notified.",
};

static const Verb bounce = {
    .name = "bounce",
    .method = "Bounce",
    .summary = "Gives messages up, and tells their senders so.",
    .done = "Bounced",
    .nothing = "no message in the queue matches, or it has no sender to be told",
    .asks = "Bounce all messages in the queue? All their senders will be notified.",
    .tells = TRUE,
};

static const Verb redirect = {
    .name = "redirect",
    .method = "Redirect",
    .summary = "Sends messages to another address, in place of those who have not got them.",
    .done = "Redirected",
    .nothing = "no message in the queue matches",
    .asks = "Redirect all messages in the queue?",
    .redirects = TRUE,
};

/* A script that says "delete --all" means it; a person may have slipped. */
static gboolean
is_sure (const Act *act)
{
    gchar answer[8];

    if (act->verb->asks == NULL || !act->all || act->yes || !isatty (STDIN_FILENO))
        return TRUE;

    g_print ("%s [y/N] ", act->verb->asks);
    if (fgets (answer, sizeof answer, stdin) == NULL)
        return FALSE;

    output_answered ();
    return g_str_has_prefix (answer, "y") || g_str_has_prefix (answer, "Y");
}

static ExitCode
tell (const Act *act, guint count)
{
    guint named = command_line_count_words (act->line);
    gboolean some_missing = named > 0 && count < named;

    if (count == 0 && !act->all) {
        g_printerr ("postern: nothing to %s: %s\n", act->verb->name, act->verb->nothing);
        return EXIT_NOT_FOUND;
    }

    if (some_missing)
        g_print ("%s %u of %u messages; the others: %s.\n", act->verb->done, count, named, act->verb->nothing);
    else
        g_print ("%s %u message%s.\n", act->verb->done, count, count == 1 ? "" : "s");
    return some_missing ? EXIT_NOT_FOUND : EXIT_OK;
}

static GVariant *
call_relay (const Act *act, GVariant *filter, GError **error)
{
    const Client *client = act->line->client;

    if (act->verb->redirects)
        return client_call_manager (client, act->verb->method, g_variant_new ("(@a{sv}s)", filter, act->to), "(u)",
                                    error);
    if (act->reason != NULL)
        return client_call_manager (client, "BounceWithReason", g_variant_new ("(@a{sv}s)", filter, act->reason),
                                    "(u)", error);
    return client_call_manager (client, act->verb->method, g_variant_new ("(@a{sv})", filter), "(u)", error);
}

static ExitCode
run_act (const Act *act, GVariant *filter)
{
    g_autoptr (GError) error = NULL;
    g_autoptr (Asked) asked = act->verb->asks_again ? asked_begin (act->line->client) : NULL;
    g_autoptr (GVariant) reply = call_relay (act, filter, &error);
    ExitCode code;
    guint count;

    if (reply == NULL)
        return client_explain (act->line->client, error);

    g_variant_get (reply, "(u)", &count);
    code = tell (act, count);
    if (asked != NULL && count > 0)
        asked_tell (asked);
    return code;
}

static ExitCode
parse_and_run (Act *act, int argc, char **argv)
{
    gboolean chosen;
    ExitCode code;

    if (!command_line_parse (act->line, argc, argv))
        return EXIT_USAGE;

    chosen = filter_options_choose (&act->filter, act->line);
    if (!chosen && !act->all)
        return command_line_complain (act->line, "say which messages: ids, options that choose some, or --all");
    if (chosen && act->all)
        return command_line_complain (act->line, "--all means all messages, but others were chosen too");

    if (act->verb->redirects && act->to == NULL)
        return command_line_complain (act->line, "say where the messages are to go: --to=ADDRESS");

    if (!filter_options_read (&act->filter, act->line))
        return EXIT_USAGE;

    code = command_line_connect (act->line);
    if (code == EXIT_OK)
        code = ids_complete (act->line, act->filter.everyone);
    if (code != EXIT_OK)
        return code;
    if (!is_sure (act)) {
        g_print ("Nothing was done.\n");
        return EXIT_FAILED;
    }
    return run_act (act, filter_options_build (&act->filter, act->line));
}

static ExitCode
act (const Verb *verb, int argc, char **argv, const gchar *bus)
{
    g_autoptr (CommandLine) line = command_line_new (verb->name, "[ID…]", verb->summary, bus);
    Act self = {.verb = verb, .line = line};
    const GOptionEntry all[] = {{"all", 0, 0, G_OPTION_ARG_NONE, &self.all, "All messages", NULL}, {NULL}};
    const GOptionEntry yes[] = {
        {"yes", 0, 0, G_OPTION_ARG_NONE, &self.yes, "Do not ask whether --all is meant", NULL}, {NULL}};
    const GOptionEntry to[] = {{"to", 0, 0, G_OPTION_ARG_STRING, &self.to, "Where they are to go", "ADDRESS"},
                               {NULL}};
    const GOptionEntry reason[] = {
        {"reason", 0, 0, G_OPTION_ARG_STRING, &self.reason, "Why, for the senders", "TEXT"}, {NULL}};
    ExitCode code;

    filter_options_add (&self.filter, line);
    command_line_add (line, all, FALSE);
    command_line_add (line, verb->asks ? yes : NULL, FALSE);
    command_line_add (line, verb->redirects ? to : NULL, FALSE);
    command_line_add (line, verb->tells ? reason : NULL, FALSE);
    code = parse_and_run (&self, argc, argv);
    filter_options_clear (&self.filter);
    g_free (self.to);
    g_free (self.reason);
    return code;
}

ExitCode
command_retry (int argc, char **argv, const gchar *bus)
{
    return act (&retry, argc, argv, bus);
}

ExitCode
command_hold (int argc, char **argv, const gchar *bus)
{
    return act (&hold, argc, argv, bus);
}

ExitCode
command_release (int argc, char **argv, const gchar *bus)
{
    return act (&release, argc, argv, bus);
}

ExitCode
command_delete (int argc, char **argv, const gchar *bus)
{
    return act (&delete, argc, argv, bus);
}

ExitCode
command_bounce (int argc, char **argv, const gchar *bus)
{
    return act (&bounce, argc, argv, bus);
}

ExitCode
command_redirect (int argc, char **argv, const gchar *bus)
{
    return act (&redirect, argc, argv, bus);
}
