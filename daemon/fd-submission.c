/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Submissions from a descriptor
 *
 * A client on the bus passes the content as a descriptor, of which nothing is known: it may be a file, a pipe whose
 * writer has fallen asleep, or a terminal. GIO reads it without blocking the loop, on a thread where the kernel offers
 * nothing better, one piece at a time and only as fast as the queue takes it. A writer that says nothing for as long as
 * a session may be idle is given up.
 *
 * Line ends are whatever the client's system has; they become CRLF here, as they do on the local socket.
 */

#include "fd-submission.h"

#include "smtp/content.h"

#include <gio/gunixinputstream.h>

/* As much as one system call takes from a pipe. */
#define PIECE_BYTES (64 * 1024)

struct _FdSubmission {
    Queue *queue;
    Config *config;
    MessageEnvelope *envelope;
    SubmissionOrigin origin;
    gchar *user;
    gchar *full_name;

    UsersLookup *lookup;    /* (nullable) the user is being looked up */
    Submission *submission; /* (nullable) before that, and when all is over */
    GInputStream *stream;
    GCancellable *cancellable;
    SmtpContent content;
    gchar *piece;
    guint64 bytes;       /* read so far */
    guint idle_timer;    /* 0: nothing is being read */
    gboolean was_idle;   /* nothing came for too long */
    gchar *cancelled;    /* (nullable) why */
    gboolean is_waiting; /* for the queue to take more */

    guint end_source;   /* 0: not ended */
    GError *end_reason; /* (nullable) */

    QueueCommitted committed;
    gpointer user_data;
};

static void read_piece (FdSubmission *self);

static void
fd_submission_free (FdSubmission *self)
{
    g_clear_pointer (&self->submission, submission_free);
    message_envelope_free (self->envelope);
    g_object_unref (self->stream);
    g_object_unref (self->cancellable);
    config_unref (self->config);
    g_clear_error (&self->end_reason);
    g_free (self->user);
    g_free (self->full_name);
    g_free (self->piece);
    g_free (self->cancelled);
    g_free (self);
}

/* A QueueCommitted */
static void
tell_end (QueueId id, const GError *error, gpointer user_data)
{
    FdSubmission *self = user_data;

    self->committed (id, error, self->user_data);
    fd_submission_free (self);
}

static gboolean
tell_failure (gpointer user_data)
{
    FdSubmission *self = user_data;

    tell_end (0, self->end_reason, self);
    return G_SOURCE_REMOVE;
}

/* Ends it all from the main loop, because the caller may have only just been given @self. Takes @reason over. Nothing may be
 * under way. */
static void
fail (FdSubmission *self, GError *reason)
{
    g_assert (self->end_source == 0);

    self->end_reason = reason;
    self->end_source = g_idle_add (tell_failure, self);
}

static gboolean
idle_too_long (gpointer user_data)
{
    FdSubmission *self = user_data;

    self->idle_timer = 0;
    self->was_idle = TRUE;
    g_cancellable_cancel (self->cancellable);
    return G_SOURCE_REMOVE;
}

static GError *
read_error (const FdSubmission *self, const GError *error)
{
    if (self->was_idle)
        return g_error_new (G_IO_ERROR, G_IO_ERROR_TIMED_OUT,
                            "no content came through the file descriptor for %u seconds", self->config->idle_seconds);
    if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        return g_error_new_literal (G_IO_ERROR, G_IO_ERROR_CANCELLED,
                                    "the relay is stopping; submit the message again");

    return g_error_new (G_IO_ERROR, error->code, "the content cannot be read: %s", error->message);
}

/* An SmtpContentSink */
static void
take_content (const gchar *data, gsize length, gpointer user_data)
{
    FdSubmission *self = user_data;

    submission_write (self->submission, data, length);
}

static void
take_piece (FdSubmission *self, gsize length)
{
    guint64 most = self->config->message_longest_bytes;

    self->bytes += length;
    if (most > 0 && self->bytes > most) {
        fail (self, g_error_new (SUBMISSION_ERROR, SUBMISSION_ERROR_SIZE,
                                 "the message is larger than %" G_GUINT64_FORMAT " bytes", most));
        return;
    }

    smtp_content_decode (&self->content, self->piece, length, take_content, self);
    self->is_waiting = submission_backlog (self->submission) >= QUEUE_INTAKE_BACKLOG_BYTES;
    if (!self->is_waiting)
        read_piece (self);
}

static void
piece_read (GObject *stream, GAsyncResult *result, gpointer user_data)
{
    FdSubmission *self = user_data;
    g_autoptr (GError) error = NULL;
    gssize length = g_input_stream_read_finish (G_INPUT_STREAM (stream), result, &error);

    g_clear_handle_id (&self->idle_timer, g_source_remove);
    if (length < 0) {
        fail (self, read_error (self, error));
    } else if (length > 0) {
        take_piece (self, (gsize) length);
    } else {
        smtp_content_finish (&self->content, take_content, self);
        submission_commit (self->submission, tell_end, self);
    }
}

static void
read_piece (FdSubmission *self)
{
    self->idle_timer = g_timeout_add_seconds (self->config->idle_seconds, idle_too_long, self);
    g_input_stream_read_async (self->stream, self->piece, PIECE_BYTES, G_PRIORITY_DEFAULT, self->cancellable,
                               piece_read, self);
}

/* A QueueDrained */
static void
queue_drained (gpointer user_data)
{
    FdSubmission *self = user_data;

    if (!self->is_waiting)
        return;

    self->is_waiting = FALSE;
    read_piece (self);
}

/* A UsersFound */
static void
user_found (const User *user, gpointer user_data)
{
    FdSubmission *self = user_data;
    GError *error = NULL;

    self->lookup = NULL;
    self->user = g_strdup (user->name);
    self->full_name = g_strdup (user->full_name);
    self->origin.user = self->user;
    self->origin.full_name = self->full_name;

    self->submission =
        submission_new (self->queue, self->config, &self->origin, self->envelope, 0, queue_drained, self, &error);
    if (self->submission != NULL)
        read_piece (self);
    else
        fail (self, error);
}

FdSubmission *
fd_submission_start (Queue *queue, Config *config, Users *users, int fd, const MessageEnvelope *envelope, gint64 uid,
                     QueueCommitted committed, gpointer user_data)
{
    FdSubmission *self = g_new0 (FdSubmission, 1);

    self->queue = queue;
    self->config = config_ref (config);
    self->envelope = message_envelope_copy (envelope);
    self->origin = (SubmissionOrigin){.uid = uid, .protocol = "dbus"};
    self->stream = g_unix_input_stream_new (fd, TRUE);
    self->cancellable = g_cancellable_new ();
    self->piece = g_malloc (PIECE_BYTES);
    self->committed = committed;
    self->user_data = user_data;
    smtp_content_init (&self->content, SMTP_CONTENT_CHUNKS, TRUE);

    if (uid >= 0)
        self->lookup = users_look_up (users, (uid_t) uid, user_found, self);
    else
        user_found (&(User){.name = NULL}, self);
    return self;
}

void
fd_submission_cancel (FdSubmission *self, const gchar *why)
{
    if (self->cancelled != NULL)
        return;

    /* A read that is under way ends by this; one that is not needs to be told. */
    self->cancelled = g_strdup (why);
    g_cancellable_cancel (self->cancellable);
    if (self->lookup == NULL && !self->is_waiting)
        return;

    g_clear_pointer (&self->lookup, users_lookup_cancel);
    self->is_waiting = FALSE;
    fail (self, g_error_new_literal (G_IO_ERROR, G_IO_ERROR_CANCELLED, why));
}
