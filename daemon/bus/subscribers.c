/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Subscribers
 *
 * A signal on a bus is heard by everyone who cares to match it. Signals about messages name senders and recipients,
 * which are nobody else's business; and ten thousand messages a second are too many signals to send to nobody. So
 * there are no broadcasts: a client subscribes, is authorized once, and gets its signals addressed to itself. With no
 * subscriber an event costs a test.
 *
 * GDBus takes any number of signals and keeps them in memory until the bus has read them. To bound that, the signals
 * under way are counted from one flush to the next; when SIGNALS_UNDER_WAY_MOST are waiting, further ones are dropped
 * and counted, and EventsLost tells the subscribers how many they missed. Those about one of very many recipients are dropped
 * sooner.
 */

#include "bus/subscribers.h"

#include "bus/error.h"
#include "bus/remote-object.h"
#include "bus/variant.h"

/* Some 300 bytes each, so a few megabytes; two seconds' worth of the busiest relay. */
#define SIGNALS_UNDER_WAY_MOST 20000

/* What became of very many recipients at once must not fill the connection with signals, behind which replies wait. */
#define SIGNALS_OF_MANY_MOST 1000

/* A flush costs GDBus a thread's work; none is needed to know that few signals are under way. */
#define SIGNALS_PER_FLUSH 500

/* Each event may be told to each of them. */
static const BudgetLimits subscribers_limits = {.most = 256, .each = 32, .root = 8, .others = 64, .few = 2};

typedef struct {
    gint64 uid;
    BudgetShare *share;
    gboolean everyone;
    guint watch_id;
    guint64 lost; /* signals dropped, and not yet told */
} Subscriber;

struct _BusSubscribers {
    Bus *bus;
    Budget *budget;
    GHashTable *subscribers; /* unique name → Subscriber */
    GCancellable *cancellable;
    guint under_way; /* signals that no flush has reached yet */
    guint flushing;  /* of them, those that the flush under way waits for */
};

/* What a signal is made of; its body is made when the first subscriber for it is found. */
typedef struct {
    const gchar *name;
    GVariant *body;
} Signal;

static void
subscriber_free (Subscriber *subscriber)
{
    budget_give_back (subscriber->share, 1);
    g_bus_unwatch_name (subscriber->watch_id);
    g_free (subscriber);
}

BusSubscribers *
bus_subscribers_new (Bus *bus)
{
    BusSubscribers *self = g_new0 (BusSubscribers, 1);

    self->bus = bus;
    self->budget = budget_new (&subscribers_limits);
    self->subscribers = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) subscriber_free);
    self->cancellable = g_cancellable_new ();
    return self;
}

void
bus_subscribers_free (BusSubscribers *self)
{
    if (self == NULL)
        return;

    g_cancellable_cancel (self->cancellable);
    g_object_unref (self->cancellable);
    g_hash_table_unref (self->subscribers);
    budget_free (self->budget);
    g_free (self);
}

static void
on_vanished (GDBusConnection *connection, const gchar *name, gpointer user_data)
{
    BusSubscribers *self = user_data;

    bus_subscribers_remove (self, name);
}

static Subscriber *
subscriber_new (BusSubscribers *self, const gchar *name, gint64 uid, GError **error)
{
    const BudgetOwner owner = budget_user (uid);
    BudgetShare *share;
    Subscriber *subscriber;

    if (budget_take (self->budget, &owner, 1, &share) != BUDGET_TAKEN) {
        g_set_error_literal (error, BUS_ERROR, BUS_ERROR_LIMIT_EXCEEDED,
                             "there are too many subscribers; end one of yours first");
        return NULL;
    }

    subscriber = g_new0 (Subscriber, 1);
    subscriber->share = share;
    subscriber->watch_id = g_bus_watch_name_on_connection (self->bus->connection, name, G_BUS_NAME_WATCHER_FLAGS_NONE,
                                                           NULL, on_vanished, self, NULL);
    g_hash_table_insert (self->subscribers, g_strdup (name), subscriber);
    return subscriber;
}

gboolean
bus_subscribers_add (BusSubscribers *self, const gchar *name, gint64 uid, gboolean everyone, GError **error)
{
    Subscriber *subscriber = g_hash_table_lookup (self->subscribers, name);

    if (subscriber == NULL)
        subscriber = subscriber_new (self, name, uid, error);
    if (subscriber == NULL)
        return FALSE;

    subscriber->uid = uid;
    subscriber->everyone = everyone;
    return TRUE;
}

void
bus_subscribers_remove (BusSubscribers *self, const gchar *name)
{
    bus_touch (self->bus);
    g_hash_table_remove (self->subscribers, name);
}

guint
bus_subscribers_count (const BusSubscribers *self)
{
    return g_hash_table_size (self->subscribers);
}

static void
emit (BusSubscribers *self, const gchar *name, const Signal *signal)
{
    g_dbus_connection_emit_signal (self->bus->connection, name, BUS_MANAGER_PATH, BUS_MANAGER_INTERFACE, signal->name,
                                   signal->body, NULL);
    self->under_way++;
}

static void
tell_losses (BusSubscribers *self)
{
    GHashTableIter iter;
    gpointer name;
    gpointer value;

    g_hash_table_iter_init (&iter, self->subscribers);
    while (g_hash_table_iter_next (&iter, &name, &value)) {
        Subscriber *subscriber = value;
        Signal signal = {.name = "EventsLost"};

        if (subscriber->lost == 0)
            continue;
        signal.body = g_variant_new ("(t)", subscriber->lost);
        subscriber->lost = 0;
        emit (self, name, &signal);
    }
}

static void flush (BusSubscribers *self);

static void
on_flushed (GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr (GError) error = NULL;
    BusSubscribers *self;

    /* A connection that failed is closed; the daemon hears of that, and ends. */
    if (!g_dbus_connection_flush_finish (G_DBUS_CONNECTION (source), result, &error))
        return;

    self = user_data;
    self->under_way -= self->flushing;
    self->flushing = 0;
    tell_losses (self);
    flush (self);
}

static void
flush (BusSubscribers *self)
{
    if (self->flushing > 0 || self->under_way < SIGNALS_PER_FLUSH)
        return;

    self->flushing = self->under_way;
    g_dbus_connection_flush (self->bus->connection, self->cancellable, on_flushed, self);
}

static void
tell (BusSubscribers *self, const gchar *name, Subscriber *subscriber, const Signal *signal, guint most)
{
    if (self->under_way >= most)
        subscriber->lost++;
    else
        emit (self, name, signal);
}

static const gchar *
signal_name (QueueEventType type)
{
    switch (type) {
    case QUEUE_EVENT_QUEUED:
        return "MessageQueued";
    case QUEUE_EVENT_DELIVERED:
        return "MessageDelivered";
    case QUEUE_EVENT_DEFERRED:
        return "MessageDeferred";
    case QUEUE_EVENT_BOUNCED:
        return "MessageBounced";
    case QUEUE_EVENT_EXPIRED:
        return "MessageExpired";
    case QUEUE_EVENT_HELD:
        return "MessageHeld";
    case QUEUE_EVENT_RELEASED:
        return "MessageReleased";
    case QUEUE_EVENT_REDIRECTED:
        return "MessageRedirected";
    case QUEUE_EVENT_DELETED:
        return "MessageDeleted";
    case QUEUE_EVENT_REMOVED:
        return "MessageRemoved";
    }
    g_return_val_if_reached ("");
}

static void
add_result (GVariantBuilder *builder, const QueueEvent *event)
{
    const QueueRecipient *result = event->result;
    const gchar *remote = result == NULL || result->is_ours ? NULL : result->remote; /* who said it */

    g_variant_builder_add_value (builder, bus_variant_text (event->recipient));
    g_variant_builder_add_value (builder, bus_variant_text (remote));
    g_variant_builder_add_value (builder, bus_variant_text (result == NULL ? NULL : result->status));
    g_variant_builder_add_value (builder, bus_variant_text (result == NULL ? NULL : result->reply));
}

static GVariant *
event_body (const QueueEvent *event)
{
    const QueueMessage *message = event->message;
    gchar id[QUEUE_ID_TEXT_BYTES];
    GVariantBuilder builder;

    queue_id_write (message->id, id);
    g_variant_builder_init (&builder, G_VARIANT_TYPE_TUPLE);
    g_variant_builder_add (&builder, "s", id);
    g_variant_builder_add_value (&builder, bus_variant_time (event->now_usec));

    switch (event->type) {
    case QUEUE_EVENT_QUEUED:
        g_variant_builder_add (&builder, "x", message->origin.uid);
        g_variant_builder_add_value (&builder, bus_variant_text (message->envelope->sender));
        g_variant_builder_add_value (&builder, bus_variant_text (event->recipient));
        g_variant_builder_add (&builder, "u", message->recipients->len);
        g_variant_builder_add (&builder, "t", message->size);
        break;
    case QUEUE_EVENT_DEFERRED:
        add_result (&builder, event);
        g_variant_builder_add_value (&builder, bus_variant_time (message->next_usec));
        break;
    case QUEUE_EVENT_DELIVERED:
    case QUEUE_EVENT_BOUNCED:
    case QUEUE_EVENT_EXPIRED:
        add_result (&builder, event);
        break;
    case QUEUE_EVENT_REDIRECTED:
        g_variant_builder_add_value (&builder, bus_variant_text (event->recipient));
        break;
    case QUEUE_EVENT_HELD:
    case QUEUE_EVENT_RELEASED:
    case QUEUE_EVENT_DELETED:
    case QUEUE_EVENT_REMOVED:
        break;
    }
    return g_variant_ref_sink (g_variant_builder_end (&builder));
}

void
bus_subscribers_tell_event (BusSubscribers *self, const QueueEvent *event)
{
    Signal signal = {.name = signal_name (event->type)};
    guint most = event->is_of_many && event->recipient != NULL ? SIGNALS_OF_MANY_MOST : SIGNALS_UNDER_WAY_MOST;
    GHashTableIter iter;
    gpointer name;
    gpointer value;

    g_hash_table_iter_init (&iter, self->subscribers);
    while (g_hash_table_iter_next (&iter, &name, &value)) {
        Subscriber *subscriber = value;

        if (!subscriber->everyone && subscriber->uid != event->message->origin.uid)
            continue;
        if (signal.body == NULL)
            signal.body = event_body (event);
        tell (self, name, subscriber, &signal, most);
    }

    g_clear_pointer (&signal.body, g_variant_unref);
    flush (self);
}

void
bus_subscribers_tell_remote (BusSubscribers *self, const DeliveryRemoteInfo *remote)
{
    Signal signal = {.name = "RemoteChanged"};
    g_autofree gchar *path = bus_remote_object_path (remote->name);
    GVariant *fields[] = {
        bus_variant_text (remote->name),
        g_variant_new_object_path (path),
        g_variant_new_string (delivery_remote_state_name (remote->state)),
        bus_variant_text (remote->state == DELIVERY_REMOTE_DOWN ? remote->error : NULL),
        bus_variant_time (remote->next_probe_usec),
    };
    GHashTableIter iter;
    gpointer name;
    gpointer value;

    signal.body = g_variant_ref_sink (g_variant_new_tuple (fields, G_N_ELEMENTS (fields)));
    g_hash_table_iter_init (&iter, self->subscribers);
    while (g_hash_table_iter_next (&iter, &name, &value))
        tell (self, name, value, &signal, SIGNALS_UNDER_WAY_MOST);

    g_variant_unref (signal.body);
    flush (self);
}
