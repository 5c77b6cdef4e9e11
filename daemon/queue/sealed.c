/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * A sealed generation
 *
 * GDBM updates its pages in place, and that is what a power cut can tear. So a GDBM file of ours is written under
 * another name by one thread, synced, renamed, and from then on only read: no write can ever hurt what is in it.
 *
 * Its keys and values are described in value.c.
 *
 * The part QUEUE_PART_META, id 0, number 0, is stored last: "PosternG", u32 version 2, u32 generation, u64 next id,
 * u32 index pages, u32 removal pages, u64 stored bytes, u32 n, n u32 generations that this one replaces.
 * Version 1 differs in the form of the values only. What is added to any part, or to the index, raises this version, so
 * that a program that does not know it leaves the whole store alone.
 *
 * What GDBM does not find in a damaged file is searched for without it (salvage.c): the first time costs a pass over the
 * file.
 *
 * How GDBM is used: without its locks (the queue's directory has one), without mmap (a truncated file or a bad disk
 * would be a SIGBUS), with a small bucket cache (it would take a page for each hundred keys otherwise). Some of its
 * internal errors end in a call of a "fatal" function and, if that returns, in exit(1). A damaged file must not end the
 * daemon, so that function jumps back to here and the file is given up. One that was being written is not even closed,
 * as that would write more: its memory is leaked, knowingly.
 */

#include <errno.h>
#include <fcntl.h>
#include <gdbm.h>
#include <setjmp.h>
#include <string.h>
#include <unistd.h>

#include "queue/bytes.h"
#include "queue/queue.h"
#include "queue/salvage.h"
#include "queue/sealed.h"
#include "queue/value.h"

#define META_MAGIC       "PosternG"
#define META_MAGIC_BYTES 8
#define META_VERSION     2

/* Pages of 4 KiB that hold a hundred keys each. While reading, keys come in any order, so that more would help little;
 * while writing, a page that falls out of the cache is written and read again through the kernel's cache. */
#define READ_CACHE_BUCKETS  16
#define WRITE_CACHE_BUCKETS 1024

struct _QueueSealed {
    GDBM_FILE file; /* (nullable): GDBM cannot open it */
    gchar *path;
    guint64 seed;          /* of the values, of a file that is written */
    QueueSalvage *salvage; /* (nullable) once it was needed */
    gboolean writes;

    /* GDBM met something that it cannot go on from, and what that was. */
    gboolean given_up;
    gdbm_error given_up_error;
    gint given_up_errno;
};

/* Where GDBM's fatal function jumps to; it gets no pointer of ours, so this has to be a variable of the thread. */
static __thread sigjmp_buf *escape;

static void
escape_fatal (const char *message)
{
    if (escape != NULL)
        siglongjmp (*escape, 1);
    g_critical ("GDBM gave up: %s", message);
}

/* One use of GDBM, and what came of it. */
typedef struct {
    gint mode;     /* of open */
    gsize buckets; /* of open */
    datum key;
    datum value;
    gint result;
    gdbm_count_t count;
    gdbm_error error; /* of GDBM, and of the system under it */
    gint saved_errno;
} Access;

/* Runs @use so that a fatal error of GDBM only ends the call. Not to be inlined: what its caller has in registers must
 * not depend on how often this returns. */
static G_GNUC_NO_INLINE void
guarded (QueueSealed *sealed, void (*use) (QueueSealed *sealed, Access *access), Access *access)
{
    sigjmp_buf here;

    if (sealed->given_up) {
        access->error = sealed->given_up_error;
        access->saved_errno = sealed->given_up_errno;
        return;
    }
    errno = 0;
    gdbm_errno = GDBM_NO_ERROR;
    escape = &here;
    if (sigsetjmp (here, 0) == 0)
        use (sealed, access);
    else
        sealed->given_up = TRUE;
    escape = NULL;
    access->saved_errno = sealed->given_up_errno = errno;
    access->error = sealed->given_up_error = gdbm_errno;
}

static void
use_open (QueueSealed *sealed, Access *access)
{
    sealed->file =
        gdbm_open (sealed->path, 0, access->mode | GDBM_NOLOCK | GDBM_NOMMAP | GDBM_CLOEXEC, 0600, escape_fatal);
    if (sealed->file != NULL)
        gdbm_setopt (sealed->file, GDBM_SETCACHESIZE, &access->buckets, sizeof access->buckets);
}

static void
use_store (QueueSealed *sealed, Access *access)
{
    access->result = gdbm_store (sealed->file, access->key, access->value, GDBM_REPLACE);
}

static void
use_sync (QueueSealed *sealed, Access *access)
{
    access->result = gdbm_sync (sealed->file);
}

static void
use_count (QueueSealed *sealed, Access *access)
{
    access->result = gdbm_count (sealed->file, &access->count);
}

static void
use_fetch (QueueSealed *sealed, Access *access)
{
    access->value = gdbm_fetch (sealed->file, access->key);
}

static void
use_close (QueueSealed *sealed, Access *access)
{
    gdbm_close (sealed->file);
}

/* Whether what failed was the machine and not the file: later, or with the file opened anew, it may work. After such an
 * error GDBM refuses everything until then (NEED_RECOVERY). A damaged file leads it to places that cannot be (EINVAL), or
 * has it ask for memory that nobody has. */
static gboolean
is_machine_error (const Access *access)
{
    return (gdbm_check_syserr (access->error) && access->saved_errno != EINVAL) ||
           access->error == GDBM_NEED_RECOVERY;
}

static void
set_gdbm_error (QueueSealed *sealed, const Access *access, const gchar *what, GError **error)
{
    gint number = access->saved_errno;
    gboolean full = number == ENOSPC || number == EDQUOT || number == EFBIG;
    const gchar *reason = sealed->given_up ? "its structure is damaged" : gdbm_strerror (access->error);

    if (is_machine_error (access))
        g_set_error (error, QUEUE_ERROR, full ? QUEUE_ERROR_FULL : QUEUE_ERROR_IO, "cannot %s %s: %s: %s", what,
                     sealed->path, gdbm_strerror (access->error), g_strerror (number));
    else
        g_set_error (error, QUEUE_ERROR, QUEUE_ERROR_DAMAGED, "cannot %s %s: %s", what, sealed->path, reason);
}

static QueueSealed *
sealed_open (const gchar *path, gint mode, gsize cache_buckets, GError **error)
{
    g_autoptr (QueueSealed) sealed = g_new0 (QueueSealed, 1);
    Access access = {.mode = mode, .buckets = cache_buckets};

    sealed->path = g_strdup (path);
    sealed->writes = mode != GDBM_READER;
    guarded (sealed, use_open, &access);
    if (sealed->file == NULL || sealed->given_up) {
        set_gdbm_error (sealed, &access, "open", error);
        return NULL;
    }

    return g_steal_pointer (&sealed);
}

QueueSealed *
queue_sealed_create (const gchar *path, GError **error)
{
    QueueSealed *sealed = sealed_open (path, GDBM_NEWDB, WRITE_CACHE_BUCKETS, error);

    if (sealed != NULL)
        sealed->seed = (guint64) g_random_int () << 32 | g_random_int ();

    return sealed;
}

gboolean
queue_sealed_store (QueueSealed *sealed, QueuePart part, QueueId id, guint32 number, GBytes *payload, GError **error)
{
    gsize length;
    const guint8 *data = g_bytes_get_data (payload, &length);
    const QueueValueKey key = {.id = id, .number = number, .part = part};
    guint8 key_bytes[QUEUE_VALUE_KEY_BYTES];
    g_autofree guint8 *value = g_malloc (QUEUE_VALUE_FRAME_BYTES + length);
    Access access = {.key = {.dptr = (char *) key_bytes, .dsize = QUEUE_VALUE_KEY_BYTES},
                     .value = {.dptr = (char *) value, .dsize = (int) (QUEUE_VALUE_FRAME_BYTES + length)},
                     .result = -1};

    queue_value_write_key (&key, key_bytes);
    queue_value_write_frame (key_bytes, data, length, sealed->seed, value);
    if (length > 0)
        memcpy (value + QUEUE_VALUE_FRAME_BYTES, data, length);

    guarded (sealed, use_store, &access);
    if (access.result != 0) {
        set_gdbm_error (sealed, &access, "write", error);
        return FALSE;
    }

    return TRUE;
}

static GBytes *
meta_bytes (const QueueSealedMeta *meta)
{
    GByteArray *bytes = g_byte_array_new ();

    g_byte_array_append (bytes, (const guint8 *) META_MAGIC, META_MAGIC_BYTES);
    queue_bytes_put_u32 (bytes, META_VERSION);
    queue_bytes_put_u32 (bytes, meta->generation);
    queue_bytes_put_u64 (bytes, meta->next_id);
    queue_bytes_put_u32 (bytes, meta->index_pages);
    queue_bytes_put_u32 (bytes, meta->removal_pages);
    queue_bytes_put_u64 (bytes, meta->stored_bytes);
    queue_bytes_put_u32 (bytes, meta->replaced->len);
    for (guint i = 0; i < meta->replaced->len; i++)
        queue_bytes_put_u32 (bytes, g_array_index (meta->replaced, guint32, i));

    return g_byte_array_free_to_bytes (bytes);
}

gboolean
queue_sealed_finish (QueueSealed *sealed, const QueueSealedMeta *meta, GError **error)
{
    g_autoptr (GBytes) payload = meta_bytes (meta);
    Access access = {.result = -1};

    if (!queue_sealed_store (sealed, QUEUE_PART_META, 0, 0, payload, error))
        return FALSE;

    guarded (sealed, use_sync, &access);
    if (access.result != 0) {
        set_gdbm_error (sealed, &access, "sync", error);
        return FALSE;
    }

    /* GDBM looks at no result of its own fsync in some paths; this one is ours. */
    if (fsync (gdbm_fdesc (sealed->file)) != 0) {
        g_set_error (error, QUEUE_ERROR, errno == ENOSPC ? QUEUE_ERROR_FULL : QUEUE_ERROR_IO, "cannot sync %s: %s",
                     sealed->path, g_strerror (errno));
        return FALSE;
    }

    return TRUE;
}

gboolean
queue_sealed_has_parts (QueueSealed *sealed, guint64 n, GError **error)
{
    Access access = {.result = -1};

    guarded (sealed, use_count, &access);
    if (access.result == 0 && access.count == n)
        return TRUE;
    g_set_error (error, QUEUE_ERROR, QUEUE_ERROR_IO, "%s was not written as it should be", sealed->path);

    return FALSE;
}

static gboolean
read_meta (QueueSealed *sealed, QueueSealedMeta *meta, GError **error)
{
    g_autoptr (GBytes) payload = queue_sealed_read (sealed, QUEUE_PART_META, 0, 0, error);
    QueueSpan span = {0};
    guint32 version, n;

    if (payload == NULL)
        return FALSE;
    span.data = g_bytes_get_data (payload, &span.left);
    if (span.left < META_MAGIC_BYTES || memcmp (span.data, META_MAGIC, META_MAGIC_BYTES) != 0) {
        g_set_error (error, QUEUE_ERROR, QUEUE_ERROR_DAMAGED, "%s is no generation of a queue", sealed->path);
        return FALSE;
    }
    span.data += META_MAGIC_BYTES;
    span.left -= META_MAGIC_BYTES;
    version = queue_span_u32 (&span);
    if (version > META_VERSION) {
        g_set_error (error, QUEUE_ERROR, QUEUE_ERROR_VERSION,
                     "a newer version of Postern wrote %s (format %u, this version reads up to %u)", sealed->path,
                     version, META_VERSION);
        return FALSE;
    }
    meta->generation = queue_span_u32 (&span);
    meta->next_id = queue_span_u64 (&span);
    meta->index_pages = queue_span_u32 (&span);
    meta->removal_pages = queue_span_u32 (&span);
    meta->stored_bytes = queue_span_u64 (&span);
    n = queue_span_u32 (&span);
    meta->replaced = g_array_new (FALSE, FALSE, sizeof (guint32));
    for (guint32 i = 0; i < n && !span.bad; i++) {
        guint32 generation = queue_span_u32 (&span);

        g_array_append_val (meta->replaced, generation);
    }

    return !span.bad;
}

QueueSealed *
queue_sealed_open (const gchar *path, QueueSealedMeta *meta, GError **error)
{
    g_autoptr (QueueSealed) sealed = sealed_open (path, GDBM_READER, READ_CACHE_BUCKETS, error);

    *meta = (QueueSealedMeta){0};
    if (sealed == NULL)
        return NULL;
    if (!read_meta (sealed, meta, error)) {
        queue_sealed_meta_clear (meta);
        return NULL;
    }

    return g_steal_pointer (&sealed);
}

/* Returns: FALSE with QUEUE_ERROR_IO */
static gboolean
search (QueueSealed *sealed, GError **error)
{
    if (sealed->salvage != NULL)
        return TRUE;
    g_log_structured (G_LOG_DOMAIN, G_LOG_LEVEL_WARNING, "MESSAGE",
                      "%s is damaged: what is left in it is searched for", sealed->path);
    sealed->salvage = queue_salvage_new (sealed->path, FALSE, error);

    return sealed->salvage != NULL;
}

QueueSealed *
queue_sealed_open_damaged (const gchar *path, GError **error)
{
    g_autoptr (QueueSealed) sealed = g_new0 (QueueSealed, 1);

    sealed->path = g_strdup (path);
    if (!search (sealed, error))
        return NULL;
    if (queue_salvage_parts (sealed->salvage) == 0) {
        g_set_error (error, QUEUE_ERROR, QUEUE_ERROR_DAMAGED, "%s has no part of any message in it", path);
        return NULL;
    }

    return g_steal_pointer (&sealed);
}

/* Takes what is not the payload off a value that GDBM gave. Returns: the payload, NULL if it does not check. */
static GBytes *
check_value (const guint8 key[QUEUE_VALUE_KEY_BYTES], datum value)
{
    g_autoptr (GBytes) whole = g_bytes_new_with_free_func (value.dptr, (gsize) value.dsize, free, value.dptr);
    gsize begin = queue_value_check (key, (const guint8 *) value.dptr, (gsize) value.dsize);

    return begin == 0 ? NULL : g_bytes_new_from_bytes (whole, begin, (gsize) value.dsize - begin);
}

static GBytes *
fetch (QueueSealed *sealed, const QueueValueKey *key, GError **error)
{
    guint8 bytes[QUEUE_VALUE_KEY_BYTES];
    Access access = {.key = {.dptr = (char *) bytes, .dsize = QUEUE_VALUE_KEY_BYTES}};
    GBytes *payload;

    queue_value_write_key (key, bytes);
    guarded (sealed, use_fetch, &access);
    if (access.value.dptr == NULL) {
        set_gdbm_error (sealed, &access, "read", error);
        return NULL;
    }
    payload = check_value (bytes, access.value);
    if (payload == NULL)
        g_set_error (error, QUEUE_ERROR, QUEUE_ERROR_DAMAGED, "%s is damaged: a value does not match its checksum",
                     sealed->path);

    return payload;
}

GBytes *
queue_sealed_read (QueueSealed *sealed, QueuePart part, QueueId id, guint32 number, GError **error)
{
    const QueueValueKey key = {.id = id, .number = number, .part = part};
    g_autoptr (GError) failed = NULL;
    GBytes *payload = NULL;

    /* What was found damaged once, GDBM is asked for only if there is nobody else: for values of version 1. */
    if (sealed->salvage != NULL)
        payload = queue_salvage_read (sealed->salvage, part, id, number, NULL);
    if (payload == NULL && sealed->file != NULL)
        payload = fetch (sealed, &key, &failed);
    if (payload != NULL)
        return payload;
    if (failed != NULL && !g_error_matches (failed, QUEUE_ERROR, QUEUE_ERROR_DAMAGED)) {
        g_propagate_error (error, g_steal_pointer (&failed));
        return NULL;
    }

    return search (sealed, error) ? queue_salvage_read (sealed->salvage, part, id, number, error) : NULL;
}

gboolean
queue_sealed_is_damaged (const QueueSealed *sealed)
{
    return sealed->salvage != NULL;
}

gboolean
queue_sealed_salvage (QueueSealed *sealed, QueueSalvaged found, gpointer user_data, GError **error)
{
    return search (sealed, error) && queue_salvage_each (sealed->salvage, found, user_data, error);
}

void
queue_sealed_renamed (QueueSealed *sealed, const gchar *path)
{
    g_free (sealed->path);
    sealed->path = g_strdup (path);
}

void
queue_sealed_free (QueueSealed *sealed)
{
    Access access = {0};
    gboolean abandon = sealed->given_up && sealed->writes;

    sealed->given_up = FALSE;
    if (sealed->file != NULL && abandon)
        close (gdbm_fdesc (sealed->file));
    else if (sealed->file != NULL)
        guarded (sealed, use_close, &access);
    g_clear_pointer (&sealed->salvage, queue_salvage_free);
    g_free (sealed->path);
    g_free (sealed);
}

void
queue_sealed_meta_clear (QueueSealedMeta *meta)
{
    g_clear_pointer (&meta->replaced, g_array_unref);
}
