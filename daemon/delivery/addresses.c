/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The addresses of a host
 *
 * One question to the machine's name services for addresses of all kinds. GIO's own way is to ask for each kind by itself: then a
 * name that /etc/hosts has with an IPv4 address is unknown there as an IPv6 one, and name servers are asked for that, which takes
 * their time-outs where they cannot be reached; and no address is told of a kind that no interface has (AI_ADDRCONFIG), though
 * the name may well be that of the loopback. A question for all kinds ends at the first service that knows the name. What
 * cannot be reached from here is sorted to the end (RFC 6724), and its connection fails at once.
 *
 * The name services wait, so they are asked on a thread. One that is cancelled is left behind there.
 */

#include "delivery/addresses.h"

#include <netdb.h>

/* ---- The look-up ---- */

static GError *
lookup_error (gint status)
{
    switch (status) {
    case EAI_NONAME:
    case EAI_NODATA:
        return g_error_new_literal (G_RESOLVER_ERROR, G_RESOLVER_ERROR_NOT_FOUND, gai_strerror (status));
    case EAI_AGAIN:
        return g_error_new_literal (G_RESOLVER_ERROR, G_RESOLVER_ERROR_TEMPORARY_FAILURE, gai_strerror (status));
    case EAI_SYSTEM:
        return g_error_new_literal (G_RESOLVER_ERROR, G_RESOLVER_ERROR_INTERNAL, g_strerror (errno));
    default:
        return g_error_new_literal (G_RESOLVER_ERROR, G_RESOLVER_ERROR_INTERNAL, gai_strerror (status));
    }
}

/* Returns: (transfer full) (element-type GSocketAddress) (nullable) */
static GPtrArray *
look_up (const gchar *host, guint16 port, GError **error)
{
    const struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_protocol = IPPROTO_TCP, .ai_flags = AI_NUMERICSERV};
    g_autofree gchar *service = g_strdup_printf ("%u", port);
    struct addrinfo *list = NULL;
    GPtrArray *addresses;
    gint status = getaddrinfo (host, service, &hints, &list);

    if (status != 0) {
        g_propagate_error (error, lookup_error (status));
        return NULL;
    }

    addresses = g_ptr_array_new_with_free_func (g_object_unref);
    for (const struct addrinfo *at = list; at != NULL; at = at->ai_next) {
        GSocketAddress *address = g_socket_address_new_from_native (at->ai_addr, at->ai_addrlen);

        if (address != NULL)
            g_ptr_array_add (addresses, address);
    }
    freeaddrinfo (list);
    return addresses;
}

/* ---- One after the other ---- */

#define DELIVERY_TYPE_ADDRESS_ENUMERATOR (delivery_address_enumerator_get_type ())
G_DECLARE_FINAL_TYPE (DeliveryAddressEnumerator, delivery_address_enumerator, DELIVERY, ADDRESS_ENUMERATOR,
                      GSocketAddressEnumerator)

struct _DeliveryAddressEnumerator {
    GSocketAddressEnumerator parent;
    gchar *host;
    guint16 port;
    GPtrArray *addresses; /* (nullable) until they were looked up */
    guint next;
};

G_DEFINE_TYPE (DeliveryAddressEnumerator, delivery_address_enumerator, G_TYPE_SOCKET_ADDRESS_ENUMERATOR)

static void
delivery_address_enumerator_init (DeliveryAddressEnumerator *self)
{
}

static void
enumerator_finalize (GObject *object)
{
    DeliveryAddressEnumerator *self = DELIVERY_ADDRESS_ENUMERATOR (object);

    g_free (self->host);
    g_clear_pointer (&self->addresses, g_ptr_array_unref);
    G_OBJECT_CLASS (delivery_address_enumerator_parent_class)->finalize (object);
}

/* On a thread, which may outlive the interest in its answer: it has names of its own, and gives no more than the list. */
static void
look_up_on_thread (GTask *task, gpointer source, gpointer task_data, GCancellable *cancellable)
{
    const DeliveryAddressEnumerator *self = source;
    GError *error = NULL;
    GPtrArray *addresses = look_up (self->host, self->port, &error);

    if (addresses != NULL)
        g_task_return_pointer (task, addresses, (GDestroyNotify) g_ptr_array_unref);
    else
        g_task_return_error (task, error);
}

static GSocketAddress *
take_next (DeliveryAddressEnumerator *self)
{
    return self->next < self->addresses->len ? g_object_ref (g_ptr_array_index (self->addresses, self->next++))
                                             : NULL;
}

static void
on_looked_up (GObject *source, GAsyncResult *result, gpointer user_data)
{
    DeliveryAddressEnumerator *self = DELIVERY_ADDRESS_ENUMERATOR (source);
    g_autoptr (GTask) task = user_data;
    GError *error = NULL;

    self->addresses = g_task_propagate_pointer (G_TASK (result), &error);
    if (self->addresses == NULL)
        g_task_return_error (task, error);
    else
        g_task_return_pointer (task, take_next (self), g_object_unref);
}

static void
enumerator_next_async (GSocketAddressEnumerator *enumerator, GCancellable *cancellable, GAsyncReadyCallback callback,
                       gpointer user_data)
{
    DeliveryAddressEnumerator *self = DELIVERY_ADDRESS_ENUMERATOR (enumerator);
    g_autoptr (GTask) task = g_task_new (self, cancellable, callback, user_data);
    g_autoptr (GTask) asking = NULL;

    if (self->addresses != NULL) {
        g_task_return_pointer (task, take_next (self), g_object_unref);
        return;
    }

    asking = g_task_new (self, cancellable, on_looked_up, g_steal_pointer (&task));
    g_task_set_return_on_cancel (asking, TRUE);
    g_task_run_in_thread (asking, look_up_on_thread);
}

static GSocketAddress *
enumerator_next_finish (GSocketAddressEnumerator *enumerator, GAsyncResult *result, GError **error)
{
    return g_task_propagate_pointer (G_TASK (result), error);
}

static void
delivery_address_enumerator_class_init (DeliveryAddressEnumeratorClass *class)
{
    G_OBJECT_CLASS (class)->finalize = enumerator_finalize;
    G_SOCKET_ADDRESS_ENUMERATOR_CLASS (class)->next_async = enumerator_next_async;
    G_SOCKET_ADDRESS_ENUMERATOR_CLASS (class)->next_finish = enumerator_next_finish;
}

/* ---- The host ---- */

#define DELIVERY_TYPE_ADDRESSES (delivery_addresses_get_type ())
G_DECLARE_FINAL_TYPE (DeliveryAddresses, delivery_addresses, DELIVERY, ADDRESSES, GObject)

struct _DeliveryAddresses {
    GObject parent;
    gchar *host;
    guint16 port;
};

static void connectable_init (GSocketConnectableIface *interface);

G_DEFINE_TYPE_WITH_CODE (DeliveryAddresses, delivery_addresses, G_TYPE_OBJECT,
                         G_IMPLEMENT_INTERFACE (G_TYPE_SOCKET_CONNECTABLE, connectable_init))

static void
delivery_addresses_init (DeliveryAddresses *self)
{
}

static void
addresses_finalize (GObject *object)
{
    g_free (DELIVERY_ADDRESSES (object)->host);
    G_OBJECT_CLASS (delivery_addresses_parent_class)->finalize (object);
}

static void
delivery_addresses_class_init (DeliveryAddressesClass *class)
{
    G_OBJECT_CLASS (class)->finalize = addresses_finalize;
}

static GSocketAddressEnumerator *
addresses_enumerate (GSocketConnectable *connectable)
{
    const DeliveryAddresses *self = DELIVERY_ADDRESSES (connectable);
    DeliveryAddressEnumerator *enumerator = g_object_new (DELIVERY_TYPE_ADDRESS_ENUMERATOR, NULL);
    GSocketAddress *literal = g_inet_socket_address_new_from_string (self->host, self->port);

    enumerator->host = g_strdup (self->host);
    enumerator->port = self->port;
    if (literal != NULL) {
        enumerator->addresses = g_ptr_array_new_with_free_func (g_object_unref);
        g_ptr_array_add (enumerator->addresses, literal);
    }
    return G_SOCKET_ADDRESS_ENUMERATOR (enumerator);
}

static gchar *
addresses_to_string (GSocketConnectable *connectable)
{
    const DeliveryAddresses *self = DELIVERY_ADDRESSES (connectable);

    return g_strdup_printf ("%s:%u", self->host, self->port);
}

static void
connectable_init (GSocketConnectableIface *interface)
{
    interface->enumerate = addresses_enumerate;
    interface->to_string = addresses_to_string;
}

GSocketConnectable *
delivery_addresses_new (const gchar *host, guint16 port)
{
    DeliveryAddresses *self = g_object_new (DELIVERY_TYPE_ADDRESSES, NULL);

    self->host = g_strdup (host);
    self->port = port;
    return G_SOCKET_CONNECTABLE (self);
}
