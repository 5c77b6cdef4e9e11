/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Looking after a store without a daemon
 *
 * For the day when the daemon does not start, or must not, because its disk is dying. Nothing here touches the store that it
 * is asked about: what is saved is written somewhere else.
 */

#include "store-command.h"

#include "queue/queue.h"

#include <stdlib.h>
#include <sysexits.h>

static gchar *
queue_directory (const gchar *state_directory)
{
    return g_build_filename (state_directory, "queue", NULL);
}

static int
complain (const GError *error)
{
    g_printerr ("posternd: %s\n", error->message);
    return EXIT_FAILURE;
}

static void
print_findings (const QueueVerified *verified)
{
    for (guint i = 0; i < verified->findings->len; i++) {
        const QueueFinding *finding = g_ptr_array_index (verified->findings, i);
        gchar id[QUEUE_ID_TEXT_BYTES];

        if (finding->id != 0) {
            queue_id_write (finding->id, id);
            g_print ("message %s: ", id);
        }
        g_print ("%s%s%s\n", finding->file == NULL ? "" : finding->file, finding->file == NULL ? "" : ": ",
                 finding->text);
    }
    if (verified->n_findings > verified->findings->len)
        g_print ("and %" G_GUINT64_FORMAT " more\n", verified->n_findings - verified->findings->len);
}

static void
print_counts (const gchar *directory, const QueueVerified *verified)
{
    g_autofree gchar *size = g_format_size (verified->bytes);

    g_print ("%s: %" G_GUINT64_FORMAT " messages, %" G_GUINT64_FORMAT " of them damaged; read %" G_GUINT64_FORMAT
             " records, %s, in %u journals and %u sealed generations\n",
             directory, verified->messages, verified->damaged, verified->records, size, verified->journals,
             verified->sealed);
}

int
store_command_verify (const gchar *state_directory)
{
    g_autofree gchar *directory = queue_directory (state_directory);
    g_autoptr (GError) error = NULL;
    g_autoptr (QueueVerified) verified = queue_verify_directory (directory, &error);

    if (verified == NULL)
        return complain (error);
    print_findings (verified);
    print_counts (directory, verified);

    return verified->n_findings > 0 ? EX_DATAERR : EXIT_SUCCESS;
}

static void
print_line (const gchar *line, gpointer user_data)
{
    g_print ("%s\n", line);
}

int
store_command_salvage (const gchar *state_directory, const gchar *into)
{
    g_autofree gchar *from = queue_directory (state_directory), *to = queue_directory (into);
    g_autoptr (GError) error = NULL;
    g_autoptr (QueueVerified) verified = queue_rescue (from, to, print_line, NULL, &error);

    if (verified == NULL)
        return complain (error);
    print_findings (verified);
    print_counts (to, verified);
    g_print (
        "It is a state directory of its own, owned by who made it; see posternd(8) on how to put it in place.\n");

    return verified->n_findings > 0 ? EX_DATAERR : EXIT_SUCCESS;
}
