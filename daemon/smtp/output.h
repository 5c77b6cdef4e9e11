/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>
#include <sys/uio.h>

/*
 * Bytes that wait to be sent, gathered from many small pieces and from large ones that are not copied. A value that
 * lives in its owner; all zero is an empty one.
 */

typedef struct {
    GQueue pieces; /* of GBytes */
    GString *tail; /* (nullable) copied bytes that follow the pieces */
    gsize skipped; /* of the first piece: bytes that are gone already */
    gsize length;  /* bytes that wait */
} SmtpOutput;

void smtp_output_clear (SmtpOutput *output);

/* Appends a copy of @data. */
void smtp_output_append (SmtpOutput *output, const gchar *data, gsize length);

/* Appends @bytes, by reference if they are large. */
void smtp_output_append_bytes (SmtpOutput *output, GBytes *bytes);

/**
 * smtp_output_peek:
 * @vectors: (out): where the bytes are, from the first on; valid until @output changes
 * @n_most: how many fit @vectors
 *
 * Returns: how many of @vectors were filled in
 */
guint smtp_output_peek (const SmtpOutput *output, struct iovec *vectors, guint n_most);

/* Takes the first @length bytes out. */
void smtp_output_skip (SmtpOutput *output, gsize length);
