/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "smtp/client.h"

/* How a session with a remote came to its end. */
typedef enum {
    DELIVERY_FAILURE_NONE,        /* both sides were done */
    DELIVERY_FAILURE_LOOKUP,      /* the host's name gives no address */
    DELIVERY_FAILURE_CONNECT,     /* no connection to any address */
    DELIVERY_FAILURE_TLS,         /* no TLS */
    DELIVERY_FAILURE_CERTIFICATE, /* a certificate that is not acceptable */
    DELIVERY_FAILURE_LOGIN,       /* authentication refused, or not possible */
    DELIVERY_FAILURE_REFUSED,     /* the greeting or EHLO was answered by 4xx or 5xx */
    DELIVERY_FAILURE_CLOSED,      /* 421, or the connection broke */
    DELIVERY_FAILURE_TIMEOUT,     /* no answer in time */
    DELIVERY_FAILURE_PROTOCOL,    /* what came is no SMTP */
    DELIVERY_FAILURE_LOCAL        /* this machine's trouble: descriptors, the queue's disk */
} DeliveryFailureKind;

typedef struct {
    DeliveryFailureKind kind;
    gchar *reason;     /* one line for people, names the host, the port, and what can be done */
    gchar status[16];  /* enhanced status code, class 4 */
    guint code;        /* of the reply that ended the session; 0: there was none */
    gboolean answered; /* @reason quotes a reply of the remote */
} DeliveryFailure;

/**
 * delivery_failure_new:
 * @reply: (nullable): what the remote said; @reason should quote it
 * @reason: (transfer full)
 *
 * The status is the reply's, made temporary (a session's end refuses no message for good), or the one of RFC 3463
 * that fits @kind.
 */
DeliveryFailure *delivery_failure_new (DeliveryFailureKind kind, const SmtpReply *reply, gchar *reason);
/* What the protocol engine says of the end of a session. @address: "host:port"; @user: (nullable): who was to log in */
DeliveryFailure *delivery_failure_of_session (const gchar *address, const gchar *user, SmtpClientFailure failure,
                                              const gchar *reason, const SmtpReply *reply);

/* @error: a SMTP_TLS_ERROR */
DeliveryFailure *delivery_failure_of_tls (const gchar *address, const GError *error);

/* The remote let @seconds pass without what was waited for. */
DeliveryFailure *delivery_failure_of_wait (const gchar *address, SmtpClientWait wait, guint seconds);

DeliveryFailure *delivery_failure_copy (const DeliveryFailure *failure);
void delivery_failure_free (DeliveryFailure *failure);

/* Whether the remote has no place for another session now, as opposed to being down: 421, or 4xx before a
 * transaction. */
gboolean delivery_failure_is_crowding (const DeliveryFailure *failure);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (DeliveryFailure, delivery_failure_free)
