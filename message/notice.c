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
 * all. What stays 8-bit is an original that can be converted like any other message when the notice is sent, since nobody
 * may encode a message/rfc822 as a whole. One that cannot, or whose lines are too long and cannot be broken, is returned as
 * its header, which is said in ASCII.
 *
 * A notice that is refused all the same can be made again without the original: message_notice_shorten ().
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
#include "message/line-check.h"
#include "message/mime-encoder.h"
#include "message/mime-survey.h"
#include "message/notice-report.h"
#include "message/notice-text.h"
#include "message/notice.h"

/* A msg-id that is repeated has to fit on a line. */
#define MESSAGE_ID_LONGEST_BYTES 900

/* How a part starts that is a message. */
#define PART_MESSAGE "Content-Type: message/rfc822\r\n\r\n"

/* What people are told that there is: it stays true when a notice is made smaller. */
#define WORDS_RETURNED "what is returned of your message"

/* What of the original is returned; @type is NULL if it is nothing. */
typedef struct {
    const gchar *data;
    gsize length;
    const gchar *type;
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

/* Whether the original can be a part of the notice, and be converted there for whatever server comes: its own signature no
 * longer counts. */
static MessageConversion
survey_original (const gchar *data, gsize length, gboolean *is_sound)
{
    g_autoptr (MessageSurvey) survey = message_survey_new (MESSAGE_DEMAND_NO_UTF8 | MESSAGE_DEMAND_ASCII);
    g_autofree gchar *remark = NULL;
    MessageConversion conversion;

    message_survey_feed (survey, PART_MESSAGE, strlen (PART_MESSAGE));
    message_survey_feed (survey, data, length);
    conversion = message_survey_end (survey, NULL);
    remark = message_survey_remark (survey);
    *is_sound = remark == NULL;
    return conversion;
}

/* All of the original, as a message/rfc822, which has to be one for every server, or as a message/global; @length 0: neither
 * would do. */
static Returned
return_whole (const MessageNotice *notice, const gchar *data, gsize length)
{
    Returned returned = {.data = data};
    gboolean is_8bit = message_has_8bit (data, length);
    gboolean is_sound;
    MessageConversion conversion = survey_original (data, length, &is_sound);

    if (!is_sound)
        return returned;

    if (is_8bit && (conversion == MESSAGE_CONVERSION_FOREIGN || is_global (notice) ||
                    (has_utf8 (notice) && conversion > MESSAGE_CONVERSION_POSSIBLE)))
        returned.type = "message/global";
    else if (conversion <= MESSAGE_CONVERSION_POSSIBLE)
        returned.type = "message/rfc822";

    returned.is_encodable = g_strcmp0 (returned.type, "message/global") == 0;
    returned.length = returned.type != NULL ? length : 0;
    return returned;
}

/* The original's header, in ASCII if there is a way to say it; @ascii: where it is put then */
static Returned
return_header (gboolean global, const gchar *data, gsize length, GString *ascii)
{
    const MessageMimeChange change = {.form = MESSAGE_MIME_HEADER_ASCII};
    Returned returned = {
        .data = data, .length = length, .type = length > 0 ? "text/rfc822-headers" : NULL, .is_encodable = TRUE};

    if (message_has_8bit (data, length) &&
        (global || (message_mime_entity_write (data, length, &change, ascii) & MESSAGE_MIME_LEFT_ADDRESS))) {
        returned.type = "message/global-headers";
    } else {
        g_string_truncate (ascii, 0);
        message_mime_entity_write (data, length, &change, ascii);
        returned.data = ascii->str;
        returned.length = ascii->len;
    }

    return returned;
}

static Returned
choose_returned (const MessageNotice *notice, GString *ascii)
{
    Returned returned = {0};
    const gchar *data;
    gsize length;

    if (notice->original == NULL)
        return returned;

    data = g_bytes_get_data (notice->original, &length);
    if (notice->original_complete && notice->envelope->ret != MESSAGE_RETURN_HEADERS &&
        notice_action (notice) == MESSAGE_ACTION_FAILED)
        returned = return_whole (notice, data, length);
    if (returned.length == 0)
        returned = return_header (is_global (notice), data, header_length (notice, data, length), ascii);

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

static gboolean
has_long_lines (const gchar *data, gsize length)
{
    MessageLineCheck lines = {0};

    message_line_check_feed (&lines, data, length);
    return message_line_check_end (&lines);
}

/* @encode: where it is not ASCII in lines of lawful length, it is to be */
static void
append_part (GString *out, const gchar *boundary, const gchar *type, const gchar *data, gsize length, gboolean encode)
{
    gboolean is_8bit = message_has_8bit (data, length);

    encode = encode && (is_8bit || has_long_lines (data, length));
    g_string_append_printf (out,
                            "--%s\r\n"
                            "Content-Type: %s\r\n"
                            "Content-Transfer-Encoding: %s\r\n"
                            "\r\n",
                            boundary, type,
                            encode    ? "quoted-printable"
                            : is_8bit ? "8bit"
                                      : "7bit");
    if (encode)
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

struct _MessageNoticeBuilder {
    MessageNotice notice;
    gboolean utf8;
    guint next; /* recipient */
    GString *text;
    GString *report;
};

MessageNoticeBuilder *
message_notice_builder_new (const MessageNotice *notice)
{
    MessageNoticeBuilder *self;

    g_return_val_if_fail (notice != NULL && notice->recipients->len > 0, NULL);
    g_return_val_if_fail (*notice->envelope->sender != '\0', NULL);

    self = g_new0 (MessageNoticeBuilder, 1);
    self->notice = *notice;
    self->utf8 = has_utf8 (notice);
    self->text = g_string_new (NULL);
    self->report = g_string_new (NULL);
    message_notice_text_begin (self->text, notice);
    message_notice_report_begin (self->report, notice, is_global (notice));
    return self;
}

void
message_notice_builder_free (MessageNoticeBuilder *self)
{
    g_string_free (self->text, TRUE);
    g_string_free (self->report, TRUE);
    g_free (self);
}

gboolean
message_notice_builder_step (MessageNoticeBuilder *self, guint most)
{
    const MessageNotice *notice = &self->notice;
    guint end = self->next + MIN (most, notice->recipients->len - self->next);

    for (; self->next < end; self->next++) {
        message_notice_text_add (self->text, notice, self->utf8, self->next);
        message_notice_report_add (self->report, notice, is_global (notice), self->next);
    }

    return self->next < notice->recipients->len;
}

GBytes *
message_notice_builder_end (MessageNoticeBuilder *self)
{
    const MessageNotice *notice = &self->notice;
    const GString *text = self->text, *report = self->report;
    g_autoptr (MessageHeader) original = original_header (notice);
    g_autofree gchar *subject = original_subject (original);
    g_autofree gchar *token = message_identifier_token ();
    g_autofree gchar *boundary = g_strconcat ("=_", token, NULL);
    g_autoptr (GString) ascii = g_string_new (NULL);
    Returned returned = choose_returned (notice, ascii);
    gboolean global = is_global (notice);
    GString *out;

    message_notice_text_end (self->text, notice, self->utf8, subject, returned.type != NULL ? WORDS_RETURNED : NULL);

    out = g_string_sized_new (returned.length + text->len + report->len + 2048);
    append_header (out, notice, original, boundary, stays_8bit (notice, text, report, &returned));
    append_part (out, boundary, self->utf8 ? "text/plain; charset=utf-8" : "text/plain; charset=us-ascii", text->str,
                 text->len, !global);
    append_part (out, boundary, global ? "message/global-delivery-status" : "message/delivery-status", report->str,
                 report->len, FALSE);
    if (returned.type != NULL)
        append_part (out, boundary, returned.type, returned.data, returned.length, returned.is_encodable && !global);
    g_string_append_printf (out, "--%s--\r\n", boundary);

    return g_string_free_to_bytes (out);
}

GBytes *
message_notice_build (const MessageNotice *notice)
{
    g_autoptr (MessageNoticeBuilder) builder = message_notice_builder_new (notice);

    message_notice_builder_step (builder, notice->recipients->len);
    return message_notice_builder_end (builder);
}

/* ---- Once more, with the header alone ---- */

/* Returns: (transfer full) (nullable): the delimiter of the parts of a notice that was made here, with its line ends */
static gchar *
find_delimiter (const gchar *data, gsize length)
{
    static const gchar before[] = "\tboundary=\"";
    const gchar *start = memmem (data, length, before, strlen (before));
    const gchar *end;

    if (start == NULL)
        return NULL;

    start += strlen (before);
    end = memchr (start, '"', (gsize) (data + length - start));
    return end != NULL ? g_strdup_printf ("\r\n--%.*s", (gint) (end - start), start) : NULL;
}

/* The part of a notice that returns the original. */
typedef struct {
    const gchar *start; /* its header */
    const gchar *body;
    const gchar *end; /* the delimiter behind it */
} Part;

static gboolean
find_part (const gchar *data, gsize length, const gchar *delimiter, Part *part)
{
    const gchar *end = data + length;
    const gchar *at = data;

    /* Text, report, original. */
    for (guint i = 0; i < 3; i++) {
        at = memmem (at, (gsize) (end - at), delimiter, strlen (delimiter));
        if (at == NULL)
            return FALSE;
        at += strlen (delimiter);
    }

    if (end - at < 2 || memcmp (at, "\r\n", 2) != 0)
        return FALSE;
    part->start = at + 2;
    part->end = memmem (part->start, (gsize) (end - part->start), delimiter, strlen (delimiter));
    part->body = memmem (part->start, (gsize) (end - part->start), "\r\n\r\n", 4);
    if (part->end == NULL || part->body == NULL || part->body > part->end)
        return FALSE;

    part->body += 4;
    return TRUE;
}

static gboolean
is_part_of (const Part *part, const gchar *type)
{
    g_autofree gchar *field = g_strdup_printf ("Content-Type: %s\r\n", type);

    return g_str_has_prefix (part->start, field);
}

GBytes *
message_notice_shorten (GBytes *notice)
{
    gsize length;
    const gchar *data = g_bytes_get_data (notice, &length);
    g_autoptr (GString) copy = g_string_new_len (data, (gssize) length);
    const gchar *text = copy->str;
    g_autofree gchar *delimiter = find_delimiter (text, length);
    g_autoptr (GString) ascii = g_string_new (NULL);
    GString *out;
    Returned returned;
    Part part;

    if (delimiter == NULL || !find_part (text, length, delimiter, &part))
        return NULL;

    out = g_string_sized_new (length);
    g_string_append_len (out, text, part.start - text);
    if (is_part_of (&part, "message/rfc822")) {
        gsize header = message_header_end_of_complete (part.body, (gsize) (part.end - part.body));

        g_string_truncate (out, out->len - strlen (delimiter + 2) - 2);
        returned = return_header (FALSE, part.body, header, ascii);
        append_part (out, delimiter + 4, returned.type, returned.data, returned.length, TRUE);
    } else if (is_part_of (&part, "message/global")) {
        /* It may be encoded, which leaves empty lines empty, and stays so. */
        const gchar *body = memmem (part.body, (gsize) (part.end - part.body), "\r\n\r\n", 4);

        g_string_append (out, "Content-Type: message/global-headers\r\n");
        part.start = strstr (part.start, "\r\n") + 2;
        g_string_append_len (out, part.start, (body != NULL ? body + 2 : part.end) - part.start);
        g_string_append (out, "\r\n");
    } else {
        g_string_free (out, TRUE);
        return NULL;
    }
    g_string_append (out, part.end + 2);

    return g_string_free_to_bytes (out);
}
