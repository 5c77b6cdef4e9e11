/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * A generation
 *
 * Hides from the rest of the room whether a part lies in a journal or in GDBM. A part's place says which generation;
 * when a journal is sealed, another object of the same number takes its place in the catalog, and the old one lives
 * until the last reader that was sent to it is done.
 */

#include <fcntl.h>
#include <unistd.h>

#include "queue/disk.h"
#include "queue/generation.h"
#include "queue/queue.h"

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
queue_generation_new_sealed (guint32 number, const gchar *path, QueueSealed *file)
{
    QueueGeneration *generation = generation_new (number, path);

    generation->file = file;

    return generation;
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

static GBytes *
read_journal (const QueueGeneration *generation, gint fd, const QueuePlace *place, QueuePart part, QueueId id,
              guint32 number, GError **error)
{
    GBytes *payload = queue_journal_read (fd, generation->seed, place, part, id, number, error);

    if (payload == NULL)
        g_prefix_error (error, "%s: ", generation->path);

    return payload;
}

/* Whether the file is this generation's journal, and not another one of that name. */
static gboolean
is_journal_of (const QueueGeneration *generation, gint fd)
{
    guint8 start[QUEUE_JOURNAL_START_BYTES] = {0};
    QueueJournalHeader header;

    return pread (fd, start, sizeof start, 0) > 0 && queue_journal_read_start (start, &header, NULL) &&
           header.seed == generation->seed;
}

gint
queue_generation_open_journal (const QueueGeneration *generation, GError **error)
{
    gint fd = open (generation->path, O_RDONLY | O_CLOEXEC);

    if (fd >= 0 && is_journal_of (generation, fd))
        return fd;
    if (fd >= 0)
        close (fd);
    fd = fcntl (generation->fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        queue_disk_set_error (error, "open", generation->path);

    return fd;
}

/* Once more, with the file as its path has it: after the file system was away, an open file stays dead. */
static GBytes *
read_again (QueueGeneration *generation, const QueuePlace *place, QueuePart part, QueueId id, guint32 number,
            GError **error)
{
    g_auto (QueueSealedMeta) meta = {0};
    GBytes *payload = NULL;
    QueueSealed *file;
    gint fd;

    if (queue_generation_is_sealed (generation)) {
        file = queue_sealed_open (generation->path, &meta, NULL);
        if (file == NULL)
            return NULL;
        g_clear_pointer (&generation->file, queue_sealed_free);
        generation->file = file;
        return queue_sealed_read (file, part, id, number, error);
    }
    fd = queue_generation_open_journal (generation, error);
    if (fd >= 0) {
        payload = read_journal (generation, fd, place, part, id, number, error);
        close (fd);
    }

    return payload;
}

GBytes *
queue_generation_read (QueueGeneration *generation, const QueuePlace *place, QueuePart part, QueueId id,
                       guint32 number, GError **error)
{
    g_autoptr (GError) failed = NULL, again = NULL;
    GBytes *payload;

    if (queue_generation_is_sealed (generation))
        payload = queue_sealed_read (generation->file, part, id, number, &failed);
    else
        payload = read_journal (generation, generation->fd, place, part, id, number, &failed);
    if (payload == NULL && g_error_matches (failed, QUEUE_ERROR, QUEUE_ERROR_IO))
        payload = read_again (generation, place, part, id, number, &again);
    if (payload == NULL)
        g_propagate_error (error, again != NULL ? g_steal_pointer (&again) : g_steal_pointer (&failed));

    return payload;
}

gchar *
queue_generation_path (const gchar *directory, guint32 number, const gchar *kind)
{
    return g_strdup_printf ("%s/%010u.%s", directory, number, kind);
}

gboolean
queue_generation_parse_name (const gchar *name, guint32 *number, const gchar **kind)
{
    gchar *end;
    guint64 value = g_ascii_strtoull (name, &end, 10);

    if (end == name || *end != '.' || value == 0 || value > G_MAXUINT32)
        return FALSE;
    *number = (guint32) value;
    *kind = end + 1;

    return TRUE;
}
