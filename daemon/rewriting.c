/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Rewriting
 *
 * A provider takes mail only from the addresses that it knows, and it looks at the header as well as at the envelope.
 * So both are rewritten by the same rules, here, once, before a message is queued: whatever is in the queue is as it
 * will be sent.
 *
 * For a sender the order is: what SenderTable= names; else Sender=, or the table's "*", which take all the rest; else
 * Masquerade=. Reply-To goes by what names it and by Masquerade=, never by what takes all the rest: a reply has to reach
 * the one it was meant for. A recipient in the header goes by what RecipientTable= names, and by Masquerade=; in the
 * envelope by all of RecipientTable=, never by Masquerade=, for a host that is hidden from readers may still be the one
 * that has the mailbox.
 */

#include "rewriting.h"

#include "message/address.h"
#include "recipients.h"

#include <string.h>

/* Whether a local part alone in a table is meant for @address, which is complete. */
static MessageMapFlags
map_flags (const gchar *address, const Config *config)
{
    const gchar *domain = message_address_domain (address);

    return g_ascii_strcasecmp (domain, config->domain) == 0 || recipients_is_local (address, config)
               ? MESSAGE_MAP_LOCAL
               : MESSAGE_MAP_DEFAULT;
}

static gchar *
find (const MessageAddressMap *map, const gchar *address, MessageMapFlags flags, const Config *config)
{
    return map != NULL ? message_address_map_find (map, address, map_flags (address, config) | flags) : NULL;
}

static gboolean
is_below (const gchar *domain, const gchar *parent)
{
    gsize length = strlen (domain);
    gsize parent_length = strlen (parent);

    return length > parent_length && domain[length - parent_length - 1] == '.' &&
           g_ascii_strcasecmp (domain + length - parent_length, parent) == 0;
}

static gboolean
is_excepted (const gchar *address, const Config *config)
{
    g_autofree gchar *local = message_address_local_part (address);

    for (guint i = 0; config->masquerade_except != NULL && config->masquerade_except[i] != NULL; i++)
        if (g_ascii_strcasecmp (local, config->masquerade_except[i]) == 0)
            return TRUE;

    return FALSE;
}

/* The first domain of the list that the address is in or below decides. */
static gchar *
masquerade (const gchar *address, const Config *config)
{
    const gchar *domain = message_address_domain (address);

    if (config->masquerade == NULL || is_excepted (address, config))
        return NULL;

    for (guint i = 0; config->masquerade[i] != NULL; i++) {
        gboolean stays = config->masquerade[i][0] == '!';
        const gchar *parent = config->masquerade[i] + (stays ? 1 : 0);

        if (g_ascii_strcasecmp (domain, parent) == 0)
            return NULL;
        if (is_below (domain, parent))
            return stays ? NULL : g_strdup_printf ("%.*s%s", (gint) (domain - address), address, parent);
    }

    return NULL;
}

static gchar *
rewrite_sender (const gchar *address, const Config *config)
{
    gchar *other = find (config->sender_table, address, MESSAGE_MAP_NAMED, config);

    if (other == NULL)
        other = g_strdup (config->sender);
    if (other == NULL)
        other = find (config->sender_table, address, MESSAGE_MAP_DEFAULT, config);

    return other != NULL ? other : masquerade (address, config);
}

static gchar *
rewrite_reply (const gchar *address, const Config *config)
{
    gchar *other = config->rewrites_reply_to ? find (config->sender_table, address, MESSAGE_MAP_NAMED, config) : NULL;

    return other == NULL && config->rewrites_reply_to ? masquerade (address, config) : other;
}

static gchar *
rewrite_recipient (const gchar *address, const Config *config)
{
    gchar *other = find (config->recipient_table, address, MESSAGE_MAP_NAMED, config);

    return other != NULL ? other : masquerade (address, config);
}

gchar *
rewriting_sender (const gchar *address, const Config *config)
{
    g_autofree gchar *complete = message_address_complete (address, &config->completion);
    gchar *other = complete[0] != '\0' ? rewrite_sender (complete, config) : NULL;

    return other != NULL ? other : g_steal_pointer (&complete);
}

gchar *
rewriting_recipient (const gchar *address, const Config *config)
{
    g_autofree gchar *complete = message_address_complete (address, &config->completion);

    return find (config->recipient_table, complete, MESSAGE_MAP_DEFAULT, config);
}

gboolean
rewriting_knows_header (const Config *config)
{
    return config->sender_table != NULL || config->sender != NULL || config->recipient_table != NULL ||
           config->masquerade != NULL;
}

gchar *
rewriting_header (const gchar *address, MessageRole role, gpointer user_data)
{
    const Config *config = user_data;
    g_autofree gchar *complete = message_address_complete (address, &config->completion);
    g_autofree gchar *other = NULL;

    switch (role) {
    case MESSAGE_ROLE_SENDER:
        other = rewrite_sender (complete, config);
        break;
    case MESSAGE_ROLE_REPLY:
        other = rewrite_reply (complete, config);
        break;
    case MESSAGE_ROLE_RECIPIENT:
        other = rewrite_recipient (complete, config);
        break;
    }

    /* An address that becomes itself stays as it was spelled. */
    return other != NULL && !message_address_equal (other, complete) ? g_steal_pointer (&other) : NULL;
}
