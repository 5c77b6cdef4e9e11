/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * A parcel
 *
 * A message on its way over a session: from the queue's reader, through the conversion that a server may need, to the protocol
 * engine, a piece at a time. When the pieces go is the connection's business, which knows how much its channel has left
 * to send; what cannot be sent at all shows before the transaction is begun, so that such a message costs the session
 * nothing.
 */

#include "delivery/parcel.h"

#include "message/address.h"

/* Whether an address of the envelope needs SMTPUTF8; all of the message goes by it then, as it is. */
static gboolean
goes_by_utf8 (const DeliveryParcel *parcel, const SmtpClient *client)
{
    const MessageEnvelope *envelope = parcel->message->envelope;

    if (!smtp_client_offers_smtputf8 (client))
        return FALSE;
    if (!message_address_is_ascii (envelope->sender))
        return TRUE;

    for (guint i = 0; i < parcel->n_recipients; i++)
        if (!message_address_is_ascii (message_envelope_recipient (envelope, parcel->recipients[i])->address))
            return TRUE;

    return FALSE;
}

/* SMTPUTF8 is not asked for if it can be helped: the servers behind this one may lack it. It comes with 8BITMIME (RFC 6531
 * 3.1); a server that offers it alone is given what it can take. */
static MessageDemands
find_demands (const DeliveryParcel *parcel, const SmtpClient *client)
{
    MessageDemands demands = MESSAGE_DEMAND_NO_UTF8;

    if (goes_by_utf8 (parcel, client))
        return 0;

    if (!smtp_client_offers_8bitmime (client))
        demands |= MESSAGE_DEMAND_ASCII;
    if (smtp_client_offers_smtputf8 (client))
        demands |= MESSAGE_DEMAND_MAY_BE_UTF8;
    return demands;
}

static DeliveryContent *
open_content (const DeliveryParcel *parcel, Queue *queue, const SmtpClient *client, DeliveryContentArrived arrived,
              gpointer user_data)
{
    const MessageEnvelope *envelope = parcel->message->envelope;
    gboolean is_8bit = envelope->body == MESSAGE_BODY_8BITMIME;
    MessageDemands demands = is_8bit ? find_demands (parcel, client) : 0;

    return delivery_content_new (queue, parcel->message, demands != 0 || envelope->long_lines, demands, arrived,
                                 user_data);
}

void
delivery_parcel_take (DeliveryParcel *parcel, Queue *queue, QueueMessage *message, const guint *recipients,
                      guint n_recipients, const SmtpClient *client, DeliveryContentArrived arrived,
                      gpointer user_data)
{
    g_return_if_fail (!parcel->message);

    *parcel = (DeliveryParcel){.message = queue_message_ref (message),
                               .recipients = g_memdup2 (recipients, n_recipients * sizeof *recipients),
                               .n_recipients = n_recipients};
    parcel->content = open_content (parcel, queue, client, arrived, user_data);
}

void
delivery_parcel_drop (DeliveryParcel *parcel)
{
    g_clear_pointer (&parcel->content, delivery_content_free);
    g_clear_pointer (&parcel->message, queue_message_unref);
    g_clear_pointer (&parcel->recipients, g_free);
    parcel->wanted = FALSE;
}

gboolean
delivery_parcel_is_closed (const DeliveryParcel *parcel)
{
    return parcel->content && parcel->recipients;
}

DeliveryParcelStep
delivery_parcel_begin (DeliveryParcel *parcel, SmtpClient *client)
{
    SmtpTransaction transaction = {.envelope = parcel->message->envelope,
                                   .recipients = parcel->recipients,
                                   .n_recipients = parcel->n_recipients,
                                   .size = delivery_content_size (parcel->content)};

    switch (delivery_content_state (parcel->content)) {
    case DELIVERY_CONTENT_SURVEYED:
        return delivery_content_fault (parcel->content) ? DELIVERY_PARCEL_LOST : DELIVERY_PARCEL_WAITS;
    case DELIVERY_CONTENT_REFUSED:
        return DELIVERY_PARCEL_REFUSED;
    case DELIVERY_CONTENT_OPEN:
        break;
    }

    transaction.asks_utf8 = delivery_content_needs_utf8 (parcel->content);
    transaction.is_7bit = delivery_content_is_7bit (parcel->content);
    smtp_client_begin (client, &transaction);
    g_clear_pointer (&parcel->recipients, g_free);
    return DELIVERY_PARCEL_MOVES;
}

DeliveryParcelStep
delivery_parcel_pour (DeliveryParcel *parcel, SmtpClient *client)
{
    gboolean last;
    g_autoptr (GBytes) piece = NULL;

    if (!parcel->content || !parcel->wanted)
        return DELIVERY_PARCEL_WAITS;

    piece = delivery_content_take (parcel->content, &last);
    if (!piece)
        return delivery_content_fault (parcel->content) ? DELIVERY_PARCEL_LOST : DELIVERY_PARCEL_WAITS;

    parcel->wanted = FALSE;
    parcel->is_whole = last;
    smtp_client_content (client, piece, last);
    return DELIVERY_PARCEL_MOVES;
}
