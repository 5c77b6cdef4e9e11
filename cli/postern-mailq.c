/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * postern mailq
 *
 * The queue in the form that `mailq` has printed since sendmail, in the columns of Postfix with long queue ids: scripts
 * and monitors read it, and count its lines. It is what `mailq` and `sendmail -bp` become; people have `postern list`,
 * which tells more. Behind an id a "*" stands for a message that is being delivered, a "!" for one that is held.
 */

#include <stdio.h>
#include <string.h>

#include "output/width.h"
#include "postern-command.h"
#include "postern-properties.h"
#include "postern-text.h"

#define ROW_TYPE       "(ssxssuutttus)"
#define ROW_FIELDS     "(&s&sx&s&suutttu&s)"
#define RECIPIENT_TYPE "(ssutsss)"

/* What programs look for. */
#define HEADING    "----Queue ID----- --Size-- ---Arrival Time---- --Sender/Recipient------"
#define EMPTY_TEXT "Mail queue is empty"

/* Reasons are set to the right, where there is room. */
#define REASON_COLUMNS 76

typedef struct {
    CommandLine *line;
    guint64 count;
    guint64 bytes;
} Mailq;

/* "Sun Nov 22 02:42:01", as ctime(3) has it, whatever the locale */
static gchar *
time_text (guint64 usec)
{
    static const gchar *const days[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
    static const gchar *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    g_autoptr (GDateTime) time = g_date_time_new_from_unix_local ((gint64) (usec / G_USEC_PER_SEC));

    if (time == NULL)
        return g_strdup ("");

    return g_strdup_printf ("%s %s %2d %02d:%02d:%02d", days[g_date_time_get_day_of_week (time) - 1],
                            months[g_date_time_get_month (time) - 1], g_date_time_get_day_of_month (time),
                            g_date_time_get_hour (time), g_date_time_get_minute (time),
                            g_date_time_get_second (time));
}

static void
print_recipient (const gchar *recipient)
{
    g_autofree gchar *escaped = text_escape (recipient);

    g_print ("%-17s %8s %19s %s\n", "", "", "", escaped);
}

/* Returns: (transfer full) (nullable): the message's recipients; NULL if it is gone by now */
static GVariant *
get_recipients (const Mailq *mailq, const gchar *id)
{
    g_autoptr (GVariant) reply =
        client_call_manager (mailq->line->client, "GetMessage", g_variant_new ("(s)", id), "(o)", NULL);
    g_autoptr (GVariant) properties = NULL;
    const gchar *path;

    if (reply == NULL)
        return NULL;

    g_variant_get (reply, "(&o)", &path);
    properties = client_get_properties (mailq->line->client, path, RELAY_MESSAGE_INTERFACE, NULL);
    return properties != NULL ? g_variant_lookup_value (properties, "Recipients", G_VARIANT_TYPE ("a" RECIPIENT_TYPE))
                              : NULL;
}

/* The row names one recipient that is pending; only where there are more need they be asked for. */
static void
print_recipients (const Mailq *mailq, const gchar *id, const gchar *first, guint pending)
{
    g_autoptr (GVariant) recipients = pending > 1 ? get_recipients (mailq, id) : NULL;
    gsize count = recipients != NULL ? g_variant_n_children (recipients) : 0;

    if (recipients == NULL)
        print_recipient (first);

    for (gsize i = 0; i < count; i++) {
        g_autoptr (GVariant) recipient = g_variant_get_child_value (recipients, i);
        const gchar *address;
        const gchar *state;

        g_variant_get_child (recipient, 0, "&s", &address);
        g_variant_get_child (recipient, 1, "&s", &state);
        if (g_str_equal (state, "pending"))
            print_recipient (address);
    }
}

static void
print_reason (const gchar *reason)
{
    g_autofree gchar *escaped = text_escape (reason);
    guint width = width_of_text (escaped) + 2;

    if (*escaped != '\0')
        g_print ("%*s(%s)\n", width < REASON_COLUMNS ? (gint) (REASON_COLUMNS - width) : 0, "", escaped);
}

static const gchar *
mark_of (const gchar *state)
{
    return g_str_equal (state, "delivering") ? "*" : g_str_equal (state, "held") ? "!" : "";
}

static void
print_row (Mailq *mailq, GVariant *row)
{
    const gchar *id, *state, *sender, *recipient, *reason;
    guint32 pending;
    guint64 size, arrived;
    g_autofree gchar *marked = NULL;
    g_autofree gchar *time = NULL;
    g_autofree gchar *escaped = NULL;

    g_variant_get (row, ROW_FIELDS, &id, &state, NULL, &sender, &recipient, NULL, &pending, &size, &arrived, NULL,
                   NULL, &reason);
    marked = g_strconcat (id, mark_of (state), NULL);
    time = time_text (arrived);
    escaped = *sender != '\0' ? text_escape (sender) : g_strdup ("MAILER-DAEMON");

    if (mailq->count == 0)
        g_print (HEADING "\n");
    g_print ("%-17s %8" G_GUINT64_FORMAT " %19s %s\n", marked, size, time, escaped);
    print_reason (reason);
    print_recipients (mailq, id, recipient, pending);
    g_print ("\n");
    mailq->count++;
    mailq->bytes += size;
}

/* Returns: (transfer full): the cursor of the next page, "" at the end; NULL with an error */
static gchar *
print_page (Mailq *mailq, const gchar *cursor, GError **error)
{
    g_autoptr (GVariant) reply = client_call_manager (
        mailq->line->client, "ListMessages", g_variant_new ("(a{sv}su)", NULL, cursor, 0), "(a" ROW_TYPE "s)", error);
    g_autoptr (GVariant) rows = NULL;
    gchar *next = NULL;

    if (reply == NULL)
        return NULL;

    g_variant_get (reply, "(@a" ROW_TYPE "s)", &rows, &next);
    for (gsize i = 0; i < g_variant_n_children (rows); i++) {
        g_autoptr (GVariant) row = g_variant_get_child_value (rows, i);

        print_row (mailq, row);
    }

    return next;
}

/* The caller sees what polkit lets the caller see; a monitor must not take that for the whole queue. */
static void
print_none (const Mailq *mailq)
{
    g_autoptr (GVariant) properties =
        client_get_properties (mailq->line->client, RELAY_MANAGER_PATH, RELAY_MANAGER_INTERFACE, NULL);
    guint64 length = properties != NULL ? properties_number (properties, "QueueLength") : 0;

    if (length == 0)
        g_print (EMPTY_TEXT "\n");
    else
        g_print ("None of your mail is in the queue; %" G_GUINT64_FORMAT " of other users.\n", length);
}

static ExitCode
run (Mailq *mailq)
{
    g_autofree gchar *cursor = g_strdup ("");

    do {
        g_autoptr (GError) error = NULL;
        g_autofree gchar *next = print_page (mailq, cursor, &error);

        if (next == NULL)
            return client_explain (mailq->line->client, error);
        g_free (cursor);
        cursor = g_steal_pointer (&next);
    } while (*cursor != '\0');

    if (mailq->count == 0)
        print_none (mailq);
    else
        g_print ("-- %" G_GUINT64_FORMAT " Kbytes in %" G_GUINT64_FORMAT " Request%s.\n", mailq->bytes / 1024,
                 mailq->count, mailq->count == 1 ? "" : "s");
    return EXIT_OK;
}

ExitCode
command_mailq (int argc, char **argv, const gchar *bus)
{
    g_autoptr (CommandLine) line =
        command_line_new ("mailq", NULL, "Lists the queue in the form of mailq; see “postern list” for more.", bus);
    Mailq mailq = {.line = line};
    ExitCode code;

    if (!command_line_parse (line, argc, argv) || !command_line_has_no_words (line))
        return EXIT_USAGE;

    code = command_line_connect (line);
    return code == EXIT_OK ? run (&mailq) : code;
}
