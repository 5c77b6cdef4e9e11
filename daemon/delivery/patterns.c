/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Patterns of addresses
 *
 * Each pattern becomes a key of one table: an address "user@example.org", a domain "@example.org", its sub-domains
 * "@.example.org", a local part "user@". An address is looked up by each of the keys that could cover it, so ten thousand
 * patterns cost a message no more than ten.
 *
 * Case is ignored throughout. RFC 5321 2.4 leaves the case of local parts to the receiving host, but an
 * administrator who writes a route does not think of it, and none tells two people apart by it. Internationalised
 * domains are compared in their ASCII form, whichever form either side has.
 */

#include "delivery/patterns.h"

#include <string.h>

#define KEY_ALL  "*"
#define KEY_NULL "<>"

struct _DeliveryPatterns {
    gchar *text;
    GHashTable *keys; /* set of strings */
};

/* Returns: (transfer full) (nullable): the domain in the form of the keys */
static gchar *
domain_key (const gchar *domain)
{
    g_autofree gchar *ascii = domain[0] == '[' ? g_strdup (domain) : g_hostname_to_ascii (domain);

    return ascii ? g_ascii_strdown (ascii, -1) : NULL;
}

static gboolean
is_domain (const gchar *key)
{
    if (key[0] == '[')
        return g_str_has_suffix (key, "]");

    return key[0] != '\0' && key[0] != '.' && !g_str_has_suffix (key, ".") && !strstr (key, "..") &&
           strspn (key, "abcdefghijklmnopqrstuvwxyz0123456789-_.") == strlen (key);
}

/* Returns: (transfer full) (nullable): the key of the domain with @prefix in front; NULL: it is none */
static gchar *
prefixed_domain (const gchar *prefix, const gchar *domain)
{
    g_autofree gchar *key = domain_key (domain);

    return key && is_domain (key) ? g_strconcat (prefix, key, NULL) : NULL;
}

/* Returns: (transfer full) (nullable) */
static gchar *
local_part_key (const gchar *start, gsize length)
{
    g_autofree gchar *folded = g_utf8_strdown (start, (gssize) length);

    /* Only a quoted one may have what else means something here. */
    return folded[0] != '"' && strpbrk (folded, "*<>@") ? NULL : g_strconcat (folded, "@", NULL);
}

static gchar *
address_key (const gchar *pattern, const gchar *at)
{
    g_autofree gchar *local = local_part_key (pattern, (gsize) (at - pattern));

    return local ? prefixed_domain (local, at + 1) : NULL;
}

/* Returns: (transfer full) (nullable): NULL: it is no pattern */
static gchar *
pattern_key (const gchar *pattern)
{
    const gchar *at = strrchr (pattern, '@');

    if (!g_utf8_validate (pattern, -1, NULL))
        return NULL;
    if (g_str_equal (pattern, KEY_ALL) || g_str_equal (pattern, KEY_NULL))
        return g_strdup (pattern);
    if (g_str_has_prefix (pattern, "*."))
        return prefixed_domain ("@.", pattern + 2);
    if (!at)
        return prefixed_domain ("@", pattern);
    if (at == pattern || g_str_has_prefix (pattern, "*@"))
        return prefixed_domain ("@", at + 1);
    if (at[1] == '\0' || g_str_equal (at + 1, "*"))
        return local_part_key (pattern, (gsize) (at - pattern));

    return address_key (pattern, at);
}

DeliveryPatterns *
delivery_patterns_new (const gchar *text, gchar **bad)
{
    g_autoptr (DeliveryPatterns) self = g_new0 (DeliveryPatterns, 1);
    g_auto (GStrv) words = g_strsplit_set (text, " \t", -1);

    self->text = g_strdup (text);
    self->keys = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
    for (guint i = 0; words[i]; i++) {
        gchar *key;

        if (words[i][0] == '\0')
            continue;

        key = pattern_key (words[i]);
        if (!key) {
            *bad = g_strdup (words[i]);
            return NULL;
        }
        g_hash_table_add (self->keys, key);
    }

    return g_steal_pointer (&self);
}

void
delivery_patterns_free (DeliveryPatterns *self)
{
    g_hash_table_unref (self->keys);
    g_free (self->text);
    g_free (self);
}

const gchar *
delivery_patterns_text (const DeliveryPatterns *self)
{
    return self->text;
}

static gboolean
has (const DeliveryPatterns *self, const gchar *first, const gchar *second)
{
    g_autofree gchar *key = g_strconcat (first, second, NULL);

    return g_hash_table_contains (self->keys, key);
}

static gboolean
covers_domain (const DeliveryPatterns *self, const gchar *domain)
{
    if (has (self, "@", domain))
        return TRUE;

    for (const gchar *dot = strchr (domain, '.'); dot; dot = strchr (dot + 1, '.'))
        if (has (self, "@", dot))
            return TRUE;

    return FALSE;
}

gboolean
delivery_patterns_match (const DeliveryPatterns *self, const gchar *address)
{
    const gchar *at = strrchr (address, '@');
    g_autofree gchar *local = NULL;
    g_autofree gchar *domain = NULL;

    if (g_hash_table_contains (self->keys, KEY_ALL))
        return TRUE;
    if (address[0] == '\0')
        return g_hash_table_contains (self->keys, KEY_NULL);

    local = local_part_key (address, at ? (gsize) (at - address) : strlen (address));
    if (local && g_hash_table_contains (self->keys, local))
        return TRUE;

    domain = at ? domain_key (at + 1) : NULL;
    return domain && ((local && has (self, local, domain)) || covers_domain (self, domain));
}
