/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * A receiver that takes everything
 *
 *     smtp-drain --messages=N
 *
 * Listens on a port of loopback that it prints, accepts mail on any number of connections, forgets it, and ends
 * successfully when it has so many messages. It costs a few microseconds a message; Postfix's smtp-sink costs as much as a
 * whole relay does, and would be what is measured.
 *
 * It offers what Postfix's own server offers (PIPELINING, 8BITMIME, SIZE, CHUNKING), answers in one write what came in
 * one read, and trusts its clients: it is no server for anything else.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <glib.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS_MOST 256
#define READ_BYTES  65536
#define BACKLOG     1024

static const gchar end_of_data[] = "\r\n.\r\n";

typedef struct {
    int fd;
    gboolean in_data;
    guint64 chunk_left; /* of BDAT */
    gboolean last_chunk;
    GString *input; /* an unfinished command, or the last bytes of the data, which may begin its end */
    GString *replies;
} Peer;

typedef struct {
    int epoll;
    int listener;
    guint to_come;
} Drain;

static void
watch (const Drain *drain, int fd, gpointer data)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = data};

    if (epoll_ctl (drain->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        g_error ("epoll: %s", g_strerror (errno));
}

static void
send_replies (Peer *peer)
{
    if (peer->replies->len > 0 && send (peer->fd, peer->replies->str, peer->replies->len, MSG_NOSIGNAL) < 0)
        g_debug ("a client is gone: %s", g_strerror (errno));
    g_string_truncate (peer->replies, 0);
}

static void
accept_peer (const Drain *drain)
{
    Peer *peer = g_new0 (Peer, 1);
    int yes = 1;

    peer->fd = accept4 (drain->listener, NULL, NULL, SOCK_CLOEXEC);
    if (peer->fd < 0)
        g_error ("accept: %s", g_strerror (errno));
    setsockopt (peer->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    peer->input = g_string_new (NULL);
    peer->replies = g_string_new ("220 drain.example.net ESMTP\r\n");
    send_replies (peer);
    watch (drain, peer->fd, peer);
}

static void
end_peer (Peer *peer)
{
    close (peer->fd);
    g_string_free (peer->input, TRUE);
    g_string_free (peer->replies, TRUE);
    g_free (peer);
}

/* The reply comes when the chunk has. An empty one, for which nothing would come, has it at once. */
static void
begin_chunk (Drain *drain, Peer *peer, const gchar *arguments)
{
    gchar *end;

    peer->chunk_left = g_ascii_strtoull (arguments, &end, 10);
    peer->last_chunk = g_ascii_strncasecmp (g_strstrip (end), "LAST", 4) == 0;
    if (peer->chunk_left > 0)
        return;
    g_string_append (peer->replies, "250 2.0.0 Ok\r\n");
    drain->to_come -= peer->last_chunk;
}

static void
execute (Drain *drain, Peer *peer, const gchar *line)
{
    const gchar *reply = "250 2.0.0 Ok\r\n";

    if (g_ascii_strncasecmp (line, "BDAT ", 5) == 0) {
        begin_chunk (drain, peer, line + 5);
        return;
    }
    if (g_ascii_strncasecmp (line, "EHLO", 4) == 0)
        reply = "250-drain.example.net\r\n250-PIPELINING\r\n250-SIZE\r\n250-8BITMIME\r\n250 CHUNKING\r\n";
    else if (g_ascii_strncasecmp (line, "QUIT", 4) == 0)
        reply = "221 2.0.0 Bye\r\n";
    else if (g_ascii_strncasecmp (line, "DATA", 4) == 0)
        reply = "354 Go ahead\r\n";
    peer->in_data = reply[0] == '3';
    g_string_append (peer->replies, reply);

    /* A message that begins with its end has no line before it. */
    if (peer->in_data)
        g_string_prepend (peer->input, "\r\n");
}

static gboolean
take_chunk (Drain *drain, Peer *peer)
{
    gsize length = (gsize) MIN (peer->chunk_left, peer->input->len);

    g_string_erase (peer->input, 0, (gssize) length);
    peer->chunk_left -= length;
    if (peer->chunk_left > 0)
        return FALSE;
    g_string_append (peer->replies, "250 2.0.0 Ok\r\n");
    drain->to_come -= peer->last_chunk;
    return TRUE;
}

/* Takes a command or some data from the input. Returns: whether there may be more to take */
static gboolean
take (Drain *drain, Peer *peer)
{
    GString *input = peer->input;
    const gchar *end;
    g_autofree gchar *line = NULL;

    if (peer->chunk_left > 0)
        return take_chunk (drain, peer);

    end = memmem (input->str, input->len, peer->in_data ? end_of_data : "\n", peer->in_data ? 5 : 1);
    if (end == NULL) {
        if (peer->in_data && input->len > 4)
            g_string_erase (input, 0, (gssize) input->len - 4);
        return FALSE;
    }
    if (peer->in_data) {
        g_string_erase (input, 0, end + 5 - input->str);
        g_string_append (peer->replies, "250 2.0.0 Ok: gone\r\n");
        peer->in_data = FALSE;
        drain->to_come--;
        return TRUE;
    }

    line = g_strndup (input->str, (gsize) (end - input->str));
    g_string_erase (input, 0, end + 1 - input->str);
    execute (drain, peer, line);
    return TRUE;
}

static void
serve (Drain *drain, Peer *peer)
{
    gchar buffer[READ_BYTES];
    gssize length = recv (peer->fd, buffer, sizeof buffer, 0);

    if (length <= 0) {
        end_peer (peer);
        return;
    }
    g_string_append_len (peer->input, buffer, length);
    while (take (drain, peer))
        ;
    send_replies (peer);
}

static void
listen_on_loopback (Drain *drain)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl (INADDR_LOOPBACK)};
    socklen_t length = sizeof address;

    drain->epoll = epoll_create1 (EPOLL_CLOEXEC);
    drain->listener = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind (drain->listener, (struct sockaddr *) &address, length) < 0 || listen (drain->listener, BACKLOG) < 0 ||
        getsockname (drain->listener, (struct sockaddr *) &address, &length) < 0)
        g_error ("listening: %s", g_strerror (errno));
    watch (drain, drain->listener, NULL);
    g_print ("%u\n", ntohs (address.sin_port));
}

int
main (int argc, char **argv)
{
    gint messages = 0;
    GOptionEntry options[] = {
        {"messages", 'm', 0, G_OPTION_ARG_INT, &messages, "after which it ends", "N"},
        {NULL},
    };
    g_autoptr (GOptionContext) context = g_option_context_new (NULL);
    g_autoptr (GError) error = NULL;
    struct epoll_event events[EVENTS_MOST];
    Drain drain = {0};

    g_option_context_add_main_entries (context, options, NULL);
    if (!g_option_context_parse (context, &argc, &argv, &error) || messages <= 0)
        g_error ("%s", error != NULL ? error->message : "--messages must be positive");

    drain.to_come = (guint) messages;
    listen_on_loopback (&drain);
    while (drain.to_come > 0) {
        int ready = epoll_wait (drain.epoll, events, EVENTS_MOST, -1);

        for (int i = 0; i < ready && drain.to_come > 0; i++) {
            if (events[i].data.ptr == NULL)
                accept_peer (&drain);
            else
                serve (&drain, events[i].data.ptr);
        }
    }

    return 0;
}
