/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Messages with more recipients than a smarthost takes in one transaction.
 */

#include "delivery/portion.h"
#include "delivery/retry.h"
#include "office.h"

#define MESSAGE "Subject: hello\r\n\r\nhello\r\n"
#define SENDER  "a@example.org"

#define CLEAR    "452 4.5.3 too many recipients"
#define DOUBTFUL "552 too many recipients"

static void
submit (Office *office, guint n_recipients)
{
    g_autoptr (MessageEnvelope) envelope = message_envelope_new (SENDER);

    for (guint i = 0; i < n_recipients; i++) {
        g_autofree gchar *address = g_strdup_printf ("user%u@example.net", i);

        message_envelope_add (envelope, address);
    }
    office_submit_envelope (office, envelope, MESSAGE);
}

/* Each recipient once, over one connection, and none had to wait. */
static void
assert_all_got_it (Office *office, guint n_recipients)
{
    Smarthost *smarthost = office_smarthost (office, 0);
    g_autoptr (GHashTable) seen = g_hash_table_new (g_str_hash, g_str_equal);

    for (guint i = 0; i < smarthost_messages (smarthost); i++) {
        const SmarthostMessage *message = smarthost_message (smarthost, i);

        g_assert_cmpstr (message->content->str, ==, MESSAGE);
        for (guint j = 0; j < message->recipients->len; j++)
            g_assert_true (g_hash_table_add (seen, g_ptr_array_index (message->recipients, j)));
    }

    g_assert_cmpuint (g_hash_table_size (seen), ==, n_recipients);
    g_assert_cmpuint (smarthost_connections (smarthost), ==, 1);
    g_assert_cmpuint (office_count_events (office, "delivered"), ==, n_recipients);
    g_assert_cmpuint (office_count_events (office, "deferred"), ==, 0);
}

static Office *
new_office (const gchar *extensions)
{
    Office *office = office_new (0);

    g_ptr_array_add (office->smarthosts, smarthost_new (extensions));
    office_smarthost_settings (office, 0)->connections_most = 1;
    return office;
}

static void
test_rest_goes_at_once (void)
{
    static const gchar *const extensions[] = {"PIPELINING", ""};
    static const gchar *const replies[] = {CLEAR, DOUBTFUL};

    for (guint i = 0; i < G_N_ELEMENTS (extensions); i++)
        for (guint j = 0; j < G_N_ELEMENTS (replies); j++) {
            g_autoptr (Office) office = new_office (extensions[i]);
            Smarthost *smarthost = office_smarthost (office, 0);

            smarthost_limit_recipients (smarthost, 100, replies[j]);
            office_start (office);
            submit (office, 1000);
            WAIT_UNTIL (office_queued (office) == 0);

            g_assert_cmpuint (smarthost_messages (smarthost), ==, 10);
            g_assert_cmpuint (smarthost_count (smarthost, "MAIL"), ==, 10);
            g_assert_cmpuint (smarthost_count (smarthost, "RCPT"), <=, 1101);
            assert_all_got_it (office, 1000);
        }
}

static void
test_limit_is_remembered (void)
{
    g_autoptr (Office) office = new_office ("PIPELINING");
    Smarthost *smarthost = office_smarthost (office, 0);
    guint asked;

    smarthost_limit_recipients (smarthost, 5, CLEAR);
    office_start (office);
    submit (office, 20);
    WAIT_UNTIL (office_queued (office) == 0);
    asked = smarthost_count (smarthost, "RCPT");
    g_assert_cmpuint (asked, >, 20);

    /* Also over another session. */
    smarthost_hang_up (smarthost);
    submit (office, 20);
    WAIT_UNTIL (office_queued (office) == 0);
    g_assert_cmpuint (smarthost_count (smarthost, "RCPT"), ==, asked + 20);
    g_assert_cmpuint (smarthost_messages (smarthost), ==, 8);
}

static void
test_configured (void)
{
    g_autoptr (Office) office = new_office ("PIPELINING");
    Smarthost *smarthost = office_smarthost (office, 0);

    smarthost_limit_recipients (smarthost, 7, "550 5.7.1 you are listed now");
    office_smarthost_settings (office, 0)->recipients_most = 7;
    office_start (office);
    submit (office, 30);
    WAIT_UNTIL (office_queued (office) == 0);

    g_assert_cmpuint (smarthost_messages (smarthost), ==, 5);
    assert_all_got_it (office, 30);
}

static void
test_announced (void)
{
    g_autoptr (Office) office = new_office ("PIPELINING\nLIMITS RCPTMAX=10");
    Smarthost *smarthost = office_smarthost (office, 0);

    smarthost_limit_recipients (smarthost, 10, "550 5.7.1 you are listed now");
    office_start (office);
    submit (office, 30);
    WAIT_UNTIL (office_queued (office) == 0);

    g_assert_cmpuint (smarthost_messages (smarthost), ==, 3);
    assert_all_got_it (office, 30);
}

static void
test_individual_refusals_do_not_loop (void)
{
    static const gchar *const extensions[] = {"PIPELINING", ""};

    for (guint i = 0; i < G_N_ELEMENTS (extensions); i++) {
        g_autoptr (Office) office = new_office (extensions[i]);
        Smarthost *smarthost = office_smarthost (office, 0);

        smarthost_on (smarthost, "RCPT", "user3@", 0, "452 over quota");
        smarthost_on (smarthost, "RCPT", "user4@", 0, "452 over quota");
        smarthost_on (smarthost, "RCPT", "user7@", 0, "452 over quota");
        office_start (office);
        submit (office, 10);
        WAIT_UNTIL (office_count_events (office, "deferred") == 3);

        g_assert_cmpuint (office_count_events (office, "delivered"), ==, 7);
        g_assert_cmpuint (smarthost_count (smarthost, "MAIL"), <=, 3);
    }
}

static void
test_who_takes_none_is_not_asked_again (void)
{
    static const gchar *const moments[] = {"RCPT", "DATA", "END"};

    for (guint i = 0; i < G_N_ELEMENTS (moments); i++) {
        g_autoptr (Office) office = new_office ("PIPELINING");
        Smarthost *smarthost = office_smarthost (office, 0);

        smarthost_on (smarthost, moments[i], NULL, 0, "452 4.5.3 too many recipients in this hour");
        office_smarthost_settings (office, 0)->recipients_most = 5;
        office_start (office);
        submit (office, 50);
        WAIT_UNTIL (office_count_events (office, "deferred") == 50);

        g_assert_cmpuint (smarthost_count (smarthost, "MAIL"), ==, 1);
        g_assert_cmpuint (smarthost_messages (smarthost), ==, 0);
    }
}

/* Some count what they refuse, and end the session before the message could go to those that they took. */
static void
test_session_ends_for_it (void)
{
    static const gchar *const extensions[] = {"PIPELINING", ""};
    static const gchar *const ends[] = {SMARTHOST_DROP, "421 4.5.0 too many errors", "421 4.5.3 too many recipients"};

    for (guint i = 0; i < G_N_ELEMENTS (extensions); i++)
        for (guint j = 0; j < G_N_ELEMENTS (ends); j++) {
            g_autoptr (Office) office = new_office (extensions[i]);
            Smarthost *smarthost = office_smarthost (office, 0);

            smarthost_limit_recipients (smarthost, 5, DOUBTFUL);
            smarthost_on (smarthost, "RCPT", "user6@", 1, ends[j]);
            office_start (office);
            submit (office, 20);
            WAIT_UNTIL (office_queued (office) == 0);

            g_assert_cmpuint (smarthost_connections (smarthost), ==, 2);
            g_assert_cmpuint (smarthost_messages (smarthost), ==, 4);
            g_assert_cmpuint (office_count_events (office, "delivered"), ==, 20);
            g_assert_cmpuint (office_count_events (office, "deferred"), ==, 0);
        }
}

/* What was decided before stays decided, and a server that always ends the session is not asked for ever. */
static void
test_session_always_ends (void)
{
    g_autoptr (Office) office = new_office ("PIPELINING");
    Smarthost *smarthost = office_smarthost (office, 0);

    smarthost_on (smarthost, "RCPT", "user0@", 0, "550 5.1.1 no such user");
    smarthost_on (smarthost, "RCPT", "user2@", 0, CLEAR);
    smarthost_on (smarthost, "RCPT", "user3@", 0, SMARTHOST_DROP);
    office_start (office);
    submit (office, 5);
    WAIT_UNTIL (office_count_events (office, "bounced") == 1 && office_count_events (office, "deferred") > 0);

    g_assert_cmpuint (smarthost_connections (smarthost), <=, 16);
}

static void
test_least_number_counts (void)
{
    DeliveryPortion portion = {0};
    gint64 hour = delivery_usec (DELIVERY_PORTION_SECONDS);

    g_assert_cmpuint (delivery_portion_most (&portion, 0, 0, 5), ==, G_MAXUINT);
    g_assert_cmpuint (delivery_portion_most (&portion, 9, 0, 5), ==, 9);
    g_assert_cmpuint (delivery_portion_most (&portion, 9, 8, 5), ==, 8);
    delivery_portion_learn (&portion, 7, 5);
    g_assert_cmpuint (delivery_portion_most (&portion, 9, 8, 4 + hour), ==, 7);
    g_assert_cmpuint (delivery_portion_most (&portion, 6, 8, 4 + hour), ==, 6);
    g_assert_cmpuint (delivery_portion_most (&portion, 9, 8, 5 + hour), ==, 8);
    delivery_portion_learn (&portion, 0, 6);
    g_assert_cmpuint (delivery_portion_most (&portion, 0, 0, 7), ==, G_MAXUINT);
}

#define ADD(name, function) g_test_add_func ("/delivery/portion/" name, function)

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    ADD ("the-rest-goes-at-once", test_rest_goes_at_once);
    ADD ("the-limit-is-remembered", test_limit_is_remembered);
    ADD ("a-configured-limit-is-kept", test_configured);
    ADD ("an-announced-limit-is-kept", test_announced);
    ADD ("refusals-of-single-recipients-do-not-loop", test_individual_refusals_do_not_loop);
    ADD ("who-takes-none-is-not-asked-again", test_who_takes_none_is_not_asked_again);
    ADD ("a-session-that-ends-for-it-costs-no-time", test_session_ends_for_it);
    ADD ("a-session-that-always-ends-is-no-storm", test_session_always_ends);
    ADD ("the-least-number-counts", test_least_number_counts);
    return g_test_run ();
}
