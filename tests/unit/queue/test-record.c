/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The forms on the disk: what is written is what is read, to the last field; what was cut off or changed is refused
 * without reading past its end; and the bytes of version 1 stay what they are.
 */

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "queue/bytes.h"
#include "queue/item.h"
#include "queue/journal.h"
#include "queue/queue.h"
#include "queue/sealed.h"
#include "queue/value.h"
#include "queue/snapshot.h"

static QueueMessage *
full_message (guint n_recipients)
{
    g_autoptr (MessageEnvelope) envelope = message_envelope_new ("sender@example.net");
    const QueueOrigin origin = {.uid = 1000,
                                .peer = (gchar *) "192.0.2.1",
                                .helo = (gchar *) "client.example",
                                .protocol = (gchar *) "ESMTP"};
    QueueMessage *message;

    envelope->envid = g_strdup ("id 1");
    envelope->ret = MESSAGE_RETURN_HEADERS;
    envelope->body = MESSAGE_BODY_8BITMIME;
    envelope->smtputf8 = TRUE;
    for (guint i = 0; i < n_recipients; i++) {
        g_autofree gchar *address = g_strdup_printf ("r%u@example.org", i);
        MessageRecipient *recipient = message_envelope_add (envelope, address);

        recipient->notify = MESSAGE_NOTIFY_DELAY | MESSAGE_NOTIFY_FAILURE;
        if (i % 2 == 0)
            recipient->orcpt = g_strdup_printf ("rfc822;R%u@example.org", i);
    }
    message = queue_snapshot_new (7, &origin, envelope);
    message->size = 100000;
    message->arrival_usec = 1700000000000000;

    return message;
}

static const QueueHead head = {.flags = QUEUE_HEAD_DEFERRED,
                               .pending = 3,
                               .next_usec = 1700000000000001,
                               .recipients = 0x123456789abcdef0,
                               .remote = 0xdeadbeef,
                               .attempts = 4};

static QueueSummary
summary_of (const QueueMessage *message)
{
    return (QueueSummary){.arrival_usec = message->arrival_usec,
                          .size = message->size,
                          .uid = message->origin.uid,
                          .sender = 5,
                          .n_recipients = message->recipients->len,
                          .n_chunks = 2};
}

static void
a_message_comes_back_whole (void)
{
    g_autoptr (QueueMessage) message = full_message (3);
    const QueueSummary summary = summary_of (message);
    g_autoptr (GBytes) payload = queue_record_message (message, &head, &summary);
    QueueHead read_head;
    QueueSummary read_summary;
    g_autoptr (QueueMessage) read = queue_record_read_message (payload, 7, &read_head, &read_summary);

    g_assert_nonnull (read);
    g_assert_cmpmem (&read_head, sizeof read_head, &head, sizeof head);
    g_assert_cmpint (read_summary.arrival_usec, ==, summary.arrival_usec);
    g_assert_cmpuint (read_summary.n_chunks, ==, 2);
    g_assert_cmpuint (read->id, ==, 7);
    g_assert_cmpuint (read->size, ==, message->size);
    g_assert_cmpint (read->arrival_usec, ==, message->arrival_usec);
    g_assert_cmpint (read->origin.uid, ==, 1000);
    g_assert_cmpstr (read->origin.peer, ==, "192.0.2.1");
    g_assert_cmpstr (read->origin.helo, ==, "client.example");
    g_assert_cmpstr (read->origin.protocol, ==, "ESMTP");
    g_assert_cmpstr (read->envelope->sender, ==, "sender@example.net");
    g_assert_cmpstr (read->envelope->envid, ==, "id 1");
    g_assert_cmpint (read->envelope->ret, ==, MESSAGE_RETURN_HEADERS);
    g_assert_cmpint (read->envelope->body, ==, MESSAGE_BODY_8BITMIME);
    g_assert_true (read->envelope->smtputf8);
    g_assert_cmpuint (read->recipients->len, ==, 3);
    g_assert_cmpstr (message_envelope_recipient (read->envelope, 2)->address, ==, "r2@example.org");
    g_assert_cmpstr (message_envelope_recipient (read->envelope, 2)->orcpt, ==, "rfc822;R2@example.org");
    g_assert_null (message_envelope_recipient (read->envelope, 1)->orcpt);
    g_assert_cmpint (message_envelope_recipient (read->envelope, 1)->notify, ==,
                     MESSAGE_NOTIFY_DELAY | MESSAGE_NOTIFY_FAILURE);
}

/* The version says whether the flag of the content is there, and is the lowest that can say it. */
static void
long_lines_come_back_where_there_are_any (void)
{
    for (guint long_lines = 0; long_lines < 2; long_lines++) {
        g_autoptr (QueueMessage) message = full_message (2);
        const QueueSummary summary = summary_of (message);
        g_autoptr (GBytes) payload = NULL;
        g_autoptr (QueueMessage) read = NULL;
        QueueHead read_head;
        QueueSummary read_summary;

        message->envelope->long_lines = long_lines == 1;
        payload = queue_record_message (message, &head, &summary);
        g_assert_cmpint (*(const guint8 *) g_bytes_get_data (payload, NULL), ==, 1 + long_lines);
        g_assert_true (queue_record_message_front (payload, &read_head, &read_summary));
        read = queue_record_read_message (payload, 7, &read_head, &read_summary);
        g_assert_cmpint (read->envelope->long_lines, ==, long_lines == 1);
        g_assert_cmpstr (message_envelope_recipient (read->envelope, 1)->address, ==, "r1@example.org");
    }
}

static void
whose_word_a_reply_is_comes_back (void)
{
    for (guint ours = 0; ours < 2; ours++) {
        g_autoptr (QueueMessage) message = full_message (3);
        g_autoptr (QueueMessage) read = full_message (3);
        g_autoptr (GBytes) payload = NULL;
        QueueRecipient *recipient = queue_snapshot_change (message, 1);

        recipient->reply = g_strdup ("no connection");
        recipient->is_ours = ours == 1;
        payload = queue_record_state (message, 0, &head);
        g_assert_cmpint (*(const guint8 *) g_bytes_get_data (payload, NULL), ==, ours == 1 ? 3 : 1);
        g_assert_true (queue_record_apply_state (payload, 0, read));
        g_assert_cmpint (queue_message_recipient (read, 1)->is_ours, ==, ours == 1);
        g_assert_false (queue_message_recipient (read, 0)->is_ours);
        g_assert_cmpstr (queue_message_recipient (read, 1)->reply, ==, "no connection");
        g_assert_null (read->verdict);
    }
}

/* All recipients but some in the middle have a state. */
static void
settle_some (QueueMessage *message)
{
    for (guint i = 0; i < message->recipients->len; i++) {
        QueueRecipient *recipient;

        if (i % 5 == 4)
            continue;
        recipient = queue_snapshot_change (message, i);
        recipient->state = i % 4;
        recipient->attempts = i;
        recipient->last_usec = 1700000000000000 + i;
        recipient->delay_notified = i % 2;
        recipient->remote = i % 3 == 0 ? NULL : g_strdup ("mx.example.org:25");
        recipient->status = g_strdup ("4.2.1");
        recipient->reply = g_strdup_printf ("450 reply %u", i / 10);
    }
    for (gint64 i = 0; i < 5; i++)
        queue_snapshot_note (message, 1700000000000000 + i, "deferred");
}

static void
states_come_back_segment_by_segment (void)
{
    g_autoptr (QueueMessage) message = full_message (3 * QUEUE_SEGMENT_RECIPIENTS - 5);
    g_autoptr (QueueMessage) read = full_message (3 * QUEUE_SEGMENT_RECIPIENTS - 5);

    settle_some (message);
    g_assert_cmpuint (queue_record_segments (message->recipients->len), ==, 3);
    for (guint i = 3; i > 0; i--) {
        g_autoptr (GBytes) payload = queue_record_state (message, i - 1, &head);
        QueueHead read_head;

        g_assert_true (queue_record_state_head (payload, &read_head));
        g_assert_cmpmem (&read_head, sizeof read_head, &head, sizeof head);
        g_assert_true (queue_record_apply_state (payload, i - 1, read));
    }
    g_assert_cmpuint (read->history->len, ==, 5);
    for (guint i = 0; i < message->recipients->len; i++) {
        const QueueRecipient *a = queue_message_recipient (message, i), *b = queue_message_recipient (read, i);

        g_assert_cmpint (a->state, ==, b->state);
        g_assert_cmpuint (a->attempts, ==, b->attempts);
        g_assert_cmpint (a->last_usec, ==, b->last_usec);
        g_assert_cmpint (a->delay_notified, ==, b->delay_notified);
        g_assert_cmpstr (a->remote, ==, b->remote);
        g_assert_cmpstr (a->status, ==, b->status);
        g_assert_cmpstr (a->reply, ==, b->reply);
    }
}

static void
equal_replies_are_written_once (void)
{
    g_autoptr (QueueMessage) message = full_message (100);
    g_autoptr (GBytes) payload = NULL;

    for (guint i = 0; i < 100; i++)
        queue_snapshot_change (message, i)->reply = g_strnfill (400, 'x');
    payload = queue_record_state (message, 0, &head);
    g_assert_cmpuint (g_bytes_get_size (payload), <, 400 + 100 * 20 + 100);
}

/* The same bytes, but in a block of their own: reading one too many is seen by the sanitizer. */
static GBytes *
cut (GBytes *payload, gsize length)
{
    return g_bytes_new (g_bytes_get_data (payload, NULL), length);
}

static void
what_was_cut_off_is_refused (void)
{
    g_autoptr (QueueMessage) message = full_message (3);
    g_autoptr (GBytes) record = NULL, state = NULL;
    const QueueSummary summary = summary_of (message);

    settle_some (message);
    record = queue_record_message (message, &head, &summary);
    state = queue_record_state (message, 0, &head);
    for (gsize length = 0; length < g_bytes_get_size (record); length++) {
        g_autoptr (GBytes) payload = cut (record, length);
        QueueHead read_head;
        QueueSummary read_summary;

        g_assert_null (queue_record_read_message (payload, 7, &read_head, &read_summary));
    }
    for (gsize length = 0; length < g_bytes_get_size (state); length++) {
        g_autoptr (GBytes) payload = cut (state, length);
        g_autoptr (QueueMessage) read = full_message (3);

        g_assert_false (queue_record_apply_state (payload, 0, read));
    }
}

/* Checksums keep such bytes away from here; a wrong writer's would come through. Nothing is promised of them but that
 * they do no harm. */
static void
changed_bytes_do_no_harm (void)
{
    g_autoptr (QueueMessage) message = full_message (3);
    g_autoptr (GBytes) record = NULL, state = NULL;
    const QueueSummary summary = summary_of (message);

    settle_some (message);
    record = queue_record_message (message, &head, &summary);
    state = queue_record_state (message, 0, &head);
    for (gsize at = 0; at < g_bytes_get_size (record); at++) {
        for (guint value = 0; value < 256; value += 17) {
            g_autoptr (GByteArray) bytes = g_bytes_unref_to_array (g_bytes_ref (record));
            g_autoptr (GBytes) payload = NULL;
            QueueHead read_head;
            QueueSummary read_summary;
            QueueMessage *read;

            bytes->data[at] = (guint8) value;
            payload = g_bytes_new (bytes->data, bytes->len);
            read = queue_record_read_message (payload, 7, &read_head, &read_summary);
            g_clear_pointer (&read, queue_message_unref);
        }
    }
    for (gsize at = 0; at < g_bytes_get_size (state); at++) {
        for (guint value = 0; value < 256; value += 17) {
            g_autoptr (GByteArray) bytes = g_bytes_unref_to_array (g_bytes_ref (state));
            g_autoptr (GBytes) payload = NULL;
            g_autoptr (QueueMessage) read = full_message (3);

            bytes->data[at] = (guint8) value;
            payload = g_bytes_new (bytes->data, bytes->len);
            queue_record_apply_state (payload, 0, read);
        }
    }
}

/* Checksums of the forms of version 1. */
#define FORM_RECORD 0xad9404d6f0d8be1f
#define FORM_STATE  0x5a4203cc8274e0ea
#define FORM_START  0x260e053ff43dd64c
#define FORM_FRAME  0x5e1961b63931cd31
#define FORM_ITEMS  0x40ddbee9c2126e4c
#define FORM_BITS   0x2000000000000020

/* If this fails, the forms changed: raise a version and go on reading the old. */
static void
the_forms_are_those_of_version_1 (void)
{
    g_autoptr (QueueMessage) message = full_message (3);
    const QueueSummary summary = summary_of (message);
    g_autoptr (GBytes) record = NULL, state = NULL;
    guint8 start[QUEUE_JOURNAL_START_BYTES], frame_bytes[QUEUE_JOURNAL_FRAME_BYTES];
    const QueueJournalHeader header = {.generation = 3, .next_id = 9, .seed = 0x1122334455667788};
    const QueueFrame frame = {.part = QUEUE_PART_MESSAGE, .number = 1, .id = 2, .sequence = 3, .durable = 4};
    g_autoptr (GByteArray) items = g_byte_array_new ();
    QueueItem item = {.id = 7, .number = 1, .count = 2, .length = 3, .summary = summary, .head = head};

    settle_some (message);
    record = queue_record_message (message, &head, &summary);
    state = queue_record_state (message, 0, &head);
    queue_journal_write_start (&header, start);
    queue_journal_write_frame (&frame, "payload", 7, header.seed, frame_bytes);
    for (item.kind = QUEUE_ITEM_MESSAGE; item.kind <= QUEUE_ITEM_CONTENT; item.kind++)
        queue_item_put (items, &item);

    g_assert_cmphex (queue_bytes_checksum (g_bytes_get_data (record, NULL), g_bytes_get_size (record), 0), ==,
                     FORM_RECORD);
    g_assert_cmphex (queue_bytes_checksum (g_bytes_get_data (state, NULL), g_bytes_get_size (state), 0), ==,
                     FORM_STATE);
    g_assert_cmphex (queue_bytes_checksum (start, sizeof start, 0), ==, FORM_START);
    g_assert_cmphex (queue_bytes_checksum (frame_bytes, sizeof frame_bytes, 0), ==, FORM_FRAME);
    g_assert_cmphex (queue_bytes_checksum (items->data, items->len, 0), ==, FORM_ITEMS);
    g_assert_cmphex (queue_record_bits ("example.org"), ==, FORM_BITS);
}

static void
items_come_back (void)
{
    g_autoptr (QueueMessage) message = full_message (3);
    g_autoptr (GByteArray) bytes = g_byte_array_new ();
    QueueItem item = {.id = 7, .number = 1, .count = 2, .length = 3, .summary = summary_of (message), .head = head};
    QueueSpan span;
    QueueItem read;

    for (item.kind = QUEUE_ITEM_MESSAGE; item.kind <= QUEUE_ITEM_CONTENT; item.kind++)
        queue_item_put (bytes, &item);
    span = (QueueSpan){.data = bytes->data, .left = bytes->len};
    g_assert_true (queue_item_read (&span, &read));
    g_assert_cmpint (read.kind, ==, QUEUE_ITEM_MESSAGE);
    g_assert_cmpuint (read.length, ==, 3);
    g_assert_cmpuint (read.summary.size, ==, message->size);
    g_assert_true (queue_item_read (&span, &read));
    g_assert_cmpint (read.kind, ==, QUEUE_ITEM_HEAD);
    g_assert_cmpint (read.head.next_usec, ==, head.next_usec);
    g_assert_true (queue_item_read (&span, &read));
    g_assert_cmpint (read.kind, ==, QUEUE_ITEM_STATE);
    g_assert_cmpuint (read.number, ==, 1);
    g_assert_true (queue_item_read (&span, &read));
    g_assert_cmpint (read.kind, ==, QUEUE_ITEM_CONTENT);
    g_assert_cmpuint (read.count, ==, 2);
    g_assert_false (queue_item_read (&span, &read));
    g_assert_false (span.bad);

    for (guint length = 1; length < 20; length++) {
        span = (QueueSpan){.data = bytes->data, .left = length};
        g_assert_false (queue_item_read (&span, &read));
        g_assert_true (span.bad);
    }
}

/* ---- Journals ---- */

typedef struct {
    gchar *path;
    gint fd;
    guint64 end;
    guint64 sequence;
} Journal;

static const QueueJournalHeader journal_header = {.generation = 3, .next_id = 9, .seed = 0x1122334455667788};

static void
journal_begin (Journal *journal, const QueueJournalHeader *header)
{
    guint8 start[QUEUE_JOURNAL_START_BYTES];

    journal->fd = g_file_open_tmp ("journal-XXXXXX", &journal->path, NULL);
    queue_journal_write_start (header, start);
    g_assert_cmpint (pwrite (journal->fd, start, sizeof start, 0), ==, sizeof start);
    journal->end = sizeof start;
}

static void
journal_add (Journal *journal, QueueId id, const gchar *payload, guint64 durable)
{
    const QueueFrame frame = {
        .part = QUEUE_PART_CONTENT, .id = id, .sequence = ++journal->sequence, .durable = durable};
    guint8 bytes[QUEUE_JOURNAL_FRAME_BYTES];
    gsize length = strlen (payload);

    queue_journal_write_frame (&frame, payload, length, journal_header.seed, bytes);
    g_assert_cmpint (pwrite (journal->fd, bytes, sizeof bytes, (off_t) journal->end), ==, sizeof bytes);
    g_assert_cmpint (pwrite (journal->fd, payload, length, (off_t) (journal->end + sizeof bytes)), ==, length);
    journal->end += queue_journal_record_bytes (length);
}

static void
journal_end (Journal *journal)
{
    close (journal->fd);
    g_unlink (journal->path);
    g_free (journal->path);
}

static void
hear_record (const QueueFrame *frame, const QueuePlace *place, GBytes *payload, gpointer user_data)
{
    g_string_append_printf (user_data, "%" G_GUINT64_FORMAT " ", frame->id);
}

static QueueJournalScan
scan (Journal *journal, const gchar *expected)
{
    g_autoptr (GString) heard = g_string_new (NULL);
    g_autoptr (GError) error = NULL;
    QueueJournalHeader header;
    QueueJournalScan result;

    g_assert_true (queue_journal_scan (journal->fd, &header, hear_record, heard, &result, &error));
    g_assert_no_error (error);
    g_assert_cmpuint (header.generation, ==, 3);
    g_assert_cmpuint (header.next_id, ==, 9);
    g_assert_cmpstr (heard->str, ==, expected);

    return result;
}

static void
flip (Journal *journal, guint64 offset)
{
    guint8 byte;

    g_assert_cmpint (pread (journal->fd, &byte, 1, (off_t) offset), ==, 1);
    byte ^= 0x10;
    g_assert_cmpint (pwrite (journal->fd, &byte, 1, (off_t) offset), ==, 1);
}

static void
a_journal_reads_as_it_was_written (void)
{
    Journal journal = {0};
    QueueJournalScan result;
    const QueuePlace place = {.offset = QUEUE_JOURNAL_START_BYTES, .length = 5, .generation = 3};
    const QueuePlace beyond = {.offset = 1000000, .length = 5, .generation = 3};
    g_autoptr (GBytes) payload = NULL;
    g_autoptr (GError) error = NULL;

    journal_begin (&journal, &journal_header);
    journal_add (&journal, 1, "first", 0);
    journal_add (&journal, 2, "", 0);
    journal_add (&journal, 3, "the third one", 0);
    result = scan (&journal, "1 2 3 ");
    g_assert_cmpuint (result.end, ==, journal.end);
    g_assert_false (result.torn);

    payload = queue_journal_read (journal.fd, journal_header.seed, &place, QUEUE_PART_CONTENT, 1, 0, &error);
    g_assert_no_error (error);
    g_assert_cmpmem (g_bytes_get_data (payload, NULL), (gint) g_bytes_get_size (payload), "first", 5);
    g_assert_null (queue_journal_read (journal.fd, journal_header.seed, &place, QUEUE_PART_CONTENT, 2, 0, &error));
    g_assert_error (error, QUEUE_ERROR, QUEUE_ERROR_DAMAGED);
    g_clear_error (&error);
    g_assert_null (queue_journal_read (journal.fd, journal_header.seed, &beyond, QUEUE_PART_CONTENT, 1, 0, &error));
    g_assert_error (error, QUEUE_ERROR, QUEUE_ERROR_DAMAGED);
    g_clear_error (&error);
    g_assert_null (queue_journal_read (-1, journal_header.seed, &place, QUEUE_PART_CONTENT, 1, 0, &error));
    g_assert_error (error, QUEUE_ERROR, QUEUE_ERROR_IO);
    journal_end (&journal);
}

static void
a_torn_end_is_cut_off_with_all_behind_it (void)
{
    Journal journal = {0};
    QueueJournalScan result;
    guint64 second;

    journal_begin (&journal, &journal_header);
    journal_add (&journal, 1, "first", 0);
    second = journal.end;
    journal_add (&journal, 2, "second", second);
    journal_add (&journal, 3, "third", second);
    flip (&journal, second + QUEUE_JOURNAL_FRAME_BYTES);
    result = scan (&journal, "1 ");
    g_assert_cmpuint (result.end, ==, second);
    g_assert_true (result.torn);
    g_assert_cmpuint (result.lost_bytes, ==, 0);
    journal_end (&journal);
}

static void
damage_in_what_was_synced_costs_only_itself (void)
{
    Journal journal = {0};
    QueueJournalScan result;
    guint64 second, third;

    journal_begin (&journal, &journal_header);
    journal_add (&journal, 1, "first", 0);
    second = journal.end;
    journal_add (&journal, 2, "second", second);
    third = journal.end;
    journal_add (&journal, 3, "third", second);
    journal_add (&journal, 4, "fourth", journal.end);
    flip (&journal, second + 10);
    result = scan (&journal, "1 3 4 ");
    g_assert_cmpuint (result.end, ==, journal.end);
    g_assert_cmpuint (result.lost_bytes, ==, third - second);
    g_assert_false (result.torn);
    journal_end (&journal);
}

static void
an_earlier_batch_that_failed_does_not_come_back (void)
{
    Journal journal = {0};
    QueueJournalScan result;
    guint64 first;

    /* A batch of two could not be written whole; the next one is as long as its first record. */
    journal_begin (&journal, &journal_header);
    first = journal.end;
    journal_add (&journal, 1, "lost one", 0);
    journal_add (&journal, 2, "lost too", 0);
    journal.end = first;
    journal_add (&journal, 3, "the next", 0);
    result = scan (&journal, "3 ");
    g_assert_true (result.torn);
    journal_end (&journal);
}

static void
records_of_an_earlier_file_do_not_pass (void)
{
    Journal journal = {0};
    QueueJournalHeader other = journal_header;

    other.seed++;
    journal_begin (&journal, &other);
    journal_add (&journal, 1, "written with another seed", 0);
    scan (&journal, "");
    journal_end (&journal);
}

static void
zeroes_in_advance_are_no_damage (void)
{
    Journal journal = {0};
    QueueJournalScan result;

    journal_begin (&journal, &journal_header);
    journal_add (&journal, 1, "first", 0);
    g_assert_cmpint (ftruncate (journal.fd, 3 * 1024 * 1024), ==, 0);
    result = scan (&journal, "1 ");
    g_assert_false (result.torn);
    journal_end (&journal);
}

static void
either_header_is_enough (void)
{
    const guint64 blocks[] = {0, QUEUE_JOURNAL_BLOCK_BYTES};

    for (guint i = 0; i < G_N_ELEMENTS (blocks); i++) {
        Journal journal = {0};
        g_autofree guint8 *zeroes = g_malloc0 (QUEUE_JOURNAL_BLOCK_BYTES);

        journal_begin (&journal, &journal_header);
        journal_add (&journal, 1, "first", 0);
        g_assert_cmpint (pwrite (journal.fd, zeroes, QUEUE_JOURNAL_BLOCK_BYTES, (off_t) blocks[i]), ==,
                         QUEUE_JOURNAL_BLOCK_BYTES);
        scan (&journal, "1 ");
        journal_end (&journal);
    }
}

static void
a_newer_version_is_refused_in_words (void)
{
    guint8 start[QUEUE_JOURNAL_START_BYTES];
    QueueJournalHeader header;
    g_autoptr (GError) error = NULL;
    guint64 checksum;

    queue_journal_write_start (&journal_header, start);
    start[8] = 2;
    checksum = GUINT64_TO_LE (queue_bytes_checksum (start, 56, 0));
    memcpy (start + 56, &checksum, sizeof checksum);
    memcpy (start + QUEUE_JOURNAL_BLOCK_BYTES, start, QUEUE_JOURNAL_HEADER_BYTES);
    g_assert_false (queue_journal_read_start (start, &header, &error));
    g_assert_error (error, QUEUE_ERROR, QUEUE_ERROR_VERSION);
    g_assert_nonnull (strstr (error->message, "newer version"));
}

/* ---- Sealed generations ---- */

static gchar *
sealed_path (void)
{
    gchar *path;

    close (g_file_open_tmp ("sealed-XXXXXX", &path, NULL));

    return path;
}

static void
make_sealed (const gchar *path)
{
    g_autoptr (GError) error = NULL;
    g_autoptr (QueueSealed) sealed = queue_sealed_create (path, &error);
    g_auto (QueueSealedMeta)
        meta = {.generation = 4, .next_id = 10, .index_pages = 1, .removal_pages = 2, .stored_bytes = 3};
    const guint32 replaced[] = {1, 2, 3};

    g_assert_no_error (error);
    for (guint64 id = 1; id <= 50; id++) {
        g_autofree gchar *text = g_strdup_printf ("content of %" G_GUINT64_FORMAT, id);
        g_autoptr (GBytes) payload = g_bytes_new (text, strlen (text));

        g_assert_true (queue_sealed_store (sealed, QUEUE_PART_CONTENT, id, 0, payload, &error));
    }
    meta.replaced = g_array_new (FALSE, FALSE, sizeof (guint32));
    g_array_append_vals (meta.replaced, replaced, G_N_ELEMENTS (replaced));
    g_assert_true (queue_sealed_finish (sealed, &meta, &error));
}

static void
a_sealed_generation_reads_as_it_was_written (void)
{
    g_autofree gchar *path = sealed_path ();
    g_autoptr (QueueSealed) sealed = NULL;
    g_auto (QueueSealedMeta) meta = {0};
    g_autoptr (GError) error = NULL;
    g_autoptr (GBytes) payload = NULL;

    make_sealed (path);
    sealed = queue_sealed_open (path, &meta, &error);
    g_assert_no_error (error);
    g_assert_cmpuint (meta.generation, ==, 4);
    g_assert_cmpuint (meta.next_id, ==, 10);
    g_assert_cmpuint (meta.index_pages, ==, 1);
    g_assert_cmpuint (meta.removal_pages, ==, 2);
    g_assert_cmpuint (meta.stored_bytes, ==, 3);
    g_assert_cmpuint (meta.replaced->len, ==, 3);
    payload = queue_sealed_read (sealed, QUEUE_PART_CONTENT, 17, 0, &error);
    g_assert_no_error (error);
    g_assert_cmpmem (g_bytes_get_data (payload, NULL), (gint) g_bytes_get_size (payload), "content of 17", 13);
    g_assert_null (queue_sealed_read (sealed, QUEUE_PART_CONTENT, 17, 1, &error));
    g_assert_error (error, QUEUE_ERROR, QUEUE_ERROR_DAMAGED);
    g_unlink (path);
}

static void
count_part (QueuePart part, QueueId id, guint32 number, GBytes *payload, gpointer user_data)
{
    if (part == QUEUE_PART_CONTENT) {
        g_autofree gchar *text = g_strdup_printf ("content of %" G_GUINT64_FORMAT, id);

        g_assert_cmpmem (g_bytes_get_data (payload, NULL), (gint) g_bytes_get_size (payload), text,
                         (gint) strlen (text));
        (*(guint *) user_data)++;
    }
}

/* Whatever byte of the file changes, nothing wrong is read, the process lives, and no part is lost but the one that was
 * hit: the others are found without GDBM. */
static void
a_damaged_sealed_generation_gives_nothing_wrong (void)
{
    g_autofree gchar *path = sealed_path (), *content = NULL;
    gsize length;
    guint unreadable = 0;

    make_sealed (path);
    g_assert_true (g_file_get_contents (path, &content, &length, NULL));
    for (gsize at = 0; at < length; at += at < 1024 ? 1 : 41) {
        g_autoptr (QueueSealed) sealed = NULL;
        g_auto (QueueSealedMeta) meta = {0};
        guint found = 0, lost = 0;

        content[at] ^= (gchar) 0x81;
        g_assert_true (
            g_file_set_contents_full (path, content, (gssize) length, G_FILE_SET_CONTENTS_NONE, 0600, NULL));
        content[at] ^= (gchar) 0x81;
        sealed = queue_sealed_open (path, &meta, NULL);
        for (guint64 id = 1; sealed != NULL && id <= 50; id++) {
            g_autoptr (GBytes) payload = queue_sealed_read (sealed, QUEUE_PART_CONTENT, id, 0, NULL);
            guint matches = 0;

            if (payload != NULL)
                count_part (QUEUE_PART_CONTENT, id, 0, payload, &matches);
            lost += payload == NULL;
        }
        g_assert_cmpuint (lost, <=, 1);
        unreadable += lost;
        g_clear_pointer (&sealed, queue_sealed_free);
        sealed = queue_sealed_open_damaged (path, NULL);
        g_assert_true (queue_sealed_salvage (sealed, count_part, &found, NULL));
        g_assert_cmpuint (found, <=, 50);
        g_assert_cmpuint (found, >=, 49);
    }
    g_assert_cmpuint (unreadable, >, 0);
    g_unlink (path);
}

/* A part as a mail might bring it. */
static void
add_forged (GByteArray *bytes, guint64 seed)
{
    const QueueValueKey key = {.id = 99, .part = QUEUE_PART_REMOVAL};
    guint8 key_bytes[QUEUE_VALUE_KEY_BYTES], frame[QUEUE_VALUE_FRAME_BYTES];
    const guint64 id = 17;

    queue_value_write_key (&key, key_bytes);
    queue_value_write_frame (key_bytes, &id, sizeof id, seed, frame);
    g_byte_array_append (bytes, key_bytes, sizeof key_bytes);
    g_byte_array_append (bytes, frame, sizeof frame);
    g_byte_array_append (bytes, (const guint8 *) &id, sizeof id);
}

static void
count_forged (QueuePart part, QueueId id, guint32 number, GBytes *payload, gpointer user_data)
{
    *(guint *) user_data += id == 99;
}

/* What looks like a value within a chunk is not found, also when the chunk is damaged and is searched. */
static void
mail_cannot_forge_parts (void)
{
    g_autofree gchar *path = sealed_path (), *content = NULL;
    g_autoptr (GError) error = NULL;
    g_autoptr (QueueSealed) sealed = queue_sealed_create (path, &error);
    g_autoptr (GByteArray) bytes = g_byte_array_new ();
    g_autoptr (GBytes) good = NULL, bad = NULL;
    g_auto (QueueSealedMeta) meta = {.replaced = g_array_new (FALSE, FALSE, sizeof (guint32))};
    gchar *at;
    gsize length;
    guint forged = 0;

    g_assert_no_error (error);
    add_forged (bytes, 1);
    add_forged (bytes, 2);
    bad = g_bytes_new (bytes->data, bytes->len);
    good = g_bytes_new_static ("some other content that is longer than what was forged", 50);
    g_assert_true (queue_sealed_store (sealed, QUEUE_PART_CONTENT, 1, 0, bad, &error));
    g_assert_true (queue_sealed_store (sealed, QUEUE_PART_CONTENT, 2, 0, good, &error));
    g_assert_true (queue_sealed_finish (sealed, &meta, &error));
    g_clear_pointer (&sealed, queue_sealed_free);

    /* The frame of the chunk itself. */
    g_assert_true (g_file_get_contents (path, &content, &length, NULL));
    at = memmem (content, length, bytes->data, bytes->len);
    at[-1] ^= 1;
    g_assert_true (g_file_set_contents (path, content, (gssize) length, NULL));
    sealed = queue_sealed_open_damaged (path, &error);
    g_assert_no_error (error);
    g_assert_true (queue_sealed_salvage (sealed, count_forged, &forged, &error));
    g_assert_cmpuint (forged, ==, 0);
    g_unlink (path);
}

/* Whatever block is lost, all parts are found that did not lie in it. */
static void
a_lost_block_costs_what_lay_in_it (void)
{
    g_autofree gchar *path = sealed_path (), *content = NULL;
    gsize length;

    make_sealed (path);
    g_assert_true (g_file_get_contents (path, &content, &length, NULL));
    for (gsize at = 0; at < length; at += 4096) {
        gsize bytes = MIN (4096, length - at);
        g_autofree gchar *damaged = g_memdup2 (content, length);
        g_autoptr (QueueSealed) sealed = NULL;
        g_autoptr (GError) error = NULL;
        guint found = 0, left = 0;

        memset (damaged + at, 0, bytes);
        g_assert_true (g_file_set_contents (path, damaged, (gssize) length, NULL));
        for (guint id = 1; id <= 50; id++) {
            g_autofree gchar *text = g_strdup_printf ("content of %u", id);
            const gchar *payload = memmem (content, length, text, strlen (text));
            gsize begin = (gsize) (payload - content) - QUEUE_VALUE_FRAME_BYTES - QUEUE_VALUE_KEY_BYTES;
            gsize end = (gsize) (payload - content) + strlen (text);

            left += end <= at || begin >= at + bytes;
        }
        sealed = queue_sealed_open_damaged (path, &error);
        if (left > 0) {
            g_assert_no_error (error);
            g_assert_true (queue_sealed_salvage (sealed, count_part, &found, &error));
        }
        g_assert_cmpuint (found, ==, left);
    }
    g_unlink (path);
}

static void
a_truncated_sealed_generation_gives_nothing_wrong (void)
{
    g_autofree gchar *path = sealed_path (), *content = NULL;
    gsize length;

    make_sealed (path);
    g_assert_true (g_file_get_contents (path, &content, &length, NULL));
    for (gsize cut_at = 0; cut_at < length; cut_at += 512) {
        g_autoptr (QueueSealed) sealed = NULL;
        g_auto (QueueSealedMeta) meta = {0};
        guint found = 0;

        g_assert_true (
            g_file_set_contents_full (path, content, (gssize) cut_at, G_FILE_SET_CONTENTS_NONE, 0600, NULL));
        sealed = queue_sealed_open (path, &meta, NULL);
        if (sealed == NULL)
            sealed = queue_sealed_open_damaged (path, NULL);
        if (sealed != NULL)
            queue_sealed_salvage (sealed, count_part, &found, NULL);
    }
    g_unlink (path);
}

/* Files that are damaged on purpose are told of as such. */
static GLogWriterOutput
drop_warning (GLogLevelFlags level, const GLogField *fields, gsize n_fields, gpointer user_data)
{
    return (level & G_LOG_LEVEL_MASK) == G_LOG_LEVEL_WARNING ? G_LOG_WRITER_HANDLED
                                                             : g_log_writer_default (level, fields, n_fields, NULL);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_log_set_writer_func (drop_warning, NULL, NULL);
    g_test_add_func ("/queue/record/a-message-comes-back-whole", a_message_comes_back_whole);
    g_test_add_func ("/queue/record/long-lines-come-back", long_lines_come_back_where_there_are_any);
    g_test_add_func ("/queue/record/whose-word-comes-back", whose_word_a_reply_is_comes_back);
    g_test_add_func ("/queue/record/states-come-back-segment-by-segment", states_come_back_segment_by_segment);
    g_test_add_func ("/queue/record/equal-replies-are-written-once", equal_replies_are_written_once);
    g_test_add_func ("/queue/record/what-was-cut-off-is-refused", what_was_cut_off_is_refused);
    g_test_add_func ("/queue/record/changed-bytes-do-no-harm", changed_bytes_do_no_harm);
    g_test_add_func ("/queue/record/the-forms-are-those-of-version-1", the_forms_are_those_of_version_1);
    g_test_add_func ("/queue/record/items-come-back", items_come_back);
    g_test_add_func ("/queue/journal/reads-as-it-was-written", a_journal_reads_as_it_was_written);
    g_test_add_func ("/queue/journal/a-torn-end-is-cut-off-with-all-behind-it",
                     a_torn_end_is_cut_off_with_all_behind_it);
    g_test_add_func ("/queue/journal/damage-in-what-was-synced-costs-only-itself",
                     damage_in_what_was_synced_costs_only_itself);
    g_test_add_func ("/queue/journal/an-earlier-batch-that-failed-does-not-come-back",
                     an_earlier_batch_that_failed_does_not_come_back);
    g_test_add_func ("/queue/journal/records-of-an-earlier-file-do-not-pass", records_of_an_earlier_file_do_not_pass);
    g_test_add_func ("/queue/journal/zeroes-in-advance-are-no-damage", zeroes_in_advance_are_no_damage);
    g_test_add_func ("/queue/journal/either-header-is-enough", either_header_is_enough);
    g_test_add_func ("/queue/journal/a-newer-version-is-refused-in-words", a_newer_version_is_refused_in_words);
    g_test_add_func ("/queue/sealed/reads-as-it-was-written", a_sealed_generation_reads_as_it_was_written);
    g_test_add_func ("/queue/sealed/damage-gives-nothing-wrong", a_damaged_sealed_generation_gives_nothing_wrong);
    g_test_add_func ("/queue/sealed/mail-cannot-forge-parts", mail_cannot_forge_parts);
    g_test_add_func ("/queue/sealed/a-lost-block-costs-what-lay-in-it", a_lost_block_costs_what_lay_in_it);
    g_test_add_func ("/queue/sealed/truncation-gives-nothing-wrong",
                     a_truncated_sealed_generation_gives_nothing_wrong);

    return g_test_run ();
}
