/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Messages on their way into a real queue: completed, traced, and refused where they have to be. */

#include "fd-submission.h"
#include "mill.h"

#include <fcntl.h>
#include <gio/gio.h>
#include <string.h>
#include <unistd.h>

#define MESSAGE "Subject: hello\r\n\r\nbody\r\n"

typedef struct {
    Mill *mill;
    Users *users;
    Foreign *foreign;
    MessageEnvelope *envelope;
    SubmissionOrigin origin;
    gboolean committed;
    QueueId id;
    GError *error;
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer configuration)
{
    fixture->mill = mill_new (configuration != NULL ? configuration : "");
    fixture->users = users_new ();
    fixture->foreign = foreign_new (10);
    fixture->envelope = message_envelope_new ("me@example.org");
    message_envelope_add (fixture->envelope, "you@example.net");
    fixture->origin = (SubmissionOrigin){
        .uid = 1000, .user = "me", .full_name = "Me Myself", .helo = "client.example", .protocol = "local"};
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
    foreign_unref (fixture->foreign);
    users_free (fixture->users);
    mill_free (fixture->mill);
    message_envelope_free (fixture->envelope);
    g_clear_error (&fixture->error);
}

static void
committed (QueueId id, const GError *error, gpointer user_data)
{
    Fixture *fixture = user_data;

    g_assert_false (fixture->committed);
    fixture->committed = TRUE;
    fixture->id = id;
    fixture->error = error != NULL ? g_error_copy (error) : NULL;
}

static Submission *
begin (Fixture *fixture)
{
    Submission *submission = submission_new (fixture->mill->queue, fixture->mill->config, &fixture->origin,
                                             fixture->envelope, 0, NULL, NULL, &fixture->error);

    g_assert_no_error (fixture->error);
    return submission;
}

static void
wait_committed (Fixture *fixture)
{
    while (!fixture->committed)
        g_main_context_iteration (NULL, TRUE);
}

/* Submits @text in pieces of @piece bytes and commits it. */
static void
submit_pieces (Fixture *fixture, const gchar *text, gsize length, gsize piece)
{
    g_autoptr (Submission) submission = begin (fixture);

    for (gsize at = 0; at < length; at += piece)
        submission_write (submission, text + at, MIN (piece, length - at));

    submission_commit (submission, committed, fixture);
    wait_committed (fixture);
}

/* Submits what must be taken; returns what is in the queue. */
static gchar *
submit (Fixture *fixture, const gchar *text)
{
    submit_pieces (fixture, text, strlen (text), MAX (1, strlen (text)));
    g_assert_no_error (fixture->error);
    g_assert_cmpuint (fixture->id, !=, 0);
    return mill_content (fixture->mill, fixture->id);
}

static void
assert_contains (const gchar *content, const gchar *part)
{
    if (strstr (content, part) == NULL)
        g_error ("“%s” was expected in:\n%s", part, content);
}

static void
test_a_message_is_traced_and_completed (Fixture *fixture, gconstpointer data)
{
    g_autofree gchar *content = submit (fixture, MESSAGE);
    g_autofree gchar *id_clause = NULL;
    gchar id[QUEUE_ID_TEXT_BYTES];

    queue_id_write (fixture->id, id);
    id_clause = g_strconcat ("id ", id, NULL);

    g_assert_true (g_str_has_prefix (content, "Received: from client.example"));
    assert_contains (content, "by relay.example.org");
    assert_contains (content, id_clause);
    assert_contains (content, "for <you@example.net>");
    assert_contains (content, "\r\nSubject: hello\r\n");
    assert_contains (content, "\r\nDate: ");
    assert_contains (content, "\r\nMessage-ID: <");
    assert_contains (content, "\r\nFrom: Me Myself <me@example.org>\r\n");
    g_assert_true (g_str_has_suffix (content, "\r\n\r\nbody\r\n"));
}

static void
test_several_recipients_are_not_named (Fixture *fixture, gconstpointer data)
{
    g_autofree gchar *content = NULL;

    message_envelope_add (fixture->envelope, "hidden@example.net");
    content = submit (fixture, MESSAGE);
    g_assert_null (strstr (content, "example.net"));
}

static void
test_pieces_of_any_size_make_the_same_message (Fixture *fixture, gconstpointer data)
{
    const gchar *text = "Date: Sun, 22 Nov 2026 02:42:01 +0000\r\nMessage-ID: <1@x>\r\nFrom: a@b.example\r\n"
                        "Subject: one\r\n two\r\n\r\nbody\r\n\r\nmore\r\n";

    for (gsize piece = 1; piece <= strlen (text); piece++) {
        g_autofree gchar *content = NULL;
        const gchar *end_of_trace;

        fixture->committed = FALSE;
        submit_pieces (fixture, text, strlen (text), piece);
        g_assert_no_error (fixture->error);
        content = mill_content (fixture->mill, fixture->id);

        end_of_trace = strstr (content, "\r\nDate: ");
        g_assert_nonnull (end_of_trace);
        g_assert_cmpstr (end_of_trace + 2, ==, text);
    }
}

static MessageBody
queued_body (Fixture *fixture)
{
    g_autoptr (GPtrArray) messages = mill_messages (fixture->mill);
    const QueueMessage *last = g_ptr_array_index (messages, messages->len - 1);

    return last->envelope->body;
}

static void
test_8bit_content_is_declared_wherever_it_shows (Fixture *fixture, gconstpointer data)
{
    static const gchar *const texts[] = {"Subject: \xc3\xbc\r\n\r\nbody\r\n",
                                         "Subject: x\r\n\r\nbody\r\n\xc3\xbc\r\n", "no header, \xfc"};
    g_autofree gchar *content = submit (fixture, MESSAGE);

    g_assert_cmpint (queued_body (fixture), ==, MESSAGE_BODY_7BIT);
    for (guint i = 0; i < G_N_ELEMENTS (texts); i++) {
        fixture->committed = FALSE;
        submit_pieces (fixture, texts[i], strlen (texts[i]), 5);
        g_assert_no_error (fixture->error);
        g_assert_cmpint (queued_body (fixture), ==, MESSAGE_BODY_8BITMIME);
    }
}

static void
test_an_empty_message_gets_a_header (Fixture *fixture, gconstpointer data)
{
    g_autofree gchar *content = submit (fixture, "");

    assert_contains (content, "\r\nFrom: ");
    g_assert_true (g_str_has_suffix (content, "\r\n\r\n"));
}

static void
test_a_message_may_be_all_header (Fixture *fixture, gconstpointer data)
{
    g_autofree gchar *content = submit (fixture, "Subject: hello\r\n");

    assert_contains (content, "\r\nSubject: hello\r\n");
    g_assert_true (g_str_has_suffix (content, "\r\n\r\n"));
}

static void
test_a_message_may_be_all_body (Fixture *fixture, gconstpointer data)
{
    g_autofree gchar *content = submit (fixture, "this is no header\r\nat all\r\n");

    g_assert_true (g_str_has_suffix (content, "\r\n\r\nthis is no header\r\nat all\r\n"));
}

/* A header of @bytes in lines of a hundred. */
static GString *
make_header (gsize bytes)
{
    GString *text = g_string_new (NULL);
    g_autofree gchar *filler = g_strnfill (80, 'x');

    while (text->len < bytes)
        g_string_append_printf (text, "X-Filler-%08u: %s\r\n", (guint) text->len, filler);
    return text;
}

static void
test_a_large_header_in_small_pieces_is_taken (Fixture *fixture, gconstpointer data)
{
    g_autoptr (GString) text = make_header (900 * 1024);

    g_string_append (text, "\r\nbody\r\n");
    submit_pieces (fixture, text->str, text->len, 17);
    g_assert_no_error (fixture->error);
}

static void
test_an_endless_header_is_refused (Fixture *fixture, gconstpointer data)
{
    g_autoptr (GString) text = make_header (SUBMISSION_HEADER_LONGEST_BYTES + 64 * 1024);

    submit_pieces (fixture, text->str, text->len, 4096);
    g_assert_error (fixture->error, SUBMISSION_ERROR, SUBMISSION_ERROR_HEADER);
    g_assert_cmpuint (mill_count (fixture->mill), ==, 0);
}

static gchar *
make_travelled (guint hops)
{
    GString *text = g_string_new (NULL);

    for (guint i = 0; i < hops; i++)
        g_string_append_printf (text, "%s: from a by b; Sun, 22 Nov 2026 02:42:01 +0000\r\n",
                                i % 2 == 0 ? "Received" : "received");
    g_string_append (text, "\r\nbody\r\n");
    return g_string_free (text, FALSE);
}

static void
test_a_loop_is_refused (Fixture *fixture, gconstpointer data)
{
    g_autofree gchar *text = make_travelled (101);

    submit_pieces (fixture, text, strlen (text), strlen (text));
    g_assert_error (fixture->error, SUBMISSION_ERROR, SUBMISSION_ERROR_LOOP);
    g_assert_cmpuint (mill_count (fixture->mill), ==, 0);
}

static void
test_a_long_way_is_no_loop (Fixture *fixture, gconstpointer data)
{
    g_autofree gchar *text = make_travelled (100);

    g_free (submit (fixture, text));
}

static void
test_what_is_not_committed_is_gone (Fixture *fixture, gconstpointer data)
{
    Submission *submission = begin (fixture);

    submission_write (submission, MESSAGE, strlen (MESSAGE));
    submission_free (submission);

    /* Commits are made in order: had the first one been queued, it would be before this one. */
    g_free (submit (fixture, MESSAGE));
    g_assert_cmpuint (mill_count (fixture->mill), ==, 1);
}

static void
test_a_commit_without_its_owner_is_made (Fixture *fixture, gconstpointer data)
{
    Submission *submission = begin (fixture);

    submission_write (submission, MESSAGE, strlen (MESSAGE));
    submission_commit (submission, committed, fixture);
    submission_free (submission);

    mill_wait_queued (fixture->mill, 1);
    g_assert_false (fixture->committed);
}

/* Submits a message from @sender to @recipient; returns the queued envelope, as "sender > recipient recipient…". */
static gchar *
route (Fixture *fixture, const gchar *sender, const gchar *recipient)
{
    g_autoptr (GPtrArray) messages = NULL;
    const MessageEnvelope *envelope;
    GString *text;

    message_envelope_free (fixture->envelope);
    fixture->envelope = message_envelope_new (sender);
    message_envelope_add (fixture->envelope, recipient);
    fixture->committed = FALSE;
    g_free (submit (fixture, MESSAGE));

    messages = mill_messages (fixture->mill);
    envelope = ((const QueueMessage *) g_ptr_array_index (messages, messages->len - 1))->envelope;
    text = g_string_new (envelope->sender);
    g_string_append (text, " >");
    for (guint i = 0; i < envelope->recipients->len; i++)
        g_string_append_printf (text, " %s", message_envelope_recipient (envelope, i)->address);
    return g_string_free (text, FALSE);
}

static void
assert_route (Fixture *fixture, const gchar *sender, const gchar *recipient, const gchar *expected)
{
    g_autofree gchar *text = route (fixture, sender, recipient);

    g_assert_cmpstr (text, ==, expected);
}

static void
test_bare_addresses_get_the_domain (Fixture *fixture, gconstpointer data)
{
    assert_route (fixture, "root", "pi", "root@example.org > pi@example.org");
    assert_route (fixture, "root@localhost", "pi@localhost.localdomain", "root@example.org > pi@example.org");
    assert_route (fixture, "root@example.com", "pi@example.net", "root@example.com > pi@example.net");
    assert_route (fixture, "", "pi@relay.example.org", " > pi@relay.example.org");
}

static void
test_local_mail_goes_to_the_administrator (Fixture *fixture, gconstpointer data)
{
    static const gchar *const local[] = {"root",    "pi@localhost", "pi@relay.example.org", "pi@RELAY", "x@a.lan",
                                         "x@b.lan", "postmaster"};

    for (guint i = 0; i < G_N_ELEMENTS (local); i++)
        assert_route (fixture, "me@example.org", local[i], "me@example.org > admin@example.com two@example.com");
}

static void
test_other_mail_does_not_go_to_the_administrator (Fixture *fixture, gconstpointer data)
{
    assert_route (fixture, "me@example.org", "root@example.org", "me@example.org > root@example.org");
    assert_route (fixture, "me@example.org", "x@sub.relay.example.org", "me@example.org > x@sub.relay.example.org");
}

static void
test_the_name_that_was_used_is_kept_as_orcpt (Fixture *fixture, gconstpointer data)
{
    g_autoptr (GPtrArray) messages = NULL;
    const MessageEnvelope *envelope;
    MessageRecipient *root = message_envelope_add (fixture->envelope, "root");

    root->notify = MESSAGE_NOTIFY_DELAY;
    g_free (submit (fixture, MESSAGE));

    messages = mill_messages (fixture->mill);
    envelope = ((const QueueMessage *) g_ptr_array_index (messages, 0))->envelope;
    g_assert_cmpuint (envelope->recipients->len, ==, 2);
    g_assert_null (message_envelope_recipient (envelope, 0)->orcpt);
    g_assert_cmpstr (message_envelope_recipient (envelope, 1)->address, ==, "admin@example.com");
    g_assert_cmpstr (message_envelope_recipient (envelope, 1)->orcpt, ==, "rfc822;root@example.org");
    g_assert_cmpint (message_envelope_recipient (envelope, 1)->notify, ==, MESSAGE_NOTIFY_DELAY);
}

static void
test_an_orcpt_that_was_given_stays (Fixture *fixture, gconstpointer data)
{
    g_autoptr (GPtrArray) messages = NULL;
    const MessageEnvelope *envelope;

    message_envelope_add (fixture->envelope, "root")->orcpt = g_strdup ("rfc822;as@given.example");
    g_free (submit (fixture, MESSAGE));

    messages = mill_messages (fixture->mill);
    envelope = ((const QueueMessage *) g_ptr_array_index (messages, 0))->envelope;
    g_assert_cmpstr (message_envelope_recipient (envelope, 1)->orcpt, ==, "rfc822;as@given.example");
}

/* ---- From a descriptor ---- */

static FdSubmission *
submit_fd (Fixture *fixture, int fd)
{
    const FdSubmissionRequest request = {.foreign = fixture->foreign, .fd = fd, .envelope = fixture->envelope};

    return fd_submission_start (fixture->mill->queue, fixture->mill->config, fixture->users, &request, committed,
                                fixture);
}

static void
test_a_pipe_is_read_to_its_end (Fixture *fixture, gconstpointer data)
{
    g_autofree gchar *content = NULL;
    int fds[2];

    g_assert_no_errno (pipe (fds));
    submit_fd (fixture, fds[0]);
    g_assert_cmpint (write (fds[1], "Subject: he", 11), ==, 11);
    for (guint i = 0; i < 10; i++)
        g_main_context_iteration (NULL, FALSE);
    g_assert_cmpint (write (fds[1], "llo\n\nunix\nmac\rdos\r\nend", 22), ==, 22);
    close (fds[1]);

    wait_committed (fixture);
    g_assert_no_error (fixture->error);
    content = mill_content (fixture->mill, fixture->id);
    assert_contains (content, "with dbus");
    assert_contains (content, "(user root, uid 0)");
    assert_contains (content, "\r\nSubject: hello\r\n");
    g_assert_true (g_str_has_suffix (content, "\r\n\r\nunix\r\nmac\r\ndos\r\nend\r\n"));
}

static void
test_a_file_is_read_to_its_end (Fixture *fixture, gconstpointer data)
{
    g_autofree gchar *path = g_build_filename (fixture->mill->folder, "message", NULL);
    g_autofree gchar *body = g_strnfill (500000, 'x');
    g_autofree gchar *text = g_strconcat ("Subject: hello\n\n", body, "\n", NULL);
    g_autofree gchar *content = NULL;

    g_assert_true (g_file_set_contents (path, text, -1, NULL));
    submit_fd (fixture, open (path, O_RDONLY | O_CLOEXEC));

    wait_committed (fixture);
    g_assert_no_error (fixture->error);
    content = mill_content (fixture->mill, fixture->id);
    assert_contains (content, body);
}

static void
test_bare_addresses_from_the_bus_get_the_domain (Fixture *fixture, gconstpointer data)
{
    g_autoptr (MessageEnvelope) envelope = message_envelope_new ("root");
    g_autoptr (GPtrArray) messages = NULL;
    FdSubmissionRequest request;
    const QueueMessage *message;

    message_envelope_add (envelope, "you");
    request = (FdSubmissionRequest){
        .foreign = fixture->foreign, .fd = open ("/dev/null", O_RDONLY), .envelope = envelope, .uid = -1};
    fd_submission_start (fixture->mill->queue, fixture->mill->config, fixture->users, &request, committed, fixture);
    wait_committed (fixture);
    g_assert_no_error (fixture->error);

    messages = mill_messages (fixture->mill);
    message = g_ptr_array_index (messages, 0);
    g_assert_cmpstr (message->envelope->sender, ==, "root@example.org");
    g_assert_cmpstr (message_envelope_recipient (message->envelope, 0)->address, ==, "you@example.org");
    g_assert_cmpint (message->origin.uid, ==, -1);
    g_assert_cmpstr (message->origin.protocol, ==, "dbus");
}

static void
test_what_cannot_be_read_is_told (Fixture *fixture, gconstpointer data)
{
    submit_fd (fixture, open ("/", O_RDONLY | O_CLOEXEC));
    g_assert_false (fixture->committed);
    wait_committed (fixture);
    g_assert_error (fixture->error, G_IO_ERROR, G_IO_ERROR_IS_DIRECTORY);
    g_assert_nonnull (strstr (fixture->error->message, "cannot be read"));
}

static void
test_a_sleeping_writer_is_given_up (Fixture *fixture, gconstpointer data)
{
    int fds[2];

    g_assert_no_errno (pipe (fds));
    submit_fd (fixture, fds[0]);
    wait_committed (fixture);
    g_assert_error (fixture->error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
    close (fds[1]);
}

static void
test_a_submission_can_be_cancelled (Fixture *fixture, gconstpointer data)
{
    FdSubmission *submission;
    int fds[2];

    g_assert_no_errno (pipe (fds));
    submission = submit_fd (fixture, fds[0]);
    fd_submission_cancel (submission, "enough of it");
    fd_submission_cancel (submission, "again");
    g_assert_false (fixture->committed);
    wait_committed (fixture);
    g_assert_error (fixture->error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
    g_assert_cmpstr (fixture->error->message, ==, "enough of it");
    close (fds[1]);
}

static void
test_a_submission_can_be_cancelled_while_reading (Fixture *fixture, gconstpointer data)
{
    FdSubmission *submission;
    int fds[2];

    g_assert_no_errno (pipe (fds));
    submission = submit_fd (fixture, fds[0]);
    g_assert_cmpint (write (fds[1], "a", 1), ==, 1);
    while (g_main_context_iteration (NULL, FALSE))
        ;
    fd_submission_cancel (submission, "enough of it");
    wait_committed (fixture);
    g_assert_error (fixture->error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
    close (fds[1]);
}

static void
test_a_message_that_is_too_large_is_refused (Fixture *fixture, gconstpointer data)
{
    g_autofree gchar *path = g_build_filename (fixture->mill->folder, "message", NULL);
    g_autofree gchar *text = g_strnfill (200000, 'x');

    g_assert_true (g_file_set_contents (path, text, -1, NULL));
    submit_fd (fixture, open (path, O_RDONLY | O_CLOEXEC));
    wait_committed (fixture);
    g_assert_error (fixture->error, SUBMISSION_ERROR, SUBMISSION_ERROR_SIZE);
}

static void
add (const gchar *name, void (*test) (Fixture *, gconstpointer), const gchar *configuration)
{
    g_autofree gchar *path = g_strconcat ("/daemon/submission/", name, NULL);

    g_test_add (path, Fixture, configuration, set_up, test, tear_down);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);

    add ("a-message-is-traced-and-completed", test_a_message_is_traced_and_completed, NULL);
    add ("several-recipients-are-not-named", test_several_recipients_are_not_named, NULL);
    add ("pieces-of-any-size-make-the-same-message", test_pieces_of_any_size_make_the_same_message, NULL);
    add ("8bit-content-is-declared-wherever-it-shows", test_8bit_content_is_declared_wherever_it_shows, NULL);
    add ("an-empty-message-gets-a-header", test_an_empty_message_gets_a_header, NULL);
    add ("a-message-may-be-all-header", test_a_message_may_be_all_header, NULL);
    add ("a-message-may-be-all-body", test_a_message_may_be_all_body, NULL);
    add ("a-large-header-in-small-pieces-is-taken", test_a_large_header_in_small_pieces_is_taken, NULL);
    add ("an-endless-header-is-refused", test_an_endless_header_is_refused, NULL);
    add ("a-loop-is-refused", test_a_loop_is_refused, NULL);
    add ("a-long-way-is-no-loop", test_a_long_way_is_no_loop, NULL);
    add ("what-is-not-committed-is-gone", test_what_is_not_committed_is_gone, NULL);
    add ("a-commit-without-its-owner-is-made", test_a_commit_without_its_owner_is_made, NULL);
    add ("bare-addresses-get-the-domain", test_bare_addresses_get_the_domain, NULL);
    add ("local-mail-goes-to-the-administrator", test_local_mail_goes_to_the_administrator,
         "AdminAddress=admin@example.com, \"Two\" <two@example.com>\nLocalDomains=a.lan B.lan\n");
    add ("other-mail-does-not-go-to-the-administrator", test_other_mail_does_not_go_to_the_administrator,
         "AdminAddress=admin@example.com\n");
    add ("the-name-that-was-used-is-kept-as-orcpt", test_the_name_that_was_used_is_kept_as_orcpt,
         "AdminAddress=admin@example.com\n");
    add ("an-orcpt-that-was-given-stays", test_an_orcpt_that_was_given_stays, "AdminAddress=admin@example.com\n");
    add ("a-pipe-is-read-to-its-end", test_a_pipe_is_read_to_its_end, NULL);
    add ("a-file-is-read-to-its-end", test_a_file_is_read_to_its_end, NULL);
    add ("bare-addresses-from-the-bus-get-the-domain", test_bare_addresses_from_the_bus_get_the_domain, NULL);
    add ("what-cannot-be-read-is-told", test_what_cannot_be_read_is_told, NULL);
    add ("a-sleeping-writer-is-given-up", test_a_sleeping_writer_is_given_up, "[Server]\nIdleTimeout=1\n");
    add ("a-submission-can-be-cancelled", test_a_submission_can_be_cancelled, NULL);
    add ("a-submission-can-be-cancelled-while-reading", test_a_submission_can_be_cancelled_while_reading, NULL);
    add ("a-message-that-is-too-large-is-refused", test_a_message_that_is_too_large_is_refused,
         "[Server]\nMaxMessageSize=100K\n");

    return g_test_run ();
}
