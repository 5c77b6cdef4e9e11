/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * A fuzzer of the journal
 *
 * The input is a list of records, any of them spoiled, and what they are made of; the file around them is made here, since
 * nobody guesses a checksum. The scan finds all records if none is spoiled, and never one that is; salvage finds as many and
 * maybe more. What a start makes of them is read as deliveries read it: a message that can be read is written to the same
 * bytes again, and so is the state of its recipients.
 *
 * An input begins with a digit that says which of the two readers makes the catalog. A record is: a digit for its part; a digit
 * for the id; one for the number; one for what is wrong with it; the length of its payload in two bytes, the
 * lower one first; the payload.
 */

#include "fuzz.h"
#include "queue/replay.h"
#include "queue/snapshot.h"

#include <string.h>
#include <unistd.h>

#define GENERATION 3
#define SEED       0x5eed5eed5eed5eed
#define BASE_ID    (1 << 20)

enum {
    WRONG_PAYLOAD = 1 << 0,
    WRONG_SEQUENCE = 1 << 1,
    WRONG_LENGTH = 1 << 2, /* the file is cut off within the record */
    IS_DURABLE = 1 << 3    /* all before it was on the disk */
};

typedef struct {
    GByteArray *file;
    guint64 sequence;
    guint n_records; /* before the first that is spoiled */
    guint n_spoiled;
    gboolean is_cut;
} Making;

static void
add_record (Making *making, FuzzInput *input)
{
    QueueFrame frame = {.part = fuzz_digit (input)};
    guint8 bytes[QUEUE_JOURNAL_FRAME_BYTES];
    static const guint8 padding[QUEUE_JOURNAL_ALIGN_BYTES];
    gsize start = making->file->len, length, whole;
    guint wrong;

    frame.id = BASE_ID + fuzz_digit (input);
    frame.number = fuzz_digit (input);
    wrong = fuzz_digit (input);
    length = fuzz_byte (input);
    length |= (gsize) fuzz_byte (input) << 8;
    length = MIN (length, input->left);
    frame.sequence = (wrong & WRONG_SEQUENCE) != 0 ? making->sequence : ++making->sequence;
    frame.durable = (wrong & IS_DURABLE) != 0 ? start : 0;

    queue_journal_write_frame (&frame, input->data, length, SEED, bytes);
    g_byte_array_append (making->file, bytes, sizeof bytes);
    if (length > 0)
        g_byte_array_append (making->file, input->data, (guint) length);
    whole = queue_journal_record_bytes (length);
    g_byte_array_append (making->file, padding, (guint) (start + whole - making->file->len));
    if ((wrong & WRONG_PAYLOAD) != 0)
        making->file->data[start + QUEUE_JOURNAL_FRAME_BYTES - 1 + length] ^= 1;
    if ((wrong & WRONG_LENGTH) != 0) {
        g_byte_array_set_size (making->file, (guint) (start + whole / 2));
        making->is_cut = TRUE;
    }

    if ((wrong & (WRONG_PAYLOAD | WRONG_SEQUENCE | WRONG_LENGTH)) != 0)
        making->n_spoiled++;
    else if (making->n_spoiled == 0)
        making->n_records++;
    input->data += length;
    input->left -= length;
}

static GByteArray *
make_file (FuzzInput *input, Making *making)
{
    const QueueJournalHeader header = {.generation = GENERATION, .next_id = BASE_ID, .seed = SEED};
    guint8 start[QUEUE_JOURNAL_START_BYTES];

    making->file = g_byte_array_new ();
    queue_journal_write_start (&header, start);
    g_byte_array_append (making->file, start, sizeof start);
    while (input->left > 0 && !making->is_cut)
        add_record (making, input);

    return making->file;
}

/* ---- The two readers ---- */

typedef struct {
    QueueReplay *replay; /* (nullable) only count them */
    guint64 sequence;
    guint n_records;
} Reading;

static void
on_record (const QueueFrame *frame, const QueuePlace *place, GBytes *payload, gpointer user_data)
{
    Reading *reading = user_data;
    QueueItem item = {.id = frame->id, .number = frame->number, .length = place->length, .offset = place->offset};

    g_assert_cmpuint (frame->sequence, >, reading->sequence);
    g_assert_cmpuint (place->offset % QUEUE_JOURNAL_ALIGN_BYTES, ==, 0);
    g_assert_cmpuint (g_bytes_get_size (payload), ==, place->length);
    reading->sequence = frame->sequence;
    reading->n_records++;
    if (reading->replay != NULL)
        queue_replay_part (reading->replay, frame->part, &item, payload);
}

typedef gboolean (*Reader) (int fd, QueueJournalHeader *header, QueueJournalRecord record, gpointer user_data,
                            QueueJournalScan *scan, GError **error);

static guint
read_journal (Reader reader, int fd, const Making *making, QueueReplay *replay)
{
    Reading reading = {.replay = replay};
    QueueJournalHeader header;
    QueueJournalScan scan;
    g_autoptr (GError) error = NULL;

    g_assert_true (reader (fd, &header, on_record, &reading, &scan, &error));
    g_assert_no_error (error);
    g_assert_cmpuint (header.seed, ==, SEED);
    g_assert_cmpuint (scan.n_records, ==, reading.n_records);
    g_assert_cmpuint (scan.end, <=, making->file->len);
    g_assert_cmpuint (reading.n_records, >=, making->n_records);
    if (making->n_spoiled == 0) {
        g_assert_cmpuint (reading.n_records, ==, making->n_records);
        g_assert_cmpuint (scan.end, ==, making->file->len);
        g_assert_false (scan.torn);
        g_assert_cmpuint (scan.lost_bytes, ==, 0);
    }

    return reading.n_records;
}

/* ---- What a start makes of it ---- */

/* What was read once is written to what is read and written to the same. */
static void
check_message_is_stable (const QueueMessage *message, const QueueHead *head, const QueueSummary *summary)
{
    g_autoptr (GBytes) once = queue_record_message (message, head, summary);
    QueueHead read_head;
    QueueSummary read_summary;
    g_autoptr (QueueMessage) again = queue_record_read_message (once, message->id, &read_head, &read_summary);
    g_autoptr (GBytes) twice = NULL;

    g_assert_nonnull (again);
    twice = queue_record_message (again, &read_head, &read_summary);
    g_assert_true (g_bytes_equal (once, twice));
}

static void
check_state_is_stable (const QueueMessage *message, guint segment, const QueueHead *head)
{
    g_autoptr (GBytes) once = queue_record_state (message, segment, head);
    g_autoptr (QueueMessage) fresh = queue_snapshot_new (message->id, &message->origin, message->envelope);
    g_autoptr (GBytes) twice = NULL;

    g_assert_true (queue_record_apply_state (once, segment, fresh));
    twice = queue_record_state (fresh, segment, head);
    g_assert_true (g_bytes_equal (once, twice));
}

static void
read_state (int fd, QueueEntry *entry, guint segment, QueueMessage *message)
{
    const QueuePlace *place = queue_entry_state (entry, segment);
    g_autoptr (GBytes) payload = NULL;
    g_autoptr (GError) error = NULL;

    if (place->generation == 0)
        return;
    payload = queue_journal_read (fd, SEED, place, QUEUE_PART_STATE, entry->id, segment, &error);
    g_assert_no_error (error);
    if (queue_record_apply_state (payload, segment, message))
        check_state_is_stable (message, segment, &entry->head);
}

/* As deliveries do it. */
static void
read_entry (int fd, QueueEntry *entry)
{
    g_autoptr (GBytes) payload = NULL;
    g_autoptr (QueueMessage) message = NULL;
    g_autoptr (GError) error = NULL;
    QueueHead head;
    QueueSummary summary;

    payload = queue_journal_read (fd, SEED, &entry->message, QUEUE_PART_MESSAGE, entry->id, 0, &error);
    if (payload == NULL)
        return; /* the number of a message's record is 0, but for a made-up one */
    message = queue_record_read_message (payload, entry->id, &head, &summary);
    if (message == NULL)
        return;

    check_message_is_stable (message, &head, &summary);
    for (guint i = 0; i < MIN (queue_record_segments (entry->n_recipients), 3); i++)
        read_state (fd, entry, i, message);
    queue_record_fits_head (message, &entry->head);
}

/* However much a record says that there is: what is read of it fits the file. */
static void
check_room (const QueueEntry *entry, const Making *making)
{
    g_assert_cmpuint (entry->n_chunks, <=, 1 + making->file->len / QUEUE_CHUNK_BYTES);
    g_assert_cmpuint (entry->n_recipients, <, making->file->len);
}

static guint
start (Reader reader, int fd, const Making *making)
{
    g_autoptr (QueueCatalog) catalog = queue_catalog_new ();
    QueueReplay replay;
    QueueEntry *entry = NULL;
    guint n_records;

    queue_catalog_add_generation (catalog, queue_generation_new_journal (GENERATION, "/nowhere", dup (fd), SEED));
    queue_replay_init (&replay, catalog);
    replay.stored_bytes = making->file->len;
    replay.generation = GENERATION;
    n_records = read_journal (reader, fd, making, &replay);
    queue_replay_find_damaged (&replay, TRUE);
    while ((entry = queue_index_after (queue_catalog_index (catalog), entry == NULL ? 0 : entry->id)) != NULL) {
        check_room (entry, making);
        read_entry (fd, entry);
    }
    queue_replay_clear (&replay);
    return n_records;
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    FuzzInput input = {data, size};
    gboolean salvages = (fuzz_digit (&input) & 1) != 0;
    Making making = {NULL};
    g_autoptr (GByteArray) file = make_file (&input, &making);
    int fd = fuzz_file (file->data, file->len, NULL);
    guint scanned, salvaged;

    if (salvages) {
        scanned = read_journal (queue_journal_scan, fd, &making, NULL);
        salvaged = start (queue_journal_salvage, fd, &making);
    } else {
        scanned = start (queue_journal_scan, fd, &making);
        salvaged = read_journal (queue_journal_salvage, fd, &making, NULL);
    }
    g_assert_cmpuint (salvaged, >=, scanned);

    return 0;
}
