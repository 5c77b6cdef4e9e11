/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "budget.h"

#include <gio/gio.h>

/*
 * Descriptors that somebody else has a hand in.
 */

/* Closes such descriptors, and lets them be read. */
typedef struct _Foreign Foreign;

/* One that is being read. */
typedef struct _ForeignReader ForeignReader;

/* As much as one system call takes from a pipe. */
#define FOREIGN_PIECE_BYTES (64 * 1024)

/**
 * ForeignRead:
 * @piece: what was read; ours
 * @length: 0 at the end
 * @error: (nullable): a GIOError; then there is no piece
 */
typedef void (*ForeignRead) (const gchar *piece, gsize length, const GError *error, gpointer user_data);

/* @readers_most: how many may be read at once. Each takes a descriptor. */
Foreign *foreign_new (guint readers_most);

/* As well as the next, on any thread. */
Foreign *foreign_ref (Foreign *foreign);
void foreign_unref (Foreign *foreign);

/* Closes @fd, sooner or later. */
void foreign_close (Foreign *foreign, int fd);

/* On any thread: whether so many wait to be closed that there should be no more of them. */
gboolean foreign_has_many_to_close (const Foreign *foreign);

/**
 * foreign_reader_new:
 * @fd: (transfer full): in any case; may be of any kind
 * @uid: who passed it on, and has to keep to a share; -1 if it is not known
 * @error: (nullable): a G_IO_ERROR_TOO_MANY_OPEN_FILES that says who has too many
 */
ForeignReader *foreign_reader_new (Foreign *foreign, int fd, gint64 uid, GError **error);

/* Ends it, on the main loop as all that is read. What is being read is forgotten. */
void foreign_reader_free (ForeignReader *reader);

/* Reads the next piece; @read is called from the main loop, once it is there, however long that takes. */
void foreign_reader_read (ForeignReader *reader, ForeignRead read, gpointer user_data);

/* Whether it is a regular file: so that its end is no matter of who has it open. Known once something was read. */
gboolean foreign_reader_is_file (const ForeignReader *reader);

/* How many are read, or not closed yet. */
guint foreign_readers (const Foreign *foreign);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Foreign, foreign_unref)
