/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The bare limit
 *
 * What the disk allows when nothing else is done: clients that each wait for their message to be safe, and one
 * writer that appends what they all have waiting with one write and syncs it with one fdatasync. No relay that keeps
 * its promise can be faster on this file with this number of clients.
 */

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <string.h>
#include <unistd.h>

int
main (int argc, char **argv)
{
    gint clients = 1, messages = 1000, size = 4096;
    g_autofree gchar *path = NULL;
    GOptionEntry options[] = {
        {"file", 'f', 0, G_OPTION_ARG_FILENAME, &path, "to append to; removed at the end", "PATH"},
        {"clients", 'c', 0, G_OPTION_ARG_INT, &clients, "that wait at the same time", "N"},
        {"messages", 'm', 0, G_OPTION_ARG_INT, &messages, "in all", "N"},
        {"size", 'l', 0, G_OPTION_ARG_INT, &size, "of a message", "BYTES"},
        {NULL}};
    g_autoptr (GOptionContext) context = g_option_context_new (NULL);
    g_autoptr (GError) error = NULL;
    g_autofree gchar *batch = NULL;
    gint64 start, usec;
    int fd;

    g_option_context_add_main_entries (context, options, NULL);
    if (!g_option_context_parse (context, &argc, &argv, &error) || path == NULL || clients <= 0 || messages <= 0)
        g_error ("%s", error != NULL ? error->message : "--file is needed, --clients and --messages are positive");

    fd = open (path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0)
        g_error ("%s: %s", path, g_strerror (errno));
    batch = g_malloc ((gsize) size * (gsize) clients);
    memset (batch, 'x', (gsize) size * (gsize) clients);

    start = g_get_monotonic_time ();
    for (gint done = 0; done < messages;) {
        gint waiting = MIN (clients, messages - done);
        gsize bytes = (gsize) size * (gsize) waiting;

        if (write (fd, batch, bytes) != (gssize) bytes || fdatasync (fd) < 0)
            g_error ("%s: %s", path, g_strerror (errno));
        done += waiting;
    }
    usec = g_get_monotonic_time () - start;

    close (fd);
    unlink (path);
    g_print ("%d messages %.3f s %.0f per second\n", messages, (gdouble) usec / 1e6,
             (gdouble) messages * 1e6 / (gdouble) usec);
    return 0;
}
