/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The daemon on the bus
 *
 * Owns the connection, the bus name and the registration of the objects; passes on what happened to those who tell
 * it.
 *
 * The objects are exported before the name is asked for, so that a call which the name's appearance set free (the bus
 * holds it back while it starts the daemon) finds them. The name is waited for, so that whoever is told that the relay
 * is ready can call it.
 *
 * A daemon that goes to sleep gives the name back first. The bus hands over messages in order, and GDBus dispatches them in
 * order, so by the time its answer is dispatched every call that was sent by our name is here.
 *
 * Calls that are waiting when the bus is closed hold on to it, and are answered with an error when their question
 * comes back: see bus_call_require () and its kin.
 */

#include "bus/bus.h"

#include "bus/baggage.h"
#include "bus/callers.h"
#include "bus/error.h"
#include "bus/internal.h"
#include "bus/manager.h"
#include "bus/message-object.h"
#include "bus/properties.h"
#include "bus/remote-object.h"
#include "bus/stream.h"
#include "bus/subscribers.h"
#include "bus/wait.h"

#define NAME_MSEC 5000

/* Calls under way, counted by the memory that they take (gate.c): 128 MiB, so that one user may have the longest call that a bus
 * lets through. */
#define CALLS_MOST 32768

/* Calls of connections of which the bus has not told yet whose they are. */
static const BudgetLimits strangers_limits = {
    .most = CALLS_MOST, .each = CALLS_MOST / 2, .others = CALLS_MOST / 4, .few = 8};

#define NAME_IS_OURS 1 /* of RequestName: DBUS_REQUEST_NAME_REPLY_PRIMARY_OWNER of the D-Bus specification */

Bus *
bus_ref (Bus *bus)
{
    return g_rc_box_acquire (bus);
}

static void
bus_clear (gpointer data)
{
    Bus *bus = data;

    g_clear_object (&bus->connection);
    if (bus->makers != NULL)
        g_thread_pool_free (bus->makers, FALSE, FALSE);
    g_clear_pointer (&bus->calls, budget_free);
    g_clear_pointer (&bus->strangers, budget_free);
}

void
bus_unref (Bus *bus)
{
    g_rc_box_release_full (bus, bus_clear);
}

static void
on_closed (GDBusConnection *connection, gboolean remote_peer_vanished, GError *reason, gpointer user_data)
{
    Bus *bus = user_data;
    g_autoptr (GError) error = g_error_new (BUS_ERROR, BUS_ERROR_FAILED, "the message bus closed the connection: %s",
                                            reason == NULL ? "it ended" : reason->message);

    bus->lost (error, bus->user_data);
}

static GDBusConnection *
connect_to (const gchar *address, GError **error)
{
    g_autoptr (GError) cause = NULL;
    GDBusConnection *connection;

    if (g_str_equal (address, "system"))
        connection = g_bus_get_sync (G_BUS_TYPE_SYSTEM, NULL, &cause);
    else if (g_str_equal (address, "session"))
        connection = g_bus_get_sync (G_BUS_TYPE_SESSION, NULL, &cause);
    else
        connection = g_dbus_connection_new_for_address_sync (
            address, G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT | G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION,
            NULL, NULL, &cause);

    if (connection == NULL) {
        g_set_error (error, BUS_ERROR, BUS_ERROR_FAILED, "cannot connect to the message bus “%s”: %s", address,
                     cause->message);
        return NULL;
    }

    /* GDBus would end the process otherwise. */
    g_dbus_connection_set_exit_on_close (connection, FALSE);
    return connection;
}

/* The bus answers at once, or is of no use. Nobody can take the name away later, since we do not allow it. */
static gboolean
request_name (Bus *bus, GError **error)
{
    g_autoptr (GError) cause = NULL;
    g_autoptr (GVariant) reply = g_dbus_connection_call_sync (
        bus->connection, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "RequestName",
        g_variant_new ("(su)", BUS_NAME, (guint32) G_BUS_NAME_OWNER_FLAGS_DO_NOT_QUEUE), G_VARIANT_TYPE ("(u)"),
        G_DBUS_CALL_FLAGS_NONE, NAME_MSEC, NULL, &cause);
    guint32 answer;

    if (reply == NULL) {
        g_dbus_error_strip_remote_error (cause);
        g_set_error (error, BUS_ERROR, BUS_ERROR_FAILED, "the message bus does not give us the name " BUS_NAME ": %s",
                     cause->message);
        return FALSE;
    }

    g_variant_get (reply, "(u)", &answer);
    if (answer == NAME_IS_OURS)
        return TRUE;

    g_set_error_literal (error, BUS_ERROR, BUS_ERROR_FAILED,
                         "another relay has the name " BUS_NAME " on the message bus");
    return FALSE;
}

/* @answered: (nullable): nobody waits for the answer */
static void
release_name (Bus *bus, GAsyncReadyCallback answered, gpointer user_data)
{
    g_dbus_connection_call (bus->connection, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
                            "ReleaseName", g_variant_new ("(s)", BUS_NAME), NULL, G_DBUS_CALL_FLAGS_NONE, NAME_MSEC,
                            NULL, answered, user_data);
}

static gboolean
register_objects (Bus *bus, GError **error)
{
    bus->manager_id = bus_manager_register (bus, error);
    if (bus->manager_id == 0)
        return FALSE;
    bus->messages_id = bus_message_objects_register (bus, error);
    if (bus->messages_id == 0)
        return FALSE;
    bus->remotes_id = bus_remote_objects_register (bus, error);
    return bus->remotes_id != 0;
}

static void
unregister_objects (Bus *bus)
{
    if (bus->manager_id != 0)
        g_dbus_connection_unregister_object (bus->connection, bus->manager_id);
    if (bus->messages_id != 0)
        g_dbus_connection_unregister_subtree (bus->connection, bus->messages_id);
    if (bus->remotes_id != 0)
        g_dbus_connection_unregister_subtree (bus->connection, bus->remotes_id);
}

static void
make_budgets (Bus *bus)
{
    const BudgetLimits calls = budget_limits_share (CALLS_MOST);

    bus->calls = budget_new (&calls);
    bus->strangers = budget_new (&strangers_limits);
}

Bus *
bus_new (const gchar *address, const BusRooms *rooms, const BusHandlers *handlers,
         void (*lost) (const GError *error, gpointer user_data), gpointer user_data, GError **error)
{
    g_autoptr (GDBusConnection) connection = connect_to (address, error);
    gboolean is_system = g_str_equal (address, "system");
    g_autoptr (Bus) bus = NULL;

    if (connection == NULL)
        return NULL;

    bus = g_rc_box_new0 (Bus);
    bus->connection = g_steal_pointer (&connection);
    bus->private_connection = !is_system && !g_str_equal (address, "session");
    bus->queue = rooms->queue;
    bus->delivery = rooms->delivery;
    bus->counters = rooms->counters;
    bus->handlers = *handlers;
    bus->lost = lost;
    bus->user_data = user_data;
    make_budgets (bus);
    bus->authorization = bus_authorization_new (bus->connection, is_system);
    bus->baggage = bus_baggage_new (bus->connection, rooms->foreign, rooms->baggage_most);
    bus->callers = bus_callers_new (bus->connection);
    bus->makers = g_thread_pool_new (bus_call_make, NULL, 1, FALSE, NULL);
    bus->subscribers = bus_subscribers_new (bus);
    bus->properties = bus_properties_new (bus);
    bus->streams = bus_streams_new (bus, rooms->streams_most);
    g_queue_init (&bus->waiting);

    if (!register_objects (bus, error) || !request_name (bus, error))
        return NULL;

    bus->closed_handler = g_signal_connect (bus->connection, "closed", G_CALLBACK (on_closed), bus);
    return g_steal_pointer (&bus);
}

void
bus_free (Bus *bus)
{
    if (bus == NULL)
        return;

    bus->closed = TRUE;
    g_clear_signal_handler (&bus->closed_handler, bus->connection);
    unregister_objects (bus);
    bus->released = NULL;
    g_clear_pointer (&bus->callers, bus_callers_free);
    bus_wait_end (bus);
    /* A connection that is shared in the process would keep the name. */
    if (!bus->has_no_name)
        release_name (bus, NULL, NULL);
    g_clear_pointer (&bus->streams, bus_streams_free);
    g_clear_pointer (&bus->properties, bus_properties_free);
    g_clear_pointer (&bus->subscribers, bus_subscribers_free);
    g_clear_pointer (&bus->authorization, bus_authorization_free);
    g_clear_pointer (&bus->baggage, bus_baggage_free);

    /* What was said must not be lost with us; the bus reads it at once or is gone. */
    g_dbus_connection_flush_sync (bus->connection, NULL, NULL);
    if (bus->private_connection)
        g_dbus_connection_close_sync (bus->connection, NULL, NULL);
    bus_unref (bus);
}

void
bus_queue_event (Bus *bus, const QueueEvent *event)
{
    bus_properties_touch (bus->properties);
    bus_subscribers_tell_event (bus->subscribers, event);
}

void
bus_remote_event (Bus *bus, const DeliveryRemoteInfo *remote)
{
    bus_remote_object_changed (bus, remote);
    bus_subscribers_tell_remote (bus->subscribers, remote);
}

void
bus_remote_asked (Bus *bus, const DeliveryRemoteInfo *remote)
{
    bus_remote_object_changed (bus, remote);
}

void
bus_changed (Bus *bus)
{
    bus_properties_touch (bus->properties);
    bus_wait_look (bus);
}

gboolean
bus_is_in_use (const Bus *bus)
{
    return bus->calls_pending > 0 || bus_streams_count (bus->streams) > 0 ||
           bus_subscribers_count (bus->subscribers) > 0;
}

gint64
bus_used_usec (const Bus *bus)
{
    return bus->used_usec;
}

void
bus_touch (Bus *bus)
{
    bus->used_usec = g_get_monotonic_time ();
}

void
bus_call_ended (Bus *bus)
{
    void (*released) (gpointer user_data) = bus->released;

    bus_touch (bus);
    if (released == NULL || !bus->has_no_name || bus->calls_pending > 0 || bus_streams_count (bus->streams) > 0)
        return;

    bus->released = NULL;
    released (bus->released_data);
}

static void
on_name_released (GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr (GVariant) reply = g_dbus_connection_call_finish (G_DBUS_CONNECTION (source), result, NULL);
    Bus *bus = user_data;

    /* A bus that does not answer is gone, and so is the name. */
    bus->has_no_name = TRUE;
    bus_call_ended (bus);
    bus_unref (bus);
}

void
bus_release (Bus *bus, void (*released) (gpointer user_data), gpointer user_data)
{
    bus->released = released;
    bus->released_data = user_data;
    release_name (bus, on_name_released, bus_ref (bus));
}
