/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "queue/queue-private.h"

/* Ends a delivery's hold of a job, and frees it. What is pending of it is in no lane: see queue_sort_message (). */
void queue_hand_end (Queue *queue, QueueHand *hand);

/* Frees what a hand holds, and nothing else. */
void queue_hand_free (QueueHand *hand);
