/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * A load of calls of sendmail
 *
 *     sendmail-load [--callers=N] [--calls=N] -- COMMAND [ARGUMENT ...]
 *
 * Runs a command again and again, with a small message as its standard input, N at the same time, and prints how long
 * a call took in the median and how many there were a second. It starts them by posix_spawn(3), which costs some tens of
 * microseconds: a script that forks would be slower than what it measures.
 *
 * A call that fails ends the run: a benchmark of errors is worth nothing.
 */

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static const gchar message[] = "From: sender@example.com\nTo: recipient@example.net\nSubject: load\n\n"
                               "As short as what cron and smartd send, for it is their calls that are many.\n";

typedef struct {
    gchar **command;
    gint64 *started_usec; /* of the calls that run */
    pid_t *pids;          /* 0: none */
    guint callers;
    guint to_start;
    GArray *took_usec;
} Load;

/* A file in memory, so that each call reads from its start. */
static gchar *
make_input (void)
{
    int fd = memfd_create ("message", 0);

    if (fd < 0 || write (fd, message, sizeof message - 1) != sizeof message - 1)
        g_error ("the message: %s", g_strerror (errno));

    return g_strdup_printf ("/proc/%d/fd/%d", (gint) getpid (), fd);
}

static void
start_call (Load *load, guint caller, const posix_spawn_file_actions_t *actions)
{
    int code;

    load->to_start--;
    load->started_usec[caller] = g_get_monotonic_time ();
    code = posix_spawnp (&load->pids[caller], load->command[0], actions, NULL, load->command, environ);
    if (code != 0)
        g_error ("%s: %s", load->command[0], g_strerror (code));
}

/* Waits for any call to end. Returns: which caller's it was */
static guint
end_call (Load *load)
{
    int status;
    pid_t pid = wait (&status);
    gint64 took_usec;

    if (pid < 0 || !WIFEXITED (status) || WEXITSTATUS (status) != 0)
        g_error ("%s failed", load->command[0]);

    for (guint i = 0; i < load->callers; i++)
        if (load->pids[i] == pid) {
            took_usec = g_get_monotonic_time () - load->started_usec[i];
            g_array_append_val (load->took_usec, took_usec);
            load->pids[i] = 0;
            return i;
        }

    g_assert_not_reached ();
}

static void
run (Load *load)
{
    g_autofree gchar *input = make_input ();
    posix_spawn_file_actions_t actions;
    guint running = MIN (load->callers, load->to_start);

    posix_spawn_file_actions_init (&actions);
    posix_spawn_file_actions_addopen (&actions, STDIN_FILENO, input, O_RDONLY, 0);
    for (guint i = 0; i < running; i++)
        start_call (load, i, &actions);
    while (running > 0) {
        guint caller = end_call (load);

        if (load->to_start > 0)
            start_call (load, caller, &actions);
        else
            running--;
    }
    posix_spawn_file_actions_destroy (&actions);
}

static gint
compare_usec (gconstpointer a, gconstpointer b)
{
    gint64 left = *(const gint64 *) a, right = *(const gint64 *) b;

    return (left > right) - (left < right);
}

int
main (int argc, char **argv)
{
    gint callers = 1, calls = 100;
    g_auto (GStrv) command = NULL;
    GOptionEntry options[] = {{"callers", 'c', 0, G_OPTION_ARG_INT, &callers, "at the same time", "N"},
                              {"calls", 'n', 0, G_OPTION_ARG_INT, &calls, "in all", "N"},
                              {G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_STRING_ARRAY, &command, NULL, "COMMAND"},
                              {NULL}};
    g_autoptr (GOptionContext) context = g_option_context_new (NULL);
    g_autoptr (GError) error = NULL;
    Load load = {0};
    gint64 start, usec;

    g_option_context_add_main_entries (context, options, NULL);
    if (!g_option_context_parse (context, &argc, &argv, &error) || command == NULL || callers <= 0 || calls <= 0)
        g_error ("%s", error != NULL ? error->message : "a command is needed; --callers and --calls are positive");

    load.command = command;
    load.callers = (guint) callers;
    load.to_start = (guint) calls;
    load.started_usec = g_new0 (gint64, load.callers);
    load.pids = g_new0 (pid_t, load.callers);
    load.took_usec = g_array_new (FALSE, FALSE, sizeof (gint64));

    start = g_get_monotonic_time ();
    run (&load);
    usec = g_get_monotonic_time () - start;

    g_array_sort (load.took_usec, compare_usec);
    g_print ("%d calls, median %.3f ms, %.0f per second\n", calls,
             (gdouble) g_array_index (load.took_usec, gint64, load.took_usec->len / 2) / 1e3,
             (gdouble) calls * 1e6 / (gdouble) usec);
    g_array_unref (load.took_usec);
    g_free (load.started_usec);
    g_free (load.pids);
    return 0;
}
