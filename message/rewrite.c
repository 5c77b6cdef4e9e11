/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Completing the header of a submitted message
 *
 * Programs on a machine hand in mail that is not yet fit for the world: cron writes "From: root (Cron Daemon)",
 * scripts leave out the date. A submission service may put that right (RFC 6409 section 8), and smarthosts refuse
 * what it leaves undone. What is done is one rule set for every way in, so that a message looks the same whether
 * it came by `sendmail` or by SMTP.
 *
 * The rule behind the rules: add what is missing, complete what is bare, put another address where the administrator
 * wants one, touch nothing else. An address list is therefore never written anew; only addresses are exchanged in it,
 * and names, comments, groups and folds around them stay. What cannot be understood
 * stays as it is: it is not this relay's to guess.
 */

#include <string.h>

#include "message/address-list.h"
#include "message/address.h"
#include "message/date.h"
#include "message/error.h"
#include "message/identifier.h"
#include "message/phrase.h"
#include "message/rewrite.h"

/* The sender of notices, and what else has the null reverse-path. */
#define NULL_SENDER_NAME "MAILER-DAEMON"

#define RESENT_PREFIX "Resent-"

/* What header and envelope may hold here: addresses are judged once more when they are sent. */
#define LENIENT (MESSAGE_PATH_BARE | MESSAGE_PATH_UTF8)

static gboolean
is_one_of (const gchar *name, const gchar *const *names)
{
    for (; *names != NULL; names++)
        if (g_ascii_strcasecmp (name, *names) == 0)
            return TRUE;

    return FALSE;
}

static gboolean
has_resent_prefix (const gchar *name)
{
    return g_ascii_strncasecmp (name, RESENT_PREFIX, strlen (RESENT_PREFIX)) == 0;
}

/* Whether the field is a list of addresses, and whose. */
static gboolean
has_address_list (const gchar *name, MessageRole *role)
{
    static const gchar *const senders[] = {"From", "Sender", NULL};
    static const gchar *const replies[] = {"Reply-To", NULL};
    static const gchar *const recipients[] = {"To", "Cc", "Bcc", NULL};
    static const gchar *const *const names[] = {
        [MESSAGE_ROLE_SENDER] = senders, [MESSAGE_ROLE_REPLY] = replies, [MESSAGE_ROLE_RECIPIENT] = recipients};
    const gchar *plain = has_resent_prefix (name) ? name + strlen (RESENT_PREFIX) : name;

    for (guint i = 0; i < G_N_ELEMENTS (names); i++)
        if (is_one_of (plain, names[i])) {
            *role = (MessageRole) i;
            return TRUE;
        }

    return FALSE;
}

/* A list of addresses that is being gone through. */
typedef struct {
    const MessageRewrite *rewrite;
    MessageRole role;
    const gchar *text;
    gboolean is_rewritten; /* an address of it became another one */
} List;

/* Returns: (transfer full) (nullable): what is to stand in the place of an address; NULL if it is right */
static gchar *
replacement_of (List *list, const MessageListEntry *entry)
{
    const MessageRewrite *rewrite = list->rewrite;
    g_autofree gchar *address = NULL;
    gchar *other;

    /* Most are right, and nothing is to be made of them. */
    if (entry->address == NULL || (rewrite->address == NULL && !entry->bare &&
                                   message_address_is_complete (entry->address, rewrite->completion)))
        return NULL;

    address = message_address_parse (entry->address, LENIENT, NULL);
    if (address == NULL)
        return NULL;

    other = rewrite->address != NULL ? rewrite->address (address, list->role, rewrite->user_data) : NULL;
    if (other != NULL) {
        list->is_rewritten = TRUE;
        return other;
    }

    /* As it was spelled, with its quotes and comments. */
    if (entry->bare)
        return g_strdup_printf ("%.*s@%s", (gint) (entry->address_end - entry->address_start),
                                list->text + entry->address_start, rewrite->completion->domain);

    return message_address_is_complete (address, rewrite->completion)
               ? NULL
               : message_address_complete (address, rewrite->completion);
}

/* Returns: (transfer full) (nullable): the list with each address put right that needs it, or NULL if none does */
static gchar *
rewrite_list (List *list)
{
    g_autoptr (GArray) entries = message_address_list_parse (list->text);
    g_autoptr (GString) rewritten = NULL;
    gsize copied = 0;

    for (guint i = 0; i < entries->len; i++) {
        const MessageListEntry *entry = &g_array_index (entries, MessageListEntry, i);
        g_autofree gchar *replacement = replacement_of (list, entry);

        if (replacement == NULL)
            continue;

        if (rewritten == NULL)
            rewritten = g_string_sized_new (strlen (list->text) + strlen (replacement));
        g_string_append_len (rewritten, list->text + copied, (gssize) (entry->address_start - copied));
        g_string_append (rewritten, replacement);
        copied = entry->address_end;
    }

    if (rewritten == NULL)
        return NULL;

    g_string_append (rewritten, list->text + copied);
    return g_string_free (g_steal_pointer (&rewritten), FALSE);
}

/* Returns: (transfer full) (nullable): the From: as it was, if it was rewritten */
static gchar *
rewrite_addresses (MessageHeader *header, const MessageRewrite *rewrite)
{
    g_autofree gchar *original = NULL;

    for (guint i = 0; i < message_header_count (header); i++) {
        const MessageField *field = message_header_field (header, i);
        List list = {.rewrite = rewrite, .text = field->body};
        g_autofree gchar *body = NULL;

        if (!has_address_list (field->name, &list.role))
            continue;

        body = rewrite_list (&list);
        if (list.is_rewritten && original == NULL && g_ascii_strcasecmp (field->name, "From") == 0)
            original = g_strdup (field->body);
        if (body != NULL)
            message_header_replace (header, i, body);
    }

    return g_steal_pointer (&original);
}

static gboolean
is_empty (const gchar *body)
{
    return body[strspn (body, " \t\r\n")] == '\0';
}

static gboolean
is_resent_field (const gchar *name)
{
    static const gchar *const names[] = {"Resent-From", "Resent-Sender", "Resent-To",         "Resent-Cc",
                                         "Resent-Bcc",  "Resent-Date",   "Resent-Message-ID", NULL};

    return has_resent_prefix (name) && is_one_of (name, names);
}

/*
 * Where the fields of the last resending end. Each resending puts a block of its own in front (RFC 5322 3.6.6): an older one
 * starts where a trace or one of the fields comes that a block has once. Recipients may be in several fields, against the
 * standard, and are rather taken twice than left out.
 */
static guint
end_of_resent_block (const MessageHeader *header)
{
    static const gchar *const single[] = {"Resent-From", "Resent-Sender", "Resent-Date", "Resent-Message-ID", NULL};
    static const gchar *const traces[] = {"Received", "Return-Path", NULL};
    gboolean seen[G_N_ELEMENTS (single)] = {FALSE};
    gboolean started = FALSE;

    for (guint i = 0; i < message_header_count (header); i++) {
        const gchar *name = message_header_field (header, i)->name;

        if (started && is_one_of (name, traces))
            return i;

        started = started || is_resent_field (name);
        for (guint k = 0; single[k] != NULL; k++) {
            if (g_ascii_strcasecmp (name, single[k]) != 0)
                continue;
            if (seen[k])
                return i;
            seen[k] = TRUE;
        }
    }

    return message_header_count (header);
}

/* The fields that one of this name is looked for in: all, or those of the last resending. */
static guint
end_of_block (const MessageHeader *header, const gchar *name)
{
    return is_resent_field (name) ? end_of_resent_block (header) : message_header_count (header);
}

/* The first field of that name that is not empty; %NULL if there is none. */
static const MessageField *
find_content (const MessageHeader *header, const gchar *name)
{
    guint end = end_of_block (header, name);

    for (guint i = 0; i < end; i++) {
        const MessageField *field = message_header_field (header, i);

        if (g_ascii_strcasecmp (field->name, name) == 0 && !is_empty (field->body))
            return field;
    }

    return NULL;
}

/* Adds a field to the block of the last resending, in front (RFC 5322 3.6.6), or in the place of one that is empty. */
static void
add_resent (MessageHeader *header, const gchar *name, const gchar *body)
{
    guint end = end_of_resent_block (header);
    g_autofree gchar *spaced = g_strconcat (" ", body, NULL);

    for (guint i = 0; i < end; i++)
        if (g_ascii_strcasecmp (message_header_field (header, i)->name, name) == 0) {
            message_header_replace (header, i, spaced);
            return;
        }

    message_header_prepend (header, name, body);
}

/* Adds a field that is missing, or empty. */
static void
add (MessageHeader *header, const gchar *name, const gchar *body)
{
    if (is_resent_field (name)) {
        add_resent (header, name, body);
        return;
    }

    message_header_remove (header, name);
    message_header_append (header, name, body);
}

static gchar *
format_null_author (const MessageRewrite *rewrite)
{
    g_autofree gchar *author = g_strconcat (NULL_SENDER_NAME "@", rewrite->completion->domain, NULL);
    gchar *other =
        rewrite->address != NULL ? rewrite->address (author, MESSAGE_ROLE_SENDER, rewrite->user_data) : NULL;

    return other != NULL ? other : g_steal_pointer (&author);
}

static gchar *
format_author (const MessageRewrite *rewrite)
{
    g_autofree gchar *phrase = rewrite->full_name != NULL ? message_phrase_format (rewrite->full_name) : NULL;

    if (*rewrite->sender == '\0')
        return format_null_author (rewrite);
    if (phrase == NULL)
        return g_strdup (rewrite->sender);

    return g_strdup_printf ("%s <%s>", phrase, rewrite->sender);
}

/* Whether more than one author is named, so that somebody has to be the one who sent it (RFC 5322 3.6.2). */
static gboolean
has_several_authors (const MessageHeader *header, const gchar *from)
{
    const MessageField *field = find_content (header, from);
    g_autoptr (GArray) entries = NULL;
    guint authors = 0;

    /* Most have one, and then need no reading. */
    if (field == NULL || strpbrk (field->body, ",;") == NULL)
        return FALSE;

    entries = message_address_list_parse (field->body);
    for (guint i = 0; i < entries->len; i++)
        if (g_array_index (entries, MessageListEntry, i).address != NULL)
            authors++;

    return authors > 1;
}

/* The fields that every message has, under their names. */
typedef struct {
    const gchar *from;
    const gchar *sender;
    const gchar *date;
    const gchar *message_id;
} Names;

static void
add_author (MessageHeader *header, const MessageRewrite *rewrite, const Names *names)
{
    const gchar *name = names->from;
    g_autofree gchar *author = NULL;

    if (find_content (header, names->from) != NULL) {
        if (!has_several_authors (header, names->from) || find_content (header, names->sender) != NULL)
            return;
        name = names->sender;
    }

    author = format_author (rewrite);
    add (header, name, author);
}

static void
add_missing (MessageHeader *header, const MessageRewrite *rewrite, const Names *names)
{
    add_author (header, rewrite, names);
    if (find_content (header, names->date) == NULL) {
        g_autofree gchar *now = message_date_format (rewrite->usec);

        add (header, names->date, now);
    }

    if (find_content (header, names->message_id) == NULL) {
        g_autofree gchar *identifier = message_identifier_new (rewrite->host_name);

        add (header, names->message_id, identifier);
    }
}

gboolean
message_rewrite_is_resent (const MessageHeader *header)
{
    g_return_val_if_fail (header != NULL, FALSE);

    for (guint i = 0; i < message_header_count (header); i++)
        if (is_resent_field (message_header_field (header, i)->name))
            return TRUE;

    return FALSE;
}

void
message_rewrite_submission (MessageHeader *header, const MessageRewrite *rewrite)
{
    static const Names own = {"From", "Sender", "Date", "Message-ID"};
    static const Names resent = {"Resent-From", "Resent-Sender", "Resent-Date", "Resent-Message-ID"};
    g_autofree gchar *original = NULL;

    g_return_if_fail (header != NULL);
    g_return_if_fail (rewrite != NULL);

    original = rewrite_addresses (header, rewrite);
    if (original != NULL && rewrite->original_field != NULL)
        message_header_append (header, rewrite->original_field, original + strspn (original, " \t"));

    add_missing (header, rewrite, &own);
    if (message_rewrite_is_resent (header))
        add_missing (header, rewrite, &resent);

    message_header_remove (header, "Bcc");
    message_header_remove (header, "Resent-Bcc");
    message_header_remove (header, "Return-Path");
}

static gboolean
add_recipient (MessageEnvelope *envelope, const MessageField *field, const MessageListEntry *entry, GError **error)
{
    g_autofree gchar *reason = NULL;
    g_autofree gchar *address = NULL;

    if (entry->address == NULL) {
        reason = message_address_list_explain (field->body, entry);
        g_set_error (error, MESSAGE_ERROR, MESSAGE_ERROR_SYNTAX, "In the field %s: %s", field->name, reason);
        return FALSE;
    }

    address = message_address_parse (entry->address, LENIENT, error);
    if (address == NULL) {
        g_prefix_error (error, "In the field %s: ", field->name);
        return FALSE;
    }

    message_envelope_add (envelope, address);
    return TRUE;
}

static gboolean
add_recipients (MessageEnvelope *envelope, const MessageField *field, GError **error)
{
    g_autoptr (GArray) entries = message_address_list_parse (field->body);

    for (guint i = 0; i < entries->len; i++)
        if (!add_recipient (envelope, field, &g_array_index (entries, MessageListEntry, i), error))
            return FALSE;

    return TRUE;
}

gboolean
message_rewrite_recipients (const MessageHeader *header, MessageEnvelope *envelope, GError **error)
{
    static const gchar *const originals[] = {"To", "Cc", "Bcc", NULL};
    static const gchar *const resents[] = {"Resent-To", "Resent-Cc", "Resent-Bcc", NULL};
    gboolean is_resent;
    guint end;

    g_return_val_if_fail (header != NULL, FALSE);
    g_return_val_if_fail (envelope != NULL, FALSE);

    is_resent = message_rewrite_is_resent (header);
    end = is_resent ? end_of_resent_block (header) : message_header_count (header);
    for (guint i = 0; i < end; i++) {
        const MessageField *field = message_header_field (header, i);

        if (is_one_of (field->name, is_resent ? resents : originals) && !add_recipients (envelope, field, error))
            return FALSE;
    }

    return TRUE;
}
