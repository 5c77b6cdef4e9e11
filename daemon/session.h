/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "budget.h"
#include "config.h"
#include "listen-socket.h"
#include "queue/queue.h"
#include "refusals.h"
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
    Refusals *refusals;
    GString *scratch; /* for what is to be sent; empty between uses */

    /* The session is over; free it. */
    void (*ended) (Session *session, gpointer user_data);
    gpointer user_data;
} SessionHost;

/* Who is at the other end. */
typedef struct {
    ListenKind kind;
    int fd;                      /* connected, non-blocking; (transfer full) */
    const struct sockaddr *peer; /* its address */
    gint64 uid;                  /* its user; -1 if not known */
    BudgetShare *share;          /* what the session was taken from; (transfer full) */
} SessionClient;

/**
 * session_new:
 *
 * Returns: (transfer full): or %NULL with an error; what was handed over is given back then too
 */
Session *session_new (const SessionHost *host, Config *config, const SessionClient *client, GError **error);

/* Tells the client that the service stops (421 4.3.2); ended follows, now or once a message being committed is answered. */
void session_stop (Session *session);

/* Closes at once. A message that is being committed is queued nevertheless. */
void session_free (Session *session);

/* A place in the owner's list. */
GList *session_link (Session *session);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Session, session_free)
