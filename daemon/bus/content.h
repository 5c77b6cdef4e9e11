/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "bus/internal.h"

/*
 * Content of messages on its way to callers who opened it.
 */

BusContents *bus_contents_new (Bus *bus);

/* Breaks off what is under way. */
void bus_contents_free (BusContents *contents);

/**
 * bus_contents_open:
 * @uid: who reads it, for the limit on streams that one user has open
 *
 * Returns: a file descriptor (transfer full) from which the content is read; or -1 with a BUS_ERROR
 */
int bus_contents_open (BusContents *contents, QueueId id, gint64 uid, GError **error);

/* How many are being read. */
guint bus_contents_count (const BusContents *contents);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (BusContents, bus_contents_free)
