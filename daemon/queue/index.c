/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The index
 *
 * All messages by id, in blocks of some hundred pointers, and the blocks in an array: a B-tree of two levels, which
 * is enough, as a million messages are two thousand blocks. Ids rise, so that nearly every insertion is at the end,
 * and blocks are full; a message goes from anywhere by moving less than a block. There is no other table of messages:
 * looking an id up costs two binary searches, and a listing goes on from any id, whatever came and went meanwhile.
 *
 * A message of one chunk and up to QUEUE_SEGMENT_RECIPIENTS recipients takes sizeof (QueueEntry) + 8 bytes here.
 */

#include <string.h>

#include "queue/index.h"

#define BLOCK_ENTRIES 512

typedef struct {
    guint length;
    QueueEntry *entries[BLOCK_ENTRIES];
} Block;

struct _QueueIndex {
    GPtrArray *blocks; /* none is empty */
    guint64 length;
};

QueueEntry *
queue_entry_new (QueueId id, const QueueSummary *summary, const QueueHead *head)
{
    QueueEntry *entry = g_new0 (QueueEntry, 1);
    guint n_segments = queue_record_segments (summary->n_recipients);

    entry->id = id;
    entry->arrival_usec = summary->arrival_usec;
    entry->size = summary->size;
    entry->uid = summary->uid < 0 ? QUEUE_ENTRY_NOBODY : (guint32) summary->uid;
    entry->is_own = summary->uid == QUEUE_UID_RELAY;
    entry->sender = summary->sender;
    entry->n_recipients = summary->n_recipients;
    entry->n_chunks = summary->n_chunks;
    entry->head = *head;
    if (n_segments > 1)
        entry->state.many = g_new0 (QueuePlace, n_segments);
    if (entry->n_chunks > 1)
        entry->content.many = g_new0 (QueuePlace, entry->n_chunks);

    return entry;
}

void
queue_entry_free (QueueEntry *entry)
{
    if (queue_record_segments (entry->n_recipients) > 1)
        g_free (entry->state.many);
    if (entry->n_chunks > 1)
        g_free (entry->content.many);
    g_free (entry);
}

gint64
queue_entry_uid (const QueueEntry *entry)
{
    return entry->uid == QUEUE_ENTRY_NOBODY ? QUEUE_UID_UNKNOWN : (gint64) entry->uid;
}

gint64
queue_entry_owner (const QueueEntry *entry)
{
    return entry->is_own ? QUEUE_UID_RELAY : queue_entry_uid (entry);
}

void
queue_entry_summary (const QueueEntry *entry, QueueSummary *summary)
{
    *summary = (QueueSummary){.arrival_usec = entry->arrival_usec,
                              .size = entry->size,
                              .uid = queue_entry_owner (entry),
                              .sender = entry->sender,
                              .n_recipients = entry->n_recipients,
                              .n_chunks = (guint32) queue_record_chunks (entry->size)};
}

QueuePlace *
queue_entry_state (QueueEntry *entry, guint segment)
{
    guint n_segments = queue_record_segments (entry->n_recipients);

    g_assert (segment < n_segments);

    return n_segments > 1 ? &entry->state.many[segment] : &entry->state.one;
}

QueuePlace *
queue_entry_chunk (QueueEntry *entry, guint chunk)
{
    g_assert (chunk < entry->n_chunks);

    return entry->n_chunks > 1 ? &entry->content.many[chunk] : &entry->content.one;
}

QueueIndex *
queue_index_new (void)
{
    QueueIndex *index = g_new0 (QueueIndex, 1);

    index->blocks = g_ptr_array_new_with_free_func (g_free);

    return index;
}

static Block *
block_at (const QueueIndex *index, guint position)
{
    return g_ptr_array_index (index->blocks, position);
}

void
queue_index_free (QueueIndex *index)
{
    for (guint i = 0; i < index->blocks->len; i++) {
        for (guint j = 0; j < block_at (index, i)->length; j++)
            queue_entry_free (block_at (index, i)->entries[j]);
    }
    g_ptr_array_unref (index->blocks);
    g_free (index);
}

guint64
queue_index_length (const QueueIndex *index)
{
    return index->length;
}

/* The position of the first block whose last id is @id or greater: where @id is or belongs. */
static guint
find_block (const QueueIndex *index, QueueId id)
{
    guint low = 0, high = index->blocks->len;

    while (low < high) {
        guint middle = low + (high - low) / 2;
        const Block *block = block_at (index, middle);

        if (block->entries[block->length - 1]->id < id)
            low = middle + 1;
        else
            high = middle;
    }

    return low;
}

/* The position in @block of the first entry whose id is @id or greater. */
static guint
find_entry (const Block *block, QueueId id)
{
    guint low = 0, high = block->length;

    while (low < high) {
        guint middle = low + (high - low) / 2;

        if (block->entries[middle]->id < id)
            low = middle + 1;
        else
            high = middle;
    }

    return low;
}

static QueueEntry *
find_from (const QueueIndex *index, QueueId id)
{
    guint position = find_block (index, id);

    if (position == index->blocks->len)
        return NULL;

    return block_at (index, position)->entries[find_entry (block_at (index, position), id)];
}

QueueEntry *
queue_index_find (const QueueIndex *index, QueueId id)
{
    QueueEntry *entry = find_from (index, id);

    return entry != NULL && entry->id == id ? entry : NULL;
}

QueueEntry *
queue_index_after (const QueueIndex *index, QueueId after)
{
    return after == G_MAXUINT64 ? NULL : find_from (index, after + 1);
}

QueueId
queue_index_last (const QueueIndex *index)
{
    const Block *block;

    if (index->blocks->len == 0)
        return 0;
    block = g_ptr_array_index (index->blocks, index->blocks->len - 1);

    return block->entries[block->length - 1]->id;
}

/* Makes room in a full block: the upper half gets a block of its own; at the end of the index, where ids rise, an
 * empty one is begun instead, so that blocks stay full. Returns: the block for @id. */
static Block *
split_block (QueueIndex *index, guint position, QueueId id)
{
    Block *full = block_at (index, position), *upper = g_new (Block, 1);
    gboolean at_end = position + 1 == index->blocks->len && full->entries[BLOCK_ENTRIES - 1]->id < id;
    guint keep = at_end ? BLOCK_ENTRIES : BLOCK_ENTRIES / 2;

    upper->length = BLOCK_ENTRIES - keep;
    memcpy (upper->entries, full->entries + keep, upper->length * sizeof *upper->entries);
    full->length = keep;
    g_ptr_array_insert (index->blocks, (gint) position + 1, upper);

    return full->entries[keep - 1]->id < id ? upper : full;
}

void
queue_index_insert (QueueIndex *index, QueueEntry *entry)
{
    guint position, at;
    Block *block;

    if (index->blocks->len == 0)
        g_ptr_array_add (index->blocks, g_new0 (Block, 1));
    position = index->length == 0 ? 0 : MIN (find_block (index, entry->id), index->blocks->len - 1);
    block = block_at (index, position);
    if (block->length == BLOCK_ENTRIES)
        block = split_block (index, position, entry->id);
    at = find_entry (block, entry->id);
    memmove (block->entries + at + 1, block->entries + at, (block->length - at) * sizeof *block->entries);
    block->entries[at] = entry;
    block->length++;
    index->length++;
}

void
queue_index_prepend (QueueIndex *index, QueueIndex *older)
{
    g_assert (index->length == 0 || queue_index_last (older) < block_at (index, 0)->entries[0]->id);

    g_ptr_array_extend_and_steal (older->blocks, index->blocks);
    index->blocks = g_steal_pointer (&older->blocks);
    index->length += older->length;
    g_free (older);
}

/* Two neighbours that are nearly empty become one, or a queue that was once long would keep its blocks. */
static void
merge_blocks (QueueIndex *index, guint position)
{
    Block *lower = block_at (index, position), *upper = block_at (index, position + 1);

    if (lower->length + upper->length > BLOCK_ENTRIES / 2)
        return;
    memcpy (lower->entries + lower->length, upper->entries, upper->length * sizeof *upper->entries);
    lower->length += upper->length;
    g_ptr_array_remove_index (index->blocks, position + 1);
}

void
queue_index_remove (QueueIndex *index, QueueEntry *entry)
{
    guint position = find_block (index, entry->id);
    Block *block = block_at (index, position);
    guint at = find_entry (block, entry->id);

    g_assert (block->entries[at] == entry);
    block->length--;
    memmove (block->entries + at, block->entries + at + 1, (block->length - at) * sizeof *block->entries);
    index->length--;
    if (block->length == 0)
        g_ptr_array_remove_index (index->blocks, position);
    else if (position > 0)
        merge_blocks (index, position - 1);
}
