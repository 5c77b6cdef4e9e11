/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "message/header.h"

/**
 * sendmail_return_path:
 * @header: of a message whose sender was not given otherwise
 *
 * Returns: (transfer full) (nullable): the sender that its Return-Path names, canonical, maybe bare, "" for null; %NULL if
 *   it names none
 */
gchar *sendmail_return_path (const MessageHeader *header);
