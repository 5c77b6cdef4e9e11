/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "message/notice.h"

/*
 * The part for people: CRLF line ends, no line longer than people like to read. It is appended in three steps, the middle one
 * for each recipient; neighbours with one reason have it told once, behind the last of them.
 */

void message_notice_text_begin (GString *out, const MessageNotice *notice);

/* @utf8: whether the notice may hold UTF-8; @index: of the recipient */
void message_notice_text_add (GString *out, const MessageNotice *notice, gboolean utf8, guint index);

/**
 * message_notice_text_end:
 * @subject: (nullable): the original's subject, fit to be shown
 * @returned: (nullable): what people are to call what comes of the original with the notice
 */
void message_notice_text_end (GString *out, const MessageNotice *notice, gboolean utf8, const gchar *subject,
                              const gchar *returned);
