/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gio/gio.h>

/*
 * The errors that callers on the bus get, named org.postern.Relay1.Error.*. Their texts are fit to be shown to a
 * person.
 */

#define BUS_ERROR (bus_error_quark ())

typedef enum {
    BUS_ERROR_FAILED,
    BUS_ERROR_NO_SUCH_MESSAGE,
    BUS_ERROR_NO_SUCH_REMOTE,
    BUS_ERROR_INVALID_FILTER,
    BUS_ERROR_INVALID_ARGUMENT,
    BUS_ERROR_NOT_AUTHORIZED,
    BUS_ERROR_QUEUE_FULL,
    BUS_ERROR_LIMIT_EXCEEDED,
    BUS_ERROR_STORAGE_FAILED,
    BUS_ERROR_MESSAGE_REFUSED,
    BUS_ERROR_BAD_CONFIGURATION
} BusErrorCode;
#define BUS_N_ERRORS 11

/* Registers the names with GDBus at its first call. */
GQuark bus_error_quark (void);

/**
 * bus_error_from:
 * @error: from another room, or already a BUS_ERROR
 *
 * Returns: (transfer full): a BUS_ERROR with the same text, whose code tells a caller which kind of failure it is
 */
GError *bus_error_from (const GError *error);

/* Answers a call with a BUS_ERROR. @invocation: (transfer full) */
void bus_error_return (GDBusMethodInvocation *invocation, BusErrorCode code, const gchar *format, ...)
    G_GNUC_PRINTF (3, 4);
void bus_error_return_valist (GDBusMethodInvocation *invocation, BusErrorCode code, const gchar *format,
                              va_list arguments) G_GNUC_PRINTF (3, 0);

/* Returns: (transfer full): what somebody wrote, fit to be quoted in an error: shortened, and on one line */
gchar *bus_error_quote (const gchar *text);
