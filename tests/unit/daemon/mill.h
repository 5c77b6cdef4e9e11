/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "config.h"
#include "queue/queue.h"

/*
 * What a message goes through in a test: a configuration and a real queue in a scratch folder.
 */

typedef struct {
    gchar *folder;
    Config *config;
    Queue *queue;
    GPtrArray *events; /* of gchar: "queued <id>", … */
} Mill;

/* @configuration: the text of postern.conf; the host name is relay.example.org, the domain example.org. */
Mill *mill_new (const gchar *configuration);
void mill_free (Mill *mill);

/* Reads a configuration like that of mill_new (). */
Config *mill_config (Mill *mill, const gchar *configuration);

/* Runs the main loop until there are @n messages in the queue. */
void mill_wait_queued (Mill *mill, guint n);
guint mill_count (Mill *mill);

/* Returns: (transfer full): the content of the message */
gchar *mill_content (Mill *mill, QueueId id);

/* Returns: (transfer full): the messages in the queue, of QueueMessage */
GPtrArray *mill_messages (Mill *mill);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Mill, mill_free)
