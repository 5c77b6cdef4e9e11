/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The author of a message
 *
 * A program that calls sendmail rarely says who it is: the password database does. It is only asked where -f did not
 * name the sender, or the environment an author without a name, for the look-up may be slow. In a container a user may have no entry there; then the environment
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
#include "message/error.h"
#include "message/phrase.h"

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

/* The full name of the user who calls, if there is no other. */
static const struct passwd *
fill_in_name (SendmailAuthor *author)
{
    const struct passwd *entry = getpwuid (getuid ());

    if (author->full_name == NULL && entry != NULL && entry->pw_gecos != NULL)
        author->full_name = sendmail_author_name_from_gecos (entry->pw_gecos, entry->pw_name);

    return entry;
}

/* Returns: (transfer full): the address of the user who calls, whose full name the author gets if there is no other */
static gchar *
address_of_caller (SendmailAuthor *author)
{
    const struct passwd *entry = fill_in_name (author);
    gchar *address = entry != NULL ? address_of_login (entry->pw_name) : NULL;

    return address != NULL ? address : address_without_entry ();
}

/* The address that the environment gives, where @user and @host are not %NULL; a user that is an address already keeps its
 * domain. */
static gchar *
address_of (SendmailAuthor *author, const gchar *user, const gchar *host, GError **error)
{
    g_autofree gchar *local = user != NULL ? address_of_login (user) : address_of_caller (author);
    g_autofree gchar *joined = NULL;
    g_autofree gchar *quoted = NULL;
    gchar *address = NULL;

    if (local != NULL && (host == NULL || message_address_domain (local) != NULL))
        return g_steal_pointer (&local);

    joined = g_strdup_printf ("%s@%s", local != NULL ? local : user, host != NULL ? host : "");
    address = local != NULL ? message_address_parse (joined, MESSAGE_PATH_UTF8, NULL) : NULL;
    if (address != NULL)
        return address;

    quoted = message_error_quote (joined, strlen (joined));
    g_set_error (error, SENDMAIL_ERROR, EX_USAGE,
                 "“%s” is not an address; it comes from NULLMAILER_USER, NULLMAILER_HOST or their like in the "
                 "environment",
                 quoted);
    return NULL;
}

gchar *
sendmail_author_parse_sender (const gchar *sender, GError **error)
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
        g_set_error_literal (error, SENDMAIL_ERROR, EX_USAGE, reason->message);

    return address;
}

static gboolean
fill_in_sender (SendmailAuthor *author, const SendmailOptions *options, const SendmailEnvironment *environment,
                GError **error)
{
    if (options->sender != NULL) {
        author->address = sendmail_author_parse_sender (options->sender, error);
        if (author->address == NULL)
            g_prefix_error_literal (error, "the sender, -f: ");
    } else {
        author->address =
            address_of (author, environment->sender_user != NULL ? environment->sender_user : environment->user,
                        environment->sender_host != NULL ? environment->sender_host : environment->host, error);
    }

    return author->address != NULL;
}

static gboolean
fill_in_from (SendmailAuthor *author, const SendmailEnvironment *environment, GError **error)
{
    if (environment->user == NULL && environment->host == NULL && environment->sender_user == NULL &&
        environment->sender_host == NULL)
        return TRUE;

    /* Another address is no other person. */
    if (author->full_name == NULL && !environment->nameless)
        fill_in_name (author);
    author->from = address_of (author, environment->user, environment->host, error);
    return author->from != NULL;
}

SendmailAuthor *
sendmail_author_new (const SendmailOptions *options, const SendmailEnvironment *environment, GError **error)
{
    g_autoptr (SendmailAuthor) author = g_new0 (SendmailAuthor, 1);

    author->full_name = g_strdup (options->full_name != NULL ? options->full_name : environment->name);
    if (!fill_in_sender (author, options, environment, error) || !fill_in_from (author, environment, error))
        return NULL;

    return g_steal_pointer (&author);
}

/* A comment (RFC 5322 3.2.2) holds any ASCII, and encoded words. */
static gchar *
format_with_comment (const gchar *address, const gchar *name, const gchar *phrase)
{
    GString *out = g_string_new (address);

    g_string_append (out, " (");
    if (g_str_is_ascii (name)) {
        for (; *name != '\0'; name++) {
            if (strchr ("()\\", *name) != NULL)
                g_string_append_c (out, '\\');
            g_string_append_c (out, g_ascii_iscntrl (*name) ? ' ' : *name);
        }
    } else {
        g_string_append (out, phrase);
    }
    g_string_append_c (out, ')');

    return g_string_free (out, FALSE);
}

gchar *
sendmail_author_from (const SendmailAuthor *author, gboolean as_comment)
{
    const gchar *address = author->from != NULL ? author->from : author->address;
    g_autofree gchar *phrase = author->full_name != NULL ? message_phrase_format (author->full_name) : NULL;

    if (*address == '\0')
        return NULL;
    if (phrase == NULL)
        return g_strdup (author->from);

    return as_comment ? format_with_comment (address, author->full_name, phrase)
                      : g_strdup_printf ("%s <%s>", phrase, address);
}

void
sendmail_author_free (SendmailAuthor *author)
{
    if (author == NULL)
        return;

    g_free (author->address);
    g_free (author->from);
    g_free (author->full_name);
    g_free (author);
}
