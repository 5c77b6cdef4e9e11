/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Counters
 *
 * What GetStatistics tells of the past. They start at nothing with the daemon; the journal knows what was before.
 */

#include "bus/bus.h"

void
bus_counters_init (BusCounters *counters)
{
    *counters = (BusCounters){.started_usec = g_get_real_time ()};
}

void
bus_counters_count (BusCounters *counters, const QueueEvent *event)
{
    switch (event->type) {
    case QUEUE_EVENT_QUEUED:
        counters->accepted++;
        return;
    case QUEUE_EVENT_DELIVERED:
        counters->delivered++;
        return;
    case QUEUE_EVENT_DEFERRED:
        counters->deferred++;
        return;
    case QUEUE_EVENT_BOUNCED:
        counters->bounced++;
        return;
    case QUEUE_EVENT_EXPIRED:
        counters->expired++;
        return;
    case QUEUE_EVENT_DELETED:
        counters->deleted++;
        return;
    case QUEUE_EVENT_REMOVED:
        counters->removed++;
        return;
    case QUEUE_EVENT_HELD:
    case QUEUE_EVENT_RELEASED:
    case QUEUE_EVENT_REDIRECTED:
        return;
    }
}
