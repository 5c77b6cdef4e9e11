/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Health of a remote
 *
 * What we believe of a remote, from what its sessions went through. Pure state: no clock, no socket, no chance of its
 * own, so that every rule here can be tested by itself.
 *
 * Unknown and up are tried freely; but an unknown remote gets one session at first, so that a wrong password is
 * refused once and not four times. A remote is down when a session cannot be opened: then it is probed by one session,
 * after a backoff that doubles. Whatever proves that it works, a session opened or a transaction of an older
 * session completed, brings it up at once; only a completed transaction makes the backoff forget, so that a
 * remote that opens sessions and then drops them is not taken for a healthy one each time.
 *
 * A session that breaks in mid-transaction is first of all that message's trouble: a filter at the other end may choke on
 * it, and all other mail must go on. Only breaks on several different messages in a row, none completed between,
 * make the remote down.
 *
 * A remote that has no place for one more session ("421 too many connections") while it serves others is not down
 * but crowded: it gets no more sessions than it took, and one more after each quiet minute. The limit outlives a short
 * time down, or each completed transaction would bring the next attempt to open one too many.
 */

#include "delivery/health.h"

#include "delivery/retry.h"

const gchar *
delivery_remote_state_name (DeliveryRemoteState state)
{
    switch (state) {
    case DELIVERY_REMOTE_UNKNOWN:
        return "unknown";
    case DELIVERY_REMOTE_UP:
        return "up";
    case DELIVERY_REMOTE_DOWN:
        return "down";
    }

    g_return_val_if_reached (NULL);
}

void
delivery_health_init (DeliveryHealth *health, guint most)
{
    *health = (DeliveryHealth){
        .state = DELIVERY_REMOTE_UNKNOWN, .most = MAX (most, 1), .limit = 1, .raise_usec = G_MAXINT64};
}

void
delivery_health_clear (DeliveryHealth *health)
{
    g_clear_pointer (&health->failure, delivery_failure_free);
}

void
delivery_health_set_most (DeliveryHealth *health, guint most)
{
    health->most = MAX (most, 1);
    if (health->state == DELIVERY_REMOTE_UP && health->raise_usec == G_MAXINT64)
        health->limit = health->most;
    health->limit = MIN (health->limit, health->most);
}

static void
remember (DeliveryHealth *health, const DeliveryFailure *failure)
{
    delivery_health_clear (health);
    health->failure = delivery_failure_copy (failure);
}

static gboolean
turn (DeliveryHealth *health, DeliveryRemoteState state)
{
    if (health->state == state)
        return FALSE;

    health->state = state;
    return TRUE;
}

/* A remote that comes up after failures takes one message first, and all that it may once that went well. */
static gboolean
turn_up (DeliveryHealth *health)
{
    if (health->state != DELIVERY_REMOTE_UP && health->raise_usec == G_MAXINT64)
        health->limit = health->failures ? 1 : health->most;

    return turn (health, DELIVERY_REMOTE_UP);
}

/* It has no place for more than the sessions that it has. A refused login is not repeated soon. */
static void
crowd (DeliveryHealth *health, DeliveryFailureKind kind, guint others, gint64 now_usec)
{
    guint seconds =
        kind == DELIVERY_FAILURE_LOGIN ? DELIVERY_HEALTH_LOGIN_FIRST_SECONDS : DELIVERY_HEALTH_CROWDED_SECONDS;

    health->limit = CLAMP (others, 1, health->most);
    health->raise_usec = now_usec + delivery_usec (seconds);
}

static gboolean
turn_down (DeliveryHealth *health, DeliveryFailureKind kind, gint64 now_usec, gdouble jitter)
{
    gboolean login = kind == DELIVERY_FAILURE_LOGIN;
    guint first = login ? DELIVERY_HEALTH_LOGIN_FIRST_SECONDS : DELIVERY_HEALTH_PROBE_FIRST_SECONDS;
    guint longest = login ? DELIVERY_HEALTH_LOGIN_LONGEST_SECONDS : DELIVERY_HEALTH_PROBE_LONGEST_SECONDS;

    /* Sessions that were opened together fail together: that is one failure. */
    if (health->state == DELIVERY_REMOTE_DOWN && now_usec < health->probe_usec)
        return FALSE;

    health->failures++;
    health->probe_usec = now_usec + delivery_usec (delivery_retry_seconds (health->failures, first, longest, jitter));
    return turn (health, DELIVERY_REMOTE_DOWN);
}

gboolean
delivery_health_opened (DeliveryHealth *health)
{
    return turn_up (health);
}

gboolean
delivery_health_completed (DeliveryHealth *health)
{
    health->failures = 0;
    health->drops = 0;
    if (health->raise_usec == G_MAXINT64)
        health->limit = health->most;
    return turn_up (health);
}

gboolean
delivery_health_refused (DeliveryHealth *health, const DeliveryFailure *failure, guint others, gint64 now_usec,
                         gdouble jitter)
{
    remember (health, failure);
    health->tried_usec = now_usec;

    if (others > 0)
        crowd (health, failure->kind, others, now_usec);
    if (others > 0 && delivery_failure_is_crowding (failure) && health->state == DELIVERY_REMOTE_UP)
        return FALSE;

    return turn_down (health, failure->kind, now_usec, jitter);
}

gboolean
delivery_health_dropped (DeliveryHealth *health, const DeliveryFailure *failure, QueueId id, guint others,
                         gint64 now_usec, gdouble jitter)
{
    if (failure->kind == DELIVERY_FAILURE_LOCAL)
        return FALSE;

    remember (health, failure);
    health->tried_usec = now_usec;
    if (delivery_failure_is_crowding (failure))
        crowd (health, failure->kind, others, now_usec);

    if (health->drops == 0 || health->dropped != id)
        health->drops++;
    health->dropped = id;

    if (health->drops < DELIVERY_HEALTH_DROPS_MOST)
        return FALSE;

    return turn_down (health, failure->kind, now_usec, jitter);
}

guint
delivery_health_limit (DeliveryHealth *health, gint64 now_usec)
{
    if (now_usec < health->raise_usec)
        return health->limit;

    health->limit = MIN (health->limit + 1, health->most);
    health->raise_usec = now_usec + delivery_usec (DELIVERY_HEALTH_CROWDED_SECONDS);
    if (health->limit == health->most)
        health->raise_usec = G_MAXINT64;
    return health->limit;
}

void
delivery_health_hurry (DeliveryHealth *health, gboolean login, gint64 now_usec)
{
    gint64 soonest = health->tried_usec + delivery_usec (DELIVERY_HEALTH_HURRY_SECONDS);

    if (health->state != DELIVERY_REMOTE_DOWN)
        return;
    if (!login && health->failure && health->failure->kind == DELIVERY_FAILURE_LOGIN)
        return;

    health->probe_usec = MIN (health->probe_usec, MAX (now_usec, soonest));
}
