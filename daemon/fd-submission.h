/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "submission.h"
#include "users.h"

/*
 * A message whose content is read from a descriptor: a pipe, a socket, or a file that a client on the bus opened.
 */

typedef struct _FdSubmission FdSubmission;

/**
 * fd_submission_start:
 * @fd: (transfer full): where the content is read from, to its end; it stays blocking if it is
 * @envelope: copied; bare addresses are completed
 * @uid: who submits it
 * @committed: called once from the main loop, with a GIOError if the descriptor cannot be read
 *
 * Returns: (transfer none): until @committed is called
 */
FdSubmission *fd_submission_start (Queue *queue, Config *config, Users *users, int fd,
                                   const MessageEnvelope *envelope, gint64 uid, QueueCommitted committed,
                                   gpointer user_data);

/* Stops reading; @committed is called as soon as the main loop runs, with a GIOError that says @why. One that is being
 * committed goes on. */
void fd_submission_cancel (FdSubmission *submission, const gchar *why);
