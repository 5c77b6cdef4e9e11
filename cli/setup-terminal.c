/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The terminal
 *
 * What is typed is read byte by byte from the descriptor and never through stdio: a buffer of the C library would keep a
 * copy of a password that nobody wipes.
 *
 * While a password is typed the terminal does not show it. Signals that would end or stop the program in between are
 * held back and taken from a descriptor, so that the terminal is put right before they have their effect.
 */

#include "cli/setup-terminal.h"

#include "message/text-start.h"

#include <errno.h>
#include <gio/gio.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "output/output.h"

/* Longer than any answer, and than any password that the relay would read. */
#define LINE_LONGEST_BYTES 8192

static const int held_signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};

typedef enum { READ_LINE, READ_END, READ_FAILED, READ_SIGNAL } ReadOutcome;

gboolean
terminal_is_there (void)
{
    return isatty (STDIN_FILENO) && isatty (STDOUT_FILENO);
}

void
terminal_wipe (gchar *secret)
{
    if (secret != NULL)
        explicit_bzero (secret, strlen (secret));
    g_free (secret);
}

/* Waits for input; signals come first. */
static ReadOutcome
wait_for_input (int fd, int signals)
{
    struct pollfd polled[] = {{.fd = signals, .events = POLLIN}, {.fd = fd, .events = POLLIN}};

    while (poll (polled, G_N_ELEMENTS (polled), -1) < 0)
        if (errno != EINTR)
            return READ_FAILED;

    return (polled[0].revents & POLLIN) != 0 ? READ_SIGNAL : READ_LINE;
}

/* Reads a line of at most LINE_LONGEST_BYTES to @line, which has room for one more. @signals: -1 for none. */
static ReadOutcome
read_line (int fd, int signals, gchar *line)
{
    gsize length = 0;

    for (;;) {
        ReadOutcome outcome = signals >= 0 ? wait_for_input (fd, signals) : READ_LINE;
        gssize n;
        gchar c;

        if (outcome != READ_LINE)
            return outcome;
        n = read (fd, &c, 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return READ_FAILED;
        if ((n == 0 && length > 0) || (n == 1 && c == '\n')) {
            line[length] = '\0';
            return READ_LINE;
        }
        if (n == 0)
            return READ_END;
        if (length == LINE_LONGEST_BYTES) {
            errno = EMSGSIZE;
            return READ_FAILED;
        }
        line[length++] = c;
    }
}

gchar *
terminal_ask (const gchar *question, const gchar *fallback)
{
    gchar line[LINE_LONGEST_BYTES + 1];

    if (fallback != NULL)
        g_print ("%s [%s]: ", question, fallback);
    else
        g_print ("%s: ", question);

    if (read_line (STDIN_FILENO, -1, line) != READ_LINE) {
        g_print ("\n");
        return NULL;
    }

    output_answered ();
    g_strstrip (line);
    return g_strdup (*line == '\0' && fallback != NULL ? fallback : line);
}

gboolean
terminal_confirm (const gchar *question, gboolean fallback)
{
    for (;;) {
        g_autofree gchar *answer = terminal_ask (question, fallback ? "yes" : "no");

        if (answer == NULL)
            return fallback;
        if (g_ascii_strcasecmp (answer, "yes") == 0 || g_ascii_strcasecmp (answer, "y") == 0)
            return TRUE;
        if (g_ascii_strcasecmp (answer, "no") == 0 || g_ascii_strcasecmp (answer, "n") == 0)
            return FALSE;
        g_print ("Please answer yes or no.\n");
    }
}

/* ---- A sign of life ---- */

struct _TerminalWait {
    GThread *thread; /* (nullable) without a terminal */
    GMutex mutex;
    GCond cond;
    gboolean over;
};

static gpointer
print_dots (gpointer data)
{
    TerminalWait *wait = data;
    gint64 next_usec = g_get_monotonic_time ();

    g_mutex_lock (&wait->mutex);
    while (!wait->over) {
        next_usec += G_USEC_PER_SEC;
        if (!g_cond_wait_until (&wait->cond, &wait->mutex, next_usec) && !wait->over)
            g_print (".");
    }
    g_mutex_unlock (&wait->mutex);
    return NULL;
}

TerminalWait *
terminal_wait_new (const gchar *what)
{
    TerminalWait *wait = g_new0 (TerminalWait, 1);

    g_mutex_init (&wait->mutex);
    g_cond_init (&wait->cond);
    if (terminal_is_there ()) {
        g_print ("%s …", what);
        wait->thread = g_thread_new ("dots", print_dots, wait);
    } else {
        g_print ("%s …\n", what);
    }
    return wait;
}

void
terminal_wait_free (TerminalWait *wait)
{
    if (wait->thread != NULL) {
        g_mutex_lock (&wait->mutex);
        wait->over = TRUE;
        g_cond_signal (&wait->cond);
        g_mutex_unlock (&wait->mutex);
        g_thread_join (wait->thread);
        g_print ("\n");
    }
    g_mutex_clear (&wait->mutex);
    g_cond_clear (&wait->cond);
    g_free (wait);
}

/* ---- Passwords ---- */

static int
open_signals (sigset_t *before)
{
    sigset_t set;

    sigemptyset (&set);
    for (guint i = 0; i < G_N_ELEMENTS (held_signals); i++)
        sigaddset (&set, held_signals[i]);
    sigprocmask (SIG_BLOCK, &set, before);
    return signalfd (-1, &set, SFD_CLOEXEC);
}

static int
take_signal (int signals)
{
    struct signalfd_siginfo info;

    return read (signals, &info, sizeof info) == (gssize) sizeof info ? (int) info.ssi_signo : 0;
}

/* One attempt at a line that is not shown. @signal: the one that came in between, 0 for none. The question comes when the
 * terminal is ready for the answer: who types or pastes fast would see it, or lose it. */
static ReadOutcome
read_hidden (const gchar *question, gchar *line, int *signal)
{
    struct termios shown, hidden;
    ReadOutcome outcome;
    sigset_t before;
    int signals;

    *signal = 0;
    if (tcgetattr (STDIN_FILENO, &shown) < 0)
        return READ_FAILED;

    signals = open_signals (&before);
    hidden = shown;
    hidden.c_lflag &= ~(tcflag_t) ECHO;
    hidden.c_lflag |= ECHONL;
    tcsetattr (STDIN_FILENO, TCSAFLUSH, &hidden);
    g_print ("%s: ", question);
    outcome = read_line (STDIN_FILENO, signals, line);
    if (outcome == READ_SIGNAL)
        *signal = take_signal (signals);

    /* Half a password is nothing for the shell to read. */
    tcsetattr (STDIN_FILENO, outcome == READ_LINE ? TCSADRAIN : TCSAFLUSH, &shown);

    close (signals);
    sigprocmask (SIG_SETMASK, &before, NULL);
    return outcome;
}

gchar *
terminal_ask_secret (const gchar *question)
{
    gchar line[LINE_LONGEST_BYTES + 1];
    gchar *secret = NULL;
    ReadOutcome outcome;
    int signal;

    do {
        outcome = read_hidden (question, line, &signal);
        if (signal != 0)
            raise (signal); /* returns if it only stopped us */
    } while (outcome == READ_SIGNAL);

    output_answered ();
    if (outcome == READ_LINE)
        secret = g_strdup (line);
    explicit_bzero (line, sizeof line);
    return secret;
}

gchar *
terminal_read_secret (int fd, GError **error)
{
    gchar line[LINE_LONGEST_BYTES + 1];
    const gchar *start = line;
    gchar *secret = NULL;
    ReadOutcome outcome = read_line (fd, -1, line);
    gsize length = outcome == READ_LINE ? strlen (line) : 0;
    g_autoptr (GError) encoding = NULL;

    if (length > 0 && line[length - 1] == '\r')
        line[--length] = '\0';
    if (!message_text_start (&start, &length, &encoding))
        g_propagate_error (error, g_steal_pointer (&encoding));
    else if (length > 0)
        secret = g_strdup (start);
    else if (outcome == READ_FAILED)
        g_set_error (error, G_IO_ERROR, g_io_error_from_errno (errno), "%s", g_strerror (errno));
    else
        g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "it is empty");

    explicit_bzero (line, sizeof line);
    return secret;
}
