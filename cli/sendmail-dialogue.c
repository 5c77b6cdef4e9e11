/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * SMTP as scripts write it
 *
 * Scripts end their lines with LF, and many write all they have to say at once, without a look at the replies. Only
 * CRLF ends a line of SMTP, and only CRLF.CRLF a message, so what they say cannot be passed on as it is; nor can each LF
 * simply become CRLF, for the bytes that follow BDAT are counted and not lines at all.
 *
 * So it must be known what the bytes are, and that depends on the relay: behind DATA come lines of content if it says 354,
 * and commands if it does not. What a caller says behind DATA is therefore held back until the reply to it is there. It
 * is found by counting: every command has one reply (RFC 5321 4.2).
 */

#include <stdlib.h>
#include <string.h>

#include "cli/sendmail-dialogue.h"

/* The relay takes no longer command; one that is longer is passed on in pieces, to be refused. */
#define COMMAND_LONGEST_BYTES 4096

/* 3 digits, and what tells whether more lines follow (RFC 5321 4.2.1). */
#define REPLY_START_BYTES 4

typedef enum {
    AT_COMMANDS,
    AT_DATA_REPLY, /* DATA was said */
    AT_CONTENT,
    AT_CHUNK /* of BDAT */
} Place;

struct _SendmailDialogue {
    Place place;
    GString *line;   /* of a command or of content, what there is of it, or as much of it as matters */
    gboolean cut;    /* the line was longer, and went out already */
    guint64 chunk;   /* bytes that are left of it */
    GString *held;   /* what was said behind DATA */
    gboolean ended;  /* and there is no more */
    guint64 awaited; /* replies that have not come */
    gchar reply[REPLY_START_BYTES];
    gsize reply_bytes; /* of the line of a reply under way, at most REPLY_START_BYTES */
};

SendmailDialogue *
sendmail_dialogue_new (void)
{
    SendmailDialogue *self = g_new0 (SendmailDialogue, 1);

    self->line = g_string_new (NULL);
    self->held = g_string_new (NULL);
    self->awaited = 1; /* the greeting */

    return self;
}

void
sendmail_dialogue_free (SendmailDialogue *self)
{
    if (self == NULL)
        return;

    g_string_free (self->line, TRUE);
    g_string_free (self->held, TRUE);
    g_free (self);
}

static void
take_command (SendmailDialogue *self)
{
    g_autofree gchar *command = g_ascii_strup (self->line->str, (gssize) self->line->len);

    self->awaited++;
    if (strcmp (g_strchomp (command), "DATA") == 0) {
        self->place = AT_DATA_REPLY;
    } else if (g_str_has_prefix (command, "BDAT ") && g_ascii_isdigit (command[5])) {
        self->chunk = strtoull (command + 5, NULL, 10);
        self->place = self->chunk > 0 ? AT_CHUNK : AT_COMMANDS;
    }
}

/* The line is complete, without its end. */
static void
end_line (SendmailDialogue *self, GString *out)
{
    g_string_append_len (out, self->line->str, (gssize) self->line->len);
    g_string_append_len (out, "\r\n", 2);

    if (self->place == AT_COMMANDS && self->cut) {
        self->awaited++;
    } else if (self->place == AT_COMMANDS) {
        take_command (self);
    } else if (!self->cut && strcmp (self->line->str, ".") == 0) {
        self->place = AT_COMMANDS;
        self->awaited++;
    }

    g_string_truncate (self->line, 0);
    self->cut = FALSE;
}

/* Lets a line that is long go on its way. A CR at its end stays: it may belong to the line end. */
static void
pass_on (SendmailDialogue *self, GString *out)
{
    gboolean ends_in_cr = self->line->str[self->line->len - 1] == '\r';

    g_string_append_len (out, self->line->str, (gssize) self->line->len - (ends_in_cr ? 1 : 0));
    g_string_assign (self->line, ends_in_cr ? "\r" : "");
    self->cut = TRUE;
}

/* Returns: how many bytes were taken */
static gsize
take_line (SendmailDialogue *self, const gchar *data, gsize length, GString *out)
{
    const gchar *newline = memchr (data, '\n', length);
    gsize text = newline != NULL ? (gsize) (newline - data) : length;

    g_string_append_len (self->line, data, (gssize) text);
    if (newline == NULL) {
        if (self->line->len >= COMMAND_LONGEST_BYTES)
            pass_on (self, out);
        return length;
    }

    if (self->line->len > 0 && self->line->str[self->line->len - 1] == '\r')
        g_string_truncate (self->line, self->line->len - 1);
    end_line (self, out);
    return text + 1;
}

static gsize
take_chunk (SendmailDialogue *self, const gchar *data, gsize length, GString *out)
{
    gsize taken = (gsize) MIN (self->chunk, length);

    g_string_append_len (out, data, (gssize) taken);
    self->chunk -= taken;
    if (self->chunk == 0)
        self->place = AT_COMMANDS;

    return taken;
}

void
sendmail_dialogue_say (SendmailDialogue *self, const gchar *data, gsize length, GString *out)
{
    while (length > 0) {
        gsize taken;

        switch (self->place) {
        case AT_DATA_REPLY:
            g_string_append_len (self->held, data, (gssize) length);
            return;
        case AT_CHUNK:
            taken = take_chunk (self, data, length, out);
            break;
        case AT_COMMANDS:
        case AT_CONTENT:
        default:
            taken = take_line (self, data, length, out);
            break;
        }

        data += taken;
        length -= taken;
    }
}

/* The reply to DATA is there. */
static void
release_held (SendmailDialogue *self, GString *out)
{
    g_autoptr (GString) held = g_steal_pointer (&self->held);

    self->held = g_string_new (NULL);
    self->place = memcmp (self->reply, "354", 3) == 0 ? AT_CONTENT : AT_COMMANDS;
    sendmail_dialogue_say (self, held->str, held->len, out);
    if (self->ended)
        sendmail_dialogue_end (self, out);
}

/* The line of a reply is complete. */
static void
take_reply_line (SendmailDialogue *self, GString *out)
{
    gboolean is_last = self->reply_bytes < REPLY_START_BYTES || self->reply[REPLY_START_BYTES - 1] != '-';

    self->reply_bytes = 0;
    if (!is_last)
        return;

    if (self->awaited > 0)
        self->awaited--;
    if (self->place == AT_DATA_REPLY && self->awaited == 0)
        release_held (self, out);
}

void
sendmail_dialogue_hear (SendmailDialogue *self, const gchar *data, gsize length, GString *out)
{
    for (gsize i = 0; i < length; i++) {
        if (data[i] == '\n')
            take_reply_line (self, out);
        else if (self->reply_bytes < REPLY_START_BYTES)
            self->reply[self->reply_bytes++] = data[i];
    }
}

void
sendmail_dialogue_end (SendmailDialogue *self, GString *out)
{
    self->ended = TRUE;
    if (sendmail_dialogue_is_holding (self))
        return;

    g_string_append_len (out, self->line->str, (gssize) self->line->len);
    g_string_truncate (self->line, 0);
}

gboolean
sendmail_dialogue_is_holding (const SendmailDialogue *self)
{
    return self->place == AT_DATA_REPLY;
}
