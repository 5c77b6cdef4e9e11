/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Calls about mail while the queue is being read: they wait, go on when it is, and are refused if the relay stops. The queue's
 * reading thread is held at a gate; the caller is the other end of a connection within this program.
 */

#include <sys/socket.h>

#include <glib/gstdio.h>

#include "bus/error.h"
#include "bus/wait.h"
#include "queue/queue-private.h"
#include "queue/store.h"

#define PATH      "/test"
#define INTERFACE "org.postern.Test"
#define LOOK_USEC 1000

static const gchar introspection[] =
    "<node><interface name='" INTERFACE
    "'><method name='Ask'><arg type='s' direction='out'/></method></interface></node>";

typedef struct {
    gchar *directory;
    Bus bus;   /* of which the wait needs the queue only */
    gint open; /* atomic: the gate */
    GDBusConnection *server;
    GDBusConnection *client;
    GVariant *reply;
    GError *refusal;
} Desk;

/* ---- The queue ---- */

static void
wait_at_gate (const gint *cancel, gpointer user_data)
{
    Desk *desk = user_data;

    while (!g_atomic_int_get (&desk->open) && !g_atomic_int_get (cancel))
        g_usleep (LOOK_USEC);
}

static void
note_committed (QueueId id, const GError *error, gpointer user_data)
{
    g_assert_no_error (error);
    *(gboolean *) user_data = TRUE;
}

/* A queue with one message in it. */
static void
fill (const gchar *directory, const QueueLimits *limits)
{
    const QueueOrigin origin = {.uid = 1, .protocol = (gchar *) "local"};
    g_autoptr (MessageEnvelope) envelope = message_envelope_new ("");
    g_autoptr (Queue) queue = queue_open (directory, limits, NULL);
    QueueIntake *intake = queue_intake_new (queue, &origin, 1, NULL, NULL, NULL);
    gboolean done = FALSE;

    message_envelope_add (envelope, "a@one.example");
    queue_intake_write (intake, "x", 1);
    queue_intake_commit (intake, message_envelope_copy (envelope), FALSE, note_committed, &done);
    while (!done)
        g_main_context_iteration (NULL, TRUE);
}

/* ---- The connection ---- */

static void
answer (Bus *bus, GDBusMethodInvocation *invocation)
{
    if (bus_wait_for_queue (bus, invocation, answer))
        return;
    g_assert_true (queue_is_indexed (bus->queue));
    g_dbus_method_invocation_return_value (invocation, g_variant_new ("(s)", "all of it"));
}

static void
on_call (GDBusConnection *connection, const gchar *sender, const gchar *path, const gchar *interface,
         const gchar *method, GVariant *parameters, GDBusMethodInvocation *invocation, gpointer user_data)
{
    Desk *desk = user_data;

    answer (&desk->bus, invocation);
}

static void
on_connected (GObject *source, GAsyncResult *result, gpointer user_data)
{
    GDBusConnection **connection = user_data;
    g_autoptr (GError) error = NULL;

    *connection = g_dbus_connection_new_finish (result, &error);
    g_assert_no_error (error);
}

static void
connect_end (gint fd, GDBusConnectionFlags flags, GDBusConnection **connection)
{
    g_autoptr (GSocket) socket = g_socket_new_from_fd (fd, NULL);
    g_autoptr (GSocketConnection) stream = g_socket_connection_factory_create_connection (socket);
    g_autofree gchar *guid = g_dbus_generate_guid ();
    gboolean serves = flags == G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_SERVER;

    g_dbus_connection_new (G_IO_STREAM (stream), serves ? guid : NULL, flags, NULL, NULL, on_connected, connection);
}

static void
register_object (Desk *desk)
{
    static const GDBusInterfaceVTable vtable = {.method_call = on_call};
    g_autoptr (GDBusNodeInfo) node = g_dbus_node_info_new_for_xml (introspection, NULL);

    g_assert_cmpuint (
        g_dbus_connection_register_object (desk->server, PATH, node->interfaces[0], &vtable, desk, NULL, NULL), !=,
        0);
}

static void
on_reply (GObject *source, GAsyncResult *result, gpointer user_data)
{
    Desk *desk = user_data;

    desk->reply = g_dbus_connection_call_finish (G_DBUS_CONNECTION (source), result, &desk->refusal);
}

/* A call that has arrived and waits. */
static void
ask (Desk *desk)
{
    g_dbus_connection_call (desk->client, NULL, PATH, INTERFACE, "Ask", NULL, NULL, G_DBUS_CALL_FLAGS_NONE, G_MAXINT,
                            NULL, on_reply, desk);
    while (desk->bus.waiting.length == 0 && desk->reply == NULL && desk->refusal == NULL)
        g_main_context_iteration (NULL, TRUE);
}

static void
wait_for_reply (Desk *desk)
{
    while (desk->reply == NULL && desk->refusal == NULL)
        g_main_context_iteration (NULL, TRUE);
}

static Desk *
desk_new (void)
{
    const QueueLimits limits = {.generation_bytes = 1024 * 1024};
    Desk *desk = g_new0 (Desk, 1);
    const QueueStart start = {.gate = wait_at_gate, .gate_data = desk};
    gint ends[2];

    bus_error_quark ();
    desk->directory = g_dir_make_tmp ("postern-wait-XXXXXX", NULL);
    fill (desk->directory, &limits);
    desk->bus.queue = queue_open_as (desk->directory, &limits, &start, NULL);
    g_queue_init (&desk->bus.waiting);

    g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), ==, 0);
    connect_end (ends[0], G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_SERVER, &desk->server);
    connect_end (ends[1], G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT, &desk->client);
    while (desk->server == NULL || desk->client == NULL)
        g_main_context_iteration (NULL, TRUE);
    register_object (desk);

    return desk;
}

static void
let_it_read (Desk *desk)
{
    g_atomic_int_set (&desk->open, TRUE);
    while (!queue_is_indexed (desk->bus.queue))
        g_main_context_iteration (NULL, TRUE);
}

static void
desk_free (Desk *desk)
{
    g_autoptr (GDir) dir = NULL;
    const gchar *name;

    queue_close (desk->bus.queue);
    g_dbus_connection_close_sync (desk->client, NULL, NULL);
    g_dbus_connection_close_sync (desk->server, NULL, NULL);
    g_object_unref (desk->client);
    g_object_unref (desk->server);
    g_clear_pointer (&desk->reply, g_variant_unref);
    g_clear_error (&desk->refusal);
    dir = g_dir_open (desk->directory, 0, NULL);
    while ((name = g_dir_read_name (dir)) != NULL) {
        g_autofree gchar *path = g_build_filename (desk->directory, name, NULL);

        g_assert_cmpint (g_unlink (path), ==, 0);
    }
    g_assert_cmpint (g_rmdir (desk->directory), ==, 0);
    g_free (desk->directory);
    g_free (desk);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Desk, desk_free)

/* ---- What is said of it ---- */

static void
a_call_waits_until_the_queue_is_read (void)
{
    g_autoptr (Desk) desk = desk_new ();

    ask (desk);
    g_assert_cmpuint (desk->bus.calls_pending, ==, 1);

    /* What changes meanwhile is no reason to answer. */
    bus_wait_look (&desk->bus);
    g_assert_cmpuint (desk->bus.waiting.length, ==, 1);

    let_it_read (desk);
    bus_wait_look (&desk->bus);
    wait_for_reply (desk);
    g_assert_no_error (desk->refusal);
    g_assert_cmpuint (desk->bus.calls_pending, ==, 0);
}

static void
nothing_waits_once_it_is_read (void)
{
    g_autoptr (Desk) desk = desk_new ();

    let_it_read (desk);
    ask (desk);
    wait_for_reply (desk);
    g_assert_no_error (desk->refusal);
}

static void
what_waits_is_refused_when_the_relay_stops (void)
{
    g_autoptr (Desk) desk = desk_new ();

    ask (desk);
    desk->bus.closed = TRUE;
    bus_wait_end (&desk->bus);
    wait_for_reply (desk);
    g_assert_error (desk->refusal, BUS_ERROR, BUS_ERROR_FAILED);
    g_assert_cmpuint (desk->bus.calls_pending, ==, 0);
}

static void
what_waits_is_refused_with_the_trouble (void)
{
    g_autoptr (Desk) desk = desk_new ();
    g_autoptr (GError) trouble = g_error_new_literal (QUEUE_ERROR, QUEUE_ERROR_IO, "the disk is away");

    ask (desk);
    queue_set_index_trouble (desk->bus.queue, trouble);
    bus_wait_look (&desk->bus);
    wait_for_reply (desk);
    g_assert_error (desk->refusal, BUS_ERROR, BUS_ERROR_STORAGE_FAILED);
    g_assert_nonnull (strstr (desk->refusal->message, "the disk is away"));

    /* Nor does the next one wait. */
    g_clear_error (&desk->refusal);
    ask (desk);
    wait_for_reply (desk);
    g_assert_error (desk->refusal, BUS_ERROR, BUS_ERROR_STORAGE_FAILED);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    g_test_add_func ("/bus/wait/a-call-waits-until-the-queue-is-read", a_call_waits_until_the_queue_is_read);
    g_test_add_func ("/bus/wait/nothing-waits-once-it-is-read", nothing_waits_once_it_is_read);
    g_test_add_func ("/bus/wait/what-waits-is-refused-when-the-relay-stops",
                     what_waits_is_refused_when_the_relay_stops);
    g_test_add_func ("/bus/wait/what-waits-is-refused-with-the-trouble", what_waits_is_refused_with_the_trouble);

    return g_test_run ();
}
