/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "message/notice.h"

/* A notice with all that it needs, for a test to change and build. */
typedef struct {
    MessageNotice notice;
    MessageEnvelope *envelope;
} NoticeSample;

/* A failed message from sender@example.org to user@example.net, and more recipients if the test adds them. */
NoticeSample *notice_sample_new (void);
void notice_sample_free (NoticeSample *sample);

/* Adds a recipient that had this reply of mail.example.net. */
MessageNoticeRecipient *notice_sample_add (NoticeSample *sample, const gchar *address, MessageAction action,
                                           const gchar *status, const gchar *reply);

/* Sets the original's content. */
void notice_sample_set_original (NoticeSample *sample, const gchar *content, gboolean complete);

/* Builds the notice as a string. */
gchar *notice_sample_build (NoticeSample *sample);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (NoticeSample, notice_sample_free)
