/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "delivery/failure.h"
#include "delivery/settings.h"
#include "queue/queue.h"

/* One attempt to deliver a job of the queue: what became of each of its recipients, and what follows from that. */

typedef struct {
    QueueOutcome outcome; /* UNTRIED: no answer, and none made up yet */
    GRefString *status;   /* (nullable) enhanced status code */
    GRefString *reply;    /* (nullable) one line: the remote's reply, or our reason */
    gboolean quotes;      /* @reply is the remote's */
    gboolean delay_notified;
} DeliveryAnswer;

typedef enum {
    DELIVERY_WAIT_BACKOFF, /* the remote asked for patience: the retry schedule */
    DELIVERY_WAIT_SHORT,   /* a session broke: soon */
    DELIVERY_WAIT_LANE,    /* all remotes are down: as soon as one is up */
    DELIVERY_WAIT_RELEASE  /* it is to be held */
} DeliveryWait;

typedef struct {
    QueueJob *job;           /* (nullable) until it is settled */
    DeliveryAnswer *answers; /* beside the job's recipients */
    guint hint;              /* where the next answer is expected: they come in order, mostly */
    gchar *host;             /* (nullable) of the remote that it is, or was last, tried at */
    gchar *address;          /* (nullable) the same as "host:port" */
    gboolean passes_dsn;     /* that remote offers DSN (RFC 3461) */
    guint64 size_most_bytes; /* the largest message that it takes; 0: it told of no limit, or was not asked */
    GArray *addressed;       /* (nullable) of guint: the recipients without those whose address comes twice */
    guint returns;           /* sessions that turned out to be closed when it was to go over them */
    gboolean was_cut_off;    /* a session that others had used ended over it, and another was to take it */
    gchar *remark;           /* (nullable) what is not as it should be in what was sent */
    gboolean is_told;        /* its sender need not hear of it */
    gboolean passed_over;    /* no remote was tried: what is deferred was no attempt */
    DeliveryWait wait;
    gint64 next_usec; /* since the epoch, or QUEUE_NEXT_WITH_LANE; once it is judged */
    gboolean hold;    /* once it is judged */
    gboolean renew;   /* once it is judged: it is a notice, and may be taken if it is smaller */
} DeliveryAttempt;

/* @job: (transfer full) */
DeliveryAttempt *delivery_attempt_new (QueueJob *job);

/* Only once its job was given back. */
void delivery_attempt_free (DeliveryAttempt *attempt);

/* Settles a job that came too late to be tried. @job: (transfer full) (nullable) */
void delivery_attempt_put_back (QueueJob *job, Queue *queue);

/* It goes to this remote now: what another said before is forgotten. */
void delivery_attempt_start (DeliveryAttempt *attempt, const gchar *host, const gchar *address, gboolean passes_dsn);

/* What is not as it should be in what is sent to this remote: see delivery_content_remark (). */
void delivery_attempt_remark (DeliveryAttempt *attempt, const gchar *remark);

/* Returns: (nullable): the remark, if the remote was really sent something */
const gchar *delivery_attempt_get_remark (const DeliveryAttempt *attempt);

/* Recipients that it is to be sent to, indexes into the envelope: of those that were redirected to one address, one; and not more
 * than @most, the others stay untried. */
const guint *delivery_attempt_recipients (const DeliveryAttempt *attempt, guint most, guint *n_recipients);

/* @recipient: an index into the message's envelope; counts for those of the same address too. */
void delivery_attempt_answer (DeliveryAttempt *attempt, guint recipient, const SmtpReply *reply);

/* A remote has answered for a part of the recipients. If it took none, and may take some later, the rest need not be tried
 * before. */
void delivery_attempt_end_part (DeliveryAttempt *attempt);

/* Defers all recipients that have no answer. */
void delivery_attempt_break (DeliveryAttempt *attempt, const DeliveryFailure *failure, DeliveryWait wait);

/* It is not to be tried at all: all recipients count as delivered, and nobody hears more of it; or the message is held. */
void delivery_attempt_discard (DeliveryAttempt *attempt, const gchar *reason);
void delivery_attempt_hold (DeliveryAttempt *attempt, const gchar *reason);

/* The same, but all recipients have failed. */
void delivery_attempt_fail (DeliveryAttempt *attempt, const gchar *reason);

/* Defers what failed or expired, because the notice about it could not be made. @reason: (nullable): put in front. */
void delivery_attempt_take_back (DeliveryAttempt *attempt, const gchar *reason);

/**
 * delivery_attempt_judge:
 * @now_usec: since the epoch
 * @jitter: a random number in [0, 1)
 *
 * Draws the conclusions: what is deferred beyond its lifetime has expired; what a null sender's message cannot
 * deliver is held, because nobody can be told, unless it is a notice of our own that may be taken in a smaller form (renew);
 * and when the rest is tried again.
 */
void delivery_attempt_judge (DeliveryAttempt *attempt, const DeliverySettings *settings, gint64 now_usec,
                             gdouble jitter);

/* The notice that was to be renewed is: @renewed; or cannot be, and is held. */
void delivery_attempt_renew (DeliveryAttempt *attempt, gboolean renewed);

/* How many answers have this outcome. */
guint delivery_attempt_count (const DeliveryAttempt *attempt, QueueOutcome outcome);

/* Gives the job back to the queue. */
void delivery_attempt_settle (DeliveryAttempt *attempt, Queue *queue);
