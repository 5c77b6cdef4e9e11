/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * One transaction of a client
 *
 * MAIL, RCPT for each recipient, and the content by DATA or, where the server offers CHUNKING, by BDAT. Where it offers
 * PIPELINING too, a small message is one write and one round trip: MAIL, all RCPT, and BDAT with the content.
 * With DATA it is two. RCPT commands go out in groups, so that what is on its way is bounded.
 *
 * Each recipient gets exactly one result: the refusal of its RCPT, the refusal of MAIL or DATA, or the reply to the
 * end of the content. Only those that are too many for one transaction get none: see client-recipients.c. What the
 * server would refuse by what it told in EHLO is refused here, without asking it.
 *
 * Commands that were sent ahead have to be lived with when the ones before them fail:
 *
 *  - DATA is accepted although no recipient was: a lone dot follows, and no recipient is affected by its reply (RFC
 *    2920 3.1).
 *  - BDAT is refused: no more of the message is sent, the replies to chunks on their way are awaited, and RSET leads
 *    out of it (RFC 3030 2).
 *  - No recipient is left while MAIL was accepted: RSET as well.
 *
 * With BDAT the first piece of content goes out unasked; the rest only after a recipient was accepted, so that little
 * is sent in vain, and a few chunks ahead of their replies.
 */

#include "smtp/client-private.h"
#include "smtp/xtext.h"

#include "message/a-label.h"
#include "message/address.h"

#include <string.h>

/* On their way at a time: some 50 KiB, which is less than sockets hold. */
#define RECIPIENTS_AHEAD_MOST 100

/* Enough to keep a line busy over a round trip. */
#define CHUNKS_AHEAD_MOST 8

void
client_transaction_free (ClientTransaction *transaction)
{
    if (!transaction)
        return;

    smtp_reply_free (transaction->put_off_by);
    g_free (transaction->recipients);
    g_free (transaction);
}

/* ---- Results ---- */

void
client_tell (SmtpClient *client, ClientRecipient *recipient, const SmtpReply *reply)
{
    ClientTransaction *transaction = client->transaction;

    transaction->n_accepted -= recipient->state == CLIENT_RECIPIENT_ACCEPTED;
    transaction->n_put_off -= recipient->state == CLIENT_RECIPIENT_PUT_OFF;
    recipient->state = CLIENT_RECIPIENT_TOLD;
    transaction->n_told++;

    if (!client->freed && client->state == CLIENT_BUSY)
        client->handlers->result (recipient->index, reply, client->user_data);
}

static void
client_tell_all (SmtpClient *client, const SmtpReply *reply)
{
    ClientTransaction *transaction = client->transaction;

    for (guint i = 0; i < transaction->n_recipients; i++) {
        ClientRecipient *recipient = &transaction->recipients[i];

        if (recipient->state == CLIENT_RECIPIENT_OPEN || recipient->state == CLIENT_RECIPIENT_ACCEPTED)
            client_tell (client, recipient, reply);
    }
}

void
client_fail_nonsense (SmtpClient *client, const SmtpReply *reply, const gchar *command)
{
    client_fail (client, SMTP_CLIENT_FAILED_PROTOCOL, reply, "the reply to %s is none that it can have", command);
}

/* ---- What is refused without asking ---- */

/* A canonical address has none; but one that had could end its command and start another. */
static gboolean
has_control_characters (const gchar *text)
{
    for (const gchar *c = text; *c != '\0'; c++) {
        if (g_ascii_iscntrl (*c))
            return TRUE;
    }

    return FALSE;
}

/* Whether there is a form of the address that the server takes. */
static gboolean
can_be_named (const SmtpCapabilities *capabilities, const gchar *address)
{
    g_autofree gchar *ascii = NULL;

    if (capabilities->smtputf8 || message_address_is_ascii (address))
        return TRUE;

    ascii = message_address_to_ascii (address);
    return ascii != NULL;
}

/* Returns: (transfer full) (nullable): why the server cannot take the message for anybody */
static SmtpReply *
refuse_message (const SmtpCapabilities *capabilities, const ClientTransaction *transaction)
{
    const MessageEnvelope *envelope = transaction->envelope;

    if (capabilities->size_most_bytes > 0 && transaction->size > capabilities->size_most_bytes)
        return smtp_reply_new_ours (552, "5.3.4",
                                    "the message has %" G_GUINT64_FORMAT " bytes, and the server takes no more than "
                                    "%" G_GUINT64_FORMAT,
                                    transaction->size, capabilities->size_most_bytes);
    if (!can_be_named (capabilities, envelope->sender))
        return smtp_reply_new_ours (550, "5.6.7",
                                    "the sender's address is internationalized, and the server lacks SMTPUTF8");
    if (has_control_characters (envelope->sender))
        return smtp_reply_new_ours (553, "5.1.7", "the sender's address has control characters");

    return NULL;
}

/* Returns: (transfer full) (nullable): why the server cannot take the message for this recipient */
static SmtpReply *
refuse_recipient (const SmtpCapabilities *capabilities, const MessageRecipient *recipient)
{
    if (!can_be_named (capabilities, recipient->address))
        return smtp_reply_new_ours (550, "5.6.7", "the address is internationalized, and the server lacks SMTPUTF8");
    if (has_control_characters (recipient->address))
        return smtp_reply_new_ours (553, "5.1.3", "the recipient's address has control characters");

    return NULL;
}

/* Keeps those of @wanted that the server is to be asked about, and tells the others. */
static void
client_screen_recipients (SmtpClient *client, const SmtpTransaction *wanted)
{
    ClientTransaction *transaction = client->transaction;
    g_autoptr (SmtpReply) refusal = refuse_message (&client->capabilities, transaction);

    for (guint i = 0; i < wanted->n_recipients; i++) {
        const MessageRecipient *recipient = message_envelope_recipient (wanted->envelope, wanted->recipients[i]);
        g_autoptr (SmtpReply) reply =
            refusal ? smtp_reply_copy (refusal) : refuse_recipient (&client->capabilities, recipient);

        if (!reply) {
            transaction->recipients[transaction->n_recipients++].index = wanted->recipients[i];
            transaction->utf8 |= client->capabilities.smtputf8 && !message_address_is_ascii (recipient->address);
        } else if (!client->freed && client->state == CLIENT_BUSY) {
            client->handlers->result (wanted->recipients[i], reply, client->user_data);
        }
    }
}

/* ---- Commands ---- */

/* Without SMTPUTF8 an address goes by its form in ASCII: those that have none were refused. */
static void
append_path (GString *line, const gchar *command, const gchar *address, gboolean utf8)
{
    g_autofree gchar *ascii = utf8 || message_address_is_ascii (address) ? NULL : message_address_to_ascii (address);

    g_string_append_printf (line, "%s:<%s>", command, ascii != NULL ? ascii : address);
}

static void
client_send_mail (SmtpClient *client)
{
    const ClientTransaction *transaction = client->transaction;
    const MessageEnvelope *envelope = transaction->envelope;
    const SmtpCapabilities *capabilities = &client->capabilities;
    g_autoptr (GString) line = g_string_new (NULL);

    append_path (line, "MAIL FROM", envelope->sender, transaction->utf8);
    if (capabilities->size && transaction->size > 0)
        g_string_append_printf (line, " SIZE=%" G_GUINT64_FORMAT, transaction->size);
    if (capabilities->eightbitmime && envelope->body == MESSAGE_BODY_8BITMIME && !transaction->is_7bit)
        g_string_append (line, " BODY=8BITMIME");
    if (transaction->utf8)
        g_string_append (line, " SMTPUTF8");
    if (capabilities->dsn && envelope->ret != MESSAGE_RETURN_UNSET)
        g_string_append_printf (line, " RET=%s", envelope->ret == MESSAGE_RETURN_FULL ? "FULL" : "HDRS");
    if (capabilities->dsn && envelope->envid) {
        g_string_append (line, " ENVID=");
        smtp_xtext_append (line, envelope->envid, FALSE);
    }

    client_command (client, CLIENT_EXPECTS_MAIL, "%s", line->str);
}

void
client_send_probe (SmtpClient *client, const gchar *sender)
{
    g_autoptr (GString) line = g_string_new (NULL);

    append_path (line, "MAIL FROM", sender, FALSE);
    client->state = CLIENT_RESETTING;
    if (has_control_characters (sender))
        client_fail (client, SMTP_CLIENT_FAILED_REPLY, NULL, "the sender's address has control characters");
    else
        client_command (client, CLIENT_EXPECTS_PROBE, "%s", line->str);
}

static void
append_notify (GString *line, MessageNotify notify)
{
    static const struct {
        MessageNotify flag;
        const gchar *name;
    } names[] = {
        {MESSAGE_NOTIFY_SUCCESS, "SUCCESS"}, {MESSAGE_NOTIFY_FAILURE, "FAILURE"}, {MESSAGE_NOTIFY_DELAY, "DELAY"}};
    const gchar *separator = " NOTIFY=";

    /* It excludes the others (RFC 3461 4.1). */
    if (notify & MESSAGE_NOTIFY_NEVER) {
        g_string_append (line, " NOTIFY=NEVER");
        return;
    }

    for (guint i = 0; i < G_N_ELEMENTS (names); i++) {
        if (notify & names[i].flag) {
            g_string_append_printf (line, "%s%s", separator, names[i].name);
            separator = ",";
        }
    }
}

/* The type of address stands for itself, what follows is xtext (RFC 3461 4.2). */
static void
append_orcpt (GString *line, const gchar *orcpt, gboolean utf8)
{
    const gchar *address = strchr (orcpt, ';');

    if (!address)
        return;

    g_string_append (line, " ORCPT=");
    g_string_append_len (line, orcpt, address + 1 - orcpt);
    smtp_xtext_append (line, address + 1, utf8);
}

static void
client_send_rcpt (SmtpClient *client)
{
    ClientTransaction *transaction = client->transaction;
    guint index = transaction->recipients[transaction->n_sent++].index;
    const MessageRecipient *recipient = message_envelope_recipient (transaction->envelope, index);
    g_autoptr (GString) line = g_string_new (NULL);

    append_path (line, "RCPT TO", recipient->address, transaction->utf8);
    if (client->capabilities.dsn) {
        append_notify (line, recipient->notify);
        if (recipient->orcpt)
            append_orcpt (line, recipient->orcpt, transaction->utf8);
    }

    client_command (client, CLIENT_EXPECTS_RCPT, "%s", line->str);
}

static guint
recipients_ahead_most (const SmtpClient *client)
{
    if (client->capabilities.pipelining)
        return RECIPIENTS_AHEAD_MOST;

    return client->transaction->begun ? 1 : 0;
}

static void
client_send_recipients (SmtpClient *client)
{
    ClientTransaction *transaction = client->transaction;
    guint ahead_most = recipients_ahead_most (client);

    while (transaction->n_sent < transaction->n_recipients && !client_is_full (transaction) &&
           transaction->n_sent - transaction->n_answered < ahead_most)
        client_send_rcpt (client);
}

/* ---- Content ---- */

static void
client_want_content (SmtpClient *client)
{
    client->transaction->content = CLIENT_CONTENT_WANTED;
    client->tell_want_content = TRUE;
}

static void
client_forget_content (SmtpClient *client)
{
    client->transaction->content = CLIENT_CONTENT_OVER;
    client->tell_want_content = FALSE;
}

/* All RCPT are sent: the content may follow them if they are not to be waited for, or are good. */
static void
client_start_content (SmtpClient *client)
{
    ClientTransaction *transaction = client->transaction;

    if (transaction->n_answered < transaction->n_recipients && !client->capabilities.pipelining)
        return;

    if (client->capabilities.chunking) {
        client_want_content (client);
    } else {
        transaction->content = CLIENT_CONTENT_HELD;
        transaction->data = TRUE;
        client_command (client, CLIENT_EXPECTS_DATA, "DATA");
    }
}

/* Another chunk may follow those that are on their way. */
static void
client_continue_chunks (SmtpClient *client)
{
    const ClientTransaction *transaction = client->transaction;
    guint ahead_most = client->capabilities.pipelining ? CHUNKS_AHEAD_MOST : 1;

    if (transaction->n_answered == transaction->n_recipients && transaction->n_accepted > 0 &&
        transaction->n_chunks < ahead_most)
        client_want_content (client);
}

static void
client_send_chunk (SmtpClient *client, GBytes *piece, gboolean last)
{
    ClientTransaction *transaction = client->transaction;
    gsize length = g_bytes_get_size (piece);

    transaction->content = last ? CLIENT_CONTENT_OVER : CLIENT_CONTENT_HELD;
    if (length > 0 || last) {
        transaction->n_chunks++;
        client_command (client, last ? CLIENT_EXPECTS_LAST_CHUNK : CLIENT_EXPECTS_CHUNK, "BDAT %" G_GSIZE_FORMAT "%s",
                        length, last ? " LAST" : "");
        client_send_bytes (client, piece);
    }

    client_advance (client);
}

static void
client_send_stuffed (SmtpClient *client, GBytes *piece, gboolean last)
{
    ClientTransaction *transaction = client->transaction;
    g_autoptr (GBytes) stuffed = smtp_dots_stuff (&transaction->dots, piece);

    client_send_bytes (client, stuffed);
    if (!last) {
        client_want_content (client);
        return;
    }

    g_string_append (client->output, smtp_dots_end (&transaction->dots));
    client_expect (client, CLIENT_EXPECTS_END);
    transaction->content = CLIENT_CONTENT_OVER;
}

void
client_take_content (SmtpClient *client, GBytes *piece, gboolean last)
{
    ClientTransaction *transaction = client->transaction;

    /* The server may have refused it after the owner was asked. */
    if (transaction->content != CLIENT_CONTENT_WANTED)
        return;

    if (transaction->data)
        client_send_stuffed (client, piece, last);
    else
        client_send_chunk (client, piece, last);
}

/* ---- The course of it ---- */

static void
client_finish_transaction (SmtpClient *client)
{
    gboolean begun = client->transaction->begun;

    client_learn_recipients (client);
    client->tell_done = TRUE;
    client->tell_want_content = FALSE;
    g_clear_pointer (&client->transaction, client_transaction_free);
    if (begun)
        client_send_reset (client);
    else
        client_become_ready (client);
}

void
client_advance (SmtpClient *client)
{
    ClientTransaction *transaction = client->transaction;
    gboolean decided = transaction->n_told + transaction->n_put_off == transaction->n_recipients;

    if (client->state != CLIENT_BUSY)
        return;

    if (decided && client->expected->len == 0) {
        client_finish_transaction (client);
        return;
    }
    if (decided)
        return;

    client_send_recipients (client);
    if (client_is_full (transaction) && transaction->n_answered == transaction->n_sent)
        client_put_off_rest (transaction);
    if (transaction->n_sent < transaction->n_recipients)
        return;

    if (transaction->content == CLIENT_CONTENT_LATER)
        client_start_content (client);
    else if (transaction->content == CLIENT_CONTENT_HELD && !transaction->data)
        client_continue_chunks (client);
}

void
client_transaction_start (SmtpClient *client, const SmtpTransaction *wanted)
{
    ClientTransaction *transaction = g_new0 (ClientTransaction, 1);

    client->transaction = transaction;
    transaction->envelope = wanted->envelope;
    transaction->size = wanted->size;
    transaction->utf8 =
        client->capabilities.smtputf8 && (wanted->asks_utf8 || !message_address_is_ascii (wanted->envelope->sender));
    transaction->is_7bit = wanted->is_7bit;
    transaction->recipients = g_new0 (ClientRecipient, wanted->n_recipients);
    client_screen_recipients (client, wanted);

    if (transaction->n_recipients > 0)
        client_send_mail (client);
    client_advance (client);
}

/* ---- Replies ---- */

void
client_take_mail (SmtpClient *client, const SmtpReply *reply)
{
    if (reply->code / 100 == 3) {
        client_fail_nonsense (client, reply, "MAIL");
        return;
    }

    client->transaction->begun = client_reply_is_success (reply);
    if (!client->transaction->begun) {
        client_tell_all (client, reply);
        client_forget_content (client);
    }
    client_advance (client);
}

void
client_take_data (SmtpClient *client, const SmtpReply *reply)
{
    ClientTransaction *transaction = client->transaction;

    if (client_reply_is_success (reply)) {
        client_fail_nonsense (client, reply, "DATA");
    } else if (reply->code / 100 == 3 && transaction->n_accepted > 0) {
        client_want_content (client);
    } else if (reply->code / 100 == 3) {
        client_command (client, CLIENT_EXPECTS_END_OF_NOTHING, ".");
    } else {
        client_tell_all (client, reply);
        client_advance (client);
    }
}

/* The end of the content was answered, whichever way: the server is out of the transaction. */
static void
client_take_verdict (SmtpClient *client, const SmtpReply *reply, const gchar *command)
{
    if (reply->code / 100 == 3) {
        client_fail_nonsense (client, reply, command);
        return;
    }

    client->transaction->begun = FALSE;
    client_tell_all (client, reply);
    client_advance (client);
}

void
client_take_end (SmtpClient *client, const SmtpReply *reply)
{
    client_take_verdict (client, reply, "the end of the message");
}

void
client_take_end_of_nothing (SmtpClient *client, const SmtpReply *reply)
{
    client_take_verdict (client, reply, "the lone dot");
}

static void
client_refuse_chunk (SmtpClient *client, const SmtpReply *reply)
{
    client_tell_all (client, reply);
    client_forget_content (client);
    client_advance (client);
}

void
client_take_chunk (SmtpClient *client, const SmtpReply *reply)
{
    client->transaction->n_chunks--;
    if (reply->code / 100 == 3)
        client_fail_nonsense (client, reply, "BDAT");
    else if (client_reply_is_success (reply))
        client_advance (client);
    else
        client_refuse_chunk (client, reply);
}

void
client_take_last_chunk (SmtpClient *client, const SmtpReply *reply)
{
    client->transaction->n_chunks--;
    if (smtp_reply_is_positive (reply))
        client_take_verdict (client, reply, "the last BDAT");
    else
        client_refuse_chunk (client, reply);
}

void
client_take_interruption (SmtpClient *client, const SmtpReply *reply)
{
    if (!smtp_reply_is_positive (reply))
        client_tell_all (client, reply);
    client_fail (client, SMTP_CLIENT_FAILED_CLOSED, reply, "the server answered before the message was sent");
}
