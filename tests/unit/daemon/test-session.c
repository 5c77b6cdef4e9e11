/* SPDX-License-Identifier: GPL-3.0-or-later */

/* SMTP sessions over a real socket into a real queue. */

#include "mill.h"
#include "sessions.h"

#include <arpa/inet.h>
#include <signal.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

typedef struct {
    Mill *mill;
    SmtpPoller *poller;
    Users *users;
    Sessions *sessions;
    int client;       /* -1: none, or closed */
    GString *heard;   /* all that the client has read */
    gboolean is_over; /* the server has closed */
    guint ended;      /* sessions_stop () has said so */
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer configuration)
{
    g_autoptr (GError) error = NULL;

    fixture->mill = mill_new (configuration != NULL ? configuration : "");
    fixture->poller = smtp_poller_new (NULL, &error);
    g_assert_no_error (error);
    fixture->users = users_new ();
    fixture->sessions = sessions_new (fixture->mill->queue, fixture->poller, fixture->users, fixture->mill->config);
    fixture->client = -1;
    fixture->heard = g_string_new (NULL);
}

static void
close_client (Fixture *fixture)
{
    if (fixture->client >= 0)
        close (fixture->client);
    fixture->client = -1;
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
    close_client (fixture);
    sessions_free (fixture->sessions);
    users_free (fixture->users);
    smtp_poller_unref (fixture->poller);
    mill_free (fixture->mill);
    g_string_free (fixture->heard, TRUE);
}

/* Gives one end of a pair of sockets to a new session; returns the other. */
static int
open_session (Fixture *fixture, ListenKind kind, const gchar *peer)
{
    struct sockaddr_in ipv4 = {.sin_family = AF_INET};
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    int fds[2];

    g_assert_no_errno (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds));
    if (peer != NULL)
        g_assert_cmpint (inet_pton (AF_INET, peer, &ipv4.sin_addr), ==, 1);
    sessions_accept (fixture->sessions, kind, fds[0],
                     peer != NULL ? (const struct sockaddr *) &ipv4 : (const struct sockaddr *) &local);
    return fds[1];
}

static void
connect_local (Fixture *fixture)
{
    fixture->client = open_session (fixture, LISTEN_LOCAL, NULL);
}

/* Reads what is there. */
static void
listen_closely (Fixture *fixture)
{
    gchar buffer[4096];
    gssize length;

    while ((length = read (fixture->client, buffer, sizeof buffer)) > 0)
        g_string_append_len (fixture->heard, buffer, length);

    if (length == 0)
        fixture->is_over = TRUE;
}

/* Waits until the client has heard @text. */
static void
hear (Fixture *fixture, const gchar *text)
{
    for (;;) {
        listen_closely (fixture);
        if (strstr (fixture->heard->str, text) != NULL)
            return;
        if (fixture->is_over)
            g_error ("“%s” was expected, but this was all:\n%s", text, fixture->heard->str);
        g_main_context_iteration (NULL, TRUE);
    }
}

static void
hear_end (Fixture *fixture)
{
    while (!fixture->is_over) {
        g_main_context_iteration (NULL, TRUE);
        listen_closely (fixture);
    }
}

static void
say (Fixture *fixture, const gchar *text)
{
    g_assert_cmpint (write (fixture->client, text, strlen (text)), ==, (gssize) strlen (text));
}

static void
say_and_hear (Fixture *fixture, const gchar *text, const gchar *reply)
{
    g_string_truncate (fixture->heard, 0);
    say (fixture, text);
    hear (fixture, reply);
}

static void
wait_sessions (Fixture *fixture, guint n)
{
    while (sessions_count (fixture->sessions) != n)
        g_main_context_iteration (NULL, TRUE);
}

#define ENVELOPE "EHLO client.example\r\nMAIL FROM:<me@example.org>\r\nRCPT TO:<you@example.net>\r\nDATA\r\n"

static void
test_a_local_client_is_known_by_its_user (Fixture *fixture, gconstpointer data)
{
    g_autoptr (GPtrArray) messages = NULL;
    g_autofree gchar *content = NULL;
    g_autofree gchar *user = g_strdup_printf ("uid %u", getuid ());
    const QueueMessage *message;

    connect_local (fixture);
    hear (fixture, "220 relay.example.org ESMTP");
    say_and_hear (fixture, "HELO x\r\nMAIL FROM:<me>\r\nRCPT TO:<you>\r\nDATA\r\n", "354 ");
    say_and_hear (fixture, "Subject: hello\r\n\r\nbody\r\n.\r\n", "250 2.0.0 queued as ");

    messages = mill_messages (fixture->mill);
    g_assert_cmpuint (messages->len, ==, 1);
    message = g_ptr_array_index (messages, 0);
    g_assert_cmpint (message->origin.uid, ==, getuid ());
    g_assert_cmpstr (message->origin.protocol, ==, "local");
    g_assert_cmpstr (message->envelope->sender, ==, "me@example.org");
    g_assert_cmpstr (message_envelope_recipient (message->envelope, 0)->address, ==, "you@example.org");

    content = mill_content (fixture->mill, message->id);
    g_assert_nonnull (strstr (content, user));
    say_and_hear (fixture, "QUIT\r\n", "221 ");
    hear_end (fixture);
    wait_sessions (fixture, 0);
}

static void
test_the_reply_tells_the_queue_id (Fixture *fixture, gconstpointer data)
{
    g_autoptr (GPtrArray) messages = NULL;
    g_autofree gchar *wanted = NULL;
    gchar id[QUEUE_ID_TEXT_BYTES];

    connect_local (fixture);
    hear (fixture, "220 ");
    say_and_hear (fixture, ENVELOPE, "354 ");
    say_and_hear (fixture, "hello\r\n.\r\n", "queued as ");

    messages = mill_messages (fixture->mill);
    queue_id_write (((QueueMessage *) g_ptr_array_index (messages, 0))->id, id);
    wanted = g_strdup_printf ("250 2.0.0 queued as %s\r\n", id);
    g_assert_cmpstr (fixture->heard->str, ==, wanted);
}

static void
test_a_trusted_network_may_relay (Fixture *fixture, gconstpointer data)
{
    g_autoptr (GPtrArray) messages = NULL;
    const QueueMessage *message;

    fixture->client = open_session (fixture, LISTEN_SMTP, "127.0.0.1");
    hear (fixture, "220 ");
    say_and_hear (fixture, ENVELOPE, "354 ");
    say_and_hear (fixture, "hello\r\n.\r\n", "250 2.0.0 queued as ");

    messages = mill_messages (fixture->mill);
    message = g_ptr_array_index (messages, 0);
    g_assert_cmpint (message->origin.uid, ==, -1);
    g_assert_cmpstr (message->origin.peer, ==, "127.0.0.1");
    g_assert_cmpstr (message->origin.helo, ==, "client.example");
    g_assert_cmpstr (message->origin.protocol, ==, "ESMTP");
}

static void
test_a_stranger_may_not_relay (Fixture *fixture, gconstpointer data)
{
    fixture->client = open_session (fixture, LISTEN_SMTP, "192.0.2.1");
    hear (fixture, "220 ");
    say_and_hear (fixture, "EHLO x\r\nMAIL FROM:<me@example.org>\r\nRCPT TO:<you@example.net>\r\n", "550 5.7.1 ");
    g_assert_cmpuint (mill_count (fixture->mill), ==, 0);
}

static void
test_pipelined_messages_are_all_answered (Fixture *fixture, gconstpointer data)
{
    g_autoptr (GString) text = g_string_new ("EHLO x\r\n");
    gchar *at;

    connect_local (fixture);
    for (guint i = 0; i < 20; i++)
        g_string_append (text, "MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nBDAT 7 LAST\r\nhello\r\n");
    g_string_append (text, "QUIT\r\n");
    say (fixture, text->str);
    hear_end (fixture);

    at = fixture->heard->str;
    for (guint i = 0; i < 20; i++) {
        at = strstr (at + 1, "queued as ");
        g_assert_nonnull (at);
    }
    g_assert_cmpuint (mill_count (fixture->mill), ==, 20);
}

static void
test_a_client_that_breaks_off_leaves_nothing (Fixture *fixture, gconstpointer data)
{
    connect_local (fixture);
    hear (fixture, "220 ");
    say_and_hear (fixture, ENVELOPE, "354 ");
    say (fixture, "Subject: half a mess");
    close_client (fixture);
    wait_sessions (fixture, 0);

    /* The queue keeps the order: the next one would be behind it. */
    fixture->is_over = FALSE;
    connect_local (fixture);
    say_and_hear (fixture, ENVELOPE, "354 ");
    say_and_hear (fixture, "hello\r\n.\r\n", "queued as ");
    g_assert_cmpuint (mill_count (fixture->mill), ==, 1);
}

static void
test_a_client_that_does_not_wait_for_the_answer_is_served (Fixture *fixture, gconstpointer data)
{
    connect_local (fixture);
    hear (fixture, "220 ");
    say_and_hear (fixture, ENVELOPE, "354 ");
    say (fixture, "hello\r\n.\r\n");
    close_client (fixture);
    mill_wait_queued (fixture->mill, 1);
    wait_sessions (fixture, 0);
}

static void
test_a_large_message_passes_through (Fixture *fixture, gconstpointer data)
{
    g_autofree gchar *line = g_strnfill (998, 'x');
    g_autofree gchar *text = g_strconcat (line, "\r\n", NULL);
    g_autoptr (GPtrArray) messages = NULL;
    gsize length = strlen (text);
    gsize total = 0;

    connect_local (fixture);
    hear (fixture, "220 ");
    say_and_hear (fixture, ENVELOPE, "354 ");
    say (fixture, "Subject: large\r\n\r\n");

    while (total < 20 * 1024 * 1024) {
        gssize n = write (fixture->client, text + total % length, length - total % length);

        if (n > 0)
            total += (gsize) n;
        else
            g_main_context_iteration (NULL, TRUE);
    }

    while (total % length != 0) {
        gssize n = write (fixture->client, text + total % length, length - total % length);

        if (n > 0)
            total += (gsize) n;
        else
            g_main_context_iteration (NULL, TRUE);
    }

    while (write (fixture->client, ".\r\n", 3) < 0)
        g_main_context_iteration (NULL, TRUE);
    hear (fixture, "queued as ");
    messages = mill_messages (fixture->mill);
    g_assert_cmpuint (((QueueMessage *) g_ptr_array_index (messages, 0))->size, >, total);
}

static void
test_too_large_a_message_is_refused (Fixture *fixture, gconstpointer data)
{
    g_autofree gchar *body = g_strnfill (2000, 'x');
    g_autofree gchar *text = g_strconcat (body, "\r\n.\r\n", NULL);

    connect_local (fixture);
    hear (fixture, "220 ");
    say_and_hear (fixture, ENVELOPE, "354 ");
    say_and_hear (fixture, text, "552 5.3.4 ");
    say_and_hear (fixture, "NOOP\r\n", "250 ");
    g_assert_cmpuint (mill_count (fixture->mill), ==, 0);
}

static void
test_a_loop_is_refused (Fixture *fixture, gconstpointer data)
{
    g_autoptr (GString) text = g_string_new (NULL);

    for (guint i = 0; i < 101; i++)
        g_string_append (text, "Received: from a by b; Sun, 22 Nov 2026 02:42:01 +0000\r\n");
    g_string_append (text, "\r\nhello\r\n.\r\n");

    connect_local (fixture);
    hear (fixture, "220 ");
    say_and_hear (fixture, ENVELOPE, "354 ");
    say_and_hear (fixture, text->str, "554 5.4.6 ");
    say_and_hear (fixture, "NOOP\r\n", "250 ");
    g_assert_cmpuint (mill_count (fixture->mill), ==, 0);
}

/* @configuration: which limit there is */
static const gchar *
full_reply (const gchar *configuration)
{
    if (strstr (configuration, "Rate") != NULL)
        return "450 4.7.1 ";

    return strstr (configuration, "User") != NULL ? "452 4.2.2 " : "452 4.3.1 ";
}

static void
test_a_full_queue_is_told (Fixture *fixture, gconstpointer data)
{
    connect_local (fixture);
    hear (fixture, "220 ");
    say_and_hear (fixture, ENVELOPE, "354 ");
    say_and_hear (fixture, "hello\r\n.\r\n", "queued as ");
    say_and_hear (fixture, ENVELOPE, full_reply (data));
    say_and_hear (fixture, "NOOP\r\n", "250 ");
    g_assert_cmpuint (mill_count (fixture->mill), ==, 1);
}

static void
test_a_silent_client_is_told_to_go (Fixture *fixture, gconstpointer data)
{
    connect_local (fixture);
    hear (fixture, "421 4.4.2 ");
    hear_end (fixture);
    wait_sessions (fixture, 0);
}

static void
test_the_end_of_a_session_is_a_use (Fixture *fixture, gconstpointer data)
{
    gint64 came_usec;
    gint64 ending_usec;

    g_assert_cmpint (sessions_used_usec (fixture->sessions), ==, 0);
    connect_local (fixture);
    hear (fixture, "220 ");
    came_usec = sessions_used_usec (fixture->sessions);
    ending_usec = g_get_monotonic_time ();
    g_assert_cmpint (came_usec, <=, ending_usec);
    close_client (fixture);
    wait_sessions (fixture, 0);
    g_assert_cmpint (sessions_used_usec (fixture->sessions), >=, ending_usec);
    g_assert_cmpint (came_usec, >, 0);
}

static void
test_a_client_that_never_reads_is_given_up (Fixture *fixture, gconstpointer data)
{
    connect_local (fixture);
    while (sessions_count (fixture->sessions) > 0) {
        static const gchar noops[] = "NOOP\r\nNOOP\r\nNOOP\r\nNOOP\r\nNOOP\r\nNOOP\r\nNOOP\r\nNOOP\r\n";

        while (write (fixture->client, noops, sizeof noops - 1) > 0)
            ;
        g_main_context_iteration (NULL, TRUE);
    }
}

/* The next session of an address is refused with @reply; when @first ends there is one. */
static void
check_share (Fixture *fixture, int first, const gchar *peer, const gchar *reply)
{
    guint n = sessions_count (fixture->sessions);

    fixture->client = open_session (fixture, LISTEN_SMTP, peer);
    hear (fixture, reply);
    hear_end (fixture);
    g_assert_cmpuint (sessions_count (fixture->sessions), ==, n);

    close (first);
    wait_sessions (fixture, n - 1);
    close_client (fixture);
    fixture->is_over = FALSE;
    fixture->client = open_session (fixture, LISTEN_SMTP, peer);
    hear (fixture, "220 ");
}

static void
test_one_too_many_is_told_to_come_again (Fixture *fixture, gconstpointer data)
{
    int first = open_session (fixture, LISTEN_SMTP, "192.0.2.1");
    int second = open_session (fixture, LISTEN_SMTP, "192.0.2.2");

    check_share (fixture, first, "192.0.2.3", "421 4.3.2 relay.example.org All sessions are taken");
    close (second);
}

static void
test_one_address_gets_no_more_than_its_share (Fixture *fixture, gconstpointer data)
{
    int first = open_session (fixture, LISTEN_SMTP, "192.0.2.1");
    int second = open_session (fixture, LISTEN_SMTP, "192.0.2.1");
    int other = open_session (fixture, LISTEN_SMTP, "192.0.2.2");

    check_share (fixture, first, "192.0.2.1", "421 4.7.0 relay.example.org You have too many sessions");
    close (second);
    close (other);
}

/* Whoever they are, on this machine. */
static void
test_unknown_users_share_one_share (Fixture *fixture, gconstpointer data)
{
    int first = open_session (fixture, LISTEN_SMTP, "127.0.0.1");
    int second = open_session (fixture, LISTEN_SMTP, "127.0.0.2");

    check_share (fixture, first, "127.0.0.3", "421 4.7.0 relay.example.org You have too many sessions");
    close (second);
}

static void
count_end (gpointer user_data)
{
    Fixture *fixture = user_data;

    fixture->ended++;
}

static void
test_stopping_tells_idle_clients (Fixture *fixture, gconstpointer data)
{
    connect_local (fixture);
    hear (fixture, "220 ");
    sessions_stop (fixture->sessions, count_end, fixture);
    hear (fixture, "421 4.3.2 ");
    hear_end (fixture);
    g_assert_cmpuint (fixture->ended, ==, 1);
}

static void
test_stopping_answers_a_commit_first (Fixture *fixture, gconstpointer data)
{
    connect_local (fixture);
    hear (fixture, "220 ");
    say_and_hear (fixture, ENVELOPE, "354 ");
    say (fixture, "hello\r\n.\r\n");

    /* The end of the message is read in one turn, and the disk takes more than that. */
    g_main_context_iteration (NULL, TRUE);
    sessions_stop (fixture->sessions, count_end, fixture);
    hear_end (fixture);
    g_assert_nonnull (strstr (fixture->heard->str, "queued as "));
    g_assert_nonnull (strstr (fixture->heard->str, "421 4.3.2 "));
    g_assert_cmpuint (mill_count (fixture->mill), ==, 1);
    g_assert_cmpuint (fixture->ended, ==, 1);
}

static void
test_stopping_without_sessions_is_over_at_once (Fixture *fixture, gconstpointer data)
{
    sessions_stop (fixture->sessions, count_end, fixture);
    g_assert_cmpuint (fixture->ended, ==, 1);
}

static void
test_a_new_configuration_is_for_new_sessions (Fixture *fixture, gconstpointer data)
{
    Config *config = mill_config (fixture->mill, "[Server]\nMaxMessageSize=1234\n");

    connect_local (fixture);
    hear (fixture, "220 ");
    sessions_set_config (fixture->sessions, config);
    config_unref (config);
    say_and_hear (fixture, "EHLO x\r\n", "SIZE 134217728");

    close_client (fixture);
    connect_local (fixture);
    say_and_hear (fixture, "EHLO x\r\n", "SIZE 1234");
}

/* What is refused is logged, which is no failure of the test. */
static GLogWriterOutput
keep_quiet (GLogLevelFlags level, const GLogField *fields, gsize n_fields, gpointer user_data)
{
    return level & (G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL) ? g_log_writer_default (level, fields, n_fields, NULL)
                                                              : G_LOG_WRITER_HANDLED;
}

static void
add (const gchar *name, void (*test) (Fixture *, gconstpointer), const gchar *configuration)
{
    g_autofree gchar *path = g_strconcat ("/daemon/session/", name, NULL);

    g_test_add (path, Fixture, configuration, set_up, test, tear_down);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_log_set_writer_func (keep_quiet, NULL, NULL);
    signal (SIGPIPE, SIG_IGN);

    add ("a-local-client-is-known-by-its-user", test_a_local_client_is_known_by_its_user, NULL);
    add ("the-reply-tells-the-queue-id", test_the_reply_tells_the_queue_id, NULL);
    add ("a-trusted-network-may-relay", test_a_trusted_network_may_relay, NULL);
    add ("a-stranger-may-not-relay", test_a_stranger_may_not_relay, NULL);
    add ("pipelined-messages-are-all-answered", test_pipelined_messages_are_all_answered, NULL);
    add ("a-client-that-breaks-off-leaves-nothing", test_a_client_that_breaks_off_leaves_nothing, NULL);
    add ("a-client-that-does-not-wait-for-the-answer-is-served",
         test_a_client_that_does_not_wait_for_the_answer_is_served, NULL);
    add ("a-large-message-passes-through", test_a_large_message_passes_through, NULL);
    add ("too-large-a-message-is-refused", test_too_large_a_message_is_refused, "[Server]\nMaxMessageSize=1000\n");
    add ("a-loop-is-refused", test_a_loop_is_refused, NULL);
    add ("a-full-queue-is-told", test_a_full_queue_is_told, "[Queue]\nMaxMessages=1\n");
    add ("a-user-with-a-full-share-is-told", test_a_full_queue_is_told, "[Queue]\nMaxUserMessages=1\n");
    add ("a-user-who-is-too-fast-is-told", test_a_full_queue_is_told, "[Queue]\nMaxUserRate=1/1h\n");
    add ("a-silent-client-is-told-to-go", test_a_silent_client_is_told_to_go, "[Server]\nIdleTimeout=1\n");
    add ("the-end-of-a-session-is-a-use", test_the_end_of_a_session_is_a_use, NULL);
    add ("a-client-that-never-reads-is-given-up", test_a_client_that_never_reads_is_given_up,
         "[Server]\nIdleTimeout=1\n");
    add ("one-too-many-is-told-to-come-again", test_one_too_many_is_told_to_come_again, "[Server]\nMaxSessions=2\n");
    add ("one-address-gets-no-more-than-its-share", test_one_address_gets_no_more_than_its_share,
         "[Server]\nMaxSessions=4\n");
    add ("unknown-users-share-one-share", test_unknown_users_share_one_share, "[Server]\nMaxSessions=4\n");
    add ("stopping-tells-idle-clients", test_stopping_tells_idle_clients, NULL);
    add ("stopping-answers-a-commit-first", test_stopping_answers_a_commit_first, NULL);
    add ("stopping-without-sessions-is-over-at-once", test_stopping_without_sessions_is_over_at_once, NULL);
    add ("a-new-configuration-is-for-new-sessions", test_a_new_configuration_is_for_new_sessions, NULL);

    return g_test_run ();
}
