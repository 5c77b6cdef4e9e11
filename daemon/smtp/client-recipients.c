/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Recipients of a client's transaction
 *
 * What the server says to each RCPT, and what follows where a message has more recipients than one transaction may have. RFC
 * 5321 4.5.3.1.8 lets a server stop at a hundred, and 4.5.3.1.10 wants the client to send the message again to the others: so
 * they are put off, and are told nothing, which lets the owner begin another transaction with them at once.
 *
 * The same codes can mean one recipient alone (a full mailbox), or a server that has no room for anybody. So they are taken for
 * "too many" only
 *
 *  - behind a recipient that was accepted: without any there is nothing to send first, and the refusal is a result;
 *  - as long as no other is accepted behind them: then it was not the number.
 *
 * Some servers count what they refuse, and end the session for it before the content could go. Then nobody has a result, but
 * the number is known all the same.
 *
 * So each transaction gives at least one recipient a result or ends the session, and the owner never goes round in a circle.
 */

#include "smtp/client-private.h"

#include <string.h>

/* Without a status that leaves no doubt, the first refusal may be about its recipient alone: one more is asked about. */
#define REFUSALS_IN_DOUBT 2

/* RFC 3463 3.6: too many recipients. */
static gboolean
is_status_too_many (const SmtpReply *reply)
{
    return reply->status[0] != '\0' && strcmp (reply->status + 1, ".5.3") == 0;
}

static gboolean
says_too_many (const SmtpReply *reply)
{
    if (reply->status[0] != '\0')
        return !smtp_reply_is_positive (reply) && is_status_too_many (reply);

    return reply->code == 452 || reply->code == 552;
}

gboolean
client_is_full (const ClientTransaction *transaction)
{
    if (transaction->n_refusals == 0)
        return FALSE;

    return transaction->n_refusals >= REFUSALS_IN_DOUBT || is_status_too_many (transaction->put_off_by);
}

/* The message may be there although the session has ended. */
static gboolean
may_be_delivered (const SmtpClient *client)
{
    return client->state == CLIENT_OVER &&
           (client->transaction->content == CLIENT_CONTENT_OVER || client->transaction->n_chunks > 0);
}

void
client_learn_recipients (SmtpClient *client)
{
    const ClientTransaction *transaction = client->transaction;

    if (!transaction || may_be_delivered (client))
        return;

    if (transaction->n_put_off > 0 || (client->failure_reply && is_status_too_many (client->failure_reply)))
        client->recipients_shown = transaction->n_taken;
}

void
client_put_off_rest (ClientTransaction *transaction)
{
    for (guint i = transaction->n_sent; i < transaction->n_recipients; i++)
        transaction->recipients[i].state = CLIENT_RECIPIENT_PUT_OFF;

    transaction->n_put_off += transaction->n_recipients - transaction->n_sent;
    transaction->n_sent = transaction->n_answered = transaction->n_recipients;
}

/* Too many of them is never for good: RFC 5321 4.5.3.1.10 wants 552 taken as 452. */
static SmtpReply *
make_temporary (const SmtpReply *reply)
{
    return smtp_reply_is_permanent (reply) ? smtp_reply_new (452, "4.5.3", "%s", reply->text)
                                           : smtp_reply_copy (reply);
}

static void
put_off (ClientTransaction *transaction, ClientRecipient *recipient, const SmtpReply *reply)
{
    recipient->state = CLIENT_RECIPIENT_PUT_OFF;
    transaction->n_put_off++;
    transaction->n_refusals++;
    smtp_reply_free (transaction->put_off_by);
    transaction->put_off_by = smtp_reply_copy (reply);
}

/* It was not their number. */
static void
tell_put_off (SmtpClient *client)
{
    ClientTransaction *transaction = client->transaction;
    g_autoptr (SmtpReply) reply = NULL;

    if (transaction->n_put_off == 0)
        return;

    reply = make_temporary (transaction->put_off_by);
    for (guint i = 0; i < transaction->n_recipients; i++)
        if (transaction->recipients[i].state == CLIENT_RECIPIENT_PUT_OFF)
            client_tell (client, &transaction->recipients[i], reply);
}

static void
take_recipient (SmtpClient *client, ClientRecipient *recipient)
{
    ClientTransaction *transaction = client->transaction;

    tell_put_off (client);
    recipient->state = CLIENT_RECIPIENT_ACCEPTED;
    transaction->n_accepted++;
    transaction->n_taken++;
    transaction->n_refusals = 0;
}

void
client_take_rcpt (SmtpClient *client, const SmtpReply *reply)
{
    ClientTransaction *transaction = client->transaction;
    ClientRecipient *recipient = &transaction->recipients[transaction->n_answered++];

    if (reply->code / 100 == 3) {
        client_fail_nonsense (client, reply, "RCPT");
        return;
    }

    /* With MAIL refused it has its result. */
    if (recipient->state != CLIENT_RECIPIENT_OPEN) {
        client_advance (client);
        return;
    }

    if (client_reply_is_success (reply)) {
        take_recipient (client, recipient);
    } else if (says_too_many (reply) && transaction->n_accepted > 0) {
        put_off (transaction, recipient, reply);
    } else {
        if (says_too_many (reply))
            client->recipients_shown = 0; /* it cannot have been the number */
        client_tell (client, recipient, reply);
    }
    client_advance (client);
}
