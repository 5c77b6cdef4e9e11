/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * A queued message
 *
 * Snapshots of messages, their ids and the words for their states. A snapshot is immutable and counted by references
 * from any thread: the reader thread decodes it, the main thread and the rooms above look at it for as long as they
 * like. Snapshots of one message share the parts that are equal (the base, the recipients, the history), each of which
 * is counted too; snapshot.h is how the queue itself makes the next snapshot from the last.
 *
 * An id is written in base 32 with the digits 0-9 and the letters without i, l, o and u, which people confuse with
 * digits or each other; thirteen digits hold 64 bits, and ASCII order is the order of the numbers.
 */

#include <string.h>

#include "queue/message.h"
#include "queue/snapshot.h"

#define ID_DIGIT_BITS 5

static const gchar id_digits[] = "0123456789abcdefghjkmnpqrstvwxyz";

/* What never changes after the arrival. */
typedef struct {
    QueueOrigin origin;
    MessageEnvelope *envelope;
} Base;

/* QueueMessage comes first: the world sees only that. */
typedef struct {
    QueueMessage message;
    Base *base;
    gchar *reason;
    gchar *verdict;
    gboolean own_recipients; /* nobody else has the array of recipients */
    gboolean own_base;       /* and this its origin and envelope */
} Snapshot;

void
queue_id_write (QueueId id, gchar text[QUEUE_ID_TEXT_BYTES])
{
    text[QUEUE_ID_TEXT_BYTES - 1] = '\0';
    for (gint i = QUEUE_ID_TEXT_BYTES - 2; i >= 0; i--) {
        text[i] = id_digits[id & (G_N_ELEMENTS (id_digits) - 2)];
        id >>= ID_DIGIT_BITS;
    }
}

QueueId
queue_id_read (const gchar *text)
{
    QueueId id = 0;

    if (strlen (text) != QUEUE_ID_TEXT_BYTES - 1)
        return 0;
    for (const gchar *c = text; *c != '\0'; c++) {
        const gchar *digit = strchr (id_digits, g_ascii_tolower (*c));

        if (digit == NULL || id >> (64 - ID_DIGIT_BITS) != 0)
            return 0;
        id = id << ID_DIGIT_BITS | (QueueId) (digit - id_digits);
    }

    return id;
}

static const gchar *const state_names[] = {
    [QUEUE_STATE_QUEUED] = "queued",
    [QUEUE_STATE_DELIVERING] = "delivering",
    [QUEUE_STATE_DEFERRED] = "deferred",
    [QUEUE_STATE_HELD] = "held",
};
G_STATIC_ASSERT (G_N_ELEMENTS (state_names) == QUEUE_N_STATES);

const gchar *
queue_state_name (QueueState state)
{
    g_return_val_if_fail ((guint) state < QUEUE_N_STATES, NULL);

    return state_names[state];
}

gboolean
queue_state_from_name (const gchar *name, QueueState *state)
{
    for (guint i = 0; i < QUEUE_N_STATES; i++) {
        if (strcmp (name, state_names[i]) == 0) {
            *state = (QueueState) i;
            return TRUE;
        }
    }

    return FALSE;
}

const gchar *
queue_recipient_state_name (QueueRecipientState state)
{
    switch (state) {
    case QUEUE_RECIPIENT_PENDING:
        return "pending";
    case QUEUE_RECIPIENT_DELIVERED:
        return "delivered";
    case QUEUE_RECIPIENT_FAILED:
        return "failed";
    case QUEUE_RECIPIENT_EXPIRED:
        return "expired";
    }
    g_return_val_if_reached (NULL);
}

static void
recipient_clear (gpointer data)
{
    QueueRecipient *recipient = data;

    g_free (recipient->redirect);
    g_free (recipient->remote);
    g_free (recipient->status);
    g_free (recipient->reply);
}

static void
recipient_unref (gpointer data)
{
    g_atomic_rc_box_release_full (data, recipient_clear);
}

static void
history_entry_clear (gpointer data)
{
    g_free (((QueueHistoryEntry *) data)->text);
}

static void
history_entry_unref (gpointer data)
{
    g_atomic_rc_box_release_full (data, history_entry_clear);
}

static void
base_clear (gpointer data)
{
    Base *base = data;

    g_free (base->origin.peer);
    g_free (base->origin.helo);
    g_free (base->origin.protocol);
    message_envelope_free (base->envelope);
}

static void
snapshot_clear (gpointer data)
{
    Snapshot *snapshot = data;

    g_atomic_rc_box_release_full (snapshot->base, base_clear);
    g_ptr_array_unref (snapshot->message.recipients);
    g_ptr_array_unref (snapshot->message.history);
    g_free (snapshot->reason);
    g_free (snapshot->verdict);
}

QueueMessage *
queue_message_ref (QueueMessage *message)
{
    return g_atomic_rc_box_acquire (message);
}

void
queue_message_unref (QueueMessage *message)
{
    g_atomic_rc_box_release_full (message, snapshot_clear);
}

QueueRecipient *
queue_message_recipient (const QueueMessage *message, guint index)
{
    g_return_val_if_fail (index < message->recipients->len, NULL);

    return g_ptr_array_index (message->recipients, index);
}

guint
queue_message_pending (const QueueMessage *message)
{
    guint pending = 0;

    for (guint i = 0; i < message->recipients->len; i++)
        pending += queue_message_recipient (message, i)->state == QUEUE_RECIPIENT_PENDING;

    return pending;
}

static QueueMessage *
snapshot_alloc (Base *base)
{
    Snapshot *snapshot = g_atomic_rc_box_new0 (Snapshot);

    snapshot->base = base;
    snapshot->message.origin = base->origin;
    snapshot->message.envelope = base->envelope;

    return &snapshot->message;
}

QueueMessage *
queue_snapshot_take (QueueId id, const QueueOrigin *origin, MessageEnvelope *envelope)
{
    Base *base = g_atomic_rc_box_new0 (Base);
    guint n_recipients = envelope->recipients->len;
    QueueMessage *message;

    base->origin = *origin;
    base->envelope = envelope;
    message = snapshot_alloc (base);
    message->id = id;
    message->recipients = g_ptr_array_new_full (n_recipients, recipient_unref);
    if (n_recipients > 0)
        g_ptr_array_add (message->recipients, g_atomic_rc_box_new0 (QueueRecipient));
    for (guint i = 1; i < n_recipients; i++)
        g_ptr_array_add (message->recipients, g_atomic_rc_box_acquire (g_ptr_array_index (message->recipients, 0)));
    message->history = g_ptr_array_new_with_free_func (history_entry_unref);

    return message;
}

QueueMessage *
queue_snapshot_new (QueueId id, const QueueOrigin *origin, const MessageEnvelope *envelope)
{
    const QueueOrigin copy = {.uid = origin->uid,
                              .peer = g_strdup (origin->peer),
                              .helo = g_strdup (origin->helo),
                              .protocol = g_strdup (origin->protocol)};

    return queue_snapshot_take (id, &copy, message_envelope_copy (envelope));
}

static GPtrArray *
array_share (GPtrArray *array, GDestroyNotify element_unref)
{
    GPtrArray *shared = g_ptr_array_new_full (array->len, element_unref);

    for (guint i = 0; i < array->len; i++)
        g_ptr_array_add (shared, g_atomic_rc_box_acquire (g_ptr_array_index (array, i)));

    return shared;
}

QueueMessage *
queue_snapshot_copy (const QueueMessage *message)
{
    const Snapshot *from = (const Snapshot *) message;
    QueueMessage *copy = snapshot_alloc (g_atomic_rc_box_acquire (from->base));

    copy->id = message->id;
    copy->state = message->state;
    copy->recipients = g_ptr_array_ref (message->recipients);
    copy->size = message->size;
    copy->arrival_usec = message->arrival_usec;
    copy->next_usec = message->next_usec;
    copy->attempts = message->attempts;
    copy->history = g_ptr_array_ref (message->history);
    queue_snapshot_set_reason (copy, message->reason);
    queue_snapshot_set_verdict (copy, message->verdict);

    return copy;
}

/* A snapshot's array may be another's too until the first change: from then on this snapshot has its own. */
static void
array_own (GPtrArray **array, GDestroyNotify element_unref)
{
    GPtrArray *own = array_share (*array, element_unref);

    g_ptr_array_unref (*array);
    *array = own;
}

/* @recipient: (transfer full) */
static void
replace (QueueMessage *message, guint index, QueueRecipient *recipient)
{
    if (!((Snapshot *) message)->own_recipients) {
        array_own (&message->recipients, recipient_unref);
        ((Snapshot *) message)->own_recipients = TRUE;
    }
    recipient_unref (g_ptr_array_index (message->recipients, index));
    g_ptr_array_index (message->recipients, index) = recipient;
}

QueueRecipient *
queue_snapshot_change (QueueMessage *message, guint index)
{
    const QueueRecipient *old = queue_message_recipient (message, index);
    QueueRecipient *recipient = g_atomic_rc_box_new0 (QueueRecipient);

    *recipient = *old;
    recipient->redirect = g_strdup (old->redirect);
    recipient->remote = g_strdup (old->remote);
    recipient->status = g_strdup (old->status);
    recipient->reply = g_strdup (old->reply);
    recipient->is_ours = old->is_ours;

    replace (message, index, recipient);

    return recipient;
}

void
queue_snapshot_share (QueueMessage *message, guint index, guint model)
{
    replace (message, index, g_atomic_rc_box_acquire (queue_message_recipient (message, model)));
}

/* A snapshot of its own origin and envelope, which it shared with others so far. */
static void
base_own (Snapshot *snapshot)
{
    const Base *old = snapshot->base;
    Base *own = g_atomic_rc_box_new0 (Base);

    own->origin = old->origin;
    own->origin.peer = g_strdup (old->origin.peer);
    own->origin.helo = g_strdup (old->origin.helo);
    own->origin.protocol = g_strdup (old->origin.protocol);
    own->envelope = message_envelope_copy (old->envelope);
    g_atomic_rc_box_release_full (snapshot->base, base_clear);
    snapshot->base = own;
    snapshot->own_base = TRUE;
    snapshot->message.origin = own->origin;
    snapshot->message.envelope = own->envelope;
}

void
queue_snapshot_redirect (QueueMessage *message, const guint *recipients, guint n, const gchar *address)
{
    Snapshot *snapshot = (Snapshot *) message;

    if (!snapshot->own_base)
        base_own (snapshot);
    for (guint i = 0; i < n; i++) {
        QueueRecipient *recipient = queue_snapshot_change (message, recipients[i]);

        message_envelope_redirect (message->envelope, recipients[i], address);
        g_free (recipient->redirect);
        recipient->redirect = g_strdup (address);
    }
}

static gint64
history_usec (const QueueMessage *message, guint position)
{
    return ((QueueHistoryEntry *) g_ptr_array_index (message->history, position))->usec;
}

void
queue_snapshot_note (QueueMessage *message, gint64 usec, const gchar *text)
{
    QueueHistoryEntry *entry = g_atomic_rc_box_new0 (QueueHistoryEntry);
    guint position = message->history->len;

    entry->usec = usec;
    entry->text = g_strdup (text);

    array_own (&message->history, history_entry_unref);
    while (position > 0 && history_usec (message, position - 1) > usec)
        position--;
    g_ptr_array_insert (message->history, (gint) position, entry);
    if (message->history->len > QUEUE_HISTORY_MOST)
        g_ptr_array_remove_range (message->history, 0, message->history->len - QUEUE_HISTORY_MOST);
}

void
queue_snapshot_set_reason (QueueMessage *message, const gchar *reason)
{
    Snapshot *snapshot = (Snapshot *) message;

    g_free (snapshot->reason);
    snapshot->reason = g_strdup (reason);
    message->reason = snapshot->reason;
}

void
queue_snapshot_set_verdict (QueueMessage *message, const gchar *verdict)
{
    Snapshot *snapshot = (Snapshot *) message;

    g_free (snapshot->verdict);
    snapshot->verdict = g_strdup (verdict);
    message->verdict = snapshot->verdict;
}

gsize
queue_snapshot_bytes (const QueueMessage *message)
{
    /* Measured with glibc: a pending recipient with its address, and the rest with short strings. */
    const gsize recipient_bytes = 200, rest_bytes = 700, history_bytes = 150;

    return rest_bytes + message->recipients->len * recipient_bytes + message->history->len * history_bytes;
}
