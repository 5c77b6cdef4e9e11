/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Sealing
 *
 * Three passes. First all ids that the sources mention are gathered (source.c). Then, id by id in their order, the
 * catalog is asked which parts of the message live in the sources, and these are copied; the catalog is locked for some
 * dozens of messages at a time and knows only what is durable, so that nothing is left out because of something that a
 * power cut could still undo. Then, when the new file is on the disk under its name, the catalog is told, message by
 * message again.
 *
 * What happens meanwhile is no trouble. A new state of a message lies in a newer generation than the one that is made,
 * and overrides what was copied. A removal's mark does too, and is kept as long as the copy exists (see catalog.c). A
 * part that moved is not moved again.
 *
 * A crash before the rename leaves a temporary file, which recovery removes; one after it leaves sources, which
 * recovery knows from the new file's list of what it replaces.
 *
 * A part that cannot be read, in a source that the disk damaged, is left out; its message is named, and the file that
 * it was in is kept under another name for a person to look at.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "queue/disk.h"
#include "queue/item.h"
#include "queue/queue.h"
#include "queue/seal.h"
#include "queue/source.h"

/* Messages looked up with the catalog locked; some 100 µs. */
#define LOCKED_MESSAGES 64

/* A page of the index or of removals. */
#define PAGE_BYTES QUEUE_CHUNK_BYTES

/* A part that lives in a source. */
typedef struct {
    QueuePart part;
    guint32 number;
    QueuePlace place;
} Part;

/* What lives of a message in the sources. */
typedef struct {
    QueueId id;
    GArray *parts; /* of Part */
    gboolean has_head;
    QueueHead head; /* as it is now, for the records that begin with it */
    QueueSummary summary;
} Living;

typedef struct {
    QueueId id;
    QueuePlace place;
} LostPart;

typedef struct {
    QueueSeal *seal;
    GPtrArray *sources; /* of QueueSource */
    GArray *ids;        /* of QueueId, rising, each once */
    QueueSealed *out;   /* (nullable) made when there is something to store */
    gchar *out_path;
    GByteArray *page;
    QueueSealedMeta meta;
    guint64 stored_bytes;
    guint64 n_stored; /* parts */
    GArray *removals; /* of QueueRemoval: those that are still needed */
    GArray *lost;     /* of LostPart: what the disk damaged */
} Sealing;

static void
living_clear (gpointer data)
{
    g_array_unref (((Living *) data)->parts);
}

static gboolean
is_cancelled (Sealing *sealing, GError **error)
{
    if (!g_atomic_int_get (sealing->seal->cancel))
        return FALSE;
    g_set_error_literal (error, QUEUE_ERROR, QUEUE_ERROR_GONE, "the queue is being closed");

    return TRUE;
}

/* ---- Asking the catalog ---- */

static void
add_part (Sealing *sealing, Living *living, QueuePart part, guint32 number, const QueuePlace *place)
{
    const Part living_part = {.part = part, .number = number, .place = *place};

    if (place->generation != 0 && queue_sources_find (sealing->sources, place->generation) != NULL)
        g_array_append_val (living->parts, living_part);
}

/* Locked. */
static void
look_up (Sealing *sealing, QueueId id, Living *living)
{
    QueueEntry *entry = queue_index_find (queue_catalog_index (sealing->seal->catalog), id);
    const QueueUpload *upload = entry != NULL ? NULL : queue_catalog_upload (sealing->seal->catalog, id);

    living->id = id;
    if (entry != NULL) {
        living->head = entry->head;
        living->has_head = queue_sources_find (sealing->sources, entry->head_generation) != NULL;
        queue_entry_summary (entry, &living->summary);
        add_part (sealing, living, QUEUE_PART_MESSAGE, 0, &entry->message);
        for (guint i = 0; i < queue_record_segments (entry->n_recipients); i++)
            add_part (sealing, living, QUEUE_PART_STATE, i, queue_entry_state (entry, i));
        for (guint i = 0; i < entry->n_chunks; i++)
            add_part (sealing, living, QUEUE_PART_CONTENT, i, queue_entry_chunk (entry, i));
    }
    for (guint i = 0; upload != NULL && !upload->failed && i < upload->places->len; i++)
        add_part (sealing, living, QUEUE_PART_CONTENT, i, &g_array_index (upload->places, QueuePlace, i));
}

static void
living_start (Living *living)
{
    living->parts = g_array_new (FALSE, FALSE, sizeof (Part));
}

/* How many parts live in the sources of the messages that these tell of. */
static guint64
count_found (Sealing *sealing)
{
    guint64 found = 0;

    for (guint first = 0; first < sealing->ids->len; first += LOCKED_MESSAGES) {
        queue_catalog_lock (sealing->seal->catalog);
        for (guint i = first; i < MIN (first + LOCKED_MESSAGES, sealing->ids->len); i++) {
            Living living = {0};

            living_start (&living);
            look_up (sealing, g_array_index (sealing->ids, QueueId, i), &living);
            found += living.parts->len + living.has_head;
            living_clear (&living);
        }
        queue_catalog_unlock (sealing->seal->catalog);
    }

    return found;
}

static guint64
count_living (Sealing *sealing)
{
    guint64 living = 0;

    queue_catalog_lock (sealing->seal->catalog);
    for (guint i = 0; i < sealing->sources->len; i++)
        living += ((QueueSource *) g_ptr_array_index (sealing->sources, i))->generation->live_parts;
    queue_catalog_unlock (sealing->seal->catalog);

    return living;
}

/* The next messages after @after of which something lives in the sources. Returns: the last one seen, 0 at the end */
static QueueId
add_living (Sealing *sealing, QueueId after)
{
    QueueEntry *entry = NULL;

    queue_catalog_lock (sealing->seal->catalog);
    for (guint i = 0; i < LOCKED_MESSAGES; i++) {
        Living living = {0};

        entry = queue_index_after (queue_catalog_index (sealing->seal->catalog), after);
        if (entry == NULL)
            break;
        after = entry->id;
        living_start (&living);
        look_up (sealing, after, &living);
        if (living.parts->len > 0 || living.has_head)
            g_array_append_val (sealing->ids, after);
        living_clear (&living);
    }
    queue_catalog_unlock (sealing->seal->catalog);

    return entry == NULL ? 0 : after;
}

/* What the disk damaged while it was open may have lost all that told of a message which lives there: it has to be named,
 * and to have no part in a generation that is dropped. Parts may die meanwhile, but not begin to live. */
static void
find_untold (Sealing *sealing)
{
    QueueId after = 0;

    if (count_found (sealing) >= count_living (sealing))
        return;
    queue_catalog_lock (sealing->seal->catalog);
    queue_catalog_upload_ids (sealing->seal->catalog, sealing->ids);
    queue_catalog_unlock (sealing->seal->catalog);
    do
        after = add_living (sealing, after);
    while (after != 0);
    queue_source_sort_ids (sealing->ids);
}

/* ---- Copying ---- */

static gboolean
store (Sealing *sealing, QueuePart part, QueueId id, guint32 number, GBytes *payload, GError **error)
{
    if (sealing->out == NULL)
        sealing->out = queue_sealed_create (sealing->out_path, error);
    if (sealing->out == NULL)
        return FALSE;
    sealing->stored_bytes += g_bytes_get_size (payload);
    sealing->n_stored++;

    return queue_sealed_store (sealing->out, part, id, number, payload, error);
}

static gboolean
flush_page (Sealing *sealing, QueuePart part, guint32 *n_pages, GError **error)
{
    g_autoptr (GBytes) payload = NULL;

    if (sealing->page->len == 0)
        return TRUE;
    payload = g_byte_array_free_to_bytes (g_steal_pointer (&sealing->page));
    sealing->page = g_byte_array_new ();

    return store (sealing, part, 0, (*n_pages)++, payload, error);
}

static gboolean
add_item (Sealing *sealing, const QueueItem *item, GError **error)
{
    queue_item_put (sealing->page, item);

    return sealing->page->len < PAGE_BYTES ||
           flush_page (sealing, QUEUE_PART_INDEX, &sealing->meta.index_pages, error);
}

/* Returns: (nullable) (transfer full): what is stored in its place. Without a state all recipients would be as they were at
 * the arrival, and get the message again. */
static GBytes *
lose_part (Sealing *sealing, const Living *living, const Part *part, const GError *error)
{
    const LostPart lost = {.id = living->id, .place = part->place};
    gchar id[QUEUE_ID_TEXT_BYTES];

    queue_id_write (living->id, id);
    queue_sources_find (sealing->sources, part->place.generation)->damaged = TRUE;
    g_array_append_val (sealing->seal->damaged, living->id);
    g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_WARNING, "POSTERN_QUEUE_ID", id, "MESSAGE",
                      "a part of message %s is lost: %s", id, error->message);
    if (part->part == QUEUE_PART_STATE)
        return queue_record_lost_state (&living->head);
    g_array_append_val (sealing->lost, lost);

    return NULL;
}

/* The index's word on a part, if it is not one of a row of chunks. */
static gboolean
index_part (Sealing *sealing, const Living *living, const Part *part, guint32 length, GError **error)
{
    QueueItem item = {.id = living->id, .number = part->number, .length = length};

    if (part->part == QUEUE_PART_CONTENT)
        return TRUE;
    item.kind = part->part == QUEUE_PART_MESSAGE ? QUEUE_ITEM_MESSAGE : QUEUE_ITEM_STATE;
    item.summary = living->summary;

    return add_item (sealing, &item, error);
}

/* Chunks that were copied and follow each other are one item. */
static gboolean
index_chunks (Sealing *sealing, const Living *living, const guint8 *copied, GError **error)
{
    QueueItem item = {.kind = QUEUE_ITEM_CONTENT, .id = living->id};

    for (guint i = 0; i < living->parts->len; i++) {
        const Part *part = &g_array_index (living->parts, Part, i);

        if (part->part != QUEUE_PART_CONTENT || !copied[i])
            continue;
        if (item.count > 0 && part->number == item.number + item.count) {
            item.count++;
            continue;
        }
        if (item.count > 0 && !add_item (sealing, &item, error))
            return FALSE;
        item.number = part->number;
        item.count = 1;
    }

    return item.count == 0 || add_item (sealing, &item, error);
}

static gboolean
copy_living (Sealing *sealing, const Living *living, GError **error)
{
    g_autofree guint8 *copied = g_new0 (guint8, living->parts->len + 1);

    for (guint i = 0; i < living->parts->len; i++) {
        const Part *part = &g_array_index (living->parts, Part, i);
        g_autoptr (GError) unreadable = NULL;
        g_autoptr (GBytes) payload =
            queue_source_read (queue_sources_find (sealing->sources, part->place.generation), &part->place,
                               part->part, living->id, part->number, &unreadable);
        g_autoptr (GBytes) current = NULL;

        if (payload == NULL && !g_error_matches (unreadable, QUEUE_ERROR, QUEUE_ERROR_DAMAGED)) {
            g_propagate_error (error, g_steal_pointer (&unreadable));
            return FALSE;
        }
        if (payload == NULL)
            payload = lose_part (sealing, living, part, unreadable);
        if (payload == NULL)
            continue;
        current = part->part == QUEUE_PART_CONTENT ? g_bytes_ref (payload)
                                                   : queue_record_with_head (payload, &living->head);
        if (!store (sealing, part->part, living->id, part->number, current, error) ||
            !index_part (sealing, living, part, (guint32) g_bytes_get_size (current), error))
            return FALSE;
        copied[i] = TRUE;
    }
    if (living->has_head) {
        const QueueItem item = {.kind = QUEUE_ITEM_HEAD, .id = living->id, .head = living->head};

        if (!add_item (sealing, &item, error))
            return FALSE;
    }

    return index_chunks (sealing, living, copied, error);
}

static gboolean
copy_batch (Sealing *sealing, guint first, guint n, GError **error)
{
    g_autoptr (GArray) batch = g_array_new (FALSE, TRUE, sizeof (Living));

    g_array_set_clear_func (batch, living_clear);
    g_array_set_size (batch, n);
    for (guint i = 0; i < n; i++)
        living_start (&g_array_index (batch, Living, i));

    queue_catalog_lock (sealing->seal->catalog);
    for (guint i = 0; i < n; i++)
        look_up (sealing, g_array_index (sealing->ids, QueueId, first + i), &g_array_index (batch, Living, i));
    queue_catalog_unlock (sealing->seal->catalog);

    for (guint i = 0; i < n; i++) {
        if (is_cancelled (sealing, error) || !copy_living (sealing, &g_array_index (batch, Living, i), error))
            return FALSE;
    }

    return TRUE;
}

static gboolean
copy_all (Sealing *sealing, GError **error)
{
    for (guint first = 0; first < sealing->ids->len; first += LOCKED_MESSAGES) {
        if (!copy_batch (sealing, first, MIN (LOCKED_MESSAGES, sealing->ids->len - first), error))
            return FALSE;
    }

    return flush_page (sealing, QUEUE_PART_INDEX, &sealing->meta.index_pages, error);
}

/* Marks of messages in generations that stay. Locked. */
static void
find_removals (Sealing *sealing)
{
    for (guint i = 0; i < sealing->sources->len; i++) {
        const GArray *removals = ((QueueSource *) g_ptr_array_index (sealing->sources, i))->generation->removals;

        for (guint j = 0; j < removals->len; j++) {
            const QueueRemoval removal = g_array_index (removals, QueueRemoval, j);

            if (queue_catalog_needs_removal (sealing->seal->catalog, &removal, sealing->seal->sources))
                g_array_append_val (sealing->removals, removal);
        }
    }
}

static gboolean
copy_removals (Sealing *sealing, GError **error)
{
    queue_catalog_lock (sealing->seal->catalog);
    find_removals (sealing);
    queue_catalog_unlock (sealing->seal->catalog);

    for (guint i = 0; i < sealing->removals->len; i++) {
        queue_bytes_put_u64 (sealing->page, g_array_index (sealing->removals, QueueRemoval, i).id);
        if (sealing->page->len >= PAGE_BYTES &&
            !flush_page (sealing, QUEUE_PART_REMOVAL, &sealing->meta.removal_pages, error))
            return FALSE;
    }

    return flush_page (sealing, QUEUE_PART_REMOVAL, &sealing->meta.removal_pages, error);
}

/* ---- The new file ---- */

/* What a recovery that finds the new file removes: the other sources, and what could not be removed before. */
static void
list_replaced (Sealing *sealing)
{
    const QueueSeal *seal = sealing->seal;

    sealing->meta.replaced = g_array_new (FALSE, FALSE, sizeof (guint32));
    for (guint i = 0; i < seal->sources->len; i++) {
        if (g_array_index (seal->sources, guint32, i) != seal->into)
            g_array_append_val (sealing->meta.replaced, g_array_index (seal->sources, guint32, i));
    }
    g_array_append_vals (sealing->meta.replaced, seal->leftovers->data, seal->leftovers->len);
}

/* Brings the file to the disk and to its name. Returns: (transfer full): the generation that it is; NULL with an error */
static QueueGeneration *
finish_file (Sealing *sealing, GError **error)
{
    QueueSeal *seal = sealing->seal;
    g_autofree gchar *path = queue_generation_path (seal->directory, seal->into, QUEUE_GENERATION_SEALED);
    g_auto (QueueSealedMeta) meta = {0};
    QueueGeneration *generation;
    QueueSealed *file;

    sealing->meta.generation = seal->into;
    sealing->meta.next_id = seal->next_id;
    sealing->meta.stored_bytes = sealing->stored_bytes;
    list_replaced (sealing);
    if (!queue_sealed_finish (sealing->out, &sealing->meta, error))
        return NULL;
    g_clear_pointer (&sealing->out, queue_sealed_free);

    /* Read what was written before anything relies on it; the file says beside the parts what it is. */
    file = queue_sealed_open (sealing->out_path, &meta, error);
    if (file == NULL)
        return NULL;
    if (!queue_sealed_has_parts (file, sealing->n_stored + 1, error)) {
        queue_sealed_free (file);
        return NULL;
    }
    if (rename (sealing->out_path, path) != 0) {
        queue_disk_set_error (error, "rename", sealing->out_path);
        queue_sealed_free (file);
        return NULL;
    }
    if (!queue_disk_sync_directory (seal->directory, error)) {
        queue_disk_remove (path, NULL);
        queue_sealed_free (file);
        return NULL;
    }
    queue_sealed_renamed (file, path);
    generation = queue_generation_new_sealed (seal->into, path, file);
    generation->stored_bytes = sealing->stored_bytes;
    generation->disk_bytes = queue_disk_used_bytes (path);
    g_array_append_vals (generation->removals, sealing->removals->data, sealing->removals->len);

    return generation;
}

/* ---- Telling the catalog ---- */

/* A part that could not be read, by its place. */
static gboolean
is_lost (Sealing *sealing, QueueId id, const QueuePlace *place)
{
    for (guint i = 0; i < sealing->lost->len; i++) {
        const LostPart *lost = &g_array_index (sealing->lost, LostPart, i);

        if (lost->id == id && memcmp (&lost->place, place, sizeof *place) == 0)
            return TRUE;
    }

    return FALSE;
}

/* Moves a part that lives in a source: into the new generation, or nowhere if it was not copied. Locked. */
static void
move_part (Sealing *sealing, QueueId id, QueuePlace *slot, gboolean dead)
{
    QueuePlace place = {.length = slot->length, .generation = sealing->seal->into};

    if (slot->generation == 0 || queue_sources_find (sealing->sources, slot->generation) == NULL)
        return;
    if (dead || (sealing->lost->len > 0 && is_lost (sealing, id, slot)))
        place = (QueuePlace){0};
    queue_catalog_place (sealing->seal->catalog, slot, &place);
}

/* Locked. */
static void
move_message (Sealing *sealing, QueueId id)
{
    QueueCatalog *catalog = sealing->seal->catalog;
    QueueEntry *entry = queue_index_find (queue_catalog_index (catalog), id);
    QueueUpload *upload = entry != NULL ? NULL : queue_catalog_upload (catalog, id);

    for (guint i = 0; upload != NULL && i < upload->places->len; i++) {
        QueuePlace *place = &g_array_index (upload->places, QueuePlace, i);

        move_part (sealing, id, place, upload->failed);
        upload->failed |= place->generation == 0;
    }
    if (entry == NULL)
        return;
    move_part (sealing, id, &entry->message, FALSE);
    for (guint i = 0; i < queue_record_segments (entry->n_recipients); i++)
        move_part (sealing, id, queue_entry_state (entry, i), FALSE);
    for (guint i = 0; i < entry->n_chunks; i++)
        move_part (sealing, id, queue_entry_chunk (entry, i), FALSE);
    if (entry->head_generation != 0 && queue_sources_find (sealing->sources, entry->head_generation) != NULL)
        queue_catalog_move_head (catalog, entry, sealing->seal->into);
}

static void
tell_catalog (Sealing *sealing, QueueGeneration *made)
{
    QueueCatalog *catalog = sealing->seal->catalog;

    if (made != NULL) {
        queue_catalog_lock (catalog);
        queue_catalog_replace_generation (catalog, made);
        queue_catalog_unlock (catalog);
    }
    for (guint first = 0; first < sealing->ids->len; first += LOCKED_MESSAGES) {
        queue_catalog_lock (catalog);
        for (guint i = first; i < MIN (first + LOCKED_MESSAGES, sealing->ids->len); i++)
            move_message (sealing, g_array_index (sealing->ids, QueueId, i));
        queue_catalog_unlock (catalog);
    }
    queue_catalog_lock (catalog);
    for (guint i = 0; i < sealing->sources->len; i++) {
        guint32 number = ((QueueSource *) g_ptr_array_index (sealing->sources, i))->generation->number;

        if (made == NULL || number != made->number)
            queue_catalog_drop_generation (catalog, number);
    }
    queue_catalog_set_sealing (catalog, NULL, 0);
    queue_catalog_unlock (catalog);
}

/* ---- The sources' files ---- */

static gboolean
remove_generation (const gchar *directory, guint32 number, gboolean only_journal, GError **error)
{
    g_autofree gchar *journal = queue_generation_path (directory, number, QUEUE_GENERATION_JOURNAL);
    g_autofree gchar *sealed = queue_generation_path (directory, number, QUEUE_GENERATION_SEALED);

    return queue_disk_remove (journal, error) && (only_journal || queue_disk_remove (sealed, error)) &&
           queue_disk_sync_directory (directory, error);
}

gboolean
queue_seal_remove_leftovers (const gchar *directory, GArray *leftovers, GError **error)
{
    while (leftovers->len > 0) {
        if (!remove_generation (directory, g_array_index (leftovers, guint32, 0), FALSE, error))
            return FALSE;
        g_array_remove_index (leftovers, 0);
    }

    return TRUE;
}

void
queue_seal_keep_damaged (const QueueGeneration *generation)
{
    g_autofree gchar *aside = g_strconcat (generation->path, "." QUEUE_GENERATION_DAMAGED, NULL);

    if (link (generation->path, aside) == 0 || errno == EEXIST || rename (generation->path, aside) == 0)
        g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_WARNING, "MESSAGE",
                          "what is left of a damaged file is kept as %s", aside);
}

static gint
compare_numbers (gconstpointer a, gconstpointer b)
{
    guint32 left = *(const guint32 *) a, right = *(const guint32 *) b;

    return left < right ? -1 : left > right;
}

static void
leave_sources (Sealing *sealing, gboolean made)
{
    QueueSeal *seal = sealing->seal;

    for (guint i = 0; i < sealing->sources->len; i++) {
        const QueueSource *source = g_ptr_array_index (sealing->sources, i);
        guint32 number = source->generation->number;

        if (source->damaged)
            queue_seal_keep_damaged (source->generation);
        if (!made || number != seal->into)
            g_array_append_val (seal->leftovers, number);
    }
    g_array_sort (seal->leftovers, compare_numbers);

    /* If this fails, recovery does it: there is a sealed form of the same generation. */
    if (made)
        remove_generation (seal->directory, seal->into, TRUE, NULL);
}

/* ---- All of it ---- */

static gboolean
seal_sources (Sealing *sealing, GError **error)
{
    QueueGeneration *made = NULL;

    for (guint i = 0; i < sealing->sources->len; i++) {
        if (is_cancelled (sealing, error) ||
            !queue_source_open (g_ptr_array_index (sealing->sources, i), sealing->ids, error))
            return FALSE;
    }
    queue_source_sort_ids (sealing->ids);
    find_untold (sealing);
    if (!copy_all (sealing, error) || !copy_removals (sealing, error))
        return FALSE;
    if (sealing->out != NULL) {
        made = finish_file (sealing, error);
        if (made == NULL)
            return FALSE;
    }
    tell_catalog (sealing, made);
    leave_sources (sealing, made != NULL);

    return TRUE;
}

gboolean
queue_seal_run (QueueSeal *seal, GError **error)
{
    Sealing sealing = {.seal = seal};
    gboolean sealed;

    sealing.ids = g_array_new (FALSE, FALSE, sizeof (QueueId));
    sealing.lost = g_array_new (FALSE, FALSE, sizeof (LostPart));
    sealing.removals = g_array_new (FALSE, FALSE, sizeof (QueueRemoval));
    sealing.page = g_byte_array_new ();
    sealing.out_path = queue_generation_path (seal->directory, seal->into, QUEUE_GENERATION_MAKING);
    queue_catalog_lock (seal->catalog);
    queue_catalog_set_sealing (seal->catalog, seal->sources, seal->into);
    sealing.sources = queue_sources_new (seal->catalog, seal->sources);
    queue_catalog_unlock (seal->catalog);
    sealed = seal_sources (&sealing, error);
    if (!sealed) {
        queue_catalog_lock (seal->catalog);
        queue_catalog_set_sealing (seal->catalog, NULL, 0);
        queue_catalog_unlock (seal->catalog);
    }

    g_clear_pointer (&sealing.out, queue_sealed_free);
    queue_disk_remove (sealing.out_path, NULL);
    queue_sealed_meta_clear (&sealing.meta);
    g_free (sealing.out_path);
    g_byte_array_unref (sealing.page);
    g_array_unref (sealing.removals);
    g_array_unref (sealing.lost);
    g_array_unref (sealing.ids);
    g_ptr_array_unref (sealing.sources);

    return sealed;
}
