/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The catalog
 *
 * Where each part of each message lies, and, from the other side, how much of each generation still lives. Everything
 * that moves a part goes through here, so that the two sides agree: a generation whose count falls to nothing can be
 * dropped, and one that is mostly dead is worth cleaning.
 *
 * The marks. When a message is removed whose record lies in an older generation than the mark, the mark is remembered
 * with that older generation as its target, and is needed until the target's file is gone: without it the message would
 * come back after a restart. If the target is just being sealed, the message may also be in what is being made of it, and
 * the mark is needed until both are gone. A message that came and went within one journal needs no mark once that is sealed, since
 * neither is copied.
 */

#include <pthread.h>

#include "queue/catalog.h"

struct _QueueCatalog {
    pthread_mutex_t lock;
    QueueIndex *index;
    GPtrArray *generations; /* of QueueGeneration, by number */
    GHashTable *uploads;    /* of QueueUpload by id */
    GArray *sealing;        /* (nullable) of guint32: what is being sealed */
    guint32 sealing_into;
};

QueueCatalog *
queue_catalog_new (void)
{
    QueueCatalog *catalog = g_new0 (QueueCatalog, 1);

    pthread_mutex_init (&catalog->lock, NULL);
    catalog->index = queue_index_new ();
    catalog->generations = g_ptr_array_new_with_free_func ((GDestroyNotify) queue_generation_unref);
    catalog->uploads = g_hash_table_new (g_int64_hash, g_int64_equal);

    return catalog;
}

void
queue_catalog_free (QueueCatalog *catalog)
{
    g_clear_pointer (&catalog->index, queue_index_free);
    g_ptr_array_unref (catalog->generations);
    g_hash_table_unref (catalog->uploads);
    g_clear_pointer (&catalog->sealing, g_array_unref);
    pthread_mutex_destroy (&catalog->lock);
    g_free (catalog);
}

void
queue_catalog_lock (QueueCatalog *catalog)
{
    pthread_mutex_lock (&catalog->lock);
}

void
queue_catalog_unlock (QueueCatalog *catalog)
{
    pthread_mutex_unlock (&catalog->lock);
}

QueueIndex *
queue_catalog_index (QueueCatalog *catalog)
{
    return catalog->index;
}

GPtrArray *
queue_catalog_generations (QueueCatalog *catalog)
{
    return catalog->generations;
}

static QueueGeneration *
generation_at (QueueCatalog *catalog, guint position)
{
    return g_ptr_array_index (catalog->generations, position);
}

/* There are some dozens of them at most: sealing merges. The newest are asked for most. */
static gint
find_generation (QueueCatalog *catalog, guint32 number)
{
    for (gint i = (gint) catalog->generations->len - 1; i >= 0; i--) {
        if (generation_at (catalog, (guint) i)->number == number)
            return i;
    }

    return -1;
}

QueueGeneration *
queue_catalog_generation (QueueCatalog *catalog, guint32 number)
{
    gint position = find_generation (catalog, number);

    return position < 0 ? NULL : generation_at (catalog, (guint) position);
}

void
queue_catalog_add_generation (QueueCatalog *catalog, QueueGeneration *generation)
{
    guint position = catalog->generations->len;

    while (position > 0 && generation_at (catalog, position - 1)->number > generation->number)
        position--;
    g_ptr_array_insert (catalog->generations, (gint) position, generation);
}

void
queue_catalog_drop_generation (QueueCatalog *catalog, guint32 number)
{
    gint position = find_generation (catalog, number);

    g_return_if_fail (position >= 0);

    g_ptr_array_remove_index (catalog->generations, (guint) position);
}

void
queue_catalog_replace_generation (QueueCatalog *catalog, QueueGeneration *sealed)
{
    gint position = find_generation (catalog, sealed->number);
    QueueGeneration *journal;

    g_return_if_fail (position >= 0);

    /* The parts that lie there have the same generation as before: only their number and size may have changed. */
    journal = generation_at (catalog, (guint) position);
    sealed->live_bytes += journal->live_bytes;
    sealed->live_parts += journal->live_parts;
    catalog->generations->pdata[position] = sealed;
    queue_generation_unref (journal);
}

void
queue_catalog_adopt (QueueCatalog *catalog, QueueCatalog *older)
{
    for (guint i = 0; i < older->generations->len; i++)
        queue_catalog_add_generation (catalog, queue_generation_ref (generation_at (older, i)));
    queue_index_prepend (catalog->index, g_steal_pointer (&older->index));
    queue_catalog_free (older);
}

static gboolean
exists_outside (QueueCatalog *catalog, guint32 number, const GArray *except)
{
    for (guint i = 0; except != NULL && i < except->len; i++) {
        if (g_array_index (except, guint32, i) == number)
            return FALSE;
    }

    return number != 0 && find_generation (catalog, number) >= 0;
}

gboolean
queue_catalog_needs_removal (QueueCatalog *catalog, const QueueRemoval *removal, const GArray *except)
{
    return exists_outside (catalog, removal->target, except) || exists_outside (catalog, removal->copy, except);
}

gboolean
queue_catalog_needs (QueueCatalog *catalog, const QueueGeneration *generation)
{
    /* Marks mostly come in rows of the same target. */
    const QueueRemoval *last = NULL;

    if (generation->live_parts > 0)
        return TRUE;
    for (guint i = 0; i < generation->removals->len; i++) {
        const QueueRemoval *removal = &g_array_index (generation->removals, QueueRemoval, i);

        if (last != NULL && removal->target == last->target && removal->copy == last->copy)
            continue;
        if (queue_catalog_needs_removal (catalog, removal, NULL))
            return TRUE;
        last = removal;
    }

    return FALSE;
}

void
queue_catalog_set_sealing (QueueCatalog *catalog, const GArray *sources, guint32 into)
{
    g_clear_pointer (&catalog->sealing, g_array_unref);
    catalog->sealing = sources == NULL ? NULL : g_array_copy ((GArray *) sources);
    catalog->sealing_into = into;
}

static void
count_part (QueueCatalog *catalog, const QueuePlace *place, gint by)
{
    QueueGeneration *generation = queue_catalog_generation (catalog, place->generation);

    g_return_if_fail (generation != NULL);

    generation->live_parts += by;
    generation->live_bytes += (gint64) by * place->length;
}

void
queue_catalog_place (QueueCatalog *catalog, QueuePlace *slot, const QueuePlace *place)
{
    if (slot->generation != 0)
        count_part (catalog, slot, -1);
    if (place->generation != 0)
        count_part (catalog, place, 1);
    *slot = *place;
}

/* A head is a part without a place of its own: it is found by scanning. */
void
queue_catalog_move_head (QueueCatalog *catalog, QueueEntry *entry, guint32 generation)
{
    QueuePlace slot = {.length = QUEUE_HEAD_BYTES, .generation = entry->head_generation};
    const QueuePlace place = {.length = QUEUE_HEAD_BYTES, .generation = generation};

    queue_catalog_place (catalog, &slot, &place);
    entry->head_generation = generation;
}

void
queue_catalog_set_head (QueueCatalog *catalog, QueueEntry *entry, const QueueHead *head, guint32 generation)
{
    entry->head = *head;
    queue_catalog_move_head (catalog, entry, generation);
}

/* Where the record of a message that is removed now may be copied to. It may also not be, if it was not reached yet or the
 * sealing fails. */
static guint32
copy_target (QueueCatalog *catalog, guint32 lies_in)
{
    for (guint i = 0; catalog->sealing != NULL && i < catalog->sealing->len; i++) {
        if (g_array_index (catalog->sealing, guint32, i) == lies_in)
            return catalog->sealing_into;
    }

    return 0;
}

void
queue_catalog_remove (QueueCatalog *catalog, QueueEntry *entry, guint32 removal)
{
    const QueuePlace nowhere = {0};
    const QueueRemoval mark = {.id = entry->id,
                               .target = entry->message.generation,
                               .copy = copy_target (catalog, entry->message.generation)};

    if (mark.target != 0 && mark.target != removal)
        g_array_append_val (queue_catalog_generation (catalog, removal)->removals, mark);
    queue_catalog_place (catalog, &entry->message, &nowhere);
    for (guint i = 0; i < queue_record_segments (entry->n_recipients); i++)
        queue_catalog_place (catalog, queue_entry_state (entry, i), &nowhere);
    for (guint i = 0; i < entry->n_chunks; i++)
        queue_catalog_place (catalog, queue_entry_chunk (entry, i), &nowhere);
    queue_catalog_move_head (catalog, entry, 0);
    queue_index_remove (catalog->index, entry);
    queue_entry_free (entry);
}

QueueUpload *
queue_catalog_upload_new (QueueCatalog *catalog, QueueId id)
{
    QueueUpload *upload = g_new0 (QueueUpload, 1);

    upload->id = id;
    upload->places = g_array_new (FALSE, FALSE, sizeof (QueuePlace));
    queue_catalog_lock (catalog);
    g_hash_table_insert (catalog->uploads, &upload->id, upload);
    queue_catalog_unlock (catalog);

    return upload;
}

void
queue_catalog_upload_add (QueueCatalog *catalog, QueueUpload *upload, const QueuePlace *place)
{
    queue_catalog_lock (catalog);
    g_array_append_val (upload->places, *place);
    count_part (catalog, place, 1);
    queue_catalog_unlock (catalog);
}

void
queue_catalog_upload_fail (QueueCatalog *catalog, QueueUpload *upload, gboolean full)
{
    queue_catalog_lock (catalog);
    if (!upload->failed)
        upload->full = full;
    upload->failed = TRUE;
    queue_catalog_unlock (catalog);
}

gboolean
queue_catalog_upload_is_whole (QueueCatalog *catalog, QueueUpload *upload, gboolean *full)
{
    gboolean whole;

    queue_catalog_lock (catalog);
    whole = !upload->failed;
    *full = upload->full;
    queue_catalog_unlock (catalog);

    return whole;
}

static gboolean
has_chunk_in (const QueueUpload *upload, guint32 generation, guint64 from)
{
    for (guint i = 0; i < upload->places->len; i++) {
        const QueuePlace *place = &g_array_index (upload->places, QueuePlace, i);

        if (place->generation == generation && place->offset >= from)
            return TRUE;
    }

    return FALSE;
}

void
queue_catalog_fail_uploads (QueueCatalog *catalog, guint32 generation, guint64 from)
{
    GHashTableIter iter;
    gpointer value;

    queue_catalog_lock (catalog);
    g_hash_table_iter_init (&iter, catalog->uploads);
    while (g_hash_table_iter_next (&iter, NULL, &value)) {
        QueueUpload *upload = value;

        upload->failed |= has_chunk_in (upload, generation, from);
    }
    queue_catalog_unlock (catalog);
}

void
queue_catalog_upload_end (QueueCatalog *catalog, QueueUpload *upload, QueueEntry *entry)
{
    const QueuePlace nowhere = {0};

    g_hash_table_remove (catalog->uploads, &upload->id);
    for (guint i = 0; i < upload->places->len; i++) {
        QueuePlace *place = &g_array_index (upload->places, QueuePlace, i);

        if (entry != NULL)
            *queue_entry_chunk (entry, i) = *place;
        else
            queue_catalog_place (catalog, place, &nowhere);
    }
    g_array_unref (upload->places);
    g_free (upload);
}

QueueUpload *
queue_catalog_upload (QueueCatalog *catalog, QueueId id)
{
    return g_hash_table_lookup (catalog->uploads, &id);
}

void
queue_catalog_upload_ids (QueueCatalog *catalog, GArray *ids)
{
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init (&iter, catalog->uploads);
    while (g_hash_table_iter_next (&iter, NULL, &value))
        g_array_append_val (ids, ((const QueueUpload *) value)->id);
}

guint
queue_catalog_n_uploads (QueueCatalog *catalog)
{
    return g_hash_table_size (catalog->uploads);
}
