/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/*
 * What the relay told the journal of messages, found by the journal's own index.
 */

typedef struct _JournalReader JournalReader;

/* Which journal, and whose entries in it. */
typedef struct {
    const gchar *directory;    /* (nullable) a folder of journal files, in place of this machine's journal */
    const gchar *const *files; /* (nullable) journal files, in place of it */
    gboolean is_user;          /* of the relay of this process's user, in place of the system's */
    gint64 submitter;          /* only of mail that this user handed in; -1: of all mail */
} JournalPlace;

/* An array of entries, oldest first: when it was, in microseconds since the epoch, and its fields by name. A field may be
 * there several times. Text is valid UTF-8; bytes that were not are replaced. */
#define JOURNAL_STORY_TYPE "a(ta(ss))"

/* Of one message. One to ten thousand recipients, each of them deferred for days, has not more. */
#define JOURNAL_STORY_MOST 100000

#define JOURNAL_ERROR (journal_error_quark ())

typedef enum {
    JOURNAL_ERROR_FAILED,    /* it cannot be read; the text says why */
    JOURNAL_ERROR_NOT_READER /* this process may not read it */
} JournalError;

GQuark journal_error_quark (void);

/**
 * journal_reader_new:
 *
 * Returns: (transfer full): or %NULL with a JOURNAL_ERROR
 */
JournalReader *journal_reader_new (const JournalPlace *place, GError **error);
void journal_reader_free (JournalReader *reader);

/**
 * journal_reader_story:
 * @id: a queue id
 *
 * Returns: (transfer floating): all that the relay told of the message, JOURNAL_STORY_TYPE, empty if nothing is known of it;
 *   %NULL with an error
 */
GVariant *journal_reader_story (JournalReader *reader, const gchar *id, GError **error);

/**
 * journal_reader_complete:
 * @beginning: of a queue id, in lower case
 * @most: how many at most
 *
 * Finds the messages whose ids begin so, by what the journal has of them.
 *
 * Returns: (transfer full): queue ids, in their order; %NULL with an error
 */
gchar **journal_reader_complete (JournalReader *reader, const gchar *beginning, guint most, GError **error);

/**
 * journal_reader_find:
 * @what: an address, of a sender or a recipient; or a Message-ID, with or without its angle brackets
 * @since_usec: since the epoch; 0: whatever the journal has
 * @most: how many messages at most, the latest ones
 * @is_all: (out): whether there are no more of them
 *
 * Returns: (transfer full): queue ids, oldest first; %NULL with an error
 */
gchar **journal_reader_find (JournalReader *reader, const gchar *what, guint64 since_usec, guint most,
                             gboolean *is_all, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (JournalReader, journal_reader_free)
