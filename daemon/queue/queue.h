/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "queue/message.h"

/*
 * The queue: the durable store and, over it in memory, an index of what is in it, in which state, and when it is
 * due. All functions are called on the main thread and return at once; the disk is worked by the store's own thread.
 * Callbacks come from the main loop.
 */

typedef struct _Queue Queue;

#define QUEUE_ERROR (queue_error_quark ())

typedef enum {
    QUEUE_ERROR_BUSY,    /* another process has this queue open, or it is not indexed yet */
    QUEUE_ERROR_FULL,    /* no disk space, or the reserve would be touched: 452 4.3.1 */
    QUEUE_ERROR_LIMIT,   /* a limit of ours on messages, or on one user: 452 4.3.1 or 4.2.2 */
    QUEUE_ERROR_RATE,    /* too many messages of one user in too short a time: 450 4.7.1 */
    QUEUE_ERROR_IO,      /* the disk failed; later it may not: 451 4.3.0 */
    QUEUE_ERROR_VERSION, /* written by a newer version */
    QUEUE_ERROR_GONE,    /* no such message (any more) */
    QUEUE_ERROR_DAMAGED  /* what was stored is not what is read: 451 4.3.0 */
} QueueError;

GQuark queue_error_quark (void);

/* So many messages in so many seconds; @messages 0: no limit. */
typedef struct {
    guint messages;
    guint seconds;
} QueueRate;

typedef struct {
    guint64 generation_bytes;   /* seal a generation at about this size */
    guint64 reserve_bytes;      /* refuse new mail when the file system has less than this free */
    guint64 messages_most;      /* 0: no limit */
    guint64 user_messages_most; /* 0: no limit; per submitting user */
    guint64 user_bytes_most;    /* 0: no limit; likewise, of content */
    QueueRate user_rate;        /* likewise, of what is handed in */
} QueueLimits;

typedef enum {
    QUEUE_EVENT_QUEUED,
    QUEUE_EVENT_DELIVERED,
    QUEUE_EVENT_DEFERRED,
    QUEUE_EVENT_BOUNCED,
    QUEUE_EVENT_EXPIRED,
    QUEUE_EVENT_HELD,
    QUEUE_EVENT_RELEASED,
    QUEUE_EVENT_DELETED,
    QUEUE_EVENT_REDIRECTED,
    QUEUE_EVENT_REMOVED /* no recipient is pending any more, the message left the queue; for D-Bus, not the log */
} QueueEventType;

/* How many recipients with one result are announced together: what one entry of the log may name, and from how many on it is
 * worth more than a line for each, which a search for an address in plain text finds. */
#define QUEUE_EVENT_ALIKE_MOST  100
#define QUEUE_EVENT_ALIKE_LEAST 10

/* Something happened, and is durable. One event a recipient for delivered, deferred, bounced, expired; else one a
 * message, with @recipient of QUEUED the first one, and of REDIRECTED the new one. The first of many recipients with the
 * same result announces the others, whose events follow it. Valid during the call only. */
typedef struct {
    QueueEventType type;
    const QueueMessage *message;  /* as it is after the event */
    const gchar *recipient;       /* (nullable) */
    const QueueRecipient *result; /* (nullable) remote, status and reply of that recipient */
    const gchar *message_id;      /* (nullable) of QUEUED, if the intake was told it */
    gint64 now_usec;
    const guint *alike; /* indexes of further recipients with this result */
    guint n_alike;
    gboolean is_announced; /* this recipient was among them */
    gboolean is_of_many;   /* it is told in slices, between other things */
} QueueEvent;

/* What people did with a message that its way may depend on. */
typedef enum {
    QUEUE_HINT_RELEASED = 1 << 0, /* it was held, and released */
    QUEUE_HINT_BOUNCED = 1 << 1   /* it is to be given up */
} QueueHints;

/* Which way a recipient's mail goes. Returns a lane's name, valid during the call only. */
typedef const gchar *(*QueueRoute) (const QueueMessage *message, guint recipient, QueueHints hints,
                                    gpointer user_data);

typedef struct {
    void (*event) (const QueueEvent *event, gpointer user_data);

    /* Something in the lane is due now or sooner than it was: see queue_take () and queue_lane_due (). */
    void (*due) (const gchar *lane, gpointer user_data);

    /* The disk's trouble began (@error) or ended (NULL). */
    void (*trouble) (const GError *error, gpointer user_data);

    /* queue_is_indexed () became true, if it was not from the beginning. */
    void (*indexed) (gpointer user_data);
} QueueListener;

/**
 * queue_open:
 * @directory: made if it is missing, mode 0700
 *
 * Locks the directory and looks at what lies in it. If that is much, it is read while the queue serves: until
 * queue_is_indexed () the queue knows only the mail that came since, and that is all that is counted, listed, steered,
 * delivered and held against limits. Lanes are filled by queue_set_route ().
 *
 * Returns: (transfer full): or %NULL with a QUEUE_ERROR that names the directory and says what to do
 */
Queue *queue_open (const gchar *directory, const QueueLimits *limits, GError **error);

/* Writes out what is under way (an intake that was not committed is dropped), waits for the disk, closes. */
void queue_close (Queue *queue);

/* Whether what lay in the directory at the start is known. What is found to be missing before may not be. */
gboolean queue_is_indexed (Queue *queue);

void queue_set_limits (Queue *queue, const QueueLimits *limits);
void queue_set_listener (Queue *queue, const QueueListener *listener, gpointer user_data);

/* Sorts all messages into lanes, anew if the routes changed. Jobs in hand stay as they are. @route: (nullable): messages
 * stay where they are until there is another one */
void queue_set_route (Queue *queue, QueueRoute route, gpointer user_data);

/* ---- Taking mail in ---- */

/* What the relay's own notices say of their origin. They are taken whatever the limits say, and wait for a disk that is
 * in trouble as a settle does. */
#define QUEUE_PROTOCOL_NOTICE "notice"

typedef struct _QueueIntake QueueIntake;

/* @id is the new message, 0 with @error. */
typedef void (*QueueCommitted) (QueueId id, const GError *error, gpointer user_data);

/* More may be written: the intake's backlog fell below QUEUE_INTAKE_BACKLOG_BYTES. */
typedef void (*QueueDrained) (gpointer user_data);

#define QUEUE_INTAKE_BACKLOG_BYTES (256 * 1024) /* from this on a writer has to wait for drained */

/**
 * queue_intake_new:
 * @origin: copied
 * @expected_bytes: size of the content if it is known, 0 if not
 *
 * Returns: (transfer full): or %NULL with QUEUE_ERROR_FULL, _LIMIT, _RATE or _IO; the commit may fail with these, too
 */
QueueIntake *queue_intake_new (Queue *queue, const QueueOrigin *origin, guint64 expected_bytes, QueueDrained drained,
                               gpointer user_data, GError **error);

/* The id that the message will have: for Received:. */
QueueId queue_intake_id (const QueueIntake *intake);

/* The Message-ID of its header; copied. It is for the event alone, and not kept. */
void queue_intake_set_message_id (QueueIntake *intake, const gchar *message_id);

/* Content, CRLF line ends; copied. Errors show at the commit. */
void queue_intake_write (QueueIntake *intake, const gchar *data, gsize length);

/* Bytes written and not yet given to the kernel. It is at its bound also if all intakes together are at theirs. Who is told
 * that it is at its bound is told when it is below. */
gsize queue_intake_backlog (QueueIntake *intake);

/**
 * queue_intake_commit:
 * @intake: (transfer full)
 * @envelope: (transfer full): at least one recipient
 * @hold: queue it held
 *
 * Makes the message durable, then puts it into its lanes, then calls @committed. Commits are made in the order of the calls,
 * and an earlier one is never lost where a later one survives; this holds for queue_settle () too.
 */
void queue_intake_commit (QueueIntake *intake, MessageEnvelope *envelope, gboolean hold, QueueCommitted committed,
                          gpointer user_data);
void queue_intake_abort (QueueIntake *intake); /* (transfer full) */

/* ---- Delivering ---- */

/* Recipients of one message that go one way, in the hands of a delivery. */
typedef struct {
    QueueMessage *message;
    guint *recipients; /* indexes, all pending */
    guint n_recipients;
    gchar *lane;
} QueueJob;

/* @job: NULL if it turned out that there is none to be had: its message cannot be read, or the queue is being closed. */
typedef void (*QueueTaken) (QueueJob *job, gpointer user_data);

/* As @now_usec of queue_take (): only jobs that QUEUE_ACTION_RETRY asked for. queue_lane_due () is not above it if there are
 * any. */
#define QUEUE_ONLY_ASKED_FOR G_GINT64_CONSTANT (0)

/**
 * queue_take:
 * @now_usec: since the epoch, or QUEUE_ONLY_ASKED_FOR
 *
 * Takes the job in the lane that is due first, in an order that is fair between users. The job must be given back by
 * queue_settle ().
 *
 * Returns: %FALSE if nothing is due, or while the disk cannot record results; else @taken is called once, now or later
 */
gboolean queue_take (Queue *queue, const gchar *lane, gint64 now_usec, QueueTaken taken, gpointer user_data);

/* When the lane's first job is due, microseconds since the epoch; long before the epoch if somebody asked for it;
 * %G_MAXINT64 if there is none. */
gint64 queue_lane_due (Queue *queue, const gchar *lane);

/* Names of all lanes that have jobs. (transfer full) */
GStrv queue_lanes (Queue *queue);

typedef enum {
    QUEUE_OUTCOME_UNTRIED, /* put back as it was */
    QUEUE_OUTCOME_DELIVERED,
    QUEUE_OUTCOME_DEFERRED,
    QUEUE_OUTCOME_FAILED,
    QUEUE_OUTCOME_EXPIRED
} QueueOutcome;

typedef struct {
    QueueOutcome outcome;
    gboolean delay_notified; /* a notice of delay was committed for it just now */
    const gchar *remote;     /* (nullable) */
    const gchar *status;     /* (nullable) */
    const gchar *reply;      /* (nullable) one line */
    gboolean is_ours;        /* @reply is this relay's word, not the remote's */
} QueueResult;

/* As @next_usec: no time of its own, but as soon as the lane is open. */
#define QUEUE_NEXT_WITH_LANE G_GINT64_CONSTANT (-1)

/**
 * queue_settle:
 * @job: (transfer full)
 * @results: one for each recipient of the job, in its order
 * @next_usec: when the deferred ones are tried again, or QUEUE_NEXT_WITH_LANE; untried ones are due as they were
 * @hold: hold what is still pending
 *
 * Records the results; events follow once they are durable. When no recipient is pending the message is removed.
 */
void queue_settle (Queue *queue, QueueJob *job, const QueueResult *results, gint64 next_usec, gboolean hold);

/**
 * queue_lane_close:
 * @reason: why, in words; becomes the reason of the messages that wait in it
 * @until_usec: when it will be probed; shown as their next attempt
 *
 * A closed lane's remotes are down: its messages count and show as deferred for that reason, at no cost to the disk.
 * queue_take () still gives jobs out: it is the delivery that decides to take only a probe.
 */
void queue_lane_close (Queue *queue, const gchar *lane, const gchar *remote, const gchar *status, const gchar *reason,
                       gint64 until_usec);
void queue_lane_open (Queue *queue, const gchar *lane);

/* Jobs of messages that arrived before @arrival_usec and are not held, at most @most, whatever their next attempt: to be
 * expired. Calls @taken for each, now or later; returns how many. */
guint queue_take_old (Queue *queue, gint64 arrival_usec, guint most, QueueTaken taken, gpointer user_data);

/* ---- Content ---- */

/* A piece of content; @piece NULL with @error, or at the end. (transfer none) */
typedef void (*QueueContent) (GBytes *piece, const GError *error, gpointer user_data);

/* Reads a message's content from start to end, one piece at a time. */
typedef struct _QueueReader QueueReader;
QueueReader *queue_reader_new (Queue *queue, QueueId id);

/* Asks for the next piece; one at a time. @content is called from the main loop or at once. */
void queue_reader_next (QueueReader *reader, QueueContent content, gpointer user_data);

/* A piece asked for is not told any more. */
void queue_reader_free (QueueReader *reader);

/* ---- Looking and steering ---- */

typedef struct {
    const QueueId *ids; /* (nullable) only these */
    guint n_ids;
    gint state;             /* a QueueState, -1: any */
    const gchar *sender;    /* (nullable) exact; "" is the null sender */
    const gchar *recipient; /* (nullable) exact, any recipient that is pending */
    const gchar *domain;    /* (nullable) a pending recipient's */
    const gchar *remote;    /* (nullable) the last remote tried */
    gint64 uid;             /* submitting user, -1: any */
    gint64 before_usec;     /* arrived before; 0: any */
} QueueFilter;

#define QUEUE_FILTER_ALL ((QueueFilter){.state = -1, .uid = -1})

/* @messages: of QueueMessage (transfer none); @next: where to go on, 0 at the end. */
typedef void (*QueueListed) (GPtrArray *messages, QueueId next, gpointer user_data);

/* Lists messages with ids greater than @after, oldest first, at most @limit. Called from the main loop or at once. */
void queue_list (Queue *queue, const QueueFilter *filter, QueueId after, guint limit, QueueListed listed,
                 gpointer user_data);

typedef enum {
    QUEUE_ACTION_RETRY, /* due now, before what nobody asked for; nothing for a held one */
    QUEUE_ACTION_HOLD,
    QUEUE_ACTION_RELEASE, /* and due now */
    QUEUE_ACTION_DELETE,  /* nobody is notified; a message being delivered goes when that attempt ends */
    QUEUE_ACTION_BOUNCE   /* its recipients are to be given up, held or not; not if it has the null sender */
} QueueAction;

/* @count messages were touched and that is durable. */
typedef void (*QueueActed) (guint count, const GError *error, gpointer user_data);
void queue_act (Queue *queue, QueueAction action, const QueueFilter *filter, QueueActed acted, gpointer user_data);

/* QUEUE_ACTION_BOUNCE with words of whoever asks for it, which the senders are told. @verdict: one line */
void queue_give_up (Queue *queue, const QueueFilter *filter, const gchar *verdict, QueueActed acted,
                    gpointer user_data);

/* Pending recipients get @address (canonical) instead of their own, and are due now if the message is not held. */
void queue_redirect (Queue *queue, const QueueFilter *filter, const gchar *address, QueueActed acted,
                     gpointer user_data);

typedef struct {
    guint64 messages;
    guint64 bytes; /* of content */
    guint64 by_state[QUEUE_N_STATES];
    gint64 oldest_usec;    /* arrival of the oldest; 0: empty */
    guint64 disk_bytes;    /* what the store's files take */
    gboolean indexing;     /* there is more, which is not known yet: see queue_is_indexed () */
    guint indexed_percent; /* how much of that is read */
    const GError *trouble; /* (nullable) what is wrong with the disk */
} QueueStatistics;

void queue_statistics (Queue *queue, QueueStatistics *statistics);

/* ---- Looking whether all of it can be read ---- */

/* Something that is wrong. */
typedef struct {
    QueueId id;  /* the message; 0: not about one */
    gchar *file; /* (nullable) path */
    gchar *text;
} QueueFinding;

typedef struct {
    guint journals; /* generations that were read */
    guint sealed;
    guint64 records; /* of journals, index pages, and parts of messages */
    guint64 bytes;
    guint64 messages; /* that are in the queue */
    guint64 damaged;  /* of these, messages that cannot be read whole */
    guint64 n_findings;
    GPtrArray *findings; /* of QueueFinding: the first thousand */
} QueueVerified;

QueueVerified *queue_verified_new (void);
void queue_verified_free (QueueVerified *verified);

/* @verified: %NULL with @error. (transfer none) */
typedef void (*QueueVerifiedFunc) (const QueueVerified *verified, const GError *error, gpointer user_data);

/**
 * queue_verify:
 *
 * Reads all of the store while it serves, on a thread of its own. @done is called with QUEUE_ERROR_BUSY at once if that is
 * going on already or the queue is not indexed, with QUEUE_ERROR_GONE if the queue is closed meanwhile.
 */
void queue_verify (Queue *queue, QueueVerifiedFunc done, gpointer user_data);

/**
 * queue_verify_directory:
 *
 * The same of a queue that nobody has open; waits until it is done. Nothing is changed. Damage that concerns no message is
 * told in the log, too.
 *
 * Returns: (transfer full): or %NULL with QUEUE_ERROR_BUSY, _VERSION or _IO
 */
QueueVerified *queue_verify_directory (const gchar *directory, GError **error);

/* What was read of a file of the damaged store, in words. */
typedef void (*QueueRescued) (const gchar *line, gpointer user_data);

/**
 * queue_rescue:
 * @from: the queue, however damaged; it is only read
 * @to: a directory that is made, or is empty
 *
 * Writes every readable message into a new queue; waits until it is done. What a disk does not give is passed over.
 *
 * Returns: (transfer full): what the new queue has in it, with a finding for each message that is not whole and for each file
 *     of which something cannot be read; or %NULL with QUEUE_ERROR_BUSY, _VERSION, or _FULL or _IO of writing
 */
QueueVerified *queue_rescue (const gchar *from, const gchar *to, QueueRescued rescued, gpointer user_data,
                             GError **error);

/* The submitting user of a message, for authorization: FALSE if there is no such message. */
gboolean queue_owner (Queue *queue, QueueId id, gint64 *uid);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Queue, queue_close)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (QueueIntake, queue_intake_abort)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (QueueReader, queue_reader_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (QueueVerified, queue_verified_free)
