/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Content from standard input
 *
 * Programs write lines as Unix has them, or as they copied them from somewhere, and mail knows one line end only.
 * The rules by which the one becomes the other:
 *
 *   LF, CRLF              a line end
 *   CR CR LF              one line end: some program added a CR to a line that had one
 *   CR and something else a line end: progress that was meant to overwrite its line
 *   NUL                   left out: RFC 5322 4 has no place for it, servers refuse or cut mail at it, and since ASCII
 *                         was made it is the byte that may be left out without loss (RFC 20)
 *   no end to the last    the last line gets one
 *   line
 *   a byte order mark     left out at the start; UTF-16 is refused
 *   "." alone on a line   ends the message, unless -i was given; what follows is not read
 *
 * The message is never held as a whole. What a read brings is made canonical at once, the one thing remembered
 * being where in a line it broke off.
 */

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "cli/sendmail-content.h"
#include "cli/sendmail-error.h"
#include "message/text-start.h"

/* A pipe holds that much, so that one read empties it. */
#define READ_BYTES 65536

/* More CRs in a row than any program adds to one line end; holding back more would let them pile up. */
#define CARRIAGE_RETURNS_MOST 64

/* Where in a line the bytes so far end. */
typedef enum {
    PLACE_START,
    PLACE_DOT, /* behind a first dot, which is held back: it may be the end of the message */
    PLACE_INSIDE
} Place;

struct _SendmailContent {
    gint fd;
    gboolean dot_ends;
    gboolean finished;
    Place place;
    guint carriage_returns; /* held back: what they are shows with the next byte */
    guint64 nul_bytes;
    gboolean begun; /* the first bytes were looked at */
    gsize held;     /* first bytes in the buffer that are too few for that */
    gchar buffer[READ_BYTES];
};

SendmailContent *
sendmail_content_new (gint fd, gboolean dot_ends)
{
    SendmailContent *content = g_new (SendmailContent, 1);

    content->fd = fd;
    content->dot_ends = dot_ends;
    content->finished = FALSE;
    content->place = PLACE_START;
    content->carriage_returns = 0;
    content->nul_bytes = 0;
    content->begun = FALSE;
    content->held = 0;

    return content;
}

void
sendmail_content_free (SendmailContent *content)
{
    g_free (content);
}

static void
end_line (SendmailContent *content, GString *out)
{
    if (content->place == PLACE_DOT) {
        content->finished = TRUE;
        return;
    }

    g_string_append_len (out, "\r\n", 2);
    content->place = PLACE_START;
}

/* The CRs before something that is no LF were line ends, each of them. */
static void
end_lines_at_carriage_returns (SendmailContent *content, GString *out)
{
    for (; content->carriage_returns > 0 && !content->finished; content->carriage_returns--)
        end_line (content, out);
}

/* The bytes up to one that needs a decision. */
static gsize
ordinary_length (const gchar *data, gsize length)
{
    const gchar *special = memchr (data, '\n', length);
    gsize ordinary = special != NULL ? (gsize) (special - data) : length;

    special = memchr (data, '\r', ordinary);
    if (special != NULL)
        ordinary = (gsize) (special - data);
    special = memchr (data, '\0', ordinary);
    if (special != NULL)
        ordinary = (gsize) (special - data);

    return ordinary;
}

static gsize
take_ordinary (SendmailContent *content, GString *out, const gchar *data, gsize length)
{
    gsize ordinary;

    if (content->place == PLACE_START && content->dot_ends && *data == '.') {
        content->place = PLACE_DOT;
        return 1;
    }

    if (content->place == PLACE_DOT)
        g_string_append_c (out, '.');

    ordinary = ordinary_length (data, length);
    g_string_append_len (out, data, (gssize) ordinary);
    content->place = PLACE_INSIDE;
    return ordinary;
}

/* Takes in some bytes, at least one; returns how many. */
static gsize
take (SendmailContent *content, GString *out, const gchar *data, gsize length)
{
    switch (*data) {
    case '\0':
        content->nul_bytes++;
        return 1;
    case '\r':
        if (++content->carriage_returns == CARRIAGE_RETURNS_MOST)
            end_lines_at_carriage_returns (content, out);
        return 1;
    case '\n':
        content->carriage_returns = 0;
        end_line (content, out);
        return 1;
    default:
        break;
    }

    end_lines_at_carriage_returns (content, out);
    if (content->finished)
        return length;

    return take_ordinary (content, out, data, length);
}

static void
finish (SendmailContent *content, GString *out)
{
    end_lines_at_carriage_returns (content, out);
    if (content->place == PLACE_INSIDE)
        end_line (content, out);
    content->finished = TRUE;
}

/* Returns: bytes read, 0 at the end, -1 with an error. */
static gssize
read_some (SendmailContent *content, GError **error)
{
    for (;;) {
        gssize got = read (content->fd, content->buffer + content->held, sizeof (content->buffer) - content->held);

        if (got >= 0)
            return got;

        if (errno == EAGAIN) {
            struct pollfd wait = {.fd = content->fd, .events = POLLIN};

            poll (&wait, 1, -1);
        } else if (errno != EINTR) {
            g_set_error (error, SENDMAIL_ERROR, EX_IOERR,
                         "the message could not be read from standard input: %s; nothing was sent",
                         g_strerror (errno));
            return -1;
        }
    }
}

/* Steps over a byte order mark in front of the message; @ended: there is no more than these bytes. */
static gboolean
begin (SendmailContent *content, const gchar **data, gsize *length, gboolean ended, GError **error)
{
    g_autoptr (GError) problem = NULL;

    content->held += *length;
    *data = content->buffer;
    *length = content->held;
    if (!ended && message_text_start_is_open (*data, *length)) {
        *length = 0;
        return TRUE;
    }

    content->begun = TRUE;
    content->held = 0;
    if (message_text_start (data, length, &problem))
        return TRUE;

    g_set_error (error, SENDMAIL_ERROR, EX_DATAERR, "the message cannot be read: %s; nothing was sent",
                 problem->message);
    return FALSE;
}

gboolean
sendmail_content_read (SendmailContent *content, GString *out, GError **error)
{
    const gchar *data = content->buffer;
    gsize length;
    gssize got;

    g_return_val_if_fail (content != NULL && !content->finished, FALSE);
    g_return_val_if_fail (out != NULL, FALSE);

    got = read_some (content, error);
    if (got < 0)
        return FALSE;

    length = (gsize) got;
    if (!content->begun && !begin (content, &data, &length, got == 0, error))
        return FALSE;
    for (gsize at = 0; at < length && !content->finished;)
        at += take (content, out, data + at, length - at);
    if (got == 0 && !content->finished)
        finish (content, out);

    return TRUE;
}

gboolean
sendmail_content_is_finished (const SendmailContent *content)
{
    return content->finished;
}

gint
sendmail_content_fd (const SendmailContent *content)
{
    return content->fd;
}

guint64
sendmail_content_nul_bytes (const SendmailContent *content)
{
    return content->nul_bytes;
}
