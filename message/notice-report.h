/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "message/notice.h"

/*
 * The part for programs: the fields of message/delivery-status (RFC 3464 2), or of message/global-delivery-status (RFC 6533 4).
 * Those of the message come first, then those of each recipient. @utf8: whether the notice may hold UTF-8
 */

void message_notice_report_begin (GString *out, const MessageNotice *notice, gboolean utf8);
void message_notice_report_add (GString *out, const MessageNotice *notice, gboolean utf8, guint index);
