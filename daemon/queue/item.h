/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "queue/bytes.h"
#include "queue/record.h"

/*
 * What the index of a sealed generation says of the parts in it, so that a start reads some pages instead of all
 * messages. Recovery turns a journal's records into the same items.
 */
typedef enum {
    QUEUE_ITEM_MESSAGE = 1, /* the record of a message, and its summary */
    QUEUE_ITEM_HEAD = 2,
    QUEUE_ITEM_STATE = 3,   /* the state of segment @number */
    QUEUE_ITEM_CONTENT = 4, /* the chunks from @number on, @count of them */
    QUEUE_ITEM_REMOVAL = 5  /* a journal's only: a sealed generation has pages of removals */
} QueueItemKind;

typedef struct {
    QueueItemKind kind;
    QueueId id;
    guint32 number;
    guint32 count;
    guint32 length; /* of the message's record, or of the state; of a journal's chunk */
    guint64 offset; /* in a journal */
    QueueSummary summary;
    QueueHead head;
} QueueItem;

void queue_item_put (GByteArray *bytes, const QueueItem *item);

/* FALSE: there is none, or it cannot be understood, and the span is bad. */
gboolean queue_item_read (QueueSpan *span, QueueItem *item);
