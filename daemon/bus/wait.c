/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Waiting for the queue
 *
 * A relay with very much mail in its queue takes more before it has read what it has. Whoever lists or steers mail in these
 * seconds means all of it: such a call waits until it can be answered for the whole queue, rather than with "no such
 * message", or with a page that looks like all there is. If the disk fails meanwhile the wait has no end that anybody knows,
 * and the call is refused with the trouble.
 */

#include "bus/wait.h"

#include "bus/error.h"

typedef struct {
    GDBusMethodInvocation *invocation;
    BusAnswer answer;
} Waiting;

static const GError *
trouble_of (Bus *bus)
{
    QueueStatistics statistics;

    queue_statistics (bus->queue, &statistics);
    return statistics.trouble;
}

static void
refuse (GDBusMethodInvocation *invocation, const GError *trouble)
{
    bus_error_return (invocation, BUS_ERROR_STORAGE_FAILED, "the queue is not read yet: %s", trouble->message);
}

gboolean
bus_wait_for_queue (Bus *bus, GDBusMethodInvocation *invocation, BusAnswer answer)
{
    const GError *trouble;
    Waiting *waiting;

    if (queue_is_indexed (bus->queue))
        return FALSE;
    trouble = trouble_of (bus);
    if (trouble != NULL) {
        refuse (invocation, trouble);
        return TRUE;
    }

    waiting = g_new (Waiting, 1);
    *waiting = (Waiting){.invocation = invocation, .answer = answer};
    g_queue_push_tail (&bus->waiting, waiting);
    bus->calls_pending++;
    return TRUE;
}

/* The first of those that wait is answered. @trouble: (nullable): instead of an answer */
static void
end_first (Bus *bus, const GError *trouble)
{
    g_autofree Waiting *waiting = g_queue_pop_head (&bus->waiting);

    if (bus->closed)
        bus_error_return (waiting->invocation, BUS_ERROR_FAILED, "the relay is stopping");
    else if (trouble != NULL)
        refuse (waiting->invocation, trouble);
    else
        waiting->answer (bus, waiting->invocation);
    bus->calls_pending--;
    bus_call_ended (bus);
}

void
bus_wait_look (Bus *bus)
{
    const GError *trouble = NULL;

    if (bus->waiting.length == 0)
        return;
    if (!queue_is_indexed (bus->queue)) {
        trouble = trouble_of (bus);
        if (trouble == NULL)
            return;
    }
    for (guint n = bus->waiting.length; n > 0; n--)
        end_first (bus, trouble);
}

void
bus_wait_end (Bus *bus)
{
    while (bus->waiting.length > 0)
        end_first (bus, NULL);
}
