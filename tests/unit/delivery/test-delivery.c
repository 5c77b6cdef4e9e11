/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "office.h"

#include <string.h>

#define MESSAGE "Subject: hello\r\n\r\n.dots\r\n..and more\r\n"
#define SENDER  "a@example.org"

static void
test_delivered (void)
{
    g_autoptr (Office) office = office_new (1);
    Smarthost *smarthost = office_smarthost (office, 0);

    office_start (office);
    office_submit (office, SENDER, "b@example.net c@example.net", MESSAGE);
    WAIT_UNTIL (office_queued (office) == 0);

    g_assert_cmpuint (smarthost_messages (smarthost), ==, 1);
    g_assert_cmpuint (smarthost_message (smarthost, 0)->recipients->len, ==, 2);
    g_assert_cmpstr (smarthost_message (smarthost, 0)->content->str, ==, MESSAGE);
    g_assert_cmpuint (office_count_events (office, "delivered"), ==, 2);
    g_assert_true (office_saw (office, "delivered b@example.net 250 2.0.0 taken"));
    g_assert_cmpint (office_remote (office, 0).state, ==, DELIVERY_REMOTE_UP);
    g_assert_cmpuint (office_remote (office, 0).delivered, ==, 2);
}

static void
test_empty (void)
{
    g_autoptr (Office) office = office_new (1);

    office_start (office);
    office_submit (office, SENDER, "b@example.net", "");
    WAIT_UNTIL (office_queued (office) == 0);

    g_assert_cmpstr (smarthost_message (office_smarthost (office, 0), 0)->content->str, ==, "");
}

static void
test_large (void)
{
    g_autoptr (Office) office = office_new (1);
    g_autoptr (GString) content = g_string_new ("Subject: large\r\n\r\n");

    while (content->len < 3 * 1024 * 1024)
        g_string_append_printf (content, "line at %" G_GSIZE_FORMAT "\r\n", content->len);

    office_start (office);
    office_submit (office, SENDER, "b@example.net", content->str);
    WAIT_UNTIL (office_queued (office) == 0);

    g_assert_true (g_string_equal (smarthost_message (office_smarthost (office, 0), 0)->content, content));
}

static void
test_reused (void)
{
    g_autoptr (Office) office = office_new (1);
    Smarthost *smarthost = office_smarthost (office, 0);

    office_start (office);
    for (guint i = 0; i < 20; i++) {
        office_submit (office, SENDER, "b@example.net", MESSAGE);
        WAIT_UNTIL (office_queued (office) == 0);
    }

    g_assert_cmpuint (smarthost_messages (smarthost), ==, 20);
    g_assert_cmpuint (smarthost_connections (smarthost), ==, 1);
    g_assert_cmpuint (office_remote (office, 0).sessions, ==, 1);
}

static void
test_limit (void)
{
    g_autoptr (Office) office = office_new (1);
    Smarthost *smarthost = office_smarthost (office, 0);

    for (guint i = 0; i < 200; i++)
        office_submit (office, SENDER, "b@example.net", MESSAGE);
    office_smarthost_settings (office, 0)->connections_most = 3;
    office_start (office);
    WAIT_UNTIL (office_queued (office) == 0);

    g_assert_cmpuint (smarthost_messages (smarthost), ==, 200);
    g_assert_cmpuint (smarthost_most_open (smarthost), ==, 3);
    g_assert_cmpuint (smarthost_connections (smarthost), ==, 3);
}

static void
test_limit_from_disk (void)
{
    g_autoptr (Office) office = office_new (1);
    Smarthost *smarthost = office_smarthost (office, 0);

    for (guint i = 0; i < 200; i++)
        office_submit (office, SENDER, "b@example.net", MESSAGE);
    office_reopen (office);
    office_smarthost_settings (office, 0)->connections_most = 3;
    office_start (office);
    WAIT_UNTIL (smarthost_messages (smarthost) == 200 && office_queued (office) == 0);

    g_assert_cmpuint (smarthost_most_open (smarthost), ==, 3);
}

static void
test_burst (void)
{
    g_autoptr (Office) office = office_new (1);
    Smarthost *smarthost = office_smarthost (office, 0);

    for (guint i = 0; i < 8; i++)
        office_submit (office, SENDER, "b@example.net", MESSAGE);
    office_start (office);
    WAIT_UNTIL (office_queued (office) == 0);

    g_assert_cmpuint (smarthost_messages (smarthost), ==, 8);
    g_assert_cmpuint (smarthost_connections (smarthost), ==, 1);
}

static void
test_idle_quits (void)
{
    g_autoptr (Office) office = office_new (1);
    Smarthost *smarthost = office_smarthost (office, 0);

    office_settings (office)->idle_seconds = 1;
    office_start (office);
    office_submit (office, SENDER, "b@example.net", MESSAGE);
    WAIT_UNTIL (smarthost_connections (smarthost) == 1 && smarthost_open (smarthost) == 0);

    g_assert_cmpuint (smarthost_count (smarthost, "QUIT"), ==, 1);
    WAIT_UNTIL (office_remote (office, 0).connections == 0);
    g_assert_cmpint (office_remote (office, 0).state, ==, DELIVERY_REMOTE_UP);
}

static void
test_closed_between (void)
{
    g_autoptr (Office) office = office_new (1);
    Smarthost *smarthost = office_smarthost (office, 0);

    office_start (office);
    for (guint i = 0; i < 5; i++) {
        office_submit (office, SENDER, "b@example.net", MESSAGE);
        WAIT_UNTIL (office_queued (office) == 0);
        smarthost_hang_up (smarthost);
    }

    g_assert_cmpuint (smarthost_messages (smarthost), ==, 5);
    g_assert_cmpuint (office_count_events (office, "deferred"), ==, 0);
}

static void
test_421_to_kept (void)
{
    g_autoptr (Office) office = office_new (1);
    Smarthost *smarthost = office_smarthost (office, 0);

    office_start (office);
    office_submit (office, SENDER, "b@example.net", MESSAGE);
    WAIT_UNTIL (office_queued (office) == 0);
    smarthost_on (smarthost, "MAIL", NULL, 1, "421 4.4.2 idle for too long");
    office_submit (office, SENDER, "b@example.net", MESSAGE);
    WAIT_UNTIL (office_queued (office) == 0);

    g_assert_cmpuint (smarthost_connections (smarthost), ==, 2);
    g_assert_cmpuint (office_count_events (office, "deferred"), ==, 0);
}

static void
test_partial (void)
{
    g_autoptr (Office) office = office_new (1);
    Smarthost *smarthost = office_smarthost (office, 0);
    g_autoptr (QueueMessage) message = NULL;
    QueueId id;

    office_settings (office)->retry_first_seconds = 3600;
    smarthost_on (smarthost, "RCPT", "wrong@", 0, "550 5.1.1 nobody of that name");
    smarthost_on (smarthost, "RCPT", "later@", 0, "450 4.2.0 greylisted");
    office_start (office);
    id = office_submit (office, "", "good@example.net later@example.net fine@example.net", MESSAGE);
    WAIT_UNTIL (office_saw (office, "deferred later@example.net 450 4.2.0 greylisted"));

    message = office_message (office, id);
    g_assert_cmpint (message->state, ==, QUEUE_STATE_DEFERRED);
    g_assert_cmpint (queue_message_recipient (message, 0)->state, ==, QUEUE_RECIPIENT_DELIVERED);
    g_assert_cmpint (queue_message_recipient (message, 1)->state, ==, QUEUE_RECIPIENT_PENDING);
    g_assert_cmpstr (queue_message_recipient (message, 1)->status, ==, "4.2.0");
    g_assert_cmpint (queue_message_recipient (message, 2)->state, ==, QUEUE_RECIPIENT_DELIVERED);
    g_assert_cmpint (message->next_usec, >, g_get_real_time () + 2000 * (gint64) G_USEC_PER_SEC);
    g_assert_cmpuint (smarthost_message (smarthost, 0)->recipients->len, ==, 2);
    g_assert_cmpint (office_remote (office, 0).state, ==, DELIVERY_REMOTE_UP);
}

static void
test_retried (void)
{
    g_autoptr (Office) office = office_new (1);
    Smarthost *smarthost = office_smarthost (office, 0);

    smarthost_on (smarthost, "RCPT", "b@", 1, "450 4.2.0 greylisted");
    office_start (office);
    office_submit (office, SENDER, "b@example.net c@example.net", MESSAGE);
    WAIT_UNTIL (office_queued (office) == 0);

    g_assert_cmpuint (smarthost_messages (smarthost), ==, 2);
    g_assert_cmpstr (g_ptr_array_index (smarthost_message (smarthost, 0)->recipients, 0), ==, "<c@example.net>");
    g_assert_cmpuint (smarthost_message (smarthost, 1)->recipients->len, ==, 1);
    g_assert_cmpstr (g_ptr_array_index (smarthost_message (smarthost, 1)->recipients, 0), ==, "<b@example.net>");
}

static void
test_dropped (void)
{
    g_autoptr (Office) office = office_new (1);
    Smarthost *smarthost = office_smarthost (office, 0);

    smarthost_on (smarthost, "END", NULL, 1, SMARTHOST_DROP);
    office_start (office);
    office_submit (office, SENDER, "b@example.net", MESSAGE);
    WAIT_UNTIL (office_queued (office) == 0);

    g_assert_cmpuint (smarthost_messages (smarthost), ==, 1);
    g_assert_cmpuint (smarthost_connections (smarthost), ==, 2);
    g_assert_cmpuint (office_count_events (office, "deferred"), ==, 1);
    g_assert_false (office_saw (office, "remote first down"));
}

static void
test_bad_message (void)
{
    g_autoptr (Office) office = office_new (1);
    Smarthost *smarthost = office_smarthost (office, 0);

    smarthost_on (smarthost, "MAIL", "bad@", 0, SMARTHOST_DROP);
    office_start (office);
    office_submit (office, "bad@example.org", "b@example.net", MESSAGE);
    WAIT_UNTIL (office_saw (office, "deferred b@example.net"));
    for (guint i = 0; i < 10; i++)
        office_submit (office, SENDER, "c@example.net", MESSAGE);
    WAIT_UNTIL (office_count_events (office, "delivered") == 10);

    WAIT_UNTIL (office_count_events (office, "deferred") >= 2);
    g_assert_false (office_saw (office, "remote first down"));
}

static void
test_slow (void)
{
    g_autoptr (Office) office = office_new (1);
    Smarthost *smarthost = office_smarthost (office, 0);

    office_settings (office)->end_seconds = 1;
    smarthost_on (smarthost, "END", NULL, 1, SMARTHOST_SILENT);
    office_start (office);
    office_submit (office, SENDER, "b@example.net", MESSAGE);
    WAIT_UNTIL (office_count_events (office, "deferred") == 1);

    g_assert_true (office_saw (office, "the end of the content was not answered within 1 second"));
    WAIT_UNTIL (office_queued (office) == 0);
}

static void
test_slow_greeting (void)
{
    g_autoptr (Office) office = office_new (1);
    Smarthost *smarthost = office_smarthost (office, 0);

    office_settings (office)->greeting_seconds = 1;
    smarthost_on (smarthost, "CONNECT", NULL, 0, SMARTHOST_SILENT);
    office_start (office);
    office_submit (office, SENDER, "b@example.net", MESSAGE);
    WAIT_UNTIL (office_saw (office, "remote first down"));

    g_assert_true (office_saw (office, "no greeting came within 1 second"));
}

static void
test_one_slow_message (void)
{
    g_autoptr (Office) office = office_new (1);
    Smarthost *smarthost = office_smarthost (office, 0);

    smarthost_on (smarthost, "END", "slow@", 0, SMARTHOST_SILENT);
    office_start (office);
    office_submit (office, "slow@example.org", "b@example.net", MESSAGE);
    WAIT_UNTIL (smarthost_count (smarthost, "END") == 1);
    for (guint i = 0; i < 10; i++)
        office_submit (office, SENDER, "c@example.net", MESSAGE);
    WAIT_UNTIL (office_count_events (office, "delivered") == 10);
    g_assert_cmpuint (office_queued (office), ==, 1);
}

static void
test_paused (void)
{
    g_autoptr (Office) office = office_new (1);
    Smarthost *smarthost = office_smarthost (office, 0);

    office_start (office);
    delivery_pause (office->delivery);
    office_submit (office, SENDER, "b@example.net", MESSAGE);
    office_submit (office, SENDER, "b@example.net", MESSAGE);
    for (guint i = 0; i < 10; i++)
        office_turn ("a turn", g_get_monotonic_time ());
    g_assert_true (delivery_is_paused (office->delivery));
    g_assert_cmpuint (smarthost_connections (smarthost), ==, 0);

    delivery_resume (office->delivery);
    WAIT_UNTIL (office_queued (office) == 0);
}

static void
test_stop_waits (void)
{
    g_autoptr (Office) office = office_new (1);
    Smarthost *smarthost = office_smarthost (office, 0);

    office_start (office);
    office_submit (office, SENDER, "b@example.net", MESSAGE);
    WAIT_UNTIL (smarthost_count (smarthost, "MAIL") == 1);
    office_stop (office, 30);

    g_assert_cmpuint (smarthost_messages (smarthost), ==, 1);
    g_assert_cmpuint (smarthost_count (smarthost, "QUIT"), ==, 1);
    WAIT_UNTIL (office_queued (office) == 0);
}

static void
test_stop_deadline (void)
{
    g_autoptr (Office) office = office_new (1);
    Smarthost *smarthost = office_smarthost (office, 0);
    g_autoptr (QueueMessage) message = NULL;
    QueueId id;

    smarthost_on (smarthost, "END", NULL, 0, SMARTHOST_SILENT);
    office_start (office);
    id = office_submit (office, SENDER, "b@example.net", MESSAGE);
    WAIT_UNTIL (smarthost_count (smarthost, "END") == 1);
    office_stop (office, 1);

    message = office_message (office, id);
    g_assert_nonnull (message);
    g_assert_cmpuint (queue_message_pending (message), ==, 1);
    g_assert_cmpuint (office_count_events (office, "deferred"), ==, 0);
}

static void
test_no_smarthost (void)
{
    g_autoptr (Office) office = office_new (0);
    g_autoptr (QueueMessage) message = NULL;
    QueueId id;

    office_start (office);
    id = office_submit (office, SENDER, "b@example.net", MESSAGE);
    WAIT_UNTIL (office_saw (office, "no smarthost is configured"));

    message = office_message (office, id);
    g_assert_cmpint (message->state, ==, QUEUE_STATE_DEFERRED);
    g_assert_true (
        g_str_has_prefix (message->reason, "no smarthost is configured: set Host= in the group [Smarthost]"));
}

static void
test_smarthost_added (void)
{
    g_autoptr (Office) office = office_new (0);

    office_start (office);
    office_submit (office, SENDER, "b@example.net", MESSAGE);
    WAIT_UNTIL (office_saw (office, "no smarthost is configured"));
    g_ptr_array_add (office->smarthosts, smarthost_new (NULL));
    office_reload (office);
    WAIT_UNTIL (office_queued (office) == 0);
}

static void
test_reload_keeps (void)
{
    g_autoptr (Office) office = office_new (1);
    Smarthost *smarthost = office_smarthost (office, 0);

    office_start (office);
    office_submit (office, SENDER, "b@example.net", MESSAGE);
    WAIT_UNTIL (office_queued (office) == 0);
    office_reload (office);
    WAIT_UNTIL (smarthost_open (smarthost) == 0);
    office_submit (office, SENDER, "b@example.net", MESSAGE);
    WAIT_UNTIL (office_queued (office) == 0);

    g_assert_cmpuint (office_remote (office, 0).delivered, ==, 2);
    g_assert_cmpuint (smarthost_connections (smarthost), ==, 2);
}

static void
test_reload_retires (void)
{
    g_autoptr (Office) office = office_new (1);
    Smarthost *old = office_smarthost (office, 0);

    office_start (office);
    office_submit (office, SENDER, "b@example.net", MESSAGE);
    WAIT_UNTIL (office_queued (office) == 0);
    g_ptr_array_insert (office->smarthosts, 0, smarthost_new (NULL));
    g_free (office_smarthost_settings (office, 1)->name);
    office_smarthost_settings (office, 1)->name = g_strdup ("renamed");
    office_reload (office);
    office_submit (office, SENDER, "b@example.net", MESSAGE);
    WAIT_UNTIL (office_queued (office) == 0);

    g_assert_cmpuint (smarthost_messages (office_smarthost (office, 0)), ==, 1);
    WAIT_UNTIL (smarthost_open (old) == 0);
    g_assert_cmpuint (office_remote (office, 1).delivered, ==, 0);
}

static void
test_wake_idle (void)
{
    g_autoptr (Office) office = office_new (1);
    Smarthost *smarthost = office_smarthost (office, 0);

    office_start (office);
    office_submit (office, SENDER, "b@example.net", MESSAGE);
    WAIT_UNTIL (office_queued (office) == 0);
    delivery_wake (office->delivery);
    WAIT_UNTIL (smarthost_open (smarthost) == 0);
    office_submit (office, SENDER, "b@example.net", MESSAGE);
    WAIT_UNTIL (office_queued (office) == 0);

    g_assert_cmpuint (smarthost_connections (smarthost), ==, 2);
}

static void
test_wake_busy (void)
{
    g_autoptr (Office) office = office_new (1);
    Smarthost *smarthost = office_smarthost (office, 0);

    smarthost_on (smarthost, "RCPT", NULL, 1, SMARTHOST_SILENT);
    office_start (office);
    office_submit (office, SENDER, "b@example.net", MESSAGE);
    WAIT_UNTIL (smarthost_count (smarthost, "RCPT") == 1);
    delivery_wake (office->delivery);
    WAIT_UNTIL (office_queued (office) == 0);

    g_assert_cmpuint (smarthost_messages (smarthost), ==, 1);
    g_assert_cmpuint (office_count_events (office, "deferred"), ==, 0);
}

static void
test_wake_opening (void)
{
    g_autoptr (Office) office = office_new (1);
    Smarthost *smarthost = office_smarthost (office, 0);

    smarthost_on (smarthost, "CONNECT", NULL, 1, SMARTHOST_SILENT);
    office_start (office);
    office_submit (office, SENDER, "b@example.net", MESSAGE);
    WAIT_UNTIL (smarthost_connections (smarthost) == 1);
    delivery_wake (office->delivery);
    WAIT_UNTIL (office_queued (office) == 0);

    g_assert_cmpuint (smarthost_connections (smarthost), ==, 2);
}

static void
test_wake_whole (void)
{
    g_autoptr (Office) office = office_new (1);
    Smarthost *smarthost = office_smarthost (office, 0);

    office_settings (office)->end_seconds = 2;
    smarthost_on (smarthost, "END", NULL, 1, SMARTHOST_SILENT);
    office_start (office);
    office_submit (office, SENDER, "b@example.net", MESSAGE);
    WAIT_UNTIL (smarthost_count (smarthost, "END") == 1);
    delivery_wake (office->delivery);
    WAIT_UNTIL (office_count_events (office, "deferred") == 1);
    g_assert_cmpuint (smarthost_connections (smarthost), ==, 1);
}

typedef struct {
    gboolean over;
    gchar *transcript;
    gchar *error;
} Trial;

static void
on_tested (const gchar *transcript, const GError *error, gpointer user_data)
{
    Trial *trial = user_data;

    trial->over = TRUE;
    trial->transcript = g_strdup (transcript);
    trial->error = error ? g_strdup (error->message) : NULL;
}

static void
trial_clear (Trial *trial)
{
    g_free (trial->transcript);
    g_free (trial->error);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Trial, trial_clear)

static void
test_trial (void)
{
    g_autoptr (Office) office = office_new (1);
    Smarthost *smarthost = office_smarthost (office, 0);
    g_auto (Trial) trial = {FALSE, NULL, NULL};

    office_start (office);
    g_assert_false (delivery_test (office->delivery, "unheard-of", SENDER, on_tested, &trial));
    g_assert_true (delivery_test (office->delivery, "first", SENDER, on_tested, &trial));
    WAIT_UNTIL (trial.over);

    g_assert_cmpstr (trial.error, ==, NULL);
    g_assert_nonnull (strstr (trial.transcript, "* connected to 127.0.0.1"));
    g_assert_nonnull (strstr (trial.transcript, "> MAIL FROM:<a@example.org>"));
    g_assert_nonnull (strstr (trial.transcript, "< 250 2.0.0 fine"));
    g_assert_cmpuint (smarthost_count (smarthost, "RSET"), ==, 1);
    g_assert_cmpuint (smarthost_count (smarthost, "QUIT"), ==, 1);
    g_assert_cmpuint (smarthost_messages (smarthost), ==, 0);
    g_assert_cmpint (office_remote (office, 0).state, ==, DELIVERY_REMOTE_UNKNOWN);
}

static void
test_trial_refused (void)
{
    g_autoptr (Office) office = office_new (1);
    g_auto (Trial) trial = {FALSE, NULL, NULL};

    smarthost_on (office_smarthost (office, 0), "MAIL", NULL, 0, "550 5.7.1 not from you");
    office_start (office);
    delivery_test (office->delivery, "first", SENDER, on_tested, &trial);
    WAIT_UNTIL (trial.over);

    g_assert_nonnull (strstr (trial.error, "550 5.7.1 not from you"));
}

static void
test_trial_down (void)
{
    g_autoptr (Office) office = office_new (1);
    g_auto (Trial) trial = {FALSE, NULL, NULL};

    smarthost_stop (office_smarthost (office, 0));
    office_start (office);
    delivery_test (office->delivery, "first", SENDER, on_tested, &trial);
    WAIT_UNTIL (trial.over);

    g_assert_nonnull (strstr (trial.error, "refused: nothing listens on that port"));
    g_assert_nonnull (strstr (trial.transcript, ": connection refused"));
}

static void
test_trial_password (void)
{
    g_autoptr (Office) office = office_new (0);
    g_auto (Trial) trial = {FALSE, NULL, NULL};

    g_ptr_array_add (office->smarthosts, smarthost_new ("AUTH PLAIN"));
    smarthost_on (office_smarthost (office, 0), "AUTH", NULL, 0, "535 5.7.8 bad credentials");
    office_smarthost_settings (office, 0)->user = g_strdup ("user");
    office_smarthost_settings (office, 0)->password = g_strdup ("hush");
    office_smarthost_settings (office, 0)->auth_without_tls = TRUE;
    office_start (office);
    delivery_test (office->delivery, "first", SENDER, on_tested, &trial);
    WAIT_UNTIL (trial.over);

    g_assert_nonnull (strstr (trial.error, "authentication refused: 535 5.7.8 bad credentials"));
    g_assert_null (strstr (trial.transcript, "hush"));
    g_assert_null (strstr (trial.transcript, "AHVzZXIAaHVzaA")); /* the same in base64 */
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/delivery/delivery/recipients-share-one-transaction", test_delivered);
    g_test_add_func ("/delivery/delivery/an-empty-message-arrives-empty", test_empty);
    g_test_add_func ("/delivery/delivery/a-large-message-arrives-as-it-was", test_large);
    g_test_add_func ("/delivery/delivery/one-connection-serves-many-messages", test_reused);
    g_test_add_func ("/delivery/delivery/many-messages-use-all-connections-and-no-more", test_limit);
    g_test_add_func ("/delivery/delivery/many-messages-from-the-disk-use-all-connections", test_limit_from_disk);
    g_test_add_func ("/delivery/delivery/a-burst-costs-one-connection", test_burst);
    g_test_add_func ("/delivery/delivery/an-idle-connection-quits", test_idle_quits);
    g_test_add_func ("/delivery/delivery/a-connection-closed-between-messages-punishes-none", test_closed_between);
    g_test_add_func ("/delivery/delivery/a-kept-connection-that-says-421-punishes-no-message", test_421_to_kept);
    g_test_add_func ("/delivery/delivery/each-recipient-has-its-own-result", test_partial);
    g_test_add_func ("/delivery/delivery/only-deferred-recipients-are-tried-again", test_retried);
    g_test_add_func ("/delivery/delivery/a-message-survives-a-connection-dropped-under-it", test_dropped);
    g_test_add_func ("/delivery/delivery/a-message-that-breaks-connections-holds-up-no-other", test_bad_message);
    g_test_add_func ("/delivery/delivery/waiting-for-a-reply-ends", test_slow);
    g_test_add_func ("/delivery/delivery/waiting-for-a-greeting-ends", test_slow_greeting);
    g_test_add_func ("/delivery/delivery/a-slow-message-holds-up-no-other", test_one_slow_message);
    g_test_add_func ("/delivery/delivery/paused-sends-nothing-until-resumed", test_paused);
    g_test_add_func ("/delivery/delivery/stop-lets-a-message-end", test_stop_waits);
    g_test_add_func ("/delivery/delivery/stop-puts-back-what-does-not-end", test_stop_deadline);
    g_test_add_func ("/delivery/delivery/without-a-smarthost-mail-waits-and-says-why", test_no_smarthost);
    g_test_add_func ("/delivery/delivery/a-smarthost-that-is-added-gets-the-waiting-mail", test_smarthost_added);
    g_test_add_func ("/delivery/delivery/a-reload-keeps-counters-and-renews-connections", test_reload_keeps);
    g_test_add_func ("/delivery/delivery/a-reload-lets-a-former-smarthost-go", test_reload_retires);
    g_test_add_func ("/delivery/delivery/waking-up-ends-idle-connections", test_wake_idle);
    g_test_add_func ("/delivery/delivery/waking-up-sends-anew-what-was-on-its-way", test_wake_busy);
    g_test_add_func ("/delivery/delivery/waking-up-opens-anew-what-was-being-opened", test_wake_opening);
    g_test_add_func ("/delivery/delivery/waking-up-sends-nothing-twice", test_wake_whole);
    g_test_add_func ("/delivery/delivery/a-trial-goes-as-far-as-mail-and-rset", test_trial);
    g_test_add_func ("/delivery/delivery/a-trial-tells-what-was-refused", test_trial_refused);
    g_test_add_func ("/delivery/delivery/a-trial-tells-that-nothing-listens", test_trial_down);
    g_test_add_func ("/delivery/delivery/a-trial-shows-no-password", test_trial_password);
    return g_test_run ();
}
