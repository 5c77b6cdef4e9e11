/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * postern status
 *
 * How the relay is, on one screen: what waits, since when, and everything that keeps mail from leaving.
 */

#include "postern-command.h"
#include "postern-configuration.h"
#include "postern-json.h"
#include "postern-properties.h"
#include "postern-remotes.h"
#include "postern-style.h"
#include "postern-text.h"

static void
print_queue (GVariant *properties, gint64 now_usec)
{
    static const struct {
        const gchar *property;
        const gchar *name;
    } states[] = {{"Queued", "queued"}, {"Delivering", "delivering"}, {"Deferred", "deferred"}, {"Held", "held"}};
    guint64 length = properties_number (properties, "QueueLength");
    guint64 oldest = properties_number (properties, "Oldest");
    guint unindexed = (guint) properties_number (properties, "Unindexed");
    g_autofree gchar *size = text_size (properties_number (properties, "QueueBytes"));
    g_autoptr (GString) by_state = g_string_new (NULL);

    if (unindexed > 0)
        g_print ("Indexing:   %u %% of the queue of before the start has yet to be read; it is not counted below\n",
                 unindexed);
    if (length == 0) {
        g_print ("Queue:      empty\n");
        return;
    }

    for (guint i = 0; i < G_N_ELEMENTS (states); i++) {
        guint64 count = properties_number (properties, states[i].property);

        if (count > 0)
            g_string_append_printf (by_state, "%s%" G_GUINT64_FORMAT " %s", by_state->len > 0 ? ", " : "", count,
                                    states[i].name);
    }
    g_print ("Queue:      %" G_GUINT64_FORMAT " message%s, %s: %s\n", length, length == 1 ? "" : "s", size,
             by_state->str);
    if (oldest != 0) {
        g_autofree gchar *relative = text_relative ((gint64) oldest, now_usec);

        g_print ("Oldest:     %s\n", relative);
    }
}

static void
print_trouble (GVariant *properties)
{
    g_autofree gchar *trouble = text_escape (properties_text (properties, "Trouble"));

    if (*trouble != '\0')
        g_print ("%sTrouble:    %s; see the journal of posternd%s\n", style_begin (STYLE_BAD), trouble, style_end ());
    if (properties_boolean (properties, "Paused"))
        g_print ("%sPaused:     deliveries wait for “postern resume”%s\n", style_begin (STYLE_WAITING), style_end ());
    if (properties_boolean (properties, "Metered"))
        g_print ("%sMetered:    mail waits for a connection that is not metered; “postern retry” sends it now%s\n",
                 style_begin (STYLE_WAITING), style_end ());
    if (!properties_boolean (properties, "Online"))
        g_print ("%sOffline:    there is no network; mail leaves when it is back%s\n", style_begin (STYLE_WAITING),
                 style_end ());
}

static void
print_configuration (GVariant *properties)
{
    g_autofree gchar *in_force = configuration_in_force (properties);

    g_print ("%sConfig:     bad; %s%s\n", style_begin (STYLE_BAD), in_force, style_end ());
    configuration_print_problems (properties, "            ");
    g_print ("            Correct it, then “postern reload”.\n");
}

static void
print_remote (const Remote *remote, gint64 now_usec)
{
    g_autofree gchar *name = text_escape (remote->name);
    g_autofree gchar *place = remote_place (remote);
    g_autofree gchar *error = text_escape (remote->error);
    gboolean is_down = g_str_equal (remote->state, "down");

    g_print ("Smarthost:  %s (%s) is %s%s%s", name, place, style_begin (style_of_state (remote->state)),
             g_str_equal (remote->state, "unknown") ? "not tried yet" : remote->state, style_end ());
    if (is_down && remote->since != 0 && now_usec - (gint64) remote->since >= G_USEC_PER_SEC) {
        g_autofree gchar *since = text_span (now_usec - (gint64) remote->since);

        g_print (" for %s", since);
    }
    if (is_down && remote->next_probe != 0) {
        g_autofree gchar *next = text_relative ((gint64) remote->next_probe, now_usec);

        g_print (", next try %s", next);
    }
    g_print ("\n");
    if (*error != '\0')
        g_print ("            %s\n", error);
}

static void
print_status (GVariant *properties, GPtrArray *remotes)
{
    gint64 now_usec = g_get_real_time ();
    g_autofree gchar *started = text_relative ((gint64) properties_number (properties, "Started"), now_usec);
    g_autofree gchar *version = text_escape (properties_text (properties, "Version"));
    g_autofree gchar *disk = text_size (properties_number (properties, "DiskBytes"));

    g_print ("Postern %s, started %s\n", version, started);
    print_queue (properties, now_usec);
    g_print ("On disk:    %s\n", disk);
    print_trouble (properties);
    if (configuration_is_bad (properties))
        print_configuration (properties);
    configuration_print_warnings (properties, "Warning:    ");
    for (guint i = 0; i < remotes->len; i++)
        print_remote (g_ptr_array_index (remotes, i), now_usec);
    if (remotes->len == 0 && !configuration_is_bad (properties))
        g_print ("%sSmarthost:  none, so mail is taken and waits: " REMOTES_NONE_ADVICE "%s\n",
                 style_begin (STYLE_BAD), style_end ());
}

static void
print_json (GVariant *properties, GPtrArray *remotes)
{
    g_autoptr (JsonBuilder) builder = json_builder_new ();

    json_builder_begin_object (builder);
    json_add_text (builder, "version", properties_text (properties, "Version"));
    json_add_time (builder, "started", properties_number (properties, "Started"));
    json_add_number (builder, "messages", properties_number (properties, "QueueLength"));
    json_add_number (builder, "bytes", properties_number (properties, "QueueBytes"));
    json_add_number (builder, "queued", properties_number (properties, "Queued"));
    json_add_number (builder, "delivering", properties_number (properties, "Delivering"));
    json_add_number (builder, "deferred", properties_number (properties, "Deferred"));
    json_add_number (builder, "held", properties_number (properties, "Held"));
    json_add_time (builder, "oldest", properties_number (properties, "Oldest"));
    json_add_number (builder, "disk-bytes", properties_number (properties, "DiskBytes"));
    json_add_number (builder, "unindexed", properties_number (properties, "Unindexed"));
    json_add_boolean (builder, "paused", properties_boolean (properties, "Paused"));
    json_add_boolean (builder, "online", properties_boolean (properties, "Online"));
    json_add_boolean (builder, "metered", properties_boolean (properties, "Metered"));
    json_add_text (builder, "trouble", properties_text (properties, "Trouble"));
    configuration_add_json (builder, properties);
    json_builder_set_member_name (builder, "remotes");
    remotes_add_json (builder, remotes);
    json_builder_end_object (builder);
    json_print (builder);
}

ExitCode
command_status (int argc, char **argv, const gchar *bus)
{
    g_autoptr (CommandLine) line =
        command_line_new ("status", NULL, "Tells how the relay is, and what keeps mail from leaving.", bus);
    g_autoptr (GVariant) properties = NULL;
    g_autoptr (GPtrArray) remotes = NULL;
    g_autoptr (GError) error = NULL;
    ExitCode code;

    command_line_add (line, NULL, TRUE);
    if (!command_line_parse (line, argc, argv) || !command_line_has_no_words (line))
        return EXIT_USAGE;

    code = command_line_connect (line);
    if (code != EXIT_OK)
        return code;

    properties = client_get_properties (line->client, RELAY_MANAGER_PATH, RELAY_MANAGER_INTERFACE, &error);
    if (properties != NULL)
        remotes = remotes_load (line->client, &error);
    if (remotes == NULL)
        return client_explain (line->client, error);

    if (line->json)
        print_json (properties, remotes);
    else
        print_status (properties, remotes);
    return EXIT_OK;
}
