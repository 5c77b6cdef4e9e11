/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "delivery/route.h"
#include "message/envelope.h"
#include "smtp/client.h"
#include "smtp/tls.h"

/*
 * What the configuration says about delivering. Made by the configuration, handed to the delivery whole at start and
 * at each reload.
 */

typedef struct {
    gchar *name; /* what follows "Smarthost" in the group's name; "default" for a plain [Smarthost] */
    gchar *host; /* a name or an IP address */
    guint16 port;
    SmtpSecurity security;
    gboolean verify;   /* the certificate must be trusted and for @host */
    gchar *trust_file; /* (nullable) PEM; NULL: the system's trust store */
    SmtpTls *tls;      /* (nullable) with the authorities of @trust_file, if there is one */
    gchar *user;       /* (nullable) */
    gchar *password;   /* (nullable) read from the credential or the file */
    gchar *mechanisms; /* (nullable) */
    gboolean auth_without_tls;
    guint connections_most; /* at the same time */
    guint recipients_most;  /* of one transaction; 0: as many as it takes */
    guint weight;           /* its part where several share a route */
} DeliverySmarthost;

/* Adds to @resolved, which has no recipients, whom those of @envelope lead to: at least one for each. */
typedef void (*DeliveryResolve) (const MessageEnvelope *envelope, MessageEnvelope *resolved, gpointer user_data);

typedef struct {
    gchar *host_name;           /* EHLO, Reporting-MTA */
    gchar *domain;              /* MAILER-DAEMON's */
    GPtrArray *smarthosts;      /* of DeliverySmarthost, in order of preference */
    GPtrArray *routes;          /* of DeliveryRoute: the first one that is for a recipient decides */
    gchar *no_smarthost;        /* (nullable) while there is none: the reason that waiting mail shows */
    guint connect_seconds;      /* to connect to one address */
    guint greeting_seconds;     /* RFC 5321 4.5.3.2.1 */
    guint command_seconds;      /* 4.5.3.2.2, .3 */
    guint data_seconds;         /* 4.5.3.2.4: until the 354 */
    guint block_seconds;        /* 4.5.3.2.5 */
    guint end_seconds;          /* 4.5.3.2.6 */
    guint idle_seconds;         /* how long a connection is kept for the next message */
    guint expire_seconds;       /* a message's lifetime in the queue */
    guint delay_notice_seconds; /* age at which the sender is told of a delay; 0: never */
    guint retry_first_seconds;
    guint retry_longest_seconds;
    DeliveryResolve resolve; /* (nullable) who really gets a notice; %NULL: the original's sender */
    gpointer resolve_data;
    guint64 notice_content_bytes; /* a notice returns the whole message up to this size, else its header */
} DeliverySettings;

DeliverySettings *delivery_settings_new (void);
void delivery_settings_free (DeliverySettings *settings);
DeliverySmarthost *delivery_smarthost_new (const gchar *name);
void delivery_smarthost_free (DeliverySmarthost *smarthost);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (DeliverySettings, delivery_settings_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DeliverySmarthost, delivery_smarthost_free)
