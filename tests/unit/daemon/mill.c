/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "mill.h"

#include <glib/gstdio.h>

#define MESSAGES_MOST 1000

static void
keep_event (const QueueEvent *event, gpointer user_data)
{
    Mill *mill = user_data;
    gchar id[QUEUE_ID_TEXT_BYTES];

    queue_id_write (event->message->id, id);
    g_ptr_array_add (mill->events, g_strdup_printf ("%d %s", event->type, id));
}

static void
ignore_due (const gchar *lane, gpointer user_data)
{
}

static void
ignore_trouble (const GError *error, gpointer user_data)
{
}

static const QueueListener listener = {.event = keep_event, .due = ignore_due, .trouble = ignore_trouble};

Config *
mill_config (Mill *mill, const gchar *configuration)
{
    g_autofree gchar *path = g_build_filename (mill->folder, "postern.conf", NULL);
    g_autofree gchar *text = g_strconcat ("[Relay]\nDomain=example.org\n", configuration, NULL);
    g_autoptr (GPtrArray) warnings = g_ptr_array_new_with_free_func (g_free);
    g_autoptr (GError) error = NULL;
    ConfigSources sources = {.path = path, .mail_name_file = "/nowhere", .host_name = "relay.example.org"};
    Config *config;

    g_file_set_contents (path, text, -1, &error);
    g_assert_no_error (error);
    config = config_load (&sources, warnings, &error);
    g_assert_no_error (error);
    return config;
}

Mill *
mill_new (const gchar *configuration)
{
    Mill *mill = g_new0 (Mill, 1);
    g_autoptr (GError) error = NULL;
    g_autofree gchar *directory = NULL;

    mill->folder = g_dir_make_tmp ("postern-mill-XXXXXX", NULL);
    mill->events = g_ptr_array_new_with_free_func (g_free);
    mill->config = mill_config (mill, configuration);

    directory = g_build_filename (mill->folder, "queue", NULL);
    mill->queue = queue_open (directory, &mill->config->queue, &error);
    g_assert_no_error (error);
    queue_set_listener (mill->queue, &listener, mill);
    return mill;
}

static void
remove_tree (const gchar *folder)
{
    g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
    const gchar *name;

    while ((name = g_dir_read_name (dir)) != NULL) {
        g_autofree gchar *path = g_build_filename (folder, name, NULL);

        if (g_file_test (path, G_FILE_TEST_IS_DIR))
            remove_tree (path);
        else
            g_unlink (path);
    }

    g_rmdir (folder);
}

void
mill_free (Mill *mill)
{
    queue_close (mill->queue);
    config_unref (mill->config);
    remove_tree (mill->folder);
    g_ptr_array_unref (mill->events);
    g_free (mill->folder);
    g_free (mill);
}

guint
mill_count (Mill *mill)
{
    QueueStatistics statistics;

    queue_statistics (mill->queue, &statistics);
    return (guint) statistics.messages;
}

void
mill_wait_queued (Mill *mill, guint n)
{
    while (mill_count (mill) < n)
        g_main_context_iteration (NULL, TRUE);
}

typedef struct {
    GString *text;
    gboolean done;
} Reading;

static void
take_piece (GBytes *piece, const GError *error, gpointer user_data)
{
    Reading *reading = user_data;

    g_assert_no_error (error);
    if (piece != NULL)
        g_string_append_len (reading->text, g_bytes_get_data (piece, NULL), (gssize) g_bytes_get_size (piece));
    reading->done = TRUE;
}

gchar *
mill_content (Mill *mill, QueueId id)
{
    g_autoptr (QueueReader) reader = queue_reader_new (mill->queue, id);
    Reading reading = {.text = g_string_new (NULL)};
    gsize before;

    do {
        before = reading.text->len;
        reading.done = FALSE;
        queue_reader_next (reader, take_piece, &reading);
        while (!reading.done)
            g_main_context_iteration (NULL, TRUE);
    } while (reading.text->len > before);

    return g_string_free (reading.text, FALSE);
}

static void
take_list (GPtrArray *messages, QueueId next, gpointer user_data)
{
    GPtrArray **list = user_data;

    *list = g_ptr_array_new_with_free_func ((GDestroyNotify) queue_message_unref);
    for (guint i = 0; i < messages->len; i++)
        g_ptr_array_add (*list, queue_message_ref (g_ptr_array_index (messages, i)));
}

GPtrArray *
mill_messages (Mill *mill)
{
    GPtrArray *list = NULL;

    queue_list (mill->queue, &QUEUE_FILTER_ALL, 0, MESSAGES_MOST, take_list, &list);
    while (list == NULL)
        g_main_context_iteration (NULL, TRUE);
    return list;
}
