/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The author of a message
 *
 * A program that calls sendmail rarely says who it is: the password database does. It is only asked where -f did not
 * name a sender, for the look-up may be slow. In a container a user may have no entry there; then the environment
 * is asked, and at last the number has to do, because a message without a proper sender is better than none.
 *
 * Nothing here is a matter of trust: who may send as whom is the relay's to decide, and it sees the calling user by
 * the socket.
 */

#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "cli/sendmail-author.h"
#include "cli/sendmail-error.h"
#include "message/address-list.h"
#include "message/address.h"

#define SENDER_FLAGS (MESSAGE_PATH_NULL | MESSAGE_PATH_BARE | MESSAGE_PATH_UTF8)

gchar *
sendmail_author_name_from_gecos (const gchar *gecos, const gchar *login)
{
    GString *name = g_string_new (NULL);

    for (; *gecos != '\0' && *gecos != ','; gecos++) {
        if (*gecos != '&') {
            g_string_append_c (name, *gecos);
        } else if (*login != '\0') {
            g_string_append_c (name, g_ascii_toupper (*login));
            g_string_append (name, login + 1);
        }
    }

    return g_string_free (name, FALSE);
}

/* A login name may hold what an address holds in quotes only, like the backslash in "DOMAIN\user". */
static gchar *
address_of_login (const gchar *login)
{
    gchar *address = message_address_parse (login, MESSAGE_PATH_BARE | MESSAGE_PATH_UTF8, NULL);
    g_autoptr (GString) quoted = NULL;

    if (address != NULL)
        return address;

    quoted = g_string_new ("\"");
    for (; *login != '\0'; login++) {
        if (*login == '"' || *login == '\\')
            g_string_append_c (quoted, '\\');
        g_string_append_c (quoted, *login);
    }
    g_string_append_c (quoted, '"');

    return message_address_parse (quoted->str, MESSAGE_PATH_BARE | MESSAGE_PATH_UTF8, NULL);
}

static gchar *
address_without_entry (void)
{
    static const gchar *const variables[] = {"LOGNAME", "USER"};

    for (guint i = 0; i < G_N_ELEMENTS (variables); i++) {
        const gchar *login = g_getenv (variables[i]);
        gchar *address = login != NULL && *login != '\0' ? address_of_login (login) : NULL;

        if (address != NULL)
            return address;
    }

    return g_strdup_printf ("%lu", (gulong) getuid ());
}

static void
fill_in_caller (SendmailAuthor *author)
{
    const struct passwd *entry = getpwuid (getuid ());

    if (entry != NULL)
        author->address = address_of_login (entry->pw_name);
    if (author->address == NULL)
        author->address = address_without_entry ();
    if (author->full_name == NULL && entry != NULL && entry->pw_gecos != NULL)
        author->full_name = sendmail_author_name_from_gecos (entry->pw_gecos, entry->pw_name);
}

/* -f may be given as a header would have it, with a display name. */
static gchar *
parse_sender (const gchar *sender, GError **error)
{
    g_autoptr (GError) reason = NULL;
    gchar *address = message_address_parse (sender, SENDER_FLAGS, &reason);
    g_autoptr (GArray) entries = NULL;
    const MessageListEntry *entry;

    if (address != NULL)
        return address;

    entries = message_address_list_parse (sender);
    entry = entries->len == 1 ? &g_array_index (entries, MessageListEntry, 0) : NULL;
    if (entry != NULL && entry->address != NULL)
        address = message_address_parse (entry->address, SENDER_FLAGS, NULL);
    if (address == NULL)
        g_set_error (error, SENDMAIL_ERROR, EX_USAGE, "the sender, -f: %s", reason->message);

    return address;
}

SendmailAuthor *
sendmail_author_new (const SendmailOptions *options, GError **error)
{
    g_autoptr (SendmailAuthor) author = g_new0 (SendmailAuthor, 1);

    author->full_name = g_strdup (options->full_name);
    if (options->sender == NULL) {
        fill_in_caller (author);
        return g_steal_pointer (&author);
    }

    author->address = parse_sender (options->sender, error);
    return author->address != NULL ? g_steal_pointer (&author) : NULL;
}

void
sendmail_author_free (SendmailAuthor *author)
{
    if (author == NULL)
        return;

    g_free (author->address);
    g_free (author->full_name);
    g_free (author);
}
