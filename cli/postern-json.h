/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <json-glib/json-glib.h>

/*
 * JSON on standard output.
 */

/* Members of the object that is being built. A text of "" and a time of 0 are null, as the D-Bus interface means
 * them. */
void json_add_text (JsonBuilder *builder, const gchar *name, const gchar *text);
void json_add_time (JsonBuilder *builder, const gchar *name, guint64 usec); /* ISO 8601, UTC */
void json_add_number (JsonBuilder *builder, const gchar *name, guint64 number);
void json_add_user (JsonBuilder *builder, const gchar *name, gint64 uid); /* -1 is null */
void json_add_boolean (JsonBuilder *builder, const gchar *name, gboolean value);

/* Prints what was built, over several lines, the last of which ends. */
void json_print (JsonBuilder *builder);

/* Prints what was built on one line, which is not ended. */
void json_print_flat (JsonBuilder *builder);
