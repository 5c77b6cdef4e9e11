/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "delivery/settings.h"
#include "queue/queue.h"
#include "smtp/poller.h"

/*
 * The delivery: takes due jobs from the queue's lanes, brings them to the lane's remotes over kept connections,
 * settles the results, and makes the notices that follow from them. It keeps the health of each remote.
 */

typedef struct _Delivery Delivery;

typedef enum {
    DELIVERY_REMOTE_UNKNOWN, /* not tried yet */
    DELIVERY_REMOTE_UP,
    DELIVERY_REMOTE_DOWN /* probed with backoff */
} DeliveryRemoteState;

/* "unknown", "up", "down" */
const gchar *delivery_remote_state_name (DeliveryRemoteState state);

/* A remote as the world sees it. Strings belong to the remote. */
typedef struct {
    const gchar *name; /* the smarthost's name in the configuration */
    const gchar *host;
    guint16 port;
    DeliveryRemoteState state;
    const gchar *error;     /* (nullable) why it is down */
    gint64 since_usec;      /* in this state since */
    gint64 next_probe_usec; /* 0: not down */
    guint connections;      /* open now */
    guint64 delivered;      /* recipients, since the start */
    guint64 deferred;
    guint64 failed;
    guint64 sessions; /* connections opened since the start */
} DeliveryRemoteInfo;

typedef struct {
    /* A remote changed its state. */
    void (*remote) (const DeliveryRemoteInfo *remote, gpointer user_data);

    /* The message was sent to @remote ("host:port"), but something in it is not as it should be: @remark says what, and why. */
    void (*remark) (const QueueMessage *message, const gchar *remote, const gchar *remark, gpointer user_data);

    /* (nullable) A remote that is down was asked again, and stays down. */
    void (*asked) (const DeliveryRemoteInfo *remote, gpointer user_data);

    /* Paused, resumed, restrained or not any more, or the network came or went. */
    void (*changed) (gpointer user_data);
} DeliveryListener;

/**
 * delivery_new:
 * @queue, @poller: must outlive the delivery
 * @settings: (transfer full)
 *
 * @listener: copied
 *
 * Sets the queue's route, and starts when the main loop runs. The queue listener's due must be passed on with
 * delivery_due ().
 *
 * Returns: (transfer full): or %NULL with a SMTP_TLS_ERROR that names a smarthost's trust file
 */
Delivery *delivery_new (Queue *queue, SmtpPoller *poller, DeliverySettings *settings,
                        const DeliveryListener *listener, gpointer user_data, GError **error);

/* Only after delivery_stop (): breaks off what is under way and puts it back. */
void delivery_free (Delivery *delivery);

/* The settings of a reload (transfer full). Deliveries under way go on with what they have. On error the old ones stay. */
gboolean delivery_set_settings (Delivery *delivery, DeliverySettings *settings, GError **error);

/* From the queue's listener; may be called at any time. @lane: (nullable): any */
void delivery_due (Delivery *delivery, const gchar *lane);

/* Takes nothing more; calls @stopped when what is under way has ended, or when @deadline_seconds are over and the rest
 * was put back. */
void delivery_stop (Delivery *delivery, guint deadline_seconds, void (*stopped) (gpointer user_data),
                    gpointer user_data);

void delivery_pause (Delivery *delivery);
void delivery_resume (Delivery *delivery);
gboolean delivery_is_paused (const Delivery *delivery);

/* @reason: (nullable): why only mail goes out that somebody asks for by QUEUE_ACTION_RETRY; other mail shows it. NULL: all
 * goes out. */
void delivery_restrain (Delivery *delivery, const gchar *reason);
gboolean delivery_is_restrained (const Delivery *delivery);

gboolean delivery_is_online (const Delivery *delivery); /* as GNetworkMonitor sees it */

/* Forgets backoff: remotes that are down are probed at once. For a retry that a person asked for. */
void delivery_hurry (Delivery *delivery);

/* The machine was asleep, and all its connections with it: what can be sent anew is, over new ones, and remotes that are
 * down are probed at once. */
void delivery_wake (Delivery *delivery);

/* Returns: (transfer full) (element-type DeliveryRemoteInfo): in order of preference; valid until the loop runs */
GArray *delivery_remotes (Delivery *delivery);

/* @transcript: a line each way, secrets left out; @error NULL if the remote took MAIL. */
typedef void (*DeliveryTested) (const gchar *transcript, const GError *error, gpointer user_data);

/* Opens a session of its own as far as MAIL and RSET. @sender: reverse-path to try, "" for null. FALSE: no such remote. */
gboolean delivery_test (Delivery *delivery, const gchar *name, const gchar *sender, DeliveryTested tested,
                        gpointer user_data);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Delivery, delivery_free)
