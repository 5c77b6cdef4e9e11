/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/*
 * Listening sockets: those that systemd passes, and those of the command line.
 */

typedef enum {
    LISTEN_LOCAL,      /* a UNIX socket, whose clients are known by their user */
    LISTEN_SMTP,       /* TCP */
    LISTEN_SUBMISSION, /* TCP, RFC 6409 */
    LISTEN_SUBMISSIONS /* TCP with TLS from the first byte, RFC 8314 3.3 */
} ListenKind;

/* "local", "smtp", "submission", "submissions": the words of FileDescriptorName= and --listen=. */
const gchar *listen_kind_name (ListenKind kind);

typedef struct {
    int fd; /* non-blocking, close-on-exec */
    ListenKind kind;
    gchar *address; /* "127.0.0.1:25", "[::1]:25", or a path */
    gchar *path;    /* (nullable) of a UNIX socket that was made here, and is removed again */
    guint64 inode;  /* by these two it is known that @path is still that socket */
    gint64 changed_nsec;
} ListenSocket;

/**
 * listen_socket_bind:
 * @text: "local:PATH" or "KIND:HOST:PORT"; an IPv6 address stands in brackets, port 0 picks a free one
 *
 * A UNIX socket that nobody listens on any more is replaced. Everybody may connect to the new one.
 *
 * Returns: (transfer full): or %NULL with a GIOError that quotes @text and says what to do;
 *   %G_IO_ERROR_INVALID_ARGUMENT if @text is not understood
 */
ListenSocket *listen_socket_bind (const gchar *text, GError **error);

/**
 * listen_socket_adopt:
 * @fd: (transfer full): a socket that somebody else made
 * @name: its FileDescriptorName=; one that is no kind leaves the kind to the address family
 *
 * Returns: (transfer full): or %NULL with a GIOError if it is no listening stream socket
 */
ListenSocket *listen_socket_adopt (int fd, const gchar *name, GError **error);

/* Returns: (transfer full): (element-type ListenSocket): all that systemd passed, or %NULL with an error */
GPtrArray *listen_sockets_inherit (GError **error);

void listen_socket_free (ListenSocket *socket);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ListenSocket, listen_socket_free)
