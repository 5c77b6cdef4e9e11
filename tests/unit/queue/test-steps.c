/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The store at each of its steps
 *
 * A child process plays a story in which all happens that the store does: mail comes, is delivered, deferred, held and
 * deleted; journals are begun, sealed, merged and dropped; the queue is closed and recovered. It says through a pipe what
 * it was told is durable. The story is played again and again: the first time the child dies at its first call that changes
 * the disk, then at its second, and so on until it comes through. Each time the store must have what was acknowledged,
 * nothing that was gone, and nothing that is not whole. It dies in three ways: by a kill, or by a power cut that leaves
 * nothing of what was not synced, or some of it (faults.c). And it does not die, but the call fails.
 *
 * The recovery is cut off at each of its steps in the same way; and so is a start that takes mail while another thread
 * recovers.
 */

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "faults.h"
#include "fixture.h"

#define GENERATION_BYTES (16 * 1024)
#define MESSAGES_MOST    64
#define CONTENT_BYTES    1000
#define LARGE_BYTES      140000 /* three chunks */
#define LARGE_ONE_IN     9
#define FOREVER          (G_MAXINT64 / 2)
#define WATCH_MS         2
#define AGAIN_MS         10
#define EXIT_WHOLE       42

/* A thorough run (-m thorough) goes through all of some hundred steps in all ways. An ordinary one takes from each stretch of so
 * many steps one at random, so that many runs together go through all; its seed, which it prints, says which. */
#define CUT_STRETCH      37
#define CUT_HALF_STRETCH 53
#define KILL_STRETCH     71
#define FAULT_STRETCH    149

/* After so many deaths the recovery is cut off, too: at a step of each stretch. */
#define RECOVERY_AFTER   4
#define RECOVERY_STRETCH 3

/* Of a start that serves while it recovers. */
#define SERVE_STRETCH      43
#define SERVE_READ_STRETCH 59 /* of its reads */

/* Where the story ends from which such a start goes on: a journal is there, and generations. */
#define SERVE_FROM_STEP 140

/* Numbers of messages that the story itself does not use. */
#define SERVE_FIRST 52
#define SERVE_MANY  4

typedef enum {
    SAID_ACKNOWLEDGED = 'a', /* the commit is durable */
    SAID_DEFERRED = 'd',     /* that it was tried is durable */
    SAID_HELD = 'h',         /* that it is held is durable */
    SAID_ENDING = 'e',       /* a delivery or a deletion is asked for that will remove it */
    SAID_REMOVED = 'r'       /* that is durable */
} Said;

typedef struct {
    gint32 said;
    guint32 number;
    QueueId id;
} Record;

static FaultsControl *control; /* mapped by parent and child */
static guint n_warnings;

static GLogWriterOutput
hear_log (GLogLevelFlags level, const GLogField *fields, gsize n_fields, gpointer user_data)
{
    if ((level & G_LOG_LEVEL_MASK) != G_LOG_LEVEL_WARNING)
        return (level & G_LOG_LEVEL_MASK) < G_LOG_LEVEL_WARNING
                   ? g_log_writer_default (level, fields, n_fields, user_data)
                   : G_LOG_WRITER_HANDLED;
    n_warnings++;

    return G_LOG_WRITER_HANDLED;
}

/* ---- The child ---- */

typedef struct {
    Fixture *fixture;
    gint pipe;
    guint n_sent;
    QueueId ids[MESSAGES_MOST];
    gboolean gone[MESSAGES_MOST]; /* of what an earlier one sent */
} Child;

static gchar *
content_of (guint number)
{
    gint length = number % LARGE_ONE_IN == LARGE_ONE_IN - 1 ? LARGE_BYTES : CONTENT_BYTES;

    return g_strdup_printf ("Subject: %u\r\n\r\n%0*u\r\n", number, length, number);
}

static void
say (Child *child, Said said, guint number)
{
    const Record record = {.said = said, .number = number, .id = child->ids[number]};

    if (write (child->pipe, &record, sizeof record) != sizeof record)
        _exit (1);
}

static void
end_fault (void)
{
    __atomic_store_n (&control->armed, FALSE, __ATOMIC_SEQ_CST);
}

/* A fault that lasts ends when the queue has said what it is. */
static gboolean
watch_trouble (gpointer user_data)
{
    const Child *child = user_data;

    if (child->fixture->trouble != NULL)
        end_fault ();

    return G_SOURCE_CONTINUE;
}

static void
wait_a_moment (void)
{
    gboolean over = FALSE;

    g_timeout_add_once (AGAIN_MS, (GSourceOnceFunc) end_fault, NULL);
    while (!over)
        over = g_main_context_iteration (NULL, TRUE);
}

/* As a client does that is refused for the moment: it comes again. */
static void
send_message (Child *child)
{
    const QueueOrigin origin = {.uid = 1, .protocol = (gchar *) "local"};
    guint number = child->n_sent++;
    g_autofree gchar *content = content_of (number);
    const gchar *recipients = number % 3 == 2 ? "a@one.example b@two.example" : "a@one.example";

    while (child->ids[number] == 0) {
        g_autoptr (GError) error = NULL;

        child->ids[number] =
            fixture_commit_full (child->fixture, &origin, recipients, content, strlen (content), FALSE, &error);
        if (error == NULL)
            continue;
        g_assert_true (g_error_matches (error, QUEUE_ERROR, QUEUE_ERROR_IO) ||
                       g_error_matches (error, QUEUE_ERROR, QUEUE_ERROR_FULL));
        g_assert_cmpuint (control->struck, >, 0);
        wait_a_moment ();
    }
    say (child, SAID_ACKNOWLEDGED, number);
}

static guint
number_of (const Child *child, QueueId id)
{
    guint number = 0;

    while (child->ids[number] != id)
        number++;

    return number;
}

static void
say_if_removed (Child *child, guint number)
{
    g_autofree gchar *event = NULL;
    gchar text[QUEUE_ID_TEXT_BYTES];

    queue_id_write (child->ids[number], text);
    event = g_strconcat ("removed ", text, NULL);
    if (fixture_count_events (child->fixture, event) > 0)
        say (child, SAID_REMOVED, number);
}

static void
try_next (Child *child, const gchar *lane, QueueOutcome outcome)
{
    QueueJob *job = fixture_take (child->fixture, lane);
    guint number;

    if (job == NULL)
        return;
    number = number_of (child, job->message->id);
    if (outcome == QUEUE_OUTCOME_DELIVERED)
        say (child, SAID_ENDING, number);
    fixture_settle (child->fixture, job, outcome, "450 later", FOREVER);
    if (outcome == QUEUE_OUTCOME_DEFERRED)
        say (child, SAID_DEFERRED, number);
    say_if_removed (child, number);
}

static void
open_queue (Child *child)
{
    g_autoptr (GError) error = NULL;

    while (!fixture_try_open (child->fixture, &error)) {
        g_assert_cmpuint (control->struck, >, 0);
        end_fault ();
        g_clear_error (&error);
    }
}

/* Until something was sealed, or it is known that it cannot be. */
static void
wait_sealed (Child *child)
{
    while (fixture_count_files (child->fixture, ".gdbm") == 0 && child->fixture->n_troubles == 0)
        g_main_context_iteration (NULL, TRUE);
}

static void
play (Child *child)
{
    open_queue (child);
    for (guint i = 0; i < 14; i++)
        send_message (child);
    wait_sealed (child);
    for (guint i = 0; i < 5; i++)
        try_next (child, "one.example", QUEUE_OUTCOME_DELIVERED);
    for (guint i = 0; i < 2; i++)
        try_next (child, "one.example", QUEUE_OUTCOME_DEFERRED);
    fixture_act_on (child->fixture, QUEUE_ACTION_HOLD, child->ids[10]);
    say (child, SAID_HELD, 10);
    say (child, SAID_ENDING, 11);
    fixture_act_on (child->fixture, QUEUE_ACTION_DELETE, child->ids[11]);
    say (child, SAID_REMOVED, 11);
    for (guint i = 0; i < 12; i++)
        send_message (child);
    for (guint i = 0; i < 9; i++)
        try_next (child, "two.example", QUEUE_OUTCOME_DELIVERED);
    for (guint i = 0; i < 12; i++) {
        try_next (child, "one.example", QUEUE_OUTCOME_DELIVERED);
        send_message (child);
    }
    fixture_close (child->fixture);
    open_queue (child);
    for (guint i = 0; i < 12; i++)
        try_next (child, "one.example", i % 4 == 3 ? QUEUE_OUTCOME_DEFERRED : QUEUE_OUTCOME_DELIVERED);
    for (guint i = 0; i < 12; i++)
        send_message (child);
    fixture_close (child->fixture);
}

/* Only what a start does. */
static void
recover (Child *child)
{
    open_queue (child);
}

/* A start that takes mail while it recovers, and then steers some of the old. */
static void
serve_while_recovering (Child *child)
{
    static const QueueStart in_the_background = {.at_once_bytes = 0, .retry_seconds = 0};

    child->fixture->start = &in_the_background;
    child->n_sent = SERVE_FIRST;
    open_queue (child);
    for (guint i = 0; i < SERVE_MANY; i++)
        send_message (child);
    fixture_wait_indexed (child->fixture);
    send_message (child);
    fixture_close (child->fixture);
}

static void
serve_and_delete (Child *child)
{
    guint number = SERVE_FIRST;

    serve_while_recovering (child);
    open_queue (child);
    send_message (child);
    fixture_wait_indexed (child->fixture);
    while (number > 0 && (child->ids[number - 1] == 0 || child->gone[number - 1]))
        number--;
    if (number > 0) {
        say (child, SAID_ENDING, number - 1);
        fixture_act_on (child->fixture, QUEUE_ACTION_DELETE, child->ids[number - 1]);
        say (child, SAID_REMOVED, number - 1);
    }
    fixture_close (child->fixture);
}

/* ---- The parent ---- */

typedef struct {
    QueueId id; /* 0: not acknowledged */
    gboolean ending;
    gboolean removed;
    gboolean deferred;
    gboolean held;
} Expected;

typedef struct {
    Fixture *fixture;
    Expected expected[MESSAGES_MOST];
} Story;

static void
hear (Story *story, const Record *record)
{
    Expected *expected = &story->expected[record->number];

    expected->id = record->id;
    expected->ending |= record->said == SAID_ENDING;
    expected->removed |= record->said == SAID_REMOVED;
    expected->deferred |= record->said == SAID_DEFERRED;
    expected->held |= record->said == SAID_HELD;
}

static void G_GNUC_NORETURN
be_child (const Story *story, void (*part) (Child *child), gint to_parent)
{
    Child child = {.fixture = story->fixture, .pipe = to_parent};

    for (guint i = 0; i < MESSAGES_MOST; i++) {
        child.ids[i] = story->expected[i].id;
        child.gone[i] = story->expected[i].ending;
    }
    faults_set_control (control);
    g_timeout_add (WATCH_MS, watch_trouble, &child);
    part (&child);
    _exit (EXIT_WHOLE);
}

/* Has a child play its part with a fault. Returns: whether it came to its end */
static gboolean
play_part (Story *story, void (*part) (Child *child), const FaultsControl *fault)
{
    gint fds[2], status;
    Record record;
    pid_t pid;

    *control = *fault;
    g_strlcpy (control->folder, story->fixture->directory, sizeof control->folder);
    control->armed = TRUE;
    g_assert_cmpint (pipe (fds), ==, 0);
    pid = fork ();
    g_assert_cmpint (pid, >=, 0);
    if (pid == 0) {
        close (fds[0]);
        be_child (story, part, fds[1]);
    }
    close (fds[1]);
    while (read (fds[0], &record, sizeof record) == sizeof record)
        hear (story, &record);
    close (fds[0]);
    g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
    end_fault ();
    if (WIFEXITED (status) && WEXITSTATUS (status) == EXIT_WHOLE)
        return TRUE;
    g_assert_true (WIFSIGNALED (status));
    g_assert_cmpint (WTERMSIG (status), ==, SIGKILL);

    return FALSE;
}

/* What is asserted of a store says also what had been done to it. */
static void
check_that (gboolean good, guint number, const gchar *what)
{
    if (!good)
        g_error ("message %u %s, after the fault %s no. %u in the manner %u, error %u", number, what, control->call,
                 control->nth, control->manner, control->error);
}

static void
check_content (Fixture *fixture, const QueueMessage *message)
{
    g_autoptr (GError) error = NULL;
    g_autoptr (GString) content = fixture_read (fixture, message->id, &error);
    g_autofree gchar *expected = NULL;
    guint number;

    check_that (error == NULL, 0, error == NULL ? "" : error->message);
    check_that (sscanf (content->str, "Subject: %u", &number) == 1, 0, "has another content");
    expected = content_of (number);
    check_that (g_str_equal (content->str, expected), number, "has another content");
}

static void
check_expected (Fixture *fixture, guint number, const Expected *expected)
{
    g_autoptr (QueueMessage) message = fixture_get (fixture, expected->id);

    check_that (message == NULL || !expected->removed, number, "came back");
    check_that (message != NULL || expected->ending, number, "is lost");
    if (message == NULL)
        return;
    check_that (!expected->held || message->state == QUEUE_STATE_HELD, number, "is not held any more");
    check_that (!expected->deferred || g_strcmp0 (queue_message_recipient (message, 0)->reply, "450 later") == 0,
                number, "was never tried");
}

/* A start finds all that was acknowledged, as it was, and nothing to complain about. */
static void
check (Story *story)
{
    const QueueFilter all = QUEUE_FILTER_ALL;
    g_autoptr (GPtrArray) messages = NULL;

    n_warnings = 0;
    fixture_open (story->fixture);
    messages = fixture_list (story->fixture, &all, 0, G_MAXUINT, NULL);
    for (guint i = 0; i < messages->len; i++)
        check_content (story->fixture, g_ptr_array_index (messages, i));
    for (guint i = 0; i < MESSAGES_MOST; i++) {
        if (story->expected[i].id != 0)
            check_expected (story->fixture, i, &story->expected[i]);
    }
    fixture_close (story->fixture);
    check_that (n_warnings == 0, 0, "or another is complained about");
}

/* A step of the next stretch. @end: where the last one ended, 0 at first */
static guint
next_step (guint *end, guint stretch)
{
    guint begin = *end + 1, length = g_test_thorough () ? 1 : stretch;

    *end += length;

    return (guint) g_test_rand_int_range ((gint32) begin, (gint32) (begin + length));
}

/* An empty store, of which nothing is expected. */
static void
begin (Story *story)
{
    fixture_remove_directory (story->fixture->directory);
    g_assert_cmpint (g_mkdir (story->fixture->directory, 0700), ==, 0);
    memset (story->expected, 0, sizeof story->expected);
}

/* Files that a power cut may have brought back are kept beside the folder. */
static void
remove_kept (const gchar *directory)
{
    g_autofree gchar *parent = g_path_get_dirname (directory), *prefix = g_path_get_basename (directory);
    g_autoptr (GDir) dir = g_dir_open (parent, 0, NULL);
    const gchar *name;

    while ((name = g_dir_read_name (dir)) != NULL) {
        g_autofree gchar *path = g_build_filename (parent, name, NULL);

        if (g_str_has_prefix (name, prefix) && strstr (name, ".removed-") != NULL)
            g_assert_cmpint (g_unlink (path), ==, 0);
    }
}

static Story *
story_new (void)
{
    Story *story = g_new0 (Story, 1);

    story->fixture = fixture_new ();
    story->fixture->limits.generation_bytes = GENERATION_BYTES;

    return story;
}

static void
story_free (Story *story)
{
    remove_kept (story->fixture->directory);
    fixture_free (story->fixture);
    g_free (story);
}

/* The store as it is now, each time cut off at another step of its recovery. Returns: how often */
static guint
die_while_recovering (Story *story, FaultsManner manner)
{
    guint end = 0, deaths = 0;
    g_autofree gchar *copy = fixture_copy_directory (story->fixture->directory);
    g_autofree gchar *directory = story->fixture->directory;
    FaultsControl fault = {.call = "*", .manner = manner, .tracking = TRUE};
    gboolean whole = FALSE;

    while (!whole) {
        story->fixture->directory = fixture_copy_directory (copy);
        fault.nth = next_step (&end, RECOVERY_STRETCH);
        whole = play_part (story, recover, &fault);
        deaths += !whole;
        check (story);
        remove_kept (story->fixture->directory);
        fixture_remove_directory (story->fixture->directory);
        g_free (story->fixture->directory);
    }
    story->fixture->directory = g_steal_pointer (&directory);
    fixture_remove_directory (copy);

    return deaths;
}

/* A store in the midst of its story, and what is expected of it. */
typedef struct {
    gchar *directory;
    Expected expected[MESSAGES_MOST];
} Midst;

static void
midst_init (Midst *midst, Story *story)
{
    const FaultsControl fault = {
        .call = "*", .manner = FAULTS_MANNER_CUT_HALF, .tracking = TRUE, .nth = SERVE_FROM_STEP};

    begin (story);
    g_assert_false (play_part (story, play, &fault));
    remove_kept (story->fixture->directory);
    midst->directory = fixture_copy_directory (story->fixture->directory);
    memcpy (midst->expected, story->expected, sizeof midst->expected);
}

static void
midst_clear (Midst *midst)
{
    fixture_remove_directory (midst->directory);
    g_free (midst->directory);
}

/* Has a child go on with it from there. Returns: whether it came to its end */
static gboolean
play_from (const Midst *midst, Story *story, void (*part) (Child *child), const FaultsControl *fault)
{
    gboolean whole;

    fixture_remove_directory (story->fixture->directory);
    g_free (story->fixture->directory);
    story->fixture->directory = fixture_copy_directory (midst->directory);
    memcpy (story->expected, midst->expected, sizeof story->expected);
    whole = play_part (story, part, fault);
    check (story);
    remove_kept (story->fixture->directory);

    return whole;
}

static void
die_at_each_step_while_serving (const Midst *midst, FaultsManner manner)
{
    Story *story = story_new ();
    FaultsControl fault = {.call = "*", .manner = manner, .tracking = TRUE};
    guint end = 0, deaths = 0;
    gboolean whole = FALSE;

    while (!whole) {
        fault.nth = next_step (&end, SERVE_STRETCH);
        whole = play_from (midst, story, serve_and_delete, &fault);
        deaths += !whole;
    }
    g_test_message ("at %u of %u steps", deaths, fault.nth - 1);
    g_assert_cmpuint (deaths, >, 0);
    story_free (story);
}

static void
a_crash_at_any_step_while_it_serves_and_recovers (void)
{
    Story *story = story_new ();
    Midst midst;

    midst_init (&midst, story);
    story_free (story);
    die_at_each_step_while_serving (&midst, FAULTS_MANNER_DIE);
    die_at_each_step_while_serving (&midst, FAULTS_MANNER_CUT);
    die_at_each_step_while_serving (&midst, FAULTS_MANNER_CUT_HALF);
    midst_clear (&midst);
}

static void
die_at_each_step (FaultsManner manner, guint stretch)
{
    Story *story = story_new ();
    FaultsControl fault = {.call = "*", .manner = manner, .tracking = TRUE};
    guint end = 0, deaths = 0, recoveries = 0;
    gboolean whole = FALSE;

    while (!whole) {
        fault.nth = next_step (&end, stretch);
        begin (story);
        whole = play_part (story, play, &fault);
        deaths += !whole;
        if (!whole && deaths % RECOVERY_AFTER == 0)
            recoveries += die_while_recovering (story, manner);
        check (story);
        remove_kept (story->fixture->directory);
    }
    g_test_message ("died %u times, and %u times while it recovered", deaths, recoveries);
    g_assert_cmpuint (deaths, >, 3);
    story_free (story);
}

static void
killed_at_any_step_it_keeps_its_word (void)
{
    die_at_each_step (FAULTS_MANNER_DIE, KILL_STRETCH);
}

static void
a_power_cut_at_any_step_that_leaves_only_what_was_synced (void)
{
    die_at_each_step (FAULTS_MANNER_CUT, CUT_STRETCH);
}

static void
a_power_cut_at_any_step_that_leaves_some_of_what_was_not_synced (void)
{
    die_at_each_step (FAULTS_MANNER_CUT_HALF, CUT_HALF_STRETCH);
}

/* ---- Faults ---- */

static gboolean
survive (Story *story, const FaultsControl *fault)
{
    begin (story);
    g_assert_true (play_part (story, play, fault));
    check (story);

    return control->struck > 0;
}

/* Calls of that kind fail, one of each stretch; the first one if the story, which depends on how far the sealer comes
 * meanwhile, makes fewer than a stretch of them. */
static void
fail_each (FaultsControl fault, guint stretch)
{
    Story *story = story_new ();
    guint end = 0, failures = 0;

    do
        fault.nth = next_step (&end, stretch);
    while (survive (story, &fault) && ++failures);
    g_test_message ("%s, %s%s: at %u of %u calls", fault.call, g_strerror ((gint) fault.error),
                    fault.lasting ? " from then on" : "", failures, fault.nth - 1);
    fault.nth = 1;
    g_assert_true (failures > 0 || survive (story, &fault));
    story_free (story);
}

/* Of a story's calls; some kinds are made a dozen times in it, some hundreds of times. */
typedef struct {
    const gchar *call;
    guint stretch;
} Kind;

static void
fail_each_of (const Kind *kinds, guint n, gint error)
{
    for (guint i = 0; i < n; i++) {
        FaultsControl fault = {.error = (guint32) error};

        g_strlcpy (fault.call, kinds[i].call, sizeof fault.call);
        fail_each (fault, kinds[i].stretch);
    }
}

static void
a_call_that_fails_once_loses_nothing (void)
{
    static const Kind kinds[] = {{"create", 5}, {"write", FAULT_STRETCH},
                                 {"sync", 47},  {"rename", 2},
                                 {"unlink", 5}, {"open", 23},
                                 {"read", 101}, {"seek", 101}};

    fail_each_of (kinds, G_N_ELEMENTS (kinds), EIO);
}

static void
a_call_that_fails_while_it_serves_and_recovers_loses_nothing (void)
{
    static const Kind kinds[] = {{"open", 7}, {"read", SERVE_READ_STRETCH}, {"sync", 11}, {"truncate", 2}};
    Story *story = story_new ();
    Midst midst;

    midst_init (&midst, story);
    for (guint i = 0; i < G_N_ELEMENTS (kinds); i++) {
        FaultsControl fault = {.error = EIO};
        guint end = 0;

        g_strlcpy (fault.call, kinds[i].call, sizeof fault.call);
        do {
            fault.nth = next_step (&end, kinds[i].stretch);
            g_assert_true (play_from (&midst, story, serve_while_recovering, &fault));
        } while (control->struck > 0);
        g_test_message ("%s: up to %u. call", fault.call, fault.nth);
    }
    midst_clear (&midst);
    story_free (story);
}

static void
a_call_that_finds_no_space_loses_nothing (void)
{
    static const Kind kinds[] = {{"create", 5}, {"write", FAULT_STRETCH}, {"sync", 47}};

    fail_each_of (kinds, G_N_ELEMENTS (kinds), ENOSPC);
}

static void
a_write_that_is_cut_short_loses_nothing (void)
{
    fail_each ((FaultsControl){.call = "write", .manner = FAULTS_MANNER_SHORT}, FAULT_STRETCH);
    fail_each ((FaultsControl){.call = "write", .manner = FAULTS_MANNER_SHORT, .error = ENOSPC}, FAULT_STRETCH);
}

static void
a_sync_that_fails_and_loses_what_it_should_have_kept_loses_nothing_else (void)
{
    fail_each ((FaultsControl){.call = "sync", .manner = FAULTS_MANNER_LOSE, .error = EIO, .tracking = TRUE}, 47);
}

static void
calls_that_fail_until_it_is_noticed_lose_nothing (void)
{
    fail_each ((FaultsControl){.call = "*", .error = EIO, .lasting = TRUE}, FAULT_STRETCH);
}

int
main (int argc, char **argv)
{
    fixture_use_memory ();
    g_test_init (&argc, &argv, NULL);
    g_log_set_writer_func (hear_log, NULL, NULL);
    control = fixture_share (sizeof *control);
    faults_set_control (control);

    g_test_add_func ("/queue/steps/killed-at-any-step-it-keeps-its-word", killed_at_any_step_it_keeps_its_word);
    g_test_add_func ("/queue/steps/a-power-cut-at-any-step-that-leaves-only-what-was-synced",
                     a_power_cut_at_any_step_that_leaves_only_what_was_synced);
    g_test_add_func ("/queue/steps/a-power-cut-at-any-step-that-leaves-some-of-what-was-not-synced",
                     a_power_cut_at_any_step_that_leaves_some_of_what_was_not_synced);
    g_test_add_func ("/queue/steps/a-crash-at-any-step-while-it-serves-and-recovers",
                     a_crash_at_any_step_while_it_serves_and_recovers);
    g_test_add_func ("/queue/steps/a-call-that-fails-while-it-serves-and-recovers-loses-nothing",
                     a_call_that_fails_while_it_serves_and_recovers_loses_nothing);
    g_test_add_func ("/queue/steps/a-call-that-fails-once-loses-nothing", a_call_that_fails_once_loses_nothing);
    g_test_add_func ("/queue/steps/a-call-that-finds-no-space-loses-nothing",
                     a_call_that_finds_no_space_loses_nothing);
    g_test_add_func ("/queue/steps/a-write-that-is-cut-short-loses-nothing", a_write_that_is_cut_short_loses_nothing);
    g_test_add_func ("/queue/steps/a-sync-that-fails-and-loses-what-it-should-have-kept-loses-nothing-else",
                     a_sync_that_fails_and_loses_what_it_should_have_kept_loses_nothing_else);
    g_test_add_func ("/queue/steps/calls-that-fail-until-it-is-noticed-lose-nothing",
                     calls_that_fail_until_it_is_noticed_lose_nothing);

    return g_test_run ();
}
