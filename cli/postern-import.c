/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * postern import
 *
 * Reads what another mail system was told, and says the same in our words: of each line whether it was taken, is as it is
 * anyway, or has no counterpart. Without --write that is all; nothing is changed, so that it can be looked at first. What
 * is written is then checked as the relay would read it.
 *
 * Mail that waits in nullmailer's queue is handed over by a step of its own, when there is a relay to take it.
 */

#include <string.h>

#include "check-report.h"
#include "config-write.h"
#include "import-queue.h"
#include "import.h"
#include "postern-command.h"
#include "postern-style.h"
#include "postern-text.h"
#include "setup-terminal.h"

typedef struct {
    gchar *root;
    gchar *file;
    gchar *config;
    gchar *credentials;
    gboolean write;
    gboolean queue;
    gboolean force;
    gboolean brief;
} Options;

static void
options_clear (Options *options)
{
    g_free (options->root);
    g_free (options->file);
    g_free (options->config);
    g_free (options->credentials);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Options, options_clear)

/* ---- The account ---- */

static const struct {
    Style style;
    const gchar *words;
} outcomes[] = {
    [IMPORT_TAKEN] = {STYLE_GOOD, "taken"},
    [IMPORT_SAME] = {STYLE_FAINT, "as it is"},
    [IMPORT_CHANGED] = {STYLE_WAITING, "look here"},
    [IMPORT_LOST] = {STYLE_BAD, "no counterpart"},
};

static void
print_source (const ImportNote *note, const ImportNote *before)
{
    g_autofree gchar *text = text_escape (note->text);

    if (*note->file == '\0' ||
        (before != NULL && g_str_equal (before->file, note->file) && before->line == note->line))
        return;

    if (note->line == 0)
        g_print ("%s%s%s\n", note->file, *text != '\0' ? ": " : "", text);
    else
        g_print ("%s:%u: %s\n", note->file, note->line, text);
}

/* @brief: only what somebody has to know of */
static void
print_notes (const Import *import, gboolean brief)
{
    guint counts[G_N_ELEMENTS (outcomes)] = {0};
    const ImportNote *before = NULL;

    for (guint i = 0; i < import->notes->len; i++) {
        const ImportNote *note = g_ptr_array_index (import->notes, i);
        g_autofree gchar *told = text_escape (note->told);

        counts[note->outcome]++;
        if (brief && (note->outcome == IMPORT_TAKEN || note->outcome == IMPORT_SAME))
            continue;

        print_source (note, before);
        g_print ("    %s%s%s: %s\n", style_begin (outcomes[note->outcome].style), outcomes[note->outcome].words,
                 style_end (), told);
        before = note;
    }

    g_print ("%s%u taken, %u as it is anyway, %u to look at, %u without a counterpart.\n%s", brief ? "" : "\n",
             counts[IMPORT_TAKEN], counts[IMPORT_SAME], counts[IMPORT_CHANGED], counts[IMPORT_LOST],
             brief ? "" : "\n");
}

static void
print_plan (const ConfigPlan *plan, const ConfigPlaces *places)
{
    g_autofree gchar *text = config_plan_text (plan);

    g_print ("%s%s%s\n%s\n", style_begin (STYLE_HEADING), places->config, style_end (), text);
    for (guint i = 0; i < config_plan_tables (plan)->len; i++) {
        const ConfigPlanFile *table = g_ptr_array_index (config_plan_tables (plan), i);

        g_print ("%s%s%s\n%s\n", style_begin (STYLE_HEADING), table->name, style_end (), table->text->str);
    }
    g_print ("Nothing was written; --write does.\n");
}

/* ---- Writing ---- */

static ExitCode
check_written (const ConfigPlaces *places)
{
    g_autoptr (GSubprocessLauncher) launcher = g_subprocess_launcher_new (G_SUBPROCESS_FLAGS_NONE);
    g_autofree gchar *config = g_strconcat ("--config=", places->config, NULL);
    g_autofree gchar *credentials = g_strconcat ("--credentials=", places->credentials, NULL);
    const gchar *const arguments[] = {config, credentials, "--offline", NULL};
    g_autoptr (GError) error = NULL;
    g_autoptr (GVariant) report = check_report_run (launcher, arguments, &error);

    if (report == NULL)
        return client_explain (NULL, error);

    check_report_print (report, FALSE);
    return check_report_has_problems (report) ? EXIT_FAILED : EXIT_OK;
}

/* A password that another program had can be typed in; what is left empty is put in by hand, later. */
static void
ask_missed (Import *import)
{
    for (guint i = 0; i < import->missed->len && terminal_is_there (); i++) {
        const gchar *group = g_ptr_array_index (import->missed, i);
        g_autofree gchar *question = g_strdup_printf ("Password of %s at %s (not shown; empty: later)",
                                                      config_plan_get (import->plan, group, "User"),
                                                      config_plan_get (import->plan, group, "Host"));
        gchar *password = terminal_ask_secret (question);

        if (password != NULL && *password != '\0')
            import_set_password (import, group, password);
        terminal_wipe (password);
    }
}

static ExitCode
write_plan (Import *import, const ConfigPlaces *places, const Options *options)
{
    g_autofree gchar *backup = NULL;
    g_autoptr (GError) error = NULL;
    ExitCode code;

    if (config_places_are_taken (places) && !options->force) {
        g_printerr ("postern: %s was left as it is; --force replaces it, and keeps a backup\n", places->config);
        return EXIT_FAILED;
    }

    ask_missed (import);
    if (!config_write (import->plan, places, &backup, &error)) {
        g_printerr ("postern: %s\n", error->message);
        return EXIT_FAILED;
    }

    if (backup != NULL)
        g_print ("The configuration of before is %s now.\n", backup);
    g_print ("Wrote %s.\n", places->config);
    for (guint i = 0; i < config_plan_passwords (import->plan)->len; i++)
        g_print ("Wrote a password to %s/%s; only its owner can read it.\n", places->credentials,
                 ((ConfigPlanFile *) g_ptr_array_index (config_plan_passwords (import->plan), i))->name);

    code = check_written (places);
    if (!options->brief)
        g_print ("Next: “postern check” tries the servers; remove the other mail system; then systemctl enable --now "
                 "postern.socket\n");
    return code;
}

/* ---- What there is ---- */

/* Returns: (nullable) (transfer none): the mail system that is there, if it is one */
static const ImportKind *
detect (const Import *import, gboolean *several)
{
    const ImportKind *found = NULL;

    for (guint i = 0; import_kind_get (i) != NULL; i++) {
        const ImportKind *kind = import_kind_get (i);

        if (!import_has (import, kind->sign))
            continue;
        *several = found != NULL;
        g_print ("There is %s: %s%s\n", kind->name, import->root, kind->file);
        if (*several)
            return NULL;
        found = kind;
    }

    return found;
}

static const ImportKind *
choose (const CommandLine *line, const Import *import)
{
    gboolean several = FALSE;
    const ImportKind *kind;

    if (!g_str_equal (line->words[0], "auto"))
        return import_kind_find (line->words[0]);

    kind = detect (import, &several);
    if (several)
        g_printerr ("postern: there is more than one; say which\n");
    else if (kind == NULL)
        g_printerr ("postern: there is none of the mail systems that can be imported\n");
    return kind;
}

static ExitCode
import_configuration (Import *import, const ImportKind *kind, const Options *options)
{
    g_auto (ConfigPlaces) places = {NULL};
    const gchar *file = options->file != NULL ? options->file : kind->file;

    if (!import_has (import, file)) {
        g_printerr ("postern: there is no %s%s\n", import->root, file);
        return EXIT_FAILED;
    }

    config_places_init (&places, options->config, options->credentials);
    kind->run (import, file);
    print_notes (import, options->brief);
    if (options->write)
        return write_plan (import, &places, options);

    print_plan (import->plan, &places);
    return EXIT_OK;
}

static ExitCode
import_mail (CommandLine *line, const Import *import)
{
    ExitCode code = command_line_connect (line);

    return code == EXIT_OK ? import_queue (line->client, import->root) : code;
}

static ExitCode
run (CommandLine *line, const Options *options)
{
    g_auto (ConfigPlaces) places = {NULL};
    g_autofree gchar *folder = NULL;
    g_autofree gchar *title = NULL;
    g_autoptr (ConfigPlan) plan = NULL;
    g_autoptr (Import) import = NULL;
    const ImportKind *kind;

    config_places_init (&places, options->config, options->credentials);
    folder = config_places_folder (&places);
    title = g_strdup_printf ("The configuration of the Postern mail relay, imported by “postern import %s”",
                             line->words[0]);
    plan = config_plan_new (folder, title);
    import = import_new (options->root, plan);

    kind = choose (line, import);
    if (kind == NULL)
        return EXIT_FAILED;
    if (!options->queue)
        return import_configuration (import, kind, options);
    if (g_str_equal (kind->name, "nullmailer"))
        return import_mail (line, import);

    g_printerr ("postern: the queue of %s cannot be imported; have it send its mail first\n", kind->name);
    return EXIT_FAILED;
}

static ExitCode
check_words (const CommandLine *line, const Options *options)
{
    if (command_line_count_words (line) == 0)
        return command_line_complain (line, "expected nullmailer, msmtp, ssmtp, dma, postfix or auto");
    if (command_line_count_words (line) > 1)
        return command_line_complain (line, "“%s” is one word too many", line->words[1]);
    if (!g_str_equal (line->words[0], "auto") && import_kind_find (line->words[0]) == NULL)
        return command_line_complain (line,
                                      "“%s” cannot be imported; expected nullmailer, msmtp, ssmtp, dma, postfix or "
                                      "auto",
                                      line->words[0]);
    if (options->queue && (options->write || options->file != NULL))
        return command_line_complain (line, "--queue is a step of its own, without --write and --file=");
    if (options->brief && !options->write)
        return command_line_complain (line, "--brief goes with --write");
    if (options->file != NULL && g_str_equal (line->words[0], "auto"))
        return command_line_complain (line, "--file= wants to know which mail system it is of");
    return EXIT_OK;
}

ExitCode
command_import (int argc, char **argv, const gchar *bus)
{
    g_autoptr (CommandLine) line =
        command_line_new ("import", "nullmailer|msmtp|ssmtp|dma|postfix|auto",
                          "Says in our words what another mail system was told, and writes it.", bus);
    g_auto (Options) options = {NULL};
    const GOptionEntry entries[] = {
        {"write", 'w', 0, G_OPTION_ARG_NONE, &options.write, "Write the configuration; else it is only shown", NULL},
        {"queue", 0, 0, G_OPTION_ARG_NONE, &options.queue, "Hand over the mail in nullmailer's queue", NULL},
        {"root", 0, 0, G_OPTION_ARG_FILENAME, &options.root, "Read the files of the system below this folder",
         "FOLDER"},
        {"file", 0, 0, G_OPTION_ARG_FILENAME, &options.file, "Read this in place of the mail system's own file",
         "FILE"},
        {"force", 0, 0, G_OPTION_ARG_NONE, &options.force, "Replace a configuration; it is kept as a backup", NULL},
        {"brief", 'b', 0, G_OPTION_ARG_NONE, &options.brief, "Tell only what was written or needs a look", NULL},
        {"config", 0, 0, G_OPTION_ARG_FILENAME, &options.config, "The file to write", "FILE"},
        {"credentials", 0, 0, G_OPTION_ARG_FILENAME, &options.credentials, "Where passwords go", "FOLDER"},
        {NULL},
    };
    ExitCode code;

    command_line_add (line, entries, FALSE);
    if (!command_line_parse (line, argc, argv))
        return EXIT_USAGE;

    code = check_words (line, &options);
    return code == EXIT_OK ? run (line, &options) : code;
}
