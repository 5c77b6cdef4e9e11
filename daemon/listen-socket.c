/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Listening sockets
 *
 * On a machine with systemd the sockets belong to postern.socket: they are there before the daemon and stay when it is
 * restarted, and the daemon needs no right to open a port. By hand, in tests and in a container, --listen= makes them.
 *
 * A UNIX socket outlives its process as a file that nobody answers behind. It is told from a living one by
 * connecting to it, and only a dead one is replaced: to take a living one away from another program would take its
 * mail.
 */

#include "listen-socket.h"

#include "config-value.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gio/gio.h>
#include <glib-unix.h>
#include <glib/gstdio.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

/* A thousand clients may connect in one moment (a burst of cron jobs): the kernel keeps them until they are accepted. It
 * cuts this to net.core.somaxconn. */
#define BACKLOG_CONNECTIONS 4096

/* Port 465 is TLS from the first byte by definition (RFC 8314 7.3). */
#define PORT_SUBMISSIONS 465

static const gchar *const kind_names[] = {[LISTEN_LOCAL] = "local",
                                          [LISTEN_SMTP] = "smtp",
                                          [LISTEN_SUBMISSION] = "submission",
                                          [LISTEN_SUBMISSIONS] = "submissions"};

typedef union {
    struct sockaddr any;
    struct sockaddr_in ipv4;
    struct sockaddr_in6 ipv6;
    struct sockaddr_un local;
    struct sockaddr_storage storage;
} Address;

const gchar *
listen_kind_name (ListenKind kind)
{
    g_return_val_if_fail (kind < G_N_ELEMENTS (kind_names), NULL);
    return kind_names[kind];
}

static gboolean
find_kind (const gchar *name, ListenKind *kind)
{
    for (guint i = 0; i < G_N_ELEMENTS (kind_names); i++)
        if (g_str_equal (name, kind_names[i])) {
            *kind = (ListenKind) i;
            return TRUE;
        }

    return FALSE;
}

/* An inode's number is used again as soon as its file is gone; together with this it is not. */
static gint64
changed_nsec (const struct stat *status)
{
    return status->st_ctim.tv_sec * (gint64) 1000000000 + status->st_ctim.tv_nsec;
}

void
listen_socket_free (ListenSocket *self)
{
    struct stat status;

    if (self->path != NULL && stat (self->path, &status) == 0 && status.st_ino == self->inode &&
        changed_nsec (&status) == self->changed_nsec)
        g_unlink (self->path);

    if (self->fd >= 0)
        g_close (self->fd, NULL);
    g_free (self->address);
    g_free (self->path);
    g_free (self);
}

/* Takes the descriptor over. */
static ListenSocket *
listen_socket_new (int fd, ListenKind kind)
{
    ListenSocket *self = g_new0 (ListenSocket, 1);

    self->fd = fd;
    self->kind = kind;
    return self;
}

/* ---- Sockets of systemd ---- */

static gchar *
describe (const Address *address, socklen_t length)
{
    gchar text[INET6_ADDRSTRLEN];
    gsize path =
        length > offsetof (struct sockaddr_un, sun_path) ? length - offsetof (struct sockaddr_un, sun_path) : 0;

    switch (address->any.sa_family) {
    case AF_INET:
        inet_ntop (AF_INET, &address->ipv4.sin_addr, text, sizeof text);
        return g_strdup_printf ("%s:%u", text, ntohs (address->ipv4.sin_port));
    case AF_INET6:
        inet_ntop (AF_INET6, &address->ipv6.sin6_addr, text, sizeof text);
        return g_strdup_printf ("[%s]:%u", text, ntohs (address->ipv6.sin6_port));
    default:
        if (path > 0 && address->local.sun_path[0] == '\0')
            return g_strdup_printf ("@%.*s", (int) path - 1, address->local.sun_path + 1);
        return g_strndup (address->local.sun_path, path);
    }
}

/* FileDescriptorName= has one name for all sockets of a unit, so it may leave something to be told from the address. */
static ListenKind
choose_kind (const gchar *name, const Address *address)
{
    guint port = 0;
    ListenKind kind;

    if (address->any.sa_family == AF_UNIX)
        return LISTEN_LOCAL;

    port = ntohs (address->any.sa_family == AF_INET ? address->ipv4.sin_port : address->ipv6.sin6_port);
    if (!find_kind (name, &kind) || kind == LISTEN_LOCAL)
        return LISTEN_SMTP;

    return kind == LISTEN_SUBMISSION && port == PORT_SUBMISSIONS ? LISTEN_SUBMISSIONS : kind;
}

ListenSocket *
listen_socket_adopt (int fd, const gchar *name, GError **error)
{
    g_autoptr (ListenSocket) self = listen_socket_new (fd, LISTEN_LOCAL);
    socklen_t length = sizeof (Address);
    Address address;

    if (sd_is_socket (fd, AF_UNSPEC, SOCK_STREAM, 1) <= 0 || getsockname (fd, &address.any, &length) < 0 ||
        (address.any.sa_family != AF_UNIX && address.any.sa_family != AF_INET && address.any.sa_family != AF_INET6)) {
        g_set_error (
            error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
            "the descriptor “%s” that was passed is no listening stream socket; use ListenStream= in its unit", name);
        return NULL;
    }
    if (!g_unix_set_fd_nonblocking (fd, TRUE, error))
        return NULL;

    self->kind = choose_kind (name, &address);
    self->address = describe (&address, length);
    return g_steal_pointer (&self);
}

GPtrArray *
listen_sockets_inherit (GError **error)
{
    g_autoptr (GPtrArray) sockets = g_ptr_array_new_with_free_func ((GDestroyNotify) listen_socket_free);
    g_auto (GStrv) names = NULL;
    int n = sd_listen_fds_with_names (1, &names);

    if (n < 0) {
        g_set_error (error, G_IO_ERROR, g_io_error_from_errno (-n), "the sockets of systemd cannot be taken over: %s",
                     g_strerror (-n));
        return NULL;
    }

    for (int i = 0; i < n; i++) {
        ListenSocket *socket = listen_socket_adopt (SD_LISTEN_FDS_START + i, names[i], error);

        if (socket == NULL)
            return NULL;
        g_ptr_array_add (sockets, socket);
    }

    return g_steal_pointer (&sockets);
}

/* ---- Sockets of the command line ---- */

static void
set_errno (GError **error, const gchar *place)
{
    const gchar *advice = errno == EADDRINUSE ? "; another program listens there: stop it, or choose another place"
                          : errno == EACCES   ? "; use a socket unit of systemd, or a place that this user may take"
                                              : "";

    g_set_error (error, G_IO_ERROR, g_io_error_from_errno (errno), "cannot listen on %s: %s%s", place,
                 g_strerror (errno), advice);
}

/* Whether there is a socket at @address that has no listener any more. Connecting to a plain file is refused, too. */
static gboolean
is_stale (const Address *address)
{
    struct stat status;
    gboolean stale;
    int fd;

    if (lstat (address->local.sun_path, &status) < 0 || !S_ISSOCK (status.st_mode))
        return FALSE;

    fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return FALSE;

    stale = connect (fd, &address->any, sizeof address->local) < 0 && errno == ECONNREFUSED;
    g_close (fd, NULL);
    return stale;
}

static gboolean
bind_local (int fd, const Address *address)
{
    const gchar *path = address->local.sun_path;

    if (bind (fd, &address->any, sizeof address->local) == 0)
        return TRUE;
    if (errno != EADDRINUSE)
        return FALSE;

    if (!is_stale (address)) {
        errno = EADDRINUSE;
        return FALSE;
    }

    return unlink (path) == 0 && bind (fd, &address->any, sizeof address->local) == 0;
}

static ListenSocket *
listen_local (const gchar *path, GError **error)
{
    int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    g_autoptr (ListenSocket) self = listen_socket_new (fd, LISTEN_LOCAL);
    Address address = {.local.sun_family = AF_UNIX};
    struct stat status;

    if (g_strlcpy (address.local.sun_path, path, sizeof address.local.sun_path) >= sizeof address.local.sun_path) {
        g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                     "the path %s is too long for a socket: at most %u bytes", path,
                     (guint) sizeof address.local.sun_path - 1);
        return NULL;
    }

    /* Everybody may connect: the kernel tells who it is. Nobody can before listen (). */
    if (fd < 0 || !bind_local (fd, &address) || chmod (path, 0666) < 0 || stat (path, &status) < 0 ||
        listen (fd, BACKLOG_CONNECTIONS) < 0) {
        set_errno (error, path);
        return NULL;
    }

    self->address = g_strdup (path);
    self->path = g_strdup (path);
    self->inode = status.st_ino;
    self->changed_nsec = changed_nsec (&status);
    return g_steal_pointer (&self);
}

static ListenSocket *
listen_address (const struct addrinfo *info, ListenKind kind, const gchar *place, GError **error)
{
    int fd = socket (info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    g_autoptr (ListenSocket) self = listen_socket_new (fd, kind);
    socklen_t length = sizeof (Address);
    Address address;
    int yes = 1;

    if (fd < 0 || setsockopt (fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) < 0 ||
        bind (fd, info->ai_addr, info->ai_addrlen) < 0 || listen (fd, BACKLOG_CONNECTIONS) < 0 ||
        getsockname (fd, &address.any, &length) < 0) {
        set_errno (error, place);
        return NULL;
    }

    self->address = describe (&address, length);
    return g_steal_pointer (&self);
}

/* "HOST:PORT" or "[HOST]:PORT" */
static gboolean
split_place (const gchar *place, gchar **host, gchar **port)
{
    const gchar *colon = strrchr (place, ':');
    guint64 number;

    if (colon == NULL || !config_value_number (colon + 1, &number) || number > G_MAXUINT16)
        return FALSE;

    *host = place[0] == '[' && colon > place + 1 && colon[-1] == ']'
                ? g_strndup (place + 1, (gsize) (colon - place) - 2)
                : g_strndup (place, (gsize) (colon - place));
    *port = g_strdup (colon + 1);
    return (*host)[0] != '\0' && strpbrk (*host, "[]") == NULL && (place[0] == '[' || strchr (*host, ':') == NULL);
}

static ListenSocket *
listen_tcp (const gchar *place, ListenKind kind, GError **error)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    g_autofree gchar *host = NULL;
    g_autofree gchar *port = NULL;
    ListenSocket *self;
    int status;

    if (!split_place (place, &host, &port)) {
        g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                     "“%s” is no place to listen: expected HOST:PORT or [IPV6-ADDRESS]:PORT", place);
        return NULL;
    }

    status = getaddrinfo (host, port, &hints, &list);
    if (status != 0) {
        g_set_error (error, G_IO_ERROR, G_IO_ERROR_HOST_NOT_FOUND, "cannot listen on %s: %s", place,
                     gai_strerror (status));
        return NULL;
    }

    self = listen_address (list, kind, place, error);
    freeaddrinfo (list);
    return self;
}

ListenSocket *
listen_socket_bind (const gchar *text, GError **error)
{
    const gchar *colon = strchr (text, ':');
    g_autofree gchar *name = colon != NULL ? g_strndup (text, (gsize) (colon - text)) : NULL;
    ListenKind kind;

    if (name == NULL || colon[1] == '\0' || !find_kind (name, &kind)) {
        g_set_error (
            error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
            "“%s” is no place to listen: expected local:PATH, or smtp, submission or submissions with :HOST:PORT",
            text);
        return NULL;
    }

    return kind == LISTEN_LOCAL ? listen_local (colon + 1, error) : listen_tcp (colon + 1, kind, error);
}
