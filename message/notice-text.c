/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The part of a notice for people
 *
 * Whoever sent a message wants to know three things: did it arrive, if not why not, and is there something to do.
 * So that is what this part says first, in plain words made from the enhanced status code (RFC 3463), with the
 * remote server's own words behind it in quotes: they are often better than any table, and the administrator who is
 * asked for help needs them.
 *
 * The text stays in ASCII unless the original's envelope was not: a notice must reach whoever could send the
 * original.
 */

#include <string.h>

#include "message/date.h"
#include "message/notice-text.h"
#include "message/printable.h"

#define LINE_WANTED_BYTES  76
#define WORD_LONGEST_BYTES 900 /* so that no line is longer than RFC 5321 4.5.3.1.6 allows */
#define INDENT             "    "

/* People read a few lines of a server's reply; the part for programs has more of it. */
#define REPLY_LONGEST_BYTES   1000
#define SUBJECT_LONGEST_BYTES 150

/* The length of the word at @text, cut between characters where it would not fit on any line. */
static gsize
word_length (const gchar *text)
{
    gsize length = strcspn (text, " ");

    if (length <= WORD_LONGEST_BYTES)
        return length;

    return (gsize) (g_utf8_find_prev_char (text, text + WORD_LONGEST_BYTES + 1) - text);
}

/* Appends a paragraph: words, wrapped, each line behind @indent. */
static void
append_wrapped (GString *out, const gchar *indent, const gchar *text)
{
    gsize line = out->len;

    g_string_append (out, indent);
    while (*text != '\0') {
        gsize word = word_length (text);
        gboolean first = out->len == line + strlen (indent);

        if (!first && out->len - line + 1 + word > LINE_WANTED_BYTES) {
            g_string_append (out, "\r\n");
            line = out->len;
            g_string_append (out, indent);
        } else if (!first) {
            g_string_append_c (out, ' ');
        }
        g_string_append_len (out, text, (gssize) word);
        text += word;
        text += strspn (text, " ");
    }
    g_string_append (out, "\r\n");
}

G_GNUC_PRINTF (3, 4)
static void
append_paragraph (GString *out, const gchar *indent, const gchar *format, ...)
{
    g_autofree gchar *text = NULL;
    va_list arguments;

    va_start (arguments, format);
    text = g_strdup_vprintf (format, arguments);
    va_end (arguments);

    append_wrapped (out, indent, text);
}

/* What the subject and detail of a status mean to somebody who sent a message (RFC 3463 3, and its registry). */
static const struct {
    const gchar *detail;
    const gchar *meaning;
} meanings[] = {
    {"1.1", "The address does not exist there. Please look for a typing error in the part before the \"@\"."},
    {"1.2", "The part of the address behind the \"@\" does not exist, or takes no mail. Please look for a typing "
            "error in it."},
    {"1.3", "The address is not written as an address has to be."},
    {"1.6", "The recipient has moved, and the new address is not known."},
    {"1.7", "Your own address, as it stands in the message, is not accepted there."},
    {"1.8", "Your own address, as it stands in the message, is not accepted there."},
    {"1.10", "The recipient's domain takes no mail at all."},
    {"2.1", "The recipient's mailbox is switched off."},
    {"2.2", "The recipient's mailbox is full."},
    {"2.3", "The message is larger than the recipient's mailbox allows."},
    {"3.1", "The recipient's mail system is out of space."},
    {"3.2", "The recipient's mail system takes no mail at the moment."},
    {"3.4", "The message is too large for the recipient's mail system. A smaller one may get through."},
    {"4.1", "The recipient's mail system does not answer."},
    {"4.2", "The connection to the recipient's mail system broke."},
    {"4.3", "The look-up of the recipient's mail system failed."},
    {"4.4", "No way to the recipient's mail system could be found."},
    {"4.6", "The message went round in a circle between mail systems."},
    {"4.7", "It could not be delivered in the time that is allowed for it."},
    {"5.3", "The message has too many recipients at once."},
    {"6.3", "The recipient's mail system cannot take the kind of text that the message is written in."},
    {"6.7", "The recipient's mail system cannot take addresses with letters beyond ASCII."},
    {"7.1", "The recipient's mail system does not take this message from here."},
    {"7.8", "The mail server did not accept this relay's user name and password."},
};

static const gchar *
class_meaning (const gchar *status)
{
    switch (status[0]) {
    case '4':
        return "The recipient's mail system could not take the message.";
    case '5':
        return "The recipient's mail system refused the message.";
    default:
        return NULL;
    }
}

static const gchar *
status_meaning (const gchar *status)
{
    if (status[0] == '2' || status[0] == '\0' || status[1] != '.')
        return class_meaning (status);

    for (guint i = 0; i < G_N_ELEMENTS (meanings); i++)
        if (strcmp (status + 2, meanings[i].detail) == 0)
            return meanings[i].meaning;

    return class_meaning (status);
}

static void
append_address (GString *out, gboolean utf8, const MessageNoticeRecipient *entry)
{
    const gchar *address = entry->recipient->address;
    g_autofree gchar *shown = message_printable (address, strlen (address), REPLY_LONGEST_BYTES, utf8);
    g_autofree gchar *bracketed = g_strconcat ("<", shown, ">", NULL);

    append_wrapped (out, INDENT, bracketed);
}

static void
append_reason (GString *out, gboolean utf8, const MessageNoticeRecipient *entry)
{
    g_autofree gchar *reply = NULL;
    g_autofree gchar *remote = NULL;
    const gchar *meaning = entry->remote != NULL || entry->reply == NULL ? status_meaning (entry->status) : NULL;

    if (meaning != NULL)
        append_wrapped (out, INDENT INDENT, meaning);
    if (entry->reply == NULL)
        return;

    reply = message_printable (entry->reply, strlen (entry->reply), REPLY_LONGEST_BYTES, utf8);
    if (entry->remote == NULL) {
        append_paragraph (out, INDENT INDENT, "The reason: %s", reply);
        return;
    }

    remote = message_printable (entry->remote, strlen (entry->remote), REPLY_LONGEST_BYTES, utf8);
    append_paragraph (out, INDENT INDENT, "The server %s said: \"%s\"", remote, reply);
}

static gint64
latest_retry (const MessageNotice *notice)
{
    gint64 latest = 0;

    for (guint i = 0; i < notice->recipients->len; i++)
        latest = MAX (latest, g_array_index (notice->recipients, MessageNoticeRecipient, i).retry_until_usec);

    return latest;
}

static void
append_delayed (GString *out, const MessageNotice *notice, const gchar *whom)
{
    gint64 latest = latest_retry (notice);
    g_autofree gchar *until = message_date_format (latest);

    append_paragraph (
        out, "",
        "Your message has not been delivered yet to %s. There is nothing that you need to do: it will be "
        "tried again%s%s, and if that does not help, you will be told.",
        whom, latest != 0 ? " until " : "", latest != 0 ? until : "");
}

static void
append_outcome (GString *out, const MessageNotice *notice)
{
    const gchar *whom = notice->recipients->len == 1 ? "this recipient" : "these recipients";

    switch (g_array_index (notice->recipients, MessageNoticeRecipient, 0).action) {
    case MESSAGE_ACTION_FAILED:
        append_paragraph (out, "", "Your message could not be delivered to %s. It will not be tried again.", whom);
        break;
    case MESSAGE_ACTION_DELAYED:
        append_delayed (out, notice, whom);
        break;
    case MESSAGE_ACTION_DELIVERED:
        append_paragraph (out, "", "Your message was delivered to %s, as you asked to be told.", whom);
        break;
    case MESSAGE_ACTION_RELAYED:
        append_paragraph (
            out, "",
            "Your message for %s was passed on to the next mail server. You asked to be told when it is "
            "delivered; that server gives no such notice, so this is the last one.",
            whom);
        break;
    }
}

static void
append_which_message (GString *out, const MessageNotice *notice, gboolean utf8, const gchar *subject)
{
    g_autofree gchar *arrival = message_date_format (notice->arrival_usec);

    if (subject != NULL) {
        g_autofree gchar *shown = message_printable (subject, strlen (subject), SUBJECT_LONGEST_BYTES, utf8);

        append_paragraph (out, "", "It is the message \"%s\" of %s.", shown, arrival);
    } else {
        append_paragraph (out, "", "It is the message of %s.", arrival);
    }
}

static gboolean
same_text (const gchar *a, const gchar *b)
{
    return a == b || g_strcmp0 (a, b) == 0;
}

static gboolean
same_reason (const MessageNoticeRecipient *a, const MessageNoticeRecipient *b)
{
    return same_text (a->reply, b->reply) && same_text (a->status, b->status) && same_text (a->remote, b->remote);
}

void
message_notice_text_begin (GString *out, const MessageNotice *notice)
{
    append_outcome (out, notice);
    g_string_append (out, "\r\n");
}

void
message_notice_text_add (GString *out, const MessageNotice *notice, gboolean utf8, guint index)
{
    const MessageNoticeRecipient *entry = &g_array_index (notice->recipients, MessageNoticeRecipient, index);

    append_address (out, utf8, entry);
    if (index + 1 < notice->recipients->len && same_reason (entry, entry + 1))
        return;

    append_reason (out, utf8, entry);
    g_string_append (out, "\r\n");
}

void
message_notice_text_end (GString *out, const MessageNotice *notice, gboolean utf8, const gchar *subject,
                         const gchar *returned)
{
    append_which_message (out, notice, utf8, subject);
    g_string_append (out, "\r\n");
    append_paragraph (
        out, "",
        "This notice was made by the mail relay on %s. If you need help, please show it to the "
        "administrator; the message's name in the log is %s. Below follows a report for mail programs%s%s.",
        notice->host_name, notice->queue_id, returned != NULL ? ", and " : "", returned != NULL ? returned : "");
}
