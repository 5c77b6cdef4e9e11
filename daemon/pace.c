/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The pace of a client
 *
 * RFC 5321 4.5.3.2.7 lets a server wait five minutes for the next command. If each octet began that time anew, a client could
 * hold a session for ever with one octet every five minutes. So a command has to be there as a whole within it.
 *
 * A message may be long and the line slow, so its time grows with what has come of it. Sixteen octets a second are less
 * than the slowest line carries that anybody sends mail over, and what came faster is to the client's credit: a program
 * that has written much may be silent later, as long as it is not silent for longer than any client may be.
 */

#include "pace.h"

#define SLOWEST_BYTES_PER_SECOND 16

void
pace_begin (Pace *pace, gint64 now_usec)
{
    *pace = (Pace){.began_usec = now_usec};
}

void
pace_add (Pace *pace, gsize bytes)
{
    pace->bytes += bytes;
}

void
pace_forgive (Pace *pace, gint64 usec)
{
    pace->began_usec += usec;
}

guint
pace_left (const Pace *pace, guint patience_seconds, gint64 now_usec)
{
    guint64 allowed = patience_seconds + pace->bytes / SLOWEST_BYTES_PER_SECOND;
    guint64 taken = (guint64) MAX (0, now_usec - pace->began_usec) / G_USEC_PER_SEC;

    return taken >= allowed ? 0 : (guint) MIN (allowed - taken, patience_seconds);
}
