/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Submitting a message
 *
 * The message is read until it is known whole or has grown past HEAD_WANTED_BYTES, and only then the relay is called:
 * a program that writes its mail over minutes does not hold a session open, and what is short is declared with
 * its size, and can be sent again if the relay is restarted meanwhile. What is longer streams through, so that memory
 * does not grow with the message.
 *
 * The header is looked at for what only the caller's side can do: with -t it names the recipients (and loses Bcc), if it
 * has no From, one is added with the name of the user who calls, and the flags of the environment are obeyed. All else
 * that a header may lack is the relay's to add, so a header that needs none of this is passed on as it came.
 *
 * With -t, addresses on the command line are recipients too, as with Postfix and nullmailer. Exim and old sendmail
 * take them out of the header's instead; of the two readings this is the one that loses no mail.
 */

#include <stdio.h>
#include <unistd.h>

#include "cli/sendmail-author.h"
#include "cli/sendmail-content.h"
#include "cli/sendmail-environment.h"
#include "cli/sendmail-error.h"
#include "cli/sendmail-return-path.h"
#include "cli/sendmail-session.h"
#include "cli/sendmail-submit.h"
#include "message/address-list.h"
#include "message/address.h"
#include "message/eight-bit.h"
#include "message/error.h"
#include "message/header.h"
#include "message/rewrite.h"

/* Memory for this much is there when the process starts. */
#define HEAD_USUAL_BYTES 16383

/* Most messages are shorter. */
#define HEAD_WANTED_BYTES 262144

/* Where the header matters all of it has to be read before anything can be sent; this holds half a million recipients. */
#define HEADER_LONGEST_BYTES (16 * 1024 * 1024)

/* Each restart of the relay may cost one; one that stops so often will not be there soon. */
#define SESSIONS_MOST 10

typedef struct {
    const SendmailOptions *options;
    SendmailEnvironment environment;
    SendmailAuthor *author;
    MessageEnvelope *envelope;
    gchar *return_path; /* (nullable) the sender for a relay that wants the one that the message names */
    guint named;        /* recipients of it that the command line named */
    SendmailContent *content;
    GString *head;         /* what was read before the relay is called */
    gsize body;            /* where in @head the body starts */
    gboolean header_known; /* @body is set */
} Submission;

static void
submission_clear (Submission *submission)
{
    g_clear_pointer (&submission->author, sendmail_author_free);
    g_clear_pointer (&submission->envelope, message_envelope_free);
    g_clear_pointer (&submission->return_path, g_free);
    g_clear_pointer (&submission->content, sendmail_content_free);
    if (submission->head != NULL)
        g_string_free (submission->head, TRUE);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Submission, submission_clear)

static gboolean
fail_with_address (GError **error, const gchar *text, const MessageListEntry *entry)
{
    g_autofree gchar *reason = message_address_list_explain (text, entry);

    g_set_error (error, SENDMAIL_ERROR, EX_DATAERR, "%s; nothing was sent", reason);
    return FALSE;
}

/* Adds the recipients of one argument, which may be a list as a header has it. */
static gboolean
add_recipients (MessageEnvelope *envelope, const gchar *text, GError **error)
{
    g_autoptr (GArray) entries = message_address_list_parse (text);

    for (guint i = 0; i < entries->len; i++) {
        const MessageListEntry *entry = &g_array_index (entries, MessageListEntry, i);
        g_autoptr (GError) reason = NULL;
        g_autofree gchar *address = NULL;

        if (entry->address == NULL)
            return fail_with_address (error, text, entry);

        address = message_address_parse (entry->address, MESSAGE_PATH_BARE | MESSAGE_PATH_UTF8, &reason);
        if (address == NULL) {
            g_set_error (error, SENDMAIL_ERROR, EX_DATAERR, "%s; nothing was sent", reason->message);
            return FALSE;
        }

        message_envelope_add (envelope, address);
    }

    return TRUE;
}

static gboolean
start_envelope (Submission *submission, GError **error)
{
    const SendmailOptions *options = submission->options;

    sendmail_environment_read (&submission->environment);
    submission->author = sendmail_author_new (options, &submission->environment, error);
    if (submission->author == NULL)
        return FALSE;

    submission->envelope = message_envelope_new (submission->author->address);
    submission->envelope->envid = g_strdup (options->envid);
    submission->envelope->ret = options->ret;

    for (guint i = 0; i < options->recipients->len; i++)
        if (!add_recipients (submission->envelope, g_ptr_array_index (options->recipients, i), error))
            return FALSE;

    submission->named = submission->envelope->recipients->len;
    if (submission->named > 0 || options->recipients_from_header)
        return TRUE;

    g_set_error (error, SENDMAIL_ERROR, EX_USAGE,
                 "no recipient is given: name one, or use -t to take those in the message's header%s%s%s",
                 options->envid != NULL ? "; “" : "", options->envid != NULL ? options->envid : "",
                 options->envid != NULL ? "” behind -V is an envelope id, and no recipient" : "");
    return FALSE;
}

static void
look_for_header_end (Submission *submission)
{
    GString *head = submission->head;

    if (sendmail_content_is_finished (submission->content)) {
        submission->body = message_header_end_of_complete (head->str, head->len);
        submission->header_known = TRUE;
    } else {
        submission->header_known = message_header_end (head->str, head->len, &submission->body);
    }
}

/* Whether the message may not be sent before its header was worked on. */
static gboolean
needs_header (const Submission *submission)
{
    return submission->options->recipients_from_header || submission->environment.flags != 0;
}

static gboolean
is_enough (const Submission *submission)
{
    if (sendmail_content_is_finished (submission->content))
        return TRUE;
    if (needs_header (submission) && !submission->header_known)
        return submission->head->len >= HEADER_LONGEST_BYTES;

    return submission->head->len >= HEAD_WANTED_BYTES;
}

/* Looks for the end of the header each time that twice as much is there, which keeps the sum of it linear. */
static gboolean
read_head (Submission *submission, GError **error)
{
    gsize next_look = HEAD_WANTED_BYTES;

    submission->content = sendmail_content_new (STDIN_FILENO, !submission->options->dot_is_content);
    submission->head = g_string_sized_new (HEAD_USUAL_BYTES);

    do {
        if (!sendmail_content_read (submission->content, submission->head, error))
            return FALSE;

        if (!submission->header_known &&
            (submission->head->len >= next_look || sendmail_content_is_finished (submission->content))) {
            look_for_header_end (submission);
            next_look = submission->head->len * 2;
        }
    } while (!is_enough (submission));

    return TRUE;
}

static gboolean
starts_with_blank (const GString *text)
{
    return text->len > 0 && (text->str[0] == ' ' || text->str[0] == '\t');
}

static gboolean
take_recipients (Submission *submission, MessageHeader *header, GError **error)
{
    g_autoptr (GError) reason = NULL;

    if (!message_rewrite_recipients (header, submission->envelope, &reason)) {
        g_set_error (error, SENDMAIL_ERROR, EX_DATAERR, "%s; nothing was sent", reason->message);
        return FALSE;
    }

    if (submission->envelope->recipients->len == 0) {
        g_set_error (error, SENDMAIL_ERROR, EX_DATAERR,
                     "no recipient is in the message's header: -t takes them from To, Cc and Bcc%s; nothing was sent",
                     starts_with_blank (submission->head)
                         ? "; the message has no header, because its first line starts with a blank"
                         : "");
        return FALSE;
    }

    return TRUE;
}

/* Returns: whether the header was changed, as are those below */
static gboolean
add_author (const Submission *submission, MessageHeader *header)
{
    SendmailFlags flags = submission->environment.flags;
    guint removed = flags & SENDMAIL_FLAG_OWN_FROM ? message_header_remove (header, "From") : 0;
    g_autofree gchar *from = NULL;

    if (message_header_find (header, "From") != NULL)
        return FALSE;

    from = sendmail_author_from (submission->author, (flags & SENDMAIL_FLAG_COMMENT) != 0);
    /* The relay would take the sender, which is no author. */
    if (from == NULL && submission->return_path != NULL)
        from = g_strdup (submission->author->address);
    if (from != NULL)
        message_header_append (header, "From", from);

    return removed > 0 || from != NULL;
}

static gboolean
remove_id (const Submission *submission, MessageHeader *header)
{
    return (submission->environment.flags & SENDMAIL_FLAG_OWN_ID) != 0 &&
           message_header_remove (header, "Message-ID") > 0;
}

/* Names the recipients in a message that names none; not those who were to be hidden by Bcc. */
static gboolean
add_to (const Submission *submission, MessageHeader *header)
{
    gboolean resent = message_rewrite_is_resent (header);
    g_autoptr (GString) to = NULL;

    if ((submission->environment.flags & SENDMAIL_FLAG_ADD_TO) == 0 || submission->named == 0 ||
        message_header_find (header, resent ? "Resent-To" : "To") != NULL ||
        message_header_find (header, resent ? "Resent-Cc" : "Cc") != NULL)
        return FALSE;

    to = g_string_new (NULL);
    for (guint i = 0; i < submission->named; i++)
        g_string_append_printf (to, "%s%s", i > 0 ? ",\r\n\t" : "",
                                message_envelope_recipient (submission->envelope, i)->address);
    if (resent)
        message_header_prepend (header, "Resent-To", to->str);
    else
        message_header_append (header, "To", to->str);

    return TRUE;
}

static void
take_return_path (Submission *submission, const MessageHeader *header)
{
    if (submission->options->sender == NULL && (submission->environment.flags & SENDMAIL_FLAG_NO_RETURN_PATH) == 0)
        submission->return_path = sendmail_return_path (header);
}

static void
replace_header (Submission *submission, const MessageHeader *header)
{
    GString *replaced = g_string_sized_new (submission->head->len + 256);

    message_header_write (header, replaced);
    g_string_append_len (replaced, submission->head->str + submission->body,
                         (gssize) (submission->head->len - submission->body));
    g_string_free (submission->head, TRUE);
    submission->head = replaced;
}

static gboolean
drop_bcc (MessageHeader *header)
{
    return message_header_remove (header, "Bcc") + message_header_remove (header, "Resent-Bcc") > 0;
}

static gboolean
complete_header (Submission *submission, GError **error)
{
    gboolean recipients = submission->options->recipients_from_header;
    g_autoptr (MessageHeader) header = NULL;
    gboolean changed;

    if (!submission->header_known) {
        if (!needs_header (submission))
            return TRUE;

        g_set_error (error, SENDMAIL_ERROR, EX_DATAERR,
                     "the message's header is longer than 16 MiB, too long for -t or NULLMAILER_FLAGS; nothing was "
                     "sent");
        return FALSE;
    }

    header = message_header_parse (submission->head->str, submission->body);
    if (recipients && !take_recipients (submission, header, error))
        return FALSE;

    take_return_path (submission, header);
    changed = recipients && drop_bcc (header);
    changed = add_author (submission, header) || changed;
    changed = remove_id (submission, header) || changed;
    changed = add_to (submission, header) || changed;
    if (changed)
        replace_header (submission, header);
    return TRUE;
}

/* What streams past the head is not known yet; the relay sees whether it is 8-bit further on. */
static void
complete_envelope (Submission *submission)
{
    MessageEnvelope *envelope = submission->envelope;

    if (submission->options->body_8bit || message_has_8bit (submission->head->str, submission->head->len))
        envelope->body = MESSAGE_BODY_8BITMIME;

    envelope->smtputf8 = !message_address_is_ascii (envelope->sender);
    for (guint i = 0; i < envelope->recipients->len; i++) {
        MessageRecipient *recipient = message_envelope_recipient (envelope, i);

        recipient->notify = submission->options->notify;
        envelope->smtputf8 = envelope->smtputf8 || !message_address_is_ascii (recipient->address);
    }
}

/* Sends what is left of a message that was not known whole. */
static gboolean
stream (Submission *submission, SendmailSession *session, GError **error)
{
    GString *piece = submission->head;

    while (!sendmail_content_is_finished (submission->content)) {
        if (!sendmail_session_content (session, piece->str, piece->len, error))
            return FALSE;

        g_string_truncate (piece, 0);
        if (!sendmail_session_wait (session, sendmail_content_fd (submission->content), error) ||
            !sendmail_content_read (submission->content, piece, error))
            return FALSE;
    }

    return sendmail_session_end (session, piece->str, piece->len, error);
}

/* Each session may be with another relay: one that was restarted, with another configuration. */
static void
choose_sender (Submission *submission, const SendmailSession *session)
{
    MessageEnvelope *envelope = submission->envelope;

    if (submission->return_path == NULL)
        return;

    g_free (envelope->sender);
    envelope->sender = g_strdup (sendmail_session_wants_return_path (session) ? submission->return_path
                                                                              : submission->author->address);
    envelope->smtputf8 = envelope->smtputf8 || !message_address_is_ascii (envelope->sender);
}

static gboolean
send_in_session (Submission *submission, const gchar *socket_path, gboolean whole, gboolean *stopping, GError **error)
{
    g_autoptr (SendmailSession) session =
        sendmail_session_open (socket_path, submission->options->verbose, stopping, error);

    if (session == NULL)
        return FALSE;

    choose_sender (submission, session);
    return sendmail_session_begin (session, submission->envelope, whole ? submission->head->len : 0, error) &&
           stream (submission, session, error);
}

/* A relay that stops under us did not take the message. The next one does: its socket is there meanwhile. */
static gboolean
send_to_relay (Submission *submission, const gchar *socket_path, GError **error)
{
    gboolean whole = sendmail_content_is_finished (submission->content);

    for (guint n = 1;; n++) {
        g_autoptr (GError) failure = NULL;
        gboolean stopping = FALSE;

        if (send_in_session (submission, socket_path, whole, &stopping, &failure))
            return TRUE;
        if (!stopping || !whole || n == SESSIONS_MOST) {
            g_propagate_error (error, g_steal_pointer (&failure));
            return FALSE;
        }
    }
}

static void
tell_of_nul_bytes (const Submission *submission)
{
    guint64 nul_bytes = sendmail_content_nul_bytes (submission->content);

    if (nul_bytes > 0 && submission->options->verbose)
        fprintf (stderr, "sendmail: %" G_GUINT64_FORMAT " NUL bytes were left out of the message\n", nul_bytes);
}

gboolean
sendmail_submit (const SendmailOptions *options, const gchar *socket_path, GError **error)
{
    g_auto (Submission) submission = {.options = options};

    if (!start_envelope (&submission, error) || !read_head (&submission, error) ||
        !complete_header (&submission, error))
        return FALSE;

    complete_envelope (&submission);
    if (!send_to_relay (&submission, socket_path, error))
        return FALSE;

    tell_of_nul_bytes (&submission);
    return TRUE;
}
