/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "bus/internal.h"

/*
 * Who gets the Manager's signals.
 */

BusSubscribers *bus_subscribers_new (Bus *bus);
void bus_subscribers_free (BusSubscribers *subscribers);

/* @everyone: whether @uid may see signals about other users' mail. Renews a subscription; or returns %FALSE with a BUS_ERROR if
 * there are too many. */
gboolean bus_subscribers_add (BusSubscribers *subscribers, const gchar *name, gint64 uid, gboolean everyone,
                              GError **error);
void bus_subscribers_remove (BusSubscribers *subscribers, const gchar *name);
guint bus_subscribers_count (const BusSubscribers *subscribers);

/* Tells those who may know. */
void bus_subscribers_tell_event (BusSubscribers *subscribers, const QueueEvent *event);
void bus_subscribers_tell_remote (BusSubscribers *subscribers, const DeliveryRemoteInfo *remote);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (BusSubscribers, bus_subscribers_free)
