/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/*
 * Values from a dictionary of properties, a{sv}. What is missing, or of another type, since the relay is of another
 * version, is as if it were empty.
 */

const gchar *properties_text (GVariant *properties, const gchar *name); /* "" */
guint64 properties_number (GVariant *properties, const gchar *name);    /* 0; of the types q, u, t */
gint64 properties_user (GVariant *properties, const gchar *name);       /* -1 */
gboolean properties_boolean (GVariant *properties, const gchar *name);  /* FALSE */
