/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What each event puts into the log, and that the catalog explains each of them. */

#include "log-event.h"

#include <string.h>

/* What was logged last, in the form of "KEY=value". */
static GPtrArray *logged;

static GLogWriterOutput
keep (GLogLevelFlags level, const GLogField *fields, gsize n_fields, gpointer user_data)
{
    if (level & G_LOG_LEVEL_ERROR)
        return g_log_writer_default (level, fields, n_fields, user_data);

    for (gsize i = 0; i < n_fields; i++)
        g_ptr_array_add (logged, g_strdup_printf ("%s=%s", fields[i].key, (const gchar *) fields[i].value));

    return G_LOG_WRITER_HANDLED;
}

static gboolean
was_logged (const gchar *field)
{
    return g_ptr_array_find_with_equal_func (logged, field, g_str_equal, NULL);
}

static void
assert_logged (const gchar *field)
{
    if (was_logged (field))
        return;

    for (guint i = 0; i < logged->len; i++)
        g_printerr ("# %s\n", (const gchar *) g_ptr_array_index (logged, i));
    g_error ("“%s” was expected in the log entry above", field);
}

static void
assert_not_logged (const gchar *key)
{
    for (guint i = 0; i < logged->len; i++)
        g_assert_false (g_str_has_prefix (g_ptr_array_index (logged, i), key));
}

static void
assert_id (LogEvent event)
{
    g_autofree gchar *field = g_strconcat ("MESSAGE_ID=", log_event_id (event), NULL);

    assert_logged (field);
}

typedef struct {
    MessageEnvelope *envelope;
    QueueMessage message;
    QueueRecipient result;
    QueueEvent event;
    gchar id[QUEUE_ID_TEXT_BYTES];
} Fixture;

#define ARRIVAL_USEC (G_GINT64_CONSTANT (1700000000) * G_USEC_PER_SEC)

static void
set_up (Fixture *fixture, gconstpointer data)
{
    g_ptr_array_set_size (logged, 0);

    fixture->envelope = message_envelope_new ("me@example.org");
    message_envelope_add (fixture->envelope, "you@example.net");
    message_envelope_add (fixture->envelope, "they@example.net");
    fixture->message = (QueueMessage){.id = 4711,
                                      .origin = {.uid = 1000, .protocol = (gchar *) "local"},
                                      .envelope = fixture->envelope,
                                      .size = 1234,
                                      .arrival_usec = ARRIVAL_USEC};
    fixture->result = (QueueRecipient){
        .remote = (gchar *) "mx.example.net:25", .status = (gchar *) "2.0.0", .reply = (gchar *) "250 2.0.0 taken"};
    fixture->event = (QueueEvent){.message = &fixture->message,
                                  .recipient = "you@example.net",
                                  .result = &fixture->result,
                                  .now_usec = ARRIVAL_USEC + 2500000};
    queue_id_write (fixture->message.id, fixture->id);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
    message_envelope_free (fixture->envelope);
}

static void
log_queue (Fixture *fixture, QueueEventType type)
{
    fixture->event.type = type;
    log_event_queue (&fixture->event);
}

/* The sentence, which starts with the queue id. */
static void
assert_sentence (const Fixture *fixture, const gchar *sentence)
{
    g_autofree gchar *field = g_strdup_printf ("MESSAGE=%s: %s", fixture->id, sentence);

    assert_logged (field);
}

static void
test_queued_tells_from_whom_and_for_whom (Fixture *fixture, gconstpointer data)
{
    g_autofree gchar *id = g_strconcat ("POSTERN_QUEUE_ID=", fixture->id, NULL);

    fixture->event.message_id = "<1@example.org>";
    log_queue (fixture, QUEUE_EVENT_QUEUED);

    assert_logged ("POSTERN_MESSAGE_ID=<1@example.org>");
    assert_logged ("POSTERN_RECIPIENTS=2");

    assert_id (LOG_EVENT_QUEUED);
    assert_sentence (fixture,
                     "queued mail of <me@example.org> for <you@example.net> and 1 more, 1234 bytes, from user 1000");
    assert_logged (id);
    assert_logged ("PRIORITY=6");
    assert_logged ("POSTERN_SENDER=me@example.org");
    assert_logged ("POSTERN_RECIPIENT=you@example.net");
    assert_logged ("POSTERN_RECIPIENT=they@example.net");
    assert_logged ("POSTERN_SUBMITTER_UID=1000");
    assert_logged ("POSTERN_SIZE=1234");
    assert_not_logged ("POSTERN_REMOTE");
}

static void
test_many_recipients_share_an_entry (Fixture *fixture, gconstpointer data)
{
    const guint others[] = {1, 2};

    message_envelope_add (fixture->envelope, "she@example.net");
    fixture->event.alike = others;
    fixture->event.n_alike = G_N_ELEMENTS (others);
    log_queue (fixture, QUEUE_EVENT_DELIVERED);

    assert_sentence (fixture,
                     "delivered to <you@example.net> and 2 more by mx.example.net:25: 250 2.0.0 taken (after 2.5 s)");
    assert_logged ("POSTERN_RECIPIENT=you@example.net");
    assert_logged ("POSTERN_RECIPIENT=they@example.net");
    assert_logged ("POSTERN_RECIPIENT=she@example.net");
    assert_logged ("POSTERN_RECIPIENTS=3");
}

static void
test_a_recipient_that_was_announced_has_no_entry (Fixture *fixture, gconstpointer data)
{
    fixture->event.is_announced = TRUE;
    log_queue (fixture, QUEUE_EVENT_DELIVERED);
    g_assert_cmpuint (logged->len, ==, 0);
}

static void
test_an_entry_has_room_for_all_that_are_announced (Fixture *fixture, gconstpointer data)
{
    guint others[QUEUE_EVENT_ALIKE_MOST - 1];

    for (guint i = 0; i < G_N_ELEMENTS (others); i++) {
        g_autofree gchar *address = g_strdup_printf ("r%u@example.net", i);

        message_envelope_add (fixture->envelope, address);
        others[i] = 2 + i;
    }
    fixture->event.alike = others;
    fixture->event.n_alike = G_N_ELEMENTS (others);
    log_queue (fixture, QUEUE_EVENT_BOUNCED);

    assert_logged ("POSTERN_RECIPIENT=r98@example.net");
    assert_logged ("POSTERN_REPLY=250 2.0.0 taken");
    assert_logged ("POSTERN_SUBMITTER_UID=1000");
    assert_logged ("POSTERN_SIZE=1234");
}

static void
test_a_client_on_the_network_is_told_by_address (Fixture *fixture, gconstpointer data)
{
    fixture->message.origin = (QueueOrigin){.uid = -1, .peer = (gchar *) "192.0.2.1"};
    log_queue (fixture, QUEUE_EVENT_QUEUED);

    assert_sentence (fixture,
                     "queued mail of <me@example.org> for <you@example.net> and 1 more, 1234 bytes, from 192.0.2.1");
    assert_logged ("POSTERN_PEER=192.0.2.1");
    assert_not_logged ("POSTERN_SUBMITTER_UID");
}

static void
test_many_recipients_make_no_endless_entry (Fixture *fixture, gconstpointer data)
{
    for (guint i = 0; i < 1000; i++) {
        g_autofree gchar *address = g_strdup_printf ("r%u@example.net", i);

        message_envelope_add (fixture->envelope, address);
    }
    log_queue (fixture, QUEUE_EVENT_QUEUED);

    g_assert_cmpuint (logged->len, <=, QUEUE_EVENT_ALIKE_MOST + 20);
    assert_logged ("POSTERN_SIZE=1234");
}

static void
test_delivered_tells_the_remote_and_its_answer (Fixture *fixture, gconstpointer data)
{
    log_queue (fixture, QUEUE_EVENT_DELIVERED);

    assert_id (LOG_EVENT_DELIVERED);
    assert_sentence (fixture, "delivered to <you@example.net> by mx.example.net:25: 250 2.0.0 taken (after 2.5 s)");
    assert_logged ("POSTERN_RECIPIENT=you@example.net");
    assert_logged ("POSTERN_REMOTE=mx.example.net:25");
    assert_logged ("POSTERN_STATUS=2.0.0");
    assert_logged ("POSTERN_REPLY=250 2.0.0 taken");
    assert_logged ("POSTERN_DELAY_USEC=2500000");
}

static void
test_deferred_tells_when_it_is_tried_again (Fixture *fixture, gconstpointer data)
{
    fixture->result.reply = (gchar *) "no route to host";
    fixture->message.next_usec = fixture->event.now_usec + 60 * G_USEC_PER_SEC;
    log_queue (fixture, QUEUE_EVENT_DEFERRED);

    assert_id (LOG_EVENT_DEFERRED);
    assert_logged ("PRIORITY=5");
    assert_sentence (fixture,
                     "mail for <you@example.net> has to wait, deferred by mx.example.net:25: no route to host; next "
                     "attempt in 60 s");
}

static void
test_a_sentence_names_the_remote_once (Fixture *fixture, gconstpointer data)
{
    fixture->result.reply = (gchar *) "mx.example.net:25: no route to host";
    log_queue (fixture, QUEUE_EVENT_DEFERRED);

    assert_sentence (fixture,
                     "mail for <you@example.net> has to wait, deferred by mx.example.net:25: no route to host");
    assert_logged ("POSTERN_REPLY=mx.example.net:25: no route to host");
}

static void
test_bounced_tells_the_reason (Fixture *fixture, gconstpointer data)
{
    fixture->result.reply = (gchar *) "550 5.1.1 nobody";
    log_queue (fixture, QUEUE_EVENT_BOUNCED);

    assert_id (LOG_EVENT_BOUNCED);
    assert_sentence (fixture,
                     "mail for <you@example.net> bounced, refused for good by mx.example.net:25: 550 5.1.1 nobody");
}

static void
test_expired_is_a_warning (Fixture *fixture, gconstpointer data)
{
    fixture->event.now_usec = ARRIVAL_USEC + 5 * G_TIME_SPAN_DAY;
    fixture->result = (QueueRecipient){.reply = (gchar *) "no smarthost is configured"};
    log_queue (fixture, QUEUE_EVENT_EXPIRED);

    assert_id (LOG_EVENT_EXPIRED);
    assert_logged ("PRIORITY=4");
    assert_sentence (fixture,
                     "mail for <you@example.net> was given up after 5 d, last deferred: no smarthost is configured");
}

static void
test_steering_is_told (Fixture *fixture, gconstpointer data)
{
    fixture->event.recipient = NULL;
    fixture->event.result = NULL;

    log_queue (fixture, QUEUE_EVENT_HELD);
    log_queue (fixture, QUEUE_EVENT_RELEASED);
    log_queue (fixture, QUEUE_EVENT_DELETED);

    assert_id (LOG_EVENT_HELD);
    assert_id (LOG_EVENT_RELEASED);
    assert_id (LOG_EVENT_DELETED);
    assert_not_logged ("POSTERN_RECIPIENT");
}

static void
test_a_redirection_is_told_with_the_new_address (Fixture *fixture, gconstpointer data)
{
    fixture->event.recipient = "new@example.net";
    log_queue (fixture, QUEUE_EVENT_REDIRECTED);

    assert_id (LOG_EVENT_REDIRECTED);
    assert_logged ("POSTERN_RECIPIENT=new@example.net");
}

static void
test_removal_is_not_told (Fixture *fixture, gconstpointer data)
{
    log_queue (fixture, QUEUE_EVENT_REMOVED);
    g_assert_cmpuint (logged->len, ==, 0);
}

static void
test_a_remote_goes_down_and_up (Fixture *fixture, gconstpointer data)
{
    DeliveryRemoteInfo remote = {
        .name = "default", .host = "mx.example.net", .port = 25, .error = "connection refused"};

    log_event_remote (&remote);
    g_assert_cmpuint (logged->len, ==, 0);

    remote.state = DELIVERY_REMOTE_DOWN;
    log_event_remote (&remote);
    assert_id (LOG_EVENT_REMOTE_DOWN);
    assert_logged (
        "MESSAGE=smarthost default (mx.example.net:25) cannot be used, and is tried again from time to time: "
        "connection refused");
    assert_logged ("POSTERN_REMOTE=mx.example.net:25");
    assert_logged ("POSTERN_REPLY=connection refused");

    remote.state = DELIVERY_REMOTE_UP;
    remote.host = "2001:db8::1";
    log_event_remote (&remote);
    assert_id (LOG_EVENT_REMOTE_UP);
    assert_logged ("MESSAGE=smarthost default ([2001:db8::1]:25) takes mail");
}

static void
test_a_refusal_tells_who_and_why (Fixture *fixture, gconstpointer data)
{
    g_autoptr (SmtpReply) reply = smtp_reply_new (550, "5.7.1", "relaying is not for you");
    LogRefusal refusal = {
        .peer = "192.0.2.1", .uid = -1, .helo = "spam.example", .what = "RCPT TO:<you@example.net>", .reply = reply};

    log_event_refused (&refusal);

    assert_id (LOG_EVENT_REFUSED);
    assert_logged ("MESSAGE=refused 192.0.2.1 (spam.example): 550 5.7.1 relaying is not for you, after “RCPT "
                   "TO:<you@example.net>”");
    assert_logged ("POSTERN_PEER=192.0.2.1");
    assert_logged ("POSTERN_STATUS=5.7.1");
    assert_logged ("POSTERN_REPLY=550 5.7.1 relaying is not for you");
}

static void
test_each_bad_setting_has_an_entry (Fixture *fixture, gconstpointer data)
{
    log_event_configuration_bad ("first\nsecond", "mail waits");

    assert_id (LOG_EVENT_CONFIGURATION_BAD);
    assert_logged ("MESSAGE=first");
    assert_logged ("MESSAGE=second");
    assert_logged ("MESSAGE=the configuration is bad; mail waits");
    assert_logged ("PRIORITY=3");
}

static gchar *
read_catalog (void)
{
    g_autofree gchar *path = g_test_build_filename (G_TEST_DIST, "..", "..", "..", "units", "postern.catalog", NULL);
    g_autoptr (GError) error = NULL;
    gchar *text = NULL;

    g_file_get_contents (path, &text, NULL, &error);
    g_assert_no_error (error);
    return text;
}

static void
test_the_catalog_explains_each_event_and_no_other (Fixture *fixture, gconstpointer data)
{
    g_autofree gchar *catalog = read_catalog ();
    g_auto (GStrv) lines = g_strsplit (catalog, "\n", -1);
    g_autoptr (GHashTable) ids = g_hash_table_new (g_str_hash, g_str_equal);
    guint n_entries = 0;

    for (guint i = 0; i < LOG_N_EVENTS; i++) {
        g_assert_cmpuint (strlen (log_event_id (i)), ==, 32);
        g_assert_true (g_hash_table_add (ids, (gpointer) log_event_id (i)));
    }

    for (guint i = 0; lines[i] != NULL; i++) {
        if (!g_str_has_prefix (lines[i], "-- "))
            continue;
        n_entries++;
        if (!g_hash_table_contains (ids, lines[i] + 3))
            g_error ("no event has the catalog's id %s", lines[i] + 3);
        g_assert_true (g_str_has_prefix (lines[i + 1], "Subject: "));
    }

    g_assert_cmpuint (n_entries, ==, LOG_N_EVENTS);
}

static void
add (const gchar *name, void (*test) (Fixture *, gconstpointer))
{
    g_autofree gchar *path = g_strconcat ("/daemon/log-event/", name, NULL);

    g_test_add (path, Fixture, NULL, set_up, test, tear_down);
}

int
main (int argc, char **argv)
{
    int status;

    g_test_init (&argc, &argv, NULL);
    logged = g_ptr_array_new_with_free_func (g_free);
    g_log_set_writer_func (keep, NULL, NULL);

    add ("queued-tells-from-whom-and-for-whom", test_queued_tells_from_whom_and_for_whom);
    add ("a-client-on-the-network-is-told-by-address", test_a_client_on_the_network_is_told_by_address);
    add ("many-recipients-share-an-entry", test_many_recipients_share_an_entry);
    add ("a-recipient-that-was-announced-has-no-entry", test_a_recipient_that_was_announced_has_no_entry);
    add ("an-entry-has-room-for-all-that-are-announced", test_an_entry_has_room_for_all_that_are_announced);
    add ("many-recipients-make-no-endless-entry", test_many_recipients_make_no_endless_entry);
    add ("delivered-tells-the-remote-and-its-answer", test_delivered_tells_the_remote_and_its_answer);
    add ("deferred-tells-when-it-is-tried-again", test_deferred_tells_when_it_is_tried_again);
    add ("a-sentence-names-the-remote-once", test_a_sentence_names_the_remote_once);
    add ("bounced-tells-the-reason", test_bounced_tells_the_reason);
    add ("expired-is-a-warning", test_expired_is_a_warning);
    add ("steering-is-told", test_steering_is_told);
    add ("a-redirection-is-told-with-the-new-address", test_a_redirection_is_told_with_the_new_address);
    add ("removal-is-not-told", test_removal_is_not_told);
    add ("a-remote-goes-down-and-up", test_a_remote_goes_down_and_up);
    add ("a-refusal-tells-who-and-why", test_a_refusal_tells_who_and_why);
    add ("each-bad-setting-has-an-entry", test_each_bad_setting_has_an_entry);
    add ("the-catalog-explains-each-event-and-no-other", test_the_catalog_explains_each_event_and_no_other);

    status = g_test_run ();
    g_ptr_array_unref (logged);
    return status;
}
