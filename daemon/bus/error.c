/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Errors on the bus
 *
 * A caller sees the name of an error and its text. The names are few, by what a program would do about them; the
 * texts are those of the room where the failure happened. An error that crosses the bus without being translated here
 * would get a name made of GLib's quark, which is no contract: so every reply goes through bus_error_from () or
 * bus_error_return (). These are where texts become fit to be shown, too, whatever they quote.
 */

#include "bus/error.h"

#include "message/error.h"
#include "message/printable.h"
#include "queue/queue.h"

#include <string.h>

/* A few lines; a configuration may have a line for each of its faults. */
#define TEXT_LONGEST_BYTES 4096

static const GDBusErrorEntry entries[] = {
    {BUS_ERROR_FAILED, "org.postern.Relay1.Error.Failed"},
    {BUS_ERROR_NO_SUCH_MESSAGE, "org.postern.Relay1.Error.NoSuchMessage"},
    {BUS_ERROR_NO_SUCH_REMOTE, "org.postern.Relay1.Error.NoSuchRemote"},
    {BUS_ERROR_INVALID_FILTER, "org.postern.Relay1.Error.InvalidFilter"},
    {BUS_ERROR_INVALID_ARGUMENT, "org.postern.Relay1.Error.InvalidArgument"},
    {BUS_ERROR_NOT_AUTHORIZED, "org.postern.Relay1.Error.NotAuthorized"},
    {BUS_ERROR_QUEUE_FULL, "org.postern.Relay1.Error.QueueFull"},
    {BUS_ERROR_LIMIT_EXCEEDED, "org.postern.Relay1.Error.LimitExceeded"},
    {BUS_ERROR_STORAGE_FAILED, "org.postern.Relay1.Error.StorageFailed"},
    {BUS_ERROR_MESSAGE_REFUSED, "org.postern.Relay1.Error.MessageRefused"},
    {BUS_ERROR_BAD_CONFIGURATION, "org.postern.Relay1.Error.BadConfiguration"},
};

G_STATIC_ASSERT (G_N_ELEMENTS (entries) == BUS_N_ERRORS);

GQuark
bus_error_quark (void)
{
    static gsize quark = 0;

    g_dbus_error_register_error_domain ("postern-bus-error", &quark, entries, G_N_ELEMENTS (entries));
    return (GQuark) quark;
}

static BusErrorCode
code_of_queue_error (gint code)
{
    switch ((QueueError) code) {
    case QUEUE_ERROR_FULL:
        return BUS_ERROR_QUEUE_FULL;
    case QUEUE_ERROR_LIMIT:
    case QUEUE_ERROR_RATE:
        return BUS_ERROR_LIMIT_EXCEEDED;
    case QUEUE_ERROR_IO:
    case QUEUE_ERROR_DAMAGED:
    case QUEUE_ERROR_VERSION:
        return BUS_ERROR_STORAGE_FAILED;
    case QUEUE_ERROR_GONE:
        return BUS_ERROR_NO_SUCH_MESSAGE;
    case QUEUE_ERROR_BUSY:
        return BUS_ERROR_FAILED;
    }
    return BUS_ERROR_FAILED;
}

/* An error may quote what a caller or a remote wrote. It is for a person's eyes, or for a log. */
static GError *
printable (BusErrorCode code, const gchar *text)
{
    g_autofree gchar *shown = message_printable (text, strlen (text), TEXT_LONGEST_BYTES, TRUE);

    return g_error_new_literal (BUS_ERROR, (gint) code, shown);
}

gchar *
bus_error_quote (const gchar *text)
{
    return message_error_quote (text, strlen (text));
}

void
bus_error_return_valist (GDBusMethodInvocation *invocation, BusErrorCode code, const gchar *format, va_list arguments)
{
    g_autofree gchar *text = g_strdup_vprintf (format, arguments);

    g_dbus_method_invocation_take_error (invocation, printable (code, text));
}

void
bus_error_return (GDBusMethodInvocation *invocation, BusErrorCode code, const gchar *format, ...)
{
    va_list arguments;

    va_start (arguments, format);
    bus_error_return_valist (invocation, code, format, arguments);
    va_end (arguments);
}

GError *
bus_error_from (const GError *error)
{
    if (error->domain == BUS_ERROR)
        return printable ((BusErrorCode) error->code, error->message);
    if (error->domain == QUEUE_ERROR)
        return printable (code_of_queue_error (error->code), error->message);
    if (error->domain == MESSAGE_ERROR)
        return printable (BUS_ERROR_MESSAGE_REFUSED, error->message);
    return printable (BUS_ERROR_FAILED, error->message);
}
