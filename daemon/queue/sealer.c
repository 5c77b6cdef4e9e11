/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * What is sealed, merged and dropped
 *
 * Every closed journal is sealed, all that are closed together into one generation. Sealed generations join them:
 *
 *  - as long as the next older one is no larger than what is gathered so far. So each generation is at least as large as
 *    all newer ones together, there are as many as the logarithm of the mail, and a message is copied as often as
 *    that, however long it stays. Very large ones are left alone, or a merge would take minutes;
 *  - as long as more than half of what the sealed generations hold is dead: the one with the most dead bytes is
 *    copied forward. So the disk holds at most about twice the mail, besides the journal.
 *
 * A generation in which nothing lives any more is dropped without being read, be it sealed or a closed journal; one that
 * the disk damaged is put aside instead. There is no clock for cleaning: what makes a generation's parts die is written
 * to a journal, and that journal is closed and sealed some time later.
 *
 * Merging needs the space of what it copies before it frees any: without that much space only journals are sealed, the
 * oldest ones that there is room for. The others can be kept for as long as it takes. Dropping needs no space, so that a
 * disk that is full to the last byte empties as the mail leaves.
 */

#include <sys/resource.h>
#include <unistd.h>

#include "queue/queue.h"
#include "queue/seal.h"
#include "queue/sealer.h"

/* In units of the configured size of a generation: larger ones are not merged for being many. With 64 MiB, 1 GiB. */
#define MERGE_MOST_GENERATIONS 16

/* What a GDBM file needs beside what it holds: its directory, and pages that are not full. In eighths of it, and more. */
#define OVERHEAD_EIGHTHS 4
#define OVERHEAD_BYTES   (64 * 1024)

/* Dead bytes that are not worth a thought. */
#define DEAD_LEAST_BYTES (1024 * 1024)

/* A stop does not wait for the sealing of more parts: the next start reads the journal as fast as it would read GDBM. */
#define FINISH_MOST_PARTS 2000

/* Sealing gives way to whatever serves somebody. */
#define THREAD_NICENESS 10

struct _QueueSealer {
    gchar *directory;
    QueueCatalog *catalog;
    QueueMailbox *mailbox;
    QueueSealerDone done;
    gpointer user_data;
    GArray *leftovers; /* of guint32: files to be removed; the thread's while it runs */

    GThread *thread; /* (nullable) */
    QueueSeal seal;  /* what it does */
    GError *error;   /* what came of it */
    gint cancel;     /* atomic */
};

QueueSealer *
queue_sealer_new (const gchar *directory, QueueCatalog *catalog, QueueMailbox *mailbox, QueueSealerDone done,
                  gpointer user_data)
{
    QueueSealer *sealer = g_new0 (QueueSealer, 1);

    sealer->directory = g_strdup (directory);
    sealer->catalog = catalog;
    sealer->mailbox = mailbox;
    sealer->done = done;
    sealer->user_data = user_data;
    sealer->leftovers = g_array_new (FALSE, FALSE, sizeof (guint32));

    return sealer;
}

void
queue_sealer_free (QueueSealer *sealer)
{
    g_array_unref (sealer->leftovers);
    g_free (sealer->directory);
    g_free (sealer);
}

gboolean
queue_sealer_is_busy (const QueueSealer *sealer)
{
    return sealer->thread != NULL;
}

/* ---- Deciding, with the catalog locked ---- */

static gint
compare_numbers (gconstpointer a, gconstpointer b)
{
    guint32 left = *(const guint32 *) a, right = *(const guint32 *) b;

    return left < right ? -1 : left > right;
}

static gboolean
is_in (const GArray *numbers, guint32 number)
{
    for (guint i = 0; i < numbers->len; i++) {
        if (g_array_index (numbers, guint32, i) == number)
            return TRUE;
    }

    return FALSE;
}

/* Whether it is a journal that still grows, or may have to. */
static gboolean
is_open (const QueueGeneration *generation, const QueueSealerView *view)
{
    return !queue_generation_is_sealed (generation) && generation->number > view->closed;
}

/* Takes the generations that nothing needs out of the catalog. From the oldest on: what is dropped may be what a newer
 * one was still needed for. */
static void
drop_dead (QueueSealer *sealer, const QueueSealerView *view)
{
    GPtrArray *generations = queue_catalog_generations (sealer->catalog);

    for (guint i = 0; i < generations->len;) {
        const QueueGeneration *generation = g_ptr_array_index (generations, i);
        guint32 number = generation->number;

        if (is_open (generation, view) || queue_catalog_needs (sealer->catalog, generation)) {
            i++;
            continue;
        }
        if (generation->damaged)
            queue_seal_keep_damaged (generation);
        g_array_append_val (sealer->leftovers, number);
        queue_catalog_drop_generation (sealer->catalog, number);
    }
    g_array_sort (sealer->leftovers, compare_numbers);
}

static gboolean
fits (const QueueSealerView *view, guint64 live)
{
    return live == 0 || live + live / 8 * OVERHEAD_EIGHTHS + OVERHEAD_BYTES <= view->free_bytes;
}

/* From the oldest on, as many as there is room for. Returns: their live bytes */
static guint64
add_closed_journals (QueueSealer *sealer, const QueueSealerView *view, GArray *sources)
{
    const GPtrArray *generations = queue_catalog_generations (sealer->catalog);
    guint64 live = 0;

    for (guint i = 0; i < generations->len; i++) {
        const QueueGeneration *generation = g_ptr_array_index (generations, i);

        if (queue_generation_is_sealed (generation) || is_open (generation, view))
            continue;
        if (!fits (view, live + generation->live_bytes))
            break;
        g_array_append_val (sources, generation->number);
        live += generation->live_bytes;
    }

    return live;
}

/* Those that are no larger than all newer ones together. Returns: live bytes of all sources */
static guint64
add_small (QueueSealer *sealer, const QueueSealerView *view, GArray *sources, guint64 live)
{
    const GPtrArray *generations = queue_catalog_generations (sealer->catalog);
    guint64 most = view->generation_bytes * MERGE_MOST_GENERATIONS;

    for (guint i = generations->len; i > 0; i--) {
        const QueueGeneration *generation = g_ptr_array_index (generations, i - 1);

        if (!queue_generation_is_sealed (generation))
            continue;
        if (generation->live_bytes > live || generation->live_bytes + live > most)
            break;
        g_array_append_val (sources, generation->number);
        live += generation->live_bytes;
    }

    return live;
}

/* The sealed generation with the most dead bytes, of those that are not in @sources. (nullable) Sums up what they hold. */
static const QueueGeneration *
find_deadest (QueueSealer *sealer, const GArray *sources, guint64 *stored, guint64 *live)
{
    const GPtrArray *generations = queue_catalog_generations (sealer->catalog);
    const QueueGeneration *deadest = NULL;
    guint64 most_dead = 0;

    *stored = *live = 0;
    for (guint i = 0; i < generations->len; i++) {
        const QueueGeneration *generation = g_ptr_array_index (generations, i);
        guint64 dead;

        if (!queue_generation_is_sealed (generation) || is_in (sources, generation->number))
            continue;
        dead = generation->stored_bytes - MIN (generation->live_bytes, generation->stored_bytes);
        *stored += generation->stored_bytes;
        *live += generation->live_bytes;
        if (dead > most_dead) {
            most_dead = dead;
            deadest = generation;
        }
    }

    return deadest;
}

static guint64
add_deadest (QueueSealer *sealer, GArray *sources, guint64 gathered)
{
    for (;;) {
        guint64 stored, live;
        const QueueGeneration *deadest = find_deadest (sealer, sources, &stored, &live);

        if (deadest == NULL || stored < 2 * live + DEAD_LEAST_BYTES)
            return gathered;
        g_array_append_val (sources, deadest->number);
        gathered += deadest->live_bytes;
    }
}

/* Fills in what is to be sealed. Returns: whether there is anything to do */
static gboolean
decide (QueueSealer *sealer, const QueueSealerView *view, gboolean merge)
{
    GArray *sources = sealer->seal.sources;
    guint64 live = 0;

    queue_catalog_lock (sealer->catalog);
    drop_dead (sealer, view);
    if (!view->only_drop)
        live = add_closed_journals (sealer, view, sources);
    if (sources->len > 0) {
        guint n_journals = sources->len;

        sealer->seal.into = g_array_index (sources, guint32, n_journals - 1);
        if (merge) {
            live = add_small (sealer, view, sources, live);
            live = add_deadest (sealer, sources, live);
        }
        if (!fits (view, live))
            g_array_set_size (sources, n_journals);
        g_array_sort (sources, compare_numbers);
    }
    queue_catalog_unlock (sealer->catalog);

    return sources->len > 0 || sealer->leftovers->len > 0;
}

/* ---- Doing ---- */

static void
prepare (QueueSealer *sealer, const QueueSealerView *view)
{
    sealer->seal = (QueueSeal){.directory = sealer->directory,
                               .catalog = sealer->catalog,
                               .sources = g_array_new (FALSE, FALSE, sizeof (guint32)),
                               .leftovers = sealer->leftovers,
                               .next_id = view->next_id,
                               .cancel = &sealer->cancel,
                               .damaged = g_array_new (FALSE, FALSE, sizeof (QueueId))};
}

static void
clear (QueueSealer *sealer)
{
    g_clear_pointer (&sealer->seal.sources, g_array_unref);
    g_clear_pointer (&sealer->seal.damaged, g_array_unref);
    g_clear_error (&sealer->error);
}

static void
run (QueueSealer *sealer)
{
    if (sealer->seal.sources->len > 0 && !queue_seal_run (&sealer->seal, &sealer->error))
        return;
    queue_seal_remove_leftovers (sealer->directory, sealer->leftovers, &sealer->error);
}

static void
hear_done (gpointer data, gpointer user_data)
{
    QueueSealer *sealer = user_data;
    g_autoptr (GArray) damaged = g_array_ref (sealer->seal.damaged);
    g_autoptr (GError) error = g_steal_pointer (&sealer->error);

    if (sealer->thread != NULL)
        g_thread_join (g_steal_pointer (&sealer->thread));
    clear (sealer);

    /* Who hears it may have the next thing done. */
    sealer->done (damaged, error, sealer->user_data);
}

static gpointer
sealer_thread (gpointer data)
{
    QueueSealer *sealer = data;

    /* Of this thread alone, as Linux has it. That it may fail is no reason not to seal. */
    setpriority (PRIO_PROCESS, (id_t) gettid (), THREAD_NICENESS);
    run (sealer);
    queue_mailbox_post (sealer->mailbox, hear_done, NULL, sealer);

    return NULL;
}

gboolean
queue_sealer_start (QueueSealer *sealer, const QueueSealerView *view)
{
    if (sealer->seal.sources != NULL)
        return TRUE;
    prepare (sealer, view);
    if (!decide (sealer, view, TRUE)) {
        clear (sealer);
        return FALSE;
    }
    sealer->thread = g_thread_new ("queue-sealer", sealer_thread, sealer);

    return TRUE;
}

void
queue_sealer_stop (QueueSealer *sealer)
{
    g_atomic_int_set (&sealer->cancel, TRUE);
    if (sealer->thread != NULL)
        g_thread_join (g_steal_pointer (&sealer->thread));
}

static guint64
closed_parts (QueueSealer *sealer, const QueueSealerView *view)
{
    const GPtrArray *generations;
    guint64 parts = 0;

    queue_catalog_lock (sealer->catalog);
    generations = queue_catalog_generations (sealer->catalog);
    for (guint i = 0; i < generations->len; i++) {
        const QueueGeneration *generation = g_ptr_array_index (generations, i);

        if (!queue_generation_is_sealed (generation) && !is_open (generation, view))
            parts += generation->live_parts;
    }
    queue_catalog_unlock (sealer->catalog);

    return parts;
}

gboolean
queue_sealer_finish (QueueSealer *sealer, const QueueSealerView *view, GError **error)
{
    gboolean finished = TRUE;

    g_atomic_int_set (&sealer->cancel, FALSE);
    prepare (sealer, view);
    if (closed_parts (sealer, view) <= FINISH_MOST_PARTS && decide (sealer, view, FALSE)) {
        run (sealer);
        finished = sealer->error == NULL;
        if (!finished)
            g_propagate_error (error, g_steal_pointer (&sealer->error));
    }
    clear (sealer);

    return finished;
}
