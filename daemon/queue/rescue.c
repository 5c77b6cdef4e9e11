/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Rescue
 *
 * Makes a new store of what can be read of a damaged one, for the day after a disk died. The old one is only read, and in the
 * way that asks least of it: journals record by record, sealed generations without GDBM. Blocks that the disk does not
 * give are passed over.
 *
 * Each generation becomes a journal of the same number: its records override those of older ones as before. Then the new
 * store is read as at any start, which finds the messages that lost a part, and all of it is verified.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "queue/disk.h"
#include "queue/item.h"
#include "queue/recovery.h"
#include "queue/store.h"
#include "queue/verify.h"

/* What a journal that is written says before its first record. */
typedef struct {
    FILE *file;
    gchar *path;
    guint64 seed;
    guint64 sequence;
    guint64 next_id;
    guint64 n_records;
    gboolean failed; /* errno is kept */
    gint failed_errno;
} Journal;

/* A generation of the old store. */
typedef struct {
    guint32 number;
    gchar *journal; /* (nullable) path */
    gchar *sealed;  /* (nullable) path */
    gboolean replaced;
} Old;

typedef struct {
    const gchar *from;
    const gchar *to;
    GPtrArray *old;      /* of Old, by number */
    QueueVerified *lost; /* findings about files: what was in them may have been messages */
    QueueRescued rescued;
    gpointer user_data;
} Rescue;

static void
old_free (gpointer data)
{
    Old *old = data;

    g_free (old->journal);
    g_free (old->sealed);
    g_free (old);
}

/* ---- Writing a journal ---- */

static void
put (Journal *journal, gconstpointer data, gsize length)
{
    if (journal->failed || length == 0 || fwrite (data, 1, length, journal->file) == length)
        return;
    journal->failed = TRUE;
    journal->failed_errno = errno;
}

static void
put_start (Journal *journal, guint32 number)
{
    const QueueJournalHeader header = {.generation = number, .next_id = journal->next_id, .seed = journal->seed};
    guint8 start[QUEUE_JOURNAL_START_BYTES];

    queue_journal_write_start (&header, start);
    put (journal, start, sizeof start);
}

static void
put_record (Journal *journal, QueuePart part, QueueId id, guint32 number, GBytes *payload)
{
    static const guint8 padding[QUEUE_JOURNAL_ALIGN_BYTES] = {0};
    const QueueFrame frame = {.part = part, .number = number, .id = id, .sequence = ++journal->sequence};
    gsize length;
    gconstpointer data = g_bytes_get_data (payload, &length);
    guint8 bytes[QUEUE_JOURNAL_FRAME_BYTES];

    queue_journal_write_frame (&frame, data, length, journal->seed, bytes);
    put (journal, bytes, sizeof bytes);
    put (journal, data, length);
    put (journal, padding, queue_journal_record_bytes (length) - sizeof bytes - length);
    journal->n_records++;
}

static gboolean
begin_journal (Journal *journal, const Rescue *rescue, guint32 number, GError **error)
{
    gint fd;

    *journal = (Journal){.seed = (guint64) g_random_int () << 32 | g_random_int (), .next_id = 1};
    journal->path = queue_generation_path (rescue->to, number, QUEUE_GENERATION_JOURNAL);
    fd = open (journal->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    journal->file = fd < 0 ? NULL : fdopen (fd, "w");
    if (journal->file == NULL) {
        queue_disk_set_error (error, "create", journal->path);
        g_free (journal->path);
        return FALSE;
    }
    put_start (journal, number);

    return TRUE;
}

/* The header is written again, now that all ids are known. */
static gboolean
end_journal (Journal *journal, guint32 number, GError **error)
{
    g_autofree gchar *path = g_steal_pointer (&journal->path);
    gboolean good;

    if (!journal->failed && fseek (journal->file, 0, SEEK_SET) == 0)
        put_start (journal, number);
    good = !journal->failed && fflush (journal->file) == 0 && fsync (fileno (journal->file)) == 0;
    if (!good) {
        errno = journal->failed ? journal->failed_errno : errno;
        queue_disk_set_error (error, "write", path);
    }
    fclose (journal->file);

    return good;
}

/* ---- Reading the old store ---- */

static void
rescue_record (const QueueFrame *frame, const QueuePlace *place, GBytes *payload, gpointer user_data)
{
    put_record (user_data, frame->part, frame->id, frame->number, payload);
}

/* The index says of what lies elsewhere only the heads: they become a record. */
static void
rescue_heads (Journal *journal, GBytes *page)
{
    g_autoptr (GByteArray) heads = g_byte_array_new ();
    g_autoptr (GBytes) payload = NULL;
    QueueSpan span = {0};
    QueueItem item;

    span.data = g_bytes_get_data (page, &span.left);
    while (queue_item_read (&span, &item)) {
        if (item.kind != QUEUE_ITEM_HEAD)
            continue;
        queue_bytes_put_u64 (heads, item.id);
        queue_record_put_head (heads, &item.head);
    }
    payload = g_byte_array_free_to_bytes (g_steal_pointer (&heads));
    if (g_bytes_get_size (payload) > 0)
        put_record (journal, QUEUE_PART_HEADS, 0, 0, payload);
}

static void
rescue_part (QueuePart part, QueueId id, guint32 number, GBytes *payload, gpointer user_data)
{
    switch (part) {
    case QUEUE_PART_CONTENT:
    case QUEUE_PART_MESSAGE:
    case QUEUE_PART_STATE:
    case QUEUE_PART_REMOVAL:
        put_record (user_data, part, id, number, payload);
        break;
    case QUEUE_PART_INDEX:
        rescue_heads (user_data, payload);
        break;
    case QUEUE_PART_META:
    case QUEUE_PART_HEADS:
    case QUEUE_PART_PROBE:
        break;
    }
}

static void
tell (const Rescue *rescue, const gchar *path, guint64 n_records, guint64 lost_bytes, const GError *error)
{
    g_autofree gchar *lost =
        lost_bytes == 0 ? NULL : g_strdup_printf ("%" G_GUINT64_FORMAT " bytes cannot be read", lost_bytes);
    g_autoptr (GString) line = g_string_new (path);

    g_string_append_printf (line, ": %" G_GUINT64_FORMAT " records", n_records);
    if (lost != NULL) {
        g_string_append_printf (line, ", %s", lost);
        queue_verified_add (rescue->lost, 0, path, lost);
    }
    if (error != NULL) {
        g_string_append_printf (line, "; %s", error->message);
        queue_verified_add (rescue->lost, 0, path, error->message);
    }
    rescue->rescued (line->str, rescue->user_data);
}

/* A journal that was being begun when the machine stopped has no records yet; nothing is lost with its header. */
static gboolean
is_unborn (gint fd, const GError *error)
{
    struct stat status;

    return g_error_matches (error, QUEUE_ERROR, QUEUE_ERROR_DAMAGED) && fstat (fd, &status) == 0 &&
           status.st_size <= QUEUE_JOURNAL_START_BYTES;
}

/* What cannot be read is told, and no error: but one of a newer version is. */
static gboolean
read_journal (const Rescue *rescue, const Old *old, Journal *journal, GError **error)
{
    g_autoptr (GError) failed = NULL;
    gint fd = open (old->journal, O_RDONLY | O_CLOEXEC);
    QueueJournalHeader header = {0};
    QueueJournalScan scan = {0};

    if (fd < 0)
        queue_disk_set_error (&failed, "open", old->journal);
    else
        queue_journal_salvage (fd, &header, rescue_record, journal, &scan, &failed);
    if (fd >= 0 && is_unborn (fd, failed))
        g_clear_error (&failed);
    if (fd >= 0)
        close (fd);
    journal->next_id = MAX (journal->next_id, header.next_id);
    if (g_error_matches (failed, QUEUE_ERROR, QUEUE_ERROR_VERSION)) {
        g_propagate_prefixed_error (error, g_steal_pointer (&failed), "%s: ", old->journal);
        return FALSE;
    }
    tell (rescue, old->journal, journal->n_records, scan.lost_bytes + scan.unreadable_bytes, failed);

    return TRUE;
}

static void
read_sealed (const Rescue *rescue, const Old *old, Journal *journal)
{
    g_autoptr (GError) failed = NULL;
    g_autoptr (QueueSalvage) salvage = queue_salvage_new (old->sealed, TRUE, &failed);
    guint64 lost_bytes = 0;

    if (salvage != NULL) {
        lost_bytes = queue_salvage_unreadable_bytes (salvage);
        queue_salvage_each (salvage, rescue_part, journal, &failed);
    }
    tell (rescue, old->sealed, journal->n_records, lost_bytes, failed);
}

static gboolean
rescue_generation (const Rescue *rescue, const Old *old, GError **error)
{
    Journal journal;
    gboolean good = TRUE;

    if (!begin_journal (&journal, rescue, old->number, error))
        return FALSE;
    if (old->sealed != NULL)
        read_sealed (rescue, old, &journal);
    else
        good = read_journal (rescue, old, &journal, error);
    if (good)
        return end_journal (&journal, old->number, error);
    fclose (journal.file);
    g_free (journal.path);

    return FALSE;
}

/* ---- The directories ---- */

static Old *
get_old (Rescue *rescue, guint32 number)
{
    Old *old;

    for (guint i = 0; i < rescue->old->len; i++) {
        old = g_ptr_array_index (rescue->old, i);
        if (old->number == number)
            return old;
    }
    old = g_new0 (Old, 1);
    old->number = number;
    g_ptr_array_add (rescue->old, old);

    return old;
}

static gint
compare_old (gconstpointer a, gconstpointer b)
{
    const Old *left = *(Old *const *) a, *right = *(Old *const *) b;

    return left->number < right->number ? -1 : left->number > right->number;
}

static gboolean
list_old (Rescue *rescue, GError **error)
{
    g_autoptr (GError) failed = NULL;
    g_autoptr (GDir) dir = g_dir_open (rescue->from, 0, &failed);
    const gchar *name;

    if (dir == NULL) {
        g_set_error (error, QUEUE_ERROR, QUEUE_ERROR_IO, "cannot read the queue: %s", failed->message);
        return FALSE;
    }
    while ((name = g_dir_read_name (dir)) != NULL) {
        g_autofree gchar *path = g_build_filename (rescue->from, name, NULL);
        const gchar *kind;
        guint32 number;

        if (!queue_generation_parse_name (name, &number, &kind))
            continue;
        if (strcmp (kind, QUEUE_GENERATION_JOURNAL) == 0)
            get_old (rescue, number)->journal = g_steal_pointer (&path);
        else if (strcmp (kind, QUEUE_GENERATION_SEALED) == 0)
            get_old (rescue, number)->sealed = g_steal_pointer (&path);
    }
    g_ptr_array_sort (rescue->old, compare_old);

    return TRUE;
}

/* A sealed generation that is whole replaces others, as at any start. One that is not replaces nothing: a journal of the same
 * number says more. FALSE with QUEUE_ERROR_VERSION. */
static gboolean
find_replaced (Rescue *rescue, GError **error)
{
    for (guint i = 0; i < rescue->old->len; i++) {
        Old *old = g_ptr_array_index (rescue->old, i);
        g_auto (QueueSealedMeta) meta = {0};
        g_autoptr (GError) failed = NULL;
        g_autoptr (QueueSealed) file = old->sealed == NULL ? NULL : queue_sealed_open (old->sealed, &meta, &failed);

        if (g_error_matches (failed, QUEUE_ERROR, QUEUE_ERROR_VERSION)) {
            g_propagate_error (error, g_steal_pointer (&failed));
            return FALSE;
        }
        if (file == NULL && old->journal != NULL)
            g_clear_pointer (&old->sealed, g_free);
        for (guint j = 0; file != NULL && j < meta.replaced->len; j++)
            get_old (rescue, g_array_index (meta.replaced, guint32, j))->replaced = TRUE;
    }
    g_ptr_array_sort (rescue->old, compare_old);

    return TRUE;
}

static gboolean
make_directory (const gchar *path, GError **error)
{
    g_autoptr (GDir) dir = NULL;

    if (g_mkdir_with_parents (path, 0700) != 0) {
        queue_disk_set_error (error, "make", path);
        return FALSE;
    }
    dir = g_dir_open (path, 0, error);
    if (dir != NULL && g_dir_read_name (dir) != NULL) {
        g_set_error (error, QUEUE_ERROR, QUEUE_ERROR_IO, "%s is not empty: name a directory that does not exist",
                     path);
        return FALSE;
    }

    return dir != NULL;
}

static gboolean
rescue_all (Rescue *rescue, GError **error)
{
    if (!make_directory (rescue->to, error) || !list_old (rescue, error) || !find_replaced (rescue, error))
        return FALSE;
    for (guint i = 0; i < rescue->old->len; i++) {
        const Old *old = g_ptr_array_index (rescue->old, i);

        if (!old->replaced && (old->journal != NULL || old->sealed != NULL) &&
            !rescue_generation (rescue, old, error))
            return FALSE;
    }

    return queue_disk_sync_directory (rescue->to, error);
}

static QueueVerified *
look_at_new (const Rescue *rescue, GError **error)
{
    const QueueRecovery recovery = {.directory = rescue->to, .newest = G_MAXUINT32};
    g_autoptr (QueueCatalog) catalog = queue_catalog_new ();
    QueueVerified *verified;
    QueueRecovered recovered;
    gint cancel = FALSE;

    if (!queue_recover (&recovery, catalog, &recovered, error))
        return NULL;
    verified = queue_verify_catalog (catalog, &cancel, error);
    for (guint i = 0; verified != NULL && i < rescue->lost->findings->len; i++) {
        const QueueFinding *lost = g_ptr_array_index (rescue->lost->findings, i);

        queue_verified_add (verified, 0, lost->file, lost->text);
    }

    return verified;
}

QueueVerified *
queue_rescue (const gchar *from, const gchar *to, QueueRescued rescued, gpointer user_data, GError **error)
{
    g_autoptr (GPtrArray) old = g_ptr_array_new_with_free_func (old_free);
    g_autoptr (QueueVerified) lost = queue_verified_new ();
    Rescue rescue = {.from = from, .to = to, .old = old, .lost = lost, .rescued = rescued, .user_data = user_data};
    gboolean good;
    gint lock_fd;

    if (!queue_lock_for_reading (from, &lock_fd, error))
        return NULL;
    good = rescue_all (&rescue, error);
    if (lock_fd >= 0)
        close (lock_fd);

    return good ? look_at_new (&rescue, error) : NULL;
}
