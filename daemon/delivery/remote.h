/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "delivery/attempt.h"
#include "delivery/delivery.h"
#include "delivery/health.h"
#include "smtp/tls.h"

/* One smarthost: its health, its sessions, its counters. */

typedef struct _DeliveryRemote DeliveryRemote;

/* None is called from within delivery_remote_open () or delivery_remote_start (). None may free the remote. */
typedef struct {
    /* A session can take a message, or there is place for another session. Returns: whether messages are on their way to
     * it that are being read from the disk yet: then it has not kept up, even if a session has nothing to do now. */
    gboolean (*available) (DeliveryRemote *remote, gpointer user_data);

    /* The attempt is over: its answers say how. */
    void (*finished) (DeliveryRemote *remote, DeliveryAttempt *attempt, gpointer user_data);

    /* The attempt was not made, for no fault of the message: it is for another session, or another remote. */
    void (*returned) (DeliveryRemote *remote, DeliveryAttempt *attempt, gpointer user_data);

    /* It went up or down, or is down for another reason or longer. */
    void (*changed) (DeliveryRemote *remote, gboolean state, gpointer user_data);
} DeliveryRemoteEvents;

/**
 * delivery_remote_new:
 * @tls: (nullable): only with SMTP_SECURITY_NONE
 * @smarthost, @settings: must outlive the remote, or be replaced
 * @queue, @poller, @events: must outlive the remote
 */
DeliveryRemote *delivery_remote_new (Queue *queue, SmtpPoller *poller, SmtpTls *tls,
                                     const DeliverySmarthost *smarthost, const DeliverySettings *settings,
                                     const DeliveryRemoteEvents *events, gpointer user_data);

/* Only once it has no sessions. */
void delivery_remote_free (DeliveryRemote *remote);

/* Whether @smarthost is the same place with the same login. */
gboolean delivery_remote_is_same (const DeliveryRemote *remote, const DeliverySmarthost *smarthost);

/* New settings for the same remote. Sessions end after what they have in hand; if it is down, it may be probed at
 * once, because somebody has just changed something. */
void delivery_remote_set (DeliveryRemote *remote, SmtpTls *tls, const DeliverySmarthost *smarthost,
                          const DeliverySettings *settings);

/* Opens no more sessions and ends those it has after what they have in hand. */
void delivery_remote_retire (DeliveryRemote *remote);

/* Breaks off all sessions; attempts in hand are finished with what answers they have. */
void delivery_remote_break (DeliveryRemote *remote);

const gchar *delivery_remote_host (const DeliveryRemote *remote);

/* "host:port" */
const gchar *delivery_remote_address (const DeliveryRemote *remote);

/* Its part where several share a lane. */
guint delivery_remote_weight (const DeliveryRemote *remote);

guint delivery_remote_sessions (const DeliveryRemote *remote);
gboolean delivery_remote_is_down (const DeliveryRemote *remote);

/* Messages that could go to it now: over idle sessions, those being opened, and those that may be opened. 0: it is
 * down. */
guint delivery_remote_room (DeliveryRemote *remote, gint64 now_usec);

/* Sessions that are being opened. */
guint delivery_remote_opening (const DeliveryRemote *remote);

/* Opens one more session, if there may be one: of a remote that is down, if it is time for a probe. */
gboolean delivery_remote_open (DeliveryRemote *remote, gint64 now_usec);

/* Gives @attempt to an idle session; FALSE if there is none. It comes back by finished or returned. */
gboolean delivery_remote_start (DeliveryRemote *remote, DeliveryAttempt *attempt);

/* Since when it has taken, completed or opened nothing although all its sessions are in use; G_MAXINT64: it has
 * room. Monotonic. */
gint64 delivery_remote_stalled_since (DeliveryRemote *remote, gint64 now_usec);

/* When time alone will let delivery_remote_open () work; G_MAXINT64: it will not. Monotonic. */
gint64 delivery_remote_wakes (const DeliveryRemote *remote, gint64 now_usec);

/* See delivery_health_hurry (). */
void delivery_remote_hurry (DeliveryRemote *remote, gboolean login, gint64 now_usec);

/* The other ends of all sessions may be gone without a word: those are given up that lose nothing by it, and what they had
 * in hand is returned. */
void delivery_remote_wake (DeliveryRemote *remote);

/* (nullable) The last failure: why it is down. */
const DeliveryFailure *delivery_remote_failure (const DeliveryRemote *remote);

/* Counts what became of the recipients of a judged attempt. */
void delivery_remote_count (DeliveryRemote *remote, const DeliveryAttempt *attempt);

void delivery_remote_describe (const DeliveryRemote *remote, DeliveryRemoteInfo *info);
