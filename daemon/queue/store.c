/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The store
 *
 * How the promise is kept that what was acknowledged is never lost, in one page; each part has its own file.
 *
 * The store is a row of generations with rising numbers. The newest one is a journal (journal.c): the writer's thread
 * (writer.c) appends to it what happens, and whoever waits is answered after an fdatasync, which all who wait share. The
 * older ones are sealed: GDBM files (sealed.c) that were written once, synced, renamed, and are only read since. GDBM
 * tears when the power goes while its pages are on their way to the disk; ours have arrived before anything depends on
 * them.
 *
 * A message is made of parts (record.h), each of which lives in exactly one place: the newest record of it. A part in a
 * newer generation overrides the same part in an older; a removal is a mark in a newer generation than the message's
 * record, kept as long as that one is. The catalog (catalog.c) knows in memory where each living part is. It is told
 * only of what is durable, and by the main thread alone, in the order in which it became so.
 *
 * When the journal is large enough, or has held mail for a while, the writer begins the next one and the closed one is
 * sealed in the background (sealer.c, seal.c): what still lives in it is copied into a GDBM file, together with what
 * lives in other generations that are small, or mostly dead. Most mail has left by then and never touches GDBM: that
 * is the lazy application that was measured to pay (tests/bench/bench-queue.c). Files go when nothing in them lives,
 * the oldest first.
 *
 * After a crash (recovery.c) there are sealed generations, which are whole or were never renamed; journals, whose
 * records are checked one by one up to the first that is not whole; and files that another one replaces and says so.
 * Reading them in the order of their numbers makes the catalog what it was. Why this is right at every moment: each step
 * leaves the directory in a state that reads as the one before or the one after it. Appending: a record counts when
 * it is whole, and nobody was told of it before. Beginning a journal: an empty one says nothing. Sealing: until the
 * rename only the sources count; from the rename on only the new file does, since it lists them; parts that changed
 * meanwhile lie in a newer generation and override both. Dropping: the parts are dead, and the marks that say so
 * outlive the file, because files are removed in the order of their numbers, each durably before the next.
 *
 * A start does not wait for that reading if it is long: the next journal is begun and mail taken while a thread makes the
 * catalog of what lies there, which then becomes one with that of the new mail in one step (indexing.c). Nothing is
 * sealed, merged or dropped before.
 *
 * Reading (loader.c) has a thread of its own and never waits behind a sync; most content is still in memory (cache.c).
 *
 * This file puts the threads together and decides when a journal is old enough.
 */

#include "queue/indexing.h"
#include "queue/sealer.h"
#include "queue/store.h"

/* How often the journal's age is looked at, while there is anything in it. */
#define TICK_SECONDS 10

/* Mail that has waited so long for its delivery will wait longer: it goes into GDBM. Short enough that a restart finds
 * little in journals, long enough that what leaves within a second never gets there. */
#define JOURNAL_AGE_SECONDS 30

/* A journal in which nothing lives is begun anew at once if it is that large; else when nothing happens any more. */
#define JOURNAL_DEAD_BYTES (1024 * 1024)

/* After a failure of sealing: doubled each time. */
#define RETRY_FIRST_SECONDS   10
#define RETRY_LONGEST_SECONDS 320

/* How often it is looked whether there is room again on a full disk, and whether some can be made. */
#define SPACE_SECONDS 2

/* A delivery whose result cannot be recorded is made again after a crash: with so many of them no more are begun. */
#define SETTLING_MOST 100

/* ---- Trouble ---- */

static void
show_trouble (Queue *queue)
{
    const GError *error = queue->write_trouble   ? queue->write_trouble
                          : queue->space_trouble ? queue->space_trouble
                          : queue->index_trouble ? queue->index_trouble
                          : queue->roll_trouble  ? queue->roll_trouble
                                                 : queue->seal_trouble;
    gboolean same = error == queue->trouble || (error != NULL && queue->trouble != NULL &&
                                                g_str_equal (error->message, queue->trouble->message));

    if (same)
        return;
    g_clear_error (&queue->trouble);
    queue->trouble = error == NULL ? NULL : g_error_copy (error);
    if (queue->listener.trouble != NULL)
        queue->listener.trouble (queue->trouble, queue->listener_data);
}

static void
set_trouble (Queue *queue, GError **slot, const GError *error)
{
    g_clear_error (slot);
    *slot = error == NULL ? NULL : g_error_copy (error);
    show_trouble (queue);
}

void
queue_set_index_trouble (Queue *queue, const GError *error)
{
    set_trouble (queue, &queue->index_trouble, error);
}

/* ---- Sealing ---- */

static QueueSealerView
view_for_sealer (Queue *queue)
{
    return (QueueSealerView){.closed = queue->closed,
                             .next_id = queue->last_id + 1,
                             .generation_bytes = queue->limits.generation_bytes,
                             .free_bytes = queue_writer_free_bytes (queue->writer),
                             .only_drop = g_get_monotonic_time () < queue->seal_after_usec};
}

static void
consider_sealing (Queue *queue)
{
    const QueueSealerView view = view_for_sealer (queue);

    if (!queue->closing && queue->indexing == NULL)
        queue_sealer_start (queue->sealer, &view);
}

void
queue_store_indexed (Queue *queue)
{
    consider_sealing (queue);
    queue_start_ticking (queue);
}

static void
seal_done (const GArray *damaged, const GError *error, gpointer user_data)
{
    Queue *queue = user_data;
    g_autoptr (GError) lost = g_error_new_literal (QUEUE_ERROR, QUEUE_ERROR_DAMAGED, "a part of it cannot be read");

    for (guint i = 0; i < damaged->len; i++) {
        QueueEntry *entry = queue_index_find (queue->index, g_array_index (damaged, QueueId, i));

        if (entry != NULL)
            queue_set_damaged (queue, entry, lost);
    }
    if (queue->closing || g_get_monotonic_time () < queue->seal_after_usec)
        return; /* it only dropped: nothing new about sealing */
    if (error == NULL) {
        queue->seal_retry_seconds = RETRY_FIRST_SECONDS;
        queue->seal_after_usec = 0;
        set_trouble (queue, &queue->seal_trouble, NULL);
        consider_sealing (queue);
        return;
    }
    queue->seal_after_usec = g_get_monotonic_time () + queue->seal_retry_seconds * G_USEC_PER_SEC;
    queue->seal_retry_seconds = MIN (queue->seal_retry_seconds * 2, RETRY_LONGEST_SECONDS);
    set_trouble (queue, &queue->seal_trouble, error);
}

/* ---- The journal's age ---- */

static void
roll (Queue *queue)
{
    if (queue->rolling || queue->closing)
        return;
    queue->rolling = TRUE;
    queue_writer_roll (queue->writer, queue->last_id + 1);
}

static gboolean
is_old (Queue *queue, gint64 now_usec)
{
    const gint64 age = JOURNAL_AGE_SECONDS * G_USEC_PER_SEC;
    guint64 bytes = queue_writer_journal_bytes (queue->writer);

    if (bytes == 0 || now_usec - queue->journal_first_usec < age)
        return FALSE;
    if (queue_index_length (queue->index) > 0)
        return TRUE;

    return bytes > JOURNAL_DEAD_BYTES || now_usec - queue->journal_last_usec >= age;
}

static gboolean
tick (gpointer user_data)
{
    Queue *queue = user_data;
    gint64 now_usec = g_get_monotonic_time ();

    if (is_old (queue, now_usec) || queue_writer_journal_bytes (queue->writer) > queue->limits.generation_bytes)
        roll (queue);
    consider_sealing (queue);
    if (queue->sort_again && queue->sorting == NULL)
        queue_sort_all (queue);
    if (now_usec - queue->journal_last_usec >= JOURNAL_AGE_SECONDS * G_USEC_PER_SEC)
        queue_cache_clear (queue->cache);

    /* Nothing in the journal, nothing to be sealed: an idle daemon is not woken. */
    if (queue_writer_journal_bytes (queue->writer) > 0 || queue->rolling || queue->roll_trouble != NULL ||
        queue->seal_trouble != NULL || queue->sort_again || queue_sealer_is_busy (queue->sealer))
        return G_SOURCE_CONTINUE;
    queue->ticking = FALSE;

    return G_SOURCE_REMOVE;
}

void
queue_start_ticking (Queue *queue)
{
    g_autoptr (GSource) source = NULL;

    if (queue->ticking)
        return;
    source = g_timeout_source_new_seconds (TICK_SECONDS);
    g_source_set_callback (source, tick, queue, NULL);
    g_source_attach (source, queue->context);
    g_clear_pointer (&queue->tick, g_source_unref);
    queue->tick = g_source_ref (source);
    queue->ticking = TRUE;
}

void
queue_push (Queue *queue, QueueCommand *command)
{
    queue->journal_last_usec = g_get_monotonic_time ();
    if (queue->journal_first_usec == 0)
        queue->journal_first_usec = queue->journal_last_usec;
    if (!queue->closing)
        queue_start_ticking (queue);
    queue_writer_push (queue->writer, command);
}

gboolean
queue_may_take (Queue *queue)
{
    return !queue->closing && (queue->write_trouble == NULL || queue->n_settling < SETTLING_MOST);
}

/* ---- A full disk ---- */

static gboolean
reserve_is_touched (Queue *queue, guint64 bytes)
{
    guint64 free_bytes = queue_writer_free_bytes (queue->writer);

    return free_bytes < queue->limits.reserve_bytes || free_bytes - queue->limits.reserve_bytes < bytes;
}

/* What is dead in the journal takes room until the next one is begun; that may not have been possible before. */
static void
make_room (Queue *queue)
{
    if (queue_writer_journal_bytes (queue->writer) > MIN (queue->limits.generation_bytes, JOURNAL_DEAD_BYTES))
        roll (queue);
    consider_sealing (queue);
}

/* A trouble is over: what kept us from beginning a journal, and from sealing others, may have been the same. */
static void
try_again (Queue *queue)
{
    if (queue->roll_trouble != NULL)
        roll (queue);
    queue->seal_retry_seconds = RETRY_FIRST_SECONDS;
    queue->seal_after_usec = 0;
    consider_sealing (queue);
}

static gboolean
look_at_space (gpointer user_data)
{
    Queue *queue = user_data;

    if (reserve_is_touched (queue, 0)) {
        make_room (queue);
        queue_writer_ask_space (queue->writer);
        return G_SOURCE_CONTINUE;
    }
    g_clear_pointer (&queue->space_timer, g_source_unref);
    set_trouble (queue, &queue->space_trouble, NULL);
    try_again (queue);

    return G_SOURCE_REMOVE;
}

static void
watch_space (Queue *queue, const GError *error)
{
    queue_writer_ask_space (queue->writer);
    set_trouble (queue, &queue->space_trouble, error);
    if (queue->space_timer != NULL)
        return;
    queue->space_timer = g_timeout_source_new_seconds (SPACE_SECONDS);
    g_source_set_callback (queue->space_timer, look_at_space, queue, NULL);
    g_source_attach (queue->space_timer, queue->context);
}

gboolean
queue_has_space (Queue *queue, guint64 bytes, GError **error)
{
    g_autoptr (GError) full = NULL;
    guint64 wanted;

    /* What is on its way to the disk will take its room too. */
    if (!g_uint64_checked_add (&wanted, bytes, queue_writer_backlog (queue->writer)))
        wanted = G_MAXUINT64;
    if (!reserve_is_touched (queue, wanted))
        return TRUE;
    full = g_error_new (QUEUE_ERROR, QUEUE_ERROR_FULL,
                        "the disk is full: %" G_GUINT64_FORMAT " MiB are free on %s, and %" G_GUINT64_FORMAT
                        " MiB are kept in reserve. Mail is refused until there is room",
                        queue_writer_free_bytes (queue->writer) / (1024 * 1024), queue->directory,
                        queue->limits.reserve_bytes / (1024 * 1024));

    /* A message that is too large for what is left is no trouble of the disk's. */
    if (reserve_is_touched (queue, 0))
        watch_space (queue, full);
    else {
        make_room (queue);
        queue_writer_ask_space (queue->writer);
    }
    g_propagate_error (error, g_steal_pointer (&full));

    return FALSE;
}

/* ---- What the writer tells ---- */

static void
hear_begun (guint32 closed, gpointer user_data)
{
    Queue *queue = user_data;

    queue->closed = MAX (queue->closed, closed);
    queue->rolling = FALSE;
    queue->journal_first_usec = 0;
    set_trouble (queue, &queue->roll_trouble, NULL);
    consider_sealing (queue);
}

static void
hear_full (gpointer user_data)
{
    roll (user_data);
}

static void
hear_roll_failed (const GError *error, gpointer user_data)
{
    Queue *queue = user_data;

    queue->rolling = FALSE;
    set_trouble (queue, &queue->roll_trouble, error);
}

/* Deliveries that stopped because their results could not be recorded go on. */
static void
tell_all_due (Queue *queue)
{
    g_auto (GStrv) names = queue_lanes (queue);

    for (guint i = 0; names[i] != NULL; i++)
        queue_tell_due (queue, queue_lanes_find (queue->lanes, names[i]));
}

static void
hear_trouble (const GError *error, gpointer user_data)
{
    Queue *queue = user_data;

    set_trouble (queue, &queue->write_trouble, error);
    if (error != NULL || queue->closing)
        return;
    tell_all_due (queue);
    try_again (queue);
}

/* ---- Starting and stopping ---- */

void
queue_store_start (Queue *queue, guint32 last_generation)
{
    const QueueWriterListener listener = {
        .begun = hear_begun, .full = hear_full, .roll_failed = hear_roll_failed, .trouble = hear_trouble};
    QueueAppender *appender = queue_appender_new (queue->directory, queue->catalog, last_generation);

    queue->closed = last_generation;
    queue->seal_retry_seconds = RETRY_FIRST_SECONDS;
    queue->mailbox = queue_mailbox_new ();
    queue->loader = queue_loader_new (queue->catalog, queue->mailbox);
    queue->sealer = queue_sealer_new (queue->directory, queue->catalog, queue->mailbox, seal_done, queue);
    queue->writer = queue_writer_new (appender, queue->catalog, queue->mailbox, queue->directory, queue->last_id + 1,
                                      &listener, queue);
    queue_writer_set_full (queue->writer, queue->limits.generation_bytes);
}

/* The last journal becomes a sealed generation, so that the next start has little to read. */
static void
seal_last (Queue *queue)
{
    QueueSealerView view = view_for_sealer (queue);
    g_autoptr (GError) error = NULL;

    view.only_drop = FALSE;
    if (!queue_sealer_finish (queue->sealer, &view, &error))
        g_info ("the journal is kept for the next start: %s", error->message);
}

void
queue_store_stop (Queue *queue)
{
    /* What is not known cannot be sealed: the next start reads the journals. */
    gboolean to_seal = queue->indexing == NULL;

    queue_indexing_stop (queue);
    if (queue->tick != NULL)
        g_source_destroy (queue->tick);
    g_clear_pointer (&queue->tick, g_source_unref);
    if (queue->space_timer != NULL)
        g_source_destroy (queue->space_timer);
    g_clear_pointer (&queue->space_timer, g_source_unref);
    if (to_seal && (queue_writer_journal_bytes (queue->writer) > 0 || queue->journal_first_usec != 0))
        queue_writer_roll (queue->writer, queue->last_id + 1);
    queue_writer_stop (queue->writer);
    queue_sealer_stop (queue->sealer);
    queue_loader_stop (queue->loader);
    queue_inspection_stop (queue);
    queue_mailbox_drain (queue->mailbox);
    if (to_seal)
        seal_last (queue);
    queue_writer_free (queue->writer);
    queue_mailbox_drain (queue->mailbox);
    queue_sealer_free (queue->sealer);
    queue_loader_free (queue->loader);
    queue_mailbox_free (queue->mailbox);
    g_clear_error (&queue->write_trouble);
    g_clear_error (&queue->space_trouble);
    g_clear_error (&queue->index_trouble);
    g_clear_error (&queue->roll_trouble);
    g_clear_error (&queue->seal_trouble);
    g_clear_error (&queue->trouble);
}
