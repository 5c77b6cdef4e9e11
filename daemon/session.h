/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "config.h"
#include "listen-socket.h"
#include "peer.h"
#include "queue/queue.h"
#include "smtp/poller.h"
#include "users.h"

#include <sys/socket.h>

/*
 * One SMTP session: a connection with the protocol engine behind it, whose messages go to the queue.
 */

typedef struct _Session Session;

/* What all sessions share. It must outlive them. */
typedef struct {
    Queue *queue;
    SmtpPoller *poller;
    Users *users;
    PeerFinder *peers;
    GString *scratch; /* for what is to be sent; empty between uses */

    /* The session is over; free it. */
    void (*ended) (Session *session, gpointer user_data);
    gpointer user_data;
} SessionHost;

/**
 * session_new:
 * @fd: (transfer full): connected, non-blocking
 * @peer: the client's address
 *
 * Returns: (transfer full): or %NULL with an error
 */
Session *session_new (const SessionHost *host, Config *config, ListenKind kind, int fd, const struct sockaddr *peer,
                      GError **error);

/* Tells the client that the service stops (421 4.3.2); ended follows, now or once a message being committed is answered. */
void session_stop (Session *session);

/* Closes at once. A message that is being committed is queued nevertheless. */
void session_free (Session *session);

/* A place in the owner's list. */
GList *session_link (Session *session);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Session, session_free)
