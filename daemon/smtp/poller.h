/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/*
 * One epoll descriptor behind one GSource. GMainContext polls every descriptor it knows at each turn of the loop;
 * with thousands of sessions that is all it would do. Channels and listeners register here instead. Deadlines are
 * kept here too; the loop wakes up for them only when one may be due.
 */

typedef struct _SmtpPoller SmtpPoller;
typedef struct _SmtpPollerWatch SmtpPollerWatch;

/* @events: EPOLLIN, EPOLLOUT, EPOLLHUP, EPOLLERR as they came; 0 after smtp_poller_watch_wake (). The callback may
 * remove its own or any other watch. */
typedef void (*SmtpPollerReady) (guint32 events, gpointer user_data);

/* The watch's deadline has passed; it is cleared before the call. */
typedef void (*SmtpPollerExpired) (gpointer user_data);

SmtpPoller *smtp_poller_new (GMainContext *context, GError **error);
SmtpPoller *smtp_poller_ref (SmtpPoller *poller);
void smtp_poller_unref (SmtpPoller *poller);

/**
 * smtp_poller_buffer:
 * @size: (out): how large it is, bytes
 *
 * A buffer that all watches share, so that an idle one needs none of its own. What is in it holds only during one
 * call of a #SmtpPollerReady.
 */
gchar *smtp_poller_buffer (SmtpPoller *poller, gsize *size);

/**
 * smtp_poller_add:
 * @fd: stays the caller's; must be removed before it is closed
 * @events: EPOLLIN and EPOLLOUT, level-triggered; 0 to be told nothing for now
 * @expired: (nullable): for smtp_poller_watch_set_deadline ()
 *
 * Returns: (transfer full): release with smtp_poller_watch_remove (). It keeps the poller alive.
 */
SmtpPollerWatch *smtp_poller_add (SmtpPoller *poller, int fd, guint32 events, SmtpPollerReady ready,
                                  SmtpPollerExpired expired, gpointer user_data, GError **error);

/* 0: nothing is reported, not even EPOLLHUP and EPOLLERR, which otherwise always are. */
void smtp_poller_watch_set_events (SmtpPollerWatch *watch, guint32 events);

/* Calls ready once with no events before the loop waits again, after everything that is ready now was served. */
void smtp_poller_watch_wake (SmtpPollerWatch *watch);

/* @seconds from now, to within a second and never early; 0 for none. */
void smtp_poller_watch_set_deadline (SmtpPollerWatch *watch, guint seconds);
void smtp_poller_watch_remove (SmtpPollerWatch *watch);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (SmtpPoller, smtp_poller_unref)
