/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Work for callers on the bus
 *
 * A call that takes its time is begun here, and answered when it is done. A message that has reached the queue is
 * committed whatever happens to the relay; one that is still being read can be refused, and the caller told.
 */

#include "bus-work.h"

#include "bus/error.h"
#include "check.h"
#include "fd-submission.h"

#define STOPPING_TEXT "the relay is stopping; submit the message again"

struct _BusWork {
    Queue *queue;
    Users *users;
    Foreign *foreign;
    SmtpPoller *poller;
    const ConfigSources *sources;
    GQueue submissions; /* of PendingSubmission */
    GQueue checks;      /* of PendingCheck */

    gboolean ending;                    /* no more submissions */
    void (*ended) (gpointer user_data); /* (nullable) told already, or nobody asked */
    gpointer ended_data;
};

typedef struct {
    BusWork *work;
    FdSubmission *submission;
    BusSubmitted submitted;
    gpointer user_data;
    GList link;
} PendingSubmission;

typedef struct {
    BusWork *work;
    Check *check;
    BusChecked checked;
    gpointer user_data;
    GList link;
} PendingCheck;

BusWork *
bus_work_new (Queue *queue, Users *users, Foreign *foreign, SmtpPoller *poller, const ConfigSources *sources)
{
    BusWork *work = g_new0 (BusWork, 1);

    work->queue = queue;
    work->users = users;
    work->foreign = foreign;
    work->poller = poller;
    work->sources = sources;
    g_queue_init (&work->submissions);
    g_queue_init (&work->checks);

    return work;
}

void
bus_work_free (BusWork *work)
{
    bus_work_drop_checks (work);
    g_free (work);
}

/* ---- Messages ---- */

/* Returns: (transfer full) (nullable): @error as a caller on the bus tells it from others */
static GError *
refusal (const GError *error)
{
    if (error == NULL)
        return NULL;
    if (g_error_matches (error, SUBMISSION_ERROR, SUBMISSION_ERROR_SIZE) ||
        g_error_matches (error, SUBMISSION_ERROR, SUBMISSION_ERROR_RECIPIENTS) ||
        g_error_matches (error, G_IO_ERROR, G_IO_ERROR_TOO_MANY_OPEN_FILES))
        return g_error_new_literal (BUS_ERROR, BUS_ERROR_LIMIT_EXCEEDED, error->message);
    if (error->domain == SUBMISSION_ERROR)
        return g_error_new_literal (BUS_ERROR, BUS_ERROR_MESSAGE_REFUSED, error->message);

    return g_error_copy (error);
}

/* Tells it once: the answer to the last call may be what lets the end begin, within submission_ended (). */
static void
tell_if_ended (BusWork *work)
{
    void (*ended) (gpointer user_data) = work->ended;

    if (ended == NULL || work->submissions.length > 0)
        return;
    work->ended = NULL;
    ended (work->ended_data);
}

/* A QueueCommitted */
static void
submission_ended (QueueId id, const GError *error, gpointer user_data)
{
    PendingSubmission *pending = user_data;
    BusWork *work = pending->work;
    g_autoptr (GError) told = refusal (error);

    g_queue_unlink (&work->submissions, &pending->link);
    pending->submitted (id, told, pending->user_data);
    g_free (pending);
    tell_if_ended (work);
}

void
bus_work_submit (BusWork *work, Config *config, const BusSubmission *submission, BusSubmitted submitted,
                 gpointer submitted_data)
{
    const FdSubmissionRequest request = {.foreign = work->foreign,
                                         .fd = submission->fd,
                                         .envelope = submission->envelope,
                                         .uid = submission->uid,
                                         .caller = submission->caller};
    PendingSubmission *pending = g_new0 (PendingSubmission, 1);

    pending->work = work;
    pending->submitted = submitted;
    pending->user_data = submitted_data;
    pending->link.data = pending;
    pending->submission = fd_submission_start (work->queue, config, work->users, &request, submission_ended, pending);
    g_queue_push_tail_link (&work->submissions, &pending->link);

    if (work->ending)
        fd_submission_cancel (pending->submission, STOPPING_TEXT);
}

guint
bus_work_submissions (const BusWork *work)
{
    return work->submissions.length;
}

void
bus_work_cancel_submissions (BusWork *work)
{
    for (GList *link = work->submissions.head; link != NULL; link = link->next)
        fd_submission_cancel (((PendingSubmission *) link->data)->submission, STOPPING_TEXT);
}

void
bus_work_end_submissions (BusWork *work, void (*ended) (gpointer user_data), gpointer user_data)
{
    work->ending = TRUE;
    work->ended = ended;
    work->ended_data = user_data;
    tell_if_ended (work);
}

/* ---- Checks ---- */

/* A CheckDone */
static void
check_done (GVariant *report, gpointer user_data)
{
    PendingCheck *pending = user_data;

    g_queue_unlink (&pending->work->checks, &pending->link);
    pending->checked (report, pending->user_data);
    g_free (pending);
}

void
bus_work_check (BusWork *work, gboolean connect, const gchar *sender, BusChecked checked, gpointer checked_data)
{
    PendingCheck *pending = g_new0 (PendingCheck, 1);

    pending->work = work;
    pending->checked = checked;
    pending->user_data = checked_data;
    pending->link.data = pending;
    pending->check = check_new (work->poller, work->sources, connect, sender, check_done, pending);
    g_queue_push_tail_link (&work->checks, &pending->link);
}

void
bus_work_drop_checks (BusWork *work)
{
    while (work->checks.head != NULL)
        check_free (((PendingCheck *) work->checks.head->data)->check);
}
