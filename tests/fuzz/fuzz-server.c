/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * A fuzzer of the SMTP server
 *
 * Two sessions get the same bytes: one whole and with a relay that answers at once, one in pieces and with a relay that
 * answers late. Both have to say the same and to tell the relay the same; the dialogue checks each of them against what
 * holds for every session. On top of that, no more messages may come to their end than the bytes have ends.
 *
 * The first three bytes of an input set the session up: kind, size of the pieces, limits and how it ends. In the corpus
 * they are digits, so that a seed can be written by hand.
 */

#include "../unit/smtp/dialogue.h"
#include "fuzz.h"

#include <string.h>

#define SETTINGS_BYTES 3

typedef struct {
    DialogueKind kind;
    gsize step;
    gboolean strict; /* narrow limits */
    gboolean close;  /* the relay ends the session, not the client */
} Settings;

static Settings
read_settings (const guint8 *data)
{
    return (Settings){
        .kind = (guint8) (data[0] - '0') % (DIALOGUE_STRICT + 1),
        .step = 1 + (gsize) (guint8) (data[1] - '1'),
        .strict = (data[2] & 1) != 0,
        .close = (data[2] & 2) != 0,
    };
}

static Dialogue *
play (const Settings *settings, DialogueFinish finish, const gchar *text, gsize length, gsize step)
{
    g_autoptr (SmtpReply) goodbye = smtp_reply_new (421, "4.3.2", "Stopping");
    Dialogue *dialogue = settings->strict ? dialogue_new (settings->kind, finish)
                                          : dialogue_new_with_limits (settings->kind, finish, 0, 0, 0);

    for (gsize position = 0; position < length; position += step)
        dialogue_feed (dialogue, text + position, MIN (step, length - position));

    if (settings->close)
        smtp_server_close (dialogue->server, goodbye);
    else
        smtp_server_eof (dialogue->server);
    g_assert_true (smtp_server_is_over (dialogue->server));
    smtp_server_take_output (dialogue->server, dialogue->output);

    return dialogue;
}

/* Whether a line with only a dot, which is at @position, may stand behind DATA: a command, which a LF may end. */
static gboolean
follows_data (const gchar *text, gsize position)
{
    while (position > 0 && strchr ("\r\n\t ", text[position - 1]) != NULL)
        position--;

    return position >= 4 && g_ascii_strncasecmp (text + position - 4, "DATA", 4) == 0;
}

/* How many messages these bytes can be at most: places where DATA or a last chunk could end. */
static guint
count_ends (const gchar *text, gsize length)
{
    guint ends = 0;

    for (gsize i = 0; i < length; i++)
        if ((length - i >= 5 && memcmp (text + i, "\r\n.\r\n", 5) == 0) ||
            (length - i >= 3 && memcmp (text + i, ".\r\n", 3) == 0 && follows_data (text, i)) ||
            (length - i >= 4 && g_ascii_strncasecmp (text + i, "LAST", 4) == 0))
            ends++;

    return ends;
}

static void
assert_same (const GString *a, const GString *b)
{
    g_assert_cmpstr (a->str, ==, b->str);
    g_assert_true (g_string_equal (a, b));
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    g_autoptr (Dialogue) whole = NULL;
    g_autoptr (Dialogue) pieces = NULL;
    const gchar *text;
    Settings settings;

    if (size < SETTINGS_BYTES)
        return 0;

    settings = read_settings (data);
    text = (const gchar *) data + SETTINGS_BYTES;
    size -= SETTINGS_BYTES;
    whole = play (&settings, DIALOGUE_FINISH_AT_ONCE, text, size, MAX (size, 1));
    pieces = play (&settings, DIALOGUE_FINISH_LATER, text, size, settings.step);

    assert_same (whole->output, pieces->output);
    assert_same (whole->events, pieces->events);
    g_assert_cmpuint (whole->messages, ==, pieces->messages);
    g_assert_cmpuint (whole->messages, <=, count_ends (text, size));

    return 0;
}
