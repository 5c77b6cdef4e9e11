/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * A relay that is watched
 *
 * The relay sleeps while it has nothing to do, and a desktop must not keep it awake or wake it. So it is subscribed to
 * whenever it appears on the bus, and nothing here ever starts it: every call says so. Its signals tell of mail that
 * fails.
 *
 * That mail is stuck is told by no signal: it is that nothing happens. While some of the own mail waits, the queue
 * is looked at from time to time for what is older than it should be.
 *
 * Somebody to whom polkit gives everyone's mail would hear of it all; then only events of messages count that are known to
 * be the own ones, from the queue or from their arrival.
 */

#include "notify-relay.h"

#include <string.h>
#include <unistd.h>

#include "postern-client.h"

/* Whoever waits for mail to go out looks about this often. */
#define LOOK_LONGEST_SECONDS 300

/* A row of ListMessages, see the introspection XML. */
#define ROW_TYPE "(ssxssuutttus)"

/* As many as are worth a line. */
#define STUCK_MOST 50

struct _NotifyRelay {
    GDBusConnection *connection;
    GCancellable *cancellable;
    gint64 stuck_usec;
    NotifyTold told;
    gpointer user_data;

    guint watch;
    guint subscription;
    guint look_source; /* 0: no mail of ours waits */
    gboolean everyone; /* signals of others' mail come too */
    GHashTable *own;   /* ids of our messages, as far as they are known */
    GHashTable *stuck; /* ids that were told of */
};

static void look_later (NotifyRelay *relay);

/* Asks the relay, without starting it. */
static void
ask (NotifyRelay *relay, const gchar *method, GVariant *parameters, const gchar *type, GAsyncReadyCallback answered)
{
    g_dbus_connection_call (relay->connection, RELAY_NAME, RELAY_MANAGER_PATH, RELAY_MANAGER_INTERFACE, method,
                            parameters, G_VARIANT_TYPE (type), G_DBUS_CALL_FLAGS_NO_AUTO_START, -1,
                            relay->cancellable, answered, relay);
}

/* Returns: (transfer full) (nullable): what was answered; a relay that went away meanwhile comes back with a new story */
static GVariant *
take_answer (GObject *connection, GAsyncResult *result, gboolean *is_over)
{
    g_autoptr (GError) error = NULL;
    GVariant *reply = g_dbus_connection_call_finish (G_DBUS_CONNECTION (connection), result, &error);

    *is_over = g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
    if (reply == NULL && !*is_over)
        g_debug ("the relay does not answer: %s", error->message);
    return reply;
}

/* ---- What waits ---- */

static void
take_row (NotifyRelay *relay, GVariant *row)
{
    const gchar *id, *recipient, *reason;
    guint64 arrival;

    g_variant_get (row, "(&s&sx&s&suutttu&s)", &id, NULL, NULL, NULL, &recipient, NULL, NULL, NULL, &arrival, NULL,
                   NULL, &reason);
    g_hash_table_add (relay->own, g_strdup (id));
    if ((gint64) arrival > g_get_real_time () - relay->stuck_usec)
        return;
    if (g_hash_table_add (relay->stuck, g_strdup (id)))
        relay->told (NOTIFY_STUCK, recipient, reason, relay->user_data);
}

/* The oldest messages come first, so what is stuck is among them. */
static void
on_listed (GObject *connection, GAsyncResult *result, gpointer user_data)
{
    NotifyRelay *relay = user_data;
    gboolean is_over;
    g_autoptr (GVariant) reply = take_answer (connection, result, &is_over);
    g_autoptr (GVariant) rows = NULL;

    if (reply == NULL)
        return;

    rows = g_variant_get_child_value (reply, 0);
    for (gsize i = 0; i < g_variant_n_children (rows); i++) {
        g_autoptr (GVariant) row = g_variant_get_child_value (rows, i);

        take_row (relay, row);
    }
    if (g_variant_n_children (rows) > 0)
        look_later (relay);
}

static void
look (NotifyRelay *relay)
{
    g_auto (GVariantBuilder) filter = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE_VARDICT);

    g_variant_builder_add (&filter, "{sv}", "user", g_variant_new_uint32 (getuid ()));
    ask (relay, "ListMessages",
         g_variant_new ("(@a{sv}su)", g_variant_builder_end (&filter), "", (guint32) STUCK_MOST), "(a" ROW_TYPE "s)",
         on_listed);
}

static gboolean
on_look (gpointer user_data)
{
    NotifyRelay *relay = user_data;

    relay->look_source = 0;
    look (relay);
    return G_SOURCE_REMOVE;
}

static void
look_later (NotifyRelay *relay)
{
    gint64 seconds = CLAMP (relay->stuck_usec / G_USEC_PER_SEC, 1, LOOK_LONGEST_SECONDS);

    if (relay->look_source == 0)
        relay->look_source = g_timeout_add_seconds ((guint) seconds, on_look, relay);
}

/* ---- What happens ---- */

static gboolean
is_own (const NotifyRelay *relay, const gchar *id)
{
    return !relay->everyone || g_hash_table_contains (relay->own, id);
}

static void
take_arrival (NotifyRelay *relay, GVariant *arguments)
{
    const gchar *id;
    gint64 user;

    g_variant_get (arguments, "(&stx&s&sut)", &id, NULL, &user, NULL, NULL, NULL, NULL);
    if (user != (gint64) getuid ())
        return;

    g_hash_table_add (relay->own, g_strdup (id));
    look_later (relay);
}

static void
take_failure (NotifyRelay *relay, NotifyKind kind, GVariant *arguments)
{
    const gchar *id, *recipient, *reply;

    g_variant_get (arguments, "(&st&s&s&s&s)", &id, NULL, &recipient, NULL, NULL, &reply);
    if (is_own (relay, id))
        relay->told (kind, recipient, reply, relay->user_data);
}

static void
take_end (NotifyRelay *relay, GVariant *arguments)
{
    const gchar *id;

    g_variant_get (arguments, "(&st)", &id, NULL);
    g_hash_table_remove (relay->own, id);
    g_hash_table_remove (relay->stuck, id);
}

static void
on_signal (GDBusConnection *connection, const gchar *sender, const gchar *path, const gchar *interface,
           const gchar *signal, GVariant *arguments, gpointer user_data)
{
    NotifyRelay *relay = user_data;
    const gchar *type = g_variant_get_type_string (arguments);

    if (g_str_equal (signal, "MessageQueued") && g_str_equal (type, "(stxssut)"))
        take_arrival (relay, arguments);
    else if (g_str_equal (signal, "MessageBounced") && g_str_equal (type, "(stssss)"))
        take_failure (relay, NOTIFY_REFUSED, arguments);
    else if (g_str_equal (signal, "MessageExpired") && g_str_equal (type, "(stssss)"))
        take_failure (relay, NOTIFY_EXPIRED, arguments);
    else if (g_str_equal (signal, "MessageRemoved") && g_str_equal (type, "(st)"))
        take_end (relay, arguments);
}

/* ---- Coming and going ---- */

static void
on_subscribed (GObject *connection, GAsyncResult *result, gpointer user_data)
{
    NotifyRelay *relay = user_data;
    gboolean is_over;
    g_autoptr (GVariant) reply = take_answer (connection, result, &is_over);

    if (reply == NULL)
        return;

    g_variant_get (reply, "(b)", &relay->everyone);
    look (relay);
}

static void
on_appeared (GDBusConnection *connection, const gchar *name, const gchar *owner, gpointer user_data)
{
    NotifyRelay *relay = user_data;

    relay->everyone = TRUE; /* until the relay says that it sends only our own */
    ask (relay, "Subscribe", g_variant_new ("(@a{sv})", g_variant_new_array (G_VARIANT_TYPE ("{sv}"), NULL, 0)),
         "(b)", on_subscribed);
}

static void
on_vanished (GDBusConnection *connection, const gchar *name, gpointer user_data)
{
    NotifyRelay *relay = user_data;

    g_clear_handle_id (&relay->look_source, g_source_remove);
}

NotifyRelay *
notify_relay_new (GDBusConnection *connection, gint64 stuck_usec, NotifyTold told, gpointer user_data)
{
    NotifyRelay *relay = g_new0 (NotifyRelay, 1);

    relay->connection = g_object_ref (connection);
    relay->cancellable = g_cancellable_new ();
    relay->stuck_usec = stuck_usec;
    relay->told = told;
    relay->user_data = user_data;
    relay->own = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
    relay->stuck = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
    relay->subscription =
        g_dbus_connection_signal_subscribe (connection, RELAY_NAME, RELAY_MANAGER_INTERFACE, NULL, RELAY_MANAGER_PATH,
                                            NULL, G_DBUS_SIGNAL_FLAGS_NONE, on_signal, relay, NULL);
    relay->watch = g_bus_watch_name_on_connection (connection, RELAY_NAME, G_BUS_NAME_WATCHER_FLAGS_NONE, on_appeared,
                                                   on_vanished, relay, NULL);
    return relay;
}

void
notify_relay_free (NotifyRelay *relay)
{
    if (relay == NULL)
        return;

    g_bus_unwatch_name (relay->watch);
    g_dbus_connection_signal_unsubscribe (relay->connection, relay->subscription);
    g_cancellable_cancel (relay->cancellable);
    g_clear_handle_id (&relay->look_source, g_source_remove);
    g_hash_table_unref (relay->own);
    g_hash_table_unref (relay->stuck);
    g_object_unref (relay->cancellable);
    g_object_unref (relay->connection);
    g_free (relay);
}
