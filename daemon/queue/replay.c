/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Replay
 *
 * Makes the catalog out of what the generations say, one part after the other: the records of a journal, the index of a
 * sealed generation, or what was found in a damaged one. The caller goes through the generations from the oldest to the
 * newest, and what is in a newer one overrides what is in an older.
 *
 * A part may be met before the message that it belongs to: a chunk always is, and a state if its message was copied
 * forward into a newer generation than the state's. Such parts wait, and what waits in the end belongs to nothing: an
 * intake that was never committed, or a message whose record went with a generation that was dropped.
 */

#include "queue/replay.h"

/* A part that waits for its message. */
typedef struct {
    guint32 generation;
    QueueItem item;
} Orphan;

void
queue_replay_init (QueueReplay *replay, QueueCatalog *catalog)
{
    *replay = (QueueReplay){.catalog = catalog};
    replay->orphans = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, (GDestroyNotify) g_array_unref);
}

void
queue_replay_clear (QueueReplay *replay)
{
    g_clear_pointer (&replay->orphans, g_hash_table_unref);
}

static void
place_chunks (QueueReplay *replay, QueueEntry *entry, const QueueItem *item, guint32 generation)
{
    for (guint64 i = item->number; i < (guint64) item->number + item->count && i < entry->n_chunks; i++) {
        gboolean last = i + 1 == entry->n_chunks;
        guint32 length = last ? (guint32) (entry->size - i * QUEUE_CHUNK_BYTES) : QUEUE_CHUNK_BYTES;
        const QueuePlace place = {.offset = item->offset, .length = length, .generation = generation};

        queue_catalog_place (replay->catalog, queue_entry_chunk (entry, (guint) i), &place);
    }
}

static void
place_part (QueueReplay *replay, QueueEntry *entry, const QueueItem *item, guint32 generation)
{
    const QueuePlace place = {.offset = item->offset, .length = item->length, .generation = generation};

    switch (item->kind) {
    case QUEUE_ITEM_MESSAGE:
        queue_catalog_place (replay->catalog, &entry->message, &place);
        break;
    case QUEUE_ITEM_HEAD:
        queue_catalog_set_head (replay->catalog, entry, &item->head, generation);
        break;
    case QUEUE_ITEM_STATE:
        if (item->number < queue_record_segments (entry->n_recipients))
            queue_catalog_place (replay->catalog, queue_entry_state (entry, item->number), &place);
        break;
    case QUEUE_ITEM_CONTENT:
        place_chunks (replay, entry, item, generation);
        break;
    case QUEUE_ITEM_REMOVAL:
        queue_catalog_remove (replay->catalog, entry, generation);
        break;
    }
}

static void
keep_orphan (QueueReplay *replay, const QueueItem *item)
{
    const Orphan orphan = {.generation = replay->generation, .item = *item};
    GArray *orphans = g_hash_table_lookup (replay->orphans, &item->id);

    if (orphans == NULL) {
        QueueId *key = g_new (QueueId, 1);

        *key = item->id;
        orphans = g_array_new (FALSE, FALSE, sizeof (Orphan));
        g_hash_table_insert (replay->orphans, key, orphans);
    }
    g_array_append_val (orphans, orphan);
}

/* A summary whose numbers do not fit each other would make us allocate or read what is not there. Each recipient takes more
 * than a byte of the record. */
static gboolean
is_sane (const QueueItem *item)
{
    const QueueSummary *summary = &item->summary;

    return summary->n_recipients > 0 && summary->n_recipients < MIN (item->length, QUEUE_PART_MOST_BYTES) &&
           summary->n_chunks == queue_record_chunks (summary->size);
}

/* Whether content of that size can be there: all chunks but the last are full. */
static gboolean
may_be_stored (const QueueReplay *replay, const QueueSummary *summary)
{
    return summary->n_chunks <= 1 + replay->stored_bytes / QUEUE_CHUNK_BYTES;
}

/* A message that cannot be whole gets no room for its chunks, however many it says to have: it is damaged, or removed in a
 * later generation. */
static QueueEntry *
new_entry (const QueueReplay *replay, const QueueItem *item)
{
    QueueSummary summary = item->summary;

    if (!may_be_stored (replay, &summary))
        summary.n_chunks = 0;

    return queue_entry_new (item->id, &summary, &item->head);
}

static QueueEntry *
enter_message (QueueReplay *replay, const QueueItem *item)
{
    QueueEntry *entry = new_entry (replay, item);
    GArray *orphans = g_hash_table_lookup (replay->orphans, &item->id);

    queue_index_insert (queue_catalog_index (replay->catalog), entry);
    for (guint i = 0; orphans != NULL && i < orphans->len; i++) {
        const Orphan *orphan = &g_array_index (orphans, Orphan, i);

        place_part (replay, entry, &orphan->item, orphan->generation);
    }
    g_hash_table_remove (replay->orphans, &item->id);

    return entry;
}

void
queue_replay_item (QueueReplay *replay, const QueueItem *item)
{
    QueueEntry *entry = queue_index_find (queue_catalog_index (replay->catalog), item->id);

    replay->last_id = MAX (replay->last_id, item->id);
    if (entry == NULL && item->kind == QUEUE_ITEM_REMOVAL) {
        g_hash_table_remove (replay->orphans, &item->id);
        return;
    }
    if (entry == NULL && item->kind != QUEUE_ITEM_MESSAGE) {
        keep_orphan (replay, item);
        return;
    }
    if (entry == NULL && !is_sane (item)) {
        replay->n_unreadable++;
        return;
    }
    if (entry == NULL)
        entry = enter_message (replay, item);
    place_part (replay, entry, item, replay->generation);
}

/* ---- Records ---- */

static void
apply_heads (QueueReplay *replay, GBytes *payload)
{
    QueueSpan span = {0};

    span.data = g_bytes_get_data (payload, &span.left);
    while (span.left > 0 && !span.bad) {
        QueueItem item = {.kind = QUEUE_ITEM_HEAD, .id = queue_span_u64 (&span)};

        queue_span_head (&span, &item.head);
        if (!span.bad)
            queue_replay_item (replay, &item);
    }
}

void
queue_replay_removals (QueueReplay *replay, GBytes *payload)
{
    QueueSpan span = {0};

    span.data = g_bytes_get_data (payload, &span.left);
    while (span.left >= sizeof (QueueId)) {
        const QueueItem item = {.kind = QUEUE_ITEM_REMOVAL, .id = queue_span_u64 (&span)};

        queue_replay_item (replay, &item);
    }
}

/* A message's record, or a part like it that salvage found: also its head, as it was at the arrival. */
static void
apply_message (QueueReplay *replay, QueueItem *item, GBytes *payload)
{
    QueueItem head = {.kind = QUEUE_ITEM_HEAD, .id = item->id};
    const QueueEntry *entry;

    if (!queue_record_message_front (payload, &item->head, &item->summary)) {
        replay->n_unreadable++;
        return;
    }
    head.head = item->head;
    item->kind = QUEUE_ITEM_MESSAGE;
    queue_replay_item (replay, item);

    /* Salvage meets parts in any order, and a state's head is the newer one. */
    entry = queue_index_find (queue_catalog_index (replay->catalog), item->id);
    if (entry != NULL && entry->head_generation < replay->generation)
        queue_replay_item (replay, &head);
}

static void
apply_state (QueueReplay *replay, QueueItem *item, GBytes *payload)
{
    QueueItem head = {.kind = QUEUE_ITEM_HEAD, .id = item->id};

    if (!queue_record_state_head (payload, &head.head)) {
        replay->n_unreadable++;
        return;
    }
    item->kind = QUEUE_ITEM_STATE;
    queue_replay_item (replay, item);
    queue_replay_item (replay, &head);
}

void
queue_replay_part (QueueReplay *replay, QueuePart part, QueueItem *item, GBytes *payload)
{
    switch (part) {
    case QUEUE_PART_CONTENT:
        item->kind = QUEUE_ITEM_CONTENT;
        item->count = 1;
        queue_replay_item (replay, item);
        break;
    case QUEUE_PART_MESSAGE:
        apply_message (replay, item, payload);
        break;
    case QUEUE_PART_STATE:
        apply_state (replay, item, payload);
        break;
    case QUEUE_PART_HEADS:
        apply_heads (replay, payload);
        break;
    case QUEUE_PART_REMOVAL:
        queue_replay_removals (replay, payload);
        break;
    case QUEUE_PART_PROBE:
    case QUEUE_PART_META:
    case QUEUE_PART_INDEX:
        break;
    default:
        replay->n_unreadable++;
        break;
    }
}

void
queue_replay_lone_heads (QueueReplay *replay, GBytes *page)
{
    QueueSpan span = {0};
    QueueItem item;

    span.data = g_bytes_get_data (page, &span.left);
    while (queue_item_read (&span, &item)) {
        if (item.kind == QUEUE_ITEM_HEAD)
            queue_replay_item (replay, &item);
    }
}

/* ---- In the end ---- */

static gboolean
is_whole (QueueEntry *entry)
{
    if (entry->n_chunks != queue_record_chunks (entry->size))
        return FALSE;
    for (guint i = 0; i < entry->n_chunks; i++) {
        if (queue_entry_chunk (entry, i)->generation == 0)
            return FALSE;
    }

    return entry->head_generation != 0;
}

static void
name_damaged (QueueId id, const gchar *what)
{
    gchar text[QUEUE_ID_TEXT_BYTES];

    queue_id_write (id, text);
    g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_WARNING, "POSTERN_QUEUE_ID", text, "MESSAGE", "message %s %s", text,
                      what);
}

guint64
queue_replay_find_damaged (QueueReplay *replay, gboolean has_damage)
{
    QueueEntry *entry = NULL;
    GHashTableIter iter;
    gpointer key, value;
    guint64 damaged = 0;

    while ((entry = queue_index_after (queue_catalog_index (replay->catalog), entry == NULL ? 0 : entry->id)) !=
           NULL) {
        if (is_whole (entry))
            continue;
        entry->flags |= QUEUE_ENTRY_DAMAGED;
        damaged++;
        name_damaged (entry->id, "lost a part of its content to damage of the disk and will not be delivered");
    }
    if (!has_damage)
        return damaged;
    g_hash_table_iter_init (&iter, replay->orphans);
    while (g_hash_table_iter_next (&iter, &key, &value))
        name_damaged (*(QueueId *) key, "may be lost: parts of it are there, but not the message");

    return damaged;
}
