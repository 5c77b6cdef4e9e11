/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * SMTP on standard input and output
 *
 * `sendmail -bs` is for mail programs that speak SMTP but want no network. The relay speaks it as well, so all there
 * is to do is to carry bytes, both ways at once, and to see to line ends (see sendmail-dialogue.c). When the caller has
 * no more to say the relay is told (its replies still come); when the relay hangs up it is over.
 */

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/sendmail-connection.h"
#include "cli/sendmail-dialogue.h"
#include "cli/sendmail-error.h"
#include "cli/sendmail-pump.h"

#define PUMP_BYTES 65536

#define NO_DESCRIPTOR (-1)

typedef struct {
    gint relay;
    gint input; /* NO_DESCRIPTOR: the caller has said all */
    gint output;
    SendmailDialogue *dialogue;
    GString *to_relay;
    gchar *buffer;
} Pump;

typedef enum { PUMP_MOVED, PUMP_ENDED, PUMP_FAILED } PumpResult;

static gboolean
write_all (gint fd, const gchar *data, gsize length)
{
    while (length > 0) {
        gssize done = write (fd, data, length);

        if (done < 0 && errno != EINTR)
            return FALSE;
        if (done > 0) {
            data += done;
            length -= (gsize) done;
        }
    }

    return TRUE;
}

/* Reads into the buffer; @got is how much. */
static PumpResult
read_some (const Pump *pump, gint from, gsize *got)
{
    gssize length = read (from, pump->buffer, PUMP_BYTES);

    *got = (gsize) MAX (length, 0);
    if (length < 0)
        return errno == EINTR || errno == EAGAIN ? PUMP_MOVED : PUMP_FAILED;

    return length == 0 ? PUMP_ENDED : PUMP_MOVED;
}

/* The relay hears no more of the caller; what the relay says still counts. */
static void
hang_up (Pump *pump)
{
    g_string_truncate (pump->to_relay, 0);
    pump->input = NO_DESCRIPTOR;
    shutdown (pump->relay, SHUT_WR);
}

static void
send_to_relay (Pump *pump)
{
    if (!write_all (pump->relay, pump->to_relay->str, pump->to_relay->len))
        hang_up (pump);
    g_string_truncate (pump->to_relay, 0);
}

static void
listen_to_caller (Pump *pump)
{
    gsize got;

    if (read_some (pump, pump->input, &got) == PUMP_MOVED) {
        sendmail_dialogue_say (pump->dialogue, pump->buffer, got, pump->to_relay);
        send_to_relay (pump);
        return;
    }

    sendmail_dialogue_end (pump->dialogue, pump->to_relay);
    send_to_relay (pump);
    pump->input = NO_DESCRIPTOR;
    if (!sendmail_dialogue_is_holding (pump->dialogue))
        hang_up (pump);
}

static PumpResult
listen_to_relay (Pump *pump)
{
    gboolean was_holding = sendmail_dialogue_is_holding (pump->dialogue);
    gsize got;
    PumpResult result = read_some (pump, pump->relay, &got);

    if (!write_all (pump->output, pump->buffer, got))
        return PUMP_FAILED;

    sendmail_dialogue_hear (pump->dialogue, pump->buffer, got, pump->to_relay);
    send_to_relay (pump);
    if (was_holding && pump->input == NO_DESCRIPTOR && !sendmail_dialogue_is_holding (pump->dialogue))
        hang_up (pump);

    return result;
}

static gboolean
fail (GError **error)
{
    g_set_error (error, SENDMAIL_ERROR, EX_IOERR, "the SMTP session on standard input and output broke: %s",
                 g_strerror (errno));
    return FALSE;
}

static gboolean
run (Pump *pump, GError **error)
{
    for (;;) {
        gint caller = sendmail_dialogue_is_holding (pump->dialogue) ? NO_DESCRIPTOR : pump->input;
        struct pollfd events[2] = {{.fd = pump->relay, .events = POLLIN}, {.fd = caller, .events = POLLIN}};

        if (poll (events, 2, -1) < 0 && errno != EINTR)
            return fail (error);

        if (events[0].revents != 0)
            switch (listen_to_relay (pump)) {
            case PUMP_MOVED:
                break;
            case PUMP_ENDED:
                return TRUE;
            case PUMP_FAILED:
                return fail (error);
            }

        if (events[1].revents != 0)
            listen_to_caller (pump);
    }
}

gboolean
sendmail_pump (const gchar *socket_path, gint input, gint output, GError **error)
{
    g_autoptr (SendmailDialogue) dialogue = sendmail_dialogue_new ();
    g_autoptr (GString) to_relay = g_string_sized_new (2 * PUMP_BYTES);
    g_autofree gchar *buffer = g_malloc (PUMP_BYTES);
    Pump pump = {.relay = sendmail_connection_dial (socket_path, error),
                 .input = input,
                 .output = output,
                 .dialogue = dialogue,
                 .to_relay = to_relay,
                 .buffer = buffer};
    gboolean done;

    if (pump.relay < 0)
        return FALSE;

    done = run (&pump, error);
    close (pump.relay);
    return done;
}
