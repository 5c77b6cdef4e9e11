/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Descriptors
 *
 * A process that has run out of descriptors cannot open its own files any more, and libraries end it that cannot go on
 * without one. So each purpose that somebody from outside can be in need of a descriptor for gets a part of the limit, and all
 * parts together leave some for our own: files of the queue, connections to remotes and name servers, and what libraries open.
 *
 * Where the limit is as the unit has it, everything gets what is of use. Where it is lower all have to do with less.
 */

#include "descriptors.h"

#include "log-event.h"

#include <sys/resource.h>

/* As many as are of use. */
#define SUBMISSIONS_MOST 512
#define BAGGAGE_MOST     1024
#define STREAMS_MOST     128

#define OWN_LEAST 1024

/* Parts of a limit that is too low for that. What these leave is our own. */
#define SESSIONS_PART    3
#define SUBMISSIONS_PART 8
#define BAGGAGE_PART     8
#define STREAMS_PART     16

guint
descriptors_raise_limit (void)
{
    struct rlimit limit;

    if (getrlimit (RLIMIT_NOFILE, &limit) < 0)
        return G_MAXUINT;

    limit.rlim_cur = limit.rlim_max;
    setrlimit (RLIMIT_NOFILE, &limit);
    return (guint) MIN (limit.rlim_cur, G_MAXUINT);
}

Descriptors
descriptors_share (guint limit, guint sessions_wanted)
{
    guint others = SUBMISSIONS_MOST + BAGGAGE_MOST + STREAMS_MOST + OWN_LEAST;

    if (limit > others && sessions_wanted <= limit - others)
        return (Descriptors){.sessions = sessions_wanted,
                             .submissions = SUBMISSIONS_MOST,
                             .baggage = BAGGAGE_MOST,
                             .streams = STREAMS_MOST};

    return (Descriptors){.sessions = MAX (1, MIN (sessions_wanted, limit / SESSIONS_PART)),
                         .submissions = CLAMP (limit / SUBMISSIONS_PART, 1, SUBMISSIONS_MOST),
                         .baggage = CLAMP (limit / BAGGAGE_PART, 1, BAGGAGE_MOST),
                         .streams = CLAMP (limit / STREAMS_PART, 1, STREAMS_MOST)};
}

/* More sessions than there are descriptors would have no end but trouble. */
Descriptors
descriptors_share_out (guint limit, Config *config)
{
    Descriptors parts = descriptors_share (limit, config->sessions_most);
    g_autofree gchar *warning = NULL;

    if (parts.sessions == config->sessions_most)
        return parts;

    warning = g_strdup_printf ("MaxSessions=%u needs more file descriptors than the %u that there are: %u are served "
                               "at once; raise LimitNOFILE= of the service",
                               config->sessions_most, limit, parts.sessions);
    log_event_configuration_warning (warning);
    config->sessions_most = parts.sessions;
    return parts;
}
