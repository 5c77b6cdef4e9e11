/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * A glance at the store
 *
 * A store of a million messages is read while it serves (indexing.c). Before the first message is taken only this has
 * to be known: that this version may write here at all, and which ids and which numbers of generations were given.
 *
 * Every sealed generation says an id that is greater than all that are in it. A journal says so only of what was given
 * before it was begun, so its records are read for their ids; that is a pass over what has not been sealed yet, which is
 * no more than a few generations. In damaged files ids may be hidden: then the glance does not suffice, and all is read
 * before anything is taken.
 */

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "queue/disk.h"
#include "queue/generation.h"
#include "queue/glance.h"
#include "queue/queue.h"

/* What is done with a file of the store. */
typedef gboolean (*Look) (const gchar *path, QueueGlance *glance, GError **error);

static gboolean
is_damage (const GError *error)
{
    return g_error_matches (error, QUEUE_ERROR, QUEUE_ERROR_DAMAGED);
}

static gboolean
look_at_sealed (const gchar *path, QueueGlance *glance, GError **error)
{
    g_auto (QueueSealedMeta) meta = {0};
    g_autoptr (GError) failed = NULL;
    g_autoptr (QueueSealed) file = queue_sealed_open (path, &meta, &failed);

    if (file == NULL && !is_damage (failed)) {
        g_propagate_error (error, g_steal_pointer (&failed));
        return FALSE;
    }
    if (file == NULL) {
        glance->damaged = TRUE;
        return TRUE;
    }
    glance->last_id = MAX (glance->last_id, meta.next_id - 1);
    glance->bytes += ((guint64) meta.index_pages + meta.removal_pages) * QUEUE_CHUNK_BYTES;

    return TRUE;
}

/* Reads what stands before the records. *@has_records: whether there can be any */
static gboolean
read_start (gint fd, const gchar *path, QueueGlance *glance, gboolean *has_records, GError **error)
{
    guint8 start[QUEUE_JOURNAL_START_BYTES] = {0};
    g_autoptr (GError) failed = NULL;
    QueueJournalHeader header;
    struct stat status;

    *has_records = FALSE;
    if (fstat (fd, &status) != 0 || pread (fd, start, sizeof start, 0) < 0) {
        queue_disk_set_error (error, "read", path);
        return FALSE;
    }
    if (status.st_size < QUEUE_JOURNAL_START_BYTES)
        return TRUE;
    if (queue_journal_read_start (start, &header, &failed)) {
        *has_records = TRUE;
        glance->last_id = MAX (glance->last_id, header.next_id - 1);
        glance->bytes += (guint64) status.st_size;
        return TRUE;
    }
    if (!is_damage (failed)) {
        g_set_error (error, failed->domain, failed->code, "%s: %s", path, failed->message);
        return FALSE;
    }
    glance->damaged |= status.st_size > QUEUE_JOURNAL_START_BYTES;

    return TRUE;
}

static gboolean
look_at_journal (const gchar *path, QueueGlance *glance, GError **error)
{
    gint fd = open (path, O_RDONLY | O_CLOEXEC);
    gboolean has_records, looked;

    if (fd < 0) {
        queue_disk_set_error (error, "open", path);
        return FALSE;
    }
    looked = read_start (fd, path, glance, &has_records, error);
    close (fd);

    return looked;
}

/* ---- The ids in a journal ---- */

static void
note_record (const QueueFrame *frame, const QueuePlace *place, GBytes *payload, gpointer user_data)
{
    QueueGlance *glance = user_data;
    QueueSpan span = {0};
    QueueHead head;

    glance->last_id = MAX (glance->last_id, frame->id);
    if (frame->part != QUEUE_PART_HEADS && frame->part != QUEUE_PART_REMOVAL)
        return;
    span.data = g_bytes_get_data (payload, &span.left);
    while (span.left >= sizeof (QueueId) && !span.bad) {
        QueueId id = queue_span_u64 (&span);

        glance->last_id = MAX (glance->last_id, id);
        if (frame->part == QUEUE_PART_HEADS)
            queue_span_head (&span, &head);
    }
}

static gboolean
read_ids (gint fd, const gchar *path, QueueGlance *glance, GError **error)
{
    QueueGlance again = {0};
    QueueJournalHeader header;
    QueueJournalScan scan;
    gboolean has_records;

    if (!read_start (fd, path, &again, &has_records, error))
        return FALSE;
    if (!has_records || queue_journal_scan (fd, &header, note_record, glance, &scan, error))
        return TRUE;
    g_prefix_error (error, "%s: ", path);

    return FALSE;
}

static gboolean
look_for_ids (const gchar *path, QueueGlance *glance, GError **error)
{
    gint fd = open (path, O_RDONLY | O_CLOEXEC);
    gboolean read;

    if (fd < 0) {
        queue_disk_set_error (error, "open", path);
        return FALSE;
    }
    read = read_ids (fd, path, glance, error);
    close (fd);

    return read;
}

/* ---- All of them ---- */

/* @sealed, @journal: (nullable): what is done with each file of that kind */
static gboolean
look_at_all (const gchar *directory, QueueGlance *glance, Look sealed, Look journal, GError **error)
{
    g_autoptr (GError) failed = NULL;
    g_autoptr (GDir) dir = g_dir_open (directory, 0, &failed);
    const gchar *name;

    if (dir == NULL) {
        g_set_error (error, QUEUE_ERROR, QUEUE_ERROR_IO, "cannot read the queue: %s", failed->message);
        return FALSE;
    }
    while ((name = g_dir_read_name (dir)) != NULL) {
        g_autofree gchar *path = g_build_filename (directory, name, NULL);
        const gchar *kind;
        guint32 number;
        Look look = NULL;

        if (!queue_generation_parse_name (name, &number, &kind))
            continue;
        glance->last_generation = MAX (glance->last_generation, number);
        if (g_str_equal (kind, QUEUE_GENERATION_SEALED))
            look = sealed;
        else if (g_str_equal (kind, QUEUE_GENERATION_JOURNAL))
            look = journal;
        if (look != NULL && !look (path, glance, error))
            return FALSE;
    }

    return TRUE;
}

gboolean
queue_glance (const gchar *directory, QueueGlance *glance, GError **error)
{
    *glance = (QueueGlance){0};

    return look_at_all (directory, glance, look_at_sealed, look_at_journal, error);
}

gboolean
queue_glance_ids (const gchar *directory, QueueGlance *glance, GError **error)
{
    return look_at_all (directory, glance, NULL, look_for_ids, error);
}
