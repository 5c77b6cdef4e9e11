/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Delivery status notifications
 *
 * Puts together the message that tells a sender what became of a message: a multipart/report (RFC 6522) with words
 * for people, fields for programs (RFC 3464), and the original or its header, so that the sender sees which message
 * it is about. Whole content goes back only for a failure (RFC 3461 4.3), and only if the sender did not ask for the
 * header alone.
 *
 * A notice must not need what made the original fail. So it is ASCII, for whoever has an ASCII address, even where it
 * speaks of others: the text for people is encoded, addresses have the ASCII form of RFC 6533 3, and an original that
 * only SMTPUTF8 could carry is a message/global, which may be encoded (RFC 6532 3.7). Only the sender of an original who
 * has an address beyond ASCII gets the "global" parts of RFC 6533: a notice reaches that address by SMTPUTF8 or not at
 * all. What stays 8-bit is an original of plain 8BITMIME, since nobody may encode a message/rfc822.
 *
 * A notice must never be answered by a program: Auto-Submitted says so (RFC 3834 5), and the caller sends it with
 * the null reverse-path, so that it is never notified about in turn.
 */

#include <string.h>

#include "message/address.h"
#include "message/date.h"
#include "message/eight-bit.h"
#include "message/header.h"
#include "message/identifier.h"
#include "message/mime-encoder.h"
#include "message/mime-survey.h"
#include "message/notice-report.h"
#include "message/notice-text.h"
#include "message/notice.h"

/* A msg-id that is repeated has to fit on a line. */
#define MESSAGE_ID_LONGEST_BYTES 900

/* What of the original is returned; @type is NULL if it is nothing. */
typedef struct {
    const gchar *data;
    gsize length;
    const gchar *type;
    const gchar *words;    /* what people call it */
    gboolean is_encodable; /* the type is one that may be encoded */
} Returned;

/* Whether the notice itself goes by SMTPUTF8: there is no other way to whom it is for. */
static gboolean
is_global (const MessageNotice *notice)
{
    return !message_address_is_ascii (notice->envelope->sender);
}

/* Whether there is UTF-8 to be spoken of: the original's envelope had it (RFC 6533). */
static gboolean
has_utf8 (const MessageNotice *notice)
{
    if (notice->envelope->smtputf8 || !g_str_is_ascii (notice->envelope->sender))
        return TRUE;

    for (guint i = 0; i < notice->recipients->len; i++)
        if (!g_str_is_ascii (g_array_index (notice->recipients, MessageNoticeRecipient, i).recipient->address))
            return TRUE;

    return FALSE;
}

/* The length of the original's header; if all that we have is header, of its whole lines. */
static gsize
header_length (const MessageNotice *notice, const gchar *data, gsize length)
{
    gsize body;

    if (notice->original_complete)
        return message_header_end_of_complete (data, length);
    if (message_header_end (data, length, &body))
        return body;

    while (length > 0 && data[length - 1] != '\n')
        length--;
    return length;
}

static MessageAction
notice_action (const MessageNotice *notice)
{
    return g_array_index (notice->recipients, MessageNoticeRecipient, 0).action;
}

/* Whether the original can travel as it is: in 7-bit, or converted to it where a server wants that. */
static gboolean
can_travel (const gchar *data, gsize length)
{
    g_autoptr (MessageSurvey) survey = message_survey_new ();

    message_survey_feed (survey, data, length);
    return message_survey_end (survey, NULL) <= MESSAGE_CONVERSION_POSSIBLE;
}

static Returned
choose_returned (const MessageNotice *notice)
{
    Returned returned = {0};
    gsize length;
    gsize header;

    if (notice->original == NULL)
        return returned;

    returned.data = g_bytes_get_data (notice->original, &length);
    header = header_length (notice, returned.data, length);

    if (notice->original_complete && notice->envelope->ret != MESSAGE_RETURN_HEADERS &&
        notice_action (notice) == MESSAGE_ACTION_FAILED &&
        (has_utf8 (notice) || can_travel (returned.data, length))) {
        returned.length = length;
        returned.is_encodable = has_utf8 (notice) && message_has_8bit (returned.data, length);
        returned.type = returned.is_encodable ? "message/global" : "message/rfc822";
        returned.words = "your message";
    } else if (header > 0) {
        returned.length = header;
        returned.is_encodable = TRUE;
        returned.type = has_utf8 (notice) && message_has_8bit (returned.data, header) ? "message/global-headers"
                                                                                      : "text/rfc822-headers";
        returned.words = "the header of your message";
    }

    return returned;
}

static MessageHeader *
original_header (const MessageNotice *notice)
{
    const gchar *data;
    gsize length;

    if (notice->original == NULL)
        return message_header_parse (NULL, 0);

    data = g_bytes_get_data (notice->original, &length);
    return message_header_parse (data, header_length (notice, data, length));
}

/* Returns: (nullable): the subject as one line, unless it is encoded and would only puzzle people. */
static gchar *
original_subject (const MessageHeader *header)
{
    const MessageField *field = message_header_find (header, "Subject");
    g_auto (GStrv) lines = NULL;
    g_autofree gchar *subject = NULL;

    if (field == NULL || !g_str_is_ascii (field->body) || strstr (field->body, "=?") != NULL)
        return NULL;

    lines = g_strsplit (field->body, "\r\n", -1);
    subject = g_strstrip (g_strjoinv ("", lines));

    return *subject != '\0' ? g_steal_pointer (&subject) : NULL;
}

/* Returns: (nullable): the original's msg-id, if it is one that can be repeated. */
static gchar *
original_message_id (const MessageHeader *header)
{
    const MessageField *field = message_header_find (header, "Message-ID");
    g_autofree gchar *id = NULL;

    if (field == NULL)
        return NULL;

    id = g_strstrip (g_strdup (field->body));
    if (strlen (id) > MESSAGE_ID_LONGEST_BYTES || !g_str_is_ascii (id) || id[0] != '<' || !g_str_has_suffix (id, ">"))
        return NULL;
    for (const gchar *c = id; *c != '\0'; c++)
        if (!g_ascii_isgraph (*c))
            return NULL;

    return g_steal_pointer (&id);
}

static const gchar *
subject_of (MessageAction action)
{
    switch (action) {
    case MESSAGE_ACTION_FAILED:
        return "Your message could not be delivered";
    case MESSAGE_ACTION_DELAYED:
        return "Your message is delayed";
    case MESSAGE_ACTION_DELIVERED:
        return "Your message was delivered";
    case MESSAGE_ACTION_RELAYED:
        return "Your message was passed on";
    }

    g_return_val_if_reached ("Your message");
}

static void
append_header (GString *out, const MessageNotice *notice, const MessageHeader *original, const gchar *boundary,
               gboolean is_8bit)
{
    g_autofree gchar *date = message_date_format (notice->now_usec);
    g_autofree gchar *id = message_identifier_new (notice->host_name);
    g_autofree gchar *original_id = original_message_id (original);

    g_string_append_printf (out,
                            "Date: %s\r\n"
                            "From: Mail Delivery System <MAILER-DAEMON@%s>\r\n"
                            "To: <%s>\r\n"
                            "Subject: %s\r\n"
                            "Message-ID: %s\r\n",
                            date, notice->domain, notice->envelope->sender, subject_of (notice_action (notice)), id);
    if (original_id != NULL)
        g_string_append_printf (out, "In-Reply-To: %s\r\nReferences: %s\r\n", original_id, original_id);
    g_string_append_printf (out,
                            "Auto-Submitted: auto-replied\r\n"
                            "MIME-Version: 1.0\r\n"
                            "Content-Type: multipart/report; report-type=%s;\r\n"
                            "\tboundary=\"%s\"\r\n"
                            "Content-Transfer-Encoding: %s\r\n"
                            "\r\n",
                            is_global (notice) ? "global-delivery-status" : "delivery-status", boundary,
                            is_8bit ? "8bit" : "7bit");
}

static void
append_quoted (GString *out, const gchar *data, gsize length)
{
    MessageMimeEncoder encoder;

    message_mime_encoder_init (&encoder, MESSAGE_MIME_FORM_QUOTED);
    message_mime_encoder_feed (&encoder, data, length, out);
    message_mime_encoder_end (&encoder, TRUE, out);
}

/* @encode: where it is not ASCII, it is to be */
static void
append_part (GString *out, const gchar *boundary, const gchar *type, const gchar *data, gsize length, gboolean encode)
{
    gboolean is_8bit = message_has_8bit (data, length);

    g_string_append_printf (out,
                            "--%s\r\n"
                            "Content-Type: %s\r\n"
                            "Content-Transfer-Encoding: %s\r\n"
                            "\r\n",
                            boundary, type,
                            !is_8bit ? "7bit"
                            : encode ? "quoted-printable"
                                     : "8bit");
    if (is_8bit && encode)
        append_quoted (out, data, length);
    else
        g_string_append_len (out, data, (gssize) length);
    if (length < 2 || memcmp (data + length - 2, "\r\n", 2) != 0)
        g_string_append (out, "\r\n");
    g_string_append (out, "\r\n");
}

/* Whether any of the parts stays 8-bit. */
static gboolean
stays_8bit (const MessageNotice *notice, const GString *text, const GString *report, const Returned *returned)
{
    if (is_global (notice))
        return message_has_8bit (text->str, text->len) || message_has_8bit (report->str, report->len) ||
               message_has_8bit (returned->data, returned->length);

    return !returned->is_encodable && message_has_8bit (returned->data, returned->length);
}

GBytes *
message_notice_build (const MessageNotice *notice)
{
    g_autoptr (MessageHeader) original = NULL;
    g_autoptr (GString) text = NULL;
    g_autoptr (GString) report = NULL;
    g_autofree gchar *subject = NULL;
    g_autofree gchar *token = message_identifier_token ();
    g_autofree gchar *boundary = g_strconcat ("=_", token, NULL);
    GString *out;
    Returned returned;
    gboolean utf8;
    gboolean global;

    g_return_val_if_fail (notice != NULL && notice->recipients->len > 0, NULL);
    g_return_val_if_fail (*notice->envelope->sender != '\0', NULL);

    utf8 = has_utf8 (notice);
    global = is_global (notice);
    original = original_header (notice);
    subject = original_subject (original);
    returned = choose_returned (notice);
    text = message_notice_text (notice, utf8, subject, returned.words);
    report = message_notice_report (notice, global);

    out = g_string_sized_new (returned.length + text->len + report->len + 2048);
    append_header (out, notice, original, boundary, stays_8bit (notice, text, report, &returned));
    append_part (out, boundary, utf8 ? "text/plain; charset=utf-8" : "text/plain; charset=us-ascii", text->str,
                 text->len, !global);
    append_part (out, boundary, global ? "message/global-delivery-status" : "message/delivery-status", report->str,
                 report->len, FALSE);
    if (returned.type != NULL)
        append_part (out, boundary, returned.type, returned.data, returned.length, returned.is_encodable && !global);
    g_string_append_printf (out, "--%s--\r\n", boundary);

    return g_string_free_to_bytes (out);
}
