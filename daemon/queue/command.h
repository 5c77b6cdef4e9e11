/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "queue/appender.h"

/*
 * What the writer is asked to do: records that are written one behind the other, or none of them.
 */
typedef struct _QueueCommand QueueCommand;

typedef enum {
    QUEUE_COMMAND_DURABLE = 1 << 0, /* done when it is on the disk for sure; otherwise when the kernel has it */
    QUEUE_COMMAND_RETAIN = 1 << 1   /* must not fail: kept until the disk works again */
} QueueCommandFlags;

/* Called on the main thread. With an @error nothing of the command is on the disk. */
typedef void (*QueueCommandDone) (QueueCommand *command, const GError *error, gpointer user_data);

struct _QueueCommand {
    QueueCommandFlags flags;
    GArray *records;     /* of QueueRecord; places are set when it is done */
    QueueUpload *upload; /* (nullable): whose chunks or commit the records are; the command fails if a chunk did */
    QueueCommandDone done;
    gpointer user_data;

    GError *error; /* the writer's */
};

QueueCommand *queue_command_new (QueueCommandFlags flags, QueueCommandDone done, gpointer user_data);

/* @payload: (transfer full) */
void queue_command_add (QueueCommand *command, QueuePart part, QueueId id, guint32 number, GBytes *payload);

/* The place of the record @index of a command that is done. */
const QueuePlace *queue_command_place (const QueueCommand *command, guint index);

/* ---- The writer's ---- */

QueueRecord *queue_command_record (const QueueCommand *command, guint index);

/* Of all payloads. */
gsize queue_command_bytes (const QueueCommand *command);
void queue_command_free (QueueCommand *command);
