/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Items of a sealed generation's index
 *
 * One behind the other in pages of some 64 KiB (QUEUE_PART_INDEX). Each begins with u8 kind and u64 id, and goes on:
 *     1 message: u32 length of the record, summary (36 bytes)      2 head: head (32 bytes)
 *     3 state: u32 segment, u32 length                             4 content: u32 first chunk, u32 chunks
 * with the forms of record.c. A kind that is not known makes the page unreadable: a later version that adds one also
 * raises the version of QUEUE_PART_META.
 */

#include "queue/item.h"

void
queue_item_put (GByteArray *bytes, const QueueItem *item)
{
    queue_bytes_put_u8 (bytes, (guint8) item->kind);
    queue_bytes_put_u64 (bytes, item->id);
    switch (item->kind) {
    case QUEUE_ITEM_MESSAGE:
        queue_bytes_put_u32 (bytes, item->length);
        queue_record_put_summary (bytes, &item->summary);
        break;
    case QUEUE_ITEM_HEAD:
        queue_record_put_head (bytes, &item->head);
        break;
    case QUEUE_ITEM_STATE:
        queue_bytes_put_u32 (bytes, item->number);
        queue_bytes_put_u32 (bytes, item->length);
        break;
    case QUEUE_ITEM_CONTENT:
        queue_bytes_put_u32 (bytes, item->number);
        queue_bytes_put_u32 (bytes, item->count);
        break;
    case QUEUE_ITEM_REMOVAL:
        g_assert_not_reached ();
    }
}

gboolean
queue_item_read (QueueSpan *span, QueueItem *item)
{
    *item = (QueueItem){0};
    if (span->left == 0)
        return FALSE;
    item->kind = queue_span_u8 (span);
    item->id = queue_span_u64 (span);
    switch (item->kind) {
    case QUEUE_ITEM_MESSAGE:
        item->length = queue_span_u32 (span);
        queue_span_summary (span, &item->summary);
        break;
    case QUEUE_ITEM_HEAD:
        queue_span_head (span, &item->head);
        break;
    case QUEUE_ITEM_STATE:
        item->number = queue_span_u32 (span);
        item->length = queue_span_u32 (span);
        break;
    case QUEUE_ITEM_CONTENT:
        item->number = queue_span_u32 (span);
        item->count = queue_span_u32 (span);
        break;
    case QUEUE_ITEM_REMOVAL:
    default:
        span->bad = TRUE;
        break;
    }

    return !span->bad;
}
