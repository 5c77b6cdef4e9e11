/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "message/mime-entity.h"

/*
 * Walks through the structure of a message (RFC 2046) while its bytes stream by.
 */

typedef struct _MessageMimeWalker MessageMimeWalker;

/* Multiparts within multiparts; one that is deeper counts as MESSAGE_MIME_UNREADABLE. */
#define MESSAGE_MIME_NESTING_MOST 100

/* A header longer than this is not read to its end: what it belongs to counts as MESSAGE_MIME_UNREADABLE. */
#define MESSAGE_MIME_HEADER_LONGEST_BYTES (4 * 1024 * 1024)

/* Where an entity is. */
typedef struct {
    guint index; /* of the entity: the message is 0, each further one in the order in which they come has the next */
    guint message;     /* that of the innermost message that it belongs to, or is */
    gboolean has_body; /* a body follows, be it empty; else the entity ended with its header */
} MessageMimePlace;

/* Together, all bytes that they get are those that went in, in their order. */
typedef struct {
    /* An entity starts. @header is all of its header section, with the empty line if there is one. */
    void (*header) (const MessageMimeEntity *entity, const MessageMimePlace *place, const gchar *header, gsize length,
                    gpointer user_data);

    /* The next bytes of the body of the entity that started last, which has no parts. */
    void (*body) (const gchar *data, gsize length, gpointer user_data);

    /* That entity has ended, by a delimiter (whose CRLF in front comes with it) or with the message. */
    void (*end) (gboolean delimited, gpointer user_data);

    /* Delimiters, and what is before the first and behind the last of them. */
    void (*between) (const gchar *data, gsize length, gpointer user_data);

    /* The multipart that started last is over, and there was no delimiter in it: all of it went to between. */
    void (*undelimited) (gpointer user_data);
} MessageMimeHandlers;

/* @handlers must outlive the walker. */
MessageMimeWalker *message_mime_walker_new (const MessageMimeHandlers *handlers, gpointer user_data);
void message_mime_walker_free (MessageMimeWalker *walker);

/* The next bytes of the message, in pieces of any size; lines end with CRLF. */
void message_mime_walker_feed (MessageMimeWalker *walker, const gchar *data, gsize length);

/* The message is complete. */
void message_mime_walker_end (MessageMimeWalker *walker);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (MessageMimeWalker, message_mime_walker_free)
