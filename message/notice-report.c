/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The part of a notice for programs
 *
 * Mailing lists and shops read this part to learn which address failed and why, so its fields are those of RFC 3464
 * and no others, but one: the name of the message in this relay's log, for whoever asks its administrator.
 *
 * Everything that others wrote (replies, ENVID, ORCPT) could hold anything once its xtext is decoded. It is made
 * printable before it goes into a field.
 */

#include <string.h>

#include "message/date.h"
#include "message/notice-report.h"
#include "message/printable.h"

/* RFC 5322 2.1.1 wants lines of 78 at most, and lets none be longer than 998. */
#define LINE_WANTED_BYTES  78
#define WORD_LONGEST_BYTES 900

/* A reply of many lines is worth that much to a program. */
#define VALUE_LONGEST_BYTES 8192

/* The length of the next word with the spaces before it, cut between characters where it would not fit on a line. */
static gsize
word_length (const gchar *text)
{
    gsize spaces = strspn (text, " ");
    gsize length = spaces + strcspn (text + spaces, " ");

    if (length <= WORD_LONGEST_BYTES)
        return length;

    return (gsize) (g_utf8_find_prev_char (text, text + WORD_LONGEST_BYTES + 1) - text);
}

/* Appends a field, folded at spaces. */
static void
append_field (GString *out, const gchar *name, const gchar *value)
{
    gsize line = out->len;

    g_string_append (out, name);
    g_string_append (out, ": ");
    while (*value != '\0') {
        gsize word = word_length (value);

        if (out->len - line + word > LINE_WANTED_BYTES && out->len - line > strlen (name) + 2) {
            g_string_append (out, "\r\n");
            line = out->len;
            if (*value != ' ')
                g_string_append_c (out, ' ');
        }
        g_string_append_len (out, value, (gssize) word);
        value += word;
    }
    g_string_append (out, "\r\n");
}

/* Appends "Name: type; text", @text made printable. */
static void
append_typed (GString *out, gboolean utf8, const gchar *name, const gchar *type, const gchar *text)
{
    g_autofree gchar *printable = message_printable (text, strlen (text), VALUE_LONGEST_BYTES, utf8);
    g_autofree gchar *value = type != NULL ? g_strconcat (type, "; ", printable, NULL) : g_steal_pointer (&printable);

    append_field (out, name, value);
}

static void
append_date (GString *out, const gchar *name, gint64 usec)
{
    g_autofree gchar *date = NULL;

    if (usec == 0)
        return;

    date = message_date_format (usec);
    append_field (out, name, date);
}

void
message_notice_report_begin (GString *out, const MessageNotice *notice, gboolean utf8)
{
    append_typed (out, utf8, "Reporting-MTA", "dns", notice->host_name);
    if (notice->envelope->envid != NULL)
        append_typed (out, utf8, "Original-Envelope-Id", NULL, notice->envelope->envid);
    append_typed (out, utf8, "X-Postern-Queue-ID", NULL, notice->queue_id);
    append_date (out, "Arrival-Date", notice->arrival_usec);
}

static const gchar *
action_name (MessageAction action)
{
    switch (action) {
    case MESSAGE_ACTION_FAILED:
        return "failed";
    case MESSAGE_ACTION_DELAYED:
        return "delayed";
    case MESSAGE_ACTION_DELIVERED:
        return "delivered";
    case MESSAGE_ACTION_RELAYED:
        return "relayed";
    }

    g_return_val_if_reached ("failed");
}

static const gchar *
address_type (const gchar *address)
{
    return g_str_is_ascii (address) ? "rfc822" : "utf-8";
}

void
message_notice_report_add (GString *out, const MessageNotice *notice, gboolean utf8, guint index)
{
    const MessageNoticeRecipient *entry = &g_array_index (notice->recipients, MessageNoticeRecipient, index);
    const MessageRecipient *recipient = entry->recipient;

    g_string_append (out, "\r\n");
    if (recipient->orcpt != NULL)
        append_typed (out, utf8, "Original-Recipient", NULL, recipient->orcpt);
    append_typed (out, utf8, "Final-Recipient", address_type (recipient->address), recipient->address);
    append_field (out, "Action", action_name (entry->action));
    append_typed (out, utf8, "Status", NULL, entry->status);
    if (entry->remote != NULL)
        append_typed (out, utf8, "Remote-MTA", "dns", entry->remote);
    if (entry->reply != NULL)
        append_typed (out, utf8, "Diagnostic-Code", entry->remote != NULL ? "smtp" : "x-postern", entry->reply);
    append_date (out, "Last-Attempt-Date", entry->last_usec);
    if (entry->action == MESSAGE_ACTION_DELAYED)
        append_date (out, "Will-Retry-Until", entry->retry_until_usec);
}
