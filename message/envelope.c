/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Envelope
 *
 * A plain record: the strings belong to it, everything else is a value. Its one duty beyond that is that an address
 * is in it only once, which for a message to thousands of recipients has to be known without walking through them.
 * Most messages have one or two recipients, and a million of them wait in the queue: so the table that finds an
 * address is only made when an envelope has grown past LOOKUP_WORTHWHILE recipients.
 *
 * The table is a hint, never the truth: whoever holds a recipient may complete its address in place, so what the
 * table finds is compared before it is believed.
 */

#include "message/address.h"
#include "message/envelope.h"

/* Below this many recipients, comparing with each of them is faster than hashing and smaller by a table. */
#define LOOKUP_WORTHWHILE 16

/* Keys are allocated so many bytes at a time. */
#define KEYS_BYTES 4096

static void
recipient_free (gpointer data)
{
    MessageRecipient *recipient = data;

    g_free (recipient->address);
    g_free (recipient->orcpt);
    g_free (recipient);
}

MessageEnvelope *
message_envelope_new (const gchar *sender)
{
    MessageEnvelope *envelope;

    g_return_val_if_fail (sender != NULL, NULL);

    envelope = g_new0 (MessageEnvelope, 1);
    envelope->sender = g_strdup (sender);
    envelope->recipients = g_ptr_array_new_with_free_func (recipient_free);

    return envelope;
}

static MessageRecipient *
append (MessageEnvelope *envelope, const gchar *address)
{
    MessageRecipient *recipient = g_new0 (MessageRecipient, 1);

    recipient->address = g_strdup (address);
    g_ptr_array_add (envelope->recipients, recipient);

    return recipient;
}

MessageEnvelope *
message_envelope_copy (const MessageEnvelope *envelope)
{
    MessageEnvelope *copy;

    g_return_val_if_fail (envelope != NULL, NULL);

    copy = message_envelope_new (envelope->sender);
    copy->envid = g_strdup (envelope->envid);
    copy->ret = envelope->ret;
    copy->body = envelope->body;
    copy->smtputf8 = envelope->smtputf8;
    copy->long_lines = envelope->long_lines;

    for (guint i = 0; i < envelope->recipients->len; i++) {
        const MessageRecipient *recipient = message_envelope_recipient (envelope, i);
        MessageRecipient *added = append (copy, recipient->address);

        added->orcpt = g_strdup (recipient->orcpt);
        added->notify = recipient->notify;
    }

    return copy;
}

static void
forget_lookup (MessageEnvelope *envelope)
{
    g_clear_pointer (&envelope->lookup, g_hash_table_unref);
    g_clear_pointer (&envelope->keys, g_string_chunk_free);
}

void
message_envelope_free (MessageEnvelope *envelope)
{
    if (envelope == NULL)
        return;

    forget_lookup (envelope);
    g_ptr_array_unref (envelope->recipients);
    g_free (envelope->sender);
    g_free (envelope->envid);
    g_free (envelope);
}

static MessageRecipient *
find_by_walking (const MessageEnvelope *envelope, const gchar *address)
{
    for (guint i = 0; i < envelope->recipients->len; i++) {
        MessageRecipient *recipient = message_envelope_recipient (envelope, i);

        if (message_address_equal (recipient->address, address))
            return recipient;
    }

    return NULL;
}

static void
remember (MessageEnvelope *envelope, guint index)
{
    const MessageRecipient *recipient = message_envelope_recipient (envelope, index);

    g_hash_table_insert (envelope->lookup, g_string_chunk_insert (envelope->keys, recipient->address),
                         GUINT_TO_POINTER (index));
}

static MessageRecipient *
find_by_lookup (MessageEnvelope *envelope, const gchar *address)
{
    gpointer value;
    MessageRecipient *recipient;

    if (envelope->lookup == NULL) {
        envelope->lookup = g_hash_table_new (g_str_hash, g_str_equal);
        envelope->keys = g_string_chunk_new (KEYS_BYTES);
        for (guint i = 0; i < envelope->recipients->len; i++)
            remember (envelope, i);
    }

    if (!g_hash_table_lookup_extended (envelope->lookup, address, NULL, &value))
        return NULL;

    recipient = message_envelope_recipient (envelope, GPOINTER_TO_UINT (value));
    if (message_address_equal (recipient->address, address))
        return recipient;

    return find_by_walking (envelope, address);
}

static MessageRecipient *
find (MessageEnvelope *envelope, const gchar *address)
{
    if (envelope->recipients->len < LOOKUP_WORTHWHILE)
        return find_by_walking (envelope, address);

    return find_by_lookup (envelope, address);
}

MessageRecipient *
message_envelope_add (MessageEnvelope *envelope, const gchar *address)
{
    MessageRecipient *recipient;

    g_return_val_if_fail (envelope != NULL, NULL);
    g_return_val_if_fail (address != NULL, NULL);

    recipient = find (envelope, address);
    if (recipient != NULL)
        return recipient;

    recipient = append (envelope, address);
    if (envelope->lookup != NULL)
        remember (envelope, envelope->recipients->len - 1);

    return recipient;
}

MessageRecipient *
message_envelope_recipient (const MessageEnvelope *envelope, guint index)
{
    g_return_val_if_fail (envelope != NULL, NULL);
    g_return_val_if_fail (index < envelope->recipients->len, NULL);

    return g_ptr_array_index (envelope->recipients, index);
}

void
message_envelope_redirect (MessageEnvelope *envelope, guint index, const gchar *address)
{
    MessageRecipient *recipient = message_envelope_recipient (envelope, index);

    g_return_if_fail (recipient != NULL);

    if (recipient->orcpt == NULL)
        recipient->orcpt =
            g_strconcat (g_str_is_ascii (recipient->address) ? "rfc822;" : "utf-8;", recipient->address, NULL);
    envelope->smtputf8 |= !message_address_is_ascii (address);
    g_free (recipient->address);
    recipient->address = g_strdup (address);
    forget_lookup (envelope);
}
