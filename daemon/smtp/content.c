/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The decoder of message content
 *
 * What makes SMTP smuggling possible is two programs that disagree about where a line, and with it a message, ends.
 * Here a line of the protocol ends with CRLF and with nothing else: only after CRLF is a dot stuffed (RFC 5321 4.5.2),
 * and only CRLF.CRLF ends DATA, for every client. A CR or LF that stands alone is then either refused (the caller sees
 * @bare, and not a byte more is handed over) or, for clients that are trusted, made a line end; either way no bare CR or
 * LF leaves this room, so that Postern never smuggles anything into the next server.
 *
 * A line that starts behind a bare LF is no line of the protocol, and a dot there ends nothing. Whether it is stuffing is the
 * client's secret: some programs double each dot behind a LF (Python's smtplib), others only behind CRLF (curl), or none. Of
 * two dots one is therefore taken off, and a single one stays: that is right for all who double, and for all others but
 * for the rare line that starts with two dots.
 *
 * The bytes are looked at by memchr () and handed over as they lie, normally a whole buffer at once. What a single byte
 * at the end of a buffer leaves open is settled by the first byte of the next: a CR is held back until its LF has come.
 *
 * Everything but CR and LF passes untouched: NUL and 8-bit bytes, and lines of any length. RFC 5321 4.5.3.1.6 sets a
 * least, not a most, and who would cut a line, or refuse a report because a program put a NUL into it, loses mail.
 */

#include "smtp/content.h"

#include <string.h>

/* One call's bytes, and where they go. */
typedef struct {
    const gchar *position;
    const gchar *end;
    const gchar *newline; /* the first LF at or behind @position, or @end; searched once for many bare CRs */
    SmtpContentSink sink;
    gpointer user_data;
} Input;

void
smtp_content_init (SmtpContent *content, SmtpContentForm form, gboolean normalise)
{
    *content = (SmtpContent){.form = form, .normalise = normalise, .place = SMTP_CONTENT_AT_LINE_START};
}

static void
hand_over (const SmtpContent *content, const Input *input, const gchar *data, gsize length)
{
    if (length > 0 && (!content->bare || content->normalise))
        input->sink (data, length, input->user_data);
}

static void
hand_over_line_end (const SmtpContent *content, const Input *input)
{
    hand_over (content, input, "\r\n", 2);
}

/* A CR or LF stood alone. What follows it is a new line, but not one where a dot ends anything: @place. */
static void
take_bare (SmtpContent *content, const Input *input, SmtpContentPlace place)
{
    content->bare = TRUE;
    content->place = content->form == SMTP_CONTENT_DATA ? place : SMTP_CONTENT_AT_LINE_START;
    hand_over_line_end (content, input);
}

static void
take_bare_cr (SmtpContent *content, const Input *input)
{
    take_bare (content, input, SMTP_CONTENT_AT_MIDDLE);
}

static void
take_bare_lf (SmtpContent *content, const Input *input)
{
    take_bare (content, input, SMTP_CONTENT_AT_BARE_LF);
}

/* Settles what the byte before left open. Takes the byte at the position only if it belongs to that. */
static void
settle (SmtpContent *content, Input *input)
{
    gchar byte = *input->position;

    switch (content->place) {
    case SMTP_CONTENT_AT_DOT:
        content->place = byte == '\r' ? SMTP_CONTENT_AT_DOT_CR : SMTP_CONTENT_AT_MIDDLE;
        input->position += byte == '\r' ? 1 : 0;
        break;
    case SMTP_CONTENT_AT_DOT_CR:
        if (byte == '\n') {
            content->ended = TRUE;
            input->position++;
        } else {
            take_bare_cr (content, input);
        }
        break;
    case SMTP_CONTENT_AT_CR:
        if (byte == '\n') {
            content->place = SMTP_CONTENT_AT_LINE_START;
            hand_over_line_end (content, input);
            input->position++;
        } else {
            take_bare_cr (content, input);
        }
        break;
    case SMTP_CONTENT_AT_BARE_LF:
        content->place = byte == '.' ? SMTP_CONTENT_AT_BARE_LF_DOT : SMTP_CONTENT_AT_MIDDLE;
        input->position += byte == '.' ? 1 : 0;
        break;
    case SMTP_CONTENT_AT_BARE_LF_DOT:
        content->place = SMTP_CONTENT_AT_MIDDLE;
        input->position += byte == '.' ? 1 : 0;
        hand_over (content, input, ".", 1);
        break;
    case SMTP_CONTENT_AT_LINE_START:
    case SMTP_CONTENT_AT_MIDDLE:
        g_assert_not_reached ();
    }
}

static gboolean
is_settled (const SmtpContent *content)
{
    return content->place == SMTP_CONTENT_AT_LINE_START || content->place == SMTP_CONTENT_AT_MIDDLE;
}

static gboolean
is_dot_of_protocol (const SmtpContent *content, const Input *input)
{
    return content->form == SMTP_CONTENT_DATA && content->place == SMTP_CONTENT_AT_LINE_START &&
           *input->position == '.';
}

static void
find_newline (Input *input)
{
    const gchar *newline;

    if (input->newline != NULL && input->newline >= input->position)
        return;

    newline = memchr (input->position, '\n', (gsize) (input->end - input->position));
    input->newline = newline != NULL ? newline : input->end;
}

/*
 * Moves behind the end of the line, behind a CR or LF that does not belong to a CRLF within the input, or to the end of
 * the input. @run is where the bytes that are still to be handed over start: it moves only past what cannot be handed
 * over as it lies.
 */
static void
pass_line (SmtpContent *content, Input *input, const gchar **run)
{
    const gchar *carriage_return;

    find_newline (input);
    carriage_return = memchr (input->position, '\r', (gsize) (input->newline - input->position));

    if (carriage_return == NULL && input->newline == input->end) {
        content->place = SMTP_CONTENT_AT_MIDDLE;
        input->position = input->end;
    } else if (carriage_return == NULL) {
        hand_over (content, input, *run, (gsize) (input->newline - *run));
        *run = input->position = input->newline + 1;
        take_bare_lf (content, input);
    } else if (carriage_return + 1 == input->newline && input->newline < input->end) {
        content->place = SMTP_CONTENT_AT_LINE_START;
        input->position = input->newline + 1;
    } else {
        hand_over (content, input, *run, (gsize) (carriage_return - *run));
        *run = input->position = carriage_return + 1;
        content->place = SMTP_CONTENT_AT_CR;
    }
}

static void
pass_lines (SmtpContent *content, Input *input)
{
    const gchar *run = input->position;

    while (input->position < input->end && is_settled (content)) {
        if (is_dot_of_protocol (content, input)) {
            hand_over (content, input, run, (gsize) (input->position - run));
            run = ++input->position;
            content->place = SMTP_CONTENT_AT_DOT;
        } else {
            pass_line (content, input, &run);
        }
    }

    hand_over (content, input, run, (gsize) (input->position - run));
}

gsize
smtp_content_decode (SmtpContent *content, const gchar *data, gsize length, SmtpContentSink sink, gpointer user_data)
{
    Input input = {.position = data, .end = data + length, .sink = sink, .user_data = user_data};

    while (input.position < input.end && !content->ended) {
        if (is_settled (content))
            pass_lines (content, &input);
        else
            settle (content, &input);
    }

    return (gsize) (input.position - data);
}

void
smtp_content_finish (SmtpContent *content, SmtpContentSink sink, gpointer user_data)
{
    Input input = {.sink = sink, .user_data = user_data};

    if (content->place == SMTP_CONTENT_AT_CR)
        take_bare_cr (content, &input);
    else if (content->place == SMTP_CONTENT_AT_MIDDLE)
        hand_over_line_end (content, &input);
    content->place = SMTP_CONTENT_AT_LINE_START;
}
