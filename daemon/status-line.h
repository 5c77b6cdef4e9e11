/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "delivery/delivery.h"
#include "queue/queue.h"

/*
 * The line that `systemctl status` shows.
 */

/* Appends what is wrong with the configuration, and what is in force instead; nothing if @problems is %NULL. */
void status_line_append_configuration (GString *text, const gchar *problems, const gchar *consequence);

/* Appends how the relay is doing, "3 messages queued (1 deferred), 1 remote down". */
void status_line_append (GString *text, Queue *queue, Delivery *delivery);
