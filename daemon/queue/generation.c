/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * A generation
 *
 * Hides from the rest of the room whether a part lies in a journal or in GDBM. A part's place says which generation;
 * when a journal is sealed, another object of the same number takes its place in the catalog, and the old one lives
 * until the last reader that was sent to it is done.
 */

#include <unistd.h>

#include "queue/generation.h"

static QueueGeneration *
generation_new (guint32 number, const gchar *path)
{
    QueueGeneration *generation = g_new0 (QueueGeneration, 1);

    generation->references = 1;
    generation->number = number;
    generation->path = g_strdup (path);
    generation->fd = -1;
    generation->removals = g_array_new (FALSE, FALSE, sizeof (QueueRemoval));

    return generation;
}

QueueGeneration *
queue_generation_new_journal (guint32 number, const gchar *path, gint fd, guint64 seed)
{
    QueueGeneration *generation = generation_new (number, path);

    generation->fd = fd;
    generation->seed = seed;

    return generation;
}

QueueGeneration *
queue_generation_new_sealed (guint32 number, const gchar *path)
{
    return generation_new (number, path);
}

gboolean
queue_generation_is_sealed (const QueueGeneration *generation)
{
    return generation->fd < 0;
}

QueueGeneration *
queue_generation_ref (QueueGeneration *generation)
{
    g_atomic_int_inc (&generation->references);

    return generation;
}

void
queue_generation_unref (QueueGeneration *generation)
{
    if (!g_atomic_int_dec_and_test (&generation->references))
        return;
    if (generation->fd >= 0)
        close (generation->fd);
    g_clear_pointer (&generation->file, queue_sealed_free);
    g_array_unref (generation->removals);
    g_free (generation->path);
    g_free (generation);
}

GBytes *
queue_generation_read (QueueGeneration *generation, const QueuePlace *place, QueuePart part, QueueId id,
                       guint32 number, GError **error)
{
    g_auto (QueueSealedMeta) meta = {0};

    if (!queue_generation_is_sealed (generation))
        return queue_journal_read (generation->fd, generation->seed, place, part, id, number, error);

    if (generation->file == NULL)
        generation->file = queue_sealed_open (generation->path, &meta, error);
    if (generation->file == NULL)
        return NULL;

    return queue_sealed_read (generation->file, part, id, number, error);
}

gchar *
queue_generation_path (const gchar *directory, guint32 number, const gchar *kind)
{
    return g_strdup_printf ("%s/%010u.%s", directory, number, kind);
}
