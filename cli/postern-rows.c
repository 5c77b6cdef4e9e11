/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Rows
 *
 * Reads a list of messages from a descriptor that the daemon writes to while this end prints: see OpenList in the
 * introspection XML for what comes. What is held is what one read gave, and the beginning of a row whose rest is to
 * come.
 */

#include "postern-rows.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define FIELDS     12
#define READ_BYTES (256 * 1024) /* as much as a socket holds: fewer turns for both ends */

struct _Rows {
    int fd;
    gchar *data;
    gsize room;
    gsize start; /* of what has not been taken yet */
    gsize end;
};

Rows *
rows_open (const Client *client, GVariant *filter, GError **error)
{
    int fd = client_open (client, RELAY_MANAGER_PATH, RELAY_MANAGER_INTERFACE, "OpenList",
                          g_variant_new ("(@a{sv})", filter), error);
    Rows *rows;

    if (fd < 0)
        return NULL;

    rows = g_new0 (Rows, 1);
    rows->fd = fd;
    rows->room = READ_BYTES;
    rows->data = g_malloc (rows->room);
    return rows;
}

void
rows_free (Rows *rows)
{
    if (rows == NULL)
        return;

    close (rows->fd);
    g_free (rows->data);
    g_free (rows);
}

/* Takes the fields of a row, if all of them are there. */
static gboolean
take_fields (Rows *rows, const gchar *fields[FIELDS])
{
    const gchar *at = rows->data + rows->start;

    for (guint i = 0; i < FIELDS; i++) {
        const gchar *nul = memchr (at, '\0', (gsize) (rows->data + rows->end - at));

        if (nul == NULL)
            return FALSE;
        fields[i] = at;
        at = nul + 1;
    }

    rows->start = (gsize) (at - rows->data);
    return TRUE;
}

static guint64
number (const gchar *field)
{
    return g_ascii_strtoull (field, NULL, 10);
}

static void
fill_row (const gchar *const fields[FIELDS], Row *row)
{
    *row = (Row){.id = fields[0],
                 .state = fields[1],
                 .user = g_ascii_strtoll (fields[2], NULL, 10),
                 .sender = fields[3],
                 .recipient = fields[4],
                 .recipients = (guint) number (fields[5]),
                 .pending = (guint) number (fields[6]),
                 .size = number (fields[7]),
                 .arrived = number (fields[8]),
                 .next = number (fields[9]),
                 .attempts = (guint) number (fields[10]),
                 .reason = fields[11]};
}

static gboolean
read_more (Rows *rows, GError **error)
{
    gssize count;

    memmove (rows->data, rows->data + rows->start, rows->end - rows->start);
    rows->end -= rows->start;
    rows->start = 0;
    if (rows->end == rows->room) {
        rows->room *= 2;
        rows->data = g_realloc (rows->data, rows->room);
    }

    do
        count = read (rows->fd, rows->data + rows->end, rows->room - rows->end);
    while (count < 0 && errno == EINTR);
    if (count > 0) {
        rows->end += (gsize) count;
        return TRUE;
    }

    g_set_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED, "the list broke off: %s",
                 count < 0 ? g_strerror (errno) : "the relay stopped, or waited too long for it to be read");
    return FALSE;
}

gboolean
rows_next (Rows *rows, Row *row, GError **error)
{
    const gchar *fields[FIELDS];

    for (;;) {
        if (rows->end > rows->start && rows->data[rows->start] == '\0')
            return FALSE;
        if (take_fields (rows, fields)) {
            fill_row (fields, row);
            return TRUE;
        }
        if (!read_more (rows, error))
            return FALSE;
    }
}
