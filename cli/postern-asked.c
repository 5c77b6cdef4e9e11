/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Smarthosts that are asked again
 *
 * Who lets mail be tried again while its smarthost is down wants to know what comes of it, and not what came of it an hour
 * ago. The relay asks such a smarthost at once, and tells on the bus when that was in vain or not; mostly it takes
 * no longer than a blink. One that does not answer at all is not waited for.
 */

#include "postern-asked.h"

#include "message/words.h"
#include "postern-remotes.h"
#include "postern-text.h"

#define WAIT_SECONDS 3

struct _Asked {
    const Client *client;
    GPtrArray *before;   /* of Remote: all, as they were */
    guint n_down;        /* of them */
    GHashTable *answers; /* paths of those that have answered */
    guint subscription;
    gboolean is_over;
};

static gboolean
is_down (const Remote *remote)
{
    return g_str_equal (remote->state, "down");
}

static void
on_changed (GDBusConnection *connection, const gchar *sender, const gchar *path, const gchar *interface,
            const gchar *signal, GVariant *parameters, gpointer user_data)
{
    Asked *self = user_data;

    g_hash_table_add (self->answers, g_strdup (path));
}

static gboolean
on_time (gpointer user_data)
{
    Asked *self = user_data;

    self->is_over = TRUE;
    return G_SOURCE_CONTINUE;
}

Asked *
asked_begin (const Client *client)
{
    g_autoptr (GPtrArray) remotes = remotes_load (client, NULL);
    Asked *self;
    guint n_down = 0;

    for (guint i = 0; remotes != NULL && i < remotes->len; i++)
        n_down += is_down (g_ptr_array_index (remotes, i));
    if (n_down == 0)
        return NULL;

    self = g_new0 (Asked, 1);
    self->client = client;
    self->before = g_steal_pointer (&remotes);
    self->n_down = n_down;
    self->answers = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
    self->subscription = g_dbus_connection_signal_subscribe (
        client->connection, RELAY_NAME, "org.freedesktop.DBus.Properties", "PropertiesChanged", NULL,
        RELAY_REMOTE_INTERFACE, G_DBUS_SIGNAL_FLAGS_NONE, on_changed, self, NULL);
    return self;
}

void
asked_free (Asked *self)
{
    g_dbus_connection_signal_unsubscribe (self->client->connection, self->subscription);
    g_hash_table_unref (self->answers);
    g_ptr_array_unref (self->before);
    g_free (self);
}

static const Remote *
find_now (GPtrArray *remotes, const Remote *before)
{
    for (guint i = 0; i < remotes->len; i++) {
        const Remote *remote = g_ptr_array_index (remotes, i);

        if (g_str_equal (remote->name, before->name))
            return remote;
    }

    return NULL;
}

static void
tell (const Remote *before, const Remote *now)
{
    g_autofree gchar *place = remote_place (now);
    g_autofree gchar *error = text_escape (message_words_behind (place, now->error));
    g_autofree gchar *next = text_relative ((gint64) now->next_probe, g_get_real_time ());

    if (!is_down (now))
        g_print ("Asked %s again: it takes mail.\n", place);
    else if (now->next_probe == before->next_probe || now->next_probe <= (guint64) g_get_real_time ())
        g_print ("%s has not answered yet.\n", place);
    else
        g_print ("Asked %s again: %s; next time %s.\n", place, error, next);
}

void
asked_tell (Asked *self)
{
    guint timeout = g_timeout_add_seconds (WAIT_SECONDS, on_time, self);
    g_autoptr (GPtrArray) remotes = NULL;

    while (!self->is_over && g_hash_table_size (self->answers) < self->n_down)
        g_main_context_iteration (NULL, TRUE);
    g_source_remove (timeout);

    remotes = remotes_load (self->client, NULL);
    for (guint i = 0; remotes != NULL && i < self->before->len; i++) {
        const Remote *before = g_ptr_array_index (self->before, i);
        const Remote *now = find_now (remotes, before);

        if (is_down (before) && now != NULL)
            tell (before, now);
    }
}
