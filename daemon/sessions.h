/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "config.h"
#include "listen-socket.h"
#include "queue/queue.h"
#include "smtp/poller.h"
#include "users.h"

#include <sys/socket.h>

/*
 * All SMTP sessions: how many there may be, and their common end.
 */

typedef struct _Sessions Sessions;

/* All of @queue, @poller and @users must outlive the sessions. */
Sessions *sessions_new (Queue *queue, SmtpPoller *poller, Users *users, Config *config);

/* Ends those that are left at once. */
void sessions_free (Sessions *sessions);

/* For new sessions; those that are there go on with theirs. */
void sessions_set_config (Sessions *sessions, Config *config);

/**
 * sessions_accept:
 * @fd: (transfer full): a new connection
 *
 * Begins a session; over the limit the client is told to come again (421 4.7.0).
 */
void sessions_accept (Sessions *sessions, ListenKind kind, int fd, const struct sockaddr *peer);

guint sessions_count (const Sessions *sessions);

/* When a connection last came or a session ended. Of the monotonic clock; 0: never. */
gint64 sessions_used_usec (const Sessions *sessions);

/* Tells all clients that the service stops. @ended is called when the last session is over, from here or later. */
void sessions_stop (Sessions *sessions, void (*ended) (gpointer user_data), gpointer user_data);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Sessions, sessions_free)
