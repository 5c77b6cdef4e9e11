/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "queue/queue-private.h"

/*
 * A queue in a directory of its own, with a listener that writes everything down, and calls that wait for the main loop.
 */
typedef struct {
    gchar *directory;
    Queue *queue;
    QueueLimits limits;
    const QueueStart *start; /* (nullable) how it is opened */
    GPtrArray *events;       /* of gchar: "queued 0abc… rcpt@example.org", … */
    guint n_announced;       /* events that are to follow one which told of them */
    guint n_told;            /* events that were not announced */
    GPtrArray *due;          /* of gchar: names of lanes */
    GError *trouble;
    guint n_troubles;
    guint n_indexed; /* how often it was told */
} Fixture;

Fixture *fixture_new (void);
void fixture_free (Fixture *fixture); /* removes the directory too */

/* Opens the queue, with the route fixture_route (), and waits until it is indexed; or only opens it. */
void fixture_open (Fixture *fixture);
gboolean fixture_try_open (Fixture *fixture, GError **error);
void fixture_wait_indexed (Fixture *fixture);
void fixture_close (Fixture *fixture);
void fixture_reopen (Fixture *fixture);

/* The lane is the recipient's domain. */
const gchar *fixture_route (const QueueMessage *message, guint recipient, QueueHints hints, gpointer user_data);

/* Runs the main loop until *@done; fails the test after half a minute. */
void fixture_wait (gboolean *done);

/* Runs the main loop until nothing is ready. */
void fixture_settle_down (void);

/* A message from user @uid to the recipients, separated by spaces. Returns its id when it is durable; 0 with @error. */
QueueId fixture_commit (Fixture *fixture, gint64 uid, const gchar *recipients, const gchar *content);
QueueId fixture_commit_full (Fixture *fixture, const QueueOrigin *origin, const gchar *recipients,
                             const gchar *content, gsize length, gboolean hold, GError **error);

/* Content of 1000 bytes that follows from a number, and whether it is that of a message. */
gchar *fixture_content (guint number);
void fixture_check_content (Fixture *fixture, QueueId id, guint number);

/* Takes the next job that is due in the lane; NULL if none is. */
QueueJob *fixture_take (Fixture *fixture, const gchar *lane);

/* Settles all of a job's recipients alike, and waits until that is durable. */
void fixture_settle (Fixture *fixture, QueueJob *job, QueueOutcome outcome, const gchar *reply, gint64 next_usec);

/* Returns: (transfer full): the message as the queue lists it; NULL if it is not there */
QueueMessage *fixture_get (Fixture *fixture, QueueId id);

/* Returns: (transfer full): all that is listed */
GPtrArray *fixture_list (Fixture *fixture, const QueueFilter *filter, QueueId after, guint limit, QueueId *next);

/* Returns: (transfer full): the content; NULL with @error */
GString *fixture_read (Fixture *fixture, QueueId id, GError **error);

/* Does it to the messages that match, and waits. Returns: how many */
guint fixture_act (Fixture *fixture, QueueAction action, const QueueFilter *filter);
guint fixture_act_on (Fixture *fixture, QueueAction action, QueueId id);

/* How many events begin with @prefix. */
guint fixture_count_events (Fixture *fixture, const gchar *prefix);

/* Copies all files of the queue, as a crash would leave them now. Returns: (transfer full): a directory */
gchar *fixture_copy_directory (const gchar *directory);
void fixture_remove_directory (const gchar *directory);
gint fixture_compare_strings (gconstpointer a, gconstpointer b); /* for arrays of gchar * */

/* How many the queue says that it has. */
guint64 fixture_count_messages (Fixture *fixture);

/* Files of the queue whose names end so: ".gdbm", ".journal". */
guint fixture_count_files (Fixture *fixture, const gchar *suffix);

/* Returns: (transfer full): the path of the newest of them */
gchar *fixture_newest_file (Fixture *fixture, const gchar *suffix);

/* Runs the main loop until there are between @least and @most of them. */
void fixture_wait_for_files (Fixture *fixture, const gchar *suffix, guint least, guint most);

/* For full journals that are sealed soon. */
void fixture_use_generations_of (Fixture *fixture, guint64 bytes);

/* From now on warnings do not end a test, but are gathered here, with their fields. */
GString *fixture_gather_warnings (void);
gboolean fixture_was_named (const GString *warnings, QueueId id);

/* To be called before g_test_init (): where nothing has to reach a disk, the queues are in memory, as their syncs would take the
 * most time by far. */
void fixture_use_memory (void);

/* Memory, zeroed, that a process shares with those that it forks. */
gpointer fixture_share (gsize bytes);

/* Sets up one fixture for each test. */
void fixture_add (const gchar *path, void (*test) (Fixture *fixture));
