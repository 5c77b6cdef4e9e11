/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Descriptors of which somebody else has the other end, or the very same: whatever is done with it, the main loop runs.
 * "Hanging" here is a terminal on which nobody types: read(2) of it waits, as it does of a file whose server has gone.
 */

#include "foreign.h"

#include <fcntl.h>
#include <glib-unix.h>
#include <linux/net_tstamp.h>
#include <netinet/in.h>
#include <poll.h>
#include <pty.h>
#include <string.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#define READERS_MOST 32

typedef struct {
    Foreign *foreign;
    GString *text;
    guint pieces;
    gboolean is_at_end;
    gint code;         /* of the GIOError, or -1 */
    GArray *terminals; /* of int: what lets those go on that hang */
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
    fixture->foreign = foreign_new (READERS_MOST);
    fixture->text = g_string_new (NULL);
    fixture->code = -1;
    fixture->terminals = g_array_new (FALSE, FALSE, sizeof (int));
}

static void
wait_closed (Fixture *fixture)
{
    while (foreign_readers (fixture->foreign) > 0)
        g_main_context_iteration (NULL, TRUE);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
    for (guint i = 0; i < fixture->terminals->len; i++)
        close (g_array_index (fixture->terminals, int, i));
    wait_closed (fixture);
    foreign_unref (fixture->foreign);
    g_string_free (fixture->text, TRUE);
    g_array_unref (fixture->terminals);
}

static void
piece_read (const gchar *piece, gsize length, const GError *error, gpointer user_data)
{
    Fixture *fixture = user_data;

    if (error != NULL)
        fixture->code = error->code;
    else if (length == 0)
        fixture->is_at_end = TRUE;
    else
        g_string_append_len (fixture->text, piece, (gssize) length);
    fixture->pieces++;
}

static ForeignReader *
reader_of (Fixture *fixture, int fd, gint64 uid)
{
    g_autoptr (GError) error = NULL;
    ForeignReader *reader = foreign_reader_new (fixture->foreign, fd, uid, &error);

    g_assert_no_error (error);
    return reader;
}

static void
read_one (Fixture *fixture, ForeignReader *reader)
{
    guint before = fixture->pieces;

    foreign_reader_read (reader, piece_read, fixture);
    while (fixture->pieces == before)
        g_main_context_iteration (NULL, TRUE);
}

static void
read_all (Fixture *fixture, ForeignReader *reader)
{
    while (!fixture->is_at_end)
        read_one (fixture, reader);
}

static int
hanging (Fixture *fixture)
{
    int master, terminal;

    g_assert_no_errno (openpty (&master, &terminal, NULL, NULL, NULL));
    g_array_append_val (fixture->terminals, master);
    return terminal;
}

/* Reads something else to its end, which needs a thread. */
static void
assert_others_are_served (Fixture *fixture, gint64 uid)
{
    ForeignReader *reader = reader_of (fixture, open ("/dev/null", O_RDONLY | O_CLOEXEC), uid);

    fixture->is_at_end = FALSE;
    read_all (fixture, reader);
    foreign_reader_free (reader);
}

/* Two ends, of a pipe or a socket. */
static void
make_ends (int ends[2], int type)
{
    if (type == 0)
        g_assert_no_errno (pipe (ends));
    else
        g_assert_no_errno (socketpair (AF_UNIX, type, 0, ends));
}

/* ---- What is read ---- */

static void
test_a_file_comes_whole (Fixture *fixture, gconstpointer data)
{
    g_autofree gchar *path = NULL;
    g_autofree gchar *content = g_strnfill (3 * FOREIGN_PIECE_BYTES + 1, 'x');
    int fd = g_file_open_tmp ("postern-foreign-XXXXXX", &path, NULL);
    ForeignReader *reader;

    g_assert_cmpint (write (fd, content, strlen (content)), ==, (gssize) strlen (content));
    lseek (fd, 0, SEEK_SET);
    reader = reader_of (fixture, fd, 1000);
    read_all (fixture, reader);
    g_assert_cmpstr (fixture->text->str, ==, content);
    g_assert_true (foreign_reader_is_file (reader));
    foreign_reader_free (reader);
    unlink (path);
}

/* @type: what socketpair (2) makes, or 0 for a pipe */
static void
test_bytes_come_as_they_are_written (Fixture *fixture, gconstpointer type)
{
    ForeignReader *reader;
    int ends[2];

    make_ends (ends, GPOINTER_TO_INT (type));
    reader = reader_of (fixture, ends[0], 1000);
    foreign_reader_read (reader, piece_read, fixture);
    while (g_main_context_iteration (NULL, FALSE))
        ;
    g_assert_cmpuint (fixture->pieces, ==, 0);

    g_assert_cmpint (write (ends[1], "one", 3), ==, 3);
    while (fixture->pieces == 0)
        g_main_context_iteration (NULL, TRUE);
    g_assert_cmpint (write (ends[1], "two", 3), ==, 3);
    close (ends[1]);
    read_all (fixture, reader);
    g_assert_cmpstr (fixture->text->str, ==, "onetwo");
    g_assert_false (foreign_reader_is_file (reader));
    foreign_reader_free (reader);
}

static void
test_a_folder_cannot_be_read (Fixture *fixture, gconstpointer data)
{
    ForeignReader *reader = reader_of (fixture, open ("/", O_RDONLY | O_CLOEXEC), 1000);

    read_one (fixture, reader);
    g_assert_cmpint (fixture->code, ==, G_IO_ERROR_IS_DIRECTORY);
    foreign_reader_free (reader);
}

static void
test_what_is_open_for_writing_only_cannot_be_read (Fixture *fixture, gconstpointer data)
{
    ForeignReader *reader;
    int ends[2];

    g_assert_no_errno (pipe (ends));
    reader = reader_of (fixture, ends[1], 1000);
    read_one (fixture, reader);
    g_assert_cmpint (fixture->code, !=, -1);
    foreign_reader_free (reader);
    close (ends[0]);
}

/* ---- What would hold us ---- */

/* Reads a byte, if it is still there, in a way that leaves the flags of @fd's open file alone. */
static void
take_back (int fd, int type)
{
    g_autofree gchar *path = g_strdup_printf ("/proc/self/fd/%d", fd);
    gchar byte;
    int own;

    if (type != 0) {
        (void) recv (fd, &byte, 1, MSG_DONTWAIT);
        return;
    }
    own = open (path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    g_assert_no_errno (own);
    (void) !read (own, &byte, 1);
    close (own);
}

/* The next piece, if one has come. */
static void
read_on (Fixture *fixture, ForeignReader *reader)
{
    if (fixture->pieces == 0 || fixture->is_at_end)
        return;

    fixture->pieces = 0;
    foreign_reader_read (reader, piece_read, fixture);
}

/* Each time that poll (2) has told us of a byte it may be gone before we come. The loop is not held for it. */
static void
test_a_byte_that_is_taken_back_holds_nobody (Fixture *fixture, gconstpointer type)
{
    ForeignReader *reader;
    int ends[2];

    make_ends (ends, GPOINTER_TO_INT (type));
    reader = reader_of (fixture, dup (ends[0]), 1000);
    foreign_reader_read (reader, piece_read, fixture);
    for (guint i = 0; i < 1000; i++) {
        g_assert_cmpint (write (ends[1], "a", 1), ==, 1);
        g_main_context_iteration (NULL, FALSE);
        take_back (ends[0], GPOINTER_TO_INT (type));
        g_main_context_iteration (NULL, FALSE);
        read_on (fixture, reader);
    }

    close (ends[1]);
    while (!fixture->is_at_end) {
        g_main_context_iteration (NULL, TRUE);
        read_on (fixture, reader);
    }
    foreign_reader_free (reader);
    close (ends[0]);
}

/* A socket of which poll (2) always returns, for what is no data: it is told when a datagram of its own was sent. */
static int
socket_with_a_record (void)
{
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons (9), .sin_addr = {htonl (INADDR_LOOPBACK)}};
    const guint32 records = SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE;
    int fd = socket (AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct pollfd events = {.fd = fd, .events = POLLIN};

    g_assert_no_errno (fd);
    g_assert_no_errno (setsockopt (fd, SOL_SOCKET, SO_TIMESTAMPING, &records, sizeof records));
    g_assert_cmpint (sendto (fd, "a", 1, 0, (const struct sockaddr *) &address, sizeof address), ==, 1);
    g_assert_cmpint (poll (&events, 1, -1), ==, 1);
    g_assert_cmpint (events.revents, ==, POLLERR);
    return fd;
}

static gboolean
set_true (gpointer value)
{
    *(gboolean *) value = TRUE;
    return G_SOURCE_REMOVE;
}

/* Else the loop and a thread would do nothing but hand it to each other. */
static void
test_one_that_always_seems_to_have_something_is_looked_at_now_and_then (Fixture *fixture, gconstpointer data)
{
    ForeignReader *reader = reader_of (fixture, socket_with_a_record (), 1000);
    gboolean is_over = FALSE;
    guint turns = 0;

    foreign_reader_read (reader, piece_read, fixture);
    for (g_timeout_add (500, set_true, &is_over); !is_over; turns++)
        g_main_context_iteration (NULL, TRUE);
    g_assert_cmpuint (fixture->pieces, ==, 0);
    g_assert_cmpuint (turns, <, 50);
    foreign_reader_free (reader);
}

/* All readers that a user may have, with a thread or without. */
static void
test_one_who_keeps_threads_busy_is_in_nobodys_way (Fixture *fixture, gconstpointer data)
{
    GPtrArray *readers = g_ptr_array_new ();

    for (guint i = 0; i < READERS_MOST / 2; i++) {
        ForeignReader *reader = reader_of (fixture, hanging (fixture), 1000);

        foreign_reader_read (reader, piece_read, fixture);
        g_ptr_array_add (readers, reader);
    }
    assert_others_are_served (fixture, 1001);
    assert_others_are_served (fixture, 0);
    assert_others_are_served (fixture, -1);

    /* Those that nobody waits for any more have their descriptors still. */
    g_ptr_array_set_free_func (readers, (GDestroyNotify) foreign_reader_free);
    g_ptr_array_unref (readers);
    assert_others_are_served (fixture, 1001);
    g_assert_cmpuint (foreign_readers (fixture->foreign), >=, 4);
}

static void
test_one_user_has_a_share_of_the_readers (Fixture *fixture, gconstpointer data)
{
    GPtrArray *readers = g_ptr_array_new_with_free_func ((GDestroyNotify) foreign_reader_free);
    g_autoptr (GError) error = NULL;
    ForeignReader *reader;

    while ((reader = foreign_reader_new (fixture->foreign, open ("/dev/null", O_RDONLY), 1000, &error)) != NULL)
        g_ptr_array_add (readers, reader);
    g_assert_cmpuint (readers->len, ==, READERS_MOST / 2);
    g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TOO_MANY_OPEN_FILES);
    g_assert_nonnull (strstr (error->message, "user 1000 is submitting 16 messages"));
    assert_others_are_served (fixture, 1001);

    /* What is closed can be opened again. */
    g_ptr_array_set_size (readers, 0);
    wait_closed (fixture);
    assert_others_are_served (fixture, 1000);
    g_ptr_array_unref (readers);
}

/* One who keeps all threads of the own share busy gets no more descriptors by asking for more than there may be. */
static void
test_what_is_refused_is_closed_whatever_its_owner_keeps_busy (Fixture *fixture, gconstpointer data)
{
    GPtrArray *readers = g_ptr_array_new_with_free_func ((GDestroyNotify) foreign_reader_free);
    int ends[2];

    for (guint i = 0; i < READERS_MOST / 2; i++) {
        g_ptr_array_add (readers, reader_of (fixture, hanging (fixture), 1000));
        foreign_reader_read (g_ptr_array_index (readers, i), piece_read, fixture);
    }

    g_assert_no_errno (pipe (ends));
    for (guint i = 0; i < 100; i++) {
        g_autoptr (GError) error = NULL;

        g_assert_null (foreign_reader_new (fixture->foreign, dup (ends[0]), 1000, &error));
        g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TOO_MANY_OPEN_FILES);
    }
    close (ends[0]);

    /* Which it is when nobody has it open for reading any more. */
    g_assert_cmpint (poll (&(struct pollfd){.fd = ends[1]}, 1, -1), ==, 1);
    close (ends[1]);
    g_ptr_array_unref (readers);
}

static void
test_a_reader_that_is_given_up_is_heard_of_no_more (Fixture *fixture, gconstpointer data)
{
    ForeignReader *reader;
    int ends[2];

    g_assert_no_errno (pipe (ends));
    reader = reader_of (fixture, ends[0], 1000);
    foreign_reader_read (reader, piece_read, fixture);
    foreign_reader_free (reader);
    g_assert_cmpint (write (ends[1], "a", 1), ==, 1);
    wait_closed (fixture);
    g_assert_cmpuint (fixture->pieces, ==, 0);
    close (ends[1]);
}

/* ---- Closing ---- */

static gpointer
close_it (gpointer data)
{
    Fixture *fixture = ((gpointer *) data)[0];

    foreign_close (fixture->foreign, GPOINTER_TO_INT (((gpointer *) data)[1]));
    return NULL;
}

static void
test_any_thread_may_have_one_closed (Fixture *fixture, gconstpointer data)
{
    gchar byte;
    int ends[2];
    gpointer arguments[2] = {fixture};

    g_assert_no_errno (pipe (ends));
    arguments[1] = GINT_TO_POINTER (ends[1]);
    g_thread_join (g_thread_new ("test", close_it, arguments));
    g_unix_set_fd_nonblocking (ends[0], TRUE, NULL);
    while (read (ends[0], &byte, 1) != 0) {
        g_assert_cmpint (errno, ==, EAGAIN);
        g_main_context_iteration (NULL, FALSE);
    }
    close (ends[0]);
}

/* A connection that close (2) waits for, until its other end, @other, is closed. */
static int
lingering (int *other)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl (INADDR_LOOPBACK)}};
    const struct linger linger = {.l_onoff = 1, .l_linger = 1000};
    socklen_t length = sizeof address;
    int listening = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    gchar full[4096] = {0};

    g_assert_no_errno (bind (listening, (const struct sockaddr *) &address, sizeof address));
    g_assert_no_errno (listen (listening, 1));
    g_assert_no_errno (getsockname (listening, (struct sockaddr *) &address, &length));
    g_assert_no_errno (connect (fd, (const struct sockaddr *) &address, sizeof address));
    *other = accept (listening, NULL, NULL);
    g_assert_no_errno (*other);
    close (listening);

    g_assert_no_errno (setsockopt (fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger));
    while (send (fd, full, sizeof full, MSG_DONTWAIT) > 0)
        ;
    return fd;
}

/* Whoever takes in descriptors is told when they are not closed as fast as they come. */
static void
test_many_that_cannot_be_closed_are_noticed (Fixture *fixture, gconstpointer data)
{
    int others[16];
    guint n = 0;

    for (guint i = 0; i < G_N_ELEMENTS (others); i++)
        foreign_close (fixture->foreign, lingering (&others[i]));
    g_assert_false (foreign_has_many_to_close (fixture->foreign));
    for (; n < 1000 && !foreign_has_many_to_close (fixture->foreign); n++)
        foreign_close (fixture->foreign, open ("/dev/null", O_RDONLY | O_CLOEXEC));
    g_assert_cmpuint (n, >, 100);
    g_assert_cmpuint (n, <, 1000);

    for (guint i = 0; i < G_N_ELEMENTS (others); i++)
        close (others[i]);
    while (foreign_has_many_to_close (fixture->foreign))
        g_thread_yield ();
}

#define ADD(name, data, function) g_test_add ("/daemon/foreign/" name, Fixture, data, set_up, function, tear_down)

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);

    ADD ("a-file-comes-whole", NULL, test_a_file_comes_whole);
    ADD ("bytes-come-as-they-are-written/pipe", NULL, test_bytes_come_as_they_are_written);
    ADD ("bytes-come-as-they-are-written/stream", GINT_TO_POINTER (SOCK_STREAM), test_bytes_come_as_they_are_written);
    ADD ("bytes-come-as-they-are-written/packets", GINT_TO_POINTER (SOCK_SEQPACKET),
         test_bytes_come_as_they_are_written);
    ADD ("a-folder-cannot-be-read", NULL, test_a_folder_cannot_be_read);
    ADD ("what-is-open-for-writing-only-cannot-be-read", NULL, test_what_is_open_for_writing_only_cannot_be_read);
    ADD ("a-byte-that-is-taken-back-holds-nobody/pipe", NULL, test_a_byte_that_is_taken_back_holds_nobody);
    ADD ("a-byte-that-is-taken-back-holds-nobody/stream", GINT_TO_POINTER (SOCK_STREAM),
         test_a_byte_that_is_taken_back_holds_nobody);
    ADD ("one-that-always-seems-to-have-something-is-looked-at-now-and-then", NULL,
         test_one_that_always_seems_to_have_something_is_looked_at_now_and_then);
    ADD ("one-who-keeps-threads-busy-is-in-nobodys-way", NULL, test_one_who_keeps_threads_busy_is_in_nobodys_way);
    ADD ("one-user-has-a-share-of-the-readers", NULL, test_one_user_has_a_share_of_the_readers);
    ADD ("what-is-refused-is-closed-whatever-its-owner-keeps-busy", NULL,
         test_what_is_refused_is_closed_whatever_its_owner_keeps_busy);
    ADD ("a-reader-that-is-given-up-is-heard-of-no-more", NULL, test_a_reader_that_is_given_up_is_heard_of_no_more);
    ADD ("any-thread-may-have-one-closed", NULL, test_any_thread_may_have_one_closed);
    ADD ("many-that-cannot-be-closed-are-noticed", NULL, test_many_that_cannot_be_closed_are_noticed);

    return g_test_run ();
}
