/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "office.h"

#include <string.h>

#define BODY    "the body of the original"
#define MESSAGE "Subject: hello\r\n\r\n" BODY "\r\n"
#define SENDER  "a@example.org"
#define REFUSED "550 5.1.1 nobody of that name"

/* The only smarthost refuses wrong@ and takes everything else, so the notice itself arrives there. */
static Office *
make_office (void)
{
    Office *office = office_new (1);

    smarthost_on (office_smarthost (office, 0), "RCPT", "wrong@", 0, REFUSED);
    return office;
}

static const SmarthostMessage *
only_notice (Office *office)
{
    const SmarthostMessage *found = NULL;

    for (guint i = 0; i < smarthost_messages (office_smarthost (office, 0)); i++) {
        const SmarthostMessage *message = smarthost_message (office_smarthost (office, 0), i);

        if (!g_str_has_prefix (message->sender, "<>"))
            continue;
        g_assert_null (found);
        found = message;
    }

    g_assert_nonnull (found);
    return found;
}

static guint
count_notices (Office *office)
{
    guint count = 0;

    for (guint i = 0; i < smarthost_messages (office_smarthost (office, 0)); i++)
        count += g_str_has_prefix (smarthost_message (office_smarthost (office, 0), i)->sender, "<>");

    return count;
}

static void
assert_has (const SmarthostMessage *message, const gchar *text)
{
    if (!strstr (message->content->str, text))
        g_error ("“%s” is not in:\n%s", text, message->content->str);
}

static void
test_failed (void)
{
    g_autoptr (Office) office = make_office ();
    const SmarthostMessage *notice;

    office_start (office);
    office_submit (office, SENDER, "wrong@example.net good@example.net wrong@example.com", MESSAGE);
    WAIT_UNTIL (office_queued (office) == 0);

    notice = only_notice (office);
    g_assert_cmpuint (notice->recipients->len, ==, 1);
    g_assert_true (g_str_has_prefix (g_ptr_array_index (notice->recipients, 0), "<a@example.org>"));
    assert_has (notice, "multipart/report");
    assert_has (notice, "Action: failed");
    assert_has (notice, "Final-Recipient: rfc822; wrong@example.net");
    assert_has (notice, "Final-Recipient: rfc822; wrong@example.com");
    assert_has (notice, "Status: 5.1.1");
    assert_has (notice, "nobody of that name");
    assert_has (notice, "Remote-MTA: dns; 127.0.0.1");
    assert_has (notice, "Reporting-MTA: dns; relay.example.org");
    assert_has (notice, BODY);
    g_assert_null (strstr (notice->content->str, "good@example.net"));
    g_assert_cmpuint (office_count_events (office, "bounced"), ==, 2);
}

static void
test_queued_before (void)
{
    g_autoptr (Office) office = make_office ();
    guint queued = 0;

    office_start (office);
    office_submit (office, SENDER, "wrong@example.net", MESSAGE);
    WAIT_UNTIL (office_count_events (office, "bounced") == 1);

    for (guint i = 0; !g_str_has_prefix (g_ptr_array_index (office->events, i), "bounced"); i++)
        queued += g_str_has_prefix (g_ptr_array_index (office->events, i), "queued");
    g_assert_cmpuint (queued, ==, 2);
    WAIT_UNTIL (office_queued (office) == 0);
}

static void
submit_with (Office *office, const gchar *recipient, MessageNotify notify, MessageReturn ret)
{
    g_autoptr (MessageEnvelope) envelope = message_envelope_new (SENDER);
    MessageRecipient *added = message_envelope_add (envelope, recipient);

    added->notify = notify;
    added->orcpt = g_strdup ("rfc822;original@example.net");
    envelope->ret = ret;
    envelope->envid = g_strdup ("envelope-7");
    office_submit_envelope (office, envelope, MESSAGE);
}

static void
test_headers_only (void)
{
    g_autoptr (Office) office = make_office ();
    const SmarthostMessage *notice;

    office_start (office);
    submit_with (office, "wrong@example.net", MESSAGE_NOTIFY_FAILURE, MESSAGE_RETURN_HEADERS);
    WAIT_UNTIL (office_queued (office) == 0);

    notice = only_notice (office);
    assert_has (notice, "Subject: hello");
    assert_has (notice, "Original-Recipient: rfc822;original@example.net");
    assert_has (notice, "Original-Envelope-Id: envelope-7");
    g_assert_null (strstr (notice->content->str, BODY));
}

static void
test_large_original (void)
{
    g_autoptr (Office) office = make_office ();
    g_autoptr (GString) content = g_string_new (MESSAGE);
    const SmarthostMessage *notice;

    office_settings (office)->notice_content_bytes = 1000;
    while (content->len < 300000)
        g_string_append (content, "more and more\r\n");
    office_start (office);
    office_submit (office, SENDER, "wrong@example.net", content->str);
    WAIT_UNTIL (office_queued (office) == 0);

    notice = only_notice (office);
    assert_has (notice, "Subject: hello");
    g_assert_null (strstr (notice->content->str, "more and more"));
}

static void
test_not_asked_for (gconstpointer notify)
{
    g_autoptr (Office) office = make_office ();

    office_start (office);
    submit_with (office, "wrong@example.net", (MessageNotify) GPOINTER_TO_UINT (notify), MESSAGE_RETURN_UNSET);
    WAIT_UNTIL (office_queued (office) == 0);

    g_assert_cmpuint (office_count_events (office, "bounced"), ==, 1);
    g_assert_cmpuint (count_notices (office), ==, 0);
}

static void
test_relayed (void)
{
    g_autoptr (Office) office = make_office ();
    const SmarthostMessage *notice;

    office_start (office);
    submit_with (office, "good@example.net", MESSAGE_NOTIFY_SUCCESS, MESSAGE_RETURN_FULL);
    WAIT_UNTIL (office_queued (office) == 0);

    notice = only_notice (office);
    assert_has (notice, "Action: relayed");
    assert_has (notice, "Final-Recipient: rfc822; good@example.net");
    g_assert_null (strstr (notice->content->str, BODY));
}

static void
test_passed_on (void)
{
    g_autoptr (Office) office = office_new (0);
    Smarthost *smarthost = smarthost_new ("DSN");

    g_ptr_array_add (office->smarthosts, smarthost);
    office_start (office);
    submit_with (office, "good@example.net", MESSAGE_NOTIFY_SUCCESS, MESSAGE_RETURN_HEADERS);
    WAIT_UNTIL (office_queued (office) == 0);

    g_assert_cmpuint (count_notices (office), ==, 0);
    g_assert_nonnull (strstr (smarthost_message (smarthost, 0)->sender, "RET=HDRS"));
    g_assert_nonnull (strstr (g_ptr_array_index (smarthost_message (smarthost, 0)->recipients, 0), "NOTIFY=SUCCESS"));
}

static void
test_delayed (void)
{
    g_autoptr (Office) office = make_office ();
    const SmarthostMessage *notice;
    g_autoptr (QueueMessage) message = NULL;
    QueueId id;

    smarthost_on (office_smarthost (office, 0), "RCPT", "later@", 0, "450 4.2.0 greylisted");
    office_settings (office)->delay_notice_seconds = 1;
    office_start (office);
    id = office_submit (office, SENDER, "later@example.net", MESSAGE);
    WAIT_UNTIL (count_notices (office) == 1);

    notice = only_notice (office);
    assert_has (notice, "Action: delayed");
    assert_has (notice, "Status: 4.2.0");
    assert_has (notice, "Will-Retry-Until:");
    WAIT_UNTIL (smarthost_count (office_smarthost (office, 0), "MAIL") >= 5);
    g_assert_cmpuint (count_notices (office), ==, 1);

    message = office_message (office, id);
    g_assert_true (queue_message_recipient (message, 0)->delay_notified);
}

/* The notice waits behind the same closed way, and nothing is told about it. */
static void
test_delayed_while_closed (void)
{
    g_autoptr (Office) office = make_office ();
    g_autoptr (QueueMessage) message = NULL;
    QueueId id;

    smarthost_stop (office_smarthost (office, 0));
    office_settings (office)->delay_notice_seconds = 1;
    office_start (office);
    id = office_submit (office, SENDER, "b@example.net", MESSAGE);
    WAIT_UNTIL (office_queued (office) == 2);
    WAIT_UNTIL (office_count_events (office, "queued") == 2);

    message = office_message (office, id);
    g_assert_cmpuint (queue_message_recipient (message, 0)->attempts, ==, 1);
    smarthost_start (office_smarthost (office, 0));
    delivery_hurry (office->delivery);
    WAIT_UNTIL (office_queued (office) == 0);
    g_assert_cmpuint (count_notices (office), ==, 1);
}

static void
test_delay_not_asked_for (void)
{
    g_autoptr (Office) office = make_office ();

    smarthost_on (office_smarthost (office, 0), "RCPT", "later@", 2, "450 4.2.0 greylisted");
    office_settings (office)->delay_notice_seconds = 1;
    office_start (office);
    submit_with (office, "later@example.net", MESSAGE_NOTIFY_FAILURE, MESSAGE_RETURN_UNSET);
    WAIT_UNTIL (office_queued (office) == 0);

    g_assert_cmpuint (count_notices (office), ==, 0);
}

static void
test_expired (void)
{
    g_autoptr (Office) office = make_office ();
    const SmarthostMessage *notice;

    smarthost_on (office_smarthost (office, 0), "RCPT", "later@", 0, "450 4.2.0 greylisted");
    office_settings (office)->expire_seconds = 2;
    office_start (office);
    office_submit (office, SENDER, "later@example.net", MESSAGE);
    WAIT_UNTIL (office_queued (office) == 0);

    notice = only_notice (office);
    assert_has (notice, "Action: failed");
    assert_has (notice, "Status: 4.4.7");
    g_assert_cmpuint (office_count_events (office, "expired"), ==, 1);
}

static void
test_notice_refused (void)
{
    g_autoptr (Office) office = make_office ();

    smarthost_on (office_smarthost (office, 0), "RCPT", "a@example.org", 0, "550 5.1.1 no such sender");
    office_start (office);
    office_submit (office, SENDER, "wrong@example.net", MESSAGE);
    WAIT_UNTIL (office_count_events (office, "held") == 1);

    g_assert_cmpuint (office_queued (office), ==, 1);
    g_assert_true (office_saw (office, "held a@example.org 550 5.1.1 no such sender"));
    g_assert_cmpuint (office_count_events (office, "deferred"), ==, 0);
    g_assert_cmpuint (office_count_events (office, "queued"), ==, 2);
}

static void
test_many (void)
{
    g_autoptr (Office) office = make_office ();

    for (guint i = 0; i < 200; i++)
        office_submit (office, SENDER, "wrong@example.net", MESSAGE);
    office_start (office);
    WAIT_UNTIL (office_queued (office) == 0);

    g_assert_cmpuint (count_notices (office), ==, 200);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/delivery/notices/failures-of-one-attempt-make-one-notice", test_failed);
    g_test_add_func ("/delivery/notices/the-notice-is-safe-before-the-failure-is-settled", test_queued_before);
    g_test_add_func ("/delivery/notices/ret-hdrs-returns-the-header-only", test_headers_only);
    g_test_add_func ("/delivery/notices/a-large-original-returns-its-header-only", test_large_original);
    g_test_add_data_func ("/delivery/notices/notify-never-tells-nothing", GUINT_TO_POINTER (MESSAGE_NOTIFY_NEVER),
                          test_not_asked_for);
    g_test_add_data_func ("/delivery/notices/notify-success-tells-no-failure",
                          GUINT_TO_POINTER (MESSAGE_NOTIFY_SUCCESS), test_not_asked_for);
    g_test_add_func ("/delivery/notices/success-is-told-where-the-next-hop-will-not", test_relayed);
    g_test_add_func ("/delivery/notices/success-is-left-to-a-next-hop-that-offers-dsn", test_passed_on);
    g_test_add_func ("/delivery/notices/a-delay-is-told-once", test_delayed);
    g_test_add_func ("/delivery/notices/a-delay-is-told-while-the-way-is-closed", test_delayed_while_closed);
    g_test_add_func ("/delivery/notices/a-delay-is-not-told-if-not-asked-for", test_delay_not_asked_for);
    g_test_add_func ("/delivery/notices/expiry-is-told", test_expired);
    g_test_add_func ("/delivery/notices/a-refused-notice-is-held-and-not-notified", test_notice_refused);
    g_test_add_func ("/delivery/notices/many-failures-are-all-told", test_many);
    return g_test_run ();
}
