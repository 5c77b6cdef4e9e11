/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Baggage
 *
 * GDBus reads what the bus has for us on a thread of its own, as fast as it comes, and keeps it until the main loop sees to it. A
 * descriptor is open from the moment that it is read, so whoever calls faster than we answer would have us run out of them. And
 * GDBus closes the descriptors of a message with it, on the main loop or on its thread, where a file of a caller's own making
 * could hold us for ever.
 *
 * So descriptors are taken out of each message where it is read. Only a message that is to be submitted may have one, and only so
 * many of them may wait; all others are closed. Reading is not put off for that: the bus allows few descriptors in what it has
 * for us (64, by its defaults), and turns away everybody who comes while one caller's fill that. Only where descriptors cannot
 * be closed as fast as they come, because somebody's files hold those who close them, is nothing more read until they can. Then
 * the bus has to wait, but mail that comes otherwise still has descriptors to be stored and sent with.
 */

#include "bus/baggage.h"

#include <gio/gunixfdlist.h>

#include "bus/error.h"

#define KEY              "postern-baggage"
#define SUBMIT_METHOD    "SubmitMessage"
#define SUBMIT_SIGNATURE "(hsasa{sv})"

#define LOOK_USEC (20 * 1000)

/* Messages may outlive the connection. */
typedef struct {
    Foreign *foreign;
    GMutex lock;
    Budget *held; /* of senders, since nobody else is known yet */
    gint is_over; /* atomic: there is nothing to wait for any more */
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
    BudgetShare *share;
} Box;

static void
counter_clear (gpointer data)
{
    Counter *counter = data;

    foreign_unref (counter->foreign);
    budget_free (counter->held);
    g_mutex_clear (&counter->lock);
}

static void
counter_unref (gpointer counter)
{
    g_atomic_rc_box_release_full (counter, counter_clear);
}

/* A GDestroyNotify, on any thread */
static void
box_free (gpointer data)
{
    Box *box = data;

    g_mutex_lock (&box->counter->lock);
    budget_give_back (box->share, 1);
    g_mutex_unlock (&box->counter->lock);
    if (box->fd >= 0)
        foreign_close (box->counter->foreign, box->fd);
    counter_unref (box->counter);
    g_free (box);
}

/* Returns: (nullable): the sender has too many already, or all have */
static BudgetShare *
take_share (Counter *counter, const gchar *sender)
{
    const BudgetOwner owner = budget_name (sender);
    BudgetShare *share = NULL;

    g_mutex_lock (&counter->lock);
    (void) budget_take (counter->held, &owner, 1, &share);
    g_mutex_unlock (&counter->lock);
    return share;
}

/* A message that is left without its descriptor says so when it is looked for. */
static void
put_into_box (GDBusMessage *message, Counter *counter, gint fd)
{
    const gchar *sender = g_dbus_message_get_sender (message);
    BudgetShare *share = take_share (counter, sender != NULL ? sender : "");
    Box *box;

    if (share == NULL) {
        foreign_close (counter->foreign, fd);
        return;
    }

    box = g_new0 (Box, 1);
    box->counter = g_atomic_rc_box_acquire (counter);
    box->fd = fd;
    box->share = share;
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

/* On GDBus' thread */
static void
wait_for_closers (Counter *counter)
{
    while (foreign_has_many_to_close (counter->foreign) && !g_atomic_int_get (&counter->is_over))
        g_usleep (LOOK_USEC);
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
    wait_for_closers (counter);
    return message;
}

/* One user may have a few hundred connections. */
static BudgetLimits
limits_of (guint most)
{
    BudgetLimits limits = budget_limits_share (most);

    limits.others = most / 2;
    limits.few = 1;
    return limits;
}

BusBaggage *
bus_baggage_new (GDBusConnection *connection, Foreign *foreign, guint most)
{
    const BudgetLimits limits = limits_of (most);
    BusBaggage *self = g_new0 (BusBaggage, 1);

    self->connection = g_object_ref (connection);
    self->counter = g_atomic_rc_box_new0 (Counter);
    self->counter->foreign = foreign_ref (foreign);
    self->counter->held = budget_new (&limits);
    g_mutex_init (&self->counter->lock);
    self->filter =
        g_dbus_connection_add_filter (connection, unload, g_atomic_rc_box_acquire (self->counter), counter_unref);
    return self;
}

void
bus_baggage_free (BusBaggage *self)
{
    if (self == NULL)
        return;

    g_atomic_int_set (&self->counter->is_over, TRUE);
    g_dbus_connection_remove_filter (self->connection, self->filter);
    counter_unref (self->counter);
    g_object_unref (self->connection);
    g_free (self);
}

int
bus_baggage_take (GDBusMessage *message, gint handle, GError **error)
{
    Box *box = g_object_get_data (G_OBJECT (message), KEY);
    int fd = -1;

    if (box != NULL) {
        fd = box->fd;
        box->fd = -1;
        g_object_set_data (G_OBJECT (message), KEY, NULL);
    } else if (handle >= 0 && (guint) handle < g_dbus_message_get_num_unix_fds (message)) {
        /* The kernel drops what a process has no room for, and so do we. */
        g_set_error_literal (error, BUS_ERROR, BUS_ERROR_LIMIT_EXCEEDED,
                             "too many messages are being submitted at once; try again later");
    } else {
        g_set_error_literal (error, BUS_ERROR, BUS_ERROR_INVALID_ARGUMENT, "no file descriptor came with the call");
    }
    return fd;
}
