/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Routes, with a queue and smarthosts. */

#include "office.h"

#define MESSAGE "Subject: hello\r\n\r\nhello\r\n"
#define SENDER  "a@example.org"

static DeliveryRoute *
add_route (Office *office, const gchar *name, const gchar *recipients, const gchar *smarthosts)
{
    DeliveryRoute *route = delivery_route_new (name);
    g_autofree gchar *bad = NULL;

    if (recipients)
        route->recipients = delivery_patterns_new (recipients, &bad);
    if (smarthosts) {
        g_auto (GStrv) names = g_strsplit (smarthosts, " ", -1);

        route->smarthosts = g_ptr_array_new_with_free_func (g_free);
        for (guint i = 0; names[i]; i++)
            g_ptr_array_add (route->smarthosts, g_strdup (names[i]));
    }
    g_ptr_array_add (office_settings (office)->routes, route);
    return route;
}

static const gchar *
recipient_at (Office *office, guint smarthost, guint message)
{
    return g_ptr_array_index (smarthost_message (office_smarthost (office, smarthost), message)->recipients, 0);
}

static void
test_split (void)
{
    g_autoptr (Office) office = office_new (2);

    add_route (office, "net", "example.net", "second");
    office_start (office);
    office_submit (office, SENDER, "b@example.net c@example.com d@example.net", MESSAGE);
    WAIT_UNTIL (office_queued (office) == 0);

    g_assert_cmpuint (smarthost_messages (office_smarthost (office, 0)), ==, 1);
    g_assert_cmpuint (smarthost_message (office_smarthost (office, 0), 0)->recipients->len, ==, 1);
    g_assert_cmpstr (recipient_at (office, 0, 0), ==, "<c@example.com>");
    g_assert_cmpuint (smarthost_messages (office_smarthost (office, 1)), ==, 1);
    g_assert_cmpuint (smarthost_message (office_smarthost (office, 1), 0)->recipients->len, ==, 2);
}

static void
test_one_way_closed (void)
{
    g_autoptr (Office) office = office_new (2);
    g_autoptr (QueueMessage) message = NULL;
    QueueId id;

    add_route (office, "net", "example.net", "second");
    smarthost_stop (office_smarthost (office, 1));
    office_start (office);
    id = office_submit (office, SENDER, "b@example.net c@example.com", MESSAGE);
    for (guint i = 0; i < 10; i++)
        office_submit (office, SENDER, "c@example.com", MESSAGE);
    WAIT_UNTIL (smarthost_messages (office_smarthost (office, 0)) == 11);
    WAIT_UNTIL (office_queued (office) == 1);

    message = office_message (office, id);
    g_assert_cmpint (queue_message_recipient (message, 0)->state, ==, QUEUE_RECIPIENT_PENDING);
    g_assert_cmpint (queue_message_recipient (message, 1)->state, ==, QUEUE_RECIPIENT_DELIVERED);

    smarthost_start (office_smarthost (office, 1));
    delivery_hurry (office->delivery);
    WAIT_UNTIL (office_queued (office) == 0);
    g_assert_cmpuint (smarthost_messages (office_smarthost (office, 1)), ==, 1);
}

static void
test_route_fails_over (void)
{
    g_autoptr (Office) office = office_new (3);

    add_route (office, "rest", NULL, "third second");
    smarthost_stop (office_smarthost (office, 2));
    office_start (office);
    office_submit (office, SENDER, "b@example.net", MESSAGE);
    WAIT_UNTIL (office_queued (office) == 0);

    g_assert_cmpuint (smarthost_messages (office_smarthost (office, 1)), ==, 1);
    g_assert_cmpuint (smarthost_connections (office_smarthost (office, 0)), ==, 0);
}

static void
test_share (void)
{
    g_autoptr (Office) office = office_new (3);

    add_route (office, "rest", NULL, NULL)->share = TRUE;
    office_smarthost_settings (office, 0)->weight = 3;
    office_start (office);
    for (guint i = 0; i < 50; i++) {
        office_submit (office, SENDER, "b@example.net", MESSAGE);
        WAIT_UNTIL (office_queued (office) == 0);
    }

    g_assert_cmpint (ABS ((gint) smarthost_messages (office_smarthost (office, 0)) - 30), <=, 1);
    g_assert_cmpint (ABS ((gint) smarthost_messages (office_smarthost (office, 1)) - 10), <=, 1);
    g_assert_cmpint (ABS ((gint) smarthost_messages (office_smarthost (office, 2)) - 10), <=, 1);
    g_assert_cmpuint (smarthost_connections (office_smarthost (office, 0)), ==, 1);
}

static void
test_share_burst (void)
{
    g_autoptr (Office) office = office_new (2);

    add_route (office, "rest", NULL, "first second")->share = TRUE;
    for (guint i = 0; i < 200; i++)
        office_submit (office, SENDER, "b@example.net", MESSAGE);
    office_start (office);
    WAIT_UNTIL (office_queued (office) == 0);

    g_assert_cmpuint (smarthost_messages (office_smarthost (office, 0)), >, 50);
    g_assert_cmpuint (smarthost_messages (office_smarthost (office, 1)), >, 50);
    g_assert_cmpuint (smarthost_messages (office_smarthost (office, 0)) +
                          smarthost_messages (office_smarthost (office, 1)),
                      ==, 200);
}

static void
test_share_down (void)
{
    g_autoptr (Office) office = office_new (2);

    add_route (office, "rest", NULL, NULL)->share = TRUE;
    smarthost_stop (office_smarthost (office, 0));
    office_start (office);
    for (guint i = 0; i < 20; i++)
        office_submit (office, SENDER, "b@example.net", MESSAGE);
    WAIT_UNTIL (office_queued (office) == 0);

    g_assert_cmpuint (smarthost_messages (office_smarthost (office, 1)), ==, 20);
    g_assert_cmpuint (office_count_events (office, "deferred"), ==, 0);
}

static void
test_discard (void)
{
    g_autoptr (Office) office = office_new (1);
    g_autoptr (MessageEnvelope) envelope = message_envelope_new (SENDER);

    message_envelope_add (envelope, "b@example.net")->notify = MESSAGE_NOTIFY_SUCCESS;
    message_envelope_add (envelope, "c@example.com");
    add_route (office, "nowhere", "example.net", NULL)->action = DELIVERY_ROUTE_DISCARD;
    office_start (office);
    office_submit_envelope (office, envelope, MESSAGE);
    WAIT_UNTIL (office_queued (office) == 0);

    g_assert_cmpuint (smarthost_messages (office_smarthost (office, 0)), ==, 1);
    g_assert_cmpstr (recipient_at (office, 0, 0), ==, "<c@example.com>");
    g_assert_true (office_saw (office, "delivered b@example.net discarded by [Route nowhere] of the configuration"));
}

static void
act (Office *office, QueueAction action, QueueId id)
{
    QueueFilter filter = QUEUE_FILTER_ALL;

    filter.ids = &id;
    filter.n_ids = 1;
    queue_act (office->queue, action, &filter, NULL, NULL);
}

static void
test_hold (void)
{
    g_autoptr (Office) office = office_new (2);
    g_autoptr (QueueMessage) message = NULL;
    QueueId id;

    add_route (office, "look", "example.net", "second")->action = DELIVERY_ROUTE_HOLD;
    office_settings (office)->expire_seconds = 1;
    office_start (office);
    id = office_submit (office, SENDER, "b@example.net", MESSAGE);
    WAIT_UNTIL (office_count_events (office, "held") == 1);

    message = office_message (office, id);
    g_assert_cmpint (message->state, ==, QUEUE_STATE_HELD);
    g_assert_cmpstr (message->reason, ==, "held by [Route look] of the configuration");
    g_assert_cmpuint (office_count_events (office, "expired"), ==, 0);

    act (office, QUEUE_ACTION_RELEASE, id);
    WAIT_UNTIL (office_queued (office) == 0);
    g_assert_cmpuint (smarthost_messages (office_smarthost (office, 1)), ==, 1);
    g_assert_cmpuint (smarthost_messages (office_smarthost (office, 0)), ==, 0);
    g_assert_cmpuint (office_count_events (office, "held"), ==, 1);
}

static void
test_reload (void)
{
    g_autoptr (Office) office = office_new (2);

    smarthost_stop (office_smarthost (office, 0));
    add_route (office, "net", "example.net", "first");
    office_start (office);
    for (guint i = 0; i < 30; i++)
        office_submit (office, SENDER, "b@example.net", MESSAGE);
    WAIT_UNTIL (office_saw (office, "remote first down"));
    g_assert_cmpuint (smarthost_messages (office_smarthost (office, 1)), ==, 0);

    add_route (office, "other", "example.net", "second");
    office_reload (office);
    WAIT_UNTIL (office_queued (office) == 0);
    g_assert_cmpuint (smarthost_messages (office_smarthost (office, 1)), ==, 30);
}

static void
test_reload_in_hand (void)
{
    g_autoptr (Office) office = office_new (2);

    smarthost_on (office_smarthost (office, 0), "CONNECT", NULL, 0, SMARTHOST_SILENT);
    add_route (office, "net", "example.net", "first");
    office_start (office);
    office_submit (office, SENDER, "b@example.net", MESSAGE);
    WAIT_UNTIL (smarthost_connections (office_smarthost (office, 0)) == 1);

    /* It waits for the session that is being opened, in a lane that is no more. */
    add_route (office, "other", "example.net", "second");
    office_reload (office);
    WAIT_UNTIL (office_queued (office) == 0);
    g_assert_cmpuint (smarthost_messages (office_smarthost (office, 1)), ==, 1);
}

static void
test_paused (void)
{
    g_autoptr (Office) office = office_new (1);

    add_route (office, "nowhere", "example.net", NULL)->action = DELIVERY_ROUTE_DISCARD;
    office_start (office);
    delivery_pause (office->delivery);
    office_submit (office, SENDER, "b@example.net", MESSAGE);
    for (guint i = 0; i < 10; i++)
        office_turn ("a turn", g_get_monotonic_time ());
    g_assert_cmpuint (office_queued (office), ==, 1);

    delivery_resume (office->delivery);
    WAIT_UNTIL (office_queued (office) == 0);
}

static void
test_closed_route_expires (void)
{
    g_autoptr (Office) office = office_new (2);

    add_route (office, "net", "example.net", "second");
    office_settings (office)->expire_seconds = 2;
    smarthost_stop (office_smarthost (office, 1));
    office_start (office);
    office_submit (office, SENDER, "b@example.net", MESSAGE);
    WAIT_UNTIL (office_saw (office, "expired b@example.net could not be delivered within 2 seconds"));

    /* The sender, on the way that is open, hears of it. */
    WAIT_UNTIL (smarthost_messages (office_smarthost (office, 0)) == 1);
    g_assert_cmpstr (recipient_at (office, 0, 0), ==, "<" SENDER ">");
}

/* One session, and one lane that always has more for it. */
static void
test_fair (void)
{
    g_autoptr (Office) office = office_new (1);
    guint before = 0;

    add_route (office, "net", "example.net", "first");
    office_smarthost_settings (office, 0)->connections_most = 1;
    office_start (office);
    delivery_pause (office->delivery);
    for (guint i = 0; i < 200; i++)
        office_submit (office, SENDER, "b@example.net", MESSAGE);
    office_submit (office, SENDER, "single@example.com", MESSAGE);
    delivery_resume (office->delivery);
    WAIT_UNTIL (office_queued (office) == 0);

    while (!g_str_equal (recipient_at (office, 0, before), "<single@example.com>"))
        before++;
    g_assert_cmpuint (before, <, 50);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/delivery/routing/a-message-is-split-by-its-recipients-routes", test_split);
    g_test_add_func ("/delivery/routing/a-closed-way-holds-up-no-other", test_one_way_closed);
    g_test_add_func ("/delivery/routing/a-route-fails-over-within-its-own-smarthosts", test_route_fails_over);
    g_test_add_func ("/delivery/routing/sharing-goes-by-weight", test_share);
    g_test_add_func ("/delivery/routing/a-burst-is-shared", test_share_burst);
    g_test_add_func ("/delivery/routing/one-that-is-down-leaves-its-share-to-the-others", test_share_down);
    g_test_add_func ("/delivery/routing/what-is-discarded-counts-as-delivered-and-is-told-to-nobody", test_discard);
    g_test_add_func ("/delivery/routing/what-was-held-and-released-goes-its-route", test_hold);
    g_test_add_func ("/delivery/routing/a-reload-sends-waiting-mail-the-new-way", test_reload);
    g_test_add_func ("/delivery/routing/a-reload-takes-back-what-waits-for-a-session", test_reload_in_hand);
    g_test_add_func ("/delivery/routing/paused-discards-nothing", test_paused);
    g_test_add_func ("/delivery/routing/mail-expires-behind-a-closed-route-while-others-are-open",
                     test_closed_route_expires);
    g_test_add_func ("/delivery/routing/a-busy-route-starves-no-other", test_fair);
    return g_test_run ();
}
