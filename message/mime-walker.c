/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The structure of a message
 *
 * A message is a tree of entities, written down one line after the other. The walker keeps the way from the root to
 * where it is: the boundaries of the multiparts that are open. A line can be a delimiter of any of them, and then ends
 * all that are deeper, for messages are cut off and glued together by programs that do not care.
 *
 * A line is a delimiter if it is "--", the boundary, maybe "--", and blanks, as most readers have it. By the letter of
 * RFC 2046 5.1.2 the start of the line would do, and a boundary that is the start of another would hide it.
 *
 * Headers are held until they are complete, lines as far as they may be delimiters; nothing else is.
 */

#include <string.h>

#include "message/header.h"
#include "message/mime-walker.h"

/* A line as long as that is no delimiter: it has room for the longest boundary, its dashes, and more blanks than anybody
 * adds. So is one that reaches it by the CR of its end: what a line is must not depend on how it was cut into pieces. */
#define LINE_HELD_BYTES  2048
#define LINE_WHOLE_BYTES (LINE_HELD_BYTES - 2)

typedef enum {
    WALKER_IN_HEADER,
    WALKER_IN_BODY, /* of an entity without parts */
    WALKER_BETWEEN
} WalkerState;

/* A multipart that is open. */
typedef struct {
    gchar *boundary;
    gboolean is_digest;
    gboolean is_delimited; /* a delimiter was there */
    guint message;
} Level;

struct _MessageMimeWalker {
    const MessageMimeHandlers *handlers;
    gpointer user_data;
    WalkerState state;
    GArray *levels;     /* of Level, the outermost first */
    GString *line;      /* the start of a line whose rest has not come, without its line end */
    gboolean in_line;   /* the start of the line under way was too long to be held, and was passed on */
    GString *header;    /* of the entity that starts */
    gboolean in_digest; /* that entity is a part of a digest */
    gboolean cut_off;   /* the header went past its limit */
    gboolean open_line; /* a CRLF of a body is held back: it belongs to the delimiter if one follows */
    guint entities;     /* that have started */
    guint message;      /* index of the innermost message */
};

static void
level_clear (gpointer data)
{
    Level *level = data;

    g_free (level->boundary);
}

MessageMimeWalker *
message_mime_walker_new (const MessageMimeHandlers *handlers, gpointer user_data)
{
    MessageMimeWalker *self = g_new0 (MessageMimeWalker, 1);

    self->handlers = handlers;
    self->user_data = user_data;
    self->levels = g_array_new (FALSE, FALSE, sizeof (Level));
    g_array_set_clear_func (self->levels, level_clear);
    self->line = g_string_new (NULL);
    self->header = g_string_new (NULL);

    return self;
}

void
message_mime_walker_free (MessageMimeWalker *self)
{
    if (self == NULL)
        return;

    g_array_unref (self->levels);
    g_string_free (self->line, TRUE);
    g_string_free (self->header, TRUE);
    g_free (self);
}

/* ---- Entities ---- */

static void
start_header (MessageMimeWalker *self, gboolean in_digest)
{
    self->state = WALKER_IN_HEADER;
    self->in_digest = in_digest;
    self->cut_off = FALSE;
    g_string_truncate (self->header, 0);
}

static void
open_level (MessageMimeWalker *self, MessageMimeEntity *entity)
{
    Level level = {
        .boundary = g_steal_pointer (&entity->boundary), .is_digest = entity->is_digest, .message = self->message};

    g_array_append_val (self->levels, level);
    self->state = WALKER_BETWEEN;
}

/* The header is complete, and the entity starts. @has_body: it does not end here already. */
static void
end_header (MessageMimeWalker *self, gboolean has_body)
{
    MessageMimeEntity entity;
    MessageMimePlace place = {.index = self->entities++, .message = self->message, .has_body = has_body};

    message_mime_entity_read (&entity, self->header->str, self->header->len, self->in_digest);
    if (self->cut_off || (entity.kind == MESSAGE_MIME_MULTIPART && self->levels->len >= MESSAGE_MIME_NESTING_MOST))
        entity.kind = MESSAGE_MIME_UNREADABLE;

    self->handlers->header (&entity, &place, self->header->str, self->header->len, self->user_data);
    self->state = WALKER_IN_BODY;
    self->open_line = FALSE;
    if (has_body && entity.kind == MESSAGE_MIME_MULTIPART) {
        open_level (self, &entity);
    } else if (has_body && entity.kind == MESSAGE_MIME_MESSAGE) {
        self->message = self->entities;
        start_header (self, FALSE);
    }
    message_mime_entity_clear (&entity);
}

static void
end_entity (MessageMimeWalker *self, gboolean delimited)
{
    if (self->state == WALKER_IN_HEADER)
        end_header (self, FALSE);

    if (self->state == WALKER_IN_BODY) {
        if (self->open_line && !delimited)
            self->handlers->body ("\r\n", 2, self->user_data);
        self->handlers->end (delimited, self->user_data);
    }
}

/* ---- Lines ---- */

static void take_line (MessageMimeWalker *self, const gchar *line, gsize length, gboolean has_end);
static void take_text (MessageMimeWalker *self, const gchar *text, gsize length, gboolean starts, gboolean has_end);

/* Whether the line is a delimiter with @boundary. */
static gboolean
matches (const gchar *line, gsize length, const gchar *boundary, gboolean *closes)
{
    gsize boundary_length = strlen (boundary);
    gsize at = 2 + boundary_length;

    if (length < at || memcmp (line + 2, boundary, boundary_length) != 0)
        return FALSE;

    *closes = length >= at + 2 && memcmp (line + at, "--", 2) == 0;
    for (at += *closes ? 2 : 0; at < length; at++)
        if (line[at] != ' ' && line[at] != '\t')
            return FALSE;

    return TRUE;
}

/* Returns: which level the line is a delimiter of, the innermost if there are several; -1: none */
static gint
find_level (const MessageMimeWalker *self, const gchar *line, gsize length, gboolean *closes)
{
    if (length < 2 || length > LINE_WHOLE_BYTES || memcmp (line, "--", 2) != 0)
        return -1;

    for (guint i = self->levels->len; i > 0; i--)
        if (matches (line, length, g_array_index (self->levels, Level, i - 1).boundary, closes))
            return (gint) i - 1;

    return -1;
}

/* Levels from @depth on are over. Only the last of them can be without a delimiter: the others have it in them. */
static void
close_levels (MessageMimeWalker *self, guint depth)
{
    guint last = self->levels->len;

    if (last > depth && !g_array_index (self->levels, Level, last - 1).is_delimited)
        self->handlers->undelimited (self->user_data);

    g_array_set_size (self->levels, depth);
}

static void
take_delimiter (MessageMimeWalker *self, guint depth, gboolean closes, const gchar *line, gsize length,
                gboolean has_end)
{
    Level *level = &g_array_index (self->levels, Level, depth);
    gboolean owns_line_end = self->state == WALKER_IN_BODY && self->open_line;

    end_entity (self, TRUE);
    level->is_delimited = TRUE;
    close_levels (self, depth + 1);
    if (owns_line_end)
        self->handlers->between ("\r\n", 2, self->user_data);
    self->handlers->between (line, length, self->user_data);
    if (has_end)
        self->handlers->between ("\r\n", 2, self->user_data);

    self->message = level->message;
    if (closes) {
        self->state = WALKER_BETWEEN;
        close_levels (self, depth);
    } else {
        start_header (self, level->is_digest);
    }
}

static void
take_body (MessageMimeWalker *self, const gchar *text, gsize length, gboolean has_end)
{
    if (self->open_line)
        self->handlers->body ("\r\n", 2, self->user_data);
    if (length > 0)
        self->handlers->body (text, length, self->user_data);
    self->open_line = has_end;
}

static gboolean
starts_with (const gchar *line, gsize length, const gchar *prefix)
{
    return length >= strlen (prefix) && memcmp (line, prefix, strlen (prefix)) == 0;
}

/* Whether a line can be one of the header; @first: that of the first. */
static gboolean
is_header_line (const gchar *line, gsize length, gboolean first)
{
    gsize name = 0;

    if (length == 0)
        return FALSE;
    if (line[0] == ' ' || line[0] == '\t')
        return !first;
    if (first && (starts_with (line, length, "From ") || starts_with (line, length, ">From ")))
        return TRUE;

    length = MIN (length, LINE_WHOLE_BYTES);
    while (name < length && name <= MESSAGE_FIELD_NAME_LONGEST_BYTES && line[name] > ' ' && line[name] < 0x7f &&
           line[name] != ':')
        name++;
    if (name == 0 || name > MESSAGE_FIELD_NAME_LONGEST_BYTES)
        return FALSE;
    while (name < length && (line[name] == ' ' || line[name] == '\t'))
        name++;

    return name < length && line[name] == ':';
}

static void
keep_header (MessageMimeWalker *self, const gchar *text, gsize length, gboolean has_end)
{
    g_string_append_len (self->header, text, (gssize) length);
    if (has_end)
        g_string_append_len (self->header, "\r\n", 2);

    if (self->header->len > MESSAGE_MIME_HEADER_LONGEST_BYTES) {
        self->cut_off = TRUE;
        end_header (self, TRUE);
    }
}

static void
take_header (MessageMimeWalker *self, const gchar *text, gsize length, gboolean starts, gboolean has_end)
{
    if (!starts || is_header_line (text, length, self->header->len == 0)) {
        keep_header (self, text, length, has_end);
        return;
    }

    /* The empty line belongs to the header; any other that is no field is where the body starts without one. */
    if (length == 0 && has_end) {
        g_string_append_len (self->header, "\r\n", 2);
        end_header (self, TRUE);
        return;
    }

    /* It may be a delimiter of the multipart that just started. */
    end_header (self, TRUE);
    if (length <= LINE_WHOLE_BYTES)
        take_line (self, text, length, has_end);
    else
        take_text (self, text, length, starts, has_end);
}

/* A line, or the start, middle or end of one. @has_end: its CRLF is there, behind @length bytes. */
static void
take_text (MessageMimeWalker *self, const gchar *text, gsize length, gboolean starts, gboolean has_end)
{
    switch (self->state) {
    case WALKER_IN_HEADER:
        take_header (self, text, length, starts, has_end);
        return;
    case WALKER_IN_BODY:
        take_body (self, text, length, has_end);
        return;
    case WALKER_BETWEEN:
        if (length > 0)
            self->handlers->between (text, length, self->user_data);
        if (has_end)
            self->handlers->between ("\r\n", 2, self->user_data);
        return;
    }
}

static void
take_line (MessageMimeWalker *self, const gchar *line, gsize length, gboolean has_end)
{
    gboolean closes = FALSE;
    gint level = find_level (self, line, length, &closes);

    if (level >= 0)
        take_delimiter (self, (guint) level, closes, line, length, has_end);
    else
        take_text (self, line, length, TRUE, has_end);
}

/* ---- Bytes ---- */

/* Where the first CRLF starts, or NULL. */
static const gchar *
find_line_end (const gchar *data, gsize length)
{
    return memmem (data, length, "\r\n", 2);
}

/* The held start of a line goes on as text, but for a CR at its end, whose LF may come. */
static void
pass_on_held (MessageMimeWalker *self)
{
    gboolean ends_in_cr = self->line->str[self->line->len - 1] == '\r';

    take_text (self, self->line->str, self->line->len - (ends_in_cr ? 1 : 0), !self->in_line, FALSE);
    self->in_line = TRUE;
    g_string_assign (self->line, ends_in_cr ? "\r" : "");
}

/* A line end has come, or the LF of one whose CR is held. */
static void
end_held (MessageMimeWalker *self, gboolean has_end)
{
    if (self->in_line)
        take_text (self, self->line->str, self->line->len, FALSE, has_end);
    else
        take_line (self, self->line->str, self->line->len, has_end);

    self->in_line = FALSE;
    g_string_truncate (self->line, 0);
}

/* Takes what belongs to the line under way. Returns: how many bytes that were */
static gsize
take_some (MessageMimeWalker *self, const gchar *data, gsize length)
{
    const gchar *end = find_line_end (data, length);
    gsize text = end != NULL ? (gsize) (end - data) : length;

    if (self->line->len > 0 && self->line->str[self->line->len - 1] == '\r' && *data == '\n') {
        g_string_truncate (self->line, self->line->len - 1);
        end_held (self, TRUE);
        return 1;
    }

    if (end != NULL && self->line->len == 0 && !self->in_line) {
        take_line (self, data, text, TRUE);
        return text + 2;
    }

    g_string_append_len (self->line, data, (gssize) text);
    if (end != NULL)
        end_held (self, TRUE);
    else if (self->line->len >= LINE_HELD_BYTES)
        pass_on_held (self);

    return end != NULL ? text + 2 : text;
}

void
message_mime_walker_feed (MessageMimeWalker *self, const gchar *data, gsize length)
{
    while (length > 0) {
        gsize taken = take_some (self, data, length);

        data += taken;
        length -= taken;
    }
}

void
message_mime_walker_end (MessageMimeWalker *self)
{
    if (self->line->len > 0)
        end_held (self, FALSE);

    end_entity (self, FALSE);
    close_levels (self, 0);
}
