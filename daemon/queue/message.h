/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "message/envelope.h"

/*
 * A queued message as the world sees it: the envelope, where it came from, and what became of each recipient. A
 * snapshot: it never changes once made, and is counted by references.
 */

typedef guint64 QueueId; /* 0 is no message; greater is later; never used twice on a machine */

#define QUEUE_ID_TEXT_BYTES 14 /* of queue_id_write (), with the terminating NUL */

/* Writes the form that people and paths use: lower-case letters and digits, of one length, sorting as the numbers do. */
void queue_id_write (QueueId id, gchar text[QUEUE_ID_TEXT_BYTES]);

/* Returns: the id, 0 if @text is none. Upper case is taken too. */
QueueId queue_id_read (const gchar *text);

typedef enum {
    QUEUE_STATE_QUEUED,     /* not tried yet */
    QUEUE_STATE_DELIVERING, /* in a delivery's hands */
    QUEUE_STATE_DEFERRED,   /* tried, or its way is closed; to be tried again */
    QUEUE_STATE_HELD        /* not to be tried until released */
} QueueState;
#define QUEUE_N_STATES 4

/* "queued", "delivering", "deferred", "held": the words of D-Bus and of the command. */
const gchar *queue_state_name (QueueState state);
gboolean queue_state_from_name (const gchar *name, QueueState *state);

typedef enum {
    QUEUE_RECIPIENT_PENDING,
    QUEUE_RECIPIENT_DELIVERED,
    QUEUE_RECIPIENT_FAILED,  /* refused for good; bounced */
    QUEUE_RECIPIENT_EXPIRED, /* given up after the queue's lifetime; bounced */
} QueueRecipientState;

/* "pending", "delivered", "failed", "expired" */
const gchar *queue_recipient_state_name (QueueRecipientState state);

/* What became of one recipient, beside its MessageRecipient of the same index. */
typedef struct {
    QueueRecipientState state;
    guint attempts;
    gint64 last_usec;        /* last attempt, microseconds since the epoch; 0: none */
    gboolean delay_notified; /* a notice of delay was sent */
    gchar *redirect;         /* (nullable) the address was changed to this one, which is in the envelope now */
    gchar *remote;           /* (nullable) host[:port] of the last attempt */
    gchar *status;           /* (nullable) enhanced status code of the last reply or failure */
    gchar *reply;            /* (nullable) the last reply or failure, one line */
    gboolean is_ours; /* @reply is this relay's word, not the remote's; not known of what an old version wrote */
} QueueRecipient;

/* Where a message came from. */
typedef struct {
    gint64 uid;      /* of the local user who submitted it; -1 if not known (TCP) */
    gchar *peer;     /* (nullable) address of a TCP client */
    gchar *helo;     /* (nullable) */
    gchar *protocol; /* "ESMTP" …, "local", "dbus", "notice" for the relay's own */
} QueueOrigin;

typedef struct {
    gint64 usec;
    gchar *text; /* one line: "deferred by mx.example.org:25: 451 4.7.1 …" */
} QueueHistoryEntry;

typedef struct {
    QueueId id;
    QueueState state;
    QueueOrigin origin;
    MessageEnvelope *envelope;
    GPtrArray *recipients; /* of QueueRecipient, as many as the envelope's */
    guint64 size;          /* of the content, bytes, CRLF line ends */
    gint64 arrival_usec;   /* since the epoch */
    gint64 next_usec;      /* the next attempt, since the epoch; 0: at once, or none is planned (held) */
    guint attempts;
    GPtrArray *history;   /* of QueueHistoryEntry, the newest QUEUE_HISTORY_MOST */
    const gchar *verdict; /* (nullable) why somebody gave it up, in that one's words */
    const gchar *reason;  /* (nullable) why it is still here, in words: the last failure, or why its way is closed */
} QueueMessage;

/* A message that is tried for five days has some hundred attempts; the journal has them all. */
#define QUEUE_HISTORY_MOST 16

QueueMessage *queue_message_ref (QueueMessage *message);
void queue_message_unref (QueueMessage *message);
QueueRecipient *queue_message_recipient (const QueueMessage *message, guint index);
guint queue_message_pending (const QueueMessage *message); /* recipients that are pending */

G_DEFINE_AUTOPTR_CLEANUP_FUNC (QueueMessage, queue_message_unref)
