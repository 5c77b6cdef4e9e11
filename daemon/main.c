/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * posternd
 *
 * Reads the command line, makes the relay, and runs the main loop until a signal ends it: SIGTERM and SIGINT stop in good order
 * (a second one at once), SIGHUP reads the configuration anew. What goes wrong at the start is told in one line, and by
 * the exit status of sysexits(3): 64 for the command line, 1 for everything else. A bad configuration does not keep it from
 * starting; a check of one ends with 78. 75 asks the service manager for another start: mail came while the relay was
 * falling asleep.
 */

#include "alias-check.h"
#include "check-command.h"
#include "config.h"
#include "footprint.h"
#include "log-event.h"
#include "log.h"
#include "message/address.h"
#include "output/output.h"
#include "relay.h"
#include "reload-command.h"
#include "service.h"
#include "store-command.h"

#include <gio/gio.h>
#include <glib-unix.h>
#include <signal.h>
#include <stdlib.h>
#include <sysexits.h>

typedef struct {
    gchar *config;
    gchar *state_directory;
    gchar *bus;
    gchar **listen;
    gchar *credentials;
    gchar *sender;
    gboolean check;
    gboolean offline;
    gboolean machine;
    gchar *aliases;
    gboolean check_aliases;
    gboolean verify;
    gchar *salvage;
    gboolean reload;
    gboolean version;
} Arguments;

typedef struct {
    GMainLoop *loop;
    Relay *relay;
    gboolean is_stopping;
    gboolean is_asleep;
} Program;

static void
arguments_clear (Arguments *arguments)
{
    g_free (arguments->config);
    g_free (arguments->state_directory);
    g_free (arguments->bus);
    g_free (arguments->aliases);
    g_strfreev (arguments->listen);
    g_free (arguments->credentials);
    g_free (arguments->sender);
    g_free (arguments->salvage);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Arguments, arguments_clear)

static gboolean
parse_arguments (Arguments *arguments, int *argc, char ***argv, GError **error)
{
    const GOptionEntry entries[] = {
        {"config", 0, 0, G_OPTION_ARG_FILENAME, &arguments->config,
         "The configuration; drop-ins are in FILE.d (default: " POSTERN_SYSCONFDIR "/postern.conf)", "FILE"},
        {"state-directory", 0, 0, G_OPTION_ARG_FILENAME, &arguments->state_directory,
         "Where the queue is kept (default: $STATE_DIRECTORY, else " POSTERN_STATEDIR ")", "DIR"},
        {"bus", 0, 0, G_OPTION_ARG_STRING, &arguments->bus,
         "The message bus: system, session, none, or an address (default: system)", "BUS"},
        {"listen", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &arguments->listen,
         "Listen on local:PATH or smtp:HOST:PORT, beside the sockets of systemd; may be repeated", "PLACE"},
        {"check", 0, 0, G_OPTION_ARG_NONE, &arguments->check,
         "Read the configuration, try the smarthosts, tell what is wrong, and end", NULL},
        {"offline", 0, 0, G_OPTION_ARG_NONE, &arguments->offline, "With --check: try no smarthost", NULL},
        {"sender", 0, 0, G_OPTION_ARG_STRING, &arguments->sender,
         "With --check: the sender to offer; else the user, if that is an address, else the null one", "ADDRESS"},
        {"credentials", 0, 0, G_OPTION_ARG_FILENAME, &arguments->credentials,
         "With --check: where passwords are (default: $CREDENTIALS_DIRECTORY, else credentials/ beside FILE)", "DIR"},
        {"machine", 0, 0, G_OPTION_ARG_NONE, &arguments->machine, "With --check: print the report for programs",
         NULL},
        {"check-aliases", 0, 0, G_OPTION_ARG_NONE, &arguments->check_aliases,
         "Read the alias file that the configuration names, report on it, and end", NULL},
        {"aliases", 0, 0, G_OPTION_ARG_FILENAME, &arguments->aliases, "With --check-aliases: this file", "FILE"},
        {"verify", 0, 0, G_OPTION_ARG_NONE, &arguments->verify,
         "Read all of the queue, which no relay may have open, tell what is damaged, and end", NULL},
        {"salvage", 0, 0, G_OPTION_ARG_FILENAME, &arguments->salvage,
         "Write all mail of the queue that can be read into a new state directory, and end", "DIR"},
        {"reload", 0, 0, G_OPTION_ARG_NONE, &arguments->reload,
         "Have the relay that runs on the bus read its configuration anew, and end; fails if that is bad", NULL},
        {"version", 0, 0, G_OPTION_ARG_NONE, &arguments->version, "Print the version", NULL},
        G_OPTION_ENTRY_NULL};
    g_autoptr (GOptionContext) context = g_option_context_new (NULL);

    g_option_context_add_main_entries (context, entries, NULL);
    g_option_context_set_summary (context, "Postern's daemon: takes mail in, keeps it safe, and passes it on to a "
                                           "smarthost.");
    if (!g_option_context_parse (context, argc, argv, error))
        return FALSE;

    if (*argc > 1) {
        g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_UNKNOWN_OPTION, "unexpected argument %s", (*argv)[1]);
        return FALSE;
    }
    if (!arguments->check &&
        (arguments->offline || arguments->sender || arguments->credentials || arguments->machine)) {
        g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                     "--offline, --sender=, --credentials= and --machine go with --check only");
        return FALSE;
    }

    return TRUE;
}

/* A relay on the session bus is a user's own, and what it has by default is in the user's folders. */
static gboolean
is_users_own (const Arguments *arguments)
{
    return g_strcmp0 (arguments->bus, "session") == 0;
}

static gchar *
default_configuration (const Arguments *arguments)
{
    if (is_users_own (arguments))
        return g_build_filename (g_get_user_config_dir (), "postern", "postern.conf", NULL);

    return g_strdup (POSTERN_SYSCONFDIR "/postern.conf");
}

/* systemd passes several state directories with colons between them; ours is the first. */
static gchar *
default_state_directory (const Arguments *arguments)
{
    const gchar *directories = g_getenv ("STATE_DIRECTORY");
    g_autofree gchar *own = NULL;

    if (directories != NULL && directories[0] != '\0')
        return g_strndup (directories, strcspn (directories, ":"));
    if (!is_users_own (arguments))
        return g_strdup (POSTERN_STATEDIR);

    /* Nobody else makes it. That it cannot be made is told by what opens it. */
    own = g_build_filename (g_get_user_state_dir (), "postern", NULL);
    g_mkdir_with_parents (own, 0700);
    return g_steal_pointer (&own);
}

static int
check (const Arguments *arguments)
{
    gboolean is_default = arguments->config == NULL;
    g_autofree gchar *sender = NULL;
    g_autoptr (GError) error = NULL;

    if (arguments->sender != NULL && *arguments->sender != '\0')
        sender = message_address_parse (arguments->sender, MESSAGE_PATH_UTF8, &error);
    if (error != NULL) {
        g_printerr ("posternd: the sender is no address: %s\n", error->message);
        return EX_USAGE;
    }

    return check_command (
        &(CheckOptions){.config = is_default ? POSTERN_SYSCONFDIR "/postern.conf" : arguments->config,
                        .config_may_be_missing = is_default,
                        .credentials_folder = arguments->credentials,
                        .sender = sender != NULL ? sender : "",
                        .connect = !arguments->offline,
                        .machine = arguments->machine});
}

static RelayOptions
make_options (Arguments *arguments)
{
    gboolean is_default = arguments->config == NULL;

    if (is_default)
        arguments->config = default_configuration (arguments);
    if (arguments->state_directory == NULL)
        arguments->state_directory = default_state_directory (arguments);

    return (RelayOptions){.config = arguments->config,
                          .config_may_be_missing = is_default,
                          .state_directory = arguments->state_directory,
                          .bus = arguments->bus != NULL ? arguments->bus : "system",
                          .listen = (const gchar *const *) arguments->listen};
}

static void
stopped (gpointer user_data)
{
    Program *program = user_data;

    g_main_loop_quit (program->loop);
}

/* SIGTERM or SIGINT */
static gboolean
asked_to_stop (gpointer user_data)
{
    Program *program = user_data;

    if (program->is_stopping) {
        g_main_loop_quit (program->loop);
        return G_SOURCE_CONTINUE;
    }

    program->is_stopping = TRUE;
    relay_stop (program->relay, stopped, program);
    return G_SOURCE_CONTINUE;
}

/* There is nothing to do. */
static void
asleep (gpointer user_data)
{
    Program *program = user_data;

    if (program->is_stopping)
        return;

    program->is_stopping = TRUE;
    program->is_asleep = TRUE;
    relay_stop (program->relay, stopped, program);
}

/* SIGHUP */
static gboolean
asked_to_reload (gpointer user_data)
{
    Program *program = user_data;

    if (!program->is_stopping)
        relay_reload (program->relay, NULL);
    return G_SOURCE_CONTINUE;
}

static int
complain (const GError *error)
{
    log_event_not_started (error);
    service_failed (error->message, "mend that, then: systemctl restart postern");
    return g_error_matches (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT) ? EX_USAGE : EXIT_FAILURE;
}

static int
run (Arguments *arguments)
{
    RelayOptions options = make_options (arguments);
    g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
    g_autoptr (GError) error = NULL;
    Program program = {.loop = loop};
    int status;

    /* Before the first client can know of us: a signal that comes during the start is served right after it. */
    g_unix_signal_add (SIGTERM, asked_to_stop, &program);
    g_unix_signal_add (SIGINT, asked_to_stop, &program);
    g_unix_signal_add (SIGHUP, asked_to_reload, &program);

    options.asleep = asleep;
    options.user_data = &program;
    program.relay = relay_new (&options, &error);
    if (program.relay == NULL)
        return complain (error);

    footprint_shrink_later ();
    g_main_loop_run (loop);
    status = program.is_asleep && relay_has_mail (program.relay) ? EX_TEMPFAIL : EXIT_SUCCESS;
    relay_free (program.relay);
    return status;
}

static int
check_aliases (Arguments *arguments)
{
    RelayOptions options = make_options (arguments);

    if (arguments->aliases != NULL)
        return alias_check_file (arguments->aliases);

    return alias_check (&(ConfigSources){.path = options.config, .may_be_missing = options.config_may_be_missing});
}

static int
look_after_store (Arguments *arguments)
{
    RelayOptions options = make_options (arguments);

    if (arguments->salvage != NULL)
        return store_command_salvage (options.state_directory, arguments->salvage);

    return store_command_verify (options.state_directory);
}

int
main (int argc, char **argv)
{
    g_auto (Arguments) arguments = {NULL};
    g_autoptr (GError) error = NULL;

    output_install ();
    if (!parse_arguments (&arguments, &argc, &argv, &error)) {
        g_printerr ("posternd: %s; try posternd --help\n", error->message);
        return EX_USAGE;
    }
    if (arguments.version) {
        g_print ("posternd %s\n", POSTERN_VERSION);
        return EXIT_SUCCESS;
    }
    if (arguments.check_aliases)
        return check_aliases (&arguments);

    log_install ();
    signal (SIGPIPE, SIG_IGN);
    if (arguments.check)
        return check (&arguments);
    if (arguments.reload)
        return reload_command (arguments.bus != NULL ? arguments.bus : "system");
    if (arguments.verify || arguments.salvage != NULL)
        return look_after_store (&arguments);

    return run (&arguments);
}
