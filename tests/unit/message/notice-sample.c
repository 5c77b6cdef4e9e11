/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The set-up that the tests of notices share.
 */

#include <string.h>

#include "notice-sample.h"

#define ARRIVAL_USEC (G_GINT64_CONSTANT (1795315321) * G_USEC_PER_SEC)

NoticeSample *
notice_sample_new (void)
{
    NoticeSample *sample = g_new0 (NoticeSample, 1);

    sample->envelope = message_envelope_new ("sender@example.org");
    sample->notice = (MessageNotice){.host_name = "relay.example.org",
                                     .domain = "example.org",
                                     .queue_id = "4bz7",
                                     .arrival_usec = ARRIVAL_USEC,
                                     .now_usec = ARRIVAL_USEC + 60 * G_USEC_PER_SEC,
                                     .envelope = sample->envelope,
                                     .recipients = g_array_new (FALSE, TRUE, sizeof (MessageNoticeRecipient))};
    notice_sample_set_original (sample, "Subject: Dinner\r\nMessage-ID: <1@example.org>\r\n\r\nAt eight.\r\n", TRUE);

    return sample;
}

void
notice_sample_free (NoticeSample *sample)
{
    g_bytes_unref (sample->notice.original);
    g_array_unref (sample->notice.recipients);
    message_envelope_free (sample->envelope);
    g_free (sample);
}

MessageNoticeRecipient *
notice_sample_add (NoticeSample *sample, const gchar *address, MessageAction action, const gchar *status,
                   const gchar *reply)
{
    const MessageNoticeRecipient added = {.recipient = message_envelope_add (sample->envelope, address),
                                          .action = action,
                                          .status = status,
                                          .reply = reply,
                                          .remote = "mail.example.net",
                                          .last_usec = ARRIVAL_USEC + 30 * G_USEC_PER_SEC};

    g_array_append_val (sample->notice.recipients, added);
    return &g_array_index (sample->notice.recipients, MessageNoticeRecipient, sample->notice.recipients->len - 1);
}

void
notice_sample_set_original (NoticeSample *sample, const gchar *content, gboolean complete)
{
    g_clear_pointer (&sample->notice.original, g_bytes_unref);
    if (content != NULL)
        sample->notice.original = g_bytes_new (content, strlen (content));
    sample->notice.original_complete = complete;
}

gchar *
notice_sample_build (NoticeSample *sample)
{
    g_autoptr (GBytes) built = message_notice_build (&sample->notice);
    gsize length;
    const gchar *data = g_bytes_get_data (built, &length);

    return g_strndup (data, length);
}
