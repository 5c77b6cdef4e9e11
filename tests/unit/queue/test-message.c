/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * What is promised of ids, of the words for states, and of snapshots that share their parts.
 */

#include <string.h>

#include "queue/message.h"
#include "queue/snapshot.h"

static void
ids_survive_writing_and_reading (void)
{
    const QueueId ids[] = {1, 31, 32, 1700000000000000, G_MAXUINT64 - 1, G_MAXUINT64};

    for (guint i = 0; i < G_N_ELEMENTS (ids); i++) {
        gchar text[QUEUE_ID_TEXT_BYTES];

        queue_id_write (ids[i], text);
        g_assert_cmpuint (strlen (text), ==, QUEUE_ID_TEXT_BYTES - 1);
        g_assert_cmpuint (queue_id_read (text), ==, ids[i]);
        for (gchar *c = text; *c != '\0'; c++)
            *c = g_ascii_toupper (*c);
        g_assert_cmpuint (queue_id_read (text), ==, ids[i]);
    }
}

static void
ids_sort_as_text (void)
{
    QueueId id = 1;
    gchar last[QUEUE_ID_TEXT_BYTES], text[QUEUE_ID_TEXT_BYTES];

    queue_id_write (0, last);
    for (guint i = 0; i < 63; i++, id = id * 2 + 1) {
        queue_id_write (id, text);
        g_assert_cmpstr (last, <, text);
        memcpy (last, text, sizeof last);
    }
}

static void
what_is_no_id_is_refused (void)
{
    const gchar *const texts[] = {
        "",
        "1",
        "00000000000000",
        "000000000000i",
        "000000000000l",
        "000000000000-",
        "g000000000000", /* 2 to the 64th */
        "zzzzzzzzzzzzz",
        "0000000000\xc3\xa9",
        " 00000000001",
    };

    for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
        g_assert_cmpuint (queue_id_read (texts[i]), ==, 0);
}

static void
states_have_names (void)
{
    QueueState state;

    for (guint i = 0; i < QUEUE_N_STATES; i++) {
        g_assert_true (queue_state_from_name (queue_state_name ((QueueState) i), &state));
        g_assert_cmpint (state, ==, i);
    }
    g_assert_false (queue_state_from_name ("Queued", &state));
    g_assert_cmpstr (queue_recipient_state_name (QUEUE_RECIPIENT_PENDING), ==, "pending");
    g_assert_cmpstr (queue_recipient_state_name (QUEUE_RECIPIENT_EXPIRED), ==, "expired");
}

static QueueMessage *
message_to_two (void)
{
    g_autoptr (MessageEnvelope) envelope = message_envelope_new ("sender@example.org");
    const QueueOrigin origin = {.uid = 1000, .protocol = (gchar *) "local"};

    message_envelope_add (envelope, "one@example.org");
    message_envelope_add (envelope, "two@example.org");

    return queue_snapshot_new (1, &origin, envelope);
}

static void
a_change_leaves_the_older_snapshot_alone (void)
{
    g_autoptr (QueueMessage) first = message_to_two ();
    g_autoptr (QueueMessage) second = queue_snapshot_copy (first);
    QueueRecipient *changed = queue_snapshot_change (second, 1);

    changed->state = QUEUE_RECIPIENT_DELIVERED;
    changed->reply = g_strdup ("250 ok");
    queue_snapshot_note (second, 5, "delivered");
    queue_snapshot_set_reason (second, "because");

    g_assert_cmpuint (queue_message_pending (first), ==, 2);
    g_assert_cmpuint (queue_message_pending (second), ==, 1);
    g_assert_null (queue_message_recipient (first, 1)->reply);
    g_assert_cmpuint (first->history->len, ==, 0);
    g_assert_cmpuint (second->history->len, ==, 1);
    g_assert_null (first->reason);
    g_assert_cmpstr (second->reason, ==, "because");
    g_assert_true (queue_message_recipient (first, 0) == queue_message_recipient (second, 0));
    g_assert_true (first->envelope == second->envelope);
}

static void
a_snapshot_outlives_the_one_it_came_from (void)
{
    QueueMessage *first = message_to_two ();
    g_autoptr (QueueMessage) second = queue_snapshot_copy (first);

    queue_message_unref (first);
    g_assert_cmpstr (message_envelope_recipient (second->envelope, 1)->address, ==, "two@example.org");
    g_assert_cmpint (second->origin.uid, ==, 1000);
}

static void
history_keeps_the_newest (void)
{
    g_autoptr (QueueMessage) message = message_to_two ();

    for (guint i = 0; i < QUEUE_HISTORY_MOST + 3; i++)
        queue_snapshot_note (message, i, "tried");

    g_assert_cmpuint (message->history->len, ==, QUEUE_HISTORY_MOST);
    g_assert_cmpint (((QueueHistoryEntry *) g_ptr_array_index (message->history, 0))->usec, ==, 3);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/queue/message/ids-survive-writing-and-reading", ids_survive_writing_and_reading);
    g_test_add_func ("/queue/message/ids-sort-as-text", ids_sort_as_text);
    g_test_add_func ("/queue/message/what-is-no-id-is-refused", what_is_no_id_is_refused);
    g_test_add_func ("/queue/message/states-have-names", states_have_names);
    g_test_add_func ("/queue/message/a-change-leaves-the-older-snapshot-alone",
                     a_change_leaves_the_older_snapshot_alone);
    g_test_add_func ("/queue/message/a-snapshot-outlives-the-one-it-came-from",
                     a_snapshot_outlives_the_one_it_came_from);
    g_test_add_func ("/queue/message/history-keeps-the-newest", history_keeps_the_newest);

    return g_test_run ();
}
