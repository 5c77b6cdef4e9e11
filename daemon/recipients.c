/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Recipients
 *
 * Programs write to "root" and "pi", and there are no mailboxes here. A local recipient goes where its alias says, or
 * the alias "*"; without one it goes to the administrator, AdminAddress=. Only where there is neither does it leave
 * completed with a domain, as what it then is: an address of the provider's or the organization's.
 *
 * Domain= does not make an address local. It is often the domain of real mailboxes, whose mail must not be caught.
 *
 * RecipientTable= comes before all this: what it names may be, or become, a local recipient.
 *
 * An alias to /dev/null leads to a recipient of that name, whom the delivery knows: so the log tells what became of the mail.
 *
 * A name that comes round to itself is treated as one without an alias, so that no mail is lost in a circle; each name is
 * followed once for a recipient, so that the time it takes is bounded by the size of the file. Where a name leads depends on
 * nothing but the file: so recipients that begin with the same (ten thousand that nobody knows, and that all go where "*" does)
 * are followed once for all.
 */

#include "recipients.h"

#include "message/address.h"
#include "rewriting.h"

#include <string.h>

/* Nobody nests aliases deeper than this on purpose. */
#define ALIASES_DEEPEST 64

#define DEFAULT_ALIAS "*"

typedef struct {
    const Config *config;
    const MessageRecipient *original;
    MessageEnvelope *resolved;
    GHashTable *begun;    /* (nullable) of gchar *: names that recipients before this one began with */
    GHashTable *followed; /* (nullable) of gchar *: names whose aliases were followed for this one */
    GPtrArray *way;       /* (nullable) of gchar *: the names that led here, owned by @followed */
} Resolving;

/* Whether @name, a domain in an address, is @own; without a dot it may be that below the parent. */
static gboolean
is_own_domain (const gchar *name, const gchar *own, const MessageCompletion *completion)
{
    gsize length = strlen (name);

    if (g_ascii_strncasecmp (own, name, length) != 0)
        return FALSE;
    if (own[length] == '\0')
        return TRUE;

    return completion->parent != NULL && strchr (name, '.') == NULL && own[length] == '.' &&
           g_ascii_strcasecmp (own + length + 1, completion->parent) == 0;
}

/* Whether @name is the first label of the host's name. */
static gboolean
is_short_host_name (const gchar *name, const gchar *host_name)
{
    gsize length = strcspn (host_name, ".");

    return strlen (name) == length && g_ascii_strncasecmp (name, host_name, length) == 0;
}

gboolean
recipients_is_local (const gchar *address, const Config *config)
{
    const gchar *domain = message_address_domain (address);

    if (domain == NULL || message_address_is_localhost (address) ||
        is_own_domain (domain, config->host_name, &config->completion) ||
        is_short_host_name (domain, config->host_name))
        return TRUE;

    for (guint i = 0; config->local_domains != NULL && config->local_domains[i] != NULL; i++)
        if (is_own_domain (domain, config->local_domains[i], &config->completion))
            return TRUE;

    return FALSE;
}

/* @address: whole, or the name that leads nowhere */
static void
add (Resolving *self, const gchar *address)
{
    guint before = self->resolved->recipients->len;
    MessageRecipient *added = message_envelope_add (self->resolved, address);
    g_autofree gchar *original = NULL;

    if (self->resolved->recipients->len == before)
        return;

    original = message_address_complete (self->original->address, &self->config->completion);
    added->notify = self->original->notify;
    if (self->original->orcpt != NULL)
        added->orcpt = g_strdup (self->original->orcpt);
    else if (!message_address_equal (original, address) && message_address_is_ascii (original))
        added->orcpt = g_strconcat ("rfc822;", original, NULL);
}

static void
add_completed (Resolving *self, const gchar *address)
{
    g_autofree gchar *complete = NULL;

    if (message_address_is_complete (address, &self->config->completion)) {
        add (self, address);
        return;
    }

    complete = message_address_complete (address, &self->config->completion);
    add (self, complete);
}

/* A local recipient without an alias. */
static void
add_unaliased (Resolving *self, const gchar *address)
{
    GStrv administrators = self->config->admin_addresses;

    if (administrators == NULL)
        add_completed (self, address);
    for (guint i = 0; administrators != NULL && administrators[i] != NULL; i++)
        add_completed (self, administrators[i]);
}

static gboolean
is_on_way (const Resolving *self, const gchar *name)
{
    for (guint i = 0; i < self->way->len; i++)
        if (strcmp (g_ptr_array_index (self->way, i), name) == 0)
            return TRUE;

    return FALSE;
}

static void resolve (Resolving *self, const gchar *address, gboolean is_final);

static void
follow (Resolving *self, const gchar *name, const GPtrArray *targets)
{
    gchar *own_name = g_strdup (name);

    g_hash_table_add (self->followed, own_name);
    g_ptr_array_add (self->way, own_name);
    for (guint i = 0; i < targets->len; i++) {
        const MessageAliasTarget *target = g_ptr_array_index (targets, i);

        if (target->kind == MESSAGE_ALIAS_NOWHERE)
            add (self, target->text);
        else
            resolve (self, target->text, target->kind == MESSAGE_ALIAS_FINAL);
    }
    g_ptr_array_set_size (self->way, (gint) self->way->len - 1);
}

/* The targets of @name, or of the default, under which name is told in @found. */
static const GPtrArray *
find_alias (const Resolving *self, const gchar *name, const gchar **found)
{
    const GPtrArray *targets;

    if (self->config->aliases == NULL)
        return NULL;

    *found = name;
    targets = aliases_find (self->config->aliases, name);
    if (targets != NULL)
        return targets;

    *found = DEFAULT_ALIAS;
    return aliases_find (self->config->aliases, DEFAULT_ALIAS);
}

static gboolean
is_new (const Resolving *self, const gchar *name)
{
    if (self->way->len > 0)
        return !g_hash_table_contains (self->followed, name);

    return g_hash_table_add (self->begun, g_strdup (name));
}

static void
resolve_local (Resolving *self, const gchar *address)
{
    g_autofree gchar *local = message_address_local_part (address);
    g_autofree gchar *name = g_utf8_strdown (local, -1);
    const gchar *found;
    const GPtrArray *targets = find_alias (self, name, &found);

    if (targets == NULL || is_on_way (self, found) || self->way->len >= ALIASES_DEEPEST)
        add_unaliased (self, address);
    else if (is_new (self, found))
        follow (self, found, targets);
}

/* Adds whom @address leads to; not by an alias if @is_final. */
static void
resolve (Resolving *self, const gchar *address, gboolean is_final)
{
    if (!recipients_is_local (address, self->config))
        add_completed (self, address);
    else if (is_final)
        add_unaliased (self, address);
    else
        resolve_local (self, address);
}

static void
resolve_one (Resolving *self)
{
    g_autofree gchar *other = rewriting_recipient (self->original->address, self->config);
    const gchar *address = other != NULL ? other : self->original->address;

    if (!recipients_is_local (address, self->config)) {
        add_completed (self, address);
        return;
    }

    if (self->begun == NULL)
        self->begun = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
    self->followed = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
    self->way = g_ptr_array_new ();
    resolve (self, address, FALSE);
    g_clear_pointer (&self->way, g_ptr_array_unref);
    g_clear_pointer (&self->followed, g_hash_table_unref);
}

void
recipients_resolve (const MessageEnvelope *envelope, const Config *config, MessageEnvelope *resolved)
{
    Resolving resolving = {.config = config, .resolved = resolved};

    for (guint i = 0; i < envelope->recipients->len; i++) {
        resolving.original = message_envelope_recipient (envelope, i);
        resolve_one (&resolving);
    }
    g_clear_pointer (&resolving.begun, g_hash_table_unref);
}
