/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "message/notice.h"

/**
 * message_notice_report:
 * @utf8: whether the notice may hold UTF-8
 *
 * Returns: (transfer full): the fields of message/delivery-status (RFC 3464 2), or of message/global-delivery-status
 *   (RFC 6533 4)
 */
GString *message_notice_report (const MessageNotice *notice, gboolean utf8);
