/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Listeners
 *
 * A listener accepts what waits in the kernel's backlog, but only so many at a time: sessions that are already there should
 * not wait while a thousand new ones are greeted. The poller is level-triggered, so the rest comes at the next turn.
 *
 * When descriptors or memory have run out, the connection stays in the backlog, and the socket would be ready again at once,
 * for ever. The listener then rests for a moment: sessions end, and those who wait see a delay instead of a refusal.
 */

#include "listener.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/un.h>

/* Some ten microseconds each: a millisecond for all of them. */
#define ACCEPT_MOST 64

#define REST_SECONDS 1

struct _Listener {
    ListenSocket *socket;
    SmtpPollerWatch *watch;
    ListenerAccepted accepted;
    gpointer user_data;
};

static void
rest (Listener *self)
{
    g_warning (
        "no more connections can be accepted on %s for a moment: %s; raise LimitNOFILE= of the service, or lower "
        "MaxSessions=",
        self->socket->address, g_strerror (errno));
    smtp_poller_watch_set_events (self->watch, 0);
    smtp_poller_watch_set_deadline (self->watch, REST_SECONDS);
}

/* A SmtpPollerExpired */
static void
rested (gpointer user_data)
{
    Listener *self = user_data;

    smtp_poller_watch_set_events (self->watch, EPOLLIN);
}

/* Accepts one connection; FALSE if there is none, or none can be had now. */
static gboolean
accept_one (Listener *self)
{
    struct sockaddr_storage peer;
    socklen_t length = sizeof peer;
    int fd = accept4 (self->socket->fd, (struct sockaddr *) &peer, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd >= 0) {
        self->accepted (self->socket->kind, fd, (const struct sockaddr *) &peer, self->user_data);
        return TRUE;
    }

    if (errno == EAGAIN || errno == EWOULDBLOCK)
        return FALSE;
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        rest (self);
        return FALSE;
    }

    /* The connection failed before it was accepted (accept(2) hands on the network's errors); the next may not. */
    return TRUE;
}

/* A SmtpPollerReady */
static void
ready (guint32 events, gpointer user_data)
{
    Listener *self = user_data;

    for (guint i = 0; i < ACCEPT_MOST; i++)
        if (!accept_one (self))
            return;
}

Listener *
listener_new (SmtpPoller *poller, ListenSocket *socket, ListenerAccepted accepted, gpointer user_data, GError **error)
{
    g_autoptr (Listener) self = g_new0 (Listener, 1);

    self->socket = socket;
    self->accepted = accepted;
    self->user_data = user_data;
    self->watch = smtp_poller_add (poller, socket->fd, EPOLLIN, ready, rested, self, error);
    return self->watch != NULL ? g_steal_pointer (&self) : NULL;
}

void
listener_free (Listener *self)
{
    g_clear_pointer (&self->watch, smtp_poller_watch_remove);
    listen_socket_free (self->socket);
    g_free (self);
}

const ListenSocket *
listener_socket (const Listener *self)
{
    return self->socket;
}
