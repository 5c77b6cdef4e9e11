/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "cli/sendmail-options.h"

/* Who sends the message. */
typedef struct {
    gchar *address;   /* canonical, maybe bare; "" is the null sender */
    gchar *full_name; /* (nullable) */
} SendmailAuthor;

/**
 * sendmail_author_new:
 *
 * The author is whom -f names, or else the user who calls, with the name that -F or the password database gives.
 *
 * Returns: (transfer full): the author; or %NULL with a SENDMAIL_ERROR if -f is no address
 */
SendmailAuthor *sendmail_author_new (const SendmailOptions *options, GError **error);
void sendmail_author_free (SendmailAuthor *author);

/* The name in a password entry: the first part of @gecos, where "&" stands for the login name with a capital. */
gchar *sendmail_author_name_from_gecos (const gchar *gecos, const gchar *login);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (SendmailAuthor, sendmail_author_free)
