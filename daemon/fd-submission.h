/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "bus/caller.h"
#include "foreign.h"
#include "submission.h"
#include "users.h"

/*
 * A message whose content is read from a descriptor: a pipe, a socket, or a file that a client on the bus opened.
 */

typedef struct _FdSubmission FdSubmission;

typedef struct {
    Foreign *foreign;                /* which reads it */
    int fd;                          /* where the content is read from, to its end; taken over */
    const MessageEnvelope *envelope; /* copied; bare addresses are completed */
    gint64 uid;                      /* of who submits it; -1 if not known */
    BusCaller *
        caller; /* (nullable): must stay until all is over; if it leaves before the end of the content, that is dropped */
} FdSubmissionRequest;

/**
 * fd_submission_start:
 * @committed: called once from the main loop, with a GIOError if the descriptor cannot be read
 *
 * Returns: (transfer none): until @committed is called
 */
FdSubmission *fd_submission_start (Queue *queue, Config *config, Users *users, const FdSubmissionRequest *request,
                                   QueueCommitted committed, gpointer user_data);

/* Stops reading; @committed is called as soon as the main loop runs, with a GIOError that says @why. One that is being
 * committed goes on. */
void fd_submission_cancel (FdSubmission *submission, const gchar *why);
