/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "bus/authorization.h"
#include "bus/bus.h"
#include "budget.h"

/*
 * What the objects of this room share. Only its own files include this.
 */

#define BUS_NAME                 "org.postern.Relay1"
#define BUS_MANAGER_PATH         "/org/postern/Relay1"
#define BUS_MESSAGE_PATH         BUS_MANAGER_PATH "/message"
#define BUS_REMOTE_PATH          BUS_MANAGER_PATH "/remote"
#define BUS_MANAGER_INTERFACE    "org.postern.Relay1.Manager"
#define BUS_MESSAGE_INTERFACE    "org.postern.Relay1.Message"
#define BUS_REMOTE_INTERFACE     "org.postern.Relay1.Remote"
#define BUS_PROPERTIES_INTERFACE "org.freedesktop.DBus.Properties"

typedef struct _BusSubscribers BusSubscribers;
typedef struct _BusProperties BusProperties;
typedef struct _BusStreams BusStreams;
typedef struct _BusBaggage BusBaggage;
typedef struct _BusCallers BusCallers;

struct _Bus {
    GDBusConnection *connection;
    gboolean private_connection; /* ours alone, to be closed at the end */
    Queue *queue;
    Delivery *delivery;
    BusHandlers handlers;
    void (*lost) (const GError *error, gpointer user_data);
    gpointer user_data; /* of handlers and lost */

    gulong closed_handler;
    guint manager_id;
    guint messages_id;
    guint remotes_id;
    gboolean closed; /* bus_free () was called: queue and delivery must not be touched any more */

    Budget *calls;     /* under way, of users */
    Budget *strangers; /* of connections, until it is known whose they are */
    BusAuthorization *authorization;
    BusBaggage *baggage;
    BusCallers *callers;
    GThreadPool *makers; /* one thread, for large replies */
    BusSubscribers *subscribers;
    BusProperties *properties;
    BusStreams *streams;
    const BusCounters *counters;
    gint64 hurried_usec; /* monotonic; when a caller without privileges last hurried the delivery */
    GQueue waiting;      /* of calls that wait for the queue: see wait.c */
    guint calls_pending;
    gint64 used_usec; /* monotonic; of bus_used_usec () */

    void (*released) (gpointer user_data); /* (nullable) of bus_release (), until it was called */
    gpointer released_data;
    gboolean has_no_name; /* the bus has taken it back, and all calls that came by it are here */
};

/* A bus lives as long as its owner, and a little longer if calls are waiting for the queue or the delivery. */
Bus *bus_ref (Bus *bus);
void bus_unref (Bus *bus);

/* Somebody has begun to use the daemon, or asks it for a property. */
void bus_touch (Bus *bus);

/* A GFunc, on the thread that makes large replies: see call.c. */
void bus_call_make (gpointer data, gpointer unused);

/* A call was answered, or what it gave to read was read: it may have been the last that bus_release () waits for. */
void bus_call_ended (Bus *bus);
