/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Content on its way out
 *
 * Reads a message from the queue one piece ahead: the first while MAIL and RCPT are on their way, each further one
 * while the one before is sent. So the disk and the network work at the same time, and no more than a piece is held.
 *
 * The size is known, so the last piece is known for the last one: the end of the content goes out together with
 * it, in one packet for a small message.
 */

#include "delivery/content.h"

struct _DeliveryContent {
    QueueReader *reader;
    guint64 left; /* bytes that were not read yet */
    GBytes *piece;
    gboolean asked;
    gchar *fault;
    DeliveryContentArrived arrived;
    gpointer user_data;
};

static void
on_piece (GBytes *piece, const GError *error, gpointer user_data)
{
    DeliveryContent *self = user_data;

    self->asked = FALSE;
    if (piece && g_bytes_get_size (piece) <= self->left) {
        self->piece = g_bytes_ref (piece);
        self->left -= g_bytes_get_size (piece);
    } else {
        self->fault = g_strdup (error ? error->message : "its size is not what it was");
    }

    self->arrived (self->user_data);
}

static void
read_ahead (DeliveryContent *self)
{
    if (self->asked || self->piece || self->fault || self->left == 0)
        return;

    self->asked = TRUE;
    queue_reader_next (self->reader, on_piece, self);
}

DeliveryContent *
delivery_content_new (Queue *queue, const QueueMessage *message, DeliveryContentArrived arrived, gpointer user_data)
{
    DeliveryContent *self = g_new0 (DeliveryContent, 1);

    self->reader = queue_reader_new (queue, message->id);
    self->left = message->size;
    self->arrived = arrived;
    self->user_data = user_data;
    if (message->size == 0)
        self->piece = g_bytes_new_static ("", 0);
    read_ahead (self);
    return self;
}

void
delivery_content_free (DeliveryContent *self)
{
    queue_reader_free (self->reader);
    g_clear_pointer (&self->piece, g_bytes_unref);
    g_free (self->fault);
    g_free (self);
}

GBytes *
delivery_content_take (DeliveryContent *self, gboolean *last)
{
    GBytes *piece = g_steal_pointer (&self->piece);

    *last = piece && self->left == 0;
    if (piece)
        read_ahead (self);
    return piece;
}

const gchar *
delivery_content_fault (const DeliveryContent *self)
{
    return self->fault;
}
