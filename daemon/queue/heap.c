/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * A binary heap
 *
 * Push and remove cost the logarithm of the length, peek nothing.
 */

#include "queue/heap.h"

static QueueHeapItem *
item_at (const GPtrArray *heap, guint position)
{
    return g_ptr_array_index (heap, position);
}

static void
put (GPtrArray *heap, guint position, QueueHeapItem *item)
{
    g_ptr_array_index (heap, position) = item;
    item->position = position;
}

static void
sift_up (GPtrArray *heap, guint position, QueueHeapItem *item)
{
    while (position > 0) {
        guint parent = (position - 1) / 2;

        if (item_at (heap, parent)->key <= item->key)
            break;
        put (heap, position, item_at (heap, parent));
        position = parent;
    }
    put (heap, position, item);
}

static void
sift_down (GPtrArray *heap, guint position, QueueHeapItem *item)
{
    for (;;) {
        guint child = 2 * position + 1;

        if (child >= heap->len)
            break;
        if (child + 1 < heap->len && item_at (heap, child + 1)->key < item_at (heap, child)->key)
            child++;
        if (item_at (heap, child)->key >= item->key)
            break;
        put (heap, position, item_at (heap, child));
        position = child;
    }
    put (heap, position, item);
}

void
queue_heap_push (GPtrArray *heap, QueueHeapItem *item)
{
    g_ptr_array_add (heap, item);
    sift_up (heap, heap->len - 1, item);
}

QueueHeapItem *
queue_heap_peek (const GPtrArray *heap)
{
    return heap->len == 0 ? NULL : item_at (heap, 0);
}

void
queue_heap_remove (GPtrArray *heap, QueueHeapItem *item)
{
    guint position = item->position;
    QueueHeapItem *last = item_at (heap, heap->len - 1);

    g_assert (item_at (heap, position) == item);
    g_ptr_array_set_size (heap, (gint) heap->len - 1);
    if (last == item)
        return;
    if (position > 0 && item_at (heap, (position - 1) / 2)->key > last->key)
        sift_up (heap, position, last);
    else
        sift_down (heap, position, last);
}
