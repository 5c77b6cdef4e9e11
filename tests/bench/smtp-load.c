/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * A load of SMTP clients
 *
 * Sends a number of equal messages over a number of sessions at the same time and prints how long that took and how
 * many messages a second it was. One thread, one epoll, full writes: the envelope's commands leave in one write, the
 * content and its end in another, as any good client does where PIPELINING is offered (RFC 2920), so that what is
 * measured is the server and not Nagle's algorithm in the client.
 *
 * A message that is not accepted ends the run with the server's words: a benchmark of refusals is worth nothing.
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

#define EVENTS_MOST      256
#define READ_BYTES       4096
#define LINE_BODY_LENGTH 70 /* of the content's lines; a plain text's */

typedef enum {
    STEP_GREETING,
    STEP_EHLO,
    STEP_ENVELOPE, /* the replies to MAIL, RCPT and DATA */
    STEP_CONTENT,  /* the reply to the end of the content */
    STEP_IDLE      /* this session has nothing left to send */
} Step;

typedef struct {
    int fd;
    Step step;
    guint replies_wanted;
    GString *input;
} Session;

typedef struct {
    struct sockaddr_in address;
    int epoll;
    gboolean keep; /* sessions are kept for more than one message */
    guint idle_sessions;
    GString *content;
    guint to_start;
    guint to_finish;
} Load;

static void
send_all (const Session *session, const gchar *data, gsize length)
{
    while (length > 0) {
        gssize sent = send (session->fd, data, length, MSG_NOSIGNAL);

        if (sent < 0 && errno != EINTR)
            g_error ("sending: %s", g_strerror (errno));
        data += MAX (sent, 0);
        length -= (gsize) MAX (sent, 0);
    }
}

static void
session_open (Load *load, Session *session)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = session};
    int yes = 1;

    session->fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (session->fd < 0 || connect (session->fd, (struct sockaddr *) &load->address, sizeof load->address) < 0)
        g_error ("connecting to port %u: %s", ntohs (load->address.sin_port), g_strerror (errno));
    setsockopt (session->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    epoll_ctl (load->epoll, EPOLL_CTL_ADD, session->fd, &event);
    session->step = STEP_GREETING;
    session->replies_wanted = 1;
}

static void
session_start_message (Load *load, Session *session)
{
    static const gchar envelope[] = "MAIL FROM:<sender@example.com>\r\nRCPT TO:<recipient@example.net>\r\nDATA\r\n";

    if (load->to_start == 0) {
        session->step = STEP_IDLE;
        return;
    }
    load->to_start--;
    session->step = STEP_ENVELOPE;
    session->replies_wanted = 3;
    send_all (session, envelope, sizeof envelope - 1);
}

static void
session_finish_message (Load *load, Session *session)
{
    load->to_finish--;
    if (load->keep) {
        session_start_message (load, session);
        return;
    }
    send_all (session, "QUIT\r\n", 6);
    close (session->fd);
    session->step = STEP_IDLE;
    if (load->to_start > 0)
        session_open (load, session);
}

/* All replies of a step are in. */
static void
session_step (Load *load, Session *session)
{
    switch (session->step) {
    case STEP_GREETING:
        session->step = STEP_EHLO;
        session->replies_wanted = 1;
        send_all (session, "EHLO load.example.com\r\n", 23);
        break;
    case STEP_EHLO:
        session_start_message (load, session);
        break;
    case STEP_ENVELOPE:
        session->step = STEP_CONTENT;
        session->replies_wanted = 1;
        send_all (session, load->content->str, load->content->len);
        break;
    case STEP_CONTENT:
        session_finish_message (load, session);
        break;
    case STEP_IDLE:
        g_error ("a reply without a command");
    }
}

static void
session_line (Load *load, Session *session, const gchar *line, gsize length)
{
    if (length < 4 || (line[0] != '2' && line[0] != '3'))
        g_error ("refused: %.*s", (int) length, line);
    if (line[3] == '-')
        return;
    if (--session->replies_wanted == 0)
        session_step (load, session);
}

static void
session_read (Load *load, Session *session)
{
    gchar buffer[READ_BYTES];
    gssize length = recv (session->fd, buffer, sizeof buffer, 0);
    const gchar *newline;

    if (length <= 0)
        g_error ("a session ended in the midst of the load: %s", length < 0 ? g_strerror (errno) : "closed");

    g_string_append_len (session->input, buffer, length);
    while ((newline = memchr (session->input->str, '\n', session->input->len)) != NULL) {
        gsize line = (gsize) (newline - session->input->str) + 1;

        session_line (load, session, session->input->str, line);
        g_string_erase (session->input, 0, (gssize) line);
    }
}

static GString *
make_content (guint size)
{
    GString *content =
        g_string_new ("From: sender@example.com\r\nTo: recipient@example.net\r\nSubject: load\r\n"
                      "Date: Sun, 22 Nov 2026 00:00:00 +0000\r\nMessage-ID: <load@example.com>\r\n\r\n");

    while (content->len < size) {
        for (guint i = 0; i < LINE_BODY_LENGTH; i++)
            g_string_append_c (content, (gchar) ('a' + i % 26));
        g_string_append (content, "\r\n");
    }
    g_string_append (content, ".\r\n");
    return content;
}

static void
run (Load *load, Session *sessions, guint n_sessions)
{
    struct epoll_event events[EVENTS_MOST];

    for (guint i = 0; i < n_sessions; i++)
        session_open (load, &sessions[i]);

    while (load->to_finish > 0) {
        int ready = epoll_wait (load->epoll, events, EVENTS_MOST, -1);

        for (int i = 0; i < ready; i++)
            session_read (load, events[i].data.ptr);
    }
}

/* Connects sessions that say nothing more: what they cost the busy ones is what is measured. */
static void
open_idle_sessions (Load *load)
{
    for (guint i = 0; i < load->idle_sessions; i++) {
        int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        gchar greeting[READ_BYTES];

        if (fd < 0 || connect (fd, (struct sockaddr *) &load->address, sizeof load->address) < 0 ||
            recv (fd, greeting, sizeof greeting, 0) <= 0)
            g_error ("idle session %u: %s", i + 1, g_strerror (errno));
    }
}

int
main (int argc, char **argv)
{
    gint port = 0, n_sessions = 1, messages = 1000, size = 4096, idle = 0;
    gboolean keep = FALSE;
    GOptionEntry options[] = {{"port", 'p', 0, G_OPTION_ARG_INT, &port, "on 127.0.0.1", "PORT"},
                              {"sessions", 's', 0, G_OPTION_ARG_INT, &n_sessions, "at the same time", "N"},
                              {"messages", 'm', 0, G_OPTION_ARG_INT, &messages, "in all", "N"},
                              {"size", 'l', 0, G_OPTION_ARG_INT, &size, "of a message", "BYTES"},
                              {"idle", 'i', 0, G_OPTION_ARG_INT, &idle, "further sessions that say nothing", "N"},
                              {"keep", 'k', 0, G_OPTION_ARG_NONE, &keep, "use a session for many messages", NULL},
                              {NULL}};
    g_autoptr (GOptionContext) context = g_option_context_new (NULL);
    g_autoptr (GError) error = NULL;
    g_autofree Session *sessions = NULL;
    Load load = {0};
    gint64 start, usec;

    g_option_context_add_main_entries (context, options, NULL);
    if (!g_option_context_parse (context, &argc, &argv, &error) || port <= 0 || n_sessions <= 0 || messages <= 0)
        g_error ("%s", error != NULL ? error->message : "--port, --sessions and --messages must be positive");

    load.address.sin_family = AF_INET;
    load.address.sin_port = htons ((guint16) port);
    load.address.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
    load.epoll = epoll_create1 (EPOLL_CLOEXEC);
    load.keep = keep;
    load.idle_sessions = (guint) idle;
    load.content = make_content ((guint) size);
    load.to_start = load.to_finish = (guint) messages;
    sessions = g_new0 (Session, n_sessions);
    for (gint i = 0; i < n_sessions; i++)
        sessions[i].input = g_string_new (NULL);

    open_idle_sessions (&load);
    start = g_get_monotonic_time ();
    run (&load, sessions, (guint) MIN (n_sessions, messages));
    usec = g_get_monotonic_time () - start;
    g_print ("%d messages %.3f s %.0f per second\n", messages, (gdouble) usec / 1e6,
             (gdouble) messages * 1e6 / (gdouble) usec);
    return 0;
}
