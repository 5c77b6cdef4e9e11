/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Verifying a queue, live or not
 *
 * Of a queue that serves it is done by a thread of its own, one at a time, with the lowest priority: it reads all mail, and
 * nobody waits for that but who asked. Of one that nobody has open, the catalog is made as a start would make it, but
 * without changing anything.
 */

#include <errno.h>
#include <sys/resource.h>
#include <unistd.h>

#include "queue/lock.h"
#include "queue/recovery.h"
#include "queue/store.h"
#include "queue/verify.h"

#define THREAD_NICENESS 19

struct _QueueInspection {
    Queue *queue;
    GThread *thread;
    gint cancel; /* atomic */
    QueueVerified *verified;
    GError *error;
    QueueVerifiedFunc done;
    gpointer user_data;
};

static void
hear_verified (gpointer data, gpointer user_data)
{
    g_autofree QueueInspection *inspection = data;
    g_autoptr (QueueVerified) verified = NULL;
    g_autoptr (GError) error = NULL;

    if (inspection->thread != NULL)
        g_thread_join (g_steal_pointer (&inspection->thread));
    inspection->queue->inspection = NULL;
    verified = g_steal_pointer (&inspection->verified);
    error = g_steal_pointer (&inspection->error);
    inspection->done (verified, error, inspection->user_data);
}

static gpointer
inspect (gpointer data)
{
    QueueInspection *inspection = data;

    /* Of this thread alone, as Linux has it. That it may fail is no reason not to look. */
    setpriority (PRIO_PROCESS, (id_t) gettid (), THREAD_NICENESS);
    inspection->verified = queue_verify_catalog (inspection->queue->catalog, &inspection->cancel, &inspection->error);
    queue_mailbox_post (inspection->queue->mailbox, hear_verified, inspection, NULL);

    return NULL;
}

/* Returns: (nullable) (transfer full) */
static GError *
why_not (const Queue *queue)
{
    if (queue->closing)
        return g_error_new_literal (QUEUE_ERROR, QUEUE_ERROR_GONE, "the queue is being closed");
    if (queue->inspection != NULL)
        return g_error_new_literal (QUEUE_ERROR, QUEUE_ERROR_BUSY, "the queue is being verified already");
    if (queue->indexing != NULL)
        return g_error_new_literal (QUEUE_ERROR, QUEUE_ERROR_BUSY,
                                    "the queue is still being read since the start; try again in a moment");

    return NULL;
}

void
queue_verify (Queue *queue, QueueVerifiedFunc done, gpointer user_data)
{
    g_autoptr (GError) error = why_not (queue);
    QueueInspection *inspection;

    if (error != NULL) {
        done (NULL, error, user_data);
        return;
    }
    inspection = g_new0 (QueueInspection, 1);
    inspection->queue = queue;
    inspection->done = done;
    inspection->user_data = user_data;
    queue->inspection = inspection;
    inspection->thread = g_thread_new ("queue-verify", inspect, inspection);
}

void
queue_inspection_stop (Queue *queue)
{
    QueueInspection *inspection = queue->inspection;

    if (inspection == NULL)
        return;
    g_atomic_int_set (&inspection->cancel, TRUE);
    g_thread_join (g_steal_pointer (&inspection->thread));
}

/* ---- A queue that nobody has open ---- */

/* The lock keeps a daemon from starting meanwhile. On a file system that takes no writes no daemon runs. */
gboolean
queue_lock_for_reading (const gchar *directory, gint *fd, GError **error)
{
    g_autoptr (GError) failed = NULL;

    *fd = -1;
    if (access (directory, R_OK | X_OK) != 0) {
        g_set_error (error, QUEUE_ERROR, QUEUE_ERROR_IO, "cannot read the queue in %s: %s", directory,
                     g_strerror (errno));
        return FALSE;
    }
    *fd = queue_lock_directory (directory, &failed);
    if (*fd < 0 && g_error_matches (failed, QUEUE_ERROR, QUEUE_ERROR_BUSY)) {
        g_propagate_error (error, g_steal_pointer (&failed));
        return FALSE;
    }

    return TRUE;
}

QueueVerified *
queue_verify_directory (const gchar *directory, GError **error)
{
    const QueueRecovery recovery = {.directory = directory, .read_only = TRUE, .newest = G_MAXUINT32};
    g_autoptr (QueueCatalog) catalog = queue_catalog_new ();
    QueueVerified *verified = NULL;
    QueueRecovered recovered;
    gint cancel = FALSE, lock_fd;

    if (!queue_lock_for_reading (directory, &lock_fd, error))
        return NULL;
    if (queue_recover (&recovery, catalog, &recovered, error))
        verified = queue_verify_catalog (catalog, &cancel, error);
    if (verified != NULL && recovered.lost_files > 0) {
        g_autofree gchar *text = g_strdup_printf ("%u files cannot be used at all: see above", recovered.lost_files);

        queue_verified_add (verified, 0, directory, text);
    }
    if (lock_fd >= 0)
        close (lock_fd);

    return verified;
}
