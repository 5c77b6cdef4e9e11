/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Events in the log
 *
 * What the relay tells of itself: of its remotes and of who was refused, and of its own life. What it tells of messages is in
 * log-message.c, and how an entry is put together in log-entry.c.
 */

#include "log-entry.h"

/* An entry of a sentence alone. */
static void
log_sentence (LogEvent event, const gchar *sentence)
{
    LogEntry entry;

    log_entry_begin (&entry, event, sentence);
    log_entry_send (&entry);
}

/* ---- Remotes and peers ---- */

void
log_event_remote (const DeliveryRemoteInfo *remote)
{
    gboolean up = remote->state == DELIVERY_REMOTE_UP;
    gboolean ipv6 = strchr (remote->host, ':') != NULL;
    g_autofree gchar *address = g_strdup_printf (ipv6 ? "[%s]:%u" : "%s:%u", remote->host, remote->port);
    g_autofree gchar *sentence = NULL;
    LogEntry entry;

    if (remote->state == DELIVERY_REMOTE_UNKNOWN)
        return;

    sentence =
        up ? g_strdup_printf ("smarthost %s (%s) takes mail", remote->name, address)
           : g_strdup_printf ("smarthost %s (%s) cannot be used, and is tried again from time to time: %s",
                              remote->name, address, remote->error != NULL ? remote->error : "no reason given");
    log_entry_begin (&entry, up ? LOG_EVENT_REMOTE_UP : LOG_EVENT_REMOTE_DOWN, sentence);
    log_entry_add (&entry, "POSTERN_REMOTE", address);
    log_entry_add (&entry, "POSTERN_REPLY", up ? NULL : remote->error);
    log_entry_send (&entry);
}

void
log_event_refused (const LogRefusal *refusal)
{
    g_autofree gchar *reply = smtp_reply_line (refusal->reply);
    g_autoptr (GString) sentence = g_string_new ("refused ");
    LogEntry entry;

    if (refusal->peer != NULL)
        g_string_append_printf (sentence, "%s%s", refusal->peer, refusal->uid >= 0 ? ", " : "");
    if (refusal->uid >= 0)
        g_string_append_printf (sentence, "user %" G_GINT64_FORMAT, refusal->uid);
    else if (refusal->peer == NULL)
        g_string_append (sentence, "a local client");
    if (refusal->helo != NULL)
        g_string_append_printf (sentence, " (%s)", refusal->helo);
    g_string_append_printf (sentence, ": %s, after “%s”", reply, refusal->what);

    log_entry_begin (&entry, LOG_EVENT_REFUSED, sentence->str);
    log_entry_add (&entry, "POSTERN_PEER", refusal->peer);
    if (refusal->uid >= 0)
        log_entry_add_number (&entry, "POSTERN_SUBMITTER_UID", (guint64) refusal->uid);
    log_entry_add (&entry, "POSTERN_STATUS", refusal->reply->status[0] != '\0' ? refusal->reply->status : NULL);
    log_entry_add (&entry, "POSTERN_REPLY", reply);
    log_entry_send (&entry);
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
    LogEntry entry;

    log_entry_begin (&entry, LOG_EVENT_RECOVERED, sentence);
    log_entry_add_number (&entry, "POSTERN_MESSAGES", statistics->messages);
    log_entry_add_number (&entry, "POSTERN_SIZE", statistics->bytes);
    log_entry_send (&entry);
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
    LogEntry entry;

    log_entry_begin (&entry, LOG_EVENT_SHARE_TAKEN, sentence);
    if (uid >= 0)
        log_entry_add_number (&entry, "POSTERN_SUBMITTER_UID", (guint64) uid);
    log_entry_add (&entry, "POSTERN_PEER", peer);
    log_entry_send (&entry);
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
