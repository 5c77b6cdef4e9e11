/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/*
 * Brings calls from the store's threads to the main loop, in order, with one wake-up for all that wait.
 */

typedef struct _QueueMailbox QueueMailbox;

/* Attached to the thread's default context. */
QueueMailbox *queue_mailbox_new (void);

/* From any thread: @call is called with @data by the main loop. */
void queue_mailbox_post (QueueMailbox *mailbox, GFunc call, gpointer data, gpointer user_data);

/* Makes the calls that wait, and those that they post, now. For closing. */
void queue_mailbox_drain (QueueMailbox *mailbox);

/* Nothing may be waiting. */
void queue_mailbox_free (QueueMailbox *mailbox);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (QueueMailbox, queue_mailbox_free)
