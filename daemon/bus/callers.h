/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gio/gio.h>

#include "bus/caller.h"

/*
 * All callers that are watched.
 */

typedef struct _BusCallers BusCallers;

BusCallers *bus_callers_new (GDBusConnection *connection);

/* The connection is given up: nobody who is still watched is there any more. */
void bus_callers_free (BusCallers *callers);

/* @name: a unique name */
BusCaller *bus_caller_new (BusCallers *callers, const gchar *name);
void bus_caller_free (BusCaller *caller);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (BusCaller, bus_caller_free)
