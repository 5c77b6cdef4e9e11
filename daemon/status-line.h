/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "delivery/delivery.h"
#include "queue/queue.h"

/*
 * The line that `systemctl status` shows.
 */

/* Appends how the relay is doing, "3 messages queued (1 deferred), 1 remote down". */
void status_line_append (GString *text, Queue *queue, Delivery *delivery);
