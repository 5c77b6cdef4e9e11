/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * All sessions
 *
 * Owns the sessions and holds their number to the limit. Over it, a client is not left waiting in the backlog, nor is
 * its connection broken: it gets the reply that every SMTP client understands, for the price of one system call.
 */

#include "sessions.h"

#include "log-event.h"
#include "session.h"

#include <gio/gio.h>
#include <glib/gstdio.h>

/* The limit may be hit thousands of times in an hour; the log tells it once in this time. */
#define FULL_LOG_USEC (60 * (gint64) G_USEC_PER_SEC)

struct _Sessions {
    SessionHost host;
    Config *config;
    GQueue list;      /* of Session, by their own links */
    gint64 used_usec; /* monotonic; of sessions_used_usec () */
    gint64 full_usec; /* monotonic; when the log was last told that all are taken */

    void (*ended) (gpointer user_data); /* (nullable) not stopping */
    gpointer user_data;
};

static void
session_ended (Session *session, gpointer user_data)
{
    Sessions *self = user_data;

    self->used_usec = g_get_monotonic_time ();
    g_queue_unlink (&self->list, session_link (session));
    session_free (session);
    if (self->list.length == 0 && self->ended != NULL)
        self->ended (self->user_data);
}

Sessions *
sessions_new (Queue *queue, SmtpPoller *poller, Users *users, Config *config)
{
    Sessions *self = g_new0 (Sessions, 1);

    self->host = (SessionHost){.queue = queue,
                               .poller = poller,
                               .users = users,
                               .peers = peer_finder_new (),
                               .scratch = g_string_new (NULL),
                               .ended = session_ended,
                               .user_data = self};
    self->config = config_ref (config);
    g_queue_init (&self->list);
    return self;
}

void
sessions_free (Sessions *self)
{
    GList *link;

    while ((link = g_queue_pop_head_link (&self->list)) != NULL)
        session_free (link->data);

    g_string_free (self->host.scratch, TRUE);
    peer_finder_free (self->host.peers);
    config_unref (self->config);
    g_free (self);
}

void
sessions_set_config (Sessions *self, Config *config)
{
    config_unref (self->config);
    self->config = config_ref (config);
}

/* A new connection has room for this in its buffer. TLS clients cannot be told anything yet. */
static void
refuse (Sessions *self, ListenKind kind, int fd)
{
    g_autofree gchar *line =
        g_strdup_printf ("421 4.7.0 %s Too many sessions, try again later\r\n", self->config->host_name);
    gint64 now = g_get_monotonic_time ();

    if (kind != LISTEN_SUBMISSIONS)
        (void) send (fd, line, strlen (line), MSG_DONTWAIT | MSG_NOSIGNAL);
    g_close (fd, NULL);

    if (self->full_usec == 0 || now - self->full_usec > FULL_LOG_USEC) {
        self->full_usec = now;
        log_event_sessions_full (self->config->sessions_most);
    }
}

void
sessions_accept (Sessions *self, ListenKind kind, int fd, const struct sockaddr *peer)
{
    g_autoptr (GError) error = NULL;
    Session *session;

    self->used_usec = g_get_monotonic_time ();
    if (self->list.length >= self->config->sessions_most) {
        refuse (self, kind, fd);
        return;
    }

    /* Which the start has complained about. */
    if (kind == LISTEN_SUBMISSIONS && self->config->tls == NULL) {
        g_close (fd, NULL);
        return;
    }

    session = session_new (&self->host, self->config, kind, fd, peer, &error);
    if (session != NULL)
        g_queue_push_tail_link (&self->list, session_link (session));
    else
        g_warning ("a connection cannot be served: %s", error->message);
}

guint
sessions_count (const Sessions *self)
{
    return self->list.length;
}

gint64
sessions_used_usec (const Sessions *self)
{
    return self->used_usec;
}

void
sessions_stop (Sessions *self, void (*ended) (gpointer user_data), gpointer user_data)
{
    GList *next;

    if (self->list.length == 0) {
        ended (user_data);
        return;
    }

    self->ended = ended;
    self->user_data = user_data;
    for (GList *link = self->list.head; link != NULL; link = next) {
        next = link->next;
        session_stop (link->data);
    }
}
