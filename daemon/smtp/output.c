/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Gathered output
 *
 * An engine speaks in small pieces (a reply, a command), a message comes in large ones. Either way as much as
 * possible should leave in one system call. Small pieces are copied together into the tail; a large piece is kept by
 * reference and closes the tail before it, so that the order holds. An output that has been sent owns no memory:
 * thousands of idle sessions have one each.
 */

#include "smtp/output.h"

/* From here on a reference is cheaper than a copy. */
#define PIECE_SMALLEST_BYTES 2048

/* A tail that grows further would be copied again by each doubling. */
#define TAIL_LARGEST_BYTES (32 * 1024)

void
smtp_output_clear (SmtpOutput *output)
{
    g_queue_clear_full (&output->pieces, (GDestroyNotify) g_bytes_unref);
    if (output->tail)
        g_string_free (output->tail, TRUE);
    *output = (SmtpOutput){0};
}

static void
output_close_tail (SmtpOutput *output)
{
    if (output->tail)
        g_queue_push_tail (&output->pieces, g_string_free_to_bytes (g_steal_pointer (&output->tail)));
}

void
smtp_output_append (SmtpOutput *output, const gchar *data, gsize length)
{
    if (length == 0)
        return;

    if (output->tail && output->tail->len + length > TAIL_LARGEST_BYTES)
        output_close_tail (output);
    if (!output->tail)
        output->tail = g_string_sized_new (length);

    g_string_append_len (output->tail, data, (gssize) length);
    output->length += length;
}

void
smtp_output_append_bytes (SmtpOutput *output, GBytes *bytes)
{
    gsize length;
    const gchar *data = g_bytes_get_data (bytes, &length);

    if (length < PIECE_SMALLEST_BYTES) {
        smtp_output_append (output, data, length);
        return;
    }

    output_close_tail (output);
    g_queue_push_tail (&output->pieces, g_bytes_ref (bytes));
    output->length += length;
}

guint
smtp_output_peek (const SmtpOutput *output, struct iovec *vectors, guint n_most)
{
    gsize skipped = output->skipped;
    guint n = 0;

    for (GList *link = output->pieces.head; link && n < n_most; link = link->next) {
        gsize length;
        const gchar *data = g_bytes_get_data (link->data, &length);

        vectors[n++] = (struct iovec){(gchar *) data + skipped, length - skipped};
        skipped = 0;
    }
    if (output->tail && n < n_most)
        vectors[n++] = (struct iovec){output->tail->str + skipped, output->tail->len - skipped};

    return n;
}

void
smtp_output_skip (SmtpOutput *output, gsize length)
{
    g_return_if_fail (length <= output->length);

    output->length -= length;
    output->skipped += length;
    if (output->length == 0) {
        smtp_output_clear (output);
        return;
    }

    while (output->pieces.head && output->skipped >= g_bytes_get_size (output->pieces.head->data)) {
        GBytes *sent = g_queue_pop_head (&output->pieces);

        output->skipped -= g_bytes_get_size (sent);
        g_bytes_unref (sent);
    }
}
