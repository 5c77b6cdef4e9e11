/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Foreign descriptors
 *
 * A descriptor that somebody passed to us is one that somebody still has. O_NONBLOCK belongs to the open file and not to the
 * descriptor, so the other can take it away at any moment; and the byte that made a pipe readable, before it is read. A file
 * may be on a file system that the other serves, or on a server that has gone: then it answers no system call at all, not
 * even close(2). Even a pipe or a socket is locked for as long as the other's memory is copied, which may be memory of such a
 * file. So the main loop makes none of these calls. They are made on threads, and it does not matter when they return.
 *
 * A thread costs something, so there are few, and who keeps some busy is in nobody else's way: they are handed out by a
 * budget. A pipe or a socket, which is what most callers pass, is read in ways that do not wait: splice(2) and recv(2) know
 * flags of their own. Until there is something to be read the main loop waits for it with poll(2), which takes no lock of a pipe
 * or a socket. So hundreds of callers that have nothing to say keep no thread busy. Some have poll(2) return at once and give
 * nothing, again and again: a byte is taken back, or a socket has errors in store that are no data. They are looked at ten times
 * a second. Anything else, of which files are most, is
 * read by a read(2) that may wait.
 *
 * What a descriptor is, statx(2) tells; it takes what is known of a file and asks nobody (AT_STATX_DONT_SYNC).
 *
 * A reader that is given up while a thread still has its descriptor is no reader any more, but what it took of the budgets is
 * given back only when the descriptor is closed: so those who leave us with such descriptors get no more of them. What took
 * nothing is closed by threads that are for that alone. Should files hold them all, descriptors would gather that wait for
 * them; whoever takes in descriptors looks how many wait, and takes in no more until they are fewer.
 */

#include "foreign.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* Threads that are kept busy at the same time. A disk that is alive is not faster for more. */
static const BudgetLimits threads_limits = {.most = 16, .each = 4, .root = 2, .others = 6, .few = 1};

/* Those that close what nobody has a share for. */
#define CLOSERS_MOST 8

/* So many may wait for them before nobody is to bring any more. */
#define CLOSING_MOST 256

#define OTHER_WAIT_MSEC 1000

/* One that is said to have something, and has nothing when it is read, is looked at again after this. */
#define FRUITLESS_WAIT_MSEC 100

typedef enum { KIND_UNASKED, KIND_PIPE, KIND_SOCKET, KIND_FILE, KIND_OTHER } Kind;

/* A descriptor, from when it was passed to us until it is closed. What a thread has of it, the main loop does not touch. */
typedef struct {
    Foreign *foreign; /* of which it has a reference */
    BudgetOwner owner;
    ForeignReader *reader;   /* (nullable) it is to be closed */
    BudgetShare *descriptor; /* (nullable) what it took of the budget of descriptors */
    BudgetShare *thread;     /* (nullable) no thread has it */
    GList link;              /* among those that wait for a thread */

    /* The threads' */
    int fd;
    Kind kind;
    gboolean is_closing;
    gchar *piece;  /* (nullable) */
    gssize length; /* what came of the last call, or -1 */
    int number;    /* its errno */
} Descriptor;

struct _ForeignReader {
    Descriptor *descriptor;
    guint readable_source; /* 0: it is not waited for */
    gboolean was_readable; /* or so it was said */
    gboolean is_reading;
    ForeignRead read;
    gpointer user_data;
};

struct _Foreign {
    Budget *descriptors;
    Budget *threads;
    GThreadPool *pool;
    GThreadPool *closers; /* of descriptors that nobody takes, as fast as they come */
    GQueue waiting;       /* of Descriptor, by their own links: no thread for them yet */
};

/* ---- On a thread ---- */

static Kind
kind_of (int fd)
{
    struct statx status;

    if (statx (fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &status) < 0)
        return KIND_OTHER;
    if (S_ISFIFO (status.stx_mode))
        return KIND_PIPE;
    if (S_ISSOCK (status.stx_mode))
        return KIND_SOCKET;

    return S_ISREG (status.stx_mode) ? KIND_FILE : KIND_OTHER;
}

/* A terminal of which somebody has made a file that does not block. One second, so that one that was given up is noticed. */
static gssize
read_other (int fd, gchar *piece)
{
    gssize length = read (fd, piece, FOREIGN_PIECE_BYTES);

    if (length < 0 && errno == EAGAIN) {
        poll (&(struct pollfd){.fd = fd, .events = POLLIN}, 1, OTHER_WAIT_MSEC);
        errno = EAGAIN;
    }
    return length;
}

/* read(2) of a pipe has no flag that makes it return at once. So what is in it goes into a pipe that is our own. */
static gssize
read_pipe (int fd, gchar *piece)
{
    int own[2];
    gssize length;

    if (pipe2 (own, O_CLOEXEC | O_NONBLOCK) < 0)
        return -1;

    length = splice (fd, NULL, own[1], NULL, FOREIGN_PIECE_BYTES, SPLICE_F_NONBLOCK);
    if (length > 0)
        length = read (own[0], piece, FOREIGN_PIECE_BYTES);
    for (guint i = 0; i < G_N_ELEMENTS (own); i++) {
        int number = errno;

        close (own[i]);
        errno = number;
    }

    return length;
}

static gssize
read_piece (const Descriptor *self)
{
    switch (self->kind) {
    case KIND_PIPE:
        return read_pipe (self->fd, self->piece);
    case KIND_SOCKET:
        return recv (self->fd, self->piece, FOREIGN_PIECE_BYTES, MSG_DONTWAIT);
    case KIND_UNASKED:
    case KIND_FILE:
    case KIND_OTHER:
        break;
    }
    return read_other (self->fd, self->piece);
}

static gboolean on_worked (gpointer data);

/* A GFunc, on a thread of the pool */
static void
work (gpointer data, gpointer unused)
{
    Descriptor *self = data;

    if (self->is_closing) {
        close (self->fd);
    } else {
        if (self->kind == KIND_UNASKED)
            self->kind = kind_of (self->fd);
        if (self->piece == NULL)
            self->piece = g_malloc (FOREIGN_PIECE_BYTES);
        do
            self->length = read_piece (self);
        while (self->length < 0 && errno == EINTR);
        self->number = errno;
    }

    g_idle_add_full (G_PRIORITY_DEFAULT, on_worked, self, NULL);
}

/* A GFunc, on a thread of the closers */
static void
close_one (gpointer data, gpointer unused)
{
    close (GPOINTER_TO_INT (data) - 1);
}

/* ---- On the main loop ---- */

Foreign *
foreign_new (guint readers_most)
{
    const BudgetLimits limits = budget_limits_share (readers_most);
    Foreign *self = g_atomic_rc_box_new0 (Foreign);

    self->descriptors = budget_new (&limits);
    self->threads = budget_new (&threads_limits);
    self->pool = g_thread_pool_new (work, NULL, -1, FALSE, NULL);
    self->closers = g_thread_pool_new (close_one, NULL, CLOSERS_MOST, FALSE, NULL);
    g_queue_init (&self->waiting);
    return self;
}

Foreign *
foreign_ref (Foreign *self)
{
    return g_atomic_rc_box_acquire (self);
}

static void
foreign_clear (gpointer data)
{
    Foreign *self = data;

    g_thread_pool_free (self->pool, FALSE, FALSE);
    g_thread_pool_free (self->closers, FALSE, FALSE);
    budget_free (self->descriptors);
    budget_free (self->threads);
}

/* A thread that does not come back has its descriptor for ever, and so the rest of this. */
void
foreign_unref (Foreign *self)
{
    g_atomic_rc_box_release_full (self, foreign_clear);
}

/* Gives it a thread, if there is one for its owner. */
static gboolean
try_to_work (Descriptor *self)
{
    if (budget_take (self->foreign->threads, &self->owner, 1, &self->thread) != BUDGET_TAKEN)
        return FALSE;

    /* Where no new thread can be had, one that is there takes it. */
    g_thread_pool_push (self->foreign->pool, self, NULL);
    return TRUE;
}

static void
start_work (Descriptor *self)
{
    if (!try_to_work (self))
        g_queue_push_tail_link (&self->foreign->waiting, &self->link);
}

/* A thread is free again: for the first whose owner does not keep all busy that the owner may. */
static void
work_next (Foreign *self)
{
    GList *next;

    for (GList *link = self->waiting.head; link != NULL; link = next) {
        next = link->next;
        if (budget_taken (self->threads) >= threads_limits.most)
            return;
        if (try_to_work (link->data))
            g_queue_unlink (&self->waiting, link);
    }
}

static Descriptor *
descriptor_new (Foreign *foreign, int fd, const BudgetOwner *owner)
{
    Descriptor *self = g_new0 (Descriptor, 1);

    self->foreign = foreign_ref (foreign);
    self->owner = *owner;
    self->fd = fd;
    self->link.data = self;
    return self;
}

static void
descriptor_closed (Descriptor *self)
{
    if (self->descriptor != NULL)
        budget_give_back (self->descriptor, 1);
    foreign_unref (self->foreign);
    g_free (self->piece);
    g_free (self);
}

static void
close_descriptor (Descriptor *self)
{
    self->is_closing = TRUE;
    start_work (self);
}

/* A reader's descriptor that is free of threads, and no longer read. */
static void
descriptor_abandoned (Descriptor *self)
{
    g_clear_pointer (&self->piece, g_free);
    close_descriptor (self);
}

static void reader_told (ForeignReader *reader);

static gboolean
on_worked (gpointer data)
{
    Descriptor *self = data;
    g_autoptr (Foreign) foreign = foreign_ref (self->foreign);

    budget_give_back (g_steal_pointer (&self->thread), 1);
    if (self->is_closing)
        descriptor_closed (self);
    else if (self->reader == NULL)
        descriptor_abandoned (self);
    else
        reader_told (self->reader);

    work_next (foreign);
    return G_SOURCE_REMOVE;
}

void
foreign_close (Foreign *self, int fd)
{
    /* 0 is a descriptor, but no data of a pool. */
    g_thread_pool_push (self->closers, GINT_TO_POINTER (fd + 1), NULL);
}

/* One that is being closed is out of our table already, so only those that wait count. */
gboolean
foreign_has_many_to_close (const Foreign *self)
{
    return g_thread_pool_unprocessed (self->closers) > CLOSING_MOST;
}

/* ---- Reading ---- */

ForeignReader *
foreign_reader_new (Foreign *foreign, int fd, gint64 uid, GError **error)
{
    const BudgetOwner owner = budget_user (uid);
    BudgetShare *share;
    ForeignReader *self;

    switch (budget_take (foreign->descriptors, &owner, 1, &share)) {
    case BUDGET_TAKEN:
        break;
    case BUDGET_OWNER_HAS_MOST:
        g_set_error (error, G_IO_ERROR, G_IO_ERROR_TOO_MANY_OPEN_FILES,
                     "user %" G_GINT64_FORMAT " is submitting %" G_GUINT64_FORMAT
                     " messages at once already; let one of them end first",
                     uid, budget_taken_by (foreign->descriptors, &owner));
        foreign_close (foreign, fd);
        return NULL;
    case BUDGET_ALL_TAKEN:
        g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_TOO_MANY_OPEN_FILES,
                             "too many messages are being submitted at once; try again later");
        foreign_close (foreign, fd);
        return NULL;
    }

    self = g_new0 (ForeignReader, 1);
    self->descriptor = descriptor_new (foreign, fd, &owner);
    self->descriptor->descriptor = share;
    self->descriptor->reader = self;
    return self;
}

void
foreign_reader_free (ForeignReader *self)
{
    Descriptor *descriptor = self->descriptor;

    g_clear_handle_id (&self->readable_source, g_source_remove);
    descriptor->reader = NULL;
    if (descriptor->thread == NULL) {
        if (self->is_reading)
            g_queue_unlink (&descriptor->foreign->waiting, &descriptor->link);
        descriptor_abandoned (descriptor);
    }
    g_free (self);
}

static gboolean
on_readable (gint fd, GIOCondition condition, gpointer user_data)
{
    ForeignReader *self = user_data;

    self->readable_source = 0;
    self->was_readable = TRUE;
    self->is_reading = TRUE;
    start_work (self->descriptor);
    return G_SOURCE_REMOVE;
}

static gboolean
look_again (gpointer user_data)
{
    ForeignReader *self = user_data;

    self->readable_source = g_unix_fd_add (self->descriptor->fd, G_IO_IN, on_readable, self);
    return G_SOURCE_REMOVE;
}

/* There was nothing to be read. One that waits needs no memory for what may come. */
static void
wait_for_more (ForeignReader *self)
{
    Descriptor *descriptor = self->descriptor;
    gboolean can_be_polled = descriptor->kind == KIND_PIPE || descriptor->kind == KIND_SOCKET;

    g_clear_pointer (&descriptor->piece, g_free);
    if (!can_be_polled)
        start_work (descriptor);
    else if (self->was_readable)
        self->readable_source = g_timeout_add (FRUITLESS_WAIT_MSEC, look_again, self);
    else
        self->readable_source = g_unix_fd_add (descriptor->fd, G_IO_IN, on_readable, self);
    self->was_readable = FALSE;
    self->is_reading = !can_be_polled;
}

/* The thread has called the kernel. */
static void
reader_told (ForeignReader *self)
{
    const Descriptor *descriptor = self->descriptor;
    g_autoptr (GError) error = NULL;

    if (descriptor->length < 0 && descriptor->number == EAGAIN) {
        wait_for_more (self);
        return;
    }

    self->is_reading = FALSE;
    self->was_readable = FALSE;
    if (descriptor->length < 0)
        error = g_error_new_literal (G_IO_ERROR, g_io_error_from_errno (descriptor->number),
                                     g_strerror (descriptor->number));
    self->read (descriptor->piece, error == NULL ? (gsize) descriptor->length : 0, error, self->user_data);
}

void
foreign_reader_read (ForeignReader *self, ForeignRead read, gpointer user_data)
{
    Descriptor *descriptor = self->descriptor;

    self->read = read;
    self->user_data = user_data;
    self->is_reading = TRUE;
    start_work (descriptor);
}

gboolean
foreign_reader_is_file (const ForeignReader *self)
{
    return self->descriptor->kind == KIND_FILE;
}

guint
foreign_readers (const Foreign *foreign)
{
    return (guint) budget_taken (foreign->descriptors);
}
