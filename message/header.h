/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

/*
 * A header section as an ordered list of fields whose text is kept to the byte, so that what needs no change comes
 * out as it came in. The one exception are NUL bytes: no two readers agree on what such a field says, so they are
 * dropped (RFC 5322 4 lets nobody write them).
 */

typedef struct _MessageHeader MessageHeader;

/* A field name longer than this is none: RFC 5322 2.1.1 ends a line there. */
#define MESSAGE_FIELD_NAME_LONGEST_BYTES 998

typedef struct {
    const gchar *name; /* as written */
    const gchar *body; /* all after the colon, folding included, without the last CRLF */
} MessageField;

/**
 * message_header_end:
 * @data: the start of a message with CRLF line ends
 * @length: bytes at @data
 * @body: (out): where the body starts: past the empty line, or at the first line that is no header field
 *   (a body without a header, or without the empty line)
 *
 * Looks for the end of the header section (RFC 5322 2.1). A first line "From " (mbox) or ">From " counts as a header
 * line. A message that begins with the empty line has an empty header section.
 *
 * Returns: whether the end is within @data; %FALSE means that more bytes are needed to tell
 */
gboolean message_header_end (const gchar *data, gsize length, gsize *body);

/**
 * message_header_end_of_complete:
 * @data: a whole message
 * @length: bytes at @data
 *
 * message_header_end () for when no more bytes will come: a last line without its CRLF is judged as it stands.
 *
 * Returns: where the body starts, @length if all is header
 */
gsize message_header_end_of_complete (const gchar *data, gsize length);

/**
 * message_header_parse:
 * @data: a header section with CRLF line ends, as message_header_end () cut it, with or without the empty line
 *
 * Never fails: a line that is no field (mbox "From ") is dropped, with what continues it. Time and memory grow with
 * @length and nothing else.
 *
 * Returns: (transfer full): the header
 */
MessageHeader *message_header_parse (const gchar *data, gsize length);
void message_header_free (MessageHeader *header);

guint message_header_count (const MessageHeader *header);

/* A field stays where it is until one is added or removed; its strings are there as long as the header. */
const MessageField *message_header_field (const MessageHeader *header, guint index);

/* The first field of this name (case does not matter) or %NULL. */
const MessageField *message_header_find (const MessageHeader *header, const gchar *name);

/* Removes all fields of this name; returns how many there were. */
guint message_header_remove (MessageHeader *header, const gchar *name);

/* Adds a field in front, or behind the others; @body without leading space, folded by the caller where it is long. */
void message_header_prepend (MessageHeader *header, const gchar *name, const gchar *body);
void message_header_append (MessageHeader *header, const gchar *name, const gchar *body);

/* Replaces the body of field @index; @body is as in MessageField, with the space that follows the colon. */
void message_header_replace (MessageHeader *header, guint index, const gchar *body);

/**
 * message_header_write:
 *
 * Appends the header section to @out, each field ended by CRLF, and the empty line that ends the section.
 */
void message_header_write (const MessageHeader *header, GString *out);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (MessageHeader, message_header_free)
