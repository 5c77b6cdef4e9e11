/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Notices
 *
 * Tells senders what became of their mail (RFC 3461, 3464): that it failed, that it is late, that it was relayed to
 * a host that will tell no more. One notice for each of these and each attempt, whatever the number of recipients.
 *
 * A notice is a message like any other: it goes into the queue, with the null reverse-path and NOTIFY=NEVER, so that
 * nothing is ever sent about it (RFC 3461 6.2). The original is settled only after the notice is safe, for a failure
 * must not be forgotten before somebody was told; a crash between the two gives a second notice, not none.
 *
 * Who is told what, by NOTIFY= of each recipient (RFC 3461 4.1):
 *   failed, expired   unless NOTIFY was given without FAILURE
 *   delayed           unless NOTIFY was given without DELAY; once for each recipient
 *   relayed           only with SUCCESS, and only if the next hop does not offer DSN
 * Nobody is told anything about a message from the null sender, or about what the configuration discards or holds.
 *
 * The notice returns the original's header, or all of a small original that failed (RET=FULL is a wish, RFC 3461
 * 4.3). An original that cannot be read is no reason to say nothing: the notice goes without.
 *
 * What made the original fail may make the notice fail that returns it: its size, a line, a word that a filter does not
 * like. So a notice that is refused goes once more, with the header alone; a limit on sizes that is known is kept at once.
 * There is never a notice about a notice: one that cannot be made smaller is held.
 */

#include "delivery/notices.h"

#include "delivery/retry.h"
#include "message/address.h"
#include "message/eight-bit.h"
#include "message/header.h"
#include "message/line-check.h"
#include "message/notice.h"

/* What a notice has beside the original, by a generous guess. */
#define FRAME_BYTES (8 * 1024)

/* A notice about more recipients is made in slices of so many, some milliseconds each. */
#define SLICE_RECIPIENTS 500

struct _DeliveryNotices {
    Queue *queue;
    const DeliverySettings *settings;
    DeliverySettled settled;
    gpointer user_data;
    GHashTable *settlements; /* set of Settlement */
};

/* What a notice is made of while it is. */
typedef struct {
    MessageNotice notice;
    gchar *host_name; /* the configuration may be another before it is made */
    gchar *domain;
    gchar id[QUEUE_ID_TEXT_BYTES];
    MessageNoticeBuilder *builder;
    guint idle; /* source: the next slice */
} Draft;

/* An attempt on its way through its notices. */
typedef struct {
    DeliveryNotices *notices; /* (nullable) they went before a commit ended */
    DeliveryAttempt *attempt;
    gint64 now_usec;
    guint actions; /* MessageAction bits that are still to be told */
    MessageAction action;
    QueueReader *reader;  /* (nullable) */
    GByteArray *original; /* what was read */
    gboolean whole;       /* all of the original is wanted */
    gboolean complete;    /* and there */
    Draft *draft;         /* (nullable) the notice that is being made */
    gboolean renews;      /* the message is a notice, and a smaller one is to go in its place */
} Settlement;

static void settlement_advance (Settlement *settlement);
static void settlement_finish (Settlement *settlement);

/* ---- Who is told what ---- */

static gboolean
is_asked_for (MessageNotify notify, MessageNotify what, gboolean by_default)
{
    if (notify == 0)
        return by_default;

    return (notify & what) != 0 && (notify & MESSAGE_NOTIFY_NEVER) == 0;
}

static gboolean
is_late (const DeliveryNotices *self, const DeliveryAttempt *attempt, guint index, gint64 now_usec)
{
    const QueueMessage *message = attempt->job->message;
    guint seconds = self->settings->delay_notice_seconds;

    return seconds > 0 && now_usec - message->arrival_usec >= delivery_usec (seconds) &&
           !queue_message_recipient (message, attempt->job->recipients[index])->delay_notified;
}

static gboolean
is_told (const DeliveryNotices *self, const DeliveryAttempt *attempt, guint index, MessageAction action,
         gint64 now_usec)
{
    const MessageEnvelope *envelope = attempt->job->message->envelope;
    MessageNotify notify = message_envelope_recipient (envelope, attempt->job->recipients[index])->notify;
    QueueOutcome outcome = attempt->answers[index].outcome;

    switch (action) {
    case MESSAGE_ACTION_FAILED:
        return (outcome == QUEUE_OUTCOME_FAILED || outcome == QUEUE_OUTCOME_EXPIRED) &&
               is_asked_for (notify, MESSAGE_NOTIFY_FAILURE, TRUE);
    case MESSAGE_ACTION_DELAYED:
        return outcome == QUEUE_OUTCOME_DEFERRED && is_asked_for (notify, MESSAGE_NOTIFY_DELAY, TRUE) &&
               is_late (self, attempt, index, now_usec);
    case MESSAGE_ACTION_RELAYED:
        return outcome == QUEUE_OUTCOME_DELIVERED && !attempt->passes_dsn &&
               is_asked_for (notify, MESSAGE_NOTIFY_SUCCESS, FALSE);
    case MESSAGE_ACTION_DELIVERED:
        break; /* a relay has no mailboxes */
    }

    return FALSE;
}

static guint
find_actions (const DeliveryNotices *self, const DeliveryAttempt *attempt, gint64 now_usec)
{
    static const MessageAction all[] = {MESSAGE_ACTION_FAILED, MESSAGE_ACTION_DELAYED, MESSAGE_ACTION_RELAYED};
    guint actions = 0;

    if (attempt->is_told || !attempt->job->message->envelope->sender[0])
        return 0;

    for (guint i = 0; i < attempt->job->n_recipients; i++)
        for (guint j = 0; j < G_N_ELEMENTS (all); j++)
            if (is_told (self, attempt, i, all[j], now_usec))
                actions |= 1u << all[j];

    return actions;
}

/* ---- Making one ---- */

static gint64
last_attempt_usec (const Settlement *settlement, guint index)
{
    const QueueJob *job = settlement->attempt->job;

    if (!settlement->attempt->passed_over)
        return settlement->now_usec;

    return queue_message_recipient (job->message, job->recipients[index])->last_usec;
}

static GArray *
list_recipients (const Settlement *settlement)
{
    const DeliveryNotices *self = settlement->notices;
    const DeliveryAttempt *attempt = settlement->attempt;
    const QueueMessage *message = attempt->job->message;
    gint64 expiry_usec = message->arrival_usec + delivery_usec (self->settings->expire_seconds);
    GArray *list = g_array_new (FALSE, TRUE, sizeof (MessageNoticeRecipient));

    for (guint i = 0; i < attempt->job->n_recipients; i++) {
        const DeliveryAnswer *answer = &attempt->answers[i];
        MessageNoticeRecipient recipient = {
            .recipient = message_envelope_recipient (message->envelope, attempt->job->recipients[i]),
            .action = settlement->action,
            .status = answer->status,
            .reply = answer->reply,
            .remote = answer->quotes ? attempt->host : NULL,
            .last_usec = last_attempt_usec (settlement, i),
            .retry_until_usec = settlement->action == MESSAGE_ACTION_DELAYED ? expiry_usec : 0};

        if (is_told (self, attempt, i, settlement->action, settlement->now_usec))
            g_array_append_val (list, recipient);
    }

    return list;
}

static void
draft_free (Draft *draft)
{
    g_clear_handle_id (&draft->idle, g_source_remove);
    message_notice_builder_free (draft->builder);
    g_array_unref (draft->notice.recipients);
    g_clear_pointer (&draft->notice.original, g_bytes_unref);
    g_free (draft->host_name);
    g_free (draft->domain);
    g_free (draft);
}

static Draft *
draft_new (const Settlement *settlement)
{
    const DeliverySettings *settings = settlement->notices->settings;
    const QueueMessage *message = settlement->attempt->job->message;
    const GByteArray *original = settlement->original;
    Draft *draft = g_new0 (Draft, 1);

    queue_id_write (message->id, draft->id);
    draft->host_name = g_strdup (settings->host_name);
    draft->domain = g_strdup (settings->domain);
    draft->notice =
        (MessageNotice){.host_name = draft->host_name,
                        .domain = draft->domain,
                        .queue_id = draft->id,
                        .arrival_usec = message->arrival_usec,
                        .now_usec = settlement->now_usec,
                        .envelope = message->envelope,
                        .recipients = list_recipients (settlement),
                        .original = original->len > 0 ? g_bytes_new (original->data, original->len) : NULL,
                        .original_complete = settlement->complete && settlement->action == MESSAGE_ACTION_FAILED};
    draft->builder = message_notice_builder_new (&draft->notice);
    return draft;
}

static MessageEnvelope *
new_envelope (const gchar *content, gsize size)
{
    MessageEnvelope *envelope = message_envelope_new ("");
    MessageLineCheck lines = {0};

    message_line_check_feed (&lines, content, size);
    envelope->long_lines = message_line_check_end (&lines);
    envelope->body = message_has_8bit (content, size) ? MESSAGE_BODY_8BITMIME : MESSAGE_BODY_7BIT;
    return envelope;
}

/* What the notice needs of the servers that it passes is what is in it, not what the original needed. A sender who is a user
 * of this machine has no mailbox here: the notice goes where mail to that user goes. */
static MessageEnvelope *
address_notice (const MessageEnvelope *original, const DeliverySettings *settings, const gchar *content, gsize size)
{
    MessageEnvelope *envelope = new_envelope (content, size);
    g_autoptr (MessageEnvelope) named = message_envelope_new ("");

    envelope->smtputf8 = !message_address_is_ascii (original->sender);
    if (settings->resolve == NULL) {
        message_envelope_add (envelope, original->sender)->notify = MESSAGE_NOTIFY_NEVER;
        return envelope;
    }

    message_envelope_add (named, original->sender)->notify = MESSAGE_NOTIFY_NEVER;
    settings->resolve (named, envelope, settings->resolve_data);
    return envelope;
}

static void
mark_told (Settlement *settlement)
{
    DeliveryAttempt *attempt = settlement->attempt;

    settlement->actions &= ~(1u << settlement->action);
    if (settlement->action != MESSAGE_ACTION_DELAYED)
        return;

    for (guint i = 0; i < attempt->job->n_recipients; i++)
        if (is_told (settlement->notices, attempt, i, MESSAGE_ACTION_DELAYED, settlement->now_usec))
            attempt->answers[i].delay_notified = TRUE;
}

/* What cannot be told now: a failure is found out again; a delay is told later; that it was relayed must not cost the
 * message its delivery. */
static void
give_up (Settlement *settlement, const GError *error)
{
    gchar id[QUEUE_ID_TEXT_BYTES];
    g_autofree gchar *reason = g_strdup_printf ("the notice to the sender cannot be queued: %s", error->message);

    queue_id_write (settlement->attempt->job->message->id, id);
    g_info ("%s: %s", id, reason);
    if (settlement->action == MESSAGE_ACTION_FAILED)
        delivery_attempt_take_back (settlement->attempt, reason);
    settlement->actions &= ~(1u << settlement->action);
}

static void
on_committed (QueueId id, const GError *error, gpointer user_data)
{
    Settlement *settlement = user_data;

    if (!settlement->notices) {
        g_free (settlement);
        return;
    }

    if (settlement->renews)
        delivery_attempt_renew (settlement->attempt, error == NULL);
    else if (error)
        give_up (settlement, error);
    else
        mark_told (settlement);
    settlement_advance (settlement);
}

/* Queues a notice. @envelope: (transfer full) */
static void
queue_notice (Settlement *settlement, MessageEnvelope *envelope, const gchar *content, gsize size)
{
    const QueueOrigin origin = {.uid = -1, .protocol = (gchar *) QUEUE_PROTOCOL_NOTICE};
    g_autoptr (MessageEnvelope) given = envelope;
    g_autoptr (GError) error = NULL;
    QueueIntake *intake = queue_intake_new (settlement->notices->queue, &origin, size, NULL, NULL, &error);

    if (!intake) {
        on_committed (0, error, settlement);
        return;
    }

    queue_intake_write (intake, content, size);
    queue_intake_commit (intake, g_steal_pointer (&given), FALSE, on_committed, settlement);
}

static void
send_draft (Settlement *settlement)
{
    g_autoptr (GBytes) content = message_notice_builder_end (settlement->draft->builder);
    gsize size;
    const gchar *data = g_bytes_get_data (content, &size);
    MessageEnvelope *envelope =
        address_notice (settlement->attempt->job->message->envelope, settlement->notices->settings, data, size);

    g_clear_pointer (&settlement->draft, draft_free);
    queue_notice (settlement, envelope, data, size);
}

static gboolean
on_slice (gpointer user_data)
{
    Settlement *settlement = user_data;
    Draft *draft = settlement->draft;

    if (message_notice_builder_step (draft->builder, SLICE_RECIPIENTS))
        return G_SOURCE_CONTINUE;

    draft->idle = 0;
    send_draft (settlement);
    return G_SOURCE_REMOVE;
}

static void
send_notice (Settlement *settlement)
{
    Draft *draft = settlement->draft = draft_new (settlement);

    if (message_notice_builder_step (draft->builder, SLICE_RECIPIENTS))
        draft->idle = g_idle_add_full (G_PRIORITY_HIGH_IDLE, on_slice, settlement, NULL);
    else
        send_draft (settlement);
}

/* ---- The same once more ---- */

/* To those who refused the first. */
static MessageEnvelope *
address_again (const DeliveryAttempt *attempt, const gchar *content, gsize size)
{
    const MessageEnvelope *first = attempt->job->message->envelope;
    MessageEnvelope *envelope = new_envelope (content, size);

    envelope->smtputf8 = first->smtputf8;
    for (guint i = 0; i < attempt->job->n_recipients; i++) {
        const gchar *address = message_envelope_recipient (first, attempt->job->recipients[i])->address;

        if (attempt->answers[i].outcome == QUEUE_OUTCOME_FAILED)
            message_envelope_add (envelope, address)->notify = MESSAGE_NOTIFY_NEVER;
    }

    return envelope;
}

static void
renew_notice (Settlement *settlement)
{
    g_autoptr (GBytes) first = g_bytes_new (settlement->original->data, settlement->original->len);
    g_autoptr (GBytes) content = settlement->complete ? message_notice_shorten (first) : NULL;
    gsize size;
    const gchar *data;

    if (!content) {
        delivery_attempt_renew (settlement->attempt, FALSE);
        settlement_finish (settlement);
        return;
    }

    data = g_bytes_get_data (content, &size);
    queue_notice (settlement, address_again (settlement->attempt, data, size), data, size);
}

/* ---- The original ---- */

static gboolean
wants_whole (const DeliveryNotices *self, const DeliveryAttempt *attempt, guint actions)
{
    const QueueMessage *message = attempt->job->message;

    return (actions & (1u << MESSAGE_ACTION_FAILED)) && message->envelope->ret != MESSAGE_RETURN_HEADERS &&
           message->size <= self->settings->notice_content_bytes &&
           (attempt->size_most_bytes == 0 || message->size + FRAME_BYTES <= attempt->size_most_bytes);
}

static gboolean
has_enough (const Settlement *settlement)
{
    const GByteArray *original = settlement->original;
    gsize body;

    if (settlement->whole)
        return FALSE;

    return original->len >= settlement->notices->settings->notice_content_bytes ||
           message_header_end ((const gchar *) original->data, original->len, &body);
}

static void
on_original (GBytes *piece, const GError *error, gpointer user_data)
{
    Settlement *settlement = user_data;

    if (piece) {
        gsize size;
        const guint8 *data = g_bytes_get_data (piece, &size);

        g_byte_array_append (settlement->original, data, (guint) size);
        if (!has_enough (settlement)) {
            queue_reader_next (settlement->reader, on_original, settlement);
            return;
        }
    }

    settlement->complete = settlement->whole && !piece && !error;
    g_clear_pointer (&settlement->reader, queue_reader_free);
    settlement_advance (settlement);
}

/* ---- From start to end ---- */

static void
settlement_clear (Settlement *settlement)
{
    g_clear_pointer (&settlement->reader, queue_reader_free);
    g_clear_pointer (&settlement->draft, draft_free);
    g_byte_array_unref (g_steal_pointer (&settlement->original));
}

static void
settlement_finish (Settlement *settlement)
{
    DeliveryNotices *self = settlement->notices;
    DeliveryAttempt *attempt = settlement->attempt;

    g_hash_table_remove (self->settlements, settlement);
    settlement_clear (settlement);
    g_free (settlement);
    delivery_attempt_settle (attempt, self->queue);
    self->settled (attempt, self->user_data);
}

static void
settlement_advance (Settlement *settlement)
{
    static const MessageAction order[] = {MESSAGE_ACTION_RELAYED, MESSAGE_ACTION_DELAYED, MESSAGE_ACTION_FAILED};

    if (settlement->attempt->renew) {
        renew_notice (settlement);
        return;
    }

    for (guint i = 0; i < G_N_ELEMENTS (order); i++)
        if (settlement->actions & (1u << order[i])) {
            settlement->action = order[i];
            send_notice (settlement);
            return;
        }

    settlement_finish (settlement);
}

DeliveryNotices *
delivery_notices_new (Queue *queue, const DeliverySettings *settings, DeliverySettled settled, gpointer user_data)
{
    DeliveryNotices *self = g_new0 (DeliveryNotices, 1);

    self->queue = queue;
    self->settings = settings;
    self->settled = settled;
    self->user_data = user_data;
    self->settlements = g_hash_table_new (NULL, NULL);
    return self;
}

/* A commit that is under way ends later and finds nobody. */
static void
settlement_break (Settlement *settlement)
{
    DeliveryNotices *self = settlement->notices;
    DeliveryAttempt *attempt = settlement->attempt;
    gboolean committing = settlement->reader == NULL && settlement->draft == NULL;

    if (attempt->renew)
        delivery_attempt_renew (attempt, FALSE);
    else if (settlement->actions & (1u << MESSAGE_ACTION_FAILED))
        delivery_attempt_take_back (attempt, "the relay was stopped before the sender could be told");

    settlement_clear (settlement);
    settlement->notices = NULL;
    if (!committing)
        g_free (settlement);

    delivery_attempt_settle (attempt, self->queue);
    self->settled (attempt, self->user_data);
}

void
delivery_notices_break (DeliveryNotices *self)
{
    g_autoptr (GHashTable) settlements = g_steal_pointer (&self->settlements);
    GHashTableIter iter;
    gpointer settlement;

    self->settlements = g_hash_table_new (NULL, NULL);
    g_hash_table_iter_init (&iter, settlements);
    while (g_hash_table_iter_next (&iter, &settlement, NULL))
        settlement_break (settlement);
}

void
delivery_notices_free (DeliveryNotices *self)
{
    delivery_notices_break (self);
    g_hash_table_unref (self->settlements);
    g_free (self);
}

void
delivery_notices_set (DeliveryNotices *self, const DeliverySettings *settings)
{
    self->settings = settings;
}

void
delivery_notices_settle (DeliveryNotices *self, DeliveryAttempt *attempt, gint64 now_usec)
{
    guint actions = find_actions (self, attempt, now_usec);
    Settlement *settlement;

    if (actions == 0 && !attempt->renew) {
        delivery_attempt_settle (attempt, self->queue);
        self->settled (attempt, self->user_data);
        return;
    }

    settlement = g_new0 (Settlement, 1);
    settlement->notices = self;
    settlement->attempt = attempt;
    settlement->now_usec = now_usec;
    settlement->actions = actions;
    settlement->original = g_byte_array_new ();
    settlement->renews = attempt->renew;
    settlement->whole = attempt->renew || wants_whole (self, attempt, actions);
    settlement->reader = queue_reader_new (self->queue, attempt->job->message->id);
    g_hash_table_add (self->settlements, settlement);
    queue_reader_next (settlement->reader, on_original, settlement);
}

guint
delivery_notices_pending (const DeliveryNotices *self)
{
    return g_hash_table_size (self->settlements);
}
