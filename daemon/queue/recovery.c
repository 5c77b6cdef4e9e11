/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Recovery
 *
 * What a start does, at once or while it serves (indexing.c), whether the last stop was clean or not: there is no other
 * way, so it is always tested. First the directory is put in order: what was being sealed is thrown away, since its
 * sources are still there; what a sealed generation replaces is removed, since all of it that lived was copied. Then the
 * generations are read from the oldest to the newest, and what is in a newer one overrides what is in an older: of a
 * sealed one its index, of a journal all its records.
 *
 * Damage costs what it hit. A journal is read on behind it if it can be shown that what follows had been acknowledged;
 * a sealed generation whose index is damaged is searched key by key; one that cannot be opened at all is put aside for a
 * person to look at. A message that lost a part is kept, shown and named, but not delivered.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "queue/disk.h"
#include "queue/queue.h"
#include "queue/recovery.h"
#include "queue/replay.h"

/* A generation's files. */
typedef struct {
    guint32 number;
    gchar *journal; /* (nullable) path */
    gchar *gdbm;    /* (nullable) path */
    QueueSealed *sealed;
    QueueSealedMeta meta;
    gboolean readable; /* the meta is there */
} Found;

typedef struct {
    const QueueRecovery *recovery;
    QueueCatalog *catalog;
    QueueRecovered *recovered;
    GPtrArray *found;    /* of Found, by number */
    QueueReplay replay;  /* of what is in them */
    gboolean has_damage; /* a reason to look whether each message is whole was found */
} Recovering;

static void
found_free (gpointer data)
{
    Found *found = data;

    g_free (found->journal);
    g_free (found->gdbm);
    g_clear_pointer (&found->sealed, queue_sealed_free);
    queue_sealed_meta_clear (&found->meta);
    g_free (found);
}

/* To be asked again and again. @bytes: that were read since */
static gboolean
may_go_on (const Recovering *recovering, guint64 bytes, GError **error)
{
    const QueueRecovery *recovery = recovering->recovery;

    if (recovery->go_on == NULL || recovery->go_on (bytes, recovery->user_data))
        return TRUE;
    g_set_error_literal (error, QUEUE_ERROR, QUEUE_ERROR_GONE, "the queue is being closed");

    return FALSE;
}

/* ---- The directory ---- */

static Found *
get_found (Recovering *recovering, guint32 number)
{
    Found *found;

    for (guint i = 0; i < recovering->found->len; i++) {
        found = g_ptr_array_index (recovering->found, i);
        if (found->number == number)
            return found;
    }
    found = g_new0 (Found, 1);
    found->number = number;
    g_ptr_array_add (recovering->found, found);

    return found;
}

static gint
compare_found (gconstpointer a, gconstpointer b)
{
    const Found *left = *(Found *const *) a, *right = *(Found *const *) b;

    return left->number < right->number ? -1 : left->number > right->number;
}

static gboolean
remove_file (Recovering *recovering, const gchar *path, GError **error)
{
    return recovering->recovery->read_only || queue_disk_remove (path, error);
}

static guint64
file_bytes (const gchar *path)
{
    struct stat status;

    return stat (path, &status) == 0 ? (guint64) status.st_size : 0;
}

static gboolean
list_directory (Recovering *recovering, GError **error)
{
    g_autoptr (GError) failed = NULL;
    g_autoptr (GDir) dir = g_dir_open (recovering->recovery->directory, 0, &failed);
    const gchar *name;

    if (dir == NULL) {
        g_set_error (error, QUEUE_ERROR, QUEUE_ERROR_IO, "cannot read the queue: %s", failed->message);
        return FALSE;
    }
    while ((name = g_dir_read_name (dir)) != NULL) {
        g_autofree gchar *path = g_build_filename (recovering->recovery->directory, name, NULL);
        const gchar *kind;
        guint32 number;

        if (!queue_generation_parse_name (name, &number, &kind) || number > recovering->recovery->newest)
            continue;
        recovering->replay.stored_bytes += file_bytes (path);
        recovering->recovered->last_generation = MAX (recovering->recovered->last_generation, number);
        if (strcmp (kind, QUEUE_GENERATION_JOURNAL) == 0)
            get_found (recovering, number)->journal = g_steal_pointer (&path);
        else if (strcmp (kind, QUEUE_GENERATION_SEALED) == 0)
            get_found (recovering, number)->gdbm = g_steal_pointer (&path);
        else if (strcmp (kind, QUEUE_GENERATION_MAKING) == 0 && !remove_file (recovering, path, error))
            return FALSE;
    }
    g_ptr_array_sort (recovering->found, compare_found);

    return TRUE;
}

/* Gets a file that cannot be used out of the way. */
static void
put_aside (Recovering *recovering, const gchar *path, const GError *why)
{
    g_autofree gchar *aside = g_strconcat (path, "." QUEUE_GENERATION_DAMAGED, NULL);

    recovering->recovered->lost_files++;
    if (recovering->recovery->read_only) {
        g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_WARNING, "MESSAGE", "nothing of %s can be read: %s", path,
                          why->message);
        return;
    }
    g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_WARNING, "MESSAGE",
                      "the mail in %s is lost to the queue: %s. The file is kept as %s.", path, why->message, aside);
    if (rename (path, aside) != 0)
        g_warning ("cannot rename %s: %s", path, g_strerror (errno));
}

/* Only damage puts a file aside or makes us search it. If the machine failed (no descriptors, no memory, the disk away),
 * the start fails, and may succeed the next time. */
static gboolean
is_damage (const GError *error)
{
    return g_error_matches (error, QUEUE_ERROR, QUEUE_ERROR_DAMAGED);
}

/* Opens a sealed generation, even if it does not say what it is. */
static gboolean
open_found (Recovering *recovering, Found *found, GError **error)
{
    g_autoptr (GError) failed = NULL, again = NULL;

    found->sealed = queue_sealed_open (found->gdbm, &found->meta, &failed);
    found->readable = found->sealed != NULL;
    if (found->sealed == NULL && is_damage (failed) && found->journal == NULL) {
        found->sealed = queue_sealed_open_damaged (found->gdbm, &again);
        recovering->has_damage = TRUE;
    }
    if (found->sealed != NULL)
        return TRUE;
    if (!is_damage (failed) || (again != NULL && !is_damage (again))) {
        g_propagate_error (error, is_damage (failed) ? g_steal_pointer (&again) : g_steal_pointer (&failed));
        return FALSE;
    }
    put_aside (recovering, found->gdbm, failed);
    g_clear_pointer (&found->gdbm, g_free);

    return TRUE;
}

/* Opens the sealed generations, so that it is known which of the others they replace. */
static gboolean
open_sealed (Recovering *recovering, GError **error)
{
    for (guint i = 0; i < recovering->found->len; i++) {
        Found *found = g_ptr_array_index (recovering->found, i);

        if (found->gdbm != NULL && !open_found (recovering, found, error))
            return FALSE;
    }

    return TRUE;
}

static gboolean
is_replaced (Recovering *recovering, guint32 number)
{
    for (guint i = 0; i < recovering->found->len; i++) {
        const Found *found = g_ptr_array_index (recovering->found, i);

        for (guint j = 0; found->readable && j < found->meta.replaced->len; j++) {
            if (g_array_index (found->meta.replaced, guint32, j) == number)
                return TRUE;
        }
    }

    return FALSE;
}

/* Removes files that are in another one. Afterwards each generation has one file. */
static gboolean
remove_replaced (Recovering *recovering, GError **error)
{
    guint removed = 0;

    for (guint i = 0; i < recovering->found->len; i++) {
        Found *found = g_ptr_array_index (recovering->found, i);
        gboolean replaced = is_replaced (recovering, found->number);

        if (found->journal != NULL && (replaced || found->gdbm != NULL)) {
            if (!remove_file (recovering, found->journal, error))
                return FALSE;
            g_clear_pointer (&found->journal, g_free);
            removed++;
        }
        if (found->gdbm != NULL && replaced) {
            if (!remove_file (recovering, found->gdbm, error))
                return FALSE;
            g_clear_pointer (&found->gdbm, g_free);
            removed++;
        }
    }

    return removed == 0 || recovering->recovery->read_only ||
           queue_disk_sync_directory (recovering->recovery->directory, error);
}

/* ---- A journal ---- */

static void
journal_record (const QueueFrame *frame, const QueuePlace *place, GBytes *payload, gpointer user_data)
{
    QueueItem item = {.id = frame->id, .number = frame->number, .length = place->length, .offset = place->offset};

    queue_replay_part (user_data, frame->part, &item, payload);
}

/* A journal that was being begun when the machine stopped: it ends before its first record, nothing was ever acknowledged
 * from it. */
static gboolean
is_unborn (const struct stat *status, const guint8 start[QUEUE_JOURNAL_START_BYTES])
{
    QueueJournalHeader header;

    return status->st_size < QUEUE_JOURNAL_START_BYTES ||
           (status->st_size == QUEUE_JOURNAL_START_BYTES && !queue_journal_read_start (start, &header, NULL));
}

static QueueGeneration *
add_journal (Recovering *recovering, const Found *found, gint fd, guint64 seed)
{
    QueueGeneration *generation = queue_generation_new_journal (found->number, found->journal, fd, seed);

    generation->disk_bytes = queue_disk_used_bytes (found->journal);
    queue_catalog_add_generation (recovering->catalog, generation);

    return generation;
}

/* Cuts off what was never acknowledged, and makes sure of what will be relied on. */
static gboolean
tidy_journal (const Recovering *recovering, gint fd, const gchar *path, const QueueJournalScan *scan, GError **error)
{
    if (recovering->recovery->read_only)
        return TRUE;
    if ((scan->torn && ftruncate (fd, (off_t) scan->end) != 0) || fdatasync (fd) != 0) {
        queue_disk_set_error (error, "recover", path);
        return FALSE;
    }
    if (scan->lost_bytes > 0)
        g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_WARNING, "MESSAGE",
                          "%s is damaged: %" G_GUINT64_FORMAT " bytes of records in it cannot be read", path,
                          scan->lost_bytes);

    return TRUE;
}

/* Reads the header. Returns: FALSE with an error; *@seed is 0 if the file is of no use, and was removed or put aside */
static gboolean
read_start (Recovering *recovering, const Found *found, gint fd, guint64 *seed, GError **error)
{
    guint8 start[QUEUE_JOURNAL_START_BYTES] = {0};
    g_autoptr (GError) failed = NULL;
    QueueJournalHeader header;
    struct stat status;

    *seed = 0;
    if (fstat (fd, &status) != 0 || pread (fd, start, sizeof start, 0) < 0) {
        queue_disk_set_error (error, "read", found->journal);
        return FALSE;
    }
    if (is_unborn (&status, start))
        return remove_file (recovering, found->journal, error);
    if (queue_journal_read_start (start, &header, &failed)) {
        *seed = header.seed;
        recovering->replay.last_id = MAX (recovering->replay.last_id, header.next_id - 1);
        return TRUE;
    }
    if (!is_damage (failed)) {
        g_set_error (error, failed->domain, failed->code, "%s: %s", found->journal, failed->message);
        return FALSE;
    }
    put_aside (recovering, found->journal, failed);
    recovering->has_damage = TRUE;

    return TRUE;
}

static gboolean
read_records (Recovering *recovering, const Found *found, gint fd, QueueGeneration *generation, GError **error)
{
    g_autoptr (GError) failed = NULL;
    QueueJournalHeader header;
    QueueJournalScan scan;

    if (!queue_journal_scan (fd, &header, journal_record, &recovering->replay, &scan, &failed)) {
        g_set_error (error, failed->domain, failed->code, "%s: %s", found->journal, failed->message);
        return FALSE;
    }
    generation->damaged = scan.lost_bytes > 0;
    recovering->has_damage |= generation->damaged;

    return tidy_journal (recovering, fd, found->journal, &scan, error) && may_go_on (recovering, scan.end, error);
}

static gboolean
read_journal (Recovering *recovering, const Found *found, GError **error)
{
    gint fd = open (found->journal, (recovering->recovery->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
    QueueGeneration *generation;
    guint64 seed;

    if (fd < 0) {
        queue_disk_set_error (error, "open", found->journal);
        return FALSE;
    }
    if (!read_start (recovering, found, fd, &seed, error)) {
        close (fd);
        return FALSE;
    }
    if (seed == 0) {
        close (fd);
        return TRUE;
    }

    /* The parts that are found are placed in it: it must be there before. */
    generation = add_journal (recovering, found, fd, seed);

    return read_records (recovering, found, fd, generation, error);
}

/* ---- A sealed generation ---- */

static gboolean
read_pages (Recovering *recovering, QueueSealed *file, const QueueSealedMeta *meta, GError **error)
{
    for (guint32 i = 0; i < meta->removal_pages; i++) {
        g_autoptr (GBytes) page = queue_sealed_read (file, QUEUE_PART_REMOVAL, 0, i, error);

        if (page == NULL || !may_go_on (recovering, g_bytes_get_size (page), error))
            return FALSE;
        queue_replay_removals (&recovering->replay, page);
    }
    for (guint32 i = 0; i < meta->index_pages; i++) {
        g_autoptr (GBytes) page = queue_sealed_read (file, QUEUE_PART_INDEX, 0, i, error);
        QueueSpan span = {0};
        QueueItem item;

        if (page == NULL || !may_go_on (recovering, g_bytes_get_size (page), error))
            return FALSE;
        span.data = g_bytes_get_data (page, &span.left);
        while (queue_item_read (&span, &item))
            queue_replay_item (&recovering->replay, &item);
        if (span.bad) {
            g_set_error (error, QUEUE_ERROR, QUEUE_ERROR_DAMAGED, "a page of its index cannot be understood");
            return FALSE;
        }
    }

    return TRUE;
}

static void
salvaged_part (QueuePart part, QueueId id, guint32 number, GBytes *payload, gpointer user_data)
{
    QueueItem item = {.id = id, .number = number, .length = (guint32) g_bytes_get_size (payload)};

    if (part == QUEUE_PART_INDEX)
        queue_replay_lone_heads (user_data, payload);
    else
        queue_replay_part (user_data, part, &item, payload);
}

static gboolean
read_sealed (Recovering *recovering, Found *found, GError **error)
{
    QueueSealed *file = g_steal_pointer (&found->sealed);
    QueueGeneration *generation = queue_generation_new_sealed (found->number, found->gdbm, file);
    g_autoptr (GError) failed = NULL;

    generation->stored_bytes = found->meta.stored_bytes;
    generation->disk_bytes = queue_disk_used_bytes (found->gdbm);
    queue_catalog_add_generation (recovering->catalog, generation);
    if (found->readable) {
        recovering->replay.last_id = MAX (recovering->replay.last_id, found->meta.next_id - 1);
        if (read_pages (recovering, file, &found->meta, &failed))
            return TRUE;
        if (!is_damage (failed)) {
            g_propagate_error (error, g_steal_pointer (&failed));
            return FALSE;
        }
    }
    recovering->has_damage = generation->damaged = TRUE;

    return queue_sealed_salvage (file, salvaged_part, &recovering->replay, error);
}

/* ---- All of it ---- */

static gboolean
read_generations (Recovering *recovering, GError **error)
{
    for (guint i = 0; i < recovering->found->len; i++) {
        Found *found = g_ptr_array_index (recovering->found, i);

        if (!may_go_on (recovering, 0, error))
            return FALSE;
        recovering->replay.generation = found->number;
        if (found->gdbm != NULL && !read_sealed (recovering, found, error))
            return FALSE;
        if (found->gdbm != NULL)
            continue;
        if (found->journal != NULL && !read_journal (recovering, found, error))
            return FALSE;
    }

    return TRUE;
}

static void
log_unreadable (const Recovering *recovering)
{
    if (recovering->replay.n_unreadable > 0)
        g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_WARNING, "MESSAGE",
                          "%" G_GUINT64_FORMAT " records in %s cannot be understood", recovering->replay.n_unreadable,
                          recovering->recovery->directory);
}

gboolean
queue_recover (const QueueRecovery *recovery, QueueCatalog *catalog, QueueRecovered *recovered, GError **error)
{
    g_autoptr (GPtrArray) found = g_ptr_array_new_with_free_func (found_free);
    Recovering recovering = {.recovery = recovery, .catalog = catalog, .recovered = recovered, .found = found};
    gboolean read;

    *recovered = (QueueRecovered){0};
    queue_replay_init (&recovering.replay, catalog);
    read = list_directory (&recovering, error) && open_sealed (&recovering, error) &&
           remove_replaced (&recovering, error) && read_generations (&recovering, error);
    if (read) {
        recovered->damaged_messages = queue_replay_find_damaged (&recovering.replay, recovering.has_damage);
        log_unreadable (&recovering);
    }
    recovered->last_id = recovering.replay.last_id;
    queue_replay_clear (&recovering.replay);

    return read;
}
