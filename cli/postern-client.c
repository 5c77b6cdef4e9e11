/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The relay, as the command sees it
 *
 * The command knows the relay by its D-Bus interface alone, and may be of another version: a reply of another type is
 * an error in words, not a crash. Every call lets polkit ask for a password; so a call waits as long as the relay
 * lets polkit wait for the person.
 *
 * An error is told once, here: what failed in the relay's own words, then what the person can do.
 */

#include "postern-client.h"

#include <signal.h>
#include <string.h>

#include "postern-text.h"

#define ERROR_PREFIX RELAY_NAME ".Error."

/* The relay gives a person 300 seconds to type a password; then its refusal has to come back. */
#define CALL_MSEC (330 * 1000)

typedef struct {
    const gchar *name; /* of the D-Bus error */
    ExitCode exit_code;
    const gchar *advice; /* (nullable) */
} Explanation;

static GDBusConnection *
connect_to (const gchar *address, GError **error)
{
    if (g_str_equal (address, "system"))
        return g_bus_get_sync (G_BUS_TYPE_SYSTEM, NULL, error);
    if (g_str_equal (address, "session"))
        return g_bus_get_sync (G_BUS_TYPE_SESSION, NULL, error);
    return g_dbus_connection_new_for_address_sync (
        address, G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT | G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION, NULL,
        NULL, error);
}

const gchar *
client_bus (const gchar *address)
{
    const gchar *variable = g_getenv ("POSTERN_BUS");

    if (address != NULL)
        return address;
    return variable != NULL && *variable != '\0' ? variable : "system";
}

Client *
client_new (const gchar *bus, GError **error)
{
    g_autoptr (Client) client = g_new0 (Client, 1);
    const gchar *address = client_bus (bus);

    client->address = g_strdup (address);
    client->connection = connect_to (address, error);
    if (client->connection == NULL) {
        g_prefix_error (error, "cannot reach the message bus “%s”: ", address);
        return NULL;
    }

    g_dbus_connection_set_exit_on_close (client->connection, FALSE);

    /* GIO ignores it once it has a socket; whoever reads our output and has seen enough is to end us. */
    signal (SIGPIPE, SIG_DFL);
    return g_steal_pointer (&client);
}

void
client_free (Client *client)
{
    if (client == NULL)
        return;

    g_clear_object (&client->connection);
    g_free (client->address);
    g_free (client);
}

GVariant *
client_call_service (const Client *client, const gchar *name, const gchar *path, const gchar *interface,
                     const gchar *method, GVariant *parameters, const gchar *type, GError **error)
{
    return g_dbus_connection_call_sync (client->connection, name, path, interface, method, parameters,
                                        G_VARIANT_TYPE (type), G_DBUS_CALL_FLAGS_ALLOW_INTERACTIVE_AUTHORIZATION,
                                        CALL_MSEC, NULL, error);
}

GVariant *
client_call (const Client *client, const gchar *path, const gchar *interface, const gchar *method,
             GVariant *parameters, const gchar *type, GError **error)
{
    return client_call_service (client, RELAY_NAME, path, interface, method, parameters, type, error);
}

GVariant *
client_call_manager (const Client *client, const gchar *method, GVariant *parameters, const gchar *type,
                     GError **error)
{
    return client_call (client, RELAY_MANAGER_PATH, RELAY_MANAGER_INTERFACE, method, parameters, type, error);
}

GVariant *
client_call_manager_for_long (const Client *client, const gchar *method, const gchar *type, GError **error)
{
    return g_dbus_connection_call_sync (client->connection, RELAY_NAME, RELAY_MANAGER_PATH, RELAY_MANAGER_INTERFACE,
                                        method, NULL, G_VARIANT_TYPE (type),
                                        G_DBUS_CALL_FLAGS_ALLOW_INTERACTIVE_AUTHORIZATION, G_MAXINT, NULL, error);
}

GVariant *
client_get_properties (const Client *client, const gchar *path, const gchar *interface, GError **error)
{
    g_autoptr (GVariant) reply = client_call (client, path, "org.freedesktop.DBus.Properties", "GetAll",
                                              g_variant_new ("(s)", interface), "(a{sv})", error);

    return reply == NULL ? NULL : g_variant_get_child_value (reply, 0);
}

int
client_open (const Client *client, const gchar *path, const gchar *interface, const gchar *method,
             GVariant *parameters, GError **error)
{
    g_autoptr (GUnixFDList) fds = NULL;
    g_autoptr (GVariant) reply = g_dbus_connection_call_with_unix_fd_list_sync (
        client->connection, RELAY_NAME, path, interface, method, parameters, G_VARIANT_TYPE ("(h)"),
        G_DBUS_CALL_FLAGS_ALLOW_INTERACTIVE_AUTHORIZATION, CALL_MSEC, NULL, &fds, NULL, error);
    gint handle;

    if (reply == NULL)
        return -1;

    g_variant_get (reply, "(h)", &handle);
    return g_unix_fd_list_get (fds, handle, error);
}

gboolean
client_relay_runs (const Client *client)
{
    g_autoptr (GVariant) reply = g_dbus_connection_call_sync (
        client->connection, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "NameHasOwner",
        g_variant_new ("(s)", RELAY_NAME), G_VARIANT_TYPE ("(b)"), G_DBUS_CALL_FLAGS_NONE, -1, NULL, NULL);
    gboolean owned = FALSE;

    if (reply != NULL)
        g_variant_get (reply, "(b)", &owned);
    return owned;
}

gboolean
client_error_is (const GError *error, const gchar *name)
{
    g_autofree gchar *remote = g_dbus_error_is_remote_error (error) ? g_dbus_error_get_remote_error (error) : NULL;

    return remote != NULL && g_str_has_prefix (remote, ERROR_PREFIX) &&
           g_str_equal (remote + strlen (ERROR_PREFIX), name);
}

gboolean
client_error_is_the_relays (const GError *error)
{
    g_autofree gchar *remote = g_dbus_error_get_remote_error (error);

    return remote != NULL && g_str_has_prefix (remote, ERROR_PREFIX);
}

static const Explanation explanations[] = {
    {ERROR_PREFIX "NoSuchMessage", EXIT_NOT_FOUND,
     "it was delivered, bounced or deleted, or never was; “postern log” tells"},
    {ERROR_PREFIX "NoSuchRemote", EXIT_NOT_FOUND, "“postern remotes” lists those that are configured"},
    {ERROR_PREFIX "InvalidFilter", EXIT_USAGE, NULL},
    {ERROR_PREFIX "InvalidArgument", EXIT_USAGE, NULL},
    {ERROR_PREFIX "NotAuthorized", EXIT_NOT_ALLOWED, "run it as root, or have polkit allow that action to you"},
    {ERROR_PREFIX "StorageFailed", EXIT_FAILED, "“postern status” and the journal of posternd tell more"},
    {ERROR_PREFIX "BadConfiguration", EXIT_FAILED,
     "the relay goes on with what it had; “postern status” tells what is in force"},
    {"org.freedesktop.DBus.Error.AccessDenied", EXIT_NOT_ALLOWED,
     "the policy of the message bus forbids it to you; is org.postern.Relay1.conf installed?"},
    {"org.freedesktop.DBus.Error.UnknownMethod", EXIT_FAILED,
     "the relay that runs is of another version than this command"},
    {"org.freedesktop.DBus.Error.UnknownInterface", EXIT_FAILED,
     "the relay that runs is of another version than this command"},
    {"org.freedesktop.DBus.Error.UnknownObject", EXIT_FAILED,
     "the relay that runs is of another version than this command"},
    {"org.freedesktop.DBus.Error.NoReply", EXIT_NOT_REACHABLE,
     "it stopped, or hangs; the journal of posternd tells more"},
};

/* Activation fails in many ways, each with a name of its own. */
static gboolean
is_not_running (const gchar *name)
{
    return g_str_equal (name, "org.freedesktop.DBus.Error.ServiceUnknown") ||
           g_str_equal (name, "org.freedesktop.DBus.Error.NameHasNoOwner") ||
           g_str_has_prefix (name, "org.freedesktop.DBus.Error.Spawn.") ||
           g_str_has_prefix (name, "org.freedesktop.systemd1.");
}

gboolean
client_error_is_absence (const GError *error)
{
    g_autofree gchar *remote = g_dbus_error_get_remote_error (error);

    return remote != NULL && is_not_running (remote);
}

static void
complain (const gchar *text)
{
    g_autofree gchar *escaped = text_escape (text);

    g_printerr ("postern: %s\n", escaped);
}

static void
advise (const gchar *text)
{
    g_printerr ("postern: %s\n", text);
}

/* What the relay says may have many lines, each of them a complaint about the configuration. */
static void
complain_lines (const gchar *text)
{
    g_auto (GStrv) lines = g_strsplit (text, "\n", -1);

    for (guint i = 0; lines[i] != NULL; i++) {
        if (*lines[i] != '\0')
            complain (lines[i]);
    }
}

static ExitCode
explain_not_running (const Client *client, const gchar *text)
{
    g_autofree gchar *line =
        g_strdup_printf ("the relay does not run on the message bus “%s”: %s", client->address, text);

    complain (line);
    if (g_str_equal (client->address, "system"))
        advise ("start it with “systemctl start postern.service”, and see “systemctl status postern.service”");
    else
        advise ("is posternd running with the same --bus=?");
    return EXIT_NOT_REACHABLE;
}

static ExitCode
explain_remote (const Client *client, const gchar *name, const gchar *text)
{
    if (is_not_running (name))
        return explain_not_running (client, text);

    complain_lines (text);
    for (guint i = 0; i < G_N_ELEMENTS (explanations); i++) {
        if (!g_str_equal (explanations[i].name, name))
            continue;
        if (explanations[i].advice != NULL)
            advise (explanations[i].advice);
        return explanations[i].exit_code;
    }
    return EXIT_FAILED;
}

ExitCode
client_explain (const Client *client, const GError *error)
{
    g_autoptr (GError) copy = g_error_copy (error);
    g_autofree gchar *name = g_dbus_error_get_remote_error (error);

    g_dbus_error_strip_remote_error (copy);
    if (client == NULL) {
        complain (copy->message);
        advise ("--bus= or $POSTERN_BUS names another one");
        return EXIT_NOT_REACHABLE;
    }
    if (name != NULL)
        return explain_remote (client, name, copy->message);

    complain (copy->message);
    if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CLOSED) ||
        g_error_matches (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT)) {
        advise ("the message bus or the relay went away");
        return EXIT_NOT_REACHABLE;
    }
    return EXIT_FAILED;
}
