/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Checking the configuration
 *
 * The method reads files and logs in to smarthosts on the daemon's behalf, so that it needs the same authorization as a
 * reload. The relay does the work, because only it knows where the configuration is; this file passes the report on.
 */

#include "bus/check.h"

#include "bus/call.h"
#include "message/address.h"

typedef struct {
    gboolean connect;
    gchar *sender;
} Request;

static void
request_free (gpointer data)
{
    Request *request = data;

    g_free (request->sender);
    g_free (request);
}

static void
on_checked (GVariant *report, gpointer user_data)
{
    BusCall *call = user_data;

    if (report == NULL)
        bus_call_refuse (call, BUS_ERROR_FAILED, "the relay is stopping");
    else
        bus_call_return (call, report);
}

static void
run (BusCall *call)
{
    const Request *request = call->data;

    call->bus->handlers.check (request->connect, request->sender, on_checked, call, call->bus->user_data);
}

static void
on_caller (BusCall *call)
{
    bus_call_require (call, BUS_ACTION_CONFIGURE, run);
}

void
bus_check (Bus *bus, GDBusMethodInvocation *invocation, GVariant *parameters)
{
    Request *request = g_new0 (Request, 1);
    BusCall *call = bus_call_new (bus, invocation, request, request_free);
    g_autoptr (GError) error = NULL;
    const gchar *sender;

    g_variant_get (parameters, "(b&s)", &request->connect, &sender);
    request->sender = *sender == '\0' ? g_strdup ("") : message_address_parse (sender, MESSAGE_PATH_UTF8, &error);
    if (request->sender == NULL)
        bus_call_refuse (call, BUS_ERROR_INVALID_ARGUMENT, "the sender is no address: %s", error->message);
    else
        on_caller (call);
}
