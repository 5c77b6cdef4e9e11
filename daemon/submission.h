/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "config.h"
#include "queue/queue.h"

/*
 * A message on its way into the queue, from whomever it comes: it is held to the limits, its header is completed, the trace is
 * put in front, and the rest streams through.
 */

typedef struct _Submission Submission;

/* Where a message comes from. Strings belong to the caller. */
typedef struct {
    gint64 uid;             /* of a local user; -1 if not known */
    const gchar *user;      /* (nullable) that user's login name */
    const gchar *full_name; /* (nullable) and full name */
    const gchar *peer;      /* (nullable) address of a TCP client */
    const gchar *helo;      /* (nullable) */
    const gchar *protocol;  /* "ESMTP", …, "local", "dbus" */
    const gchar *tls;       /* (nullable) */
} SubmissionOrigin;

/* What is wrong with a message. All are for good. */
#define SUBMISSION_ERROR (submission_error_quark ())

typedef enum {
    SUBMISSION_ERROR_HEADER,     /* the header section is larger than SUBMISSION_HEADER_LONGEST_BYTES */
    SUBMISSION_ERROR_SIZE,       /* the message is larger than allowed */
    SUBMISSION_ERROR_RECIPIENTS, /* it is for more recipients than allowed */
    SUBMISSION_ERROR_TEXT,       /* it is in an encoding that is no text to mail */
    SUBMISSION_ERROR_LOOP        /* it has been through SUBMISSION_HOPS_MOST hosts */
} SubmissionError;

GQuark submission_error_quark (void);

/* To be rewritten a header has to be in memory. One with ten thousand recipients in To: has half of this. */
#define SUBMISSION_HEADER_LONGEST_BYTES (1024 * 1024)

/* RFC 5321 6.3 wants a limit of at least 100. */
#define SUBMISSION_HOPS_MOST 100

/**
 * submission_new:
 * @origin: must stay until the submission is committed or freed
 * @envelope: as it was given, with canonical addresses; the message is queued for whom its recipients really are
 * @expected_bytes: size of the content if it is known, 0 if not
 * @drained: see queue_intake_new ()
 *
 * Returns: (transfer full): or %NULL with a QUEUE_ERROR or SUBMISSION_ERROR
 */
Submission *submission_new (Queue *queue, Config *config, const SubmissionOrigin *origin,
                            const MessageEnvelope *envelope, guint64 expected_bytes, QueueDrained drained,
                            gpointer user_data, GError **error);

/* Content, CRLF line ends; copied. Errors show at the commit, and before. */
void submission_write (Submission *submission, const gchar *data, gsize length);

/* Returns: (nullable): why no more of the message is wanted */
const GError *submission_error (const Submission *submission);

/* Bytes written and not yet given to the kernel: beyond QUEUE_INTAKE_BACKLOG_BYTES a writer should wait for drained. */
gsize submission_backlog (const Submission *submission);

/**
 * submission_commit:
 * @committed: with the id; or 0 and a SUBMISSION_ERROR or QUEUE_ERROR
 *
 * The content is complete: makes it durable, then calls @committed, from here or from the main loop. Then only
 * submission_free () is left to be called, at the earliest in @committed.
 */
void submission_commit (Submission *submission, QueueCommitted committed, gpointer user_data);

/* Drops a message that was not committed. One that is being committed will be queued, but @committed is not called. */
void submission_free (Submission *submission);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Submission, submission_free)
