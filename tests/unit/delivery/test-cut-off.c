/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Sessions that a smarthost ends in the middle of a message: for what they carried before, or for that message.
 */

#include "office.h"

#define SENDER  "a@example.org"
#define FOUR    "user0@example.net user1@example.net user2@example.net user3@example.net"
#define MESSAGE "Subject: hello\r\n\r\nhello\r\n"

static const gchar *const extensions[] = {"PIPELINING", ""};

/* How a server ends a session in which there were too many errors, recipients or commands. */
static const gchar *const ends[] = {"421 4.5.0 too many errors", "421 4.7.0 too much mail in this session",
                                    SMARTHOST_DROP};

/* What is deferred does not come back while the test runs. */
static Office *
new_office (const gchar *offered)
{
    Office *office = office_new (0);

    g_ptr_array_add (office->smarthosts, smarthost_new (offered));
    office_smarthost_settings (office, 0)->connections_most = 1;
    office_settings (office)->retry_first_seconds = 3600;
    return office;
}

/* Leaves a session that has carried a message. */
static void
use (Office *office)
{
    office_start (office);
    office_submit (office, SENDER, "b@example.net", MESSAGE);
    WAIT_UNTIL (office_queued (office) == 0);
}

static void
test_goes_by_another (void)
{
    for (guint i = 0; i < G_N_ELEMENTS (extensions); i++)
        for (guint j = 0; j < G_N_ELEMENTS (ends); j++) {
            g_autoptr (Office) office = new_office (extensions[i]);
            Smarthost *smarthost = office_smarthost (office, 0);

            use (office);
            smarthost_on (smarthost, "RCPT", "user2@", 1, ends[j]);
            office_submit (office, SENDER, FOUR, MESSAGE);
            WAIT_UNTIL (office_queued (office) == 0);

            g_assert_cmpuint (smarthost_connections (smarthost), ==, 2);
            g_assert_cmpuint (smarthost_messages (smarthost), ==, 2);
            g_assert_cmpuint (smarthost_message (smarthost, 1)->recipients->len, ==, 4);
            g_assert_cmpuint (office_count_events (office, "deferred"), ==, 0);
            g_assert_cmpint (office_remote (office, 0).state, ==, DELIVERY_REMOTE_UP);
        }
}

static void
test_at_data (void)
{
    for (guint i = 0; i < G_N_ELEMENTS (extensions); i++)
        for (guint j = 0; j < G_N_ELEMENTS (ends); j++) {
            g_autoptr (Office) office = new_office (extensions[i]);
            Smarthost *smarthost = office_smarthost (office, 0);

            use (office);
            smarthost_on (smarthost, "DATA", NULL, 1, ends[j]);
            office_submit (office, SENDER, FOUR, MESSAGE);
            WAIT_UNTIL (office_queued (office) == 0);

            g_assert_cmpuint (smarthost_messages (smarthost), ==, 2);
            g_assert_cmpuint (office_count_events (office, "deferred"), ==, 0);
        }
}

static void
test_refused_stay_refused (void)
{
    for (guint i = 0; i < G_N_ELEMENTS (extensions); i++)
        for (guint j = 0; j < G_N_ELEMENTS (ends); j++) {
            g_autoptr (Office) office = new_office (extensions[i]);
            Smarthost *smarthost = office_smarthost (office, 0);

            use (office);
            smarthost_on (smarthost, "RCPT", "user0@", 0, "550 5.1.1 no such user");
            smarthost_on (smarthost, "RCPT", "user2@", 1, ends[j]);
            office_submit (office, SENDER, FOUR, MESSAGE);
            WAIT_UNTIL (office_queued (office) == 0);

            g_assert_cmpuint (office_count_events (office, "bounced"), ==, 1);
            g_assert_true (office_saw (office, "bounced user0@example.net 550 5.1.1 no such user"));
            g_assert_cmpuint (office_count_events (office, "deferred"), ==, 0);
            g_assert_cmpuint (smarthost_connections (smarthost), ==, 2);
        }
}

static void
test_fresh_session (void)
{
    for (guint i = 0; i < G_N_ELEMENTS (extensions); i++)
        for (guint j = 0; j < G_N_ELEMENTS (ends); j++) {
            g_autoptr (Office) office = new_office (extensions[i]);
            Smarthost *smarthost = office_smarthost (office, 0);

            smarthost_on (smarthost, "RCPT", "user2@", 0, ends[j]);
            office_start (office);
            office_submit (office, SENDER, FOUR, MESSAGE);
            WAIT_UNTIL (office_count_events (office, "deferred") == 4);

            g_assert_cmpuint (smarthost_connections (smarthost), ==, 1);
        }
}

static void
test_once_only (void)
{
    for (guint i = 0; i < G_N_ELEMENTS (extensions); i++)
        for (guint j = 0; j < G_N_ELEMENTS (ends); j++) {
            g_autoptr (Office) office = new_office (extensions[i]);
            Smarthost *smarthost = office_smarthost (office, 0);

            use (office);
            smarthost_on (smarthost, "RCPT", "user2@", 0, ends[j]);
            office_submit (office, SENDER, FOUR, MESSAGE);
            WAIT_UNTIL (office_count_events (office, "deferred") == 4);

            g_assert_cmpuint (smarthost_connections (smarthost), ==, 2);
            g_assert_cmpuint (smarthost_messages (smarthost), ==, 1);
        }
}

/* The server may have it: whether it does is not asked at once. */
static void
test_content_has_left (void)
{
    for (guint i = 0; i < G_N_ELEMENTS (extensions); i++)
        for (guint j = 0; j < G_N_ELEMENTS (ends); j++) {
            g_autoptr (Office) office = new_office (extensions[i]);
            Smarthost *smarthost = office_smarthost (office, 0);

            use (office);
            smarthost_on (smarthost, "END", NULL, 1, ends[j]);
            office_submit (office, SENDER, FOUR, MESSAGE);
            WAIT_UNTIL (office_count_events (office, "deferred") == 4);

            g_assert_cmpuint (smarthost_connections (smarthost), ==, 1);
        }
}

#define ADD(name, function) g_test_add_func ("/delivery/cut-off/" name, function)

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    ADD ("a-message-in-a-used-session-goes-by-another", test_goes_by_another);
    ADD ("so-it-does-at-data", test_at_data);
    ADD ("who-was-refused-before-stays-refused", test_refused_stay_refused);
    ADD ("a-message-in-a-fresh-session-waits", test_fresh_session);
    ADD ("a-message-that-ends-another-waits", test_once_only);
    ADD ("a-message-whose-content-has-left-waits", test_content_has_left);
    return g_test_run ();
}
