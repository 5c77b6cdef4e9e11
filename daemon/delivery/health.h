/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "delivery/delivery.h"
#include "delivery/failure.h"

/* The first probe of a remote that went down, and what the time between probes grows to. Most outages are a
 * restart; and mail must not wait long after the end of a long one. */
#define DELIVERY_HEALTH_PROBE_FIRST_SECONDS   5
#define DELIVERY_HEALTH_PROBE_LONGEST_SECONDS (5 * 60)

/* The same after a refused login: providers lock accounts that keep trying. */
#define DELIVERY_HEALTH_LOGIN_FIRST_SECONDS   (5 * 60)
#define DELIVERY_HEALTH_LOGIN_LONGEST_SECONDS (60 * 60)

/* A remote that had no place for a session is asked for one more only after this time. */
#define DELIVERY_HEALTH_CROWDED_SECONDS 60

/* Sessions that break on this many messages in a row, each another than the one before and none completed between, are
 * the remote's fault and not a message's. */
#define DELIVERY_HEALTH_DROPS_MOST 3

/* Not sooner than this after a probe, whoever asks for it. */
#define DELIVERY_HEALTH_HURRY_SECONDS 1

/* The fields are for reading; all times are monotonic, in microseconds. */
typedef struct {
    DeliveryRemoteState state;
    DeliveryFailure *failure; /* (nullable) the last one */
    guint failures;           /* in a row, without a completed transaction between: sets the backoff */
    gint64 probe_usec;        /* when a remote that is down may be tried again */
    gint64 tried_usec;        /* when it failed last */
    guint most;               /* sessions that the configuration allows */
    guint limit;              /* sessions that the remote seems to allow */
    gint64 raise_usec;        /* when one more may be tried; G_MAXINT64: not limited */
    guint drops;              /* messages in a row on which a session broke */
    QueueId dropped;          /* the last of them */
} DeliveryHealth;

void delivery_health_init (DeliveryHealth *health, guint most);
void delivery_health_clear (DeliveryHealth *health);

/* The configuration changed. */
void delivery_health_set_most (DeliveryHealth *health, guint most);

/* Each of these returns whether the state changed. */

/* A session was opened as far as it takes a transaction. */
gboolean delivery_health_opened (DeliveryHealth *health);

/* A transaction came to its end, whatever the replies. */
gboolean delivery_health_completed (DeliveryHealth *health);

/**
 * delivery_health_refused:
 * @others: other sessions that are open now
 * @jitter: a random number in [0, 1)
 *
 * A session could not be opened, or the remote wants a login that we do not have.
 */
gboolean delivery_health_refused (DeliveryHealth *health, const DeliveryFailure *failure, guint others,
                                  gint64 now_usec, gdouble jitter);

/* A session broke while it carried message @id. */
gboolean delivery_health_dropped (DeliveryHealth *health, const DeliveryFailure *failure, QueueId id, guint others,
                                  gint64 now_usec, gdouble jitter);

/* How many sessions there may be now; raises the limit when its time has come. */
guint delivery_health_limit (DeliveryHealth *health, gint64 now_usec);

/**
 * delivery_health_hurry:
 * @login: whether a person asked for it, so that even a refused login may be tried again
 *
 * The network came back, or somebody asked: a remote that is down may be probed at once.
 */
void delivery_health_hurry (DeliveryHealth *health, gboolean login, gint64 now_usec);
