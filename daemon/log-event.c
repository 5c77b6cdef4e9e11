/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Events in the log
 *
 * The journal is where somebody looks who asks what became of a message. Each event is one entry with a sentence
 * that needs no manual, the fields of DESIGN.md section 5 for programs, and a MESSAGE_ID= by which units/postern.catalog
 * explains it to a newcomer. The sentence of a message starts with its queue id, so that a plain text search tells its
 * whole story.
 *
 * Recipients with the same result share an entry, which has a field for each of them: a message to thousands would push
 * other people's mail out of the journal, and the journal finds an entry by any of its fields.
 *
 * Entries for mail that goes its way are informational; what delays or ends a message is a notice; what an administrator has to
 * do something about is a warning or an error. A busy relay logs two events a message, so they are put together on the
 * stack, without allocations but the sentence's, and those two without printf.
 */

#include "log-event.h"

#include "log.h"
#include "message/words.h"

#include <syslog.h>

/* A message to thousands names the first of them when it is queued, and each one when something became of it. */
#define RECIPIENTS_SHOWN_MOST QUEUE_EVENT_ALIKE_MOST

#define FIELDS_MOST (RECIPIENTS_SHOWN_MOST + 20)
G_STATIC_ASSERT (FIELDS_MOST <= LOG_FIELDS_MOST);

#define NUMBERS_MOST      8
#define NUMBER_TEXT_BYTES 24

typedef struct {
    const gchar *id;
    const gchar *priority; /* of syslog(3) */
} Kind;

#define PRIORITY_(level) #level
#define PRIORITY(level)  PRIORITY_ (level)

static const Kind kinds[LOG_N_EVENTS] = {
    [LOG_EVENT_QUEUED] = {"09b177d01fd8434681db143b4851c9f0", PRIORITY (LOG_INFO)},
    [LOG_EVENT_DELIVERED] = {"0a09ebc661dc476cb2d43b0857f926d1", PRIORITY (LOG_INFO)},
    [LOG_EVENT_DEFERRED] = {"0dd8841e478a476a96098332001a8918", PRIORITY (LOG_NOTICE)},
    [LOG_EVENT_BOUNCED] = {"0ecbc2a486304db688d52d082b271197", PRIORITY (LOG_NOTICE)},
    [LOG_EVENT_EXPIRED] = {"1b019b2f8612470fb57283275980939a", PRIORITY (LOG_WARNING)},
    [LOG_EVENT_HELD] = {"24b1af6434544061bc47a1d3160bc62d", PRIORITY (LOG_NOTICE)},
    [LOG_EVENT_RELEASED] = {"3bfe7e9fa8ca48a4a9997dcbb400fdab", PRIORITY (LOG_NOTICE)},
    [LOG_EVENT_REDIRECTED] = {"c9b1a5d0f3f84b1e9f2c6d7a80e14b95", PRIORITY (LOG_NOTICE)},
    [LOG_EVENT_DELETED] = {"3ce9f660115045bdad671aec7ff70fc9", PRIORITY (LOG_NOTICE)},
    [LOG_EVENT_REMARK] = {"d5c1f6b2a8e94c0f9d37b1e06a42c85e", PRIORITY (LOG_NOTICE)},
    [LOG_EVENT_REFUSED] = {"4c9d142fb77840fc9831f6ea0a6ae402", PRIORITY (LOG_NOTICE)},
    [LOG_EVENT_REMOTE_UP] = {"4e4f7f3f0fcb4af0abf939f9c493df0d", PRIORITY (LOG_NOTICE)},
    [LOG_EVENT_REMOTE_DOWN] = {"4e728110626f4dd396dbca46c18e5a2c", PRIORITY (LOG_WARNING)},
    [LOG_EVENT_RECOVERED] = {"5bac150e99ed4f729ff00b388764fac2", PRIORITY (LOG_NOTICE)},
    [LOG_EVENT_LISTENING] = {"5ee8a27f840a4a6f8ed0bb5ef11b4c92", PRIORITY (LOG_INFO)},
    [LOG_EVENT_SESSIONS_FULL] = {"65a9894be4a3419b9f32b4ce4da5da3f", PRIORITY (LOG_WARNING)},
    [LOG_EVENT_SHARE_TAKEN] = {"b14796fc32c149d8b49cc051b65800d7", PRIORITY (LOG_WARNING)},
    [LOG_EVENT_NOT_STARTED] = {"cebf953f98ee489a97a8d676fcf455ae", PRIORITY (LOG_ERR)},
    [LOG_EVENT_RELOADED] = {"718163831a5646ed81b2e72ea01d3513", PRIORITY (LOG_NOTICE)},
    [LOG_EVENT_CONFIGURATION_BAD] = {"77775d1055854cb8ba960d475b471262", PRIORITY (LOG_ERR)},
    [LOG_EVENT_CONFIGURATION_WARNING] = {"798b7998baa748289774c24839317168", PRIORITY (LOG_WARNING)},
    [LOG_EVENT_DISK_TROUBLE] = {"7edfed2d77494340ae40be4c9e31eda0", PRIORITY (LOG_ERR)},
    [LOG_EVENT_DISK_WELL] = {"811306ecdad34f099495069acbbb66fd", PRIORITY (LOG_NOTICE)},
    [LOG_EVENT_BUS_LOST] = {"8e355862902f440c8edccb1bc10d21ee", PRIORITY (LOG_WARNING)},
    [LOG_EVENT_BUS_FOUND] = {"b455e1d24080489892c8f813065ee569", PRIORITY (LOG_NOTICE)},
    [LOG_EVENT_STOPPING] = {"bd4c48f6fc974eaba45fbe0a5e638c5e", PRIORITY (LOG_INFO)},
    [LOG_EVENT_ASLEEP] = {"8e8cfff0e71e4873b255923390c70c72", PRIORITY (LOG_INFO)},
};

/* An entry on its way to the log; lives on the stack, and points to what the caller has. */
typedef struct {
    GLogField fields[FIELDS_MOST];
    gsize n_fields;
    gchar numbers[NUMBERS_MOST][NUMBER_TEXT_BYTES];
    guint n_numbers;
    const gchar *priority;
} Entry;

const gchar *
log_event_id (LogEvent event)
{
    g_return_val_if_fail (event < LOG_N_EVENTS, NULL);
    return kinds[event].id;
}

static void
entry_add (Entry *entry, const gchar *key, const gchar *value)
{
    if (value == NULL || entry->n_fields == FIELDS_MOST)
        return;

    entry->fields[entry->n_fields++] = (GLogField){.key = key, .value = value, .length = -1};
}

/* Writes the number at the end of @text, and returns where it starts. */
static const gchar *
write_number (gchar text[NUMBER_TEXT_BYTES], guint64 number)
{
    gchar *start = text + NUMBER_TEXT_BYTES - 1;

    *start = '\0';
    do
        *--start = (gchar) ('0' + number % 10);
    while ((number /= 10) > 0);

    return start;
}

static void
append_number (GString *text, guint64 number)
{
    gchar digits[NUMBER_TEXT_BYTES];

    g_string_append (text, write_number (digits, number));
}

static void
entry_add_number (Entry *entry, const gchar *key, guint64 number)
{
    g_assert (entry->n_numbers < NUMBERS_MOST);
    entry_add (entry, key, write_number (entry->numbers[entry->n_numbers++], number));
}

static void
entry_begin (Entry *entry, LogEvent event, const gchar *sentence)
{
    entry->n_fields = 0;
    entry->n_numbers = 0;
    entry->priority = kinds[event].priority;
    entry_add (entry, "MESSAGE", sentence);
    entry_add (entry, "PRIORITY", entry->priority);
    entry_add (entry, "MESSAGE_ID", kinds[event].id);
    entry_add (entry, "GLIB_DOMAIN", G_LOG_DOMAIN);
}

/* GLib's own errors and criticals are programming errors; the machine's trouble is a warning with a priority. */
static void
entry_send (const Entry *entry)
{
    static const GLogLevelFlags levels[] = {[LOG_ERR] = G_LOG_LEVEL_WARNING,
                                            [LOG_WARNING] = G_LOG_LEVEL_WARNING,
                                            [LOG_NOTICE] = G_LOG_LEVEL_MESSAGE,
                                            [LOG_INFO] = G_LOG_LEVEL_INFO};

    g_log_structured_array (levels[entry->priority[0] - '0'], entry->fields, entry->n_fields);
}

/* An entry of a sentence alone. */
static void
log_sentence (LogEvent event, const gchar *sentence)
{
    Entry entry;

    entry_begin (&entry, event, sentence);
    entry_send (&entry);
}

/* ---- Messages ---- */

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
add_recipient (Entry *entry, const QueueEvent *event, guint index)
{
    entry_add (entry, "POSTERN_RECIPIENT", message_envelope_recipient (event->message->envelope, index)->address);
}

static void
add_recipients (Entry *entry, const QueueEvent *event)
{
    guint n = n_recipients (event);

    if (event->type == QUEUE_EVENT_QUEUED) {
        for (guint i = 0; i < MIN (n, RECIPIENTS_SHOWN_MOST); i++)
            add_recipient (entry, event, i);
        entry_add_number (entry, "POSTERN_RECIPIENTS", n);
        return;
    }

    entry_add (entry, "POSTERN_RECIPIENT", event->recipient);
    for (guint i = 0; i < event->n_alike; i++)
        add_recipient (entry, event, event->alike[i]);
    if (n > 1)
        entry_add_number (entry, "POSTERN_RECIPIENTS", n);
}

static void
add_result (Entry *entry, const QueueEvent *event)
{
    if (event->result == NULL)
        return;

    entry_add (entry, "POSTERN_REMOTE", event->result->remote);
    entry_add (entry, "POSTERN_STATUS", event->result->status);
    entry_add (entry, "POSTERN_REPLY", event->result->reply);
    if (event->result->is_ours)
        entry_add (entry, "POSTERN_DECIDED_BY", "relay");
}

void
log_event_queue (const QueueEvent *event)
{
    const QueueMessage *message = event->message;
    g_autoptr (GString) sentence = NULL;
    gchar id[QUEUE_ID_TEXT_BYTES];
    Entry entry;

    if (event->type == QUEUE_EVENT_REMOVED || event->is_announced)
        return;

    queue_id_write (message->id, id);
    sentence = g_string_sized_new (256);
    g_string_append (sentence, id);
    g_string_append (sentence, ": ");
    append_story (sentence, event);

    entry_begin (&entry, event_of (event->type), sentence->str);
    entry_add (&entry, "POSTERN_QUEUE_ID", id);
    entry_add (&entry, "POSTERN_SENDER", message->envelope->sender);
    add_recipients (&entry, event);
    if (event->type != QUEUE_EVENT_QUEUED)
        add_result (&entry, event);
    else
        entry_add (&entry, "POSTERN_MESSAGE_ID", event->message_id);
    if (message->origin.uid >= 0)
        entry_add_number (&entry, "POSTERN_SUBMITTER_UID", (guint64) message->origin.uid);
    entry_add (&entry, "POSTERN_PEER", message->origin.peer);
    entry_add_number (&entry, "POSTERN_SIZE", message->size);
    entry_add_number (&entry, "POSTERN_DELAY_USEC", (guint64) MAX (0, event->now_usec - message->arrival_usec));
    entry_send (&entry);
}

void
log_event_remark (const QueueMessage *message, const gchar *remote, const gchar *remark)
{
    g_autofree gchar *sentence = NULL;
    gchar id[QUEUE_ID_TEXT_BYTES];
    Entry entry;

    queue_id_write (message->id, id);
    sentence = g_strdup_printf ("%s: sent to %s, but %s", id, remote, remark);
    entry_begin (&entry, LOG_EVENT_REMARK, sentence);
    entry_add (&entry, "POSTERN_QUEUE_ID", id);
    entry_add (&entry, "POSTERN_SENDER", message->envelope->sender);
    entry_add (&entry, "POSTERN_REMOTE", remote);
    if (message->origin.uid >= 0)
        entry_add_number (&entry, "POSTERN_SUBMITTER_UID", (guint64) message->origin.uid);
    entry_send (&entry);
}

/* ---- Remotes and peers ---- */

void
log_event_remote (const DeliveryRemoteInfo *remote)
{
    gboolean up = remote->state == DELIVERY_REMOTE_UP;
    gboolean ipv6 = strchr (remote->host, ':') != NULL;
    g_autofree gchar *address = g_strdup_printf (ipv6 ? "[%s]:%u" : "%s:%u", remote->host, remote->port);
    g_autofree gchar *sentence = NULL;
    Entry entry;

    if (remote->state == DELIVERY_REMOTE_UNKNOWN)
        return;

    sentence =
        up ? g_strdup_printf ("smarthost %s (%s) takes mail", remote->name, address)
           : g_strdup_printf ("smarthost %s (%s) cannot be used, and is tried again from time to time: %s",
                              remote->name, address, remote->error != NULL ? remote->error : "no reason given");
    entry_begin (&entry, up ? LOG_EVENT_REMOTE_UP : LOG_EVENT_REMOTE_DOWN, sentence);
    entry_add (&entry, "POSTERN_REMOTE", address);
    entry_add (&entry, "POSTERN_REPLY", up ? NULL : remote->error);
    entry_send (&entry);
}

void
log_event_refused (const LogRefusal *refusal)
{
    g_autofree gchar *reply = smtp_reply_line (refusal->reply);
    g_autoptr (GString) sentence = g_string_new ("refused ");
    Entry entry;

    if (refusal->peer != NULL)
        g_string_append_printf (sentence, "%s%s", refusal->peer, refusal->uid >= 0 ? ", " : "");
    if (refusal->uid >= 0)
        g_string_append_printf (sentence, "user %" G_GINT64_FORMAT, refusal->uid);
    else if (refusal->peer == NULL)
        g_string_append (sentence, "a local client");
    if (refusal->helo != NULL)
        g_string_append_printf (sentence, " (%s)", refusal->helo);
    g_string_append_printf (sentence, ": %s, after “%s”", reply, refusal->what);

    entry_begin (&entry, LOG_EVENT_REFUSED, sentence->str);
    entry_add (&entry, "POSTERN_PEER", refusal->peer);
    if (refusal->uid >= 0)
        entry_add_number (&entry, "POSTERN_SUBMITTER_UID", (guint64) refusal->uid);
    entry_add (&entry, "POSTERN_STATUS", refusal->reply->status[0] != '\0' ? refusal->reply->status : NULL);
    entry_add (&entry, "POSTERN_REPLY", reply);
    entry_send (&entry);
}

void
log_event_refused_more (const gchar *whom, guint times)
{
    g_autofree gchar *sentence =
        g_strdup_printf ("refused %s %u more times within a minute, too often to tell of each", whom, times);

    log_sentence (LOG_EVENT_REFUSED, sentence);
}

/* ---- The daemon ---- */

void
log_event_recovered (const QueueStatistics *statistics)
{
    g_autofree gchar *sentence = g_strdup_printf (
        "going on with %" G_GUINT64_FORMAT " message%s (%" G_GUINT64_FORMAT " bytes) that the queue has kept",
        statistics->messages, statistics->messages == 1 ? "" : "s", statistics->bytes);
    Entry entry;

    entry_begin (&entry, LOG_EVENT_RECOVERED, sentence);
    entry_add_number (&entry, "POSTERN_MESSAGES", statistics->messages);
    entry_add_number (&entry, "POSTERN_SIZE", statistics->bytes);
    entry_send (&entry);
}

void
log_event_listening (const gchar *kind, const gchar *address)
{
    g_autofree gchar *sentence = g_strdup_printf ("listening for %s on %s", kind, address);

    log_sentence (LOG_EVENT_LISTENING, sentence);
}

void
log_event_sessions_full (guint most)
{
    g_autofree gchar *sentence = g_strdup_printf (
        "all %u sessions are taken, more clients are told to come again; raise MaxSessions= in the group "
        "[Server] if this is usual",
        most);

    log_sentence (LOG_EVENT_SESSIONS_FULL, sentence);
}

void
log_event_share_taken (const gchar *whom, gint64 uid, const gchar *peer, guint has, guint most)
{
    g_autofree gchar *sentence = g_strdup_printf (
        "%s ha%s %u of %u sessions, which is as many as one may have, and gets no more: “ss -xp” and "
        "“ss -tnp” show which programs hold them",
        whom, uid >= 0 || peer != NULL ? "s" : "ve", has, most);
    Entry entry;

    entry_begin (&entry, LOG_EVENT_SHARE_TAKEN, sentence);
    if (uid >= 0)
        entry_add_number (&entry, "POSTERN_SUBMITTER_UID", (guint64) uid);
    entry_add (&entry, "POSTERN_PEER", peer);
    entry_send (&entry);
}

void
log_event_not_started (const GError *error)
{
    g_autofree gchar *sentence = g_strdup_printf ("posternd cannot start: %s", error->message);

    log_sentence (LOG_EVENT_NOT_STARTED, sentence);
}

void
log_event_reloaded (void)
{
    log_sentence (LOG_EVENT_RELOADED, "the configuration was read anew");
}

void
log_event_configuration_bad (const gchar *problems, const gchar *consequence)
{
    g_auto (GStrv) lines = g_strsplit (problems, "\n", -1);
    g_autofree gchar *sentence = g_strdup_printf ("the configuration is bad; %s", consequence);

    for (guint i = 0; lines[i] != NULL; i++)
        log_sentence (LOG_EVENT_CONFIGURATION_BAD, lines[i]);
    log_sentence (LOG_EVENT_CONFIGURATION_BAD, sentence);
}

void
log_event_configuration_copy_bad (const GError *error)
{
    g_auto (GStrv) lines = g_strsplit (error->message, "\n", -1);

    for (guint i = 0; lines[i] != NULL; i++) {
        g_autofree gchar *sentence = g_strdup_printf ("the last good configuration cannot be used: %s", lines[i]);

        log_sentence (LOG_EVENT_CONFIGURATION_BAD, sentence);
    }
}

void
log_event_configuration_warning (const gchar *warning)
{
    log_sentence (LOG_EVENT_CONFIGURATION_WARNING, warning);
}

void
log_event_disk (const GError *trouble)
{
    g_autofree gchar *sentence = NULL;

    if (trouble == NULL) {
        log_sentence (LOG_EVENT_DISK_WELL, "the queue's disk works again");
        return;
    }

    sentence = g_strdup_printf ("the queue's disk is in trouble: %s", trouble->message);
    log_sentence (LOG_EVENT_DISK_TROUBLE, sentence);
}

void
log_event_bus (const GError *trouble)
{
    g_autofree gchar *sentence = NULL;

    if (trouble == NULL) {
        log_sentence (LOG_EVENT_BUS_FOUND, "the message bus is there, the postern command works");
        return;
    }

    sentence =
        g_strdup_printf ("mail goes on, but the postern command cannot reach this relay: %s", trouble->message);
    log_sentence (LOG_EVENT_BUS_LOST, sentence);
}

void
log_event_stopping (guint sessions)
{
    g_autofree gchar *sentence = g_strdup_printf (sessions == 1 ? "stopping, %u session is told to come again"
                                                                : "stopping, %u sessions are told to come again",
                                                  sessions);

    log_sentence (LOG_EVENT_STOPPING, sentence);
}

void
log_event_asleep (void)
{
    log_sentence (LOG_EVENT_ASLEEP, "nothing to do: asleep until the next message or call");
}
