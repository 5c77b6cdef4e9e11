/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Messages that callers on the bus submit while the relay comes to its end. */

#include "bus-work.h"
#include "mill.h"

#include <gio/gio.h>
#include <string.h>
#include <unistd.h>

#define MESSAGE "Subject: hello\r\n\r\nbody\r\n"

typedef struct {
    Mill *mill;
    Users *users;
    Foreign *foreign;
    MessageEnvelope *envelope;
    BusWork *work;
    gboolean end_at_answer;
    guint answers;
    guint refusals;
    guint ends;
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
    fixture->mill = mill_new ("");
    fixture->users = users_new ();
    fixture->foreign = foreign_new (10);
    fixture->envelope = message_envelope_new ("me@example.org");
    message_envelope_add (fixture->envelope, "you@example.net");
    fixture->work = bus_work_new (fixture->mill->queue, fixture->users, fixture->foreign, NULL, NULL);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
    bus_work_free (fixture->work);
    foreign_unref (fixture->foreign);
    users_free (fixture->users);
    mill_free (fixture->mill);
    message_envelope_free (fixture->envelope);
}

static void
count_end (gpointer user_data)
{
    ((Fixture *) user_data)->ends++;
}

static void
answer (QueueId id, const GError *error, gpointer user_data)
{
    Fixture *fixture = user_data;

    fixture->answers++;
    fixture->refusals += error != NULL;
    if (fixture->end_at_answer)
        bus_work_end_submissions (fixture->work, count_end, fixture);
}

/* Returns: where the content is written to */
static int
submit (Fixture *fixture)
{
    BusSubmission submission = {.envelope = fixture->envelope, .uid = 0};
    int ends[2];

    g_assert_cmpint (pipe (ends), ==, 0);
    submission.fd = ends[0];
    bus_work_submit (fixture->work, fixture->mill->config, &submission, answer, fixture);
    return ends[1];
}

static void
finish (int fd)
{
    g_assert_cmpint (write (fd, MESSAGE, strlen (MESSAGE)), ==, (gssize) strlen (MESSAGE));
    close (fd);
}

static void
wait_answers (Fixture *fixture, guint n)
{
    while (fixture->answers < n)
        g_main_context_iteration (NULL, TRUE);
}

static void
test_the_end_comes_after_the_last_message (Fixture *fixture, gconstpointer data)
{
    int fd = submit (fixture);

    bus_work_end_submissions (fixture->work, count_end, fixture);
    g_assert_cmpuint (fixture->ends, ==, 0);
    finish (fd);
    wait_answers (fixture, 1);
    g_assert_cmpuint (fixture->refusals, ==, 0);
    g_assert_cmpuint (fixture->ends, ==, 1);
}

/* Whoever counts what there is to wait for would take the second time for something else's end. */
static void
test_an_end_that_begins_with_the_last_answer_is_told_once (Fixture *fixture, gconstpointer data)
{
    fixture->end_at_answer = TRUE;
    finish (submit (fixture));
    wait_answers (fixture, 1);
    g_assert_cmpuint (fixture->ends, ==, 1);
}

static void
test_a_message_after_the_end_is_refused_and_ends_nothing_again (Fixture *fixture, gconstpointer data)
{
    bus_work_end_submissions (fixture->work, count_end, fixture);
    g_assert_cmpuint (fixture->ends, ==, 1);
    close (submit (fixture));
    wait_answers (fixture, 1);
    g_assert_cmpuint (fixture->refusals, ==, 1);
    g_assert_cmpuint (fixture->ends, ==, 1);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);

#define ADD(name, function) g_test_add ("/daemon/bus-work/" name, Fixture, NULL, set_up, function, tear_down)
    ADD ("the-end-comes-after-the-last-message", test_the_end_comes_after_the_last_message);
    ADD ("an-end-that-begins-with-the-last-answer-is-told-once",
         test_an_end_that_begins_with_the_last_answer_is_told_once);
    ADD ("a-message-after-the-end-is-refused-and-ends-nothing-again",
         test_a_message_after_the_end_is_refused_and_ends_nothing_again);
#undef ADD

    return g_test_run ();
}
