/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "delivery/delivery.h"
#include "queue/queue.h"
#include "smtp/reply.h"

/*
 * What the log tells: one function for each kind of event, each with a MESSAGE_ID= that the catalog explains.
 */

typedef enum {
    LOG_EVENT_QUEUED,
    LOG_EVENT_DELIVERED,
    LOG_EVENT_DEFERRED,
    LOG_EVENT_BOUNCED,
    LOG_EVENT_EXPIRED,
    LOG_EVENT_HELD,
    LOG_EVENT_RELEASED,
    LOG_EVENT_REDIRECTED,
    LOG_EVENT_DELETED,
    LOG_EVENT_REMARK,
    LOG_EVENT_REFUSED,
    LOG_EVENT_REMOTE_UP,
    LOG_EVENT_REMOTE_DOWN,
    LOG_EVENT_RECOVERED,
    LOG_EVENT_LISTENING,
    LOG_EVENT_SESSIONS_FULL,
    LOG_EVENT_SHARE_TAKEN,
    LOG_EVENT_NOT_STARTED,
    LOG_EVENT_RELOADED,
    LOG_EVENT_CONFIGURATION_BAD,
    LOG_EVENT_CONFIGURATION_WARNING,
    LOG_EVENT_DISK_TROUBLE,
    LOG_EVENT_DISK_WELL,
    LOG_EVENT_BUS_LOST,
    LOG_EVENT_BUS_FOUND,
    LOG_EVENT_STOPPING,
    LOG_EVENT_ASLEEP
} LogEvent;
#define LOG_N_EVENTS (LOG_EVENT_ASLEEP + 1)

/* The 128-bit id in hexadecimal that the catalog knows the event by. */
const gchar *log_event_id (LogEvent event);

/* What happened to a message. Nothing for QUEUE_EVENT_REMOVED: what led to it was told; and nothing for a recipient that an event
 * before has announced. */
void log_event_queue (const QueueEvent *event);

/* A message was sent to @remote ("host:port"), and something in it is not as it should be: @remark. */
void log_event_remark (const QueueMessage *message, const gchar *remote, const gchar *remark);

/* A remote went up or down. Nothing for one that has not been tried. */
void log_event_remote (const DeliveryRemoteInfo *remote);

/* Somebody who was refused. */
typedef struct {
    const gchar *peer; /* (nullable) address of a TCP client */
    gint64 uid;        /* -1 if not known */
    const gchar *helo; /* (nullable) */
    const gchar *what; /* what was refused, printable */
    const SmtpReply *reply;
} LogRefusal;

void log_event_refused (const LogRefusal *refusal);

/* @whom was refused so often that not each refusal was told. */
void log_event_refused_more (const gchar *whom, guint times);

/* The queue was opened with mail in it. */
void log_event_recovered (const QueueStatistics *statistics);

/* @kind: "local", "smtp", …; @address: "127.0.0.1:25" or a path */
void log_event_listening (const gchar *kind, const gchar *address);
void log_event_sessions_full (guint most);

/* Somebody has as many sessions as one may have. @uid: -1 if not known; @peer: (nullable) */
void log_event_share_taken (const gchar *whom, gint64 uid, const gchar *peer, guint has, guint most);

void log_event_not_started (const GError *error);
void log_event_reloaded (void);

/* @problems: a line for each; @consequence: what is in force instead */
void log_event_configuration_bad (const gchar *problems, const gchar *consequence);
void log_event_configuration_copy_bad (const GError *error);
void log_event_configuration_warning (const gchar *warning);

void log_event_disk (const GError *trouble); /* NULL: it is over */
void log_event_bus (const GError *trouble);  /* NULL: it is there again */
void log_event_stopping (guint sessions);
void log_event_asleep (void);
