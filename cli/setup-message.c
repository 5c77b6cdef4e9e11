/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The test message
 *
 * It takes the way that all mail takes, so that a person sees the whole chain at work: in by the bus, out by the
 * smarthost. Signals tell what becomes of it. They are asked for before the message is handed in, and kept until its id
 * is known, because the smarthost may be quicker than the answer.
 */

#include "cli/setup-message.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cli/postern-style.h"
#include "cli/postern-text.h"

/* A provider that greylists or scans takes seconds; who waits here wants to go on. */
#define OUTCOME_SECONDS 60

typedef struct {
    gchar *id;          /* (nullable) until the relay has told it */
    GPtrArray *signals; /* of Signal, in their order */
    GMainLoop *loop;
} Watch;

typedef struct {
    gchar *name;
    GVariant *arguments;
} Signal;

static void
signal_free (Signal *signal)
{
    g_free (signal->name);
    g_variant_unref (signal->arguments);
    g_free (signal);
}

static const gchar *
text_at (GVariant *arguments, guint index)
{
    g_autoptr (GVariant) value =
        index < g_variant_n_children (arguments) ? g_variant_get_child_value (arguments, index) : NULL;

    return value != NULL && g_variant_is_of_type (value, G_VARIANT_TYPE_STRING) ? g_variant_get_string (value, NULL)
                                                                                : "";
}

static gboolean
is_outcome (const gchar *name)
{
    static const gchar *const names[] = {"MessageDelivered",
                                         "MessageDeferred",
                                         "MessageBounced",
                                         "MessageExpired",
                                         "MessageHeld",
                                         "MessageDeleted",
                                         NULL};

    return g_strv_contains (names, name);
}

/* Returns: (nullable) (transfer none): what became of the message, once it is known */
static const Signal *
find_outcome (const Watch *watch)
{
    for (guint i = 0; i < watch->signals->len && watch->id != NULL; i++) {
        const Signal *signal = g_ptr_array_index (watch->signals, i);

        if (is_outcome (signal->name) && g_str_equal (text_at (signal->arguments, 0), watch->id))
            return signal;
    }

    return NULL;
}

static void
on_signal (GDBusConnection *connection, const gchar *sender, const gchar *path, const gchar *interface,
           const gchar *name, GVariant *arguments, gpointer user_data)
{
    Watch *watch = user_data;
    Signal *signal = g_new0 (Signal, 1);

    signal->name = g_strdup (name);
    signal->arguments = g_variant_ref (arguments);
    g_ptr_array_add (watch->signals, signal);
    if (find_outcome (watch) != NULL)
        g_main_loop_quit (watch->loop);
}

static gboolean
on_late (gpointer user_data)
{
    Watch *watch = user_data;

    g_main_loop_quit (watch->loop);
    return G_SOURCE_CONTINUE;
}

/* ---- Handing it in ---- */

static gchar *
compose (const gchar *sender, const gchar *recipient)
{
    return g_strdup_printf (
        "From: <%s>\nTo: <%s>\nSubject: A test of this machine's mail\n\n"
        "This is a test. Mail from “%s” gets as far as you.\n\n"
        "“postern list” there shows what still waits, and “journalctl -u postern” what was sent.\n",
        sender, recipient, g_get_host_name ());
}

static int
open_message (const gchar *sender, const gchar *recipient, GError **error)
{
    g_autofree gchar *text = compose (sender, recipient);
    gsize length = strlen (text);
    int fd = memfd_create ("postern-test-message", MFD_CLOEXEC);

    if (fd < 0 || write (fd, text, length) != (gssize) length || lseek (fd, 0, SEEK_SET) < 0) {
        g_set_error (error, G_IO_ERROR, g_io_error_from_errno (errno), "the message cannot be written: %s",
                     g_strerror (errno));
        if (fd >= 0)
            close (fd);
        return -1;
    }

    return fd;
}

static gchar *
submit (const Client *client, const gchar *sender, const gchar *recipient, GError **error)
{
    const gchar *const recipients[] = {recipient, NULL};
    g_autoptr (GUnixFDList) fds = NULL;
    g_autoptr (GVariant) reply = NULL;
    gchar *id = NULL;
    int fd = open_message (sender, recipient, error);

    if (fd < 0)
        return NULL;

    fds = g_unix_fd_list_new_from_array (&fd, 1);
    reply = g_dbus_connection_call_with_unix_fd_list_sync (
        client->connection, RELAY_NAME, RELAY_MANAGER_PATH, RELAY_MANAGER_INTERFACE, "SubmitMessage",
        g_variant_new ("(hs^asa{sv})", 0, sender, recipients, NULL), G_VARIANT_TYPE ("(s)"), G_DBUS_CALL_FLAGS_NONE,
        -1, fds, NULL, NULL, error);
    if (reply != NULL)
        g_variant_get (reply, "(s)", &id);
    return id;
}

/* ---- What became of it ---- */

/* Arguments of the signals that tell of a recipient: id, time, recipient, remote, status, reply. */
static ExitCode
tell_outcome (const Watch *watch, const Signal *signal)
{
    g_autofree gchar *remote = signal != NULL ? text_escape (text_at (signal->arguments, 3)) : NULL;
    g_autofree gchar *reply = signal != NULL ? text_escape (text_at (signal->arguments, 5)) : NULL;

    if (signal == NULL) {
        g_print ("It is still under way after %d seconds; “postern show %s” tells more.\n", OUTCOME_SECONDS,
                 watch->id);
        return EXIT_FAILED;
    }
    if (g_str_equal (signal->name, "MessageDelivered")) {
        g_print ("%sIt has gone out%s: the smarthost %s says: %s\n", style_begin (STYLE_GOOD), style_end (), remote,
                 reply);
        return EXIT_OK;
    }
    if (g_str_equal (signal->name, "MessageDeferred"))
        g_print ("%sIt waits%s, and is tried again: %s\n", style_begin (STYLE_WAITING), style_end (), reply);
    else if (g_str_equal (signal->name, "MessageHeld") || g_str_equal (signal->name, "MessageDeleted"))
        g_print ("It was held or deleted by somebody.\n");
    else
        g_print ("%sIt was refused%s: %s\n", style_begin (STYLE_BAD), style_end (), reply);
    return EXIT_FAILED;
}

static ExitCode
watch_message (const Client *client, const gchar *sender, const gchar *recipient, Watch *watch)
{
    g_autoptr (GVariant) subscribed =
        client_call_manager (client, "Subscribe", g_variant_new ("(a{sv})", NULL), "(b)", NULL);
    g_autoptr (GError) error = NULL;
    guint timer;

    watch->id = submit (client, sender, recipient, &error);
    if (watch->id == NULL)
        return client_explain (client, error);

    g_print ("Sent a test message to %s; its id is %s.\n", recipient, watch->id);
    if (subscribed == NULL) {
        g_print ("“postern show %s” tells what becomes of it.\n", watch->id);
        return EXIT_OK;
    }

    timer = g_timeout_add_seconds (OUTCOME_SECONDS, on_late, watch);
    if (find_outcome (watch) == NULL)
        g_main_loop_run (watch->loop);
    g_source_remove (timer);
    return tell_outcome (watch, find_outcome (watch));
}

ExitCode
setup_send_message (const Client *client, const gchar *sender, const gchar *recipient)
{
    g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
    Watch watch = {.loop = loop, .signals = g_ptr_array_new_with_free_func ((GDestroyNotify) signal_free)};
    guint subscription = g_dbus_connection_signal_subscribe (client->connection, RELAY_NAME, RELAY_MANAGER_INTERFACE,
                                                             NULL, RELAY_MANAGER_PATH, NULL, G_DBUS_SIGNAL_FLAGS_NONE,
                                                             on_signal, &watch, NULL);
    ExitCode code = watch_message (client, sender, recipient, &watch);

    g_dbus_connection_signal_unsubscribe (client->connection, subscription);
    g_ptr_array_unref (watch.signals);
    g_free (watch.id);
    return code;
}
