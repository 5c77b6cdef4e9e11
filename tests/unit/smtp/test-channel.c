/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Channels over real sockets: one end is a channel, the other the test's own socket or a second channel. The tests
 * run the loop until what they expect has happened.
 */

#include "certificates.h"
#include "smtp/channel.h"

#include <errno.h>
#include <gio/gio.h>
#include <glib-unix.h>
#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LARGE_BYTES (3 * 1024 * 1024)
#define DAY_SECONDS (24 * 60 * 60)

typedef struct _End End;

struct _End {
    SmtpChannel *channel; /* NULL once it is freed or finished */
    GString *received;
    guint inputs;
    guint drained;
    guint secured;
    guint closed;
    guint expired;
    gsize longest_input;
    GError *error;
    void (*on_input) (End *end);
    void (*on_drained) (End *end);
    void (*on_secured) (End *end);
    void (*on_closed) (End *end);
    void (*on_expired) (End *end);
    gpointer data; /* for the hooks */
};

static void
end_input (const gchar *data, gsize length, gpointer user_data)
{
    End *end = user_data;

    g_assert_nonnull (end->channel);
    g_assert_cmpuint (end->closed, ==, 0);
    g_string_append_len (end->received, data, (gssize) length);
    end->longest_input = MAX (end->longest_input, length);
    end->inputs++;
    if (end->on_input)
        end->on_input (end);
}

static void
end_drained (gpointer user_data)
{
    End *end = user_data;

    g_assert_nonnull (end->channel);
    g_assert_cmpuint (smtp_channel_backlog (end->channel), ==, 0);
    end->drained++;
    if (end->on_drained)
        end->on_drained (end);
}

static void
end_secured (gpointer user_data)
{
    End *end = user_data;

    g_assert_nonnull (end->channel);
    end->secured++;
    if (end->on_secured)
        end->on_secured (end);
}

static void
end_closed (const GError *error, gpointer user_data)
{
    End *end = user_data;

    g_assert_nonnull (end->channel);
    g_assert_cmpuint (end->closed, ==, 0);
    end->closed++;
    end->error = error ? g_error_copy (error) : NULL;
    if (end->on_closed)
        end->on_closed (end);
}

static void
end_expired (gpointer user_data)
{
    End *end = user_data;

    g_assert_nonnull (end->channel);
    end->expired++;
    if (end->on_expired)
        end->on_expired (end);
}

static const SmtpChannelEvents end_events = {end_input, end_drained, end_secured, end_closed, end_expired};

static void
end_init (End *end, SmtpPoller *poller, int fd)
{
    GError *error = NULL;

    *end = (End){0};
    end->received = g_string_new (NULL);
    end->channel = smtp_channel_new (poller, fd, &end_events, end, &error);
    g_assert_no_error (error);
}

static void
end_free_channel (End *end)
{
    smtp_channel_free (g_steal_pointer (&end->channel));
}

static void
end_finish_channel (End *end)
{
    smtp_channel_finish (g_steal_pointer (&end->channel));
}

static void
end_pause (End *end)
{
    smtp_channel_pause_input (end->channel, TRUE);
}

static void
end_clear (End *end)
{
    if (end->channel)
        end_free_channel (end);
    g_string_free (end->received, TRUE);
    g_clear_error (&end->error);
}

/* A channel and the socket that it talks to. */
typedef struct {
    SmtpPoller *poller;
    End end;
    int fd;
} Line;

static void
line_init_type (Line *line, int type)
{
    int sockets[2];

    g_assert_no_errno (socketpair (AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, sockets));
    line->poller = smtp_poller_new (NULL, NULL);
    line->fd = sockets[1];
    end_init (&line->end, line->poller, sockets[0]);
}

static void
line_init (Line *line)
{
    line_init_type (line, SOCK_STREAM);
}

static void
line_hang_up (Line *line)
{
    if (line->fd >= 0)
        close (line->fd);
    line->fd = -1;
}

static void
run_what_is_ready (void)
{
    while (g_main_context_iteration (NULL, FALSE))
        ;
}

static void
line_clear (Line *line)
{
    end_clear (&line->end);
    line_hang_up (line);
    run_what_is_ready (); /* a finishing channel sees the peer's end */
    smtp_poller_unref (line->poller);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Line, line_clear)

static void
tcp_pair (int sockets[2])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl (INADDR_LOOPBACK)}};
    socklen_t length = sizeof address;
    int listener = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    g_assert_no_errno (bind (listener, (struct sockaddr *) &address, length));
    g_assert_no_errno (getsockname (listener, (struct sockaddr *) &address, &length));
    g_assert_no_errno (listen (listener, 1));
    sockets[1] = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    g_assert_no_errno (connect (sockets[1], (struct sockaddr *) &address, length));
    sockets[0] = accept4 (listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    g_assert_cmpint (sockets[0], >=, 0);
    close (listener);
}

static void
line_init_tcp (Line *line)
{
    int sockets[2];

    tcp_pair (sockets);
    line->poller = smtp_poller_new (NULL, NULL);
    line->fd = sockets[1];
    end_init (&line->end, line->poller, sockets[0]);
}

static void
say (Line *line, const gchar *text)
{
    g_assert_cmpint (write (line->fd, text, strlen (text)), ==, (gssize) strlen (text));
}

/* What has come, without waiting: "" for nothing, NULL for the end. */
static gchar *
hear (Line *line)
{
    gchar buffer[4096];
    gssize length = recv (line->fd, buffer, sizeof buffer, MSG_DONTWAIT);

    if (length < 0) {
        g_assert_cmpint (errno, ==, EAGAIN);
        length = 0;
    } else if (length == 0) {
        return NULL;
    }

    return g_strndup (buffer, (gsize) length);
}

static void
assert_heard (Line *line, const gchar *expected)
{
    g_autofree gchar *text = hear (line);

    g_assert_cmpstr (text, ==, expected);
}

static void
run_until (const guint *count)
{
    while (*count == 0)
        g_main_context_iteration (NULL, TRUE);
}

static void
run_until_received (End *end, gsize length)
{
    while (end->received->len < length && end->closed == 0)
        g_main_context_iteration (NULL, TRUE);
    g_assert_cmpuint (end->received->len, ==, length);
}

static GBytes *
new_large_bytes (void)
{
    guchar *data = g_malloc (LARGE_BYTES);

    for (guint i = 0; i < LARGE_BYTES; i++)
        data[i] = (guchar) (i * 7 + i / 251);

    return g_bytes_new_take (data, LARGE_BYTES);
}

static void
assert_is_large_bytes (const GString *received)
{
    g_autoptr (GBytes) expected = new_large_bytes ();

    g_assert_cmpuint (received->len, ==, LARGE_BYTES);
    g_assert_true (memcmp (received->str, g_bytes_get_data (expected, NULL), LARGE_BYTES) == 0);
}

static void
test_carries_bytes_both_ways (void)
{
    g_auto (Line) line;

    line_init (&line);
    say (&line, "EHLO client\r\n");
    run_until_received (&line.end, 13);
    g_assert_cmpstr (line.end.received->str, ==, "EHLO client\r\n");

    smtp_channel_send (line.end.channel, "250 server\r\n", 12);
    run_until (&line.end.drained);
    assert_heard (&line, "250 server\r\n");
}

/* A socket that keeps the borders of writes shows each as one packet. */
static void
test_one_turn_leaves_in_one_write (void)
{
    g_auto (Line) line;
    g_autoptr (GBytes) content = g_bytes_new_take (g_strnfill (3000, 'x'), 3000);
    g_autofree gchar *heard = NULL;

    line_init_type (&line, SOCK_SEQPACKET);
    smtp_channel_send (line.end.channel, "MAIL\r\n", 6);
    smtp_channel_send (line.end.channel, "RCPT\r\n", 6);
    smtp_channel_send_bytes (line.end.channel, content);
    smtp_channel_send (line.end.channel, ".\r\n", 3);
    assert_heard (&line, "");

    run_until (&line.end.drained);
    heard = hear (&line);
    g_assert_cmpuint (strlen (heard), ==, 6 + 6 + 3000 + 3);
    assert_heard (&line, "");
}

static void
answer_twice (End *end)
{
    smtp_channel_send (end->channel, "250 one\r\n", 9);
    smtp_channel_send (end->channel, "250 two\r\n", 9);
}

static void
test_answers_leave_in_the_turn_of_the_question (void)
{
    g_auto (Line) line;

    line_init_type (&line, SOCK_SEQPACKET);
    line.end.on_input = answer_twice;
    say (&line, "NOOP\r\nNOOP\r\n");
    g_main_context_iteration (NULL, TRUE);
    assert_heard (&line, "250 one\r\n250 two\r\n");
}

/* The peer reads little by little. */
static void
test_large_output_to_a_slow_peer_arrives (void)
{
    g_auto (Line) line;
    g_autoptr (GBytes) large = new_large_bytes ();
    g_autoptr (GString) heard = g_string_new (NULL);

    line_init (&line);
    smtp_channel_send_bytes (line.end.channel, large);
    while (heard->len < LARGE_BYTES) {
        gchar buffer[10000];
        gssize length;

        run_what_is_ready ();
        length = read (line.fd, buffer, sizeof buffer);
        g_assert_cmpint (length, >, 0);
        g_string_append_len (heard, buffer, length);
        g_assert_cmpuint (smtp_channel_backlog (line.end.channel), <=, LARGE_BYTES - heard->len);
    }
    run_until (&line.end.drained);
    g_assert_cmpuint (line.end.drained, ==, 1);
    assert_is_large_bytes (heard);
}

static void
test_a_peer_that_stops_reading_costs_no_turns (void)
{
    g_auto (Line) line;
    g_autoptr (GBytes) large = new_large_bytes ();

    line_init (&line);
    smtp_channel_send_bytes (line.end.channel, large);
    run_what_is_ready ();
    g_assert_cmpuint (smtp_channel_backlog (line.end.channel), >, LARGE_BYTES / 2);
    g_assert_cmpuint (line.end.drained, ==, 0);
    g_assert_false (g_main_context_pending (NULL));
}

static void
test_paused_input_waits (void)
{
    g_auto (Line) line;

    line_init (&line);
    smtp_channel_pause_input (line.end.channel, TRUE);
    say (&line, "MAIL\r\n");
    run_what_is_ready ();
    g_assert_cmpuint (line.end.inputs, ==, 0);
    say (&line, "RCPT\r\n");
    run_what_is_ready ();
    g_assert_cmpuint (line.end.inputs, ==, 0);

    smtp_channel_pause_input (line.end.channel, FALSE);
    run_until_received (&line.end, 12);
}

static void
test_a_hangup_while_paused_waits_too (void)
{
    g_auto (Line) line;

    line_init (&line);
    smtp_channel_pause_input (line.end.channel, TRUE);
    say (&line, "QUIT\r\n");
    line_hang_up (&line);
    run_what_is_ready ();
    g_assert_cmpuint (line.end.closed, ==, 0);
    g_assert_false (g_main_context_pending (NULL));

    smtp_channel_pause_input (line.end.channel, FALSE);
    run_until (&line.end.closed);
    g_assert_cmpstr (line.end.received->str, ==, "QUIT\r\n");
    g_assert_no_error (line.end.error);
}

static void
test_tells_the_end_after_the_input (void)
{
    g_auto (Line) line;

    line_init (&line);
    say (&line, "QUIT\r\n");
    line_hang_up (&line);
    run_until (&line.end.closed);
    g_assert_cmpstr (line.end.received->str, ==, "QUIT\r\n");
    g_assert_no_error (line.end.error);
    run_what_is_ready ();
    g_assert_false (g_main_context_pending (NULL));
}

static void
test_a_peer_that_only_listens_still_hears (void)
{
    g_auto (Line) line;

    line_init (&line);
    line.end.on_input = answer_twice;
    line.end.on_closed = end_finish_channel;
    say (&line, "NOOP\r\nNOOP\r\n");
    shutdown (line.fd, SHUT_WR);
    run_until (&line.end.closed);
    assert_heard (&line, "250 one\r\n250 two\r\n");
    assert_heard (&line, NULL);
}

static void
test_a_reset_is_told_in_words (void)
{
    g_auto (Line) line;
    struct linger linger = {1, 0};

    line_init_tcp (&line);
    g_assert_no_errno (setsockopt (line.fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger));
    line_hang_up (&line);
    run_until (&line.end.closed);
    g_assert_error (line.end.error, G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED);
    g_assert_cmpstr (line.end.error->message, ==, "connection reset by peer");
}

/* The peer refuses and closes while a command is on its way: sending fails, and still the refusal is heard. */
static void
test_last_words_are_heard (void)
{
    g_auto (Line) line;

    line_init (&line);
    say (&line, "421 too busy\r\n");
    line_hang_up (&line);
    smtp_channel_send (line.end.channel, "MAIL\r\n", 6);
    run_until (&line.end.closed);
    g_assert_cmpstr (line.end.received->str, ==, "421 too busy\r\n");
}

static void
test_sending_into_a_closed_connection_is_told (void)
{
    g_auto (Line) line;

    line_init (&line);
    smtp_channel_pause_input (line.end.channel, TRUE);
    line_hang_up (&line);
    smtp_channel_send (line.end.channel, "250 ok\r\n", 8);
    run_until (&line.end.closed);
    g_assert_nonnull (line.end.error);
    g_assert_cmpstr (line.end.error->message, ==, "connection reset by peer");
    smtp_channel_send (line.end.channel, "250 ok\r\n", 8);
    run_what_is_ready ();
}

static void
test_can_be_freed_in_input (void)
{
    g_auto (Line) line;

    line_init (&line);
    line.end.on_input = end_free_channel;
    smtp_channel_send (line.end.channel, "220 ready\r\n", 11);
    say (&line, "EHLO\r\n");
    line_hang_up (&line);
    run_until (&line.end.inputs);
    run_what_is_ready ();
    g_assert_cmpuint (line.end.closed, ==, 0);
}

static void
test_can_be_freed_in_drained (void)
{
    g_auto (Line) line;

    line_init (&line);
    line.end.on_drained = end_free_channel;
    smtp_channel_send (line.end.channel, "220 ready\r\n", 11);
    say (&line, "EHLO\r\n");
    run_until (&line.end.drained);
    run_what_is_ready ();
}

static void
test_can_be_freed_in_closed (void)
{
    g_auto (Line) line;

    line_init (&line);
    line.end.on_closed = end_free_channel;
    smtp_channel_set_deadline (line.end.channel, 1);
    line_hang_up (&line);
    run_until (&line.end.closed);
    run_what_is_ready ();
}

static void
test_can_be_freed_in_expired (void)
{
    g_auto (Line) line;

    line_init (&line);
    line.end.on_expired = end_free_channel;
    smtp_channel_set_deadline (line.end.channel, 1);
    run_until (&line.end.expired);
    assert_heard (&line, NULL);
}

static void
answer_and_finish (End *end)
{
    smtp_channel_send (end->channel, "221 bye\r\n", 9);
    end_finish_channel (end);
}

static void
test_finish_sends_what_is_queued (void)
{
    g_auto (Line) line;

    line_init_tcp (&line);
    line.end.on_input = answer_and_finish;
    say (&line, "QUIT\r\n");
    run_until (&line.end.inputs);
    assert_heard (&line, "221 bye\r\n");
    assert_heard (&line, NULL);
}

/* The peer goes on talking; its data must not make the kernel reset the connection. */
static void
test_finish_does_not_cost_the_peer_the_last_reply (void)
{
    g_auto (Line) line;

    line_init_tcp (&line);
    line.end.on_input = answer_and_finish;
    say (&line, "MAIL\r\n");
    run_until (&line.end.inputs);
    say (&line, "RCPT\r\n");
    run_what_is_ready ();
    say (&line, "DATA\r\n");
    run_what_is_ready ();
    assert_heard (&line, "221 bye\r\n");
    assert_heard (&line, NULL);
}

static void
test_finish_sends_more_than_the_socket_takes (void)
{
    g_auto (Line) line;
    g_autoptr (GBytes) large = new_large_bytes ();
    g_autoptr (GString) heard = g_string_new (NULL);
    gssize length = 1;

    line_init (&line);
    smtp_channel_send_bytes (line.end.channel, large);
    end_finish_channel (&line.end);
    while (length != 0) {
        gchar buffer[50000];

        run_what_is_ready ();
        length = read (line.fd, buffer, sizeof buffer);
        g_assert_cmpint (length, >=, 0);
        g_string_append_len (heard, buffer, length);
    }
    assert_is_large_bytes (heard);
}

static gboolean
note_hangup (gint fd, GIOCondition condition, gpointer user_data)
{
    (*(guint *) user_data)++;
    return G_SOURCE_REMOVE;
}

static void
test_finish_gives_up_on_a_peer_that_does_not_read (void)
{
    g_auto (Line) line;
    g_autoptr (GBytes) large = new_large_bytes ();
    guint hung_up = 0;

    line_init (&line);
    smtp_channel_send_bytes (line.end.channel, large);
    end_finish_channel (&line.end);
    g_unix_fd_add (line.fd, G_IO_HUP, note_hangup, &hung_up);
    run_until (&hung_up);
}

static void
test_finish_cuts_off_a_flood (void)
{
    g_auto (Line) line;
    g_autofree gchar *noise = g_strnfill (65536, 'x');
    gsize sent = 0;
    gssize length = 0;

    line_init (&line);
    end_finish_channel (&line.end);
    while (length >= 0 || errno == EAGAIN) {
        sent += (gsize) MAX (length, 0);
        g_assert_cmpuint (sent, <, LARGE_BYTES);
        run_what_is_ready ();
        length = send (line.fd, noise, 65536, MSG_NOSIGNAL);
    }
    g_assert_cmpint (errno, ==, EPIPE);
}

static void
test_an_endless_talker_leaves_others_their_turn (void)
{
    g_auto (Line) loud;
    g_auto (Line) quiet;
    g_autofree gchar *noise = g_strnfill (300000, 'x');

    line_init (&loud);
    line_init (&quiet);
    g_assert_cmpint (write (loud.fd, noise, 300000), >, 100000);
    say (&quiet, "NOOP\r\n");
    run_until_received (&quiet.end, 6);
    g_assert_cmpuint (loud.end.received->len, <=, 64 * 1024 + loud.end.longest_input);
    g_assert_cmpuint (loud.end.longest_input, <=, 64 * 1024);
}

static void
test_tcp_does_not_wait_to_fill_segments (void)
{
    int sockets[2];
    int on = 0;
    socklen_t length = sizeof on;
    g_autoptr (SmtpPoller) poller = smtp_poller_new (NULL, NULL);
    End end;

    tcp_pair (sockets);
    end_init (&end, poller, sockets[0]);
    g_assert_no_errno (getsockopt (sockets[0], IPPROTO_TCP, TCP_NODELAY, &on, &length));
    g_assert_cmpint (on, ==, 1);
    end_clear (&end);
    close (sockets[1]);
}

#define NAGLE_ROUNDS 20

static void
answer_at_the_end (End *end)
{
    if (g_str_has_suffix (end->received->str, "\r\n.\r\n")) {
        g_string_truncate (end->received, 0);
        smtp_channel_send (end->channel, "250 ok\r\n", 8);
    }
}

/* Returns: microseconds of the fastest round, of those after the kernel has acknowledged at once by itself */
static gpointer
send_in_small_pieces (gpointer data)
{
    int fd = GPOINTER_TO_INT (data);
    gint64 fastest = G_MAXINT;
    gchar buffer[100];

    for (guint i = 0; i < NAGLE_ROUNDS; i++) {
        gint64 start = g_get_monotonic_time ();

        g_assert_cmpint (write (fd, "content\r\n", 9), ==, 9);
        g_assert_cmpint (write (fd, ".\r\n", 3), ==, 3);
        g_assert_cmpint (read (fd, buffer, sizeof buffer), ==, 8);
        if (i >= NAGLE_ROUNDS / 2)
            fastest = MIN (fastest, g_get_monotonic_time () - start);
    }
    shutdown (fd, SHUT_WR);

    return GINT_TO_POINTER (fastest);
}

/* A peer with Nagle's algorithm would wait 40 ms for our acknowledgement in each round. A busy machine may be as slow in
 * some of them, but not in all. */
static void
test_a_peer_with_small_writes_does_not_wait (void)
{
    g_auto (Line) line;
    g_autoptr (GThread) thread = NULL;

    line_init_tcp (&line);
    line.end.on_input = answer_at_the_end;
    thread = g_thread_new ("peer", send_in_small_pieces, GINT_TO_POINTER (line.fd));
    run_until (&line.end.closed);
    g_assert_cmpint (GPOINTER_TO_INT (g_thread_join (g_steal_pointer (&thread))), <, 40000 / 2);
}

static void
test_an_idle_channel_costs_little (void)
{
    enum { CHANNELS = 200, MOST_BYTES = 1024 };
    g_autoptr (SmtpPoller) poller = smtp_poller_new (NULL, NULL);
    End *ends = g_new0 (End, CHANNELS);
    int *fds = g_new0 (int, CHANNELS);
    gsize before;
    gsize used = 0;

    for (guint i = 0; i < CHANNELS; i++) {
        int sockets[2];

        g_assert_no_errno (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets));
        before = mallinfo2 ().uordblks;
        end_init (&ends[i], poller, sockets[0]);
        fds[i] = sockets[1];
        smtp_channel_send (ends[i].channel, "220 ready\r\n", 11);
        run_until (&ends[i].drained);
        used += mallinfo2 ().uordblks - before;
    }

    g_test_message ("an idle channel uses %" G_GSIZE_FORMAT " bytes", used / CHANNELS);
    g_assert_cmpuint (used / CHANNELS, <, MOST_BYTES);
    for (guint i = 0; i < CHANNELS; i++) {
        end_clear (&ends[i]);
        close (fds[i]);
    }
    g_free (ends);
    g_free (fds);
}

static void
test_a_descriptor_that_is_none_is_told (void)
{
    g_autoptr (SmtpPoller) poller = smtp_poller_new (NULL, NULL);
    g_autoptr (GError) error = NULL;
    End end = {0};
    int sockets[2];

    g_assert_no_errno (pipe (sockets));
    close (sockets[0]);
    close (sockets[1]);
    g_assert_null (smtp_channel_new (poller, sockets[0], &end_events, &end, &error));
    g_assert_nonnull (error);
}

/* Two channels that speak TLS to each other. */
typedef struct {
    TestAuthority *authority;
    SmtpPoller *poller;
    SmtpTls *server_tls;
    SmtpTls *client_tls;
    End server;
    End client;
} Secure;

static const TestCertificate good = {"server", "mx.example.org", NULL, -DAY_SECONDS / 2, DAY_SECONDS, FALSE};

static void
secure_init (Secure *secure)
{
    GError *error = NULL;
    int sockets[2];

    *secure = (Secure){0};
    secure->authority = test_authority_new ();
    test_authority_issue (secure->authority, &good);
    secure->server_tls = smtp_tls_new_server (test_authority_path (secure->authority, "server.pem"),
                                              test_authority_path (secure->authority, "server.key"), &error);
    g_assert_no_error (error);
    secure->client_tls = smtp_tls_new_client (test_authority_path (secure->authority, "authority.pem"), TRUE, &error);
    g_assert_no_error (error);

    tcp_pair (sockets);
    secure->poller = smtp_poller_new (NULL, NULL);
    end_init (&secure->server, secure->poller, sockets[0]);
    end_init (&secure->client, secure->poller, sockets[1]);
}

static void
secure_clear (Secure *secure)
{
    end_clear (&secure->server);
    end_clear (&secure->client);
    run_what_is_ready ();
    smtp_poller_unref (secure->poller);
    smtp_tls_unref (secure->server_tls);
    smtp_tls_unref (secure->client_tls);
    test_authority_free (secure->authority);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Secure, secure_clear)

static void
secure_start (Secure *secure, const gchar *name)
{
    smtp_channel_start_tls (secure->server.channel, secure->server_tls, NULL);
    smtp_channel_start_tls (secure->client.channel, secure->client_tls, name);
}

static void
secure_init_and_shake_hands (Secure *secure)
{
    secure_init (secure);
    secure_start (secure, "mx.example.org");
    run_until (&secure->client.secured);
    run_until (&secure->server.secured);
}

static void
test_tls_carries_bytes_both_ways (void)
{
    g_auto (Secure) secure;

    secure_init_and_shake_hands (&secure);
    g_assert_true (g_str_has_prefix (smtp_channel_tls (secure.client.channel), "TLS1.3 "));
    smtp_channel_send (secure.client.channel, "EHLO\r\n", 6);
    run_until_received (&secure.server, 6);
    smtp_channel_send (secure.server.channel, "250 ok\r\n", 8);
    run_until_received (&secure.client, 8);
    g_assert_cmpstr (secure.client.received->str, ==, "250 ok\r\n");
}

static void
test_tls_large_output_arrives (void)
{
    g_auto (Secure) secure;
    g_autoptr (GBytes) large = new_large_bytes ();

    secure_init_and_shake_hands (&secure);
    smtp_channel_send_bytes (secure.client.channel, large);
    smtp_channel_send_bytes (secure.server.channel, large);
    run_until_received (&secure.server, LARGE_BYTES);
    run_until_received (&secure.client, LARGE_BYTES);
    assert_is_large_bytes (secure.server.received);
    assert_is_large_bytes (secure.client.received);
    run_until (&secure.client.drained);
    run_until (&secure.server.drained);
}

static void
test_tls_output_queued_before_the_handshake_is_secured_waits (void)
{
    g_auto (Secure) secure;

    secure_init (&secure);
    secure_start (&secure, "mx.example.org");
    smtp_channel_send (secure.client.channel, "EHLO\r\n", 6);
    run_until_received (&secure.server, 6);
    g_assert_cmpuint (secure.server.secured, ==, 1);
}

/* Each record makes the owner pause; nothing of what was decrypted or received meanwhile is lost. */
static void
test_tls_paused_input_waits (void)
{
    g_auto (Secure) secure;
    g_autoptr (GBytes) large = new_large_bytes ();

    secure_init_and_shake_hands (&secure);
    secure.server.on_input = end_pause;
    smtp_channel_send_bytes (secure.client.channel, large);
    while (secure.server.received->len < LARGE_BYTES) {
        guint inputs = secure.server.inputs;

        smtp_channel_pause_input (secure.server.channel, FALSE);
        while (secure.server.inputs == inputs)
            g_main_context_iteration (NULL, TRUE);
        run_what_is_ready ();
        g_assert_cmpuint (secure.server.inputs, ==, inputs + 1);
    }
    assert_is_large_bytes (secure.server.received);
}

static void
test_tls_goes_on_while_input_is_paused (void)
{
    g_auto (Secure) secure;

    secure_init (&secure);
    smtp_channel_pause_input (secure.server.channel, TRUE);
    secure_start (&secure, "mx.example.org");
    smtp_channel_send (secure.client.channel, "EHLO\r\n", 6);
    run_until (&secure.server.secured);
    run_what_is_ready ();
    g_assert_cmpuint (secure.server.inputs, ==, 0);
    smtp_channel_pause_input (secure.server.channel, FALSE);
    run_until_received (&secure.server, 6);
}

static void
start_tls_after_220 (End *end)
{
    Secure *secure = end->data;

    end->on_input = NULL;
    smtp_channel_send (end->channel, "220 go\r\n", 8);
    smtp_channel_start_tls (end->channel, secure->server_tls, NULL);
}

static void
start_tls_as_client (End *end)
{
    Secure *secure = end->data;

    end->on_input = NULL;
    smtp_channel_start_tls (end->channel, secure->client_tls, "mx.example.org");
}

static void
test_tls_starts_after_the_reply_in_plain (void)
{
    g_auto (Secure) secure;

    secure_init (&secure);
    secure.server.data = &secure;
    secure.server.on_input = start_tls_after_220;
    secure.client.data = &secure;
    secure.client.on_input = start_tls_as_client;
    smtp_channel_send (secure.client.channel, "STARTTLS\r\n", 10);
    run_until (&secure.client.secured);
    run_until (&secure.server.secured);
    g_assert_cmpstr (secure.client.received->str, ==, "220 go\r\n");
}

/* An attacker in the middle adds commands in plain behind STARTTLS (CVE-2011-0411): they reach nobody. */
static void
test_tls_plain_commands_behind_starttls_are_discarded (void)
{
    g_auto (Line) line;
    g_autoptr (TestAuthority) authority = test_authority_new ();
    g_autoptr (SmtpTls) server_tls = NULL;
    g_autoptr (SmtpTls) client_tls = smtp_tls_new_client (NULL, FALSE, NULL);
    End client;

    test_authority_issue (authority, &good);
    server_tls = smtp_tls_new_server (test_authority_path (authority, "server.pem"),
                                      test_authority_path (authority, "server.key"), NULL);
    line_init_tcp (&line);
    say (&line, "STARTTLS\r\n");
    run_until_received (&line.end, 10);
    say (&line, "RCPT TO:<attacker@example.org>\r\n");
    smtp_channel_send (line.end.channel, "220 go\r\n", 8);
    smtp_channel_start_tls (line.end.channel, server_tls, NULL);

    end_init (&client, line.poller, line.fd);
    line.fd = -1;
    run_until_received (&client, 8);
    smtp_channel_start_tls (client.channel, client_tls, NULL);
    smtp_channel_send (client.channel, "EHLO\r\n", 6);
    run_until_received (&line.end, 16);
    g_assert_cmpstr (line.end.received->str, ==, "STARTTLS\r\nEHLO\r\n");
    end_clear (&client);
}

static void
test_tls_wrong_name_closes_both (void)
{
    g_auto (Secure) secure;

    secure_init (&secure);
    secure_start (&secure, "smtp.example.net");
    secure.client.on_closed = end_finish_channel;
    run_until (&secure.client.closed);
    g_assert_error (secure.client.error, SMTP_TLS_ERROR, SMTP_TLS_ERROR_NAME);
    g_assert_nonnull (strstr (secure.client.error->message, "not for smtp.example.net"));
    run_until (&secure.server.closed);
    g_assert_error (secure.server.error, SMTP_TLS_ERROR, SMTP_TLS_ERROR_HANDSHAKE);
    g_test_message ("%s", secure.server.error->message);
}

static void
test_tls_a_session_that_cannot_start_closes (void)
{
    g_auto (Secure) secure;

    secure_init (&secure);
    smtp_channel_start_tls (secure.client.channel, secure.client_tls, NULL);
    g_assert_cmpuint (secure.client.closed, ==, 0);
    run_until (&secure.client.closed);
    g_assert_error (secure.client.error, SMTP_TLS_ERROR, SMTP_TLS_ERROR_SETUP);
}

static void
test_tls_an_end_in_the_handshake_closes (void)
{
    g_auto (Line) line;
    g_autoptr (SmtpTls) tls = smtp_tls_new_client (NULL, FALSE, NULL);

    line_init (&line);
    smtp_channel_start_tls (line.end.channel, tls, NULL);
    run_what_is_ready ();
    shutdown (line.fd, SHUT_WR);
    run_until (&line.end.closed);
    g_assert_error (line.end.error, SMTP_TLS_ERROR, SMTP_TLS_ERROR_HANDSHAKE);
    g_assert_nonnull (strstr (line.end.error->message, "closed the connection during the TLS handshake"));
}

static void
test_tls_a_silent_peer_meets_the_deadline (void)
{
    g_auto (Line) line;
    g_autoptr (SmtpTls) tls = smtp_tls_new_client (NULL, FALSE, NULL);

    line_init (&line);
    smtp_channel_start_tls (line.end.channel, tls, NULL);
    smtp_channel_set_deadline (line.end.channel, 1);
    line.end.on_expired = end_free_channel;
    run_until (&line.end.expired);
}

static void
test_tls_can_be_freed_in_secured (void)
{
    g_auto (Secure) secure;

    secure_init (&secure);
    secure.client.on_secured = end_free_channel;
    secure.server.on_closed = end_free_channel;
    secure_start (&secure, "mx.example.org");
    run_until (&secure.client.secured);
    run_until (&secure.server.closed);
}

static void
test_tls_can_be_freed_in_input (void)
{
    g_auto (Secure) secure;
    g_autoptr (GBytes) large = new_large_bytes ();

    secure_init_and_shake_hands (&secure);
    secure.server.on_input = end_free_channel;
    secure.client.on_closed = end_free_channel;
    smtp_channel_send_bytes (secure.client.channel, large);
    run_until (&secure.server.inputs);
    run_until (&secure.client.closed);
    g_assert_cmpuint (secure.server.inputs, ==, 1);
}

static void
test_tls_finish_says_goodbye (void)
{
    g_auto (Secure) secure;

    secure_init_and_shake_hands (&secure);
    secure.server.on_input = answer_and_finish;
    smtp_channel_send (secure.client.channel, "QUIT\r\n", 6);
    run_until (&secure.client.closed);
    g_assert_no_error (secure.client.error);
    g_assert_cmpstr (secure.client.received->str, ==, "221 bye\r\n");
}

static void
test_tls_finish_cuts_off_a_flood (void)
{
    g_auto (Secure) secure;
    g_autoptr (GBytes) flood = g_bytes_new_take (g_malloc0 (32 * 1024 * 1024), 32 * 1024 * 1024);

    secure_init_and_shake_hands (&secure);
    secure.server.on_input = answer_and_finish;
    smtp_channel_send_bytes (secure.client.channel, flood);
    run_until (&secure.client.closed);

    /* Turns enough for all of it, if it were read. */
    for (guint i = 0; i < 5000; i++)
        g_main_context_iteration (NULL, FALSE);
    g_assert_cmpuint (smtp_channel_backlog (secure.client.channel), >, 16 * 1024 * 1024);
}

static void
test_tls_a_peer_that_stops_reading_bounds_memory (void)
{
    g_auto (Secure) secure;
    g_autoptr (GBytes) large = g_bytes_new_take (g_malloc0 (32 * 1024 * 1024), 32 * 1024 * 1024);
    gsize before;

    secure_init_and_shake_hands (&secure);
    smtp_channel_pause_input (secure.client.channel, TRUE);
    before = mallinfo2 ().uordblks + mallinfo2 ().hblkhd;
    smtp_channel_send_bytes (secure.server.channel, large);
    run_what_is_ready ();
    g_assert_false (g_main_context_pending (NULL));
    g_assert_cmpuint (smtp_channel_backlog (secure.server.channel), >, 16 * 1024 * 1024);
    g_assert_cmpuint (mallinfo2 ().uordblks + mallinfo2 ().hblkhd, <, before + 1024 * 1024);
}

static void
test_tls_an_idle_session_costs_little (void)
{
    g_auto (Secure) secure;
    gsize before;
    gsize used;

    secure_init (&secure);
    before = mallinfo2 ().uordblks;
    secure_start (&secure, "mx.example.org");
    run_until (&secure.client.secured);
    run_until (&secure.server.secured);
    run_what_is_ready ();
    used = (mallinfo2 ().uordblks - before) / 2;
    g_test_message ("an idle TLS session uses %" G_GSIZE_FORMAT " bytes", used);
    g_assert_cmpuint (used, <, 32 * 1024);
}

int
main (int argc, char *argv[])
{
    g_test_init (&argc, &argv, NULL);

#define ADD(name, test) g_test_add_func ("/smtp/channel/" name, test)
    ADD ("carries-bytes-both-ways", test_carries_bytes_both_ways);
    ADD ("one-turn-leaves-in-one-write", test_one_turn_leaves_in_one_write);
    ADD ("answers-leave-in-the-turn-of-the-question", test_answers_leave_in_the_turn_of_the_question);
    ADD ("large-output-to-a-slow-peer-arrives", test_large_output_to_a_slow_peer_arrives);
    ADD ("a-peer-that-stops-reading-costs-no-turns", test_a_peer_that_stops_reading_costs_no_turns);
    ADD ("paused-input-waits", test_paused_input_waits);
    ADD ("a-hangup-while-paused-waits-too", test_a_hangup_while_paused_waits_too);
    ADD ("tells-the-end-after-the-input", test_tells_the_end_after_the_input);
    ADD ("a-peer-that-only-listens-still-hears", test_a_peer_that_only_listens_still_hears);
    ADD ("a-reset-is-told-in-words", test_a_reset_is_told_in_words);
    ADD ("last-words-are-heard", test_last_words_are_heard);
    ADD ("sending-into-a-closed-connection-is-told", test_sending_into_a_closed_connection_is_told);
    ADD ("can-be-freed-in-input", test_can_be_freed_in_input);
    ADD ("can-be-freed-in-drained", test_can_be_freed_in_drained);
    ADD ("can-be-freed-in-closed", test_can_be_freed_in_closed);
    ADD ("can-be-freed-in-expired", test_can_be_freed_in_expired);
    ADD ("finish-sends-what-is-queued", test_finish_sends_what_is_queued);
    ADD ("finish-does-not-cost-the-peer-the-last-reply", test_finish_does_not_cost_the_peer_the_last_reply);
    ADD ("finish-sends-more-than-the-socket-takes", test_finish_sends_more_than_the_socket_takes);
    ADD ("finish-gives-up-on-a-peer-that-does-not-read", test_finish_gives_up_on_a_peer_that_does_not_read);
    ADD ("finish-cuts-off-a-flood", test_finish_cuts_off_a_flood);
    ADD ("an-endless-talker-leaves-others-their-turn", test_an_endless_talker_leaves_others_their_turn);
    ADD ("tcp-does-not-wait-to-fill-segments", test_tcp_does_not_wait_to_fill_segments);
    ADD ("a-peer-with-small-writes-does-not-wait", test_a_peer_with_small_writes_does_not_wait);
    ADD ("an-idle-channel-costs-little", test_an_idle_channel_costs_little);
    ADD ("a-descriptor-that-is-none-is-told", test_a_descriptor_that_is_none_is_told);
    ADD ("tls/carries-bytes-both-ways", test_tls_carries_bytes_both_ways);
    ADD ("tls/large-output-arrives", test_tls_large_output_arrives);
    ADD ("tls/output-queued-before-the-session-is-secured-waits",
         test_tls_output_queued_before_the_handshake_is_secured_waits);
    ADD ("tls/paused-input-waits", test_tls_paused_input_waits);
    ADD ("tls/handshake-goes-on-while-input-is-paused", test_tls_goes_on_while_input_is_paused);
    ADD ("tls/starts-after-the-reply-in-plain", test_tls_starts_after_the_reply_in_plain);
    ADD ("tls/plain-commands-behind-starttls-are-discarded", test_tls_plain_commands_behind_starttls_are_discarded);
    ADD ("tls/wrong-name-closes-both", test_tls_wrong_name_closes_both);
    ADD ("tls/a-session-that-cannot-start-closes", test_tls_a_session_that_cannot_start_closes);
    ADD ("tls/an-end-in-the-handshake-closes", test_tls_an_end_in_the_handshake_closes);
    ADD ("tls/a-silent-peer-meets-the-deadline", test_tls_a_silent_peer_meets_the_deadline);
    ADD ("tls/can-be-freed-in-secured", test_tls_can_be_freed_in_secured);
    ADD ("tls/can-be-freed-in-input", test_tls_can_be_freed_in_input);
    ADD ("tls/finish-says-goodbye", test_tls_finish_says_goodbye);
    ADD ("tls/finish-cuts-off-a-flood", test_tls_finish_cuts_off_a_flood);
    ADD ("tls/a-peer-that-stops-reading-bounds-memory", test_tls_a_peer_that_stops_reading_bounds_memory);
    ADD ("tls/an-idle-session-costs-little", test_tls_an_idle_session_costs_little);

    return g_test_run ();
}
