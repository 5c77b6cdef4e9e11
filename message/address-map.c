/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Address tables
 *
 * A table is for people who want their provider to see one address and not another, and they think in addresses,
 * users and domains. So these are the patterns, with no language around them; and since a line says by its form
 * how far it reaches, the order of the lines does not matter, and a table can be sorted or generated.
 *
 * What is looked up is found by a hash for each kind of pattern: a table may be the user list of a large site.
 */

#include <string.h>

#include "message/address-map.h"
#include "message/error.h"

#define ADDRESS_FLAGS (MESSAGE_PATH_BARE | MESSAGE_PATH_UTF8)

struct _MessageAddressMap {
    GHashTable *addresses; /* all of gchar *, in lower case, to gchar * */
    GHashTable *users;
    GHashTable *domains;
    GHashTable *parents; /* without the dot in front */
    gchar *all;          /* (nullable) */
};

static GHashTable *
new_table (void)
{
    return g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
}

/* The domain in "@domain", checked by the rules for addresses and in their form; as it is without @completion. */
static gchar *
parse_domain (const gchar *domain, const MessageCompletion *completion, GError **error)
{
    g_autofree gchar *probe = g_strconcat ("x@", domain, NULL);
    g_autofree gchar *address = message_address_parse (probe, ADDRESS_FLAGS, error);
    g_autofree gchar *complete = NULL;

    if (address == NULL)
        return NULL;
    if (completion == NULL || message_address_is_localhost (address))
        return g_strdup (message_address_domain (address));

    complete = message_address_complete (address, completion);
    return g_strdup (message_address_domain (complete));
}

/* "@domain", with the local part to be kept, or an address. */
static gchar *
parse_replacement (const gchar *text, const MessageCompletion *completion, GError **error)
{
    g_autofree gchar *parsed = NULL;

    if (text[0] == '@') {
        parsed = parse_domain (text + 1, completion, error);
        return parsed != NULL ? g_strconcat ("@", parsed, NULL) : NULL;
    }

    parsed = message_address_parse (text, ADDRESS_FLAGS, error);
    return parsed != NULL ? message_address_complete (parsed, completion) : NULL;
}

static void
insert (GHashTable *table, const gchar *key, gchar *value)
{
    g_hash_table_insert (table, g_utf8_strdown (key, -1), value);
}

/* Takes @replacement over if all is well. */
static gboolean
add_domain (MessageAddressMap *map, const gchar *pattern, const MessageCompletion *completion, gchar *replacement,
            GError **error)
{
    gboolean is_parent = pattern[1] == '.';
    g_autofree gchar *domain = parse_domain (pattern + (is_parent ? 2 : 1), is_parent ? NULL : completion, error);

    if (domain == NULL)
        return FALSE;

    insert (is_parent ? map->parents : map->domains, domain, replacement);
    return TRUE;
}

static gboolean
add_address (MessageAddressMap *map, const gchar *pattern, const MessageCompletion *completion, gchar *replacement,
             GError **error)
{
    g_autofree gchar *address = message_address_parse (pattern, ADDRESS_FLAGS, error);
    g_autofree gchar *key = NULL;

    if (address == NULL)
        return FALSE;

    if (message_address_domain (address) != NULL) {
        key = message_address_complete (address, completion);
        insert (map->addresses, key, replacement);
    } else {
        key = message_address_local_part (address);
        insert (map->users, key, replacement);
    }
    return TRUE;
}

static gboolean
add (MessageAddressMap *map, const gchar *pattern, const MessageCompletion *completion, gchar *replacement,
     GError **error)
{
    if (pattern[0] == '@')
        return add_domain (map, pattern, completion, replacement, error);
    if (strcmp (pattern, "*") != 0)
        return add_address (map, pattern, completion, replacement, error);

    g_free (map->all);
    map->all = replacement;
    return TRUE;
}

/* The length of the word at @text, in which quotes may hold blanks. */
static gsize
word_length (const gchar *text)
{
    gboolean quoted = FALSE;
    gsize at;

    for (at = 0; text[at] != '\0' && (quoted || !g_ascii_isspace (text[at])); at++) {
        if (text[at] == '\\' && text[at + 1] != '\0')
            at++;
        else if (text[at] == '"')
            quoted = !quoted;
    }

    return at;
}

static gboolean
read_line (MessageAddressMap *map, gchar *line, const MessageCompletion *completion, GError **error)
{
    gsize length = word_length (line);
    g_autofree gchar *pattern = g_strndup (line, length);
    const gchar *rest = g_strstrip (line + length);
    gchar *replacement;

    if (*rest == '\0' || rest[word_length (rest)] != '\0') {
        g_autofree gchar *quoted = message_error_quote (pattern, length);

        g_set_error (error, MESSAGE_ERROR, MESSAGE_ERROR_SYNTAX, "“%s…”: expected a pattern and its replacement",
                     quoted);
        return FALSE;
    }

    replacement = parse_replacement (rest, completion, error);
    if (replacement != NULL && add (map, pattern, completion, replacement, error))
        return TRUE;

    g_free (replacement);
    return FALSE;
}

MessageAddressMap *
message_address_map_parse (const gchar *text, gsize length, const MessageCompletion *completion, GPtrArray *problems)
{
    MessageAddressMap *map = g_new0 (MessageAddressMap, 1);
    g_autofree gchar *terminated = NULL;
    g_auto (GStrv) lines = NULL;

    map->addresses = new_table ();
    map->users = new_table ();
    map->domains = new_table ();
    map->parents = new_table ();
    if (!g_utf8_validate (text, (gssize) length, NULL)) {
        g_ptr_array_add (problems, g_strdup ("1: the file is not UTF-8 text"));
        return map;
    }

    terminated = g_strndup (length > 0 ? text : "", length);
    lines = g_strsplit_set (terminated, "\n", -1);
    for (guint i = 0; lines[i] != NULL; i++) {
        g_autoptr (GError) error = NULL;

        g_strstrip (lines[i]);
        if (lines[i][0] != '\0' && lines[i][0] != '#' && !read_line (map, lines[i], completion, &error))
            g_ptr_array_add (problems, g_strdup_printf ("%u: %s", i + 1, error->message));
    }

    return map;
}

void
message_address_map_free (MessageAddressMap *map)
{
    g_hash_table_unref (map->addresses);
    g_hash_table_unref (map->users);
    g_hash_table_unref (map->domains);
    g_hash_table_unref (map->parents);
    g_free (map->all);
    g_free (map);
}

static const gchar *
find_parent (const MessageAddressMap *map, const gchar *domain)
{
    for (const gchar *dot = strchr (domain, '.'); dot != NULL; dot = strchr (dot + 1, '.')) {
        const gchar *replacement = g_hash_table_lookup (map->parents, dot + 1);

        if (replacement != NULL)
            return replacement;
    }

    return NULL;
}

/* @address in lower case */
static const gchar *
find_replacement (const MessageAddressMap *map, const gchar *address, MessageMapFlags flags)
{
    const gchar *domain = message_address_domain (address);
    g_autofree gchar *local = message_address_local_part (address);
    const gchar *found = g_hash_table_lookup (map->addresses, address);

    if (found == NULL && (flags & MESSAGE_MAP_LOCAL) != 0)
        found = g_hash_table_lookup (map->users, local);
    if (found == NULL)
        found = g_hash_table_lookup (map->domains, domain);
    if (found == NULL)
        found = find_parent (map, domain);
    if (found == NULL && (flags & MESSAGE_MAP_NAMED) == 0)
        found = map->all;

    return found;
}

gchar *
message_address_map_find (const MessageAddressMap *map, const gchar *address, MessageMapFlags flags)
{
    g_autofree gchar *folded = NULL;
    const gchar *replacement;

    g_return_val_if_fail (map != NULL, NULL);
    g_return_val_if_fail (message_address_domain (address) != NULL, NULL);

    folded = g_utf8_strdown (address, -1);
    replacement = find_replacement (map, folded, flags);
    if (replacement == NULL || replacement[0] != '@')
        return g_strdup (replacement);

    return g_strdup_printf ("%.*s%s", (gint) (message_address_domain (address) - 1 - address), address, replacement);
}
