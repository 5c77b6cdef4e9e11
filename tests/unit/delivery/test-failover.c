/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "office.h"

#define MESSAGE "Subject: hello\r\n\r\nhello\r\n"
#define SENDER  "a@example.org"

static void
test_second (void)
{
    g_autoptr (Office) office = office_new (2);

    smarthost_stop (office_smarthost (office, 0));
    office_start (office);
    office_submit (office, SENDER, "b@example.net", MESSAGE);
    WAIT_UNTIL (office_queued (office) == 0);

    g_assert_cmpuint (smarthost_messages (office_smarthost (office, 1)), ==, 1);
    g_assert_cmpuint (office_count_events (office, "deferred"), ==, 0);
    g_assert_cmpint (office_remote (office, 0).state, ==, DELIVERY_REMOTE_DOWN);
    g_assert_cmpint (office_remote (office, 0).next_probe_usec, >, g_get_real_time ());
    g_assert_cmpint (office_remote (office, 1).state, ==, DELIVERY_REMOTE_UP);
}

static void
test_first_preferred (void)
{
    g_autoptr (Office) office = office_new (2);

    office_start (office);
    for (guint i = 0; i < 20; i++)
        office_submit (office, SENDER, "b@example.net", MESSAGE);
    WAIT_UNTIL (office_queued (office) == 0);

    g_assert_cmpuint (smarthost_messages (office_smarthost (office, 0)), ==, 20);
    g_assert_cmpuint (smarthost_connections (office_smarthost (office, 1)), ==, 0);
}

static void
test_first_comes_back (void)
{
    g_autoptr (Office) office = office_new (2);

    smarthost_stop (office_smarthost (office, 0));
    office_start (office);
    office_submit (office, SENDER, "b@example.net", MESSAGE);
    WAIT_UNTIL (office_queued (office) == 0);

    smarthost_start (office_smarthost (office, 0));
    while (office_remote (office, 0).state == DELIVERY_REMOTE_DOWN) {
        delivery_hurry (office->delivery);
        office_submit (office, SENDER, "b@example.net", MESSAGE);
        WAIT_UNTIL (office_queued (office) == 0);
        office_turn ("the first smarthost is up", g_get_monotonic_time ());
    }
    office_submit (office, SENDER, "last@example.net", MESSAGE);
    WAIT_UNTIL (office_queued (office) == 0);

    g_assert_cmpuint (smarthost_messages (office_smarthost (office, 0)), >=, 1);
}

static void
test_greeting (gconstpointer greeting)
{
    g_autoptr (Office) office = office_new (2);

    smarthost_on (office_smarthost (office, 0), "CONNECT", NULL, 0, greeting);
    office_start (office);
    office_submit (office, SENDER, "b@example.net", MESSAGE);
    WAIT_UNTIL (office_queued (office) == 0);

    g_assert_cmpuint (smarthost_messages (office_smarthost (office, 1)), ==, 1);
    g_assert_cmpuint (office_count_events (office, "deferred"), ==, 0);
}

static void
test_lookup (void)
{
    g_autoptr (Office) office = office_new (2);
    DeliverySmarthost *first = office_smarthost_settings (office, 0);

    g_free (first->host);
    first->host = g_strdup ("nowhere.invalid");
    office_settings (office)->connect_seconds = 2; /* where no name server answers */
    office_start (office);
    office_submit (office, SENDER, "b@example.net", MESSAGE);
    WAIT_UNTIL (office_queued (office) == 0);

    g_assert_cmpuint (smarthost_messages (office_smarthost (office, 1)), ==, 1);
    g_assert_true (office_saw (office, "nowhere.invalid"));
}

static void
test_no_tls (void)
{
    g_autoptr (Office) office = office_new (2);

    office_smarthost_settings (office, 0)->security = SMTP_SECURITY_STARTTLS;
    office_start (office);
    office_submit (office, SENDER, "b@example.net", MESSAGE);
    WAIT_UNTIL (office_queued (office) == 0);

    g_assert_cmpuint (smarthost_messages (office_smarthost (office, 0)), ==, 0);
    g_assert_cmpuint (smarthost_messages (office_smarthost (office, 1)), ==, 1);
}

static void
test_login_required (void)
{
    g_autoptr (Office) office = office_new (2);

    smarthost_on (office_smarthost (office, 0), "MAIL", NULL, 0, "530 5.7.0 authentication required");
    office_start (office);
    office_submit (office, SENDER, "b@example.net", MESSAGE);
    WAIT_UNTIL (office_queued (office) == 0);

    g_assert_cmpuint (smarthost_messages (office_smarthost (office, 1)), ==, 1);
    g_assert_cmpuint (office_count_events (office, "bounced"), ==, 0);
    g_assert_true (office_saw (office, "takes mail only after a login or with TLS: 530 5.7.0"));
}

static void
test_recipient_stays (gconstpointer reply)
{
    g_autoptr (Office) office = office_new (2);

    office_settings (office)->retry_first_seconds = 3600;
    smarthost_on (office_smarthost (office, 0), "RCPT", NULL, 0, reply);
    office_start (office);
    office_submit (office, "", "b@example.net", MESSAGE);
    WAIT_UNTIL (office_saw (office, reply));
    for (guint i = 0; i < 10; i++)
        office_turn ("a turn", g_get_monotonic_time ());

    g_assert_cmpuint (smarthost_connections (office_smarthost (office, 1)), ==, 0);
    g_assert_cmpint (office_remote (office, 0).state, ==, DELIVERY_REMOTE_UP);
}

static void
test_all_down (void)
{
    g_autoptr (Office) office = office_new (2);
    g_autoptr (QueueMessage) message = NULL;
    QueueId id;

    smarthost_stop (office_smarthost (office, 0));
    smarthost_stop (office_smarthost (office, 1));
    office_start (office);
    id = office_submit (office, SENDER, "b@example.net", MESSAGE);
    WAIT_UNTIL (office_count_events (office, "deferred") == 1);

    message = office_message (office, id);
    g_assert_cmpint (message->state, ==, QUEUE_STATE_DEFERRED);
    g_assert_cmpuint (queue_message_recipient (message, 0)->attempts, ==, 1);
    g_assert_cmpstr (queue_message_recipient (message, 0)->status, ==, "4.4.1");
    g_assert_true (office_saw (office, ": connection refused: nothing listens on that port; then 127.0.0.1:"));
}

static void
test_comes_back (void)
{
    g_autoptr (Office) office = office_new (1);
    Smarthost *smarthost = office_smarthost (office, 0);
    g_autoptr (QueueMessage) message = NULL;
    QueueId id;

    smarthost_stop (smarthost);
    office_start (office);
    id = office_submit (office, SENDER, "b@example.net", MESSAGE);
    WAIT_UNTIL (office_saw (office, "remote first down"));
    g_assert_nonnull (strstr (office_remote (office, 0).error, "connection refused"));
    for (guint i = 0; i < 30; i++)
        id = office_submit (office, SENDER, "b@example.net", MESSAGE);

    /* Behind a smarthost that is known to be down mail waits without being tried. */
    message = office_message (office, id);
    g_assert_cmpint (message->state, ==, QUEUE_STATE_DEFERRED);
    g_assert_cmpuint (queue_message_recipient (message, 0)->attempts, ==, 0);

    smarthost_start (smarthost);
    delivery_hurry (office->delivery);
    WAIT_UNTIL (office_queued (office) == 0);
    g_assert_cmpuint (smarthost_messages (smarthost), ==, 31);
    g_assert_true (office_saw (office, "remote first up"));
    g_assert_null (office_remote (office, 0).error);
}

static void
test_probe_by_itself (void)
{
    g_autoptr (Office) office = office_new (1);
    Smarthost *smarthost = office_smarthost (office, 0);

    smarthost_on (smarthost, "CONNECT", NULL, 1, "450 4.3.2 not yet");
    office_start (office);
    office_submit (office, SENDER, "b@example.net", MESSAGE);
    WAIT_UNTIL (office_saw (office, "remote first down"));
    WAIT_UNTIL (office_queued (office) == 0);

    g_assert_cmpuint (smarthost_connections (smarthost), ==, 2);
}

static void
test_no_login_storm (void)
{
    g_autoptr (Office) office = office_new (0);
    Smarthost *smarthost = smarthost_new ("AUTH PLAIN");

    g_ptr_array_add (office->smarthosts, smarthost);
    smarthost_on (smarthost, "AUTH", NULL, 0, "535 5.7.8 bad credentials");
    for (guint i = 0; i < 30; i++)
        office_submit (office, SENDER, "b@example.net", MESSAGE);
    office_smarthost_settings (office, 0)->user = g_strdup ("user");
    office_smarthost_settings (office, 0)->password = g_strdup ("hush");
    office_smarthost_settings (office, 0)->auth_without_tls = TRUE;
    office_start (office);
    WAIT_UNTIL (office_saw (office, "authentication refused: 535 5.7.8 bad credentials"));
    for (guint i = 0; i < 30; i++)
        office_submit (office, SENDER, "b@example.net", MESSAGE);

    g_assert_cmpuint (smarthost_count (smarthost, "AUTH"), ==, 1);
    g_assert_cmpint (office_remote (office, 0).next_probe_usec, >,
                     g_get_real_time () + 200 * (gint64) G_USEC_PER_SEC);
    g_assert_cmpuint (office_queued (office), ==, 60);
}

static void
test_crowded (void)
{
    g_autoptr (Office) office = office_new (1);
    Smarthost *smarthost = office_smarthost (office, 0);

    for (guint i = 0; i < 100; i++)
        office_submit (office, SENDER, "b@example.net", MESSAGE);
    smarthost_on (smarthost, "CONNECT", NULL, 1, "220 welcome");
    smarthost_on (smarthost, "CONNECT", NULL, 1, "220 welcome");
    smarthost_on (smarthost, "CONNECT", NULL, 0, "421 4.7.0 too many connections");
    office_start (office);
    WAIT_UNTIL (office_queued (office) == 0);

    g_assert_cmpuint (smarthost_messages (smarthost), ==, 100);
    g_assert_cmpuint (office_count_events (office, "deferred"), ==, 0);
    g_assert_false (office_saw (office, "remote first down"));
    g_assert_cmpuint (smarthost_connections (smarthost), <=, 4);
}

static void
test_stalled (void)
{
    g_autoptr (Office) office = office_new (2);

    smarthost_on (office_smarthost (office, 0), "CONNECT", NULL, 0, SMARTHOST_SILENT);
    office_start (office);
    office_submit (office, SENDER, "b@example.net", MESSAGE);
    WAIT_UNTIL (office_queued (office) == 0);

    g_assert_cmpuint (smarthost_messages (office_smarthost (office, 1)), ==, 1);
    g_assert_cmpuint (office_count_events (office, "deferred"), ==, 0);
}

static void
test_expires_while_closed (void)
{
    g_autoptr (Office) office = office_new (1);

    office_settings (office)->expire_seconds = 2;
    smarthost_stop (office_smarthost (office, 0));
    office_start (office);
    office_submit (office, SENDER, "b@example.net", MESSAGE);
    WAIT_UNTIL (office_saw (office, "expired b@example.net could not be delivered within 2 seconds"));
}

static void
test_old_mail_is_tried (void)
{
    g_autoptr (Office) office = office_new (1);
    gint64 begin_usec = g_get_monotonic_time ();

    office_submit (office, SENDER, "b@example.net", MESSAGE);
    WAIT_UNTIL (g_get_monotonic_time () - begin_usec > 1500000);
    office_settings (office)->expire_seconds = 1;
    office_start (office);
    WAIT_UNTIL (office_queued (office) == 0);

    g_assert_cmpuint (smarthost_messages (office_smarthost (office, 0)), ==, 1);
    g_assert_cmpuint (office_count_events (office, "delivered"), ==, 1);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/delivery/failover/refused-connections-go-to-the-next", test_second);
    g_test_add_func ("/delivery/failover/the-first-one-gets-everything", test_first_preferred);
    g_test_add_func ("/delivery/failover/the-first-one-gets-its-mail-back", test_first_comes_back);
    g_test_add_data_func ("/delivery/failover/421-in-greeting-goes-to-the-next", "421 4.3.2 not now", test_greeting);
    g_test_add_data_func ("/delivery/failover/450-in-greeting-goes-to-the-next", "450 4.3.2 not now", test_greeting);
    g_test_add_data_func ("/delivery/failover/554-in-greeting-goes-to-the-next", "554 5.3.2 no", test_greeting);
    g_test_add_data_func ("/delivery/failover/what-is-no-smtp-goes-to-the-next", "HTTP/1.1 400 Bad", test_greeting);
    g_test_add_data_func ("/delivery/failover/hanging-up-goes-to-the-next", SMARTHOST_DROP, test_greeting);
    g_test_add_func ("/delivery/failover/a-failed-look-up-goes-to-the-next", test_lookup);
    g_test_add_func ("/delivery/failover/no-tls-where-it-is-required-goes-to-the-next", test_no_tls);
    g_test_add_func ("/delivery/failover/530-goes-to-the-next-and-bounces-nothing", test_login_required);
    g_test_add_data_func ("/delivery/failover/4xx-of-a-recipient-stays", "451 4.2.1 mailbox busy",
                          test_recipient_stays);
    g_test_add_data_func ("/delivery/failover/5xx-of-a-recipient-stays", "550 5.1.1 nobody", test_recipient_stays);
    g_test_add_func ("/delivery/failover/all-down-defers-with-all-reasons", test_all_down);
    g_test_add_func ("/delivery/failover/mail-flows-at-once-when-it-comes-back", test_comes_back);
    g_test_add_func ("/delivery/failover/a-remote-that-is-down-is-probed-by-itself", test_probe_by_itself);
    g_test_add_func ("/delivery/failover/a-refused-login-is-no-storm", test_no_login_storm);
    g_test_add_func ("/delivery/failover/too-many-connections-slow-it-down-only", test_crowded);
    g_test_add_func ("/delivery/failover/a-remote-that-hangs-does-not-hold-up-what-can-go-another-way", test_stalled);
    g_test_add_func ("/delivery/failover/mail-expires-behind-a-closed-way", test_expires_while_closed);
    g_test_add_func ("/delivery/failover/mail-that-is-old-at-the-start-is-tried", test_old_mail_is_tried);
    return g_test_run ();
}
