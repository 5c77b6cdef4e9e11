/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gio/gio.h>

#include "queue/queue.h"

/* Ids that one call may name: some megabytes of call, less than a bus carries. */
#define BUS_FILTER_IDS_MOST 100000

/* A filter as a caller on the bus gave it. */
typedef struct {
    QueueFilter queue;     /* its pointers belong to this structure */
    gboolean everyone;     /* the caller means other users' mail too */
    gboolean matches_none; /* an empty list of ids was given */
    GArray *ids;           /* (nullable) of QueueId */
    gchar *sender;
    gchar *recipient;
    gchar *domain;
    gchar *remote;
} BusFilter;

/**
 * bus_filter_new:
 * @dictionary: of type a{sv}, see the introspection XML for its keys
 *
 * Addresses and domains are brought into canonical form.
 *
 * Returns: (transfer full): or %NULL with BUS_ERROR_INVALID_FILTER that names the key
 */
BusFilter *bus_filter_new (GVariant *dictionary, GError **error);

/* A filter for one message. */
BusFilter *bus_filter_new_id (QueueId id);
void bus_filter_free (BusFilter *filter);

/* Whether all messages that the filter names by id, if it names any, were submitted by @uid, or do not exist. */
gboolean bus_filter_ids_belong_to (const BusFilter *filter, Queue *queue, gint64 uid);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (BusFilter, bus_filter_free)
