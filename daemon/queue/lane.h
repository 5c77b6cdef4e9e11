/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "queue/heap.h"
#include "queue/index.h"

/*
 * Lanes: the ways that mail goes, each with the jobs that wait for it, in an order that is fair between users.
 */

typedef struct {
    gchar *name;
    gboolean closed;
    gchar *remote; /* (nullable): these five while it is closed */
    gchar *status; /* (nullable) */
    gchar *reason;
    gint64 closed_usec;
    gint64 until_usec;
    guint64 n_waiting;
    guint64 n_fresh; /* messages that wait here first of all and were never tried: they show as the lane does */

    GHashTable *users; /* of LaneUser by uid: those that have jobs here */
    GPtrArray *later;  /* heap of LaneUser: by when their first job is due */
    GQueue ready;      /* of LaneUser that had a due job when they were looked at last: who is next */
} QueueLane;

/* What somebody asked to be tried is due so long before its arrival: before all else, and in the order of arrival. */
#define QUEUE_ASKED_FOR_EARLIER_USEC (G_MAXINT64 / 2)

/* A job that waits: recipients of one message that go one way. */
struct _QueueWaiting {
    QueueHeapItem item; /* key: when it is due, microseconds since the epoch */
    QueueEntry *entry;
    QueueLane *lane;
    QueueWaiting *next; /* the same message's next job */
    guint *recipients;  /* (nullable) indexes; NULL: all that are pending */
    guint n_recipients;
};

typedef struct _QueueLanes QueueLanes;

QueueLanes *queue_lanes_new (void);
void queue_lanes_free (QueueLanes *lanes); /* no job may wait any more */

QueueLane *queue_lanes_find (QueueLanes *lanes, const gchar *name); /* (nullable) */
QueueLane *queue_lanes_get (QueueLanes *lanes, const gchar *name);  /* made if need be */

/* Names of those that have jobs. (transfer full) */
GStrv queue_lanes_names (QueueLanes *lanes);

/* Sum of n_fresh of the closed ones. */
guint64 queue_lanes_fresh_closed (QueueLanes *lanes);

/**
 * queue_lane_add:
 * @recipients: (transfer full) (nullable)
 *
 * Makes a job that waits, and puts it at the end of the message's jobs.
 *
 * Returns: whether the lane's first job is due sooner than it was
 */
gboolean queue_lane_add (QueueLane *lane, QueueEntry *entry, gint64 due_usec, guint *recipients, guint n_recipients);

/* Takes a job out of its lane and its message; frees the lane if nothing keeps it. The caller frees the job. */
void queue_lane_remove (QueueLanes *lanes, QueueWaiting *waiting);
void queue_waiting_free (QueueWaiting *waiting);

/* Changes when a job is due. Returns as queue_lane_add (). */
gboolean queue_lane_move (QueueWaiting *waiting, gint64 due_usec);

/* The job whose turn it is of those that are due at @now_usec; %NULL if none is. It stays in the lane. */
QueueWaiting *queue_lane_next (QueueLane *lane, gint64 now_usec);

gint64 queue_lane_first_due (QueueLane *lane); /* G_MAXINT64: no job */

void queue_lane_set_closed (QueueLane *lane, const gchar *remote, const gchar *status, const gchar *reason,
                            gint64 now_usec, gint64 until_usec);
void queue_lane_set_open (QueueLanes *lanes, QueueLane *lane);
