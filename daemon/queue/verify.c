/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Verifying
 *
 * A disk tells of damage when it is read, which for mail that waits may be days after there was still another copy of it.
 * So all that lives in the store can be read on demand: first each generation by itself, the records of a journal and the
 * index of a sealed one; then each message, part by part, as a delivery would. What is wrong is told by message and file,
 * and nothing is changed.
 *
 * It has files of its own, and asks the catalog for some dozens of messages at a time, so that nobody waits for it. A
 * message may be moved by the sealer meanwhile: then its file may be gone, and it is looked up again.
 */

#include <unistd.h>

#include "queue/item.h"
#include "queue/verify.h"

/* Messages looked up with the catalog locked. */
#define LOCKED_MESSAGES 64

/* Beyond this many findings only their number is told. */
#define FINDINGS_MOST 1000

/* Files open at a time: a large queue has more generations than a process may have open files. */
#define SOURCES_MOST 16

/* How often a message is looked up that the sealer moved. */
#define LOOKUPS_MOST 3

/* A generation as this thread reads it. */
typedef struct {
    QueueGeneration *generation; /* counted */
    QueueSealed *file;           /* (nullable) of a sealed one */
    gint fd;                     /* of a journal, else -1 */
} Source;

typedef struct {
    QueuePart part;
    guint32 number;
    QueuePlace place;
} Part;

/* A message as the catalog has it. */
typedef struct {
    QueueId id;
    QueueHead head;
    guint64 size;
    guint32 n_recipients;
    GArray *parts; /* of Part: the record, the states, the chunks */
} Subject;

typedef struct {
    QueueCatalog *catalog;
    gint *cancel;
    QueueVerified *verified;
    GHashTable *sources; /* of Source by number */
    QueueId last;        /* what comes later is not looked at: or it would never end while mail comes fast */
} Verification;

static void
finding_free (gpointer data)
{
    QueueFinding *finding = data;

    g_free (finding->file);
    g_free (finding->text);
    g_free (finding);
}

QueueVerified *
queue_verified_new (void)
{
    QueueVerified *verified = g_new0 (QueueVerified, 1);

    verified->findings = g_ptr_array_new_with_free_func (finding_free);

    return verified;
}

void
queue_verified_free (QueueVerified *verified)
{
    g_ptr_array_unref (verified->findings);
    g_free (verified);
}

void
queue_verified_add (QueueVerified *verified, QueueId id, const gchar *file, const gchar *text)
{
    QueueFinding *finding;

    verified->n_findings++;
    if (verified->findings->len >= FINDINGS_MOST)
        return;
    finding = g_new0 (QueueFinding, 1);
    finding->id = id;
    finding->file = g_strdup (file);
    finding->text = g_strdup (text);
    g_ptr_array_add (verified->findings, finding);
}

static gboolean
is_cancelled (const Verification *verification, GError **error)
{
    if (!g_atomic_int_get (verification->cancel))
        return FALSE;
    g_set_error_literal (error, QUEUE_ERROR, QUEUE_ERROR_GONE, "the queue is being closed");

    return TRUE;
}

/* ---- Generations ---- */

static void
source_free (gpointer data)
{
    Source *source = data;

    g_clear_pointer (&source->file, queue_sealed_free);
    if (source->fd >= 0)
        close (source->fd);
    queue_generation_unref (source->generation);
    g_free (source);
}

static gboolean
open_sealed (Source *source, GError **error)
{
    g_auto (QueueSealedMeta) meta = {0};
    g_autoptr (GError) failed = NULL;

    source->file = queue_sealed_open (source->generation->path, &meta, &failed);
    if (source->file == NULL && g_error_matches (failed, QUEUE_ERROR, QUEUE_ERROR_DAMAGED))
        source->file = queue_sealed_open_damaged (source->generation->path, NULL);
    if (source->file == NULL)
        g_propagate_error (error, g_steal_pointer (&failed));

    return source->file != NULL;
}

/* The generation as it is now; %NULL with an error if its file cannot be opened, or is gone. Good until the next call. */
static Source *
get_source (Verification *verification, guint32 number, GError **error)
{
    Source *source = g_hash_table_lookup (verification->sources, GUINT_TO_POINTER (number));
    QueueGeneration *generation;
    gboolean opened;

    if (source != NULL)
        return source;
    queue_catalog_lock (verification->catalog);
    generation = queue_catalog_generation (verification->catalog, number);
    if (generation != NULL)
        queue_generation_ref (generation);
    queue_catalog_unlock (verification->catalog);
    if (generation == NULL) {
        g_set_error (error, QUEUE_ERROR, QUEUE_ERROR_IO, "there is no generation %u", number);
        return NULL;
    }

    source = g_new0 (Source, 1);
    source->generation = generation;
    source->fd = -1;
    if (queue_generation_is_sealed (generation))
        opened = open_sealed (source, error);
    else
        opened = (source->fd = queue_generation_open_journal (generation, error)) >= 0;
    if (!opened) {
        source_free (source);
        return NULL;
    }
    if (g_hash_table_size (verification->sources) >= SOURCES_MOST)
        g_hash_table_remove_all (verification->sources);
    g_hash_table_insert (verification->sources, GUINT_TO_POINTER (number), source);

    return source;
}

static void
count_record (const QueueFrame *frame, const QueuePlace *place, GBytes *payload, gpointer user_data)
{
    QueueVerified *counted = user_data;

    counted->records++;
    counted->bytes += g_bytes_get_size (payload);
}

static void
check_journal (Verification *verification, const Source *source)
{
    QueueVerified *verified = verification->verified, counted;
    g_autofree gchar *text = NULL;
    QueueJournalScan scan = {0};
    gboolean scanned = TRUE;

    /* One that grows may have been read at its end as it was, and behind that as it became: it looks as if what is between were
     * damaged, once. */
    for (guint i = 0; i < LOOKUPS_MOST && scanned && (i == 0 || scan.lost_bytes > 0); i++) {
        g_autoptr (GError) error = NULL;
        QueueJournalHeader header;

        counted = (QueueVerified){0};
        scanned = queue_journal_scan (source->fd, &header, count_record, &counted, &scan, &error);
        text = scanned ? NULL : g_strdup (error->message);
    }
    verified->journals++;
    verified->records += counted.records;
    verified->bytes += counted.bytes;
    if (text == NULL && scan.lost_bytes > 0)
        text = g_strdup_printf ("%" G_GUINT64_FORMAT " bytes of records cannot be read", scan.lost_bytes);
    if (text != NULL)
        queue_verified_add (verified, 0, source->generation->path, text);
}

static gboolean
check_pages (QueueVerified *verified, QueueSealed *file, QueuePart part, guint32 n, GError **error)
{
    for (guint32 i = 0; i < n; i++) {
        g_autoptr (GBytes) page = queue_sealed_read (file, part, 0, i, error);
        QueueSpan span = {0};
        QueueItem item;

        if (page == NULL)
            return FALSE;
        verified->records++;
        verified->bytes += g_bytes_get_size (page);
        span.data = g_bytes_get_data (page, &span.left);
        while (part == QUEUE_PART_INDEX && queue_item_read (&span, &item))
            ;
        if (span.bad) {
            g_set_error_literal (error, QUEUE_ERROR, QUEUE_ERROR_DAMAGED, "a page of its index makes no sense");
            return FALSE;
        }
    }

    return TRUE;
}

static gboolean
still_there (Verification *verification, guint32 number)
{
    gboolean there;

    queue_catalog_lock (verification->catalog);
    there = queue_catalog_generation (verification->catalog, number) != NULL;
    queue_catalog_unlock (verification->catalog);

    return there;
}

/* The file is opened anew, for its first page is read then; it may have gone away meanwhile, which is no finding. */
static void
check_sealed (Verification *verification, const Source *source)
{
    QueueVerified *verified = verification->verified;
    const gchar *path = source->generation->path;
    g_auto (QueueSealedMeta) meta = {0};
    g_autoptr (GError) error = NULL;
    g_autoptr (QueueSealed) file = queue_sealed_open (path, &meta, &error);

    if (file == NULL && !still_there (verification, source->generation->number))
        return;
    verified->sealed++;
    if (file == NULL || !check_pages (verified, file, QUEUE_PART_REMOVAL, meta.removal_pages, &error) ||
        !check_pages (verified, file, QUEUE_PART_INDEX, meta.index_pages, &error))
        queue_verified_add (verified, 0, path, error->message);
    else if (queue_sealed_is_damaged (file))
        queue_verified_add (verified, 0, path, "its structure is damaged");
}

static GArray *
list_generations (Verification *verification)
{
    GArray *numbers = g_array_new (FALSE, FALSE, sizeof (guint32));
    const GPtrArray *generations;

    queue_catalog_lock (verification->catalog);
    generations = queue_catalog_generations (verification->catalog);
    for (guint i = 0; i < generations->len; i++)
        g_array_append_val (numbers, ((const QueueGeneration *) g_ptr_array_index (generations, i))->number);
    queue_catalog_unlock (verification->catalog);

    return numbers;
}

/* FALSE with an error if it was cancelled. One that went away meanwhile is no finding. */
static gboolean
check_generations (Verification *verification, GError **error)
{
    g_autoptr (GArray) numbers = list_generations (verification);

    for (guint i = 0; i < numbers->len; i++) {
        g_autoptr (GError) failed = NULL;
        Source *source = get_source (verification, g_array_index (numbers, guint32, i), &failed);

        if (is_cancelled (verification, error))
            return FALSE;
        if (source == NULL && still_there (verification, g_array_index (numbers, guint32, i)))
            queue_verified_add (verification->verified, 0, NULL, failed->message);
        else if (source != NULL && source->fd >= 0)
            check_journal (verification, source);
        else if (source != NULL)
            check_sealed (verification, source);
    }

    return TRUE;
}

/* ---- Messages ---- */

static void
subject_clear (gpointer data)
{
    g_array_unref (((Subject *) data)->parts);
}

static void
add_part (Subject *subject, QueuePart part, guint32 number, const QueuePlace *place)
{
    const Part added = {.part = part, .number = number, .place = *place};

    g_array_append_val (subject->parts, added);
}

/* Locked. */
static void
look_up (Subject *subject, QueueEntry *entry)
{
    subject->id = entry->id;
    subject->head = entry->head;
    subject->size = entry->size;
    subject->n_recipients = entry->n_recipients;
    g_array_set_size (subject->parts, 0);
    add_part (subject, QUEUE_PART_MESSAGE, 0, &entry->message);
    for (guint i = 0; i < queue_record_segments (entry->n_recipients); i++) {
        if (queue_entry_state (entry, i)->generation != 0)
            add_part (subject, QUEUE_PART_STATE, i, queue_entry_state (entry, i));
    }
    for (guint i = 0; i < entry->n_chunks; i++)
        add_part (subject, QUEUE_PART_CONTENT, i, queue_entry_chunk (entry, i));
}

/* Returns: whether it is still there */
static gboolean
look_up_again (Verification *verification, Subject *subject)
{
    QueueEntry *entry;

    queue_catalog_lock (verification->catalog);
    entry = queue_index_find (queue_catalog_index (verification->catalog), subject->id);
    if (entry != NULL)
        look_up (subject, entry);
    queue_catalog_unlock (verification->catalog);

    return entry != NULL;
}

static GBytes *
read_part (Verification *verification, QueueId id, const Part *part, GError **error)
{
    Source *source;

    if (part->place.generation == 0) {
        g_set_error_literal (error, QUEUE_ERROR, QUEUE_ERROR_DAMAGED, "a part of it is lost");
        return NULL;
    }
    source = get_source (verification, part->place.generation, error);
    if (source == NULL)
        return NULL;
    if (source->fd < 0)
        return queue_sealed_read (source->file, part->part, id, part->number, error);

    return queue_journal_read (source->fd, source->generation->seed, &part->place, part->part, id, part->number,
                               error);
}

/* Whether the payload is what it should be. @message: as far as it is known by then */
static gboolean
understand (const Subject *subject, const Part *part, GBytes *payload, QueueMessage **message)
{
    QueueHead head;
    QueueSummary summary;

    switch (part->part) {
    case QUEUE_PART_MESSAGE:
        *message = queue_record_read_message (payload, subject->id, &head, &summary);
        return *message != NULL;
    case QUEUE_PART_STATE:
        return *message != NULL && queue_record_apply_state (payload, part->number, *message);
    default:
        return TRUE;
    }
}

/* Returns: what is wrong with the message; %NULL if nothing is. @file: where */
static gchar *
read_message (Verification *verification, const Subject *subject, const Part **at)
{
    g_autoptr (QueueMessage) message = NULL;
    guint64 size = 0;

    for (guint i = 0; i < subject->parts->len; i++) {
        const Part *part = *at = &g_array_index (subject->parts, Part, i);
        g_autoptr (GError) error = NULL;
        g_autoptr (GBytes) payload = read_part (verification, subject->id, part, &error);

        if (payload == NULL)
            return g_strdup (error->message);
        if (!understand (subject, part, payload, &message))
            return g_strdup ("its record makes no sense");
        verification->verified->records++;
        verification->verified->bytes += g_bytes_get_size (payload);
        size += part->part == QUEUE_PART_CONTENT ? g_bytes_get_size (payload) : 0;
    }

    if (!queue_record_fits_head (message, &subject->head))
        return g_strdup ("the state of its recipients is lost");

    return size == subject->size ? NULL : g_strdup ("its content is not as long as it should be");
}

/* Where the part lies, for a person. (nullable) (transfer full) */
static gchar *
part_file (Verification *verification, const Part *part)
{
    const Source *source = g_hash_table_lookup (verification->sources, GUINT_TO_POINTER (part->place.generation));

    return source == NULL ? NULL : g_strdup (source->generation->path);
}

/* A journal's number may be that of a sealed generation by now. */
static void
forget_sources (Verification *verification, const Subject *subject)
{
    for (guint i = 0; i < subject->parts->len; i++) {
        guint32 number = g_array_index (subject->parts, Part, i).place.generation;
        const Source *source = g_hash_table_lookup (verification->sources, GUINT_TO_POINTER (number));

        if (source != NULL && source->fd >= 0)
            g_hash_table_remove (verification->sources, GUINT_TO_POINTER (number));
    }
}

static void
check_message (Verification *verification, Subject *subject)
{
    QueueVerified *verified = verification->verified;
    g_autofree gchar *text = NULL, *file = NULL;
    const Part *part = NULL;

    for (guint i = 0; i < LOOKUPS_MOST; i++) {
        g_free (text);
        text = read_message (verification, subject, &part);
        if (text == NULL)
            break;
        g_free (file);
        file = part_file (verification, part);
        if (!look_up_again (verification, subject))
            return;
        forget_sources (verification, subject);
    }
    verified->messages++;
    if (text == NULL)
        return;
    verified->damaged++;
    queue_verified_add (verified, subject->id, file, text);
}

/* The next messages after *@after. */
static void
look_up_next (Verification *verification, QueueId *after, GArray *subjects)
{
    QueueEntry *entry;

    g_array_set_size (subjects, 0);
    queue_catalog_lock (verification->catalog);
    while (subjects->len < LOCKED_MESSAGES && *after < verification->last &&
           (entry = queue_index_after (queue_catalog_index (verification->catalog), *after)) != NULL) {
        Subject subject = {.parts = g_array_new (FALSE, FALSE, sizeof (Part))};

        look_up (&subject, entry);
        g_array_append_val (subjects, subject);
        *after = entry->id;
    }
    queue_catalog_unlock (verification->catalog);
}

static gboolean
check_messages (Verification *verification, GError **error)
{
    g_autoptr (GArray) subjects = g_array_new (FALSE, FALSE, sizeof (Subject));
    QueueId after = 0;

    g_array_set_clear_func (subjects, subject_clear);
    for (;;) {
        look_up_next (verification, &after, subjects);
        if (subjects->len == 0)
            return TRUE;
        for (guint i = 0; i < subjects->len; i++) {
            if (is_cancelled (verification, error))
                return FALSE;
            check_message (verification, &g_array_index (subjects, Subject, i));
        }
    }
}

QueueVerified *
queue_verify_catalog (QueueCatalog *catalog, gint *cancel, GError **error)
{
    g_autoptr (QueueVerified) verified = queue_verified_new ();
    g_autoptr (GHashTable) sources = g_hash_table_new_full (NULL, NULL, NULL, source_free);
    Verification verification = {.catalog = catalog, .cancel = cancel, .verified = verified, .sources = sources};

    queue_catalog_lock (catalog);
    verification.last = queue_index_last (queue_catalog_index (catalog));
    queue_catalog_unlock (catalog);
    if (!check_generations (&verification, error) || !check_messages (&verification, error))
        return NULL;

    return g_steal_pointer (&verified);
}
