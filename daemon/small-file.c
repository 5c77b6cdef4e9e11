/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Small files
 *
 * What an administrator writes (aliases, tables) is small, and is read where it is needed. The one who reads must not wait
 * for a writer at the other end of a pipe, nor fill the memory from a device that somebody named by mistake.
 */

#include "small-file.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "message/text-start.h"

static void
set_error (GError **error, gint reason)
{
    g_set_error_literal (error, G_IO_ERROR, g_io_error_from_errno (reason), g_strerror (reason));
}

static gchar *
read_all (int fd, gsize most_bytes, gsize *length, GError **error)
{
    g_autoptr (GString) text = g_string_new (NULL);
    gchar piece[65536];
    gssize n;

    while ((n = read (fd, piece, sizeof piece)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            set_error (error, errno);
            return NULL;
        }
        if ((gsize) n > most_bytes - text->len) {
            g_set_error (error, G_IO_ERROR, G_IO_ERROR_NO_SPACE,
                         "it has more than the %" G_GSIZE_FORMAT " bytes that are read", most_bytes);
            return NULL;
        }
        g_string_append_len (text, piece, n);
    }

    *length = text->len;
    return g_string_free (g_steal_pointer (&text), FALSE);
}

/* Takes @text over; returns it from where it really begins. */
static gchar *
take_start (gchar *text, gsize *length, GError **error)
{
    const gchar *start = text;

    if (!message_text_start (&start, length, error)) {
        g_free (text);
        return NULL;
    }

    memmove (text, start, *length + 1);
    return text;
}

gchar *
small_file_read (const gchar *path, gsize most_bytes, struct stat *status, gsize *length, GError **error)
{
    int fd = open (path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    struct stat own;
    gchar *text = NULL;

    if (fd < 0 || fstat (fd, &own) < 0) {
        set_error (error, errno);
    } else {
        if (status != NULL)
            *status = own;
        if (S_ISREG (own.st_mode))
            text = read_all (fd, most_bytes, length, error);
        else
            g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_NOT_REGULAR_FILE, "it is not a regular file");
    }

    if (fd >= 0)
        g_close (fd, NULL);
    return text != NULL ? take_start (text, length, error) : NULL;
}
