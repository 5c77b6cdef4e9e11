/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/*
 * The syntax of a configuration file, line by line.
 */

typedef struct {
    /* "[NAME]" */
    void (*group) (const gchar *name, guint line, gpointer user_data);

    /* "KEY=VALUE"; @value: (transfer full): without escapes, and without spaces at its ends */
    void (*entry) (const gchar *group, const gchar *key, gchar *value, guint line, gpointer user_data);

    /* Something else; @problem: what was expected. @line 0: the file as a whole. */
    void (*wrong) (guint line, const gchar *problem, gpointer user_data);
} ConfigTextReader;

/* Reads all of @text, whatever is wrong with some of its lines. */
void config_text_read (const gchar *text, gsize length, const ConfigTextReader *reader, gpointer user_data);

/* Adds "KEY=VALUE" with its line end, which config_text_read () reads as @value. */
void config_text_append (GString *text, const gchar *key, const gchar *value);
