/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Callers
 *
 * The bus tells of everyone who leaves it. A rule for each caller would be a rule too many for a bus that allows some hundred,
 * so there is one for all, and only while somebody is watched: else a relay that sleeps in its poll would be woken by each
 * program of the machine that ends.
 *
 * What the bus tells may come after what the caller's death has done elsewhere: a pipe is closed in the same moment. So whoever
 * needs to know for certain asks. The bus answers as its loop comes by us, which may be before it comes by the connection that
 * was closed: but when it has come by us ASKS times, it has come by all others between.
 */

#include "bus/callers.h"

#define DRIVER_NAME      "org.freedesktop.DBus"
#define DRIVER_PATH      "/org/freedesktop/DBus"
#define DRIVER_INTERFACE "org.freedesktop.DBus"

/* A turn to hear of the end, one to see to it, and one for a loop that takes only so many at a time. */
#define ASKS 4

/* The bus driver answers at once, or is overloaded. */
#define ASK_MSEC (20 * 1000)

struct _BusCallers {
    GDBusConnection *connection;
    GQueue list;        /* of BusCaller, by their own links */
    guint subscription; /* 0: nobody is watched */
};

struct _BusCaller {
    BusCallers *callers; /* (nullable) they are gone, and this one with them */
    gchar *name;
    BusCallerGone gone; /* (nullable) not watched */
    BusCallerAnswer answered;
    gpointer user_data;
    GCancellable *question; /* (nullable) none was asked */
    guint asks_left;
    GList link;
};

BusCallers *
bus_callers_new (GDBusConnection *connection)
{
    BusCallers *self = g_new0 (BusCallers, 1);

    self->connection = g_object_ref (connection);
    g_queue_init (&self->list);
    return self;
}

static void
tell_gone (BusCaller *self)
{
    BusCallerGone gone = self->gone;

    bus_caller_forget (self);
    if (gone != NULL)
        gone (self->user_data);
}

static void
leave (BusCaller *self)
{
    BusCallers *callers = g_steal_pointer (&self->callers);

    if (callers == NULL)
        return;

    g_queue_unlink (&callers->list, &self->link);
    if (callers->list.length == 0 && callers->subscription != 0) {
        g_dbus_connection_signal_unsubscribe (callers->connection, callers->subscription);
        callers->subscription = 0;
    }
}

void
bus_callers_free (BusCallers *self)
{
    if (self == NULL)
        return;

    while (self->list.head != NULL) {
        BusCaller *caller = self->list.head->data;

        leave (caller);
        tell_gone (caller);
    }
    g_object_unref (self->connection);
    g_free (self);
}

static void
on_owner_changed (GDBusConnection *connection, const gchar *sender, const gchar *path, const gchar *interface,
                  const gchar *signal, GVariant *parameters, gpointer user_data)
{
    BusCallers *self = user_data;
    const gchar *name;
    const gchar *owner;
    GList *next;

    if (!g_variant_is_of_type (parameters, G_VARIANT_TYPE ("(sss)")))
        return;
    g_variant_get (parameters, "(&s&s&s)", &name, NULL, &owner);
    if (*owner != '\0')
        return;

    for (GList *link = self->list.head; link != NULL; link = next) {
        BusCaller *caller = link->data;

        next = link->next;
        if (g_str_equal (caller->name, name))
            tell_gone (caller);
    }
}

BusCaller *
bus_caller_new (BusCallers *callers, const gchar *name)
{
    BusCaller *self = g_new0 (BusCaller, 1);

    self->callers = callers;
    self->name = g_strdup (name);
    self->link.data = self;
    g_queue_push_tail_link (&callers->list, &self->link);
    if (callers->subscription == 0)
        callers->subscription = g_dbus_connection_signal_subscribe (
            callers->connection, DRIVER_NAME, DRIVER_INTERFACE, "NameOwnerChanged", DRIVER_PATH, NULL,
            G_DBUS_SIGNAL_FLAGS_NONE, on_owner_changed, callers, NULL);
    return self;
}

void
bus_caller_free (BusCaller *self)
{
    if (self == NULL)
        return;

    bus_caller_forget (self);
    leave (self);
    g_free (self->name);
    g_free (self);
}

void
bus_caller_watch (BusCaller *self, BusCallerGone gone, gpointer user_data)
{
    self->gone = gone;
    self->user_data = user_data;
}

static void ask (BusCaller *self);

static void
on_answered (GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr (GError) error = NULL;
    g_autoptr (GVariant) reply = g_dbus_connection_call_finish (G_DBUS_CONNECTION (source), result, &error);
    BusCaller *self = user_data;
    gboolean is_there = FALSE;
    BusCallerAnswer answered;

    /* Forgotten, and maybe freed. */
    if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        return;

    if (reply != NULL)
        g_variant_get (reply, "(b)", &is_there);
    if (is_there && --self->asks_left > 0) {
        ask (self);
        return;
    }

    answered = self->answered;
    bus_caller_forget (self);
    answered (is_there, self->user_data);
}

static void
ask (BusCaller *self)
{
    g_dbus_connection_call (self->callers->connection, DRIVER_NAME, DRIVER_PATH, DRIVER_INTERFACE, "NameHasOwner",
                            g_variant_new ("(s)", self->name), G_VARIANT_TYPE ("(b)"), G_DBUS_CALL_FLAGS_NONE,
                            ASK_MSEC, self->question, on_answered, self);
}

void
bus_caller_ask (BusCaller *self, BusCallerAnswer answered, gpointer user_data)
{
    if (self->callers == NULL) {
        answered (FALSE, user_data);
        return;
    }

    self->answered = answered;
    self->user_data = user_data;
    self->question = g_cancellable_new ();
    self->asks_left = ASKS;
    ask (self);
}

void
bus_caller_forget (BusCaller *self)
{
    self->gone = NULL;
    if (self->question != NULL) {
        g_cancellable_cancel (self->question);
        g_clear_object (&self->question);
    }
}
