/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Whose the other end of a TCP connection is, with clients that run as another user. */

#include "peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* Only root can be somebody else. */
#define OTHER_UID 12345

typedef struct {
    const gchar *listen; /* the address that is listened on */
    const gchar *to;     /* and that which the client takes */
} Way;

static const Way ways[] = {{"127.0.0.1", "127.0.0.1"},
                           {"127.0.0.1", "127.8.9.10"},
                           {"::1", "::1"},
                           {"::", "127.0.0.1"},
                           {"::", "::ffff:127.0.0.1"}};

typedef struct {
    int listener;
    int client; /* a pipe to the process that is the client: it lives as long as this is open */
    int connection;
    GPid pid;
    struct sockaddr_storage peer;
} Fixture;

static socklen_t
make_address (const gchar *text, in_port_t port, struct sockaddr_storage *address)
{
    struct sockaddr_in *ipv4 = (void *) address;
    struct sockaddr_in6 *ipv6 = (void *) address;

    memset (address, 0, sizeof *address);
    if (inet_pton (AF_INET, text, &ipv4->sin_addr) == 1) {
        ipv4->sin_family = AF_INET;
        ipv4->sin_port = port;
        return sizeof *ipv4;
    }
    g_assert_cmpint (inet_pton (AF_INET6, text, &ipv6->sin6_addr), ==, 1);
    ipv6->sin6_family = AF_INET6;
    ipv6->sin6_port = port;
    return sizeof *ipv6;
}

static int
listen_on (const gchar *text)
{
    struct sockaddr_storage address;
    socklen_t length = make_address (strcmp (text, "127.0.0.1") == 0 ? "0.0.0.0" : text, 0, &address);
    int fd = socket (address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int no = 0;

    if (address.ss_family == AF_INET6)
        g_assert_no_errno (setsockopt (fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof no));
    g_assert_no_errno (bind (fd, (struct sockaddr *) &address, length));
    g_assert_no_errno (listen (fd, 8));
    return fd;
}

static in_port_t
port_of (int fd)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof address;

    g_assert_no_errno (getsockname (fd, (struct sockaddr *) &address, &length));
    return address.ss_family == AF_INET ? ((struct sockaddr_in *) &address)->sin_port
                                        : ((struct sockaddr_in6 *) &address)->sin6_port;
}

/* The client: connects as @uid, says so by a byte, and waits until nobody wants it any more. */
static void
be_client (const struct sockaddr_storage *address, socklen_t length, uid_t uid, int tell, int wait)
{
    gchar byte = 'c';
    int fd;

    if (setuid (uid) != 0)
        _exit (1);
    fd = socket (address->ss_family, SOCK_STREAM, 0);
    if (connect (fd, (const struct sockaddr *) address, length) != 0 || write (tell, &byte, 1) != 1)
        _exit (1);
    while (read (wait, &byte, 1) > 0)
        ;
    _exit (0);
}

static void
begin (Fixture *fixture, const Way *way, uid_t uid)
{
    struct sockaddr_storage address;
    socklen_t length, peer_length = sizeof fixture->peer;
    int tell[2], wait[2];
    gchar byte;

    fixture->listener = listen_on (way->listen);
    length = make_address (way->to, port_of (fixture->listener), &address);
    g_assert_no_errno (pipe (tell));
    g_assert_no_errno (pipe (wait));
    fixture->pid = fork ();
    g_assert_no_errno (fixture->pid);
    if (fixture->pid == 0) {
        close (wait[1]);
        be_client (&address, length, uid, tell[1], wait[0]);
    }
    close (tell[1]);
    close (wait[0]);
    fixture->client = wait[1];
    g_assert_cmpint (read (tell[0], &byte, 1), ==, 1);
    close (tell[0]);
    fixture->connection = accept (fixture->listener, (struct sockaddr *) &fixture->peer, &peer_length);
    g_assert_no_errno (fixture->connection);
}

static void
end_client (Fixture *fixture)
{
    int status;

    if (fixture->client >= 0)
        close (fixture->client);
    fixture->client = -1;
    if (fixture->pid > 0)
        g_assert_cmpint (waitpid (fixture->pid, &status, 0), ==, fixture->pid);
    fixture->pid = 0;
}

static void
end (Fixture *fixture)
{
    end_client (fixture);
    close (fixture->connection);
    close (fixture->listener);
}

static gint64
find (PeerFinder *finder, const Fixture *fixture)
{
    return peer_finder_uid (finder, fixture->connection, (const struct sockaddr *) &fixture->peer);
}

static void
test_a_client_on_loopback_is_its_user (void)
{
    g_autoptr (PeerFinder) finder = peer_finder_new ();
    uid_t uid = geteuid () == 0 ? OTHER_UID : geteuid ();

    for (guint i = 0; i < G_N_ELEMENTS (ways); i++) {
        Fixture fixture;

        g_test_message ("%s, connected to as %s", ways[i].listen, ways[i].to);
        begin (&fixture, &ways[i], uid);
        g_assert_cmpint (find (finder, &fixture), ==, uid);
        end (&fixture);
    }
}

/* Not root, as the kernel's answer would have it. */
static void
test_a_client_that_has_gone_is_nobody (void)
{
    g_autoptr (PeerFinder) finder = peer_finder_new ();

    for (guint i = 0; i < G_N_ELEMENTS (ways); i++) {
        Fixture fixture, other;

        begin (&fixture, &ways[i], geteuid ());
        end_client (&fixture);
        g_assert_cmpint (find (finder, &fixture), ==, PEER_GONE);

        /* Nor is nobody asked for after it. */
        begin (&other, &ways[i], geteuid ());
        g_assert_cmpint (find (finder, &other), ==, geteuid ());
        end (&other);
        end (&fixture);
    }
}

/* The kernel would tell of a socket that listens where the client was. */
static void
test_a_listener_on_the_clients_port_is_not_the_client (void)
{
    g_autoptr (PeerFinder) finder = peer_finder_new ();
    const struct linger at_once = {.l_onoff = 1};
    struct sockaddr_storage address;
    struct sockaddr_in6 *peer = (void *) &address;
    socklen_t length = sizeof address;
    int listener = listen_on ("::1"), other, client, connection;
    in_port_t port = port_of (listener);

    length = make_address ("::1", port, &address);
    client = socket (AF_INET6, SOCK_STREAM, 0);
    g_assert_no_errno (connect (client, (struct sockaddr *) &address, length));
    length = sizeof address;
    connection = accept (listener, (struct sockaddr *) &address, &length);
    g_assert_cmpint (peer_finder_uid (finder, connection, (struct sockaddr *) &address), ==, geteuid ());

    g_assert_no_errno (setsockopt (client, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once));
    close (client);
    other = socket (AF_INET6, SOCK_STREAM, 0);
    g_assert_no_errno (bind (other, (struct sockaddr *) peer, sizeof *peer));
    g_assert_no_errno (listen (other, 1));
    g_assert_cmpint (peer_finder_uid (finder, connection, (struct sockaddr *) &address), ==, PEER_GONE);
    close (other);
    close (connection);
    close (listener);
}

static void
test_a_client_on_a_unix_socket_is_its_user (void)
{
    g_autoptr (PeerFinder) finder = peer_finder_new ();
    const struct sockaddr_un local = {.sun_family = AF_UNIX};
    int fds[2];

    g_assert_no_errno (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
    g_assert_cmpint (peer_finder_uid (finder, fds[0], (const struct sockaddr *) &local), ==, geteuid ());
    close (fds[0]);
    close (fds[1]);
}

static void
test_an_address_is_told_as_people_write_it (void)
{
    static const gchar *const addresses[][2] = {
        {"192.0.2.1", "192.0.2.1"}, {"::ffff:192.0.2.1", "192.0.2.1"}, {"2001:db8::1", "2001:db8::1"}};
    const struct sockaddr_un local = {.sun_family = AF_UNIX};

    for (guint i = 0; i < G_N_ELEMENTS (addresses); i++) {
        struct sockaddr_storage address;
        g_autofree gchar *text = NULL;

        make_address (addresses[i][0], 25, &address);
        text = peer_describe ((const struct sockaddr *) &address);
        g_assert_cmpstr (text, ==, addresses[i][1]);
        g_assert_false (peer_is_loopback ((const struct sockaddr *) &address));
    }
    g_assert_null (peer_describe ((const struct sockaddr *) &local));
}

static void
test_another_family_and_another_host_are_nobody (void)
{
    g_autoptr (PeerFinder) finder = peer_finder_new ();
    const struct sockaddr_un local = {.sun_family = AF_UNIX};
    struct sockaddr_storage stranger;
    Fixture fixture;

    begin (&fixture, &ways[0], geteuid ());
    g_assert_cmpint (find (finder, &fixture), ==, geteuid ());
    g_assert_cmpint (peer_finder_uid (finder, fixture.connection, (const struct sockaddr *) &local), ==, -1);
    make_address ("192.0.2.1", 25, &stranger);
    g_assert_cmpint (peer_finder_uid (finder, fixture.connection, (const struct sockaddr *) &stranger), ==, -1);

    /* The port of another client, or of none. */
    make_address ("127.0.0.1", 1, &stranger);
    g_assert_cmpint (peer_finder_uid (finder, fixture.connection, (const struct sockaddr *) &stranger), ==, -1);
    end (&fixture);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/daemon/peer/a-client-on-loopback-is-its-user", test_a_client_on_loopback_is_its_user);
    g_test_add_func ("/daemon/peer/a-client-that-has-gone-is-nobody", test_a_client_that_has_gone_is_nobody);
    g_test_add_func ("/daemon/peer/a-listener-on-the-clients-port-is-not-the-client",
                     test_a_listener_on_the_clients_port_is_not_the_client);
    g_test_add_func ("/daemon/peer/a-client-on-a-unix-socket-is-its-user",
                     test_a_client_on_a_unix_socket_is_its_user);
    g_test_add_func ("/daemon/peer/an-address-is-told-as-people-write-it",
                     test_an_address_is_told_as_people_write_it);
    g_test_add_func ("/daemon/peer/another-family-and-another-host-are-nobody",
                     test_another_family_and_another_host_are_nobody);

    return g_test_run ();
}
