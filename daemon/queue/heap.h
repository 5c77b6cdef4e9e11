/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/*
 * A heap of things that begin with a QueueHeapItem, in an array of pointers to them: the least key first. An item
 * knows where it is, so that it can be taken out of the middle.
 */
typedef struct {
    gint64 key;
    guint position; /* the heap's */
} QueueHeapItem;

void queue_heap_push (GPtrArray *heap, QueueHeapItem *item);
QueueHeapItem *queue_heap_peek (const GPtrArray *heap); /* (nullable) */
void queue_heap_remove (GPtrArray *heap, QueueHeapItem *item);
