/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Commands
 *
 * A command belongs to who makes it until it is pushed, then to the writer's thread, and when it is done to the main thread
 * again, which calls back and frees it. Nothing of it is locked: at any time one thread has it.
 */

#include "queue/command.h"

static void
record_clear (gpointer data)
{
    g_bytes_unref (((QueueRecord *) data)->payload);
}

QueueCommand *
queue_command_new (QueueCommandFlags flags, QueueCommandDone done, gpointer user_data)
{
    QueueCommand *command = g_new0 (QueueCommand, 1);

    command->flags = flags;
    command->records = g_array_new (FALSE, FALSE, sizeof (QueueRecord));
    g_array_set_clear_func (command->records, record_clear);
    command->done = done;
    command->user_data = user_data;

    return command;
}

void
queue_command_add (QueueCommand *command, QueuePart part, QueueId id, guint32 number, GBytes *payload)
{
    const QueueRecord record = {.part = part, .number = number, .id = id, .payload = payload};

    g_array_append_val (command->records, record);
}

QueueRecord *
queue_command_record (const QueueCommand *command, guint index)
{
    return &g_array_index (command->records, QueueRecord, index);
}

const QueuePlace *
queue_command_place (const QueueCommand *command, guint index)
{
    return &queue_command_record (command, index)->place;
}

gsize
queue_command_bytes (const QueueCommand *command)
{
    gsize bytes = 0;

    for (guint i = 0; i < command->records->len; i++)
        bytes += g_bytes_get_size (queue_command_record (command, i)->payload);

    return bytes;
}

void
queue_command_free (QueueCommand *command)
{
    g_array_unref (command->records);
    g_clear_error (&command->error);
    g_free (command);
}
