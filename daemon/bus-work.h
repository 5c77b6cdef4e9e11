/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "bus/bus.h"
#include "config.h"
#include "smtp/poller.h"
#include "users.h"

/*
 * What callers on the bus wait for: messages that they submit, and checks of the configuration.
 */

typedef struct _BusWork BusWork;

/* Everything must outlive the work, and the work the queue's last callback. */
BusWork *bus_work_new (Queue *queue, Users *users, Foreign *foreign, SmtpPoller *poller,
                       const ConfigSources *sources);
void bus_work_free (BusWork *work);

/* As BusHandlers has them; a message is treated as @config, of which a reference is kept, says. */
void bus_work_submit (BusWork *work, Config *config, const BusSubmission *submission, BusSubmitted submitted,
                      gpointer submitted_data);
void bus_work_check (BusWork *work, gboolean connect, const gchar *sender, BusChecked checked, gpointer checked_data);

/* How many messages are being submitted. */
guint bus_work_submissions (const BusWork *work);

/* Refuses what is not committed yet. */
void bus_work_cancel_submissions (BusWork *work);

/* From now on messages are refused. @ended is called once, maybe at once, when none is under way any more. */
void bus_work_end_submissions (BusWork *work, void (*ended) (gpointer user_data), gpointer user_data);

/* Breaks checks off, before the bus goes that has asked for them. */
void bus_work_drop_checks (BusWork *work);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (BusWork, bus_work_free)
