/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <gio/gio.h>
#include <gio/gunixfdlist.h>

/*
 * The command's side of the bus: one connection, calls on the relay, and its errors in words.
 */

#define RELAY_NAME              "org.postern.Relay1"
#define RELAY_MANAGER_PATH      "/org/postern/Relay1"
#define RELAY_MANAGER_INTERFACE "org.postern.Relay1.Manager"
#define RELAY_MESSAGE_INTERFACE "org.postern.Relay1.Message"
#define RELAY_REMOTE_INTERFACE  "org.postern.Relay1.Remote"

/* What scripts can tell apart. */
typedef enum {
    EXIT_OK = 0,
    EXIT_FAILED = 1,        /* the relay could not do it; standard error says why */
    EXIT_USAGE = 2,         /* the command line is wrong */
    EXIT_NOT_FOUND = 3,     /* no such message or smarthost, or nothing matched */
    EXIT_NOT_ALLOWED = 4,   /* not authorized */
    EXIT_NOT_REACHABLE = 5, /* the relay does not run, or the bus cannot be reached */
} ExitCode;

typedef struct {
    gchar *address; /* "system", "session" or a D-Bus address */
    GDBusConnection *connection;
} Client;

/* Returns: @address; without one the bus of $POSTERN_BUS, else "system" */
const gchar *client_bus (const gchar *address);

/**
 * client_new:
 * @bus: (nullable): for client_bus ()
 *
 * Returns: (transfer full): or %NULL with an error that was not told yet
 */
Client *client_new (const gchar *bus, GError **error);
void client_free (Client *client);

/**
 * client_call:
 * @path: the object
 * @parameters: (nullable): floating, a tuple
 * @type: of the reply; a relay whose reply is another is of another version
 *
 * Calls a method and waits for the reply, as long as a person takes to type a password.
 *
 * Returns: (transfer full): or %NULL
 */
GVariant *client_call (const Client *client, const gchar *path, const gchar *interface, const gchar *method,
                       GVariant *parameters, const gchar *type, GError **error);

/* The same, of another service than the relay. */
GVariant *client_call_service (const Client *client, const gchar *name, const gchar *path, const gchar *interface,
                               const gchar *method, GVariant *parameters, const gchar *type, GError **error);

/* Calls a method of the Manager. */
GVariant *client_call_manager (const Client *client, const gchar *method, GVariant *parameters, const gchar *type,
                               GError **error);

/* The same of a method without arguments that may work for hours. */
GVariant *client_call_manager_for_long (const Client *client, const gchar *method, const gchar *type, GError **error);

/* Returns: (transfer full): all properties, a{sv}; or %NULL */
GVariant *client_get_properties (const Client *client, const gchar *path, const gchar *interface, GError **error);

/**
 * client_open:
 * @parameters: (nullable): floating
 *
 * Calls a method that returns something to be read.
 *
 * Returns: a descriptor to read it from (transfer full), -1 with an error
 */
int client_open (const Client *client, const gchar *path, const gchar *interface, const gchar *method,
                 GVariant *parameters, GError **error);

/* Whether a relay has its name on the bus; none is started. */
gboolean client_relay_runs (const Client *client);

/* Whether @error is this one of the relay's own, as "NoSuchMessage". */
gboolean client_error_is (const GError *error, const gchar *name);

/* Whether nobody has the name on the bus that was called, and nobody can be started for it. */
gboolean client_error_is_absence (const GError *error);

/* Whether the relay answered with @error; else it comes from the bus, or from this process. */
gboolean client_error_is_the_relays (const GError *error);

/**
 * client_explain:
 * @client: (nullable)
 *
 * Tells on standard error what went wrong and what to do about it.
 *
 * Returns: the exit code that it means
 */
ExitCode client_explain (const Client *client, const GError *error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Client, client_free)
