/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * sendmail
 *
 * The command that programs on Unix have sent mail by since before there was SMTP. This one has no queue and no
 * privileges: it hands the message to the relay over a socket, waits until it is safe there, and says by its exit
 * status (sysexits(3)) what came of it. Exit status 0 means that the relay has the message on disk; anything else
 * means that it was told no such thing, and the line on standard error says why and what to do.
 *
 * `mailq` and `newaliases` are this program under other names. The queue is shown and tried again by `postern`,
 * which is found beside this program or where it was installed. There is no database of aliases to build; the alias
 * file is checked by the daemon's program, which knows how it is read. Where that is not installed, as in a container that
 * has only the socket, there are no aliases to check, and newaliases succeeds as programs expect that call it.
 *
 * The program starts in a fraction of a millisecond, because cron, web applications and monitors start it for every
 * message: it links nothing but GLib's core, and that statically where there is a static library of it.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/sendmail-error.h"
#include "cli/sendmail-options.h"
#include "cli/sendmail-pump.h"
#include "cli/sendmail-submit.h"

/* Where the relay listens, if the environment does not name another place. */
#define DEFAULT_SOCKET_PATH "/run/postern/submit"

static const gchar *
socket_path (void)
{
    const gchar *path = g_getenv ("POSTERN_SOCKET");

    return path != NULL && *path != '\0' ? path : DEFAULT_SOCKET_PATH;
}

/* The folder that this program is in, so that a build tree is complete in itself. */
static gchar *
own_folder (void)
{
    g_autofree gchar *program = g_file_read_link ("/proc/self/exe", NULL);

    return program != NULL ? g_path_get_dirname (program) : NULL;
}

/* The program @relative to this one, or else where it was installed. */
static gchar *
find_program (const gchar *relative, const gchar *installed)
{
    g_autofree gchar *folder = own_folder ();
    g_autofree gchar *beside = folder != NULL ? g_build_filename (folder, relative, NULL) : NULL;

    if (beside != NULL && access (beside, X_OK) == 0)
        return g_steal_pointer (&beside);

    return g_strdup (installed);
}

/* Becomes `postern`; returns only if that fails. */
static gboolean
become_postern (const gchar *subcommand, const gchar *option, GError **error)
{
    g_autofree gchar *postern = find_program ("postern", POSTERN_BINDIR "/postern");

    signal (SIGPIPE, SIG_DFL);
    execl (postern, "postern", subcommand, option, NULL);
    g_set_error (error, SENDMAIL_ERROR, EX_UNAVAILABLE, "%s could not be started: %s", postern, g_strerror (errno));
    return FALSE;
}

/* Becomes `posternd --check-aliases`; returns if there is none, or if that fails. */
static gboolean
check_aliases (const SendmailOptions *options, GError **error)
{
    g_autofree gchar *daemon = find_program ("../daemon/posternd", POSTERN_LIBEXECDIR "/posternd");
    g_autoptr (GPtrArray) arguments = g_ptr_array_new_with_free_func (g_free);

    g_ptr_array_add (arguments, g_strdup ("posternd"));
    g_ptr_array_add (arguments, g_strdup ("--check-aliases"));
    if (options->configuration != NULL)
        g_ptr_array_add (arguments, g_strconcat ("--config=", options->configuration, NULL));
    if (options->alias_file != NULL)
        g_ptr_array_add (arguments, g_strconcat ("--aliases=", options->alias_file, NULL));
    g_ptr_array_add (arguments, NULL);

    if (access (daemon, X_OK) != 0)
        return TRUE;

    signal (SIGPIPE, SIG_DFL);
    execv (daemon, (gchar **) arguments->pdata);
    g_set_error (error, SENDMAIL_ERROR, EX_UNAVAILABLE, "%s could not be started: %s", daemon, g_strerror (errno));
    return FALSE;
}

static const gchar usage[] = "Usage: sendmail [OPTION…] [RECIPIENT…] < MESSAGE\n"
                             "Hands a message to the mail relay. If it exits with 0 the message is safe there.\n"
                             "\n"
                             "  -t          take recipients from the header, too\n"
                             "  -f SENDER   the envelope's sender\n"
                             "  -F NAME     the name in a From: that is added\n"
                             "  -i          a dot alone on a line does not end the message\n"
                             "  -v          tell what happens\n"
                             "  -bs         speak SMTP on standard input and output\n"
                             "  -bp         list the queue, as mailq does\n"
                             "  -q          try what is in the queue again\n"
                             "  -bi         check the alias file, as newaliases does\n"
                             "  --help, --version\n"
                             "\n"
                             "There are more in sendmail(1). What became of mail is told by postern.\n";

static gboolean
run (const SendmailOptions *options, GError **error)
{
    switch (options->mode) {
    case SENDMAIL_MODE_SUBMIT:
        return sendmail_submit (options, socket_path (), error);
    case SENDMAIL_MODE_SMTP:
        return sendmail_pump (socket_path (), STDIN_FILENO, STDOUT_FILENO, error);
    case SENDMAIL_MODE_LIST:
        return become_postern ("mailq", NULL, error);
    case SENDMAIL_MODE_RETRY:
        return become_postern ("retry", options->selection != NULL ? options->selection : "--all", error);
    case SENDMAIL_MODE_ALIASES:
        return check_aliases (options, error);
    case SENDMAIL_MODE_HELP:
        fputs (usage, stdout);
        return TRUE;
    case SENDMAIL_MODE_VERSION:
        puts ("sendmail of Postern " POSTERN_VERSION);
        return TRUE;
    }

    g_return_val_if_reached (FALSE);
}

static gboolean
reads_input (const SendmailOptions *options)
{
    return options->mode == SENDMAIL_MODE_SUBMIT || options->mode == SENDMAIL_MODE_SMTP;
}

/* An empty message is one that somebody sent; no standard input at all is a mistake. */
static gboolean
check_input (const SendmailOptions *options, GError **error)
{
    if (!reads_input (options) || fcntl (STDIN_FILENO, F_GETFD) >= 0)
        return TRUE;

    g_set_error (error, SENDMAIL_ERROR, EX_NOINPUT, "standard input is closed; nothing was sent");
    return FALSE;
}

/* A standard descriptor that is closed would be given to the socket, and what is meant for the one go to the other. */
static gboolean
fill_descriptors (GError **error)
{
    for (gint fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl (fd, F_GETFD) < 0 && open ("/dev/null", fd == STDIN_FILENO ? O_RDONLY : O_WRONLY) != fd) {
            g_set_error (error, SENDMAIL_ERROR, EX_OSERR, "/dev/null cannot be opened: %s", g_strerror (errno));
            return FALSE;
        }

    return TRUE;
}

gint
main (gint argc, gchar **argv)
{
    g_autoptr (GError) error = NULL;
    g_autoptr (SendmailOptions) options = sendmail_options_parse (argc, argv, &error);

    /* Whoever reads our output may be gone before us; that must not stop a message on its way. */
    signal (SIGPIPE, SIG_IGN);

    if (options != NULL && check_input (options, &error) && fill_descriptors (&error) && run (options, &error))
        return EX_OK;

    if (options == NULL || !options->quiet)
        fprintf (stderr, "sendmail: %s\n", error->message);
    return error->code;
}
