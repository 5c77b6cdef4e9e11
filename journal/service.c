/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * postern-journal
 *
 * Tells users from the journal what became of their mail. The journal keeps what the relay says among the system's
 * entries, which only administrators may read; and a right to read those is not for the relay, which speaks with the
 * network. So this is a program and a user of its own: it may read the journal, has no network, and no access to
 * queue and passwords.
 *
 * A user's own mail is what the relay noted that user's id with; the question to the journal is narrowed to it, so that
 * nothing else is ever read. Everything more is asked of polkit, as the relay does.
 *
 * The bus starts it, and it ends when nobody has asked for IDLE_SECONDS. Questions are answered one after the other: a
 * program that does nothing else may wait for the disk.
 */

#include <gio/gio.h>
#include <glib-unix.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "bus/authorization.h"
#include "bus/baggage.h"
#include "bus/error.h"
#include "dbus/journal-interface.h"
#include "journal/reader.h"
#include "output/output.h"

#define NAME "org.postern.Journal1"
#define PATH "/org/postern/Journal1"

/* As the relay lists: a reply of moderate size. */
#define FIND_MOST 1000

/* More that begin alike are not told apart by reading them. */
#define COMPLETE_MOST 10

/* Somebody who asks often asks again within this; and it costs little to start. */
#define IDLE_SECONDS 30

typedef struct {
    gchar *bus;
    gchar *directory;
} Arguments;

typedef struct {
    GMainLoop *loop;
    const gchar *directory; /* (nullable) */
    BusAuthorization *authorization;
    guint idle_source;
    guint pending; /* calls that wait for somebody */
    int status;
} Service;

/* A call that is being answered. */
typedef struct _Call Call;
struct _Call {
    Service *service;
    GDBusMethodInvocation *invocation;
    void (*answer) (Call *call, gint64 submitter);
    gint64 uid;
    const gchar *words; /* the id, or what to find; the invocation's */
    guint64 since_usec;
    guint32 limit;
    gboolean everyone;
};

static gboolean
on_idle (gpointer user_data)
{
    Service *service = user_data;

    service->idle_source = 0;
    g_main_loop_quit (service->loop);
    return G_SOURCE_REMOVE;
}

static void
begin_call (Service *service)
{
    service->pending++;
    g_clear_handle_id (&service->idle_source, g_source_remove);
}

static void
end_call (Call *call)
{
    Service *service = call->service;

    if (--service->pending == 0)
        service->idle_source = g_timeout_add_seconds (IDLE_SECONDS, on_idle, service);
    g_free (call);
}

static void G_GNUC_PRINTF (3, 4) refuse (Call *call, BusErrorCode code, const gchar *format, ...)
{
    va_list arguments;

    va_start (arguments, format);
    bus_error_return_valist (call->invocation, code, format, arguments);
    va_end (arguments);
    end_call (call);
}

static void
return_value (Call *call, GVariant *value)
{
    g_dbus_method_invocation_return_value (call->invocation, value);
    end_call (call);
}

static JournalReader *
open_reader (const Call *call, gint64 submitter, GError **error)
{
    JournalPlace place = {.directory = call->service->directory, .submitter = submitter};

    return journal_reader_new (&place, error);
}

/* Goes on with everyone's mail if the caller may. */
static void
on_authorized (const GError *error, gpointer user_data)
{
    Call *call = user_data;

    if (error != NULL)
        refuse (call, BUS_ERROR_NOT_AUTHORIZED, "%s", error->message);
    else
        call->answer (call, -1);
}

static void
ask_for_everyone (Call *call)
{
    GDBusMessage *message = g_dbus_method_invocation_get_message (call->invocation);
    gboolean interactive =
        (g_dbus_message_get_flags (message) & G_DBUS_MESSAGE_FLAGS_ALLOW_INTERACTIVE_AUTHORIZATION) != 0;

    bus_authorization_check (call->service->authorization, g_dbus_method_invocation_get_sender (call->invocation),
                             call->uid, BUS_ACTION_INSPECT, interactive, on_authorized, call);
}

static void
answer_story (Call *call, gint64 submitter)
{
    g_autoptr (GError) error = NULL;
    g_autoptr (JournalReader) reader = open_reader (call, submitter, &error);
    g_autoptr (GVariant) story = reader == NULL ? NULL : journal_reader_story (reader, call->words, &error);

    if (story == NULL) {
        refuse (call, BUS_ERROR_FAILED, "%s", error->message);
        return;
    }

    g_variant_ref_sink (story);
    if (g_variant_n_children (story) > 0)
        return_value (call, g_variant_new ("(@" JOURNAL_STORY_TYPE ")", story));
    else if (submitter >= 0)
        ask_for_everyone (call);
    else
        refuse (call, BUS_ERROR_NO_SUCH_MESSAGE, "the journal knows nothing of a message %s", call->words);
}

static void
answer_find (Call *call, gint64 submitter)
{
    g_autoptr (GError) error = NULL;
    g_autoptr (JournalReader) reader = open_reader (call, submitter, &error);
    gboolean is_all = TRUE;
    g_auto (GStrv) ids = NULL;

    if (reader != NULL)
        ids = journal_reader_find (reader, call->words, call->since_usec, call->limit, &is_all, &error);
    if (ids == NULL)
        refuse (call, BUS_ERROR_FAILED, "%s", error->message);
    else
        return_value (call, g_variant_new ("(^asb)", ids, is_all));
}

static void
answer_complete (Call *call, gint64 submitter)
{
    g_autoptr (GError) error = NULL;
    g_autoptr (JournalReader) reader = open_reader (call, submitter, &error);
    g_auto (GStrv) ids = NULL;

    if (reader != NULL)
        ids = journal_reader_complete (reader, call->words, COMPLETE_MOST, &error);
    if (ids == NULL)
        refuse (call, BUS_ERROR_FAILED, "%s", error->message);
    else
        return_value (call, g_variant_new ("(^as)", ids));
}

static void
on_identified (gint64 uid, const GError *error, gpointer user_data)
{
    Call *call = user_data;

    call->uid = uid;
    if (error != NULL)
        refuse (call, BUS_ERROR_NOT_AUTHORIZED, "the bus does not tell who calls: %s", error->message);
    else if (bus_authorization_is_master (call->service->authorization, uid))
        call->answer (call, -1);
    else if (call->everyone)
        ask_for_everyone (call);
    else
        call->answer (call, uid);
}

static void
on_method_call (GDBusConnection *connection, const gchar *sender, const gchar *path, const gchar *interface,
                const gchar *method, GVariant *parameters, GDBusMethodInvocation *invocation, gpointer user_data)
{
    Service *service = user_data;
    Call *call = g_new0 (Call, 1);

    begin_call (service);
    call->service = service;
    call->invocation = invocation;
    if (g_str_equal (method, "GetStory")) {
        call->answer = answer_story;
        g_variant_get (parameters, "(&s)", &call->words);
    } else if (g_str_equal (method, "CompleteId")) {
        call->answer = answer_complete;
        g_variant_get (parameters, "(&sb)", &call->words, &call->everyone);
    } else {
        call->answer = answer_find;
        g_variant_get (parameters, "(&stub)", &call->words, &call->since_usec, &call->limit, &call->everyone);
        if (call->limit == 0 || call->limit > FIND_MOST)
            call->limit = FIND_MOST;
    }
    bus_authorization_identify (service->authorization, sender, on_identified, call);
}

static void
on_name_lost (GDBusConnection *connection, const gchar *name, gpointer user_data)
{
    Service *service = user_data;

    g_printerr ("postern-journal: the message bus does not give us the name %s, or took it back\n", name);
    service->status = EXIT_FAILURE;
    g_main_loop_quit (service->loop);
}

static gboolean
on_signal (gpointer user_data)
{
    g_main_loop_quit (user_data);
    return G_SOURCE_CONTINUE;
}

static GDBusConnection *
connect_to (const gchar *bus, GError **error)
{
    if (bus == NULL)
        return g_bus_get_sync (G_BUS_TYPE_SYSTEM, NULL, error);
    return g_dbus_connection_new_for_address_sync (
        bus, G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT | G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION, NULL,
        NULL, error);
}

static int
serve (GDBusConnection *connection, const Arguments *arguments)
{
    static const GDBusInterfaceVTable vtable = {.method_call = on_method_call};
    g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
    g_autoptr (BusAuthorization) authorization = bus_authorization_new (connection, arguments->bus == NULL);
    g_autoptr (Foreign) foreign = foreign_new (1);
    g_autoptr (BusBaggage) baggage = bus_baggage_new (connection, foreign, 1);
    Service service = {.loop = loop, .directory = arguments->directory, .authorization = authorization};
    guint name;

    g_unix_signal_add (SIGTERM, on_signal, loop);
    g_unix_signal_add (SIGINT, on_signal, loop);
    g_dbus_connection_register_object (connection, PATH, (GDBusInterfaceInfo *) &org_postern_journal1_interface,
                                       &vtable, &service, NULL, NULL);
    name = g_bus_own_name_on_connection (connection, NAME, G_BUS_NAME_OWNER_FLAGS_DO_NOT_QUEUE, NULL, on_name_lost,
                                         &service, NULL);
    service.idle_source = g_timeout_add_seconds (IDLE_SECONDS, on_idle, &service);
    g_main_loop_run (loop);

    g_clear_handle_id (&service.idle_source, g_source_remove);
    g_bus_unown_name (name);
    g_dbus_connection_flush_sync (connection, NULL, NULL);
    return service.status;
}

static gboolean
parse_arguments (Arguments *arguments, int argc, char **argv)
{
    const GOptionEntry entries[] = {
        {"bus", 0, 0, G_OPTION_ARG_STRING, &arguments->bus, "The address of a bus, in place of the system's", "BUS"},
        {"directory", 0, 0, G_OPTION_ARG_FILENAME, &arguments->directory,
         "A folder of journal files, in place of this machine's journal", "FOLDER"},
        G_OPTION_ENTRY_NULL};
    g_autoptr (GOptionContext) context = g_option_context_new (NULL);
    g_autoptr (GError) error = NULL;

    g_option_context_add_main_entries (context, entries, NULL);
    g_option_context_set_summary (context, "Tells users over D-Bus what became of their mail, from the journal.");
    if (g_option_context_parse (context, &argc, &argv, &error))
        return TRUE;

    g_printerr ("postern-journal: %s\n", error->message);
    return FALSE;
}

int
main (int argc, char **argv)
{
    g_autoptr (GDBusConnection) connection = NULL;
    g_autoptr (GError) error = NULL;
    Arguments arguments = {NULL};
    int status;

    setlocale (LC_ALL, "");
    output_install ();
    if (!parse_arguments (&arguments, argc, argv))
        return 64; /* EX_USAGE */

    connection = connect_to (arguments.bus, &error);
    if (connection == NULL) {
        g_printerr ("postern-journal: cannot connect to the message bus: %s\n", error->message);
        return EXIT_FAILURE;
    }

    status = serve (connection, &arguments);
    g_free (arguments.bus);
    g_free (arguments.directory);
    return status;
}
