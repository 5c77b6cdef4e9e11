/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Submissions
 *
 * Whoever hands over a message (an SMTP session, a call on the bus), it goes through here, so that there is one rule for
 * what a message looks like in the queue, and one for how much of everything it may have. A door that knows earlier that a
 * message will have too much, says so earlier. The header section is held back until its end is known, then completed
 * (RFC 6409 section 8) and given a trace; everything after it passes through and costs no memory. Most messages come in
 * one piece, whose header is then read where it lies.
 *
 * A relay that its own smarthost sends mail back to would pass a message round for ever. It counts the hosts that a message
 * has been through by their traces, and refuses one that has seen too many (RFC 5321 6.3).
 *
 * Programs send 8-bit content without saying so. What the envelope says of the body is corrected by what was seen in it
 * (RFC 6152), so that the next server is told the truth. So is UTF-8 in the header: such a message is an internationalized
 * one (RFC 6532 3.7), and a server that does not offer SMTPUTF8 may not be given it. Bytes in a header that are not UTF-8
 * are what they always were, somebody's mistake that no standard has a word for, and go the way of all 8-bit content.
 *
 * A submission may lose its owner while the queue makes it durable: a client is gone, a session was ended. The message is
 * queued then all the same; the client, without an answer, may send it again (RFC 5321 4.5.3.2.6 and RFC 1047 know of this).
 */

#include "submission.h"

#include "message/eight-bit.h"
#include "message/header.h"
#include "message/line-check.h"
#include "message/rewrite.h"
#include "message/text-start.h"
#include "message/trace.h"
#include "recipients.h"
#include "rewriting.h"

#include <string.h>

struct _Submission {
    Config *config;
    const SubmissionOrigin *origin;
    MessageEnvelope *envelope; /* (nullable) whom it is really for */
    QueueIntake *intake;       /* (nullable) both until it is committed */

    gboolean begun;   /* the first bytes were looked at */
    GString *header;  /* (nullable) what has come of a header whose end has not; NULL until there is some */
    gsize searched;   /* bytes of it in which the end was looked for */
    gboolean in_body; /* the header was written */
    guint64 bytes;    /* that came */
    gboolean is_8bit; /* what was written has bytes beyond ASCII */
    MessageLineCheck lines;
    GError *error; /* (nullable) what is wrong with the message */

    QueueCommitted committed; /* (nullable) the owner is gone */
    gpointer user_data;
    gboolean committing;
};

G_DEFINE_QUARK (postern_submission_error, submission_error)

/* Returns: (transfer full): the envelope that is queued */
static MessageEnvelope *
complete_envelope (const MessageEnvelope *given, const Config *config)
{
    g_autofree gchar *sender = rewriting_sender (given->sender, config);
    MessageEnvelope *envelope = message_envelope_new (sender);

    envelope->envid = g_strdup (given->envid);
    envelope->ret = given->ret;
    envelope->body = given->body;
    envelope->smtputf8 = given->smtputf8;
    recipients_resolve (given, config, envelope);
    return envelope;
}

Submission *
submission_new (Queue *queue, Config *config, const SubmissionOrigin *origin, const MessageEnvelope *envelope,
                guint64 expected_bytes, QueueDrained drained, gpointer user_data, GError **error)
{
    QueueOrigin queue_origin = {.uid = origin->uid,
                                .peer = (gchar *) origin->peer,
                                .helo = (gchar *) origin->helo,
                                .protocol = (gchar *) origin->protocol};
    QueueIntake *intake;
    Submission *submission;

    if (envelope->recipients->len > config->recipients_most) {
        g_set_error (error, SUBMISSION_ERROR, SUBMISSION_ERROR_RECIPIENTS,
                     "the message is for %u recipients, and one message has at most %u here (MaxRecipients=)",
                     envelope->recipients->len, config->recipients_most);
        return NULL;
    }

    intake = queue_intake_new (queue, &queue_origin, expected_bytes, drained, user_data, error);
    if (intake == NULL)
        return NULL;

    submission = g_new0 (Submission, 1);
    submission->config = config_ref (config);
    submission->origin = origin;
    submission->envelope = complete_envelope (envelope, config);
    submission->intake = intake;
    return submission;
}

void
submission_free (Submission *submission)
{
    if (submission->committing) {
        submission->committed = NULL;
        return;
    }

    g_clear_pointer (&submission->intake, queue_intake_abort);
    if (submission->header != NULL)
        g_string_free (submission->header, TRUE);
    g_clear_error (&submission->error);
    message_envelope_free (submission->envelope);
    config_unref (submission->config);
    g_free (submission);
}

/* The message is bad: nothing more of it is wanted. */
static void give_up (Submission *submission, SubmissionError code, const gchar *format, ...) G_GNUC_PRINTF (3, 4);

static void
give_up (Submission *submission, SubmissionError code, const gchar *format, ...)
{
    va_list arguments;

    va_start (arguments, format);
    submission->error = g_error_new_valist (SUBMISSION_ERROR, (gint) code, format, arguments);
    va_end (arguments);

    g_clear_pointer (&submission->intake, queue_intake_abort);
}

static guint
count_hops (const MessageHeader *header)
{
    guint hops = 0;

    for (guint i = 0; i < message_header_count (header); i++)
        if (g_ascii_strcasecmp (message_header_field (header, i)->name, "Received") == 0)
            hops++;

    return hops;
}

static gchar *
make_trace (const Submission *submission, gint64 now_usec)
{
    const SubmissionOrigin *origin = submission->origin;
    const GPtrArray *recipients = submission->envelope->recipients;
    gchar id[QUEUE_ID_TEXT_BYTES];
    MessageTrace trace = {.helo = origin->helo,
                          .peer = origin->peer,
                          .user = origin->user,
                          .uid = origin->uid,
                          .by = submission->config->host_name,
                          .protocol = origin->protocol,
                          .tls = origin->tls,
                          .id = id,
                          .usec = now_usec};

    /* To name one of several would tell each of them of the others (RFC 5321 7.2). */
    if (recipients->len == 1)
        trace.recipient = message_envelope_recipient (submission->envelope, 0)->address;

    queue_id_write (queue_intake_id (submission->intake), id);
    return message_trace_format (&trace);
}

/* The msg-id in the header, for the log. A header may fold it, or say more beside it. */
static void
tell_message_id (Submission *submission, const MessageHeader *header)
{
    const MessageField *field = message_header_find (header, "Message-ID");
    const gchar *begin = field != NULL ? strchr (field->body, '<') : NULL;
    const gchar *end = begin != NULL ? strchr (begin, '>') : NULL;
    g_autofree gchar *message_id = NULL;

    if (end == NULL)
        return;

    message_id = g_strndup (begin, (gsize) (end - begin + 1));
    if (strpbrk (message_id, " \t\r\n") == NULL)
        queue_intake_set_message_id (submission->intake, message_id);
}

static void
write_content (Submission *submission, const gchar *data, gsize length)
{
    submission->is_8bit = submission->is_8bit || message_has_8bit (data, length);
    message_line_check_feed (&submission->lines, data, length);
    queue_intake_write (submission->intake, data, length);
}

/* Takes the header section, @length bytes at @data, through the rewriting into the queue. */
static void
write_header (Submission *submission, const gchar *data, gsize length)
{
    g_autoptr (MessageHeader) header = message_header_parse (data, length);
    g_autoptr (GString) text = NULL;
    g_autofree gchar *trace = NULL;
    MessageRewrite rewrite = {.host_name = submission->config->host_name,
                              .completion = &submission->config->completion,
                              .sender = submission->envelope->sender,
                              .full_name = submission->origin->full_name,
                              .address = rewriting_knows_header (submission->config) ? rewriting_header : NULL,
                              .user_data = submission->config,
                              .original_field = submission->config->original_field,
                              .usec = g_get_real_time ()};

    if (count_hops (header) > SUBMISSION_HOPS_MOST) {
        give_up (submission, SUBMISSION_ERROR_LOOP,
                 "the message has been through more than %d hosts and seems to go round in a loop",
                 SUBMISSION_HOPS_MOST);
        return;
    }

    message_rewrite_submission (header, &rewrite);
    tell_message_id (submission, header);
    trace = make_trace (submission, rewrite.usec);
    message_header_prepend (header, "Received", trace);

    text = g_string_sized_new (length + 1024);
    message_header_write (header, text);
    write_content (submission, text->str, text->len);
    submission->in_body = TRUE;
}

/* Writes a header of which @end bytes at @data are the section and the rest is body. */
static void
write_start (Submission *submission, const gchar *data, gsize length, gsize end)
{
    write_header (submission, data, end);
    if (submission->in_body && length > end)
        write_content (submission, data + end, length - end);
}

/* Whether it is worth looking for the header's end again: each look costs by all of what has come, so a header that
 * comes in a thousand pieces is not looked through a thousand times. An empty line ends it whatever is before. */
static gboolean
should_search (const Submission *submission)
{
    const GString *header = submission->header;
    gsize from = submission->searched > 3 ? submission->searched - 3 : 0;

    return header->len >= 2 * submission->searched ||
           memmem (header->str + from, header->len - from, "\r\n\r\n", 4) != NULL;
}

/*
 * Steps over a byte order mark that an editor left in front of the message: with it the first field would be none, and the header
 * text. Returns: whether there is enough to go on with
 */
static gboolean
begin (Submission *submission, const gchar **data, gsize *length)
{
    g_autoptr (GError) error = NULL;
    const gchar *start;
    gsize rest;

    /* Few write their messages in such crumbs. */
    if (submission->header != NULL || message_text_start_is_open (*data, *length)) {
        if (submission->header == NULL)
            submission->header = g_string_new (NULL);
        g_string_append_len (submission->header, *data, (gssize) *length);
        *length = 0;
        if (message_text_start_is_open (submission->header->str, submission->header->len))
            return FALSE;
    }

    submission->begun = TRUE;
    start = submission->header != NULL ? submission->header->str : *data;
    rest = submission->header != NULL ? submission->header->len : *length;
    if (!message_text_start (&start, &rest, &error)) {
        give_up (submission, SUBMISSION_ERROR_TEXT, "the message cannot be read: %s", error->message);
        return FALSE;
    }

    if (submission->header != NULL) {
        g_string_erase (submission->header, 0, start - submission->header->str);
    } else {
        *data = start;
        *length = rest;
    }
    return TRUE;
}

static void
gather_header (Submission *submission, const gchar *data, gsize length)
{
    gsize end;

    if (!submission->begun && !begin (submission, &data, &length))
        return;

    if (submission->header == NULL) {
        if (message_header_end (data, length, &end)) {
            write_start (submission, data, length, end);
            return;
        }
        submission->header = g_string_new (NULL);
        submission->searched = length;
    }

    g_string_append_len (submission->header, data, (gssize) length);
    if (should_search (submission)) {
        submission->searched = submission->header->len;
        if (message_header_end (submission->header->str, submission->header->len, &end)) {
            write_start (submission, submission->header->str, submission->header->len, end);
            g_string_free (g_steal_pointer (&submission->header), TRUE);
            return;
        }
    }

    if (submission->header->len > SUBMISSION_HEADER_LONGEST_BYTES) {
        give_up (submission, SUBMISSION_ERROR_HEADER, "the header of the message is larger than %d bytes",
                 SUBMISSION_HEADER_LONGEST_BYTES);
        g_string_free (g_steal_pointer (&submission->header), TRUE);
    }
}

static gboolean
check_size (Submission *submission, gsize more)
{
    guint64 most = submission->config->message_longest_bytes;

    submission->bytes += more;
    if (most == 0 || submission->bytes <= most)
        return TRUE;

    give_up (submission, SUBMISSION_ERROR_SIZE, "the message is larger than %" G_GUINT64_FORMAT " bytes", most);
    return FALSE;
}

void
submission_write (Submission *submission, const gchar *data, gsize length)
{
    if (submission->error != NULL || length == 0 || !check_size (submission, length))
        return;

    if (submission->in_body)
        write_content (submission, data, length);
    else
        gather_header (submission, data, length);
}

const GError *
submission_error (const Submission *submission)
{
    return submission->error;
}

gsize
submission_backlog (const Submission *submission)
{
    return submission->intake != NULL ? queue_intake_backlog (submission->intake) : 0;
}

/* A message that ended before its header did: nothing but a header, or nothing at all. */
static void
write_rest (Submission *submission)
{
    const gchar *data = submission->header != NULL ? submission->header->str : "";
    gsize length = submission->header != NULL ? submission->header->len : 0;

    write_start (submission, data, length, message_header_end_of_complete (data, length));
}

/* A QueueCommitted */
static void
queue_committed (QueueId id, const GError *error, gpointer user_data)
{
    Submission *submission = user_data;

    submission->committing = FALSE;
    if (submission->committed != NULL)
        submission->committed (id, error, submission->user_data);
    else
        submission_free (submission);
}

void
submission_commit (Submission *submission, QueueCommitted committed, gpointer user_data)
{
    if (submission->error == NULL && !submission->in_body)
        write_rest (submission);

    if (submission->error != NULL) {
        g_autoptr (GError) error = g_error_copy (submission->error);

        committed (0, error, user_data);
        return;
    }

    if (submission->is_8bit)
        submission->envelope->body = MESSAGE_BODY_8BITMIME;
    submission->envelope->long_lines = message_line_check_end (&submission->lines);

    submission->committing = TRUE;
    submission->committed = committed;
    submission->user_data = user_data;
    queue_intake_commit (g_steal_pointer (&submission->intake), g_steal_pointer (&submission->envelope), FALSE,
                         queue_committed, submission);
}
