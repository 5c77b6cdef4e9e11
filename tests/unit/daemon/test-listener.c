/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Sockets to listen on, made or passed, and what is accepted on them. */

#include "listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

typedef struct {
    gchar *folder;
    gchar *path; /* of a UNIX socket */
    gchar *place;
    SmtpPoller *poller;
    GError *error;
    GArray *accepted; /* of int */
    ListenKind kind;
    int family;
} Fixture;

static GLogWriterOutput
count_warnings (GLogLevelFlags level, const GLogField *fields, gsize n_fields, gpointer user_data)
{
    guint *warnings = user_data;

    if ((level & G_LOG_LEVEL_WARNING) == 0)
        return g_log_writer_default (level, fields, n_fields, NULL);

    (*warnings)++;
    return G_LOG_WRITER_HANDLED;
}

static void
set_up (Fixture *fixture, gconstpointer data)
{
    fixture->folder = g_dir_make_tmp ("postern-listener-XXXXXX", NULL);
    fixture->path = g_build_filename (fixture->folder, "submit", NULL);
    fixture->place = g_strconcat ("local:", fixture->path, NULL);
    fixture->poller = smtp_poller_new (NULL, &fixture->error);
    g_assert_no_error (fixture->error);
    fixture->accepted = g_array_new (FALSE, FALSE, sizeof (int));
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
    for (guint i = 0; i < fixture->accepted->len; i++)
        close (g_array_index (fixture->accepted, int, i));
    g_array_unref (fixture->accepted);
    g_unlink (fixture->path);
    g_assert_no_errno (g_rmdir (fixture->folder));
    g_clear_error (&fixture->error);
    smtp_poller_unref (fixture->poller);
    g_free (fixture->folder);
    g_free (fixture->path);
    g_free (fixture->place);
}

/* A TCP client of "127.0.0.1:PORT" or "[::1]:PORT". */
static int
connect_tcp (const gchar *address)
{
    struct sockaddr_in ipv4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl (INADDR_LOOPBACK)};
    struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    guint16 port = htons ((guint16) g_ascii_strtoull (strrchr (address, ':') + 1, NULL, 10));
    gboolean is_ipv6 = address[0] == '[';
    int fd = socket (is_ipv6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ipv4.sin_port = port;
    ipv6.sin6_port = port;
    g_assert_no_errno (is_ipv6 ? connect (fd, (struct sockaddr *) &ipv6, sizeof ipv6)
                               : connect (fd, (struct sockaddr *) &ipv4, sizeof ipv4));
    return fd;
}

static int
connect_local (const gchar *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    g_strlcpy (address.sun_path, path, sizeof address.sun_path);
    g_assert_no_errno (connect (fd, (struct sockaddr *) &address, sizeof address));
    return fd;
}

static void
accepted (ListenKind kind, int fd, const struct sockaddr *peer, gpointer user_data)
{
    Fixture *fixture = user_data;

    fixture->kind = kind;
    fixture->family = peer->sa_family;
    g_array_append_val (fixture->accepted, fd);
}

static void
wait_accepted (Fixture *fixture, guint n)
{
    while (fixture->accepted->len < n)
        g_main_context_iteration (NULL, TRUE);
}

static ListenSocket *
bind_good (Fixture *fixture, const gchar *place)
{
    ListenSocket *socket = listen_socket_bind (place, &fixture->error);

    g_assert_no_error (fixture->error);
    g_assert_nonnull (socket);
    return socket;
}

static Listener *
listen_good (Fixture *fixture, ListenSocket *socket)
{
    Listener *listener = listener_new (fixture->poller, socket, accepted, fixture, &fixture->error);

    g_assert_no_error (fixture->error);
    return listener;
}

static void
test_port_0_picks_a_port_and_tells_it (Fixture *fixture, gconstpointer data)
{
    g_autoptr (ListenSocket) ipv4 = bind_good (fixture, "smtp:127.0.0.1:0");
    g_autoptr (ListenSocket) ipv6 = bind_good (fixture, "submission:[::1]:0");

    g_assert_true (g_str_has_prefix (ipv4->address, "127.0.0.1:"));
    g_assert_false (g_str_has_suffix (ipv4->address, ":0"));
    g_assert_cmpint (ipv4->kind, ==, LISTEN_SMTP);
    g_assert_true (g_str_has_prefix (ipv6->address, "[::1]:"));
    g_assert_false (g_str_has_suffix (ipv6->address, ":0"));
    g_assert_cmpint (ipv6->kind, ==, LISTEN_SUBMISSION);
}

static void
test_connections_are_accepted (Fixture *fixture, gconstpointer data)
{
    g_autoptr (Listener) listener = listen_good (fixture, bind_good (fixture, "smtp:127.0.0.1:0"));
    int client = connect_tcp (listener_socket (listener)->address);
    int fd;

    wait_accepted (fixture, 1);
    fd = g_array_index (fixture->accepted, int, 0);
    g_assert_cmpint (fixture->kind, ==, LISTEN_SMTP);
    g_assert_cmpint (fixture->family, ==, AF_INET);
    g_assert_true (fcntl (fd, F_GETFL) & O_NONBLOCK);
    g_assert_true (fcntl (fd, F_GETFD) & FD_CLOEXEC);
    close (client);
}

static void
test_everybody_may_use_the_local_socket (Fixture *fixture, gconstpointer data)
{
    g_autoptr (Listener) listener = listen_good (fixture, bind_good (fixture, fixture->place));
    struct stat status;
    int client;

    g_assert_no_errno (stat (fixture->path, &status));
    g_assert_cmpint (status.st_mode & 0777, ==, 0666);
    g_assert_cmpstr (listener_socket (listener)->address, ==, fixture->path);

    client = connect_local (fixture->path);
    wait_accepted (fixture, 1);
    g_assert_cmpint (fixture->kind, ==, LISTEN_LOCAL);
    g_assert_cmpint (fixture->family, ==, AF_UNIX);
    close (client);
}

static void
test_a_burst_of_connections_loses_none (Fixture *fixture, gconstpointer data)
{
    g_autoptr (Listener) listener = listen_good (fixture, bind_good (fixture, fixture->place));
    int clients[300];

    for (guint i = 0; i < G_N_ELEMENTS (clients); i++)
        clients[i] = connect_local (fixture->path);

    wait_accepted (fixture, G_N_ELEMENTS (clients));
    for (guint i = 0; i < G_N_ELEMENTS (clients); i++)
        close (clients[i]);
}

static void
test_without_descriptors_it_rests_and_goes_on (Fixture *fixture, gconstpointer data)
{
    const guint *warnings = data;
    g_autoptr (Listener) listener = listen_good (fixture, bind_good (fixture, fixture->place));
    struct rlimit old;
    struct rlimit none;
    int client = connect_local (fixture->path);

    g_assert_no_errno (getrlimit (RLIMIT_NOFILE, &old));
    none = (struct rlimit){.rlim_cur = STDERR_FILENO + 1, .rlim_max = old.rlim_max};

    g_assert_no_errno (setrlimit (RLIMIT_NOFILE, &none));
    g_main_context_iteration (NULL, TRUE);
    g_assert_no_errno (setrlimit (RLIMIT_NOFILE, &old));
    g_assert_cmpuint (fixture->accepted->len, ==, 0);
    g_assert_cmpuint (*warnings, ==, 1);

    wait_accepted (fixture, 1);
    g_assert_cmpuint (*warnings, ==, 1);
    close (client);
}

static void
test_a_dead_socket_is_replaced (Fixture *fixture, gconstpointer data)
{
    ListenSocket *first = bind_good (fixture, fixture->place);
    g_autoptr (ListenSocket) second = NULL;

    /* As if the process had been killed: the file stays. */
    close (first->fd);
    first->fd = -1;
    second = bind_good (fixture, fixture->place);
    close (connect_local (fixture->path));

    /* Which is another one now, and not the first one's to remove. */
    listen_socket_free (first);
    g_assert_true (g_file_test (fixture->path, G_FILE_TEST_EXISTS));
}

static void
test_a_living_socket_is_left_alone (Fixture *fixture, gconstpointer data)
{
    g_autoptr (ListenSocket) first = bind_good (fixture, fixture->place);

    g_assert_null (listen_socket_bind (fixture->place, &fixture->error));
    g_assert_error (fixture->error, G_IO_ERROR, G_IO_ERROR_ADDRESS_IN_USE);
    g_assert_nonnull (strstr (fixture->error->message, fixture->path));
    close (connect_local (fixture->path));
}

static void
test_another_kind_of_file_is_left_alone (Fixture *fixture, gconstpointer data)
{
    g_assert_true (g_file_set_contents (fixture->path, "mine", -1, NULL));
    g_assert_null (listen_socket_bind (fixture->place, &fixture->error));
    g_assert_error (fixture->error, G_IO_ERROR, G_IO_ERROR_ADDRESS_IN_USE);
    g_assert_true (g_file_test (fixture->path, G_FILE_TEST_IS_REGULAR));
}

static void
test_a_socket_made_here_is_removed (Fixture *fixture, gconstpointer data)
{
    listen_socket_free (bind_good (fixture, fixture->place));
    g_assert_false (g_file_test (fixture->path, G_FILE_TEST_EXISTS));
}

static void
test_a_taken_port_is_told (Fixture *fixture, gconstpointer data)
{
    g_autoptr (ListenSocket) first = bind_good (fixture, "smtp:127.0.0.1:0");
    g_autofree gchar *place = g_strconcat ("smtp:", first->address, NULL);

    g_assert_null (listen_socket_bind (place, &fixture->error));
    g_assert_error (fixture->error, G_IO_ERROR, G_IO_ERROR_ADDRESS_IN_USE);
    g_assert_nonnull (strstr (fixture->error->message, first->address));
    g_assert_nonnull (strstr (fixture->error->message, "another program"));
}

static void
test_what_is_no_place_is_refused (Fixture *fixture, gconstpointer data)
{
    static const gchar *const bad[] = {"",
                                       "smtp",
                                       "smtp:",
                                       "smtp:127.0.0.1",
                                       "smtp:127.0.0.1:",
                                       "smtp:127.0.0.1:smtp",
                                       "smtp:127.0.0.1:65536",
                                       "smtp:::1:25",
                                       "smtp:[::1:25",
                                       "smtp:[]:25",
                                       "smtp::25",
                                       "local:",
                                       "pop3:127.0.0.1:110",
                                       "/run/postern/submit"};

    for (guint i = 0; i < G_N_ELEMENTS (bad); i++) {
        g_autoptr (GError) error = NULL;

        if (listen_socket_bind (bad[i], &error) != NULL)
            g_error ("“%s” was taken as a place", bad[i]);
        g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
    }
}

static void
test_a_path_that_is_too_long_is_refused (Fixture *fixture, gconstpointer data)
{
    g_autofree gchar *name = g_strnfill (200, 'x');
    g_autofree gchar *place = g_strdup_printf ("local:%s/%s", fixture->folder, name);

    g_assert_null (listen_socket_bind (place, &fixture->error));
    g_assert_error (fixture->error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
}

/* Passes a duplicate of a listening socket as systemd would, by @name. */
static ListenKind
adopted_kind (const ListenSocket *original, const gchar *name)
{
    g_autoptr (GError) error = NULL;
    g_autoptr (ListenSocket) socket = listen_socket_adopt (dup (original->fd), name, &error);

    g_assert_no_error (error);
    g_assert_cmpstr (socket->address, ==, original->address);
    return socket->kind;
}

static void
test_passed_sockets_go_by_name_and_family (Fixture *fixture, gconstpointer data)
{
    g_autoptr (ListenSocket) tcp = bind_good (fixture, "smtp:127.0.0.1:0");
    g_autoptr (ListenSocket) local = bind_good (fixture, fixture->place);

    g_assert_cmpint (adopted_kind (tcp, "smtp"), ==, LISTEN_SMTP);
    g_assert_cmpint (adopted_kind (tcp, "submission"), ==, LISTEN_SUBMISSION);
    g_assert_cmpint (adopted_kind (tcp, "submissions"), ==, LISTEN_SUBMISSIONS);
    g_assert_cmpint (adopted_kind (tcp, "unknown"), ==, LISTEN_SMTP);
    g_assert_cmpint (adopted_kind (tcp, "postern.socket"), ==, LISTEN_SMTP);
    g_assert_cmpint (adopted_kind (tcp, "local"), ==, LISTEN_SMTP);
    g_assert_cmpint (adopted_kind (local, "local"), ==, LISTEN_LOCAL);
    g_assert_cmpint (adopted_kind (local, "postern.socket"), ==, LISTEN_LOCAL);
}

static void
test_a_passed_socket_outlives_us (Fixture *fixture, gconstpointer data)
{
    g_autoptr (ListenSocket) local = bind_good (fixture, fixture->place);

    adopted_kind (local, "local");
    g_assert_true (g_file_test (fixture->path, G_FILE_TEST_EXISTS));
}

static void
test_what_does_not_listen_is_refused (Fixture *fixture, gconstpointer data)
{
    int fds[] = {socket (AF_INET, SOCK_STREAM, 0), socket (AF_INET, SOCK_DGRAM, 0), dup (STDERR_FILENO)};

    for (guint i = 0; i < G_N_ELEMENTS (fds); i++) {
        g_autoptr (GError) error = NULL;

        g_assert_null (listen_socket_adopt (fds[i], "smtp", &error));
        g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
    }
}

static void
add (const gchar *name, void (*test) (Fixture *, gconstpointer), gconstpointer data)
{
    g_autofree gchar *path = g_strconcat ("/daemon/listener/", name, NULL);

    g_test_add (path, Fixture, data, set_up, test, tear_down);
}

int
main (int argc, char **argv)
{
    guint warnings = 0;

    g_test_init (&argc, &argv, NULL);
    g_log_set_writer_func (count_warnings, &warnings, NULL);

    add ("port-0-picks-a-port-and-tells-it", test_port_0_picks_a_port_and_tells_it, NULL);
    add ("connections-are-accepted", test_connections_are_accepted, NULL);
    add ("everybody-may-use-the-local-socket", test_everybody_may_use_the_local_socket, NULL);
    add ("a-burst-of-connections-loses-none", test_a_burst_of_connections_loses_none, NULL);
    add ("without-descriptors-it-rests-and-goes-on", test_without_descriptors_it_rests_and_goes_on, &warnings);
    add ("a-dead-socket-is-replaced", test_a_dead_socket_is_replaced, NULL);
    add ("a-living-socket-is-left-alone", test_a_living_socket_is_left_alone, NULL);
    add ("another-kind-of-file-is-left-alone", test_another_kind_of_file_is_left_alone, NULL);
    add ("a-socket-made-here-is-removed", test_a_socket_made_here_is_removed, NULL);
    add ("a-taken-port-is-told", test_a_taken_port_is_told, NULL);
    add ("what-is-no-place-is-refused", test_what_is_no_place_is_refused, NULL);
    add ("a-path-that-is-too-long-is-refused", test_a_path_that_is_too_long_is_refused, NULL);
    add ("passed-sockets-go-by-name-and-family", test_passed_sockets_go_by_name_and_family, NULL);
    add ("a-passed-socket-outlives-us", test_a_passed_socket_outlives_us, NULL);
    add ("what-does-not-listen-is-refused", test_what_does_not_listen_is_refused, NULL);

    return g_test_run ();
}
