/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Salvage
 *
 * GDBM finds a value by its header, its directory and a bucket: a block of any of these that a disk loses would cost all
 * that they lead to, up to a whole generation. The values themselves are untouched by that. They begin with a magic
 * number, their length and a checksum that covers their key (value.c), and GDBM puts the key right before them: so all
 * of them are found by one pass over the bytes of the file, and nothing is lost but what lay in the lost block.
 *
 * A damaged chunk of a message is searched like everything else, and may have been made to look like values. All values of
 * a file have the same seed: only the one that most of what was found has counts.
 *
 * What is kept in memory is where each part lies, some 80 bytes. The file is held open and read again for the parts.
 */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "queue/disk.h"
#include "queue/queue.h"
#include "queue/salvage.h"
#include "queue/value.h"
#include "queue/window.h"

/* What is looked through at once. Values are found that begin in it, however long they are. */
#define PASS_BYTES (256 * 1024)

/* Where a value lies: its key stands before @offset, its frame at it. */
typedef struct {
    guint8 key[QUEUE_VALUE_KEY_BYTES];
    guint64 offset;
    guint64 seed;
    guint32 length; /* with its frame */
} Spot;

struct _QueueSalvage {
    gchar *path;
    gint fd;
    GPtrArray *spots;  /* of Spot, in the order of the file */
    GHashTable *index; /* of Spot, by their keys */
    guint64 unreadable_bytes;
};

static guint
key_hash (gconstpointer key)
{
    return (guint) queue_bytes_checksum (key, QUEUE_VALUE_KEY_BYTES, 0);
}

static gboolean
key_equal (gconstpointer a, gconstpointer b)
{
    return memcmp (a, b, QUEUE_VALUE_KEY_BYTES) == 0;
}

static void
add_spot (QueueSalvage *salvage, const guint8 *key, guint64 offset, guint32 length)
{
    Spot *spot = g_new (Spot, 1);

    memcpy (spot->key, key, QUEUE_VALUE_KEY_BYTES);
    spot->offset = offset;
    spot->seed = queue_value_seed (key + QUEUE_VALUE_KEY_BYTES);
    spot->length = length;
    g_ptr_array_add (salvage->spots, spot);
}

/* The seed with the most bytes. */
static guint64
find_seed (const QueueSalvage *salvage)
{
    g_autoptr (GHashTable) bytes_by_seed = g_hash_table_new_full (g_int64_hash, g_int64_equal, NULL, g_free);
    guint64 best = 0, most = 0;

    for (guint i = 0; i < salvage->spots->len; i++) {
        Spot *spot = g_ptr_array_index (salvage->spots, i);
        guint64 *bytes = g_hash_table_lookup (bytes_by_seed, &spot->seed);

        if (bytes == NULL) {
            bytes = g_new0 (guint64, 1);
            g_hash_table_insert (bytes_by_seed, &spot->seed, bytes);
        }
        *bytes += spot->length;
        if (*bytes > most) {
            most = *bytes;
            best = spot->seed;
        }
    }

    return best;
}

static void
keep_own (QueueSalvage *salvage)
{
    guint64 seed = find_seed (salvage);

    for (guint i = salvage->spots->len; i > 0; i--) {
        Spot *spot = g_ptr_array_index (salvage->spots, i - 1);

        if (spot->seed != seed)
            g_ptr_array_remove_index (salvage->spots, i - 1);
        else
            g_hash_table_insert (salvage->index, spot->key, spot);
    }
}

/* Looks whether what seems to be a value at @offset is one. Returns: where to look on; 0 with an error */
static guint64
look_at (QueueSalvage *salvage, QueueWindow *window, guint64 offset, guint32 payload_bytes, GError **error)
{
    gsize length = QUEUE_VALUE_FRAME_BYTES + (gsize) payload_bytes;
    GError *failed = NULL;
    const guint8 *bytes =
        queue_window_at (window, offset - QUEUE_VALUE_KEY_BYTES, QUEUE_VALUE_KEY_BYTES + length, &failed);

    if (failed != NULL) {
        g_propagate_error (error, failed);
        return 0;
    }
    if (bytes == NULL || queue_value_check (bytes, bytes + QUEUE_VALUE_KEY_BYTES, length) != QUEUE_VALUE_FRAME_BYTES)
        return offset + 1;
    add_spot (salvage, bytes, offset, (guint32) length);

    return offset + length;
}

/* Everything from @from on that fits into a pass, with the key before it. Returns: its length; 0 at the end of the file
 * or with an error */
static gsize
pass_at (QueueWindow *window, guint64 from, const guint8 **bytes, GError **error)
{
    GError *failed = NULL;

    *bytes = queue_window_at (window, from, PASS_BYTES, &failed);
    if (*bytes == NULL && failed == NULL)
        *bytes = queue_window_at (window, from, 1, &failed);
    if (failed != NULL)
        g_propagate_error (error, failed);

    return *bytes == NULL ? 0 : MIN (queue_window_left (window, from), PASS_BYTES);
}

static gboolean
search (QueueSalvage *salvage, QueueWindow *window, GError **error)
{
    guint64 at = QUEUE_VALUE_KEY_BYTES;
    GError *failed = NULL;

    for (;;) {
        guint64 from = at - QUEUE_VALUE_KEY_BYTES;
        const guint8 *bytes;
        gsize length = pass_at (window, from, &bytes, &failed);
        guint32 payload_bytes;
        gsize found;

        if (length <= QUEUE_VALUE_KEY_BYTES + QUEUE_VALUE_FRAME_BYTES)
            break;
        found = queue_value_find (bytes, length, QUEUE_VALUE_KEY_BYTES, &payload_bytes);
        if (found > 0)
            at = look_at (salvage, window, from + found, payload_bytes, &failed);
        else
            at = from + length - QUEUE_VALUE_FRAME_BYTES + 1; /* a frame may lie across the end of the pass */
        if (at == 0)
            break;
    }
    if (failed == NULL)
        return TRUE;
    g_propagate_prefixed_error (error, failed, "%s: ", salvage->path);

    return FALSE;
}

QueueSalvage *
queue_salvage_new (const gchar *path, gboolean tolerant, GError **error)
{
    g_autoptr (QueueSalvage) salvage = g_new0 (QueueSalvage, 1);
    g_auto (QueueWindow) window = {.tolerant = tolerant};

    salvage->path = g_strdup (path);
    salvage->spots = g_ptr_array_new_with_free_func (g_free);
    salvage->index = g_hash_table_new (key_hash, key_equal);
    salvage->fd = window.fd = open (path, O_RDONLY | O_CLOEXEC);
    if (salvage->fd < 0) {
        queue_disk_set_error (error, "open", path);
        return NULL;
    }
    if (!search (salvage, &window, error))
        return NULL;
    keep_own (salvage);
    salvage->unreadable_bytes = window.unreadable_bytes;

    return g_steal_pointer (&salvage);
}

static GBytes *
read_spot (const QueueSalvage *salvage, const Spot *spot, GError **error)
{
    g_autofree guint8 *data = g_malloc (spot->length);
    gssize n = queue_window_read (salvage->fd, data, spot->length, spot->offset);
    g_autoptr (GBytes) value = NULL;
    gsize begin;

    if (n < 0) {
        queue_disk_set_error (error, "read", salvage->path);
        return NULL;
    }
    begin = (gsize) n < spot->length ? 0 : queue_value_check (spot->key, data, spot->length);
    if (begin == 0) {
        g_set_error (error, QUEUE_ERROR, QUEUE_ERROR_DAMAGED, "%s is damaged: a value does not match its checksum",
                     salvage->path);
        return NULL;
    }
    value = g_bytes_new_take (g_steal_pointer (&data), spot->length);

    return g_bytes_new_from_bytes (value, begin, spot->length - begin);
}

GBytes *
queue_salvage_read (const QueueSalvage *salvage, QueuePart part, QueueId id, guint32 number, GError **error)
{
    const QueueValueKey key = {.id = id, .number = number, .part = part};
    guint8 bytes[QUEUE_VALUE_KEY_BYTES];
    const Spot *spot;

    queue_value_write_key (&key, bytes);
    spot = g_hash_table_lookup (salvage->index, bytes);
    if (spot == NULL) {
        g_set_error (error, QUEUE_ERROR, QUEUE_ERROR_DAMAGED, "%s is damaged: a part is nowhere in it",
                     salvage->path);
        return NULL;
    }

    return read_spot (salvage, spot, error);
}

gboolean
queue_salvage_each (const QueueSalvage *salvage, QueueSalvaged found, gpointer user_data, GError **error)
{
    for (guint i = 0; i < salvage->spots->len; i++) {
        const Spot *spot = g_ptr_array_index (salvage->spots, i);
        g_autoptr (GError) failed = NULL;
        g_autoptr (GBytes) payload = read_spot (salvage, spot, &failed);
        QueueValueKey key;

        if (g_error_matches (failed, QUEUE_ERROR, QUEUE_ERROR_IO)) {
            g_propagate_error (error, g_steal_pointer (&failed));
            return FALSE;
        }
        queue_value_read_key (spot->key, &key);
        if (payload != NULL)
            found (key.part, key.id, key.number, payload, user_data);
    }

    return TRUE;
}

guint
queue_salvage_parts (const QueueSalvage *salvage)
{
    return salvage->spots->len;
}

guint64
queue_salvage_unreadable_bytes (const QueueSalvage *salvage)
{
    return salvage->unreadable_bytes;
}

void
queue_salvage_free (QueueSalvage *salvage)
{
    if (salvage->fd >= 0)
        close (salvage->fd);
    g_ptr_array_unref (salvage->spots);
    g_hash_table_unref (salvage->index);
    g_free (salvage->path);
    g_free (salvage);
}
