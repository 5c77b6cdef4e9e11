/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "message/notice.h"

/**
 * message_notice_text:
 * @utf8: whether the notice may hold UTF-8
 * @subject: (nullable): the original's subject, fit to be shown
 * @returned: (nullable): what people are to call what comes of the original with the notice
 *
 * Returns: (transfer full): the part for people, CRLF line ends, no line longer than people like to read
 */
GString *message_notice_text (const MessageNotice *notice, gboolean utf8, const gchar *subject,
                              const gchar *returned);
