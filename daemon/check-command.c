/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * posternd --check
 *
 * A check before there is a relay to ask: at set-up, before a first start, in a script that ships a configuration. It takes
 * the credentials from where systemd takes them, so that whoever may read those, root, sees what the service will see.
 *
 * What is printed is either for people, or the report as it is for `postern check`, which has better words for it.
 */

#include "check-command.h"

#include "check.h"

#include <gio/gio.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#define MAIL_NAME_FILE "/etc/mailname"

typedef struct {
    GMainLoop *loop;
    GVariant *report;
} Run;

static void
done (GVariant *report, gpointer user_data)
{
    Run *run = user_data;

    run->report = g_variant_ref (report);
    g_main_loop_quit (run->loop);
}

static gchar *
credentials_folder (const CheckOptions *options)
{
    g_autofree gchar *folder = NULL;

    if (options->credentials_folder != NULL)
        return g_strdup (options->credentials_folder);
    if (g_getenv ("CREDENTIALS_DIRECTORY") != NULL)
        return g_strdup (g_getenv ("CREDENTIALS_DIRECTORY"));

    folder = g_path_get_dirname (options->config);
    return g_build_filename (folder, "credentials", NULL);
}

static void
print_lines (GVariant *lines, const gchar *kind)
{
    GVariantIter iter;
    const gchar *line;

    g_variant_iter_init (&iter, lines);
    while (g_variant_iter_next (&iter, "&s", &line))
        g_print ("%s: %s\n", kind, line);
}

/* Returns: whether none of them refuses mail */
static gboolean
print_smarthosts (GVariant *rows)
{
    const gchar *name, *host, *fault, *error;
    gboolean good = TRUE;
    GVariantIter iter;
    guint16 port;

    g_variant_iter_init (&iter, rows);
    while (g_variant_iter_next (&iter, "(&s&sq&s&s&s&s&s)", &name, &host, &port, NULL, NULL, &fault, &error, NULL)) {
        if (g_str_equal (fault, ""))
            g_print ("smarthost %s: %s:%u takes mail\n", name, host, port);
        else if (g_str_equal (fault, "untried"))
            g_print ("smarthost %s: %s:%u\n", name, host, port);
        else
            g_print ("smarthost %s: takes no mail: %s\n", name, error);
        good = good && (g_str_equal (fault, "") || g_str_equal (fault, "untried"));
    }

    return good;
}

static void
print_machine (GVariant *report)
{
    g_autofree gchar *text = g_variant_print (report, TRUE);

    puts (text); /* not g_print (), which would suit it to the locale */
}

static int
tell (GVariant *report, gboolean machine)
{
    g_autoptr (GVariant) problems = g_variant_get_child_value (report, 0);
    g_autoptr (GVariant) warnings = g_variant_get_child_value (report, 1);
    g_autoptr (GVariant) rows = g_variant_get_child_value (report, 2);

    if (machine) {
        print_machine (report);
        return EXIT_SUCCESS;
    }

    print_lines (problems, "problem");
    print_lines (warnings, "warning");
    if (g_variant_n_children (problems) > 0)
        return EX_CONFIG;
    if (g_variant_n_children (rows) == 0)
        g_print ("no smarthost is configured; mail is accepted and waits\n");
    return print_smarthosts (rows) && g_variant_n_children (rows) > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int
check_command (const CheckOptions *options)
{
    g_autofree gchar *folder = credentials_folder (options);
    const ConfigSources sources = {.path = options->config,
                                   .may_be_missing = options->config_may_be_missing,
                                   .credentials_folder = folder,
                                   .mail_name_file = MAIL_NAME_FILE};
    g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
    g_autoptr (SmtpPoller) poller = NULL;
    g_autoptr (GVariant) report = NULL;
    g_autoptr (GError) error = NULL;
    Run run = {.loop = loop};

    poller = smtp_poller_new (NULL, &error);
    if (poller == NULL) {
        g_printerr ("posternd: %s\n", error->message);
        return EXIT_FAILURE;
    }

    check_new (poller, &sources, options->connect, options->sender, done, &run);
    g_main_loop_run (loop);
    report = run.report;
    return tell (report, options->machine);
}
