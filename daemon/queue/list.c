/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Listing
 *
 * A page of messages as they are while the page is made. A message that comes or goes meanwhile is in it or is not; one
 * that stays is met exactly once by whoever goes on from where the last page ended.
 */

#include "queue/queue-private.h"

typedef struct {
    guint limit;
    GPtrArray *messages; /* of QueueMessage */
    QueueListed listed;
    gpointer user_data;
} Listing;

static gboolean
list_visit (QueueEntry *entry, QueueMessage *core, gpointer user_data)
{
    Listing *listing = user_data;

    g_ptr_array_add (listing->messages, core == NULL ? queue_view_unreadable (entry) : queue_view (entry, core));

    return listing->messages->len < listing->limit;
}

static void
list_done (QueueId next, gpointer user_data)
{
    g_autofree Listing *listing = user_data;

    listing->listed (listing->messages, next, listing->user_data);
    g_ptr_array_unref (listing->messages);
}

void
queue_list (Queue *queue, const QueueFilter *filter, QueueId after, guint limit, QueueListed listed,
            gpointer user_data)
{
    const QueueSweepFuncs funcs = {.load = TRUE, .visit = list_visit, .done = list_done};
    Listing *listing = g_new0 (Listing, 1);

    listing->limit = MAX (limit, 1);
    listing->messages = g_ptr_array_new_with_free_func ((GDestroyNotify) queue_message_unref);
    listing->listed = listed;
    listing->user_data = user_data;
    queue_sweep_start (queue, filter, after, &funcs, listing);
}
