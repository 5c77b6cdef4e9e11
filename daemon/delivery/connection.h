/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "delivery/failure.h"
#include "delivery/settings.h"
#include "queue/queue.h"
#include "smtp/poller.h"
#include "smtp/tls.h"

/*
 * One SMTP session with a smarthost: the look-up, the connection, the protocol engine on a channel, the deadlines, and the
 * content from the queue.
 */

typedef struct _DeliveryConnection DeliveryConnection;

typedef enum {
    DELIVERY_TRACE_SENT,
    DELIVERY_TRACE_RECEIVED,
    DELIVERY_TRACE_NOTE /* not of the protocol: "connected to …" */
} DeliveryTraceKind;

/* None is called from within a function of the connection; each may free it, unless it says otherwise. */
typedef struct {
    /* It can take a message: after the opening, and after each message. */
    void (*ready) (gpointer user_data);

    /* What became of recipient @recipient, an index into the envelope. Must not free the connection. */
    void (*result) (guint recipient, const SmtpReply *reply, gpointer user_data);

    /* (nullable) What is not as it should be in what is about to be sent. Must not free the connection. */
    void (*remark) (const gchar *remark, gpointer user_data);

    /* All results of the message are told. */
    void (*done) (gpointer user_data);

    /* It was not used for as long as a connection is to be kept: quit it. It still can be used instead. */
    void (*bored) (gpointer user_data);

    /* (nullable) For a transcript, without secrets. Must not free the connection. */
    void (*trace) (DeliveryTraceKind kind, const gchar *line, gpointer user_data);

    /* The session is over; no event follows. Recipients of a message under way that had no result have none. */
    void (*ended) (const DeliveryFailure *failure, gpointer user_data);
} DeliveryConnectionEvents;

/**
 * delivery_connection_new:
 * @tls: (nullable): only with SMTP_SECURITY_NONE
 * @smarthost, @settings: not needed after the call
 * @events: must outlive the connection
 *
 * Starts to connect.
 */
DeliveryConnection *delivery_connection_new (SmtpPoller *poller, SmtpTls *tls, const DeliverySmarthost *smarthost,
                                             const DeliverySettings *settings, const DeliveryConnectionEvents *events,
                                             gpointer user_data);

/* Breaks off whatever is under way; no event follows. */
void delivery_connection_free (DeliveryConnection *connection);

/**
 * delivery_connection_begin:
 * @message: kept by a reference until done or ended
 * @recipients: indexes into its envelope; copied
 *
 * Only when ready.
 */
void delivery_connection_begin (DeliveryConnection *connection, Queue *queue, QueueMessage *message,
                                const guint *recipients, guint n_recipients);

/* Asks whether the remote would take mail from @sender, without sending any; ready or ended follows. Only when ready. */
void delivery_connection_probe (DeliveryConnection *connection, const gchar *sender);

/* Takes leave; ended follows within seconds. Only when ready. */
void delivery_connection_quit (DeliveryConnection *connection);

/* Whether the remote takes over what NOTIFY= asks for (RFC 3461). Once it was ready. */
guint64 delivery_connection_size_most (const DeliveryConnection *connection); /* see smtp_client_size_most () */
gboolean delivery_connection_offers_dsn (const DeliveryConnection *connection);

/* How many recipients the remote takes in one transaction, as it announced or has shown in this session; 0: not known. */
guint delivery_connection_recipients_most (const DeliveryConnection *connection);

/* Whether a message was sent whole and the remote has not said yet that it has it. */
gboolean delivery_connection_awaits_end (const DeliveryConnection *connection);

/* Whether nothing came in answer to the message under way, but for the end of the session. */
gboolean delivery_connection_is_silent (const DeliveryConnection *connection);

/* Whether the session ended before the content of the message under way had its turn; see smtp_client_kept_content (). */
gboolean delivery_connection_kept_content (const DeliveryConnection *connection);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (DeliveryConnection, delivery_connection_free)
