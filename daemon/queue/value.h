/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "queue/record.h"

/*
 * The keys and values of a sealed generation.
 */

#define QUEUE_VALUE_KEY_BYTES   16
#define QUEUE_VALUE_FRAME_BYTES 24

typedef struct {
    QueueId id;
    guint32 number;
    QueuePart part;
} QueueValueKey;

void queue_value_write_key (const QueueValueKey *key, guint8 bytes[QUEUE_VALUE_KEY_BYTES]);
void queue_value_read_key (const guint8 bytes[QUEUE_VALUE_KEY_BYTES], QueueValueKey *key);

/* Makes what stands before the payload in a value. @seed: of the file */
void queue_value_write_frame (const guint8 key[QUEUE_VALUE_KEY_BYTES], gconstpointer payload, gsize length,
                              guint64 seed, guint8 frame[QUEUE_VALUE_FRAME_BYTES]);

/* The seed in a frame. */
guint64 queue_value_seed (const guint8 frame[QUEUE_VALUE_FRAME_BYTES]);

/* Checks a value that was found under @key. Returns: where its payload begins; 0 if it is damaged */
gsize queue_value_check (const guint8 key[QUEUE_VALUE_KEY_BYTES], const guint8 *value, gsize length);

/**
 * queue_value_find:
 * @bytes: of a file; a key may lie anywhere in them
 * @from: where to begin to look for the frame of a value
 * @payload_bytes: (out): what the frame says
 *
 * Returns: where in @bytes something stands that looks like the frame of a value, at least a key's length after their
 *     beginning and whole; 0 if nothing does
 */
gsize queue_value_find (const guint8 *bytes, gsize length, gsize from, guint32 *payload_bytes);
