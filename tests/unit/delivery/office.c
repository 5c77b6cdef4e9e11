/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "office.h"

#include <glib/gstdio.h>
#include <string.h>

#define PATIENCE_SECONDS 120

/* ---- What is told ---- */

static const gchar *
event_name (QueueEventType type)
{
    static const gchar *const names[] = {
        [QUEUE_EVENT_QUEUED] = "queued",         [QUEUE_EVENT_DELIVERED] = "delivered",
        [QUEUE_EVENT_DEFERRED] = "deferred",     [QUEUE_EVENT_BOUNCED] = "bounced",
        [QUEUE_EVENT_EXPIRED] = "expired",       [QUEUE_EVENT_HELD] = "held",
        [QUEUE_EVENT_RELEASED] = "released",     [QUEUE_EVENT_DELETED] = "deleted",
        [QUEUE_EVENT_REDIRECTED] = "redirected", [QUEUE_EVENT_REMOVED] = "removed"};

    return names[type];
}

static void
on_event (const QueueEvent *event, gpointer user_data)
{
    Office *office = user_data;
    const gchar *recipient = event->recipient ? event->recipient : "";
    const gchar *reply = event->result && event->result->reply ? event->result->reply : "";

    g_ptr_array_add (office->events, g_strdup_printf ("%s %s %s", event_name (event->type), recipient, reply));
}

static void
on_due (const gchar *lane, gpointer user_data)
{
    Office *office = user_data;

    if (office->delivery)
        delivery_due (office->delivery, lane);
}

static void
on_trouble (const GError *error, gpointer user_data)
{
}

static const QueueListener queue_listener = {.event = on_event, .due = on_due, .trouble = on_trouble};

static void
on_remote (const DeliveryRemoteInfo *remote, gpointer user_data)
{
    Office *office = user_data;

    office->remote_changes++;
    g_ptr_array_add (office->events,
                     g_strdup_printf ("remote %s %s %s", remote->name, delivery_remote_state_name (remote->state),
                                      remote->error ? remote->error : ""));
}

static void
on_changed (gpointer user_data)
{
}

static void
on_remark (const QueueMessage *message, const gchar *remote, const gchar *remark, gpointer user_data)
{
    Office *office = user_data;

    g_ptr_array_add (office->events, g_strdup_printf ("remark %s %s", remote, remark));
}

static const DeliveryListener delivery_listener = {.remote = on_remote, .remark = on_remark, .changed = on_changed};

gboolean
office_saw (Office *office, const gchar *text)
{
    for (guint i = 0; i < office->events->len; i++)
        if (strstr (g_ptr_array_index (office->events, i), text))
            return TRUE;

    return FALSE;
}

guint
office_count_events (Office *office, const gchar *prefix)
{
    guint count = 0;

    for (guint i = 0; i < office->events->len; i++)
        count += g_str_has_prefix (g_ptr_array_index (office->events, i), prefix);

    return count;
}

/* ---- Time ---- */

static gboolean
on_tick (gpointer user_data)
{
    return G_SOURCE_CONTINUE;
}

void
office_turn (const gchar *what, gint64 begin_usec)
{
    guint tick = g_timeout_add (200, on_tick, NULL);

    if (g_get_monotonic_time () - begin_usec > PATIENCE_SECONDS * G_USEC_PER_SEC)
        g_error ("did not come true: %s", what);

    g_main_context_iteration (NULL, TRUE);
    g_source_remove (tick);
}

/* ---- Life ---- */

static void
open_queue (Office *office)
{
    const QueueLimits limits = {.generation_bytes = 64 * 1024 * 1024};
    g_autoptr (GError) error = NULL;

    office->queue = queue_open (office->folder, &limits, &error);
    g_assert_no_error (error);
    queue_set_listener (office->queue, &queue_listener, office);
}

Office *
office_new (guint n_smarthosts)
{
    g_autoptr (GError) error = NULL;
    Office *office = g_new0 (Office, 1);

    office->folder = g_dir_make_tmp ("postern-delivery-XXXXXX", &error);
    g_assert_no_error (error);
    office->events = g_ptr_array_new_with_free_func (g_free);
    office->smarthosts = g_ptr_array_new_with_free_func ((GDestroyNotify) smarthost_free);
    for (guint i = 0; i < n_smarthosts; i++)
        g_ptr_array_add (office->smarthosts, smarthost_new ("PIPELINING\n8BITMIME\nENHANCEDSTATUSCODES"));

    office->poller = smtp_poller_new (NULL, &error);
    g_assert_no_error (error);
    open_queue (office);
    return office;
}

void
office_reopen (Office *office)
{
    queue_close (office->queue);
    open_queue (office);
}

Smarthost *
office_smarthost (Office *office, guint index)
{
    return g_ptr_array_index (office->smarthosts, index);
}

DeliverySettings *
office_settings (Office *office)
{
    static const gchar *const names[] = {"first", "second", "third"};

    if (office->settings)
        return office->settings;

    office->settings = delivery_settings_new ();
    office->settings->host_name = g_strdup ("relay.example.org");
    office->settings->domain = g_strdup ("example.org");
    office->settings->retry_first_seconds = 1;
    for (guint i = 0; i < office->smarthosts->len; i++) {
        DeliverySmarthost *smarthost = delivery_smarthost_new (names[i]);

        smarthost->host = g_strdup ("127.0.0.1");
        smarthost->port = smarthost_port (office_smarthost (office, i));
        smarthost->security = SMTP_SECURITY_NONE;
        g_ptr_array_add (office->settings->smarthosts, smarthost);
    }

    return office->settings;
}

DeliverySmarthost *
office_smarthost_settings (Office *office, guint index)
{
    return g_ptr_array_index (office_settings (office)->smarthosts, index);
}

void
office_start (Office *office)
{
    g_autoptr (GError) error = NULL;

    office_settings (office);
    office->delivery = delivery_new (office->queue, office->poller, g_steal_pointer (&office->settings),
                                     &delivery_listener, office, &error);
    g_assert_no_error (error);
}

void
office_reload (Office *office)
{
    g_autoptr (GError) error = NULL;

    office_settings (office);
    delivery_set_settings (office->delivery, g_steal_pointer (&office->settings), &error);
    g_assert_no_error (error);
}

static void
on_stopped (gpointer user_data)
{
    ((Office *) user_data)->stopped = TRUE;
}

void
office_stop (Office *office, guint deadline_seconds)
{
    office->stopped = FALSE;
    delivery_stop (office->delivery, deadline_seconds, on_stopped, office);
    WAIT_UNTIL (office->stopped);
    g_clear_pointer (&office->delivery, delivery_free);
}

static void
remove_folder (const gchar *path)
{
    g_autoptr (GDir) folder = g_dir_open (path, 0, NULL);
    const gchar *name;

    while (folder && (name = g_dir_read_name (folder))) {
        g_autofree gchar *inner = g_build_filename (path, name, NULL);

        if (g_file_test (inner, G_FILE_TEST_IS_DIR))
            remove_folder (inner);
        else
            g_unlink (inner);
    }
    g_rmdir (path);
}

void
office_free (Office *office)
{
    if (office->delivery)
        office_stop (office, 1);
    queue_close (office->queue);

    /* What was cancelled ends in the background. */
    for (guint i = 0; i < 100; i++)
        g_main_context_iteration (NULL, FALSE);

    g_clear_pointer (&office->settings, delivery_settings_free);
    g_ptr_array_unref (office->smarthosts);
    smtp_poller_unref (office->poller);
    remove_folder (office->folder);
    g_ptr_array_unref (office->events);
    g_free (office->folder);
    g_free (office);
}

/* ---- Mail ---- */

typedef struct {
    gboolean done;
    QueueId id;
} Commit;

static void
on_committed (QueueId id, const GError *error, gpointer user_data)
{
    Commit *commit = user_data;

    g_assert_no_error (error);
    commit->id = id;
    commit->done = TRUE;
}

QueueId
office_submit_envelope (Office *office, const MessageEnvelope *envelope, const gchar *content)
{
    const QueueOrigin origin = {.uid = 1000, .protocol = (gchar *) "local"};
    g_autoptr (GError) error = NULL;
    QueueIntake *intake = queue_intake_new (office->queue, &origin, 0, NULL, NULL, &error);
    Commit commit = {FALSE, 0};

    g_assert_no_error (error);
    queue_intake_write (intake, content, strlen (content));
    queue_intake_commit (intake, message_envelope_copy (envelope), FALSE, on_committed, &commit);
    WAIT_UNTIL (commit.done);
    return commit.id;
}

QueueId
office_submit (Office *office, const gchar *sender, const gchar *recipients, const gchar *content)
{
    g_autoptr (MessageEnvelope) envelope = message_envelope_new (sender);
    g_auto (GStrv) addresses = g_strsplit (recipients, " ", -1);

    for (guint i = 0; addresses[i]; i++)
        message_envelope_add (envelope, addresses[i]);

    return office_submit_envelope (office, envelope, content);
}

typedef struct {
    gboolean done;
    QueueMessage *message;
} Listing;

static void
on_listed (GPtrArray *messages, QueueId next, gpointer user_data)
{
    Listing *listing = user_data;

    if (messages->len > 0)
        listing->message = queue_message_ref (g_ptr_array_index (messages, 0));
    listing->done = TRUE;
}

QueueMessage *
office_message (Office *office, QueueId id)
{
    QueueFilter filter = QUEUE_FILTER_ALL;
    Listing listing = {FALSE, NULL};

    filter.ids = &id;
    filter.n_ids = 1;
    queue_list (office->queue, &filter, 0, 1, on_listed, &listing);
    WAIT_UNTIL (listing.done);
    return listing.message;
}

guint
office_queued (Office *office)
{
    QueueStatistics statistics;

    queue_statistics (office->queue, &statistics);
    return (guint) statistics.messages;
}

DeliveryRemoteInfo
office_remote (Office *office, guint index)
{
    g_autoptr (GArray) remotes = delivery_remotes (office->delivery);

    g_assert_cmpuint (index, <, remotes->len);
    return g_array_index (remotes, DeliveryRemoteInfo, index);
}
