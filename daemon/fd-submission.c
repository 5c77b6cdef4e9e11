/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Submissions from a descriptor
 *
 * A client on the bus passes the content as a descriptor, of which nothing is known: it may be a file, a pipe whose
 * writer has fallen asleep, or a terminal, and the client can go on to do with it what it likes. It is read as such descriptors
 * are (foreign.h), one piece at a time and only as fast as the queue takes it. A writer that says nothing for as long as a
 * session may be idle is given up.
 *
 * A pipe ends when nobody has it open for writing any more, and a terminal when its other end is closed; so a client that is killed while it writes seems to have come to its
 * end. A message is taken only if its client is still on the bus when all of it is here. Of one that has gone the message is
 * dropped, however much of it came: nobody was told that it was taken.
 *
 * Line ends are whatever the client's system has; they become CRLF here, as they do on the local socket.
 */

#include "fd-submission.h"

#include "smtp/content.h"

/* What is under way. */
typedef enum {
    STATE_LOOKING_UP, /* the user */
    STATE_READING,
    STATE_WAITING, /* for the queue to take more */
    STATE_ASKING,  /* whether the caller is still there */
    STATE_COMMITTING,
    STATE_ENDED
} State;

struct _FdSubmission {
    State state;
    Queue *queue;
    Config *config;
    MessageEnvelope *envelope;
    SubmissionOrigin origin;
    gchar *user;
    gchar *full_name;
    BusCaller *caller; /* (nullable) nobody is known who could go */

    UsersLookup *lookup;    /* (nullable) the user is being looked up */
    Submission *submission; /* (nullable) before that, and when all is over */
    ForeignReader *reader;  /* (nullable) there are too many */
    SmtpContent content;
    guint idle_timer; /* 0: nothing is waited for that the client has to do */

    guint end_source;   /* 0: not ended */
    GError *end_reason; /* (nullable) */

    QueueCommitted committed;
    gpointer user_data;
};

static void read_piece (FdSubmission *self);

static void
fd_submission_free (FdSubmission *self)
{
    g_clear_handle_id (&self->idle_timer, g_source_remove);
    g_clear_pointer (&self->submission, submission_free);
    g_clear_pointer (&self->reader, foreign_reader_free);
    message_envelope_free (self->envelope);
    config_unref (self->config);
    g_clear_error (&self->end_reason);
    g_free (self->user);
    g_free (self->full_name);
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

/* Ends it all from the main loop, because the caller may have only just been given @self. Takes @reason over. */
static void
fail (FdSubmission *self, GError *reason)
{
    g_assert (self->state != STATE_COMMITTING && self->state != STATE_ENDED);

    self->state = STATE_ENDED;
    g_clear_pointer (&self->lookup, users_lookup_cancel);
    g_clear_handle_id (&self->idle_timer, g_source_remove);
    g_clear_pointer (&self->reader, foreign_reader_free);
    if (self->caller != NULL)
        bus_caller_forget (self->caller);
    self->end_reason = reason;
    self->end_source = g_idle_add (tell_failure, self);
}

static gboolean
idle_too_long (gpointer user_data)
{
    FdSubmission *self = user_data;

    self->idle_timer = 0;
    fail (self,
          g_error_new (G_IO_ERROR, G_IO_ERROR_TIMED_OUT, "no content came through the file descriptor for %u seconds",
                       self->config->idle_seconds));
    return G_SOURCE_REMOVE;
}

static void
set_deadline (FdSubmission *self)
{
    g_clear_handle_id (&self->idle_timer, g_source_remove);
    self->idle_timer = g_timeout_add_seconds (self->config->idle_seconds, idle_too_long, self);
}

/* An SmtpContentSink */
static void
take_content (const gchar *data, gsize length, gpointer user_data)
{
    FdSubmission *self = user_data;

    submission_write (self->submission, data, length);
}

static void
take_piece (FdSubmission *self, const gchar *piece, gsize length)
{
    smtp_content_decode (&self->content, piece, length, take_content, self);
    if (submission_error (self->submission) != NULL) {
        fail (self, g_error_copy (submission_error (self->submission)));
        return;
    }

    self->state = STATE_WAITING;
    if (submission_backlog (self->submission) < QUEUE_INTAKE_BACKLOG_BYTES)
        read_piece (self);
}

static void
commit (FdSubmission *self)
{
    self->state = STATE_COMMITTING;
    if (self->caller != NULL)
        bus_caller_forget (self->caller);
    smtp_content_finish (&self->content, take_content, self);
    submission_commit (self->submission, tell_end, self);
}

static void
drop (FdSubmission *self)
{
    fail (self, g_error_new_literal (G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED,
                                     "the caller left the bus before all of the message was here"));
}

/* A BusCallerGone */
static void
caller_gone (gpointer user_data)
{
    drop (user_data);
}

/* A BusCallerAnswer */
static void
caller_asked (gboolean is_there, gpointer user_data)
{
    if (is_there)
        commit (user_data);
    else
        drop (user_data);
}

/* The content has come to an end; or its writer has. */
static void
take_end (FdSubmission *self)
{
    /* A file is as long as it is, whatever becomes of its writer. */
    if (self->caller == NULL || foreign_reader_is_file (self->reader)) {
        commit (self);
        return;
    }

    self->state = STATE_ASKING;
    bus_caller_ask (self->caller, caller_asked, self);
}

/* A ForeignRead */
static void
piece_read (const gchar *piece, gsize length, const GError *error, gpointer user_data)
{
    FdSubmission *self = user_data;

    g_clear_handle_id (&self->idle_timer, g_source_remove);
    if (error != NULL)
        fail (self, g_error_new (G_IO_ERROR, error->code, "the content cannot be read: %s", error->message));
    else if (length > 0)
        take_piece (self, piece, length);
    else
        take_end (self);
}

static void
read_piece (FdSubmission *self)
{
    self->state = STATE_READING;
    set_deadline (self);
    foreign_reader_read (self->reader, piece_read, self);
}

/* A QueueDrained */
static void
queue_drained (gpointer user_data)
{
    FdSubmission *self = user_data;

    if (self->state == STATE_WAITING)
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
fd_submission_start (Queue *queue, Config *config, Users *users, const FdSubmissionRequest *request,
                     QueueCommitted committed, gpointer user_data)
{
    FdSubmission *self = g_new0 (FdSubmission, 1);
    GError *error = NULL;

    self->queue = queue;
    self->config = config_ref (config);
    self->envelope = message_envelope_copy (request->envelope);
    self->origin = (SubmissionOrigin){.uid = request->uid, .protocol = "dbus"};
    self->caller = request->caller;
    self->committed = committed;
    self->user_data = user_data;
    smtp_content_init (&self->content, SMTP_CONTENT_CHUNKS, TRUE);

    self->reader = foreign_reader_new (request->foreign, request->fd, request->uid, &error);
    if (self->reader == NULL) {
        fail (self, error);
        return self;
    }

    if (self->caller != NULL)
        bus_caller_watch (self->caller, caller_gone, self);
    set_deadline (self);
    if (request->uid >= 0)
        self->lookup = users_look_up (users, (uid_t) request->uid, user_found, self);
    else
        user_found (&(User){.name = NULL}, self);
    return self;
}

void
fd_submission_cancel (FdSubmission *self, const gchar *why)
{
    if (self->state != STATE_COMMITTING && self->state != STATE_ENDED)
        fail (self, g_error_new_literal (G_IO_ERROR, G_IO_ERROR_CANCELLED, why));
}
