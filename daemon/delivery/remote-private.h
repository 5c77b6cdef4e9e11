/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "delivery/connection.h"
#include "delivery/portion.h"
#include "delivery/ramp.h"
#include "delivery/remote.h"

/* What a remote is made of; for remote.c and remote-session.c alone. */

struct _DeliveryRemote {
    gchar *name;
    gchar *host;
    guint16 port;
    gchar *user; /* (nullable) */
    gchar *address;
    const DeliverySmarthost *smarthost;
    const DeliverySettings *settings;
    SmtpTls *tls; /* (nullable) */
    Queue *queue;
    SmtpPoller *poller;
    const DeliveryRemoteEvents *events;
    gpointer user_data;

    DeliveryHealth health;
    DeliveryPortion portion;
    gint64 since_usec; /* of the state, since the epoch */
    gboolean retired;
    GPtrArray *sessions; /* of DeliveryRemoteSession */
    GQueue idle;         /* of DeliveryRemoteSession, the one used last in front */
    guint opening;
    guint quitting;
    gint64 moved_usec; /* when a session last opened, took or completed something; monotonic */
    DeliveryRamp ramp;
    guint64 delivered;
    guint64 deferred;
    guint64 failed;
    guint64 opened;
};

typedef struct {
    DeliveryRemote *remote;
    DeliveryConnection *connection;
    DeliveryAttempt *attempt; /* (nullable) in hand */
    gboolean opened;
    gboolean quitting;
    gboolean outdated;       /* quit as soon as nothing is in hand */
    guint completed;         /* messages carried */
    guint recipients_most;   /* of one transaction, as far as it is known; 0: it is not */
    DeliveryFailure *locked; /* (nullable) it wants a login that we do not have */
} DeliveryRemoteSession;

/* What its connection tells; user_data is the session. */
extern const DeliveryConnectionEvents delivery_remote_session_events;

void delivery_remote_session_free (DeliveryRemoteSession *session);

/* Only one that has nothing in hand. */
void delivery_remote_session_quit (DeliveryRemoteSession *session);

/* How many sessions are open, and not about to be closed. */
guint delivery_remote_established (const DeliveryRemote *self);
