/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Credentials
 *
 * Secrets are never values of the configuration: they are files, handed over by systemd (LoadCredential=) or named by
 * their path, so that the configuration may be read by everybody. What is read here goes to the protocol engine alone.
 * No error quotes it, nor the name it was asked for by: a name may be a password that somebody wrote into the wrong place.
 */

#include "credential.h"

#include "message/text-start.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Passwords are short; some providers' tokens (OAuth 2) have a few kilobytes. */
#define SECRET_LONGEST_BYTES 8192

/* LoadCredential=postern:/etc/postern/credentials in the unit hands over each file in there as "postern_NAME". */
#define FOLDER_CREDENTIAL "postern"

G_DEFINE_QUARK (postern_credential_error, credential_error)

/* Reads up to @size bytes; -1 with errno. */
static gssize
read_all (int fd, gchar *buffer, gsize size)
{
    gsize got = 0;

    while (got < size) {
        gssize n = read (fd, buffer + got, size - got);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        got += (gsize) n;
    }

    return (gssize) got;
}

static int
open_secret (const gchar *path, gboolean *exposed, GError **error)
{
    struct stat status;
    int fd = open (path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

    if (fd < 0 || fstat (fd, &status) < 0) {
        g_set_error (error, CREDENTIAL_ERROR, CREDENTIAL_ERROR_READ, "%s", g_strerror (errno));
        if (fd >= 0)
            g_close (fd, NULL);
        return -1;
    }

    *exposed = (status.st_mode & S_IROTH) != 0;
    return fd;
}

/* The secret of @length bytes at @text without its line end. */
static gchar *
take_line (const gchar *text, gsize length, GError **error)
{
    if (length > SECRET_LONGEST_BYTES) {
        g_set_error (error, CREDENTIAL_ERROR, CREDENTIAL_ERROR_CONTENT, "it is longer than %d bytes",
                     SECRET_LONGEST_BYTES);
        return NULL;
    }

    if (!message_text_start (&text, &length, error))
        return NULL;
    if (length > 0 && text[length - 1] == '\n')
        length--;
    if (length > 0 && text[length - 1] == '\r')
        length--;

    if (length == 0 || memchr (text, '\n', length) != NULL || memchr (text, '\0', length) != NULL) {
        g_set_error (error, CREDENTIAL_ERROR, CREDENTIAL_ERROR_CONTENT, "it is %s; expected a password in one line",
                     length == 0 ? "empty" : "more than one line of text");
        return NULL;
    }

    return g_strndup (text, length);
}

gchar *
credential_read_file (const gchar *path, gboolean *exposed, GError **error)
{
    gchar buffer[SECRET_LONGEST_BYTES + 1];
    gchar *secret;
    gssize length;
    int fd;

    if (!g_path_is_absolute (path)) {
        g_set_error (error, CREDENTIAL_ERROR, CREDENTIAL_ERROR_NAME, "expected the absolute path of a file");
        return NULL;
    }

    fd = open_secret (path, exposed, error);
    if (fd < 0)
        return NULL;

    length = read_all (fd, buffer, sizeof buffer);
    if (length < 0)
        g_set_error (error, CREDENTIAL_ERROR, CREDENTIAL_ERROR_READ, "%s", g_strerror (errno));
    g_close (fd, NULL);

    secret = length >= 0 ? take_line (buffer, (gsize) length, error) : NULL;
    explicit_bzero (buffer, sizeof buffer);
    return secret;
}

gchar *
credential_read (const gchar *folder, const gchar *name, GError **error)
{
    g_autofree gchar *path = NULL;
    g_autofree gchar *of_folder = NULL;
    gboolean exposed;

    if (name[0] == '\0' || name[0] == '.' || strchr (name, '/') != NULL) {
        g_set_error (error, CREDENTIAL_ERROR, CREDENTIAL_ERROR_NAME, "expected the name of a credential, not a path");
        return NULL;
    }
    if (folder == NULL) {
        g_set_error (error, CREDENTIAL_ERROR, CREDENTIAL_ERROR_READ,
                     "the service manager passed no credentials; add LoadCredential= to postern.service, or use "
                     "PasswordFile= instead");
        return NULL;
    }

    path = g_build_filename (folder, name, NULL);
    of_folder = g_strconcat (folder, "/" FOLDER_CREDENTIAL "_", name, NULL);
    return credential_read_file (access (path, F_OK) != 0 && access (of_folder, F_OK) == 0 ? of_folder : path,
                                 &exposed, error);
}
