/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "queue/cache.h"
#include "queue/lane.h"
#include "queue/loader.h"
#include "queue/queue.h"
#include "queue/sealer.h"
#include "queue/share.h"
#include "queue/writer.h"

/*
 * What the files over the store share: the queue itself and the few functions that they need of each other. All of it
 * belongs to the main thread.
 */

/* Numbers of messages, as the statistics need them. */
typedef struct {
    guint64 taken;
    guint64 held;
    guint64 deferred;
    guint64 fresh; /* never tried: queued, or deferred if their lane is closed */
    guint64 bytes;
} QueueTally;

typedef struct _QueueWork QueueWork;
typedef struct _QueueSweep QueueSweep;
typedef struct _QueueInspection QueueInspection;
typedef struct _QueueIndexing QueueIndexing;

struct _Queue {
    gchar *directory;
    gint lock_fd;
    GMainContext *context; /* the main loop's */
    QueueLimits limits;
    QueueListener listener;
    gpointer listener_data;
    QueueRoute route;
    gpointer route_data;

    /* The store. */
    QueueCatalog *catalog;
    QueueIndex *index; /* the catalog's */
    QueueMailbox *mailbox;
    QueueWriter *writer;
    QueueLoader *loader;
    QueueCache *cache;
    QueueSealer *sealer;
    guint32 closed;            /* generations up to this take no more records */
    gboolean rolling;          /* a new generation was asked for */
    gint64 journal_first_usec; /* monotonic: first and last push since the newest journal was begun; 0: none */
    gint64 journal_last_usec;
    gint64 seal_after_usec; /* monotonic: not before */
    guint seal_retry_seconds;
    GSource *tick; /* (nullable) */
    gboolean ticking;
    GError *write_trouble;       /* (nullable) of writing */
    GError *space_trouble;       /* (nullable) of the reserve */
    GSource *space_timer;        /* (nullable) while there is such */
    GError *index_trouble;       /* (nullable) of reading what lay there at the start */
    GError *roll_trouble;        /* (nullable) of beginning journals */
    GError *seal_trouble;        /* (nullable) of sealing them */
    GError *trouble;             /* (nullable) the one that is shown */
    QueueInspection *inspection; /* (nullable) that goes on */
    QueueIndexing *indexing; /* (nullable) of what lay there at the start; nothing of it is known while this is set */
    gboolean closing;

    /* The queue over it. */
    QueueId last_id;
    QueueId first_id; /* that was given by this queue; 0: none yet */
    QueueLanes *lanes;
    GHashTable *works; /* of QueueWork by id */
    guint n_settling;  /* results of deliveries on their way to the disk */
    QueueShares *shares;
    GHashTable *due_lanes; /* names of lanes whose listener is to be told */
    QueueTally tally;
    GQueue tellings;     /* of what happened and is not told yet */
    GSource *telling;    /* (nullable) which is told in slices, with all that happens as long as this is set */
    GPtrArray *intakes;  /* of QueueIntake: neither committed nor aborted */
    GPtrArray *sweeps;   /* of QueueSweep: under way */
    QueueSweep *sorting; /* (nullable) the one that sorts messages into lanes */
    gboolean sort_again; /* some could not be read, for the disk was away */
    QueueId old_cursor;  /* where queue_take_old () goes on */
};

/* How a queue is opened; queue_open () knows what is right for all but tests. */
typedef struct {
    guint64 at_once_bytes; /* what has no more is read before the opening returns */
    guint retry_seconds;   /* if reading fails; longer each time */

    /* (nullable): a thread that reads calls it again and again, and may be kept waiting in it until *@cancel, atomic, is set */
    void (*gate) (const gint *cancel, gpointer user_data);
    gpointer gate_data;
} QueueStart;

Queue *queue_open_as (const gchar *directory, const QueueLimits *limits, const QueueStart *start, GError **error);

/* ---- state.c: how a message shows ---- */

QueueState queue_entry_shown_state (const QueueEntry *entry);

/* To be called with -1 before, and with 1 after anything that its shown state follows from is changed. */
void queue_tally (Queue *queue, const QueueEntry *entry, gint by);

/* Returns: (transfer full): what the world sees of a message now. @core: with all that the index does not know */
QueueMessage *queue_view (const QueueEntry *entry, const QueueMessage *core);

/* Returns: (transfer full): the same of a message whose record cannot be read */
QueueMessage *queue_view_unreadable (const QueueEntry *entry);

/* A new id. */
QueueId queue_next_id (Queue *queue);

/* Counts a message that came. */
void queue_count (QueueTally *tally, QueueShares *shares, const QueueEntry *entry);

/* Enters a new message in the index and counts it; takes one out of all and frees it. */
void queue_enter (Queue *queue, QueueEntry *entry);
void queue_forget (Queue *queue, QueueEntry *entry, guint32 removal_generation);

/* ---- telling.c: events ---- */

void queue_emit (Queue *queue, QueueEventType type, const QueueMessage *message, guint recipient,
                 gboolean with_recipient);
void queue_emit_queued (Queue *queue, const QueueMessage *message, const gchar *message_id);

/* One event for each of @n_recipients recipients, to whom the same happened. @result: (nullable): each has its own, which are
 * equal */
void queue_emit_alike (Queue *queue, QueueEventType type, const QueueMessage *message, const guint *recipients,
                       guint n_recipients, const QueueRecipient *result);

/* @n_events come now, or more: if that is very many, they are told in slices, and what happens meanwhile after them. */
void queue_tell_in_slices (Queue *queue, guint n_events);

/* For closing: what was put down so far. */
void queue_tell_all (Queue *queue);

/* ---- store.c ---- */

/* To the writer; what is written by now will be sealed some time. */
void queue_push (Queue *queue, QueueCommand *command);

/* Something is to be looked at again in a while: see tick () in store.c. */
void queue_start_ticking (Queue *queue);

/* Whether mail of that size may come in without touching the reserve. If not, that is a trouble which lasts until there
 * is room again. */
gboolean queue_has_space (Queue *queue, guint64 bytes, GError **error);

/* FALSE: the queue is being closed, or too many results of deliveries wait for the disk already. */
gboolean queue_may_take (Queue *queue);

/* ---- intake.c ---- */

/* All sessions together: beyond it each of them is slowed down, however little it has itself. */
#define QUEUE_BACKLOG_MOST_BYTES (32 * 1024 * 1024)

/* The queue is closed: what is left of the intakes is of no use but to be freed by those who have them. */
void queue_intakes_orphan (Queue *queue);

/* ---- work.c: messages in a delivery's hands, or with records under way ---- */

/* A job in a delivery's hands. */
typedef struct {
    QueueJob job; /* what the delivery sees */
    QueueWork *work;
    gint64 due_usec;   /* when it was due: for putting it back */
    guint32 flags;     /* of the head when it was taken */
    guint *recipients; /* (nullable) as of a QueueWaiting, until the message is there */
    guint n_recipients;
    QueueTaken taken;
    gpointer user_data;
    gboolean settling; /* what became of it is known and on its way to the disk */
} QueueHand;

struct _QueueWork {
    QueueEntry *entry; /* NULL once the message is removed */
    guint references;
    QueueHead head;     /* as it will be when all records under way are durable */
    QueueMessage *core; /* (nullable) the message, in the same sense */
    GPtrArray *hands;   /* of QueueHand: jobs in a delivery's hands */
    GArray *loads;      /* who waits for @core */
    gboolean removing;  /* its removal is under way */
};

QueueWork *queue_work_get (Queue *queue, QueueEntry *entry); /* counted */
void queue_work_put (Queue *queue, QueueWork *work);

/* For closing: nobody will come back to it. */
void queue_work_abandon (QueueWork *work);

/* The work of an entry, if there is one. (nullable) (transfer none) */
QueueWork *queue_work_find (Queue *queue, const QueueEntry *entry);

/* Called when work->core is there; with an error it is not. */
typedef void (*QueueWorkLoaded) (QueueWork *work, const GError *error, gpointer user_data);
void queue_work_load (Queue *queue, QueueWork *work, QueueWorkLoaded loaded, gpointer user_data);

/* Says in the log that a message is damaged, and keeps it from being tried. */
void queue_set_damaged (Queue *queue, QueueEntry *entry, const GError *error);

/* ---- route.c: into the lanes ---- */

/* Makes jobs for those pending recipients that have none. @next_usec: 0: at once */
void queue_sort_message (Queue *queue, QueueEntry *entry, const QueueMessage *core, gint64 next_usec);

/* The same for these recipients alone. */
void queue_sort_recipients (Queue *queue, QueueEntry *entry, const QueueMessage *core, const guint *recipients,
                            guint n_recipients, gint64 next_usec);

/* Takes all jobs of a message that wait out of their lanes. */
void queue_unsort_message (Queue *queue, QueueEntry *entry);

/* Sorts all messages anew. */
void queue_sort_all (Queue *queue);

/* The listener is told that something is due sooner, after what is going on now. */
void queue_tell_due (Queue *queue, const QueueLane *lane);

/* Tells of the DEFERRED that arriving in a closed lane is. */
void queue_tell_closed (Queue *queue, const QueueEntry *entry, const QueueMessage *core);

/* ---- sweep.c: over many messages, in slices ---- */

/* A message that matches. @core: NULL if it was not asked for, or cannot be read. Returns: whether to go on */
typedef gboolean (*QueueVisit) (QueueEntry *entry, QueueMessage *core, gpointer user_data);

typedef struct {
    gboolean load; /* the visitor needs the message itself */
    QueueVisit visit;
    void (*slice) (gpointer user_data);              /* (nullable) a slice is over */
    void (*done) (QueueId next, gpointer user_data); /* @next: the last one visited if it was told to stop, else 0 */
} QueueSweepFuncs;

/* The first slice is made at once. Returns: the sweep that goes on, %NULL if it is over and @done was called. */
QueueSweep *queue_sweep_start (Queue *queue, const QueueFilter *filter, QueueId after, const QueueSweepFuncs *funcs,
                               gpointer user_data);

/* Ends it as if there were nothing more: calls @done. */
void queue_sweep_stop (Queue *queue, QueueSweep *sweep);

/* ---- act.c ---- */

/* Removes a message that no delivery has, and tells that it was deleted. @core: (nullable) */
void queue_remove (Queue *queue, QueueWork *work, QueueMessage *core);
