/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The mail in nullmailer's queue
 *
 * A file a message: a line with the sender, which is empty for a notification, a line for each recipient, an empty line,
 * and the message. It goes to the relay by the bus, and is removed only when the relay has answered, which it does when
 * the message is on disk. Should this end in between, a message is in both queues at worst, and in neither never.
 *
 * While nullmailer runs it would send the same mail, so it has to be stopped first. What it has given up, in the folder
 * "failed", stays there: its senders have been told.
 */

#include "cli/import-queue.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/postern-text.h"

#define QUEUE_FOLDER  "/var/spool/nullmailer/queue"
#define FAILED_FOLDER "/var/spool/nullmailer/failed"

typedef enum {
    HANDED_OVER,
    KEPT,    /* for what it is */
    NO_RELAY /* the others would fare no better */
} Outcome;

typedef struct {
    gchar *sender;
    GPtrArray *recipients; /* of gchar, ended by %NULL */
    off_t content;         /* where it starts */
} Envelope;

static void
envelope_clear (Envelope *envelope)
{
    g_free (envelope->sender);
    g_ptr_array_unref (envelope->recipients);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Envelope, envelope_clear)

static gboolean
is_sender_running (void)
{
    g_autoptr (GDir) processes = g_dir_open ("/proc", 0, NULL);
    const gchar *name;

    while (processes != NULL && (name = g_dir_read_name (processes)) != NULL) {
        g_autofree gchar *path = g_build_filename ("/proc", name, "comm", NULL);
        g_autofree gchar *command = NULL;

        if (g_ascii_isdigit (*name) && g_file_get_contents (path, &command, NULL, NULL) &&
            g_str_equal (g_strchomp (command), "nullmailer-send"))
            return TRUE;
    }

    return FALSE;
}

/* Returns: whether there was a line that can be an address on the bus; without its end */
static gboolean
read_line (FILE *file, gchar **line, gsize *size)
{
    gssize length = getline (line, size, file);

    if (length <= 0 || !g_utf8_validate (*line, length, NULL))
        return FALSE;
    if ((*line)[length - 1] == '\n')
        (*line)[length - 1] = '\0';
    return TRUE;
}

static gboolean
read_envelope (FILE *file, Envelope *envelope)
{
    gchar *line = NULL;
    gsize size = 0;
    gboolean ended = FALSE;

    envelope->recipients = g_ptr_array_new_with_free_func (g_free);
    if (read_line (file, &line, &size))
        envelope->sender = g_strdup (line);
    while (!ended && read_line (file, &line, &size)) {
        ended = *line == '\0';
        if (!ended)
            g_ptr_array_add (envelope->recipients, g_strdup (line));
    }
    free (line);

    envelope->content = ftello (file);
    if (envelope->sender == NULL || !ended || envelope->recipients->len == 0)
        return FALSE;
    g_ptr_array_add (envelope->recipients, NULL);
    return TRUE;
}

/* Takes @fd. Returns: (transfer full): the id that the relay gave it; or %NULL */
static gchar *
submit (const Client *client, int fd, const Envelope *envelope, GError **error)
{
    g_autoptr (GUnixFDList) fds = g_unix_fd_list_new_from_array (&fd, 1);
    g_autoptr (GVariant) reply = g_dbus_connection_call_with_unix_fd_list_sync (
        client->connection, RELAY_NAME, RELAY_MANAGER_PATH, RELAY_MANAGER_INTERFACE, "SubmitMessage",
        g_variant_new ("(hs^asa{sv})", 0, envelope->sender, (gchar **) envelope->recipients->pdata, NULL),
        G_VARIANT_TYPE ("(s)"), G_DBUS_CALL_FLAGS_NONE, G_MAXINT, fds, NULL, NULL, error);
    gchar *id = NULL;

    if (reply != NULL)
        g_variant_get (reply, "(s)", &id);
    return id;
}

/* A descriptor of its own, at the start of the content. */
static int
open_content (const gchar *path, const Envelope *envelope)
{
    int fd = open (path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    if (fd >= 0 && lseek (fd, envelope->content, SEEK_SET) < 0) {
        close (fd);
        return -1;
    }

    return fd;
}

static Outcome
complain (const gchar *name, const gchar *why)
{
    g_autofree gchar *escaped = text_escape (why);

    g_printerr ("postern: %s stays where it is: %s\n", name, escaped);
    return KEPT;
}

/* What the relay itself says is about this message; what the bus says is about the relay. */
static Outcome
explain (const Client *client, const gchar *name, const GError *error)
{
    g_autoptr (GError) stripped = g_error_copy (error);

    if (!client_error_is_the_relays (error)) {
        client_explain (client, error);
        return NO_RELAY;
    }

    g_dbus_error_strip_remote_error (stripped);
    return complain (name, stripped->message);
}

static Outcome
hand_over_open (const Client *client, const gchar *path, const gchar *name, FILE *file)
{
    g_auto (Envelope) envelope = {NULL};
    g_autoptr (GError) error = NULL;
    g_autofree gchar *shown = NULL;
    g_autofree gchar *id = NULL;
    int fd;

    if (!read_envelope (file, &envelope))
        return complain (name, "it is no message of nullmailer's");

    fd = open_content (path, &envelope);
    if (fd < 0)
        return complain (name, g_strerror (errno));

    id = submit (client, fd, &envelope, &error);
    if (id == NULL)
        return explain (client, name, error);
    if (g_unlink (path) < 0) {
        g_printerr ("postern: %s is in both queues now, since it cannot be removed: %s\n", name, g_strerror (errno));
        return KEPT;
    }

    shown = text_escape (envelope.sender);
    g_print ("%s is %s now, from <%s>, %u recipient%s\n", name, id, shown, envelope.recipients->len - 1,
             envelope.recipients->len == 2 ? "" : "s");
    return HANDED_OVER;
}

static Outcome
hand_over (const Client *client, const gchar *folder, const gchar *name)
{
    g_autofree gchar *path = g_build_filename (folder, name, NULL);
    FILE *file;
    Outcome outcome;

    if (!g_file_test (path, G_FILE_TEST_IS_REGULAR) || g_file_test (path, G_FILE_TEST_IS_SYMLINK))
        return complain (name, "it is no file");

    file = fopen (path, "re");
    if (file == NULL)
        return complain (name, g_strerror (errno));

    outcome = hand_over_open (client, path, name, file);
    fclose (file);
    return outcome;
}

static gint
compare_names (gconstpointer a, gconstpointer b)
{
    return strcmp (*(const gchar *const *) a, *(const gchar *const *) b);
}

/* The names in @folder begin with the time, so that this is the order of arrival. */
static GPtrArray *
list_folder (const gchar *folder)
{
    g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
    g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
    const gchar *name;

    while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
        g_ptr_array_add (names, g_strdup (name));
    g_ptr_array_sort (names, compare_names);
    return g_steal_pointer (&names);
}

ExitCode
import_queue (const Client *client, const gchar *root)
{
    g_autofree gchar *folder = g_strconcat (root, QUEUE_FOLDER, NULL);
    g_autofree gchar *failed_folder = g_strconcat (root, FAILED_FOLDER, NULL);
    g_autoptr (GPtrArray) names = list_folder (folder);
    g_autoptr (GPtrArray) failed = list_folder (failed_folder);
    Outcome outcome = KEPT;
    guint handed = 0;

    if (*root == '\0' && is_sender_running ()) {
        g_printerr (
            "postern: nullmailer runs, and would send the same mail; stop it first: systemctl stop nullmailer\n");
        return EXIT_FAILED;
    }

    for (guint i = 0; i < names->len && outcome != NO_RELAY; i++) {
        outcome = hand_over (client, folder, g_ptr_array_index (names, i));
        if (outcome == HANDED_OVER)
            handed++;
    }

    g_print ("%u of %u message%s in %s handed over.\n", handed, names->len, names->len == 1 ? "" : "s", folder);
    if (failed->len > 0)
        g_print ("%u that nullmailer gave up stay%s in %s.\n", failed->len, failed->len == 1 ? "s" : "",
                 failed_folder);
    if (outcome == NO_RELAY)
        return EXIT_NOT_REACHABLE;
    return handed == names->len ? EXIT_OK : EXIT_FAILED;
}
