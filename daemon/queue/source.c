/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * What is sealed
 *
 * A closed journal or an older generation, as the sealing thread sees it: first for the ids that it mentions, from the frames
 * of the one and the index of the other; then for the parts that live in it. It has files of its own, since what the loader
 * has open is the loader's, and what was open while a disk was away stays dead.
 *
 * What the disk damaged does not mention all that lives in it; seal.c has that from the catalog.
 */

#include <unistd.h>

#include "queue/item.h"
#include "queue/queue.h"
#include "queue/source.h"

static void
source_free (gpointer data)
{
    QueueSource *source = data;

    queue_generation_unref (source->generation);
    g_clear_pointer (&source->file, queue_sealed_free);
    if (source->fd >= 0)
        close (source->fd);
    g_free (source);
}

GPtrArray *
queue_sources_new (QueueCatalog *catalog, const GArray *numbers)
{
    GPtrArray *sources = g_ptr_array_new_with_free_func (source_free);

    for (guint i = 0; i < numbers->len; i++) {
        QueueSource *source = g_new0 (QueueSource, 1);

        source->fd = -1;
        source->generation =
            queue_generation_ref (queue_catalog_generation (catalog, g_array_index (numbers, guint32, i)));
        g_ptr_array_add (sources, source);
    }

    return sources;
}

QueueSource *
queue_sources_find (const GPtrArray *sources, guint32 number)
{
    for (guint i = 0; i < sources->len; i++) {
        QueueSource *source = g_ptr_array_index (sources, i);

        if (source->generation->number == number)
            return source;
    }

    return NULL;
}

/* ---- Gathering the ids ---- */

static void
gather_record (const QueueFrame *frame, const QueuePlace *place, GBytes *payload, gpointer user_data)
{
    GArray *ids = user_data;
    QueueSpan span = {0};

    if (frame->part != QUEUE_PART_HEADS) {
        g_array_append_val (ids, frame->id);
        return;
    }
    span.data = g_bytes_get_data (payload, &span.left);
    while (span.left > 0) {
        QueueId id = queue_span_u64 (&span);
        QueueHead head;

        queue_span_head (&span, &head);
        if (span.bad)
            return;
        g_array_append_val (ids, id);
    }
}

/* Returns: FALSE with QUEUE_ERROR_DAMAGED if the index cannot be read */
static gboolean
gather_from_sealed (QueueSource *source, GArray *ids, GError **error)
{
    g_auto (QueueSealedMeta) meta = {0};

    source->file = queue_sealed_open (source->generation->path, &meta, error);
    for (guint32 i = 0; source->file != NULL && i < meta.index_pages; i++) {
        g_autoptr (GBytes) page = queue_sealed_read (source->file, QUEUE_PART_INDEX, 0, i, error);
        QueueSpan span = {0};
        QueueItem item;

        if (page == NULL)
            return FALSE;
        span.data = g_bytes_get_data (page, &span.left);
        while (queue_item_read (&span, &item))
            g_array_append_val (ids, item.id);
        if (span.bad) {
            g_set_error (error, QUEUE_ERROR, QUEUE_ERROR_DAMAGED, "%s has a page that cannot be understood",
                         source->generation->path);
            return FALSE;
        }
    }

    return source->file != NULL;
}

static gboolean
open_journal (QueueSource *source, GArray *ids, GError **error)
{
    g_autoptr (GError) failed = NULL;
    QueueJournalHeader header;
    QueueJournalScan scan;
    gboolean scanned;

    source->fd = queue_generation_open_journal (source->generation, error);
    if (source->fd < 0)
        return FALSE;
    scanned = queue_journal_scan (source->fd, &header, gather_record, ids, &scan, &failed);
    if (!scanned && !g_error_matches (failed, QUEUE_ERROR, QUEUE_ERROR_DAMAGED)) {
        g_set_error (error, failed->domain, failed->code, "%s: %s", source->generation->path, failed->message);
        return FALSE;
    }
    source->damaged = !scanned || scan.lost_bytes > 0;

    return TRUE;
}

/* What is left of a damaged one may be nothing. */
static gboolean
open_sealed (QueueSource *source, GArray *ids, GError **error)
{
    g_autoptr (GError) failed = NULL, again = NULL;

    if (gather_from_sealed (source, ids, &failed))
        return TRUE;
    source->damaged = g_error_matches (failed, QUEUE_ERROR, QUEUE_ERROR_DAMAGED);
    if (source->damaged && source->file == NULL)
        source->file = queue_sealed_open_damaged (source->generation->path, &again);
    if (source->damaged && (again == NULL || g_error_matches (again, QUEUE_ERROR, QUEUE_ERROR_DAMAGED)))
        return TRUE;
    g_propagate_error (error, again != NULL ? g_steal_pointer (&again) : g_steal_pointer (&failed));

    return FALSE;
}

gboolean
queue_source_open (QueueSource *source, GArray *ids, GError **error)
{
    if (queue_generation_is_sealed (source->generation))
        return open_sealed (source, ids, error);

    return open_journal (source, ids, error);
}

static gint
compare_ids (gconstpointer a, gconstpointer b)
{
    QueueId left = *(const QueueId *) a, right = *(const QueueId *) b;

    return left < right ? -1 : left > right;
}

void
queue_source_sort_ids (GArray *ids)
{
    guint kept = 0;

    g_array_sort (ids, compare_ids);
    for (guint i = 0; i < ids->len; i++) {
        QueueId id = g_array_index (ids, QueueId, i);

        if (id != 0 && (kept == 0 || g_array_index (ids, QueueId, kept - 1) != id))
            g_array_index (ids, QueueId, kept++) = id;
    }
    g_array_set_size (ids, kept);
}

/* ---- The parts ---- */

GBytes *
queue_source_read (QueueSource *source, const QueuePlace *place, QueuePart part, QueueId id, guint32 number,
                   GError **error)
{
    if (source->fd < 0 && source->file == NULL) {
        g_set_error (error, QUEUE_ERROR, QUEUE_ERROR_DAMAGED, "nothing of %s can be read", source->generation->path);
        return NULL;
    }
    if (source->fd < 0)
        return queue_sealed_read (source->file, part, id, number, error);

    return queue_journal_read (source->fd, source->generation->seed, place, part, id, number, error);
}
