/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gio/gio.h>

#include "bus/caller.h"
#include "delivery/delivery.h"
#include "foreign.h"
#include "queue/queue.h"

/*
 * The daemon on the message bus: org.postern.Relay1 with its Manager, and objects for messages and remotes that are
 * made when somebody asks for them.
 */

typedef struct _Bus Bus;

/* @id 0 with @error. */
typedef void (*BusSubmitted) (QueueId id, const GError *error, gpointer user_data);

/* What is submitted. */
typedef struct {
    int fd; /* where the content is read from, to its end; a foreign one, taken over */
    const MessageEnvelope *envelope;
    gint64 uid;
    BusCaller *caller; /* stays until it is told what came of it */
} BusSubmission;

/* @report: (nullable): the arguments of the reply to Check; %NULL if the daemon stops before it is made. */
typedef void (*BusChecked) (GVariant *report, gpointer user_data);

/* How the configuration is. */
typedef struct {
    const gchar *problems;     /* (nullable): a line for each thing that is wrong with it */
    const GPtrArray *warnings; /* of gchar *: what works but should not stay so */
    const gchar *in_force;     /* "current", "earlier", "none" */
    gint64 since_usec;         /* when what is in force was good last */
} BusConfiguration;

typedef struct {
    /* Reads the configuration anew. FALSE: it was bad, and the old one stays. */
    gboolean (*reload) (GError **error, gpointer user_data);

    /* How many recipients one message may have. */
    guint (*recipients_most) (gpointer user_data);

    /* Takes in a message. */
    void (*submit) (const BusSubmission *submission, BusSubmitted submitted, gpointer submitted_data,
                    gpointer user_data);

    /* Reads the configuration without using it and, if @connect, tries its smarthosts. */
    void (*check) (gboolean connect, const gchar *sender, BusChecked checked, gpointer checked_data,
                   gpointer user_data);

    BusConfiguration (*configuration) (gpointer user_data);
} BusHandlers;

/* What happened since the daemon started. The daemon's own, since it goes on counting while there is no bus. */
typedef struct {
    gint64 started_usec; /* since the epoch */
    guint64 accepted;    /* messages */
    guint64 removed;     /* messages of which nothing is pending any more */
    guint64 deleted;     /* messages */
    guint64 delivered;   /* recipients */
    guint64 deferred;    /* attempts for a recipient */
    guint64 bounced;     /* recipients */
    guint64 expired;     /* recipients */
} BusCounters;

void bus_counters_init (BusCounters *counters);
void bus_counters_count (BusCounters *counters, const QueueEvent *event);

/* What the bus shows and steers, and what it may take. All must outlive it. */
typedef struct {
    Queue *queue;
    Delivery *delivery;
    Foreign *foreign; /* closes descriptors that come with calls */
    const BusCounters *counters;
    guint streams_most; /* at once, to all callers */
    guint baggage_most; /* descriptors of calls that nobody has seen to yet */
} BusRooms;

/**
 * bus_new:
 * @address: "system", "session", or a D-Bus address
 * @lost: the bus went away; @error says it in words
 *
 * Connects, exports the objects, and gets the name. Waits for the bus, which answers at once where it answers at all.
 *
 * Returns: (transfer full): or %NULL with an error that names the bus
 */
Bus *bus_new (const gchar *address, const BusRooms *rooms, const BusHandlers *handlers,
              void (*lost) (const GError *error, gpointer user_data), gpointer user_data, GError **error);
void bus_free (Bus *bus);

/* What happened, for signals and PropertiesChanged. From the relay's listeners. */
void bus_queue_event (Bus *bus, const QueueEvent *event);
void bus_remote_event (Bus *bus, const DeliveryRemoteInfo *remote);
void bus_remote_asked (Bus *bus, const DeliveryRemoteInfo *remote); /* in vain: its properties alone changed */
void bus_changed (Bus *bus); /* paused, online, queue trouble or read, limits: properties of the Manager */

/* Whether somebody needs the daemon to stay: a call waits for its answer, content is being read, or there are
 * subscribers, whom only this daemon knows. */
gboolean bus_is_in_use (const Bus *bus);

/* When somebody last used the daemon: began a call, was answered, read a property, had read all content, or stopped to
 * subscribe. Of the monotonic clock; 0: nobody has. */
gint64 bus_used_usec (const Bus *bus);

/**
 * bus_release:
 *
 * Gives the name back: calls that come from now on go to another daemon, which the bus has started. Those that came before
 * are answered, and what they gave to read is read; then @released is called, from the main loop.
 */
void bus_release (Bus *bus, void (*released) (gpointer user_data), gpointer user_data);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Bus, bus_free)
