/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "postern-client.h"

/*
 * The rows of a list of messages
 */

typedef struct _Rows Rows;

/* A message; the texts belong to the rows, and are valid until the next is read. */
typedef struct {
    const gchar *id;
    const gchar *state;
    gint64 user; /* -1: not known */
    const gchar *sender;
    const gchar *recipient; /* the first that is pending */
    guint recipients;
    guint pending;
    guint64 size;
    guint64 arrived; /* µs since the epoch */
    guint64 next;    /* likewise; 0: none */
    guint attempts;
    const gchar *reason; /* "" if it was not tried yet */
} Row;

/**
 * rows_open:
 * @filter: of type a{sv}
 *
 * Returns: (transfer full): the messages that the filter means, oldest first; or %NULL with an error
 */
Rows *rows_open (const Client *client, GVariant *filter, GError **error);

/* Reads the next. Returns: %FALSE if there is none, or with an error */
gboolean rows_next (Rows *rows, Row *row, GError **error);

void rows_free (Rows *rows);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Rows, rows_free)
