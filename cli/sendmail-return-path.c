/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The sender that a message names itself
 *
 * A Return-Path is written at the end of a message's way (RFC 5321 4.4), but nullmailer lets a program name the sender of
 * the envelope by one, where -f does not, and scripts that were written for it do so. The relay says whether it wants that
 * (MESSAGE_RETURN_PATH_KEYWORD), and drops the field in any case. Who names a sender so gets what -f would get: the
 * relay's rules for senders do not know the difference.
 *
 * As with nullmailer the last field counts that holds a single address, and none in a message that is resent: there
 * it tells of the way before. The null reverse-path, which nullmailer refuses, is one.
 */

#include <string.h>

#include "cli/sendmail-author.h"
#include "cli/sendmail-return-path.h"
#include "message/rewrite.h"

gchar *
sendmail_return_path (const MessageHeader *header)
{
    if (message_header_find (header, "Return-Path") == NULL || message_rewrite_is_resent (header))
        return NULL;

    for (guint i = message_header_count (header); i > 0; i--) {
        const MessageField *field = message_header_field (header, i - 1);
        gboolean is_empty = field->body[strspn (field->body, " \t\r\n")] == '\0';
        gchar *address = NULL;

        if (!is_empty && g_ascii_strcasecmp (field->name, "Return-Path") == 0)
            address = sendmail_author_parse_sender (field->body, NULL);
        if (address != NULL)
            return address;
    }

    return NULL;
}
