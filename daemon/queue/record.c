/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The parts of a message as bytes
 *
 * The same bytes stand in a journal's record and in a GDBM value, so that sealing copies them as they are. Numbers are
 * little-endian; "varint" is 7 bits a byte, low ones first; "text" is a varint (0: NULL, else the length + 1) and the
 * bytes. Every checksum is the business of the file that holds the part.
 *
 * Head, 32 bytes:
 *     0 u32 flags (QueueHeadFlags)      4 u32 pending recipients     8 i64 next attempt, µs since the epoch
 *    16 u64 bits of pending recipients  24 u32 hash of the remote    28 u32 attempts
 *
 * Summary, 36 bytes:
 *     0 i64 arrival, µs since the epoch  8 u64 size  16 i64 uid, or -1, or -2  24 u32 hash of the sender
 *    28 u32 recipients                  32 u32 chunks
 *
 * Message: u8 version 1, head, summary, text peer, text helo, text protocol, text sender, text envid, u8 RET (of
 *     MessageReturn), u8 BODY (of MessageBody), u8 SMTPUTF8, then for each recipient text address, text orcpt,
 *     u8 NOTIFY (of MessageNotify). In version 2 u8 flags of the content (1: it has long lines) stand behind SMTPUTF8.
 *
 * State: u8 version 1, head, varint entries of history, each u64 µs and text; in version 3 the text of why somebody gave
 *     the message up, or none; varint n recipients, each varint index
 *     within the segment, u8 state (of QueueRecipientState), u8 flags (1: delay notified; from version 2 on also 2:
 *     redirected, then the text of the new address follows; from version 3 on also 4: the reply is the relay's own), varint
 *     attempts, i64 last attempt, then remote, status and reply, each either a text or, as the varint 1, "as the recipient before". The
 *     recipients that are not listed are as they were at the arrival.
 *
 *     A message of several segments has its history in each of them as it was when that segment was written; the
 *     newest entries of all are the history. A state that ends behind its head stands for one that the disk damaged: who
 *     got the message is not known, and it is as damaged as that one was.
 *
 * A content chunk is its bytes. Heads are u64 id and head, repeated. A removal is u64 ids. A probe is empty.
 *
 *     Of each the lowest version is written that can say it: version 2 of a message if it has one of the flags, of a state
 *     if the segment has redirected recipients, version 3 if it has replies of the relay's own, or if the message was given
 *     up with a reason.
 *
 * Versions: a reader refuses a version that it does not know. The order of fields of version 1 is fixed for good;
 * what comes later gets a new version, and this file goes on reading the old.
 */

#include <string.h>

#include "message/address.h"
#include "queue/record.h"
#include "queue/snapshot.h"

/* Of the record of a message to one recipient */
#define MESSAGE_USUAL_BYTES 256

#define MESSAGE_VERSION          1
#define MESSAGE_VERSION_FLAGS    2
#define STATE_VERSION            1
#define STATE_VERSION_REDIRECTED 2
#define STATE_VERSION_VERDICT    3

#define LONG_LINES 1

#define DELAY_NOTIFIED 1
#define REDIRECTED     2
#define OURS           4

guint64
queue_record_bits (const gchar *text)
{
    guint32 hash = queue_bytes_hash_text (text);

    return G_GUINT64_CONSTANT (1) << (hash & 63) | G_GUINT64_CONSTANT (1) << (hash >> 6 & 63);
}

guint64
queue_record_chunks (guint64 size)
{
    return size / QUEUE_CHUNK_BYTES + (size % QUEUE_CHUNK_BYTES != 0);
}

guint
queue_record_segments (guint n_recipients)
{
    return (n_recipients + QUEUE_SEGMENT_RECIPIENTS - 1) / QUEUE_SEGMENT_RECIPIENTS;
}

void
queue_record_put_head (GByteArray *bytes, const QueueHead *head)
{
    queue_bytes_put_u32 (bytes, head->flags);
    queue_bytes_put_u32 (bytes, head->pending);
    queue_bytes_put_u64 (bytes, (guint64) head->next_usec);
    queue_bytes_put_u64 (bytes, head->recipients);
    queue_bytes_put_u32 (bytes, head->remote);
    queue_bytes_put_u32 (bytes, head->attempts);
}

void
queue_span_head (QueueSpan *span, QueueHead *head)
{
    head->flags = queue_span_u32 (span);
    head->pending = queue_span_u32 (span);
    head->next_usec = (gint64) queue_span_u64 (span);
    head->recipients = queue_span_u64 (span);
    head->remote = queue_span_u32 (span);
    head->attempts = queue_span_u32 (span);
}

void
queue_record_put_summary (GByteArray *bytes, const QueueSummary *summary)
{
    queue_bytes_put_u64 (bytes, (guint64) summary->arrival_usec);
    queue_bytes_put_u64 (bytes, summary->size);
    queue_bytes_put_u64 (bytes, (guint64) summary->uid);
    queue_bytes_put_u32 (bytes, summary->sender);
    queue_bytes_put_u32 (bytes, summary->n_recipients);
    queue_bytes_put_u32 (bytes, summary->n_chunks);
}

void
queue_span_summary (QueueSpan *span, QueueSummary *summary)
{
    summary->arrival_usec = (gint64) queue_span_u64 (span);
    summary->size = queue_span_u64 (span);
    summary->uid = (gint64) queue_span_u64 (span);
    summary->sender = queue_span_u32 (span);
    summary->n_recipients = queue_span_u32 (span);
    summary->n_chunks = queue_span_u32 (span);
}

void
queue_record_fill_head (const QueueMessage *message, QueueHead *head)
{
    gint64 newest_usec = 0;

    head->pending = 0;
    head->recipients = 0;
    head->remote = 0;
    for (guint i = 0; i < message->recipients->len; i++) {
        const QueueRecipient *recipient = queue_message_recipient (message, i);
        const gchar *address = message_envelope_recipient (message->envelope, i)->address;
        const gchar *domain = message_address_domain (address);

        if (recipient->remote != NULL && recipient->last_usec >= newest_usec) {
            newest_usec = recipient->last_usec;
            head->remote = queue_bytes_hash_text (recipient->remote);
        }
        if (recipient->state != QUEUE_RECIPIENT_PENDING)
            continue;
        head->pending++;
        head->recipients |= queue_record_bits (address);
        if (domain != NULL)
            head->recipients |= queue_record_bits (domain);
    }
}

GBytes *
queue_record_message (const QueueMessage *message, const QueueHead *head, const QueueSummary *summary)
{
    const MessageEnvelope *envelope = message->envelope;
    GByteArray *bytes = g_byte_array_sized_new (MESSAGE_USUAL_BYTES);

    queue_bytes_put_u8 (bytes, envelope->long_lines ? MESSAGE_VERSION_FLAGS : MESSAGE_VERSION);
    queue_record_put_head (bytes, head);
    queue_record_put_summary (bytes, summary);
    queue_bytes_put_text (bytes, message->origin.peer);
    queue_bytes_put_text (bytes, message->origin.helo);
    queue_bytes_put_text (bytes, message->origin.protocol);
    queue_bytes_put_text (bytes, envelope->sender);
    queue_bytes_put_text (bytes, envelope->envid);
    queue_bytes_put_u8 (bytes, (guint8) envelope->ret);
    queue_bytes_put_u8 (bytes, (guint8) envelope->body);
    queue_bytes_put_u8 (bytes, envelope->smtputf8 != FALSE);
    if (envelope->long_lines)
        queue_bytes_put_u8 (bytes, LONG_LINES);
    for (guint i = 0; i < envelope->recipients->len; i++) {
        const MessageRecipient *recipient = message_envelope_recipient (envelope, i);

        queue_bytes_put_text (bytes, recipient->address);
        queue_bytes_put_text (bytes, recipient->orcpt);
        queue_bytes_put_u8 (bytes, (guint8) recipient->notify);
    }

    return g_byte_array_free_to_bytes (bytes);
}

static QueueSpan
span_of (GBytes *payload)
{
    gsize length;
    const guint8 *data = g_bytes_get_data (payload, &length);

    return (QueueSpan){.data = data, .left = length};
}

static MessageEnvelope *
read_envelope (QueueSpan *span, guint8 version, guint n_recipients)
{
    g_autofree gchar *sender = queue_span_text (span);
    g_autoptr (MessageEnvelope) envelope = message_envelope_new (sender == NULL ? "" : sender);

    envelope->envid = queue_span_text (span);
    envelope->ret = queue_span_u8 (span);
    envelope->body = queue_span_u8 (span);
    envelope->smtputf8 = queue_span_u8 (span);
    if (version == MESSAGE_VERSION_FLAGS)
        envelope->long_lines = (queue_span_u8 (span) & LONG_LINES) != 0;
    for (guint i = 0; i < n_recipients && !span->bad; i++) {
        g_autofree gchar *address = queue_span_text (span);
        g_autofree gchar *orcpt = queue_span_text (span);
        guint8 notify = queue_span_u8 (span);
        MessageRecipient *recipient;

        if (span->bad || address == NULL)
            return NULL;
        recipient = message_envelope_add (envelope, address);
        g_free (recipient->orcpt);
        recipient->orcpt = g_steal_pointer (&orcpt);
        recipient->notify = notify;
    }
    if (span->bad || sender == NULL || envelope->recipients->len != n_recipients || n_recipients == 0)
        return NULL;

    return g_steal_pointer (&envelope);
}

static gboolean
is_message_version (guint8 version)
{
    return version == MESSAGE_VERSION || version == MESSAGE_VERSION_FLAGS;
}

GBytes *
queue_record_with_head (GBytes *payload, const QueueHead *head)
{
    gsize length;
    const guint8 *data = g_bytes_get_data (payload, &length);
    GByteArray *bytes = g_byte_array_sized_new ((guint) length);

    if (length <= QUEUE_HEAD_BYTES)
        return g_bytes_ref (payload);
    g_byte_array_append (bytes, data, 1);
    queue_record_put_head (bytes, head);
    g_byte_array_append (bytes, data + bytes->len, (guint) length - bytes->len);

    return g_byte_array_free_to_bytes (bytes);
}

gboolean
queue_record_message_front (GBytes *payload, QueueHead *head, QueueSummary *summary)
{
    QueueSpan span = span_of (payload);

    if (!is_message_version (queue_span_u8 (&span)))
        return FALSE;
    queue_span_head (&span, head);
    queue_span_summary (&span, summary);

    return !span.bad;
}

QueueMessage *
queue_record_read_message (GBytes *payload, QueueId id, QueueHead *head, QueueSummary *summary)
{
    QueueSpan span = span_of (payload);
    QueueOrigin origin;
    MessageEnvelope *envelope;
    QueueMessage *message;
    guint8 version = queue_span_u8 (&span);

    if (!is_message_version (version))
        return NULL;
    queue_span_head (&span, head);
    queue_span_summary (&span, summary);
    if (span.bad)
        return NULL;

    origin.uid = MAX (summary->uid, QUEUE_UID_UNKNOWN);
    origin.peer = queue_span_text (&span);
    origin.helo = queue_span_text (&span);
    origin.protocol = queue_span_text (&span);
    envelope = read_envelope (&span, version, summary->n_recipients);
    if (envelope == NULL) {
        g_free (origin.peer);
        g_free (origin.helo);
        g_free (origin.protocol);
        return NULL;
    }
    message = queue_snapshot_take (id, &origin, envelope);
    message->size = summary->size;
    message->arrival_usec = summary->arrival_usec;

    return message;
}

/* "As the recipient before": thousands of recipients usually share one reply. No text is that: texts are 0 or 1 + length,
 * and the empty one is written as NULL. */
#define SAME_TEXT 1

static void
put_text_after (GByteArray *bytes, const gchar *text, const gchar *before)
{
    if (text != NULL && *text == '\0')
        text = NULL;
    if (text != NULL && g_strcmp0 (text, before) == 0)
        queue_bytes_put_varint (bytes, SAME_TEXT);
    else
        queue_bytes_put_text (bytes, text);
}

static gchar *
span_text_after (QueueSpan *span, const gchar *before)
{
    if (span->left > 0 && *span->data == SAME_TEXT) {
        queue_span_u8 (span);
        return g_strdup (before);
    }

    return queue_span_text (span);
}

static gboolean
is_untouched (const QueueRecipient *recipient)
{
    return recipient->state == QUEUE_RECIPIENT_PENDING && recipient->last_usec == 0 && recipient->attempts == 0 &&
           !recipient->delay_notified && recipient->redirect == NULL && recipient->remote == NULL &&
           recipient->status == NULL && recipient->reply == NULL;
}

static void
put_recipients (GByteArray *bytes, const QueueMessage *message, guint segment)
{
    guint first = segment * QUEUE_SEGMENT_RECIPIENTS;
    guint end = MIN (first + QUEUE_SEGMENT_RECIPIENTS, message->recipients->len);
    const QueueRecipient none = {0}, *before = &none;
    guint n = 0;

    for (guint i = first; i < end; i++)
        n += !is_untouched (queue_message_recipient (message, i));
    queue_bytes_put_varint (bytes, n);

    for (guint i = first; i < end; i++) {
        const QueueRecipient *recipient = queue_message_recipient (message, i);

        if (is_untouched (recipient))
            continue;
        queue_bytes_put_varint (bytes, i - first);
        queue_bytes_put_u8 (bytes, (guint8) recipient->state);
        queue_bytes_put_u8 (bytes, (recipient->delay_notified ? DELAY_NOTIFIED : 0) |
                                       (recipient->redirect != NULL ? REDIRECTED : 0) |
                                       (recipient->is_ours ? OURS : 0));
        if (recipient->redirect != NULL)
            queue_bytes_put_text (bytes, recipient->redirect);
        queue_bytes_put_varint (bytes, recipient->attempts);
        queue_bytes_put_u64 (bytes, (guint64) recipient->last_usec);
        put_text_after (bytes, recipient->remote, before->remote);
        put_text_after (bytes, recipient->status, before->status);
        put_text_after (bytes, recipient->reply, before->reply);
        before = recipient;
    }
}

static guint8
state_version (const QueueMessage *message, guint segment)
{
    guint first = segment * QUEUE_SEGMENT_RECIPIENTS;
    guint end = MIN (first + QUEUE_SEGMENT_RECIPIENTS, message->recipients->len);

    guint8 version = STATE_VERSION;

    if (message->verdict != NULL)
        return STATE_VERSION_VERDICT;

    for (guint i = first; i < end; i++) {
        const QueueRecipient *recipient = queue_message_recipient (message, i);

        if (recipient->is_ours)
            return STATE_VERSION_VERDICT;
        if (recipient->redirect != NULL)
            version = STATE_VERSION_REDIRECTED;
    }

    return version;
}

static gboolean
is_state_version (guint8 version)
{
    return version >= STATE_VERSION && version <= STATE_VERSION_VERDICT;
}

GBytes *
queue_record_state (const QueueMessage *message, guint segment, const QueueHead *head)
{
    GByteArray *bytes = g_byte_array_new ();
    guint8 version = state_version (message, segment);

    queue_bytes_put_u8 (bytes, version);
    queue_record_put_head (bytes, head);
    queue_bytes_put_varint (bytes, message->history->len);
    for (guint i = 0; i < message->history->len; i++) {
        const QueueHistoryEntry *entry = g_ptr_array_index (message->history, i);

        queue_bytes_put_u64 (bytes, (guint64) entry->usec);
        queue_bytes_put_text (bytes, entry->text);
    }
    if (version == STATE_VERSION_VERDICT)
        queue_bytes_put_text (bytes, message->verdict);
    put_recipients (bytes, message, segment);

    return g_byte_array_free_to_bytes (bytes);
}

GBytes *
queue_record_lost_state (const QueueHead *head)
{
    GByteArray *bytes = g_byte_array_new ();

    queue_bytes_put_u8 (bytes, STATE_VERSION);
    queue_record_put_head (bytes, head);

    return g_byte_array_free_to_bytes (bytes);
}

gboolean
queue_record_fits_head (const QueueMessage *message, const QueueHead *head)
{
    QueueHead made = {0};

    if (queue_record_segments (message->recipients->len) > 1)
        return TRUE;
    queue_record_fill_head (message, &made);

    return made.pending == head->pending && made.recipients == head->recipients;
}

gboolean
queue_record_state_head (GBytes *payload, QueueHead *head)
{
    QueueSpan span = span_of (payload);

    if (!is_state_version (queue_span_u8 (&span)))
        return FALSE;
    queue_span_head (&span, head);

    return !span.bad;
}

GBytes *
queue_record_one_head (QueueId id, const QueueHead *head)
{
    GByteArray *bytes = g_byte_array_new ();

    queue_bytes_put_u64 (bytes, id);
    queue_record_put_head (bytes, head);

    return g_byte_array_free_to_bytes (bytes);
}

GBytes *
queue_record_removal (QueueId id)
{
    GByteArray *bytes = g_byte_array_new ();

    queue_bytes_put_u64 (bytes, id);

    return g_byte_array_free_to_bytes (bytes);
}

/* Whether the message's history has that entry already: from the record of another segment. */
static gboolean
history_has (const QueueMessage *message, gint64 usec, const gchar *text)
{
    for (guint i = 0; i < message->history->len; i++) {
        const QueueHistoryEntry *entry = g_ptr_array_index (message->history, i);

        if (entry->usec == usec && strcmp (entry->text, text) == 0)
            return TRUE;
    }

    return FALSE;
}

static void
read_history (QueueSpan *span, QueueMessage *message)
{
    guint64 n = queue_span_varint (span);

    for (guint64 i = 0; i < n && !span->bad; i++) {
        gint64 usec = (gint64) queue_span_u64 (span);
        g_autofree gchar *text = queue_span_text (span);

        if (text != NULL && !history_has (message, usec, text))
            queue_snapshot_note (message, usec, text);
    }
}

static void
read_verdict (QueueSpan *span, QueueMessage *message)
{
    g_autofree gchar *verdict = queue_span_text (span);

    if (verdict != NULL)
        queue_snapshot_set_verdict (message, verdict);
}

static gboolean
read_redirect (QueueSpan *span, guint index, QueueMessage *message)
{
    g_autofree gchar *address = queue_span_text (span);

    if (address == NULL || *address == '\0')
        return FALSE;
    queue_snapshot_redirect (message, &index, 1, address);

    return TRUE;
}

static gboolean
is_same (const QueueRecipient *a, const QueueRecipient *b)
{
    return a->state == b->state && a->delay_notified == b->delay_notified && a->is_ours == b->is_ours &&
           a->attempts == b->attempts && a->last_usec == b->last_usec && g_strcmp0 (a->redirect, b->redirect) == 0 &&
           g_strcmp0 (a->remote, b->remote) == 0 && g_strcmp0 (a->status, b->status) == 0 &&
           g_strcmp0 (a->reply, b->reply) == 0;
}

gboolean
queue_record_apply_state (GBytes *payload, guint segment, QueueMessage *message)
{
    QueueSpan span = span_of (payload);
    QueueHead head;
    const QueueRecipient none = {0}, *before = &none;
    guint first = segment * QUEUE_SEGMENT_RECIPIENTS;
    guint64 n, least = 0, index_before = 0;
    guint8 version;

    version = queue_span_u8 (&span);
    if (!is_state_version (version))
        return FALSE;
    queue_span_head (&span, &head);
    read_history (&span, message);
    if (version == STATE_VERSION_VERDICT)
        read_verdict (&span, message);
    n = queue_span_varint (&span);
    for (guint64 i = 0; i < n && !span.bad; i++) {
        guint64 index = queue_span_varint (&span);
        QueueRecipient *recipient;
        guint8 flags;

        if (span.bad || index < least || index >= QUEUE_SEGMENT_RECIPIENTS ||
            first + index >= message->recipients->len)
            return FALSE;
        least = index + 1;
        recipient = queue_snapshot_change (message, first + (guint) index);
        recipient->state = queue_span_u8 (&span);
        flags = queue_span_u8 (&span);
        recipient->delay_notified = (flags & DELAY_NOTIFIED) != 0;
        if (version >= STATE_VERSION_REDIRECTED && (flags & REDIRECTED) != 0 &&
            !read_redirect (&span, first + (guint) index, message))
            return FALSE;
        recipient = queue_message_recipient (message, first + (guint) index);
        recipient->is_ours = version >= STATE_VERSION_VERDICT && (flags & OURS) != 0;
        recipient->attempts = (guint) queue_span_varint (&span);
        recipient->last_usec = (gint64) queue_span_u64 (&span);
        recipient->remote = span_text_after (&span, before->remote);
        recipient->status = span_text_after (&span, before->status);
        recipient->reply = span_text_after (&span, before->reply);
        if (recipient->state > QUEUE_RECIPIENT_EXPIRED)
            return FALSE;
        if (before != &none && is_same (before, recipient))
            queue_snapshot_share (message, first + (guint) index, first + (guint) index_before);
        before = queue_message_recipient (message, first + (guint) index);
        index_before = index;
    }

    return !span.bad;
}
