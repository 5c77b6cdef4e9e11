/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Making a connection
 *
 * The look-up and the connection to whichever address answers, in the background, by GSocketClient; and the words for
 * what goes wrong on this way. It hands out a bare descriptor, because the channel works on one.
 *
 * A look-up that fails is as temporary as a connection that fails, also if the answer was "no such host": away from
 * home, or before the network is up, resolvers say that of every name.
 */

#include "delivery/connect.h"

#include "delivery/addresses.h"

#include <fcntl.h>

typedef struct {
    gchar *host;
    guint16 port;
    guint timeout; /* source id, 0: over */
    GCancellable *cancellable;
    GCancellable *inner; /* of the look-up and the connection: cancelled by @cancellable or by the time-out */
    gulong chained;
    DeliveryConnected connected;
    gpointer user_data;
} Connect;

static void
connect_free (Connect *self)
{
    g_cancellable_disconnect (self->cancellable, self->chained);
    g_clear_handle_id (&self->timeout, g_source_remove);
    g_object_unref (self->cancellable);
    g_object_unref (self->inner);
    g_free (self->host);
    g_free (self);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Connect, connect_free)

static gboolean
on_timeout (gpointer user_data)
{
    Connect *self = user_data;

    self->timeout = 0;
    g_cancellable_cancel (self->inner);
    return G_SOURCE_REMOVE;
}

static DeliveryFailure *
timed_out (const Connect *self)
{
    return delivery_failure_new (
        DELIVERY_FAILURE_CONNECT, NULL,
        g_strdup_printf ("%s:%u: connection timed out: the host is down, or a firewall blocks the port", self->host,
                         self->port));
}

static DeliveryFailure *
lookup_failure (const Connect *self, const GError *error)
{
    gchar *reason;

    if (g_error_matches (error, G_RESOLVER_ERROR, G_RESOLVER_ERROR_NOT_FOUND))
        reason = g_strdup_printf ("%s:%u: no such host; if the name is right, the network or its name server is away",
                                  self->host, self->port);
    else
        reason = g_strdup_printf ("%s:%u: the name cannot be looked up: %s; is the network up?", self->host,
                                  self->port, error->message);

    return delivery_failure_new (DELIVERY_FAILURE_LOOKUP, NULL, reason);
}

static DeliveryFailure *
connect_failure (const Connect *self, const GError *error)
{
    gchar *reason;

    if (error->domain == G_RESOLVER_ERROR)
        return lookup_failure (self, error);
    if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT))
        return timed_out (self);

    if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_REFUSED))
        reason = g_strdup_printf ("%s:%u: connection refused: nothing listens on that port", self->host, self->port);
    else if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_NETWORK_UNREACHABLE) ||
             g_error_matches (error, G_IO_ERROR, G_IO_ERROR_HOST_UNREACHABLE))
        reason = g_strdup_printf ("%s:%u: there is no route to it: is the network up?", self->host, self->port);
    else
        reason = g_strdup_printf ("%s:%u: cannot connect: %s", self->host, self->port, error->message);

    return delivery_failure_new (DELIVERY_FAILURE_CONNECT, NULL, reason);
}

static gchar *
describe_peer (GSocketConnection *connection)
{
    g_autoptr (GSocketAddress) address = g_socket_connection_get_remote_address (connection, NULL);

    return address ? g_socket_connectable_to_string (G_SOCKET_CONNECTABLE (address)) : g_strdup ("the server");
}

static void
on_connected (GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr (Connect) self = user_data;
    g_autoptr (GError) error = NULL;
    g_autoptr (GSocketConnection) connection = NULL;
    g_autofree gchar *peer = NULL;
    int fd;

    connection = g_socket_client_connect_finish (G_SOCKET_CLIENT (source), result, &error);
    if (g_cancellable_is_cancelled (self->cancellable))
        return;

    if (!connection) {
        self->connected (-1, NULL, self->timeout ? connect_failure (self, error) : timed_out (self), self->user_data);
        return;
    }

    /* The GSocket closes its own descriptor when it goes. */
    fd = fcntl (g_socket_get_fd (g_socket_connection_get_socket (connection)), F_DUPFD_CLOEXEC, 3);
    if (fd < 0) {
        DeliveryFailure *failure = delivery_failure_new (
            DELIVERY_FAILURE_LOCAL, NULL,
            g_strdup_printf ("%s:%u: cannot connect: %s", self->host, self->port, g_strerror (errno)));

        self->connected (-1, NULL, failure, self->user_data);
        return;
    }

    peer = describe_peer (connection);
    self->connected (fd, peer, NULL, self->user_data);
}

static void
on_cancelled (GCancellable *cancellable, gpointer user_data)
{
    g_cancellable_cancel (user_data);
}

void
delivery_connect (const gchar *host, guint16 port, guint seconds, GCancellable *cancellable,
                  DeliveryConnected connected, gpointer user_data)
{
    g_autoptr (GSocketClient) client = g_socket_client_new ();
    g_autoptr (GSocketConnectable) address = delivery_addresses_new (host, port);
    Connect *self = g_new0 (Connect, 1);

    self->host = g_strdup (host);
    self->port = port;
    self->cancellable = g_object_ref (cancellable);
    self->inner = g_cancellable_new ();
    self->chained = g_cancellable_connect (cancellable, G_CALLBACK (on_cancelled), self->inner, NULL);
    self->connected = connected;
    self->user_data = user_data;
    self->timeout = g_timeout_add_seconds (2 * MAX (seconds, 1), on_timeout, self);

    g_socket_client_set_enable_proxy (client, FALSE);
    g_socket_client_set_timeout (client, seconds);
    g_socket_client_connect_async (client, address, self->inner, on_connected, self);
}
