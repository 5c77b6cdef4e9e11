/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gio/gio.h>

#include "queue/message.h"

/*
 * Messages as the types of the introspection XML.
 */

/* The type of a row of ListMessages. */
#define BUS_ROW_TYPE "(ssxssuutttus)"

/**
 * bus_variant_text:
 * @text: (nullable)
 *
 * Returns: (transfer floating): a string, "" for %NULL; bytes that are no UTF-8, which a bus would not carry, are
 *   replaced
 */
GVariant *bus_variant_text (const gchar *text);

/* Times before the epoch do not occur; -1 and the like are "none", 0 on the bus. */
GVariant *bus_variant_time (gint64 usec);

/* Returns: (transfer floating): a row of ListMessages */
GVariant *bus_variant_row (const QueueMessage *message);

/* Appends a row of OpenList: the fields of a row of ListMessages as text, each with a NUL byte behind it. */
void bus_variant_append_row (GString *out, const QueueMessage *message);

/* Returns: (transfer floating) (nullable): the property @name of the Message interface; %NULL if there is none */
GVariant *bus_variant_property (const QueueMessage *message, const gchar *name);

/* Returns: (transfer floating): all properties of the Message interface, a{sv} */
GVariant *bus_variant_properties (const QueueMessage *message);
