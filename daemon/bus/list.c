/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Lists for callers
 *
 * All messages of a filter as a stream of text, made a page at a time while the caller reads. It is what the bus itself
 * is slow at: as values on the bus ten thousand rows take it a third of a second, most of it for taking them apart and
 * putting them together.
 *
 * Each row is twelve fields, each ended by a NUL byte, which no field can contain. A field of its own that is empty
 * follows the last row, so that a reader can tell the end from a daemon that stopped.
 */

#include "bus/list.h"

#include "bus/stream.h"
#include "bus/variant.h"

#define PAGE_MESSAGES 1000

typedef struct {
    Queue *queue;
    BusFilter *filter;
    QueueId after;
    BusStream *stream; /* (nullable) while it is not known, and when it is gone */
    gboolean listing;  /* the queue has not answered yet */
    gboolean complete;
} List;

static void
list_free (List *list)
{
    bus_filter_free (list->filter);
    g_free (list);
}

static void
list_leave (gpointer source)
{
    List *list = source;

    list->stream = NULL;
    if (!list->listing)
        list_free (list);
}

static void
put_page (List *list, GString *page)
{
    g_autoptr (GBytes) piece = NULL;

    if (list->complete)
        g_string_append_c (page, '\0');
    piece = g_string_free_to_bytes (page);
    bus_stream_put (list->stream, piece);
}

static void
on_listed (GPtrArray *messages, QueueId next, gpointer user_data)
{
    List *list = user_data;
    GString *page;

    list->listing = FALSE;
    if (list->stream == NULL) {
        list_free (list);
        return;
    }

    page = g_string_new (NULL);
    for (guint i = 0; i < messages->len; i++)
        bus_variant_append_row (page, g_ptr_array_index (messages, i));
    list->after = next;
    list->complete = next == 0;
    put_page (list, page);
}

static void
list_next (BusStream *stream, gpointer source)
{
    List *list = source;

    list->stream = stream;
    if (list->complete) {
        bus_stream_put (stream, NULL);
    } else if (list->filter->matches_none) {
        list->complete = TRUE;
        put_page (list, g_string_new (NULL));
    } else {
        list->listing = TRUE;
        queue_list (list->queue, &list->filter->queue, list->after, PAGE_MESSAGES, on_listed, list);
    }
}

int
bus_list_open (Bus *bus, BusFilter *filter, gint64 uid, GError **error)
{
    static const BusStreamSource functions = {.next = list_next, .free = list_leave};
    List *list = g_new0 (List, 1);

    list->queue = bus->queue;
    list->filter = filter;
    return bus_streams_open (bus->streams, uid, &functions, list, error);
}
