/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * SMTP on standard input and output
 *
 * `sendmail -bs` is for mail programs that speak SMTP but want no network. The relay speaks it as well, so all there
 * is to do is to carry bytes, both ways at once. When the caller has no more to say the relay is told (its replies
 * still come); when the relay hangs up it is over.
 */

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/sendmail-connection.h"
#include "cli/sendmail-error.h"
#include "cli/sendmail-pump.h"

#define PUMP_BYTES 65536

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

static PumpResult
move_some (gint from, gint to, gchar *buffer)
{
    gssize got = read (from, buffer, PUMP_BYTES);

    if (got < 0)
        return errno == EINTR || errno == EAGAIN ? PUMP_MOVED : PUMP_FAILED;
    if (got == 0)
        return PUMP_ENDED;

    return write_all (to, buffer, (gsize) got) ? PUMP_MOVED : PUMP_FAILED;
}

static gboolean
fail (GError **error)
{
    g_set_error (error, SENDMAIL_ERROR, EX_IOERR, "the SMTP session on standard input and output broke: %s",
                 g_strerror (errno));
    return FALSE;
}

static gboolean
pump (gint relay, gint input, gint output, gchar *buffer, GError **error)
{
    struct pollfd events[2] = {{.fd = relay, .events = POLLIN}, {.fd = input, .events = POLLIN}};

    for (;;) {
        if (poll (events, 2, -1) < 0 && errno != EINTR)
            return fail (error);

        if (events[0].revents != 0)
            switch (move_some (relay, output, buffer)) {
            case PUMP_MOVED:
                break;
            case PUMP_ENDED:
                return TRUE;
            case PUMP_FAILED:
                return fail (error);
            }

        if (events[1].revents != 0)
            switch (move_some (input, relay, buffer)) {
            case PUMP_MOVED:
                break;
            case PUMP_ENDED:
            case PUMP_FAILED:
                /* The caller has said all, or the relay hears no more; what the relay says still counts. */
                shutdown (relay, SHUT_WR);
                events[1].fd = -1;
                break;
            }
    }
}

gboolean
sendmail_pump (const gchar *socket_path, gint input, gint output, GError **error)
{
    g_autofree gchar *buffer = g_malloc (PUMP_BYTES);
    gint relay = sendmail_connection_dial (socket_path, error);
    gboolean done;

    if (relay < 0)
        return FALSE;

    done = pump (relay, input, output, buffer, error);
    close (relay);
    return done;
}
