/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * A fuzzer of the SMTP client
 *
 * The input is what a server says, in any order and however cut. A session that is played by the unit tests' script
 * player must hold to what it promises: each recipient has at most one result, all of them before the message is done,
 * nothing is told or sent after the end, and content only goes where a command has announced it. The player checks
 * the first ones, the last one is checked here.
 *
 * The first two bytes of an input set the session up; a "|" in the rest is where the owner acts: TLS is up then, if it was
 * asked for, and a session that has nothing to do is kept alive, tried, or ended. In the corpus all of them are printable,
 * so that a seed can be written by hand.
 */

#include "../unit/smtp/talk.h"
#include "fuzz.h"

#include <string.h>

#define SETTINGS_BYTES 2
#define MESSAGES       3

static const gchar *const pieces[] = {".one\r\nMAIL FROM:<content@x.org>\r\n", ".\r\n", "", "QUIT\r\n.", NULL};

static MessageEnvelope *
new_envelope (void)
{
    MessageEnvelope *envelope = message_envelope_new ("from@x.org");

    message_envelope_add (envelope, "a@y.org");
    message_envelope_add (envelope, "\303\266@y.org");
    message_envelope_add (envelope, "c@y.org")->notify = MESSAGE_NOTIFY_SUCCESS;

    return envelope;
}

/* Takes what the client sent apart as a server would: commands, each a line, and content where it belongs. */
typedef struct {
    const gchar *at;
    const gchar *end;
    gboolean said_data;
} Reader;

static gboolean
read_line (Reader *reader, const gchar **line, gsize *length)
{
    const gchar *line_end = memmem (reader->at, (gsize) (reader->end - reader->at), "\r\n", 2);

    if (!line_end)
        return FALSE;

    *line = reader->at;
    *length = (gsize) (line_end - reader->at);
    reader->at = line_end + 2;
    return TRUE;
}

static gboolean
starts (const gchar *line, gsize length, const gchar *word)
{
    return length >= strlen (word) && memcmp (line, word, strlen (word)) == 0;
}

/* Content after BDAT is never looked at as commands; whoever sent it there without BDAT would be found here. */
static void
check_commands (const GString *sent)
{
    Reader reader = {sent->str, sent->str + sent->len, FALSE};
    const gchar *line;
    gsize length;

    while (!reader.said_data && read_line (&reader, &line, &length)) {
        g_assert_false (starts (line, length, "MAIL FROM:<content@"));
        if (starts (line, length, "BDAT ")) {
            gsize size = g_ascii_strtoull (line + strlen ("BDAT "), NULL, 10);

            g_assert_cmpuint (size, <=, (gsize) (reader.end - reader.at));
            reader.at += size;
        }
        reader.said_data = length == 4 && starts (line, length, "DATA");
    }
}

static void
feed (Talk *talk, const gchar *data, gsize length, gsize step)
{
    for (gsize position = 0; position < length; position += step)
        talk_feed (talk, data + position, MIN (step, length - position));
}

typedef enum { OWNER_WAITS, OWNER_RESETS, OWNER_PROBES, OWNER_QUITS } Owner;

static void
act_if_idle (Talk *talk, Owner owner)
{
    if (!g_str_has_suffix (talk->log->str, "\nE: ready\n") ||
        smtp_client_wait (talk->client) != SMTP_CLIENT_WAIT_NONE)
        return;

    switch (owner) {
    case OWNER_WAITS:
        break;
    case OWNER_RESETS:
        smtp_client_reset (talk->client);
        break;
    case OWNER_PROBES:
        smtp_client_probe (talk->client, "probe@x.org");
        break;
    case OWNER_QUITS:
        smtp_client_quit (talk->client);
        break;
    }
}

static void
play (const TalkSetup *setup, Owner owner, const gchar *text, gsize length, gsize step)
{
    g_autoptr (Talk) talk = talk_new (setup);
    const gchar *end = text + length;

    while (text < end) {
        const gchar *turn = memchr (text, '|', (gsize) (end - text));
        gsize share = (gsize) ((turn ? turn : end) - text);

        talk_act_if_owed (talk);
        act_if_idle (talk, owner);
        feed (talk, text, share, step);
        text += share + (turn ? 1 : 0);
    }

    if (talk->failed == 0)
        smtp_client_eof (talk->client, "the end");
    g_assert_cmpuint (talk->failed, ==, 1);
    check_commands (talk->sent);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    g_autoptr (MessageEnvelope) envelope = NULL;
    TalkSetup setup = {.pieces = pieces, .messages = MESSAGES};
    const gchar *text;
    Owner owner;

    if (size < SETTINGS_BYTES)
        return 0;

    envelope = new_envelope ();
    setup.envelope = envelope;
    setup.parameters.security = data[0] % 4;
    setup.parameters.user = data[0] & 4 ? "user" : NULL;
    setup.parameters.password = "secret";
    setup.parameters.auth_without_tls = (data[0] & 8) != 0;
    owner = data[0] >> 4 & 3;
    text = (const gchar *) data + SETTINGS_BYTES;
    size -= SETTINGS_BYTES;

    play (&setup, owner, text, size, MAX (size, 1));
    play (&setup, owner, text, size, 1 + (gsize) (guint8) (data[1] - '1'));

    return 0;
}
