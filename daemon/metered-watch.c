/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Watching for a metered connection
 *
 * NetworkManager knows: it is told by the user, by the phone that shares its connection (DHCP option 43), or by the kind of
 * the modem. It says so in the property Metered on the system bus. GNetworkMonitor would tell the same, but only where
 * NetworkManager was there when it was made; a relay that starts first would never hear of it.
 *
 * Until there is an answer the connection counts as metered: mail may wait for a moment, and what is sent costs. The moment has
 * an end. NetworkManager that goes away, as it does when it is upgraded, leaves its answer in force for as long. Where there
 * is none, or no bus, nobody can know, and the connection is not metered.
 */

#include "metered-watch.h"

#include "system-bus.h"

#define NETWORK_MANAGER           "org.freedesktop.NetworkManager"
#define NETWORK_MANAGER_PATH      "/org/freedesktop/NetworkManager"
#define NETWORK_MANAGER_INTERFACE NETWORK_MANAGER

/* NetworkManager answers in milliseconds, and starts anew in a few seconds. */
#define PATIENCE_SECONDS 15

/* NMMetered */
enum { METERED_YES = 1, METERED_GUESS_YES = 3 };

struct _MeteredWatch {
    void (*changed) (gpointer user_data);
    gpointer user_data;
    gboolean is_metered;
    SystemBus *bus;
    GCancellable *asking;
    GDBusProxy *manager; /* (nullable) */
    guint patience;      /* source id, 0: the answer is that of now */
};

static void
settle (MeteredWatch *self, gboolean is_metered)
{
    gboolean was_metered = self->is_metered;

    g_clear_handle_id (&self->patience, g_source_remove);
    self->is_metered = is_metered;
    if (is_metered != was_metered)
        self->changed (self->user_data);
}

static gboolean
out_of_patience (gpointer user_data)
{
    MeteredWatch *self = user_data;

    self->patience = 0;
    settle (self, FALSE);
    return G_SOURCE_REMOVE;
}

static void
be_patient (MeteredWatch *self)
{
    if (self->patience == 0)
        self->patience = g_timeout_add_seconds (PATIENCE_SECONDS, out_of_patience, self);
}

static void
read_answer (MeteredWatch *self)
{
    g_autoptr (GVariant) value = g_dbus_proxy_get_cached_property (self->manager, "Metered");
    guint32 metered = 0;

    if (value != NULL && g_variant_is_of_type (value, G_VARIANT_TYPE_UINT32))
        metered = g_variant_get_uint32 (value);
    settle (self, metered == METERED_YES || metered == METERED_GUESS_YES);
}

/* Also when NetworkManager goes, and when it has come back and told its properties. */
static void
on_changed (MeteredWatch *self)
{
    g_autofree gchar *owner = g_dbus_proxy_get_name_owner (self->manager);

    if (owner != NULL)
        read_answer (self);
    else
        be_patient (self);
}

static void
on_asked (GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr (GError) error = NULL;
    GDBusProxy *manager = g_dbus_proxy_new_finish (result, &error);
    MeteredWatch *self = user_data;

    /* Then the watch is no more, or the connection. */
    if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        return;
    if (manager == NULL) {
        settle (self, FALSE);
        return;
    }

    self->manager = manager;
    g_signal_connect_swapped (manager, "g-properties-changed", G_CALLBACK (on_changed), self);
    g_signal_connect_swapped (manager, "notify::g-name-owner", G_CALLBACK (on_changed), self);
    read_answer (self);
}

static void
forget_manager (MeteredWatch *self)
{
    g_cancellable_cancel (self->asking);
    g_clear_object (&self->asking);
    if (self->manager != NULL)
        g_signal_handlers_disconnect_by_data (self->manager, self);
    g_clear_object (&self->manager);
}

static void
on_connected (GDBusConnection *connection, gpointer user_data)
{
    MeteredWatch *self = user_data;

    self->asking = g_cancellable_new ();
    g_dbus_proxy_new (connection, G_DBUS_PROXY_FLAGS_DO_NOT_AUTO_START, NULL, NETWORK_MANAGER, NETWORK_MANAGER_PATH,
                      NETWORK_MANAGER_INTERFACE, self->asking, on_asked, self);
}

static void
on_missing (GDBusConnection *connection, gpointer user_data)
{
    MeteredWatch *self = user_data;

    forget_manager (self);
    if (connection != NULL)
        be_patient (self);
    else
        settle (self, FALSE);
}

MeteredWatch *
metered_watch_new (const gchar *bus, void (*changed) (gpointer user_data), gpointer user_data)
{
    const SystemBusListener listener = {.connected = on_connected, .missing = on_missing};
    MeteredWatch *self = g_new0 (MeteredWatch, 1);

    self->changed = changed;
    self->user_data = user_data;
    self->is_metered = TRUE;
    be_patient (self);
    self->bus = system_bus_new (bus, &listener, self);
    return self;
}

void
metered_watch_free (MeteredWatch *self)
{
    g_clear_handle_id (&self->patience, g_source_remove);
    forget_manager (self);
    system_bus_free (self->bus);
    g_free (self);
}

gboolean
metered_watch_is_metered (const MeteredWatch *self)
{
    return self->is_metered;
}
