/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "queue/generation.h"
#include "queue/index.h"

/*
 * The catalog: all messages, all generations, and which part lies where. It tells what is on the disk for sure: the
 * main thread enters a part when the writer has told that it is durable.
 *
 * The main thread, the writer and the sealer share it under one lock, held for moments. Functions that say "locked" are
 * called with it held.
 */

/* The content of a message that is on its way in: chunks that are written, but belong to no message yet. */
typedef struct {
    QueueId id;
    GArray *places;  /* of QueuePlace; guarded by the lock */
    gboolean failed; /* a chunk could not be written or was lost; guarded by the lock */
    gboolean full;   /* that was for want of room; likewise */
} QueueUpload;

typedef struct _QueueCatalog QueueCatalog;

QueueCatalog *queue_catalog_new (void);
void queue_catalog_free (QueueCatalog *catalog);

void queue_catalog_lock (QueueCatalog *catalog);
void queue_catalog_unlock (QueueCatalog *catalog);

/* Messages; locked, but the main thread may look without. */
QueueIndex *queue_catalog_index (QueueCatalog *catalog);

/* Takes over all that is in @older (transfer full), which has nothing on its way in: generations with lower numbers and
 * messages with lower ids than there are. Locked; costs next to nothing, however much that is. */
void queue_catalog_adopt (QueueCatalog *catalog, QueueCatalog *older);

/* ---- Generations, locked ---- */

void queue_catalog_add_generation (QueueCatalog *catalog, QueueGeneration *generation); /* (transfer full) */
QueueGeneration *queue_catalog_generation (QueueCatalog *catalog, guint32 number); /* (nullable) (transfer none) */
GPtrArray *queue_catalog_generations (QueueCatalog *catalog);                      /* (transfer none), by number */

/* Takes a generation out: its file is about to go. Nothing lives in it any more. */
void queue_catalog_drop_generation (QueueCatalog *catalog, guint32 number);

/* Puts the sealed form of a generation in the place of its journal. (transfer full) */
void queue_catalog_replace_generation (QueueCatalog *catalog, QueueGeneration *sealed);

/* Whether a generation is needed for anything: parts, heads, or marks of messages in generations that exist. */
gboolean queue_catalog_needs (QueueCatalog *catalog, const QueueGeneration *generation);

/* Whether a mark is needed if the generations in @except are gone. @except: (nullable): of guint32 */
gboolean queue_catalog_needs_removal (QueueCatalog *catalog, const QueueRemoval *removal, const GArray *except);

/* What is being sealed into @into: a mark that is made meanwhile for a message in one of @sources is kept also as long
 * as @into, for the message may have been copied there already. @sources: (nullable): (transfer none) of guint32 */
void queue_catalog_set_sealing (QueueCatalog *catalog, const GArray *sources, guint32 into);

/* ---- Messages, locked ---- */

/* Moves a part: what was at *@slot is dead, what is at @place lives. */
void queue_catalog_place (QueueCatalog *catalog, QueuePlace *slot, const QueuePlace *place);

/* Enters a head that is durable in @generation. */
void queue_catalog_set_head (QueueCatalog *catalog, QueueEntry *entry, const QueueHead *head, guint32 generation);

/* The head is in another generation now, the same as it was. */
void queue_catalog_move_head (QueueCatalog *catalog, QueueEntry *entry, guint32 generation);

/* The entry's parts are dead; it is taken out and freed. @removal: where the mark lies. */
void queue_catalog_remove (QueueCatalog *catalog, QueueEntry *entry, guint32 removal);

/* ---- Uploads; these take the lock ---- */

QueueUpload *queue_catalog_upload_new (QueueCatalog *catalog, QueueId id);
void queue_catalog_upload_add (QueueCatalog *catalog, QueueUpload *upload, const QueuePlace *place);

/* @full: because the disk is full */
void queue_catalog_upload_fail (QueueCatalog *catalog, QueueUpload *upload, gboolean full);
gboolean queue_catalog_upload_is_whole (QueueCatalog *catalog, QueueUpload *upload, gboolean *full);

/* What was written to @generation from the offset @from on is lost: fails the uploads that have chunks there. */
void queue_catalog_fail_uploads (QueueCatalog *catalog, guint32 generation, guint64 from);

/* Gives the chunks to a message, or to nobody if @entry is %NULL, and frees the upload. Locked. */
void queue_catalog_upload_end (QueueCatalog *catalog, QueueUpload *upload, QueueEntry *entry);

/* The upload with that id, for the sealer. Locked. (nullable) */
QueueUpload *queue_catalog_upload (QueueCatalog *catalog, QueueId id);

/* Adds the ids of all of them. Locked. */
void queue_catalog_upload_ids (QueueCatalog *catalog, GArray *ids);

/* Uploads under way. Locked. */
guint queue_catalog_n_uploads (QueueCatalog *catalog);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (QueueCatalog, queue_catalog_free)
