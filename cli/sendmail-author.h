/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "cli/sendmail-environment.h"
#include "cli/sendmail-options.h"

/* Who sends the message. */
typedef struct {
    gchar *address; /* the envelope's sender, canonical, maybe bare; "" is the null sender */
    gchar *from;    /* (nullable) what a missing From is to say if it is not that address: the environment said so */
    gchar *full_name; /* (nullable) */
} SendmailAuthor;

/**
 * sendmail_author_new:
 *
 * The author is whom -f names, else whom the environment names, else the user who calls, with the name that -F, the
 * environment, or the password database gives.
 *
 * Returns: (transfer full): the author; or %NULL with a SENDMAIL_ERROR if what is named is no address
 */
SendmailAuthor *sendmail_author_new (const SendmailOptions *options, const SendmailEnvironment *environment,
                                     GError **error);
void sendmail_author_free (SendmailAuthor *author);

/**
 * sendmail_author_parse_sender:
 * @sender: a path (RFC 5321 4.1.2), null or not, or an address as a header has it, with a display name
 *
 * Returns: (transfer full): the address, canonical, maybe bare, "" for null; or %NULL with a SENDMAIL_ERROR
 */
gchar *sendmail_author_parse_sender (const gchar *sender, GError **error);

/**
 * sendmail_author_from:
 * @as_comment: as "address (name)" instead of "name <address>"
 *
 * Returns: (transfer full) (nullable): the body of a From field; %NULL if the relay knows as well what to put there
 */
gchar *sendmail_author_from (const SendmailAuthor *author, gboolean as_comment);

/* The name in a password entry: the first part of @gecos, where "&" stands for the login name with a capital. */
gchar *sendmail_author_name_from_gecos (const gchar *gecos, const gchar *login);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (SendmailAuthor, sendmail_author_free)
