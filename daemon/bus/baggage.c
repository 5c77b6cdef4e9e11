/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Baggage
 *
 * GDBus reads what the bus has for us on a thread of its own, as fast as it comes, and keeps it until the main loop sees to it. A
 * descriptor is open from the moment that it is read, so whoever calls faster than we answer would have us run out of them. And
 * GDBus closes the descriptors of a message with it, on the main loop or on its thread, where a file of a caller's own making
 * could hold us for ever.
 *
 * So descriptors are taken out of each message where it is read. Only a message that is to be submitted may have one; all
 * others are closed. When many wait for the main loop, no more is read for a moment; the bus then keeps its messages, and has
 * limits of its own. It is no more than a moment, because the main loop may in turn wait for something that is to be read.
 */

#include "bus/baggage.h"

#include <gio/gunixfdlist.h>

#include "bus/error.h"

#define KEY              "postern-baggage"
#define SUBMIT_METHOD    "SubmitMessage"
#define SUBMIT_SIGNATURE "(hsasa{sv})"

/* Descriptors that were read, and that the main loop has not seen yet. */
#define UNSEEN_MOST      128
#define UNSEEN_WAIT_USEC (100 * 1000)

/* Messages may outlive the connection. */
typedef struct {
    Foreign *foreign;
    GMutex lock;
    GCond seen;
    guint unseen;
    gboolean is_closed;
} Counter;

struct _BusBaggage {
    GDBusConnection *connection;
    Counter *counter; /* reference-counted */
    guint filter;
};

/* The descriptor of one message. */
typedef struct {
    Counter *counter;
    gint fd; /* -1: it was taken */
    gboolean is_seen;
} Box;

static void
counter_clear (gpointer data)
{
    Counter *counter = data;

    foreign_unref (counter->foreign);
    g_mutex_clear (&counter->lock);
    g_cond_clear (&counter->seen);
}

static void
counter_unref (gpointer counter)
{
    g_atomic_rc_box_release_full (counter, counter_clear);
}

static void
count_unseen (Counter *counter, gint by)
{
    g_mutex_lock (&counter->lock);
    counter->unseen += by;
    if (by < 0)
        g_cond_signal (&counter->seen);
    g_mutex_unlock (&counter->lock);
}

static void
see (Box *box)
{
    if (!box->is_seen)
        count_unseen (box->counter, -1);
    box->is_seen = TRUE;
}

/* A GDestroyNotify, on any thread */
static void
box_free (gpointer data)
{
    Box *box = data;

    see (box);
    if (box->fd >= 0)
        foreign_close (box->counter->foreign, box->fd);
    counter_unref (box->counter);
    g_free (box);
}

static void
put_into_box (GDBusMessage *message, Counter *counter, gint fd)
{
    Box *box = g_new0 (Box, 1);

    box->counter = g_atomic_rc_box_acquire (counter);
    box->fd = fd;
    count_unseen (counter, 1);
    g_object_set_data_full (G_OBJECT (message), KEY, box, box_free);
}

/* Which descriptor is the content of the message that is to be submitted; -1 if none is. */
static gint
content_handle (GDBusMessage *message)
{
    GVariant *body = g_dbus_message_get_body (message);
    gint handle;

    if (g_dbus_message_get_message_type (message) != G_DBUS_MESSAGE_TYPE_METHOD_CALL || body == NULL ||
        g_strcmp0 (g_dbus_message_get_member (message), SUBMIT_METHOD) != 0 ||
        !g_variant_is_of_type (body, G_VARIANT_TYPE (SUBMIT_SIGNATURE)))
        return -1;

    g_variant_get_child (body, 0, "h", &handle);
    return handle;
}

static void
wait_for_main_loop (Counter *counter)
{
    gint64 end = g_get_monotonic_time () + UNSEEN_WAIT_USEC;

    g_mutex_lock (&counter->lock);
    while (counter->unseen >= UNSEEN_MOST && !counter->is_closed)
        if (!g_cond_wait_until (&counter->seen, &counter->lock, end))
            break;
    g_mutex_unlock (&counter->lock);
}

/* A GDBusMessageFilterFunction, on GDBus' thread */
static GDBusMessage *
unload (GDBusConnection *connection, GDBusMessage *message, gboolean incoming, gpointer user_data)
{
    Counter *counter = user_data;
    GUnixFDList *list = incoming ? g_dbus_message_get_unix_fd_list (message) : NULL;
    g_autofree gint *fds = NULL;
    gint n_fds, wanted;

    if (list == NULL)
        return message;

    fds = g_unix_fd_list_steal_fds (list, &n_fds);
    wanted = content_handle (message);
    for (gint i = 0; i < n_fds; i++)
        if (i == wanted)
            put_into_box (message, counter, fds[i]);
        else
            foreign_close (counter->foreign, fds[i]);

    wait_for_main_loop (counter);
    return message;
}

BusBaggage *
bus_baggage_new (GDBusConnection *connection, Foreign *foreign)
{
    BusBaggage *self = g_new0 (BusBaggage, 1);

    self->connection = g_object_ref (connection);
    self->counter = g_atomic_rc_box_new0 (Counter);
    self->counter->foreign = foreign_ref (foreign);
    g_mutex_init (&self->counter->lock);
    g_cond_init (&self->counter->seen);
    self->filter =
        g_dbus_connection_add_filter (connection, unload, g_atomic_rc_box_acquire (self->counter), counter_unref);
    return self;
}

void
bus_baggage_free (BusBaggage *self)
{
    if (self == NULL)
        return;

    g_mutex_lock (&self->counter->lock);
    self->counter->is_closed = TRUE;
    g_cond_signal (&self->counter->seen);
    g_mutex_unlock (&self->counter->lock);
    g_dbus_connection_remove_filter (self->connection, self->filter);
    counter_unref (self->counter);
    g_object_unref (self->connection);
    g_free (self);
}

void
bus_baggage_see (GDBusMessage *message)
{
    Box *box = g_object_get_data (G_OBJECT (message), KEY);

    if (box != NULL)
        see (box);
}

int
bus_baggage_take (GDBusMessage *message, GError **error)
{
    Box *box = g_object_get_data (G_OBJECT (message), KEY);
    int fd = -1;

    if (box != NULL) {
        fd = box->fd;
        box->fd = -1;
        g_object_set_data (G_OBJECT (message), KEY, NULL);
    } else if (g_dbus_message_get_num_unix_fds (message) > 0 && g_dbus_message_get_unix_fd_list (message) == NULL) {
        /* The kernel drops what a process has no room for. */
        g_set_error_literal (error, BUS_ERROR, BUS_ERROR_LIMIT_EXCEEDED,
                             "the relay has run out of file descriptors and lost that of the call; try again later");
    } else {
        g_set_error_literal (error, BUS_ERROR, BUS_ERROR_INVALID_ARGUMENT, "no file descriptor came with the call");
    }
    return fd;
}
