/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "delivery/delivery.h"
#include "smarthost.h"

/* A queue in a scratch folder, a delivery, and smarthosts for it: the real parts, wired as the relay wires them. */

typedef struct {
    gchar *folder;
    Queue *queue;
    SmtpPoller *poller;
    Delivery *delivery;
    DeliverySettings *settings; /* (nullable) of the next start or reload */
    GPtrArray *smarthosts;      /* of Smarthost */
    GPtrArray *events;          /* of strings: "delivered b@example.org 250 2.0.0 taken" */
    guint remote_changes;
    gboolean stopped;
} Office;

/* @n_smarthosts: in order of preference, with names "first", "second" … */
Office *office_new (guint n_smarthosts);
void office_free (Office *office);

/* The settings of the next start or reload, with short times; made of the smarthosts. */
DeliverySettings *office_settings (Office *office);
DeliverySmarthost *office_smarthost_settings (Office *office, guint index);
Smarthost *office_smarthost (Office *office, guint index);

/* Before the start: what is in the queue has to be read from the disk then. */
void office_reopen (Office *office);

void office_start (Office *office);
void office_reload (Office *office);
void office_stop (Office *office, guint deadline_seconds);

/* Queues a message and waits until that is done. @recipients: separated by spaces. */
QueueId office_submit (Office *office, const gchar *sender, const gchar *recipients, const gchar *content);
QueueId office_submit_envelope (Office *office, const MessageEnvelope *envelope, const gchar *content);

/* Returns: (transfer full) (nullable): as it is listed now */
QueueMessage *office_message (Office *office, QueueId id);

/* Messages in the queue. */
guint office_queued (Office *office);

/* Whether an event was told that contains @text. */
gboolean office_saw (Office *office, const gchar *text);
guint office_count_events (Office *office, const gchar *prefix);

DeliveryRemoteInfo office_remote (Office *office, guint index);

/* One turn of the loop; fails the test if @what did not come true for a minute. */
void office_turn (const gchar *what, gint64 begin_usec);

#define WAIT_UNTIL(condition)                                                                                        \
    for (gint64 begin_ = g_get_monotonic_time (); !(condition);)                                                     \
    office_turn (#condition, begin_)

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Office, office_free)
