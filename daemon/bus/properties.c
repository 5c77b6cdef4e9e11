/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The Manager's properties
 *
 * They are totals, open to everyone. A busy relay changes them ten thousand times a second, so that a change only
 * sets a timer; when it fires, the values are compared with those told last, and the difference is broadcast in one
 * signal. Between two signals somebody who asks gets the value of the moment.
 */

#include "bus/properties.h"

#include "bus/variant.h"

/* Quick for an eye; four signals a second cost nothing. */
#define TELL_AFTER_MSEC 250

struct _BusProperties {
    Bus *bus;
    GHashTable *told; /* name → GVariant, as last told */
    guint timer_id;
};

typedef struct {
    Bus *bus;
    QueueStatistics queue;
} Moment;

static GVariant *
get_version (const Moment *moment)
{
    return g_variant_new_string (POSTERN_VERSION);
}

static GVariant *
get_started (const Moment *moment)
{
    return bus_variant_time (moment->bus->counters->started_usec);
}

static GVariant *
get_queue_length (const Moment *moment)
{
    return g_variant_new_uint64 (moment->queue.messages);
}

static GVariant *
get_queue_bytes (const Moment *moment)
{
    return g_variant_new_uint64 (moment->queue.bytes);
}

static GVariant *
get_queued (const Moment *moment)
{
    return g_variant_new_uint64 (moment->queue.by_state[QUEUE_STATE_QUEUED]);
}

static GVariant *
get_delivering (const Moment *moment)
{
    return g_variant_new_uint64 (moment->queue.by_state[QUEUE_STATE_DELIVERING]);
}

static GVariant *
get_deferred (const Moment *moment)
{
    return g_variant_new_uint64 (moment->queue.by_state[QUEUE_STATE_DEFERRED]);
}

static GVariant *
get_held (const Moment *moment)
{
    return g_variant_new_uint64 (moment->queue.by_state[QUEUE_STATE_HELD]);
}

static GVariant *
get_oldest (const Moment *moment)
{
    return bus_variant_time (moment->queue.oldest_usec);
}

static GVariant *
get_disk_bytes (const Moment *moment)
{
    return g_variant_new_uint64 (moment->queue.disk_bytes);
}

static GVariant *
get_paused (const Moment *moment)
{
    return g_variant_new_boolean (delivery_is_paused (moment->bus->delivery));
}

static GVariant *
get_online (const Moment *moment)
{
    return g_variant_new_boolean (delivery_is_online (moment->bus->delivery));
}

static GVariant *
get_metered (const Moment *moment)
{
    return g_variant_new_boolean (delivery_is_restrained (moment->bus->delivery));
}

static GVariant *
get_unindexed (const Moment *moment)
{
    return g_variant_new_uint32 (100 - moment->queue.indexed_percent);
}

static GVariant *
get_trouble (const Moment *moment)
{
    return bus_variant_text (moment->queue.trouble == NULL ? NULL : moment->queue.trouble->message);
}

static BusConfiguration
get_configuration (const Moment *moment)
{
    return moment->bus->handlers.configuration (moment->bus->user_data);
}

static GVariant *
get_configuration_problems (const Moment *moment)
{
    const gchar *problems = get_configuration (moment).problems;
    g_auto (GStrv) lines = g_strsplit (problems != NULL ? problems : "", "\n", -1);
    GVariantBuilder builder;

    g_variant_builder_init (&builder, G_VARIANT_TYPE_STRING_ARRAY);
    for (guint i = 0; lines[i] != NULL; i++)
        g_variant_builder_add_value (&builder, bus_variant_text (lines[i]));
    return g_variant_builder_end (&builder);
}

static GVariant *
get_configuration_warnings (const Moment *moment)
{
    const GPtrArray *warnings = get_configuration (moment).warnings;
    GVariantBuilder builder;

    g_variant_builder_init (&builder, G_VARIANT_TYPE_STRING_ARRAY);
    for (guint i = 0; i < warnings->len; i++)
        g_variant_builder_add_value (&builder, bus_variant_text (g_ptr_array_index (warnings, i)));
    return g_variant_builder_end (&builder);
}

static GVariant *
get_configuration_in_force (const Moment *moment)
{
    return g_variant_new_string (get_configuration (moment).in_force);
}

static GVariant *
get_configuration_since (const Moment *moment)
{
    return bus_variant_time (get_configuration (moment).since_usec);
}

static const struct {
    const gchar *name;
    GVariant *(*get) (const Moment *moment);
    gboolean changes;
} properties[] = {
    {"Version", get_version, FALSE},
    {"Started", get_started, FALSE},
    {"QueueLength", get_queue_length, TRUE},
    {"QueueBytes", get_queue_bytes, TRUE},
    {"Queued", get_queued, TRUE},
    {"Delivering", get_delivering, TRUE},
    {"Deferred", get_deferred, TRUE},
    {"Held", get_held, TRUE},
    {"Oldest", get_oldest, TRUE},
    {"DiskBytes", get_disk_bytes, TRUE},
    {"Paused", get_paused, TRUE},
    {"Online", get_online, TRUE},
    {"Metered", get_metered, TRUE},
    {"Unindexed", get_unindexed, TRUE},
    {"Trouble", get_trouble, TRUE},
    {"ConfigurationProblems", get_configuration_problems, TRUE},
    {"ConfigurationWarnings", get_configuration_warnings, TRUE},
    {"ConfigurationInForce", get_configuration_in_force, TRUE},
    {"ConfigurationSince", get_configuration_since, TRUE},
};

static Moment
moment_now (Bus *bus)
{
    Moment moment = {.bus = bus};

    queue_statistics (bus->queue, &moment.queue);
    return moment;
}

GVariant *
bus_properties_get (Bus *bus, const gchar *name)
{
    Moment moment = moment_now (bus);

    for (guint i = 0; i < G_N_ELEMENTS (properties); i++) {
        if (g_str_equal (properties[i].name, name))
            return properties[i].get (&moment);
    }
    return NULL;
}

/* Adds what is not as it was told last; returns how many that are. */
static guint
add_changes (BusProperties *self, GVariantBuilder *builder)
{
    Moment moment = moment_now (self->bus);
    guint count = 0;

    for (guint i = 0; i < G_N_ELEMENTS (properties); i++) {
        g_autoptr (GVariant) value = NULL;
        GVariant *told;

        if (!properties[i].changes)
            continue;

        value = g_variant_ref_sink (properties[i].get (&moment));
        told = g_hash_table_lookup (self->told, properties[i].name);
        if (told != NULL && g_variant_equal (told, value))
            continue;

        g_variant_builder_add (builder, "{sv}", properties[i].name, value);
        g_hash_table_insert (self->told, (gpointer) properties[i].name, g_steal_pointer (&value));
        count++;
    }
    return count;
}

static gboolean
on_timer (gpointer user_data)
{
    BusProperties *self = user_data;
    GVariantBuilder changed;

    self->timer_id = 0;
    g_variant_builder_init (&changed, G_VARIANT_TYPE_VARDICT);
    if (add_changes (self, &changed) == 0) {
        g_variant_builder_clear (&changed);
        return G_SOURCE_REMOVE;
    }

    g_dbus_connection_emit_signal (self->bus->connection, NULL, BUS_MANAGER_PATH, BUS_PROPERTIES_INTERFACE,
                                   "PropertiesChanged",
                                   g_variant_new ("(sa{sv}as)", BUS_MANAGER_INTERFACE, &changed, NULL), NULL);
    return G_SOURCE_REMOVE;
}

BusProperties *
bus_properties_new (Bus *bus)
{
    BusProperties *self = g_new0 (BusProperties, 1);

    self->bus = bus;
    self->told = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, (GDestroyNotify) g_variant_unref);
    return self;
}

void
bus_properties_free (BusProperties *self)
{
    if (self == NULL)
        return;

    g_clear_handle_id (&self->timer_id, g_source_remove);
    g_hash_table_unref (self->told);
    g_free (self);
}

void
bus_properties_touch (BusProperties *self)
{
    if (self->timer_id == 0)
        self->timer_id = g_timeout_add (TELL_AFTER_MSEC, on_timer, self);
}
