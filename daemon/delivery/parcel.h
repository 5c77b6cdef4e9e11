/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "delivery/content.h"
#include "smtp/client.h"

/*
 * The message that a connection has in hand: which recipients it goes to, and its content on the way to the protocol engine.
 */

typedef struct {
    QueueMessage *message; /* (nullable) none is in hand */
    guint *recipients;     /* (nullable) of it, until the transaction is begun */
    guint n_recipients;
    DeliveryContent *content; /* (nullable) */
    gboolean wanted;          /* the engine waits for a piece of it */
    gboolean is_whole;        /* all of it was given to the engine */
} DeliveryParcel;

typedef enum {
    DELIVERY_PARCEL_WAITS,   /* for the disk, or until the engine wants more */
    DELIVERY_PARCEL_MOVES,   /* something was done; there may be more to do */
    DELIVERY_PARCEL_REFUSED, /* the server cannot be sent this: see delivery_content_refusal () */
    DELIVERY_PARCEL_LOST     /* its content cannot be read: see delivery_content_fault () */
} DeliveryParcelStep;

/**
 * delivery_parcel_take:
 * @message: kept by a reference
 * @recipients: copied
 * @client: what it offers decides whether the content is converted
 * @arrived: see delivery_content_new (); may be called from within this function
 *
 * Starts to read the content. Only when none is in hand.
 */
void delivery_parcel_take (DeliveryParcel *parcel, Queue *queue, QueueMessage *message, const guint *recipients,
                           guint n_recipients, const SmtpClient *client, DeliveryContentArrived arrived,
                           gpointer user_data);

/* It is done with. */
void delivery_parcel_drop (DeliveryParcel *parcel);

/* Whether the transaction is still to be begun. */
gboolean delivery_parcel_is_closed (const DeliveryParcel *parcel);

/* Begins the transaction, once it is known what can be sent. */
DeliveryParcelStep delivery_parcel_begin (DeliveryParcel *parcel, SmtpClient *client);

/* Gives the engine a piece that it waits for, if there is one. */
DeliveryParcelStep delivery_parcel_pour (DeliveryParcel *parcel, SmtpClient *client);
