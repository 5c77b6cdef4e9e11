/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * How fast the queue takes mail, and what a message costs it
 *
 *     bench-queue commits [DIRECTORY]            commits a second with 1, 20, 100 at a time, against the bare limit: a
 *                                                program that appends the same bytes and syncs as often. In turn, so that
 *                                                a noisy disk disturbs both
 *     bench-queue passing [DIRECTORY]            messages that come and go: commit, take, read, settle
 *     bench-queue million COUNT [DIRECTORY]      memory, restart, first page and retry with so many messages
 *     bench-queue lazy [DIRECTORY]               what it would cost to put each message into GDBM when it comes and to take
 *                                                it out when it goes, instead of doing so only with what stays
 *
 * Not run by the tests: the figures are for people.
 */

#include <errno.h>
#include <fcntl.h>
#include <gdbm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "queue/queue.h"

#define CONTENT_BYTES 4096
#define RECORD_BYTES  (CONTENT_BYTES + 300) /* what the queue writes for such a message, about */
#define ROUND_SECONDS 2.0
#define ROUNDS        3

static gdouble
now (void)
{
    return (gdouble) g_get_monotonic_time () / G_USEC_PER_SEC;
}

static void
die (const gchar *what, const GError *error)
{
    g_printerr ("%s: %s\n", what, error == NULL ? g_strerror (errno) : error->message);
    exit (1);
}

/* ---- Commits ---- */

typedef struct {
    Queue *queue;
    gchar content[CONTENT_BYTES];
    gsize content_bytes;
    guint64 committed;
    guint64 outstanding;
    guint64 wanted; /* in all; 0: until the time is over */
    gdouble until;
} Load;

static void submit (Load *load);

static void
committed (QueueId id, const GError *error, gpointer user_data)
{
    Load *load = user_data;

    if (error != NULL)
        die ("commit", error);
    load->committed++;
    load->outstanding--;
    if (load->wanted == 0 ? now () < load->until : load->committed + load->outstanding < load->wanted)
        submit (load);
}

static void
submit (Load *load)
{
    const QueueOrigin origin = {.uid = 1000, .protocol = (gchar *) "ESMTP"};
    g_autoptr (MessageEnvelope) envelope = message_envelope_new ("sender@example.net");
    g_autoptr (GError) error = NULL;
    QueueIntake *intake = queue_intake_new (load->queue, &origin, load->content_bytes, NULL, NULL, &error);

    if (intake == NULL)
        die ("intake", error);
    message_envelope_add (envelope, "recipient@example.org");
    queue_intake_write (intake, load->content, load->content_bytes);
    load->outstanding++;
    queue_intake_commit (intake, message_envelope_copy (envelope), FALSE, committed, load);
}

static const gchar *
route (const QueueMessage *message, guint recipient, QueueHints hints, gpointer user_data)
{
    return "smarthost";
}

static Queue *
open_queue (const gchar *directory)
{
    const QueueLimits limits = {.generation_bytes = 64 * 1024 * 1024};
    g_autoptr (GError) error = NULL;
    Queue *queue = queue_open (directory, &limits, &error);

    if (queue == NULL)
        die ("open", error);
    queue_set_route (queue, route, NULL);

    return queue;
}

static void
remove_directory (const gchar *directory)
{
    g_autoptr (GDir) dir = g_dir_open (directory, 0, NULL);
    const gchar *name;

    while (dir != NULL && (name = g_dir_read_name (dir)) != NULL) {
        g_autofree gchar *path = g_build_filename (directory, name, NULL);

        unlink (path);
    }
    rmdir (directory);
}

static gdouble
measure_queue (const gchar *directory, guint clients)
{
    Load load = {.queue = open_queue (directory), .content_bytes = CONTENT_BYTES};
    gdouble start = now (), took;

    memset (load.content, 'x', sizeof load.content);
    load.until = start + ROUND_SECONDS;
    for (guint i = 0; i < clients; i++)
        submit (&load);
    while (load.outstanding > 0)
        g_main_context_iteration (NULL, TRUE);
    took = now () - start;
    queue_close (load.queue);
    remove_directory (directory);

    return (gdouble) load.committed / took;
}

static gdouble
measure_bare (const gchar *directory, guint clients)
{
    g_autofree gchar *path = g_build_filename (directory, "bare", NULL);
    g_autofree gchar *record = g_malloc0 (RECORD_BYTES);
    g_autofree struct iovec *vectors = g_new (struct iovec, clients);
    gdouble start;
    guint64 n = 0;
    gint fd;

    g_mkdir_with_parents (directory, 0700);
    fd = open (path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    for (guint i = 0; i < clients; i++)
        vectors[i] = (struct iovec){.iov_base = record, .iov_len = RECORD_BYTES};
    start = now ();
    while (now () - start < ROUND_SECONDS) {
        if (writev (fd, vectors, (gint) clients) < 0 || fdatasync (fd) != 0)
            die ("bare", NULL);
        n += clients;
    }
    start = now () - start;
    close (fd);
    remove_directory (directory);

    return (gdouble) n / start;
}

static void
bench_commits (const gchar *directory)
{
    const guint clients[] = {1, 20, 100};

    g_print ("%8s %14s %14s %8s\n", "clients", "queue /s", "bare /s", "ratio");
    for (guint i = 0; i < G_N_ELEMENTS (clients); i++) {
        gdouble queue = 0, bare = 0;

        for (guint round = 0; round < ROUNDS; round++) {
            queue += measure_queue (directory, clients[i]) / ROUNDS;
            bare += measure_bare (directory, clients[i]) / ROUNDS;
        }
        g_print ("%8u %14.0f %14.0f %8.2f\n", clients[i], queue, bare, queue / bare);
    }
}

/* ---- Messages that come and go ---- */

typedef struct {
    Load load;
    QueueReader *reader;
    guint64 delivered;
} Passing;

static void
hear_event (const QueueEvent *event, gpointer user_data)
{
    if (event->type == QUEUE_EVENT_DELIVERED)
        ((Passing *) user_data)->delivered++;
}

static void
taken (QueueJob *job, gpointer user_data)
{
    Passing *passing = user_data;
    const QueueResult result = {
        .outcome = QUEUE_OUTCOME_DELIVERED, .remote = "mx:25", .status = "2.0.0", .reply = "250 ok"};

    queue_settle (passing->load.queue, job, &result, 0, FALSE);
}

static void
hear_due (const gchar *lane, gpointer user_data)
{
    Passing *passing = user_data;

    while (queue_take (passing->load.queue, lane, g_get_real_time (), taken, passing))
        ;
}

static void
bench_passing (const gchar *directory)
{
    const guint clients[] = {1, 20, 100};

    for (guint i = 0; i < G_N_ELEMENTS (clients); i++) {
        const QueueListener listener = {.event = hear_event, .due = hear_due};
        Passing passing = {.load = {.queue = open_queue (directory), .content_bytes = CONTENT_BYTES}};
        gdouble start = now ();
        QueueStatistics statistics;

        queue_set_listener (passing.load.queue, &listener, &passing);
        passing.load.until = start + ROUND_SECONDS * ROUNDS;
        for (guint j = 0; j < clients[i]; j++)
            submit (&passing.load);
        while (passing.load.outstanding > 0 || passing.delivered < passing.load.committed)
            g_main_context_iteration (NULL, TRUE);
        start = now () - start;
        queue_statistics (passing.load.queue, &statistics);
        g_print ("%u clients: %.0f messages a second in and out, %" G_GUINT64_FORMAT " KiB on the disk at the end\n",
                 clients[i], (gdouble) passing.delivered / start, statistics.disk_bytes / 1024);
        queue_close (passing.load.queue);
        remove_directory (directory);
    }
}

/* ---- A million ---- */

static guint64
resident_bytes (void)
{
    g_autofree gchar *statm = NULL;
    gulong total, resident = 0;

    if (g_file_get_contents ("/proc/self/statm", &statm, NULL, NULL))
        sscanf (statm, "%lu %lu", &total, &resident);

    return (guint64) resident * (guint64) sysconf (_SC_PAGESIZE);
}

static void
listed (GPtrArray *messages, QueueId next, gpointer user_data)
{
    *(guint *) user_data = messages->len;
}

static void
acted (guint count, const GError *error, gpointer user_data)
{
    *(guint *) user_data = count;
}

static void
run_until (const guint *done)
{
    while (*done == 0)
        g_main_context_iteration (NULL, TRUE);
}

/* How long the main loop is kept from what it has to do. */
typedef struct {
    gdouble last;
    gdouble longest;
    guint timer;
} Pulse;

static gboolean
beat (gpointer user_data)
{
    Pulse *pulse = user_data;
    gdouble pause = now () - pulse->last - 0.001;

    pulse->longest = MAX (pulse->longest, pause);
    pulse->last += pause + 0.001;

    return G_SOURCE_CONTINUE;
}

static void
pulse_start (Pulse *pulse)
{
    *pulse = (Pulse){.last = now ()};
    pulse->timer = g_timeout_add (1, beat, pulse);
}

static gdouble
longest_pause (Pulse *pulse)
{
    g_source_remove (pulse->timer);

    return pulse->longest;
}

static void
bench_million (const gchar *directory, guint64 count)
{
    const QueueFilter all = QUEUE_FILTER_ALL;
    Load load = {.queue = open_queue (directory), .content_bytes = 600, .wanted = count};
    guint64 before = resident_bytes ();
    gdouble start = now ();
    QueueStatistics statistics;
    Pulse pulse;
    guint done = 0;
    Queue *queue;

    memset (load.content, 'x', sizeof load.content);
    for (guint i = 0; i < 100; i++)
        submit (&load);
    while (load.outstanding > 0)
        g_main_context_iteration (NULL, TRUE);
    g_print ("%" G_GUINT64_FORMAT " messages of 600 bytes committed in %.1f s\n", count, now () - start);
    g_print ("%.0f bytes of memory a message\n", (gdouble) (resident_bytes () - before) / (gdouble) count);

    start = now ();
    queue_list (load.queue, &all, 0, 100, listed, &done);
    run_until (&done);
    g_print ("first page of 100: %.1f ms\n", (now () - start) * 1000);

    start = now ();
    queue_close (load.queue);
    g_print ("closed in %.1f s\n", now () - start);
    start = now ();
    before = resident_bytes ();
    queue = load.queue = open_queue (directory);
    pulse_start (&pulse);
    g_print ("opened in %.2f s\n", now () - start);
    load.wanted = 1;
    load.committed = load.outstanding = 0;
    submit (&load);
    while (load.outstanding > 0)
        g_main_context_iteration (NULL, TRUE);
    g_print ("first message accepted after %.2f s\n", now () - start);
    while (!queue_is_indexed (queue))
        g_main_context_iteration (NULL, TRUE);
    g_print ("all of them known after %.2f s; the longest pause until then was %.1f ms\n", now () - start,
             longest_pause (&pulse) * 1000);
    done = 0;
    queue_list (queue, &all, 0, 100, listed, &done);
    run_until (&done);
    g_print ("first page listed after %.2f s\n", now () - start);
    while (queue_lane_due (queue, "smarthost") == G_MAXINT64)
        g_main_context_iteration (NULL, TRUE);
    g_print ("first job after %.2f s\n", now () - start);

    start = now ();
    done = 0;
    queue_act (queue, QUEUE_ACTION_DELETE, &all, acted, &done);
    run_until (&done);
    g_print ("%u messages deleted in %.1f s\n", done, now () - start);
    queue_statistics (queue, &statistics);
    g_print ("%" G_GUINT64_FORMAT " KiB on the disk\n", statistics.disk_bytes / 1024);
    queue_close (queue);
    remove_directory (directory);
}

/* ---- Lazy or eager ---- */

static void
bench_lazy (const gchar *directory)
{
    g_autofree gchar *path = g_build_filename (directory, "eager.gdbm", NULL);
    g_autofree gchar *value = g_malloc0 (CONTENT_BYTES);
    const guint n = 20000, stay = 100; /* so many are in the queue at a time */
    gsize cache = 1024;
    GDBM_FILE file;
    gdouble start;

    g_mkdir_with_parents (directory, 0700);
    file = gdbm_open (path, 0, GDBM_NEWDB | GDBM_NOMMAP | GDBM_NOLOCK, 0600, NULL);
    gdbm_setopt (file, GDBM_SETCACHESIZE, &cache, sizeof cache);
    start = now ();
    for (guint64 i = 0; i < n + stay; i++) {
        const guint64 keys[] = {i * 2, i * 2 + 1, (i - stay) * 2, (i - stay) * 2 + 1};
        const datum content = {.dptr = value, .dsize = CONTENT_BYTES}, record = {.dptr = value, .dsize = 200};

        if (i < n) {
            gdbm_store (file, (datum){(char *) &keys[0], 8}, content, GDBM_REPLACE);
            gdbm_store (file, (datum){(char *) &keys[1], 8}, record, GDBM_REPLACE);
        }
        if (i >= stay) {
            gdbm_delete (file, (datum){(char *) &keys[2], 8});
            gdbm_delete (file, (datum){(char *) &keys[3], 8});
        }
    }
    start = now () - start;
    g_print ("eager: %.1f µs a message in GDBM, without a sync\n", start * 1e6 / n);
    gdbm_close (file);
    remove_directory (directory);
    bench_passing (directory);
    g_print ("lazy: all of the above; what left before its journal was sealed costs nothing more\n");
}

int
main (int argc, char **argv)
{
    const gchar *what = argc > 1 ? argv[1] : "";
    gboolean million = strcmp (what, "million") == 0;
    g_autofree gchar *made = g_strdup_printf ("/var/tmp/bench-queue-%d", (gint) getpid ());
    const gchar *directory = argc > (million ? 3 : 2) ? argv[million ? 3 : 2] : made;

    if (strcmp (what, "commits") == 0)
        bench_commits (directory);
    else if (strcmp (what, "passing") == 0)
        bench_passing (directory);
    else if (strcmp (what, "lazy") == 0)
        bench_lazy (directory);
    else if (million && argc > 2)
        bench_million (directory, g_ascii_strtoull (argv[2], NULL, 10));
    else
        die ("usage: bench-queue commits|passing|lazy [DIRECTORY] or million COUNT [DIRECTORY]",
             &(GError){.message = (gchar *) "see the top of bench-queue.c"});

    return 0;
}
