/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Messages in the log
 *
 * What became of a message is what the journal is asked for most. The sentence of a message starts with its queue id, so that a
 * plain text search tells its whole story.
 *
 * Recipients with the same result share an entry, which has a field for each of them: a message to thousands would push
 * other people's mail out of the journal, and the journal finds an entry by any of its fields.
 *
 * That a message was queued, and that it was delivered, is told without printf: a busy relay says both of each.
 */

#include "log-entry.h"
#include "message/words.h"

static void
append_number (GString *text, guint64 number)
{
    gchar digits[LOG_NUMBER_TEXT_BYTES];

    g_string_append (text, log_number_write (digits, number));
}

/* Seconds as people say them: "0.3 s", "5 min", "3 d". */
static void
append_span (GString *text, gint64 usec)
{
    guint64 tenths = ((guint64) MAX (0, usec) + G_USEC_PER_SEC / 20) / (G_USEC_PER_SEC / 10);
    guint64 seconds = (guint64) MAX (0, usec) / G_USEC_PER_SEC;
    const gchar *unit = " s";

    if (seconds < 10) {
        append_number (text, tenths / 10);
        g_string_append_c (text, '.');
        append_number (text, tenths % 10);
    } else if (seconds < 120) {
        append_number (text, seconds);
    } else if (seconds < 2 * 3600) {
        append_number (text, seconds / 60);
        unit = " min";
    } else if (seconds < 2 * 86400) {
        append_number (text, seconds / 3600);
        unit = " h";
    } else {
        append_number (text, seconds / 86400);
        unit = " d";
    }
    g_string_append (text, unit);
}

/* Appends an address after the words that lead to it. */
static void
append_address (GString *text, const gchar *words, const gchar *address)
{
    g_string_append (text, words);
    g_string_append_c (text, '<');
    g_string_append (text, address);
    g_string_append_c (text, '>');
}

/* How many of the message's recipients the event is about, and names if they are not too many. */
static guint
n_recipients (const QueueEvent *event)
{
    if (event->type == QUEUE_EVENT_QUEUED)
        return event->message->envelope->recipients->len;

    return event->recipient != NULL ? 1 + event->n_alike : 0;
}

/* Appends the recipients after the words that lead to them. */
static void
append_recipients (GString *text, const gchar *words, const QueueEvent *event)
{
    guint n = n_recipients (event);

    append_address (text, words, event->recipient);
    if (n > 1)
        g_string_append_printf (text, " and %u more", n - 1);
}

static void
append_origin (GString *text, const QueueOrigin *origin)
{
    if (origin->uid >= 0) {
        g_string_append (text, "from user ");
        append_number (text, (guint64) origin->uid);
        g_string_append (text, origin->peer != NULL ? " at " : "");
        g_string_append (text, origin->peer != NULL ? origin->peer : "");
    } else if (origin->peer != NULL) {
        g_string_append (text, "from ");
        g_string_append (text, origin->peer);
    } else {
        g_string_append (text, "made here");
    }
}

static void
append_queued (GString *text, const QueueEvent *event)
{
    const QueueMessage *message = event->message;

    append_address (text, "queued mail of ", message->envelope->sender);
    append_recipients (text, " for ", event);
    g_string_append (text, ", ");
    append_number (text, message->size);
    g_string_append (text, " bytes, ");
    append_origin (text, &message->origin);
}

static void
append_reply (GString *text, const QueueRecipient *result)
{
    const gchar *remote;

    if (result == NULL)
        return;
    remote = result->is_ours ? NULL : result->remote; /* who said it: our own words name a remote where they must */
    if (remote != NULL) {
        g_string_append (text, " by ");
        g_string_append (text, remote);
    }
    if (result->reply != NULL) {
        g_string_append (text, ": ");
        g_string_append (text, message_words_behind (remote, result->reply));
    }
}

static void
append_next (GString *text, const QueueEvent *event)
{
    gint64 wait = event->message->next_usec - event->now_usec;

    if (event->message->next_usec == 0 || event->message->state == QUEUE_STATE_HELD)
        return;

    g_string_append (text, "; next attempt ");
    if (wait > 0) {
        g_string_append (text, "in ");
        append_span (text, wait);
    } else {
        g_string_append (text, "at once");
    }
}

/* What happened, after the queue id. */
static void
append_story (GString *text, const QueueEvent *event)
{
    switch (event->type) {
    case QUEUE_EVENT_QUEUED:
        append_queued (text, event);
        return;
    case QUEUE_EVENT_DELIVERED:
        /* Nobody has it: it was discarded. */
        if (event->result != NULL && event->result->remote == NULL) {
            append_recipients (text, "mail for ", event);
            g_string_append (text, " was not sent");
        } else {
            append_recipients (text, "delivered to ", event);
        }
        append_reply (text, event->result);
        g_string_append (text, " (after ");
        append_span (text, event->now_usec - event->message->arrival_usec);
        g_string_append_c (text, ')');
        return;
    case QUEUE_EVENT_DEFERRED:
        append_recipients (text, "mail for ", event);
        g_string_append (text, " has to wait, deferred");
        append_reply (text, event->result);
        append_next (text, event);
        return;
    case QUEUE_EVENT_BOUNCED:
        append_recipients (text, "mail for ", event);
        g_string_append (text, " bounced");
        if (event->result != NULL && event->result->remote != NULL && !event->result->is_ours)
            g_string_append (text, ", refused for good");
        append_reply (text, event->result);
        return;
    case QUEUE_EVENT_EXPIRED:
        append_recipients (text, "mail for ", event);
        g_string_append (text, " was given up after ");
        append_span (text, event->now_usec - event->message->arrival_usec);
        g_string_append (text, ", last deferred");
        append_reply (text, event->result);
        return;
    case QUEUE_EVENT_HELD:
        g_string_append (text, "held");
        if (event->message->reason != NULL)
            g_string_append_printf (text, ": %s", event->message->reason);
        return;
    case QUEUE_EVENT_RELEASED:
        g_string_append (text, "released");
        return;
    case QUEUE_EVENT_REDIRECTED:
        g_string_append_printf (text, "mail of <%s> was redirected to <%s>", event->message->envelope->sender,
                                event->recipient);
        return;
    case QUEUE_EVENT_DELETED:
        g_string_append_printf (text, "deleted, mail of <%s> that was not delivered to all recipients",
                                event->message->envelope->sender);
        return;
    case QUEUE_EVENT_REMOVED:
        break;
    }

    g_assert_not_reached ();
}

static LogEvent
event_of (QueueEventType type)
{
    static const LogEvent events[] = {
        [QUEUE_EVENT_QUEUED] = LOG_EVENT_QUEUED,        [QUEUE_EVENT_DELIVERED] = LOG_EVENT_DELIVERED,
        [QUEUE_EVENT_DEFERRED] = LOG_EVENT_DEFERRED,    [QUEUE_EVENT_BOUNCED] = LOG_EVENT_BOUNCED,
        [QUEUE_EVENT_EXPIRED] = LOG_EVENT_EXPIRED,      [QUEUE_EVENT_HELD] = LOG_EVENT_HELD,
        [QUEUE_EVENT_RELEASED] = LOG_EVENT_RELEASED,    [QUEUE_EVENT_DELETED] = LOG_EVENT_DELETED,
        [QUEUE_EVENT_REDIRECTED] = LOG_EVENT_REDIRECTED};

    return events[type];
}

static void
add_recipient (LogEntry *entry, const QueueEvent *event, guint index)
{
    log_entry_add (entry, "POSTERN_RECIPIENT", message_envelope_recipient (event->message->envelope, index)->address);
}

static void
add_recipients (LogEntry *entry, const QueueEvent *event)
{
    guint n = n_recipients (event);

    if (event->type == QUEUE_EVENT_QUEUED) {
        for (guint i = 0; i < MIN (n, LOG_RECIPIENTS_SHOWN_MOST); i++)
            add_recipient (entry, event, i);
        log_entry_add_number (entry, "POSTERN_RECIPIENTS", n);
        return;
    }

    log_entry_add (entry, "POSTERN_RECIPIENT", event->recipient);
    for (guint i = 0; i < event->n_alike; i++)
        add_recipient (entry, event, event->alike[i]);
    if (n > 1)
        log_entry_add_number (entry, "POSTERN_RECIPIENTS", n);
}

static void
add_result (LogEntry *entry, const QueueEvent *event)
{
    if (event->result == NULL)
        return;

    log_entry_add (entry, "POSTERN_REMOTE", event->result->remote);
    log_entry_add (entry, "POSTERN_STATUS", event->result->status);
    log_entry_add (entry, "POSTERN_REPLY", event->result->reply);
    if (event->result->is_ours)
        log_entry_add (entry, "POSTERN_DECIDED_BY", "relay");
}

void
log_event_queue (const QueueEvent *event)
{
    const QueueMessage *message = event->message;
    g_autoptr (GString) sentence = NULL;
    gchar id[QUEUE_ID_TEXT_BYTES];
    LogEntry entry;

    if (event->type == QUEUE_EVENT_REMOVED || event->is_announced)
        return;

    queue_id_write (message->id, id);
    sentence = g_string_sized_new (256);
    g_string_append (sentence, id);
    g_string_append (sentence, ": ");
    append_story (sentence, event);

    log_entry_begin (&entry, event_of (event->type), sentence->str);
    log_entry_add (&entry, "POSTERN_QUEUE_ID", id);
    log_entry_add (&entry, "POSTERN_SENDER", message->envelope->sender);
    add_recipients (&entry, event);
    if (event->type != QUEUE_EVENT_QUEUED)
        add_result (&entry, event);
    else
        log_entry_add (&entry, "POSTERN_MESSAGE_ID", event->message_id);
    if (message->origin.uid >= 0)
        log_entry_add_number (&entry, "POSTERN_SUBMITTER_UID", (guint64) message->origin.uid);
    log_entry_add (&entry, "POSTERN_PEER", message->origin.peer);
    log_entry_add_number (&entry, "POSTERN_SIZE", message->size);
    log_entry_add_number (&entry, "POSTERN_DELAY_USEC", (guint64) MAX (0, event->now_usec - message->arrival_usec));
    log_entry_send (&entry);
}

void
log_event_remark (const QueueMessage *message, const gchar *remote, const gchar *remark)
{
    g_autofree gchar *sentence = NULL;
    gchar id[QUEUE_ID_TEXT_BYTES];
    LogEntry entry;

    queue_id_write (message->id, id);
    sentence = g_strdup_printf ("%s: sent to %s, but %s", id, remote, remark);
    log_entry_begin (&entry, LOG_EVENT_REMARK, sentence);
    log_entry_add (&entry, "POSTERN_QUEUE_ID", id);
    log_entry_add (&entry, "POSTERN_SENDER", message->envelope->sender);
    log_entry_add (&entry, "POSTERN_REMOTE", remote);
    if (message->origin.uid >= 0)
        log_entry_add_number (&entry, "POSTERN_SUBMITTER_UID", (guint64) message->origin.uid);
    log_entry_send (&entry);
}
