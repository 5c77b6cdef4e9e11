/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Messages on the bus
 *
 * What a queued message looks like in a reply. Text from outside (replies of remotes, names that clients gave) may
 * hold any bytes, while a bus disconnects a peer that sends a string which is not UTF-8; all such text passes
 * bus_variant_text ().
 */

#include "bus/variant.h"

GVariant *
bus_variant_text (const gchar *text)
{
    if (text == NULL)
        return g_variant_new_string ("");
    if (g_utf8_validate (text, -1, NULL))
        return g_variant_new_string (text);
    return g_variant_new_take_string (g_utf8_make_valid (text, -1));
}

GVariant *
bus_variant_time (gint64 usec)
{
    return g_variant_new_uint64 (usec > 0 ? (guint64) usec : 0);
}

static guint
first_pending (const QueueMessage *message)
{
    for (guint i = 0; i < message->recipients->len; i++) {
        if (queue_message_recipient (message, i)->state == QUEUE_RECIPIENT_PENDING)
            return i;
    }
    return 0;
}

static const gchar *
recipient_address (const QueueMessage *message, guint index)
{
    if (index >= message->envelope->recipients->len)
        return "";
    return message_envelope_recipient (message->envelope, index)->address;
}

GVariant *
bus_variant_row (const QueueMessage *message)
{
    gchar id[QUEUE_ID_TEXT_BYTES];
    GVariant *fields[12];

    queue_id_write (message->id, id);
    fields[0] = g_variant_new_string (id);
    fields[1] = g_variant_new_string (queue_state_name (message->state));
    fields[2] = g_variant_new_int64 (message->origin.uid);
    fields[3] = bus_variant_text (message->envelope->sender);
    fields[4] = bus_variant_text (recipient_address (message, first_pending (message)));
    fields[5] = g_variant_new_uint32 (message->recipients->len);
    fields[6] = g_variant_new_uint32 (queue_message_pending (message));
    fields[7] = g_variant_new_uint64 (message->size);
    fields[8] = bus_variant_time (message->arrival_usec);
    fields[9] = bus_variant_time (message->next_usec);
    fields[10] = g_variant_new_uint32 (message->attempts);
    fields[11] = bus_variant_text (message->reason);
    return g_variant_new_tuple (fields, G_N_ELEMENTS (fields));
}

static void
append_field (GString *out, const gchar *text)
{
    g_autofree gchar *valid = NULL;

    if (text != NULL && !g_utf8_validate (text, -1, NULL))
        text = valid = g_utf8_make_valid (text, -1);
    g_string_append (out, text != NULL ? text : "");
    g_string_append_c (out, '\0');
}

static void
append_number (GString *out, guint64 number)
{
    gchar digits[24];
    gchar *start = digits + sizeof digits;

    *--start = '\0';
    do
        *--start = (gchar) ('0' + number % 10);
    while ((number /= 10) > 0);
    g_string_append_len (out, start, digits + sizeof digits - start);
}

void
bus_variant_append_row (GString *out, const QueueMessage *message)
{
    gchar id[QUEUE_ID_TEXT_BYTES];

    queue_id_write (message->id, id);
    append_field (out, id);
    append_field (out, queue_state_name (message->state));
    if (message->origin.uid < 0)
        append_field (out, "-1");
    else
        append_number (out, (guint64) message->origin.uid);
    append_field (out, message->envelope->sender);
    append_field (out, recipient_address (message, first_pending (message)));
    append_number (out, message->recipients->len);
    append_number (out, queue_message_pending (message));
    append_number (out, message->size);
    append_number (out, (guint64) MAX (0, message->arrival_usec));
    append_number (out, (guint64) MAX (0, message->next_usec));
    append_number (out, message->attempts);
    append_field (out, message->reason);
}

static GVariant *
get_id (const QueueMessage *message)
{
    gchar id[QUEUE_ID_TEXT_BYTES];

    queue_id_write (message->id, id);
    return g_variant_new_string (id);
}

static GVariant *
get_state (const QueueMessage *message)
{
    return g_variant_new_string (queue_state_name (message->state));
}

static GVariant *
get_reason (const QueueMessage *message)
{
    return bus_variant_text (message->reason);
}

static GVariant *
get_sender (const QueueMessage *message)
{
    return bus_variant_text (message->envelope->sender);
}

static GVariant *
get_recipients (const QueueMessage *message)
{
    GVariantBuilder builder;

    g_variant_builder_init (&builder, G_VARIANT_TYPE ("a(ssutsss)"));
    for (guint i = 0; i < message->recipients->len; i++) {
        const QueueRecipient *recipient = queue_message_recipient (message, i);
        GVariant *fields[] = {
            bus_variant_text (recipient_address (message, i)),
            g_variant_new_string (queue_recipient_state_name (recipient->state)),
            g_variant_new_uint32 (recipient->attempts),
            bus_variant_time (recipient->last_usec),
            bus_variant_text (recipient->remote),
            bus_variant_text (recipient->status),
            bus_variant_text (recipient->reply),
        };

        g_variant_builder_add_value (&builder, g_variant_new_tuple (fields, G_N_ELEMENTS (fields)));
    }
    return g_variant_builder_end (&builder);
}

/* Whose word a recipient's reply is. What an old version wrote of its own does not say so, if it named a remote. */
static const gchar *
decider (const QueueRecipient *recipient)
{
    if (recipient->reply == NULL)
        return "";

    return recipient->is_ours || recipient->remote == NULL ? "relay" : "remote";
}

static GVariant *
get_decided_by (const QueueMessage *message)
{
    GVariantBuilder builder;

    g_variant_builder_init (&builder, G_VARIANT_TYPE ("as"));
    for (guint i = 0; i < message->recipients->len; i++)
        g_variant_builder_add (&builder, "s", decider (queue_message_recipient (message, i)));
    return g_variant_builder_end (&builder);
}

static GVariant *
get_pending (const QueueMessage *message)
{
    return g_variant_new_uint32 (queue_message_pending (message));
}

static GVariant *
get_size (const QueueMessage *message)
{
    return g_variant_new_uint64 (message->size);
}

static GVariant *
get_arrived (const QueueMessage *message)
{
    return bus_variant_time (message->arrival_usec);
}

static GVariant *
get_next_attempt (const QueueMessage *message)
{
    return bus_variant_time (message->next_usec);
}

static GVariant *
get_attempts (const QueueMessage *message)
{
    return g_variant_new_uint32 (message->attempts);
}

static GVariant *
get_user (const QueueMessage *message)
{
    return g_variant_new_int64 (message->origin.uid);
}

static GVariant *
get_peer (const QueueMessage *message)
{
    return bus_variant_text (message->origin.peer);
}

static GVariant *
get_helo (const QueueMessage *message)
{
    return bus_variant_text (message->origin.helo);
}

static GVariant *
get_protocol (const QueueMessage *message)
{
    return bus_variant_text (message->origin.protocol);
}

static GVariant *
get_envelope_id (const QueueMessage *message)
{
    return bus_variant_text (message->envelope->envid);
}

static GVariant *
get_smtputf8 (const QueueMessage *message)
{
    return g_variant_new_boolean (message->envelope->smtputf8);
}

static GVariant *
get_history (const QueueMessage *message)
{
    GVariantBuilder builder;

    g_variant_builder_init (&builder, G_VARIANT_TYPE ("a(ts)"));
    for (guint i = 0; message->history != NULL && i < message->history->len; i++) {
        const QueueHistoryEntry *entry = g_ptr_array_index (message->history, i);
        GVariant *fields[] = {bus_variant_time (entry->usec), bus_variant_text (entry->text)};

        g_variant_builder_add_value (&builder, g_variant_new_tuple (fields, G_N_ELEMENTS (fields)));
    }
    return g_variant_builder_end (&builder);
}

static const struct {
    const gchar *name;
    GVariant *(*get) (const QueueMessage *message);
} properties[] = {
    {"Id", get_id},
    {"State", get_state},
    {"Reason", get_reason},
    {"Sender", get_sender},
    {"Recipients", get_recipients},
    {"DecidedBy", get_decided_by},
    {"Pending", get_pending},
    {"Size", get_size},
    {"Arrived", get_arrived},
    {"NextAttempt", get_next_attempt},
    {"Attempts", get_attempts},
    {"User", get_user},
    {"Peer", get_peer},
    {"Helo", get_helo},
    {"Protocol", get_protocol},
    {"EnvelopeId", get_envelope_id},
    {"SmtpUtf8", get_smtputf8},
    {"History", get_history},
};

GVariant *
bus_variant_property (const QueueMessage *message, const gchar *name)
{
    for (guint i = 0; i < G_N_ELEMENTS (properties); i++) {
        if (g_str_equal (properties[i].name, name))
            return properties[i].get (message);
    }
    return NULL;
}

GVariant *
bus_variant_properties (const QueueMessage *message)
{
    GVariantBuilder builder;

    g_variant_builder_init (&builder, G_VARIANT_TYPE_VARDICT);
    for (guint i = 0; i < G_N_ELEMENTS (properties); i++)
        g_variant_builder_add (&builder, "{sv}", properties[i].name, properties[i].get (message));
    return g_variant_builder_end (&builder);
}
